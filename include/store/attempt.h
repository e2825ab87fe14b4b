/* One connection, one statement, all of its results: the only place that decides what counts as
 * done. */
#ifndef STORE_ATTEMPT_H
#define STORE_ATTEMPT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/deadline.h"
#include "store/targets.h"

enum query_outcome {
	QUERY_OK,          /* success, without a warning, nothing was cancelled */
	QUERY_REJECTED,    /* the server refused the statement: nothing happened */
	QUERY_NOT_SENT,    /* no connection: nothing happened */
	QUERY_BAD_PARAMS,  /* libpq does not accept the parameters: nothing happened */
	QUERY_UNCONFIRMED, /* success was said, but with a warning or after a cancel; rows are there
			    */
	QUERY_UNKNOWN      /* sent, and no answer that says what became of it */
};

/* Rows as text, in one block of memory. */
struct rows {
	size_t n, columns;
	const char **cells; /* owned, the texts with it; NULL cells are NULL */
};

/* What came of one attempt. */
struct query_result {
	enum query_outcome outcome;
	enum wait_result ended; /* WAIT_READY unless the wait ended first */
	char sqlstate[6];       /* "" where nobody said one */
	char text[512];         /* the server's or libpq's words, one line */
	struct rows rows;       /* of DONE and DOUBTFUL; owned */
};

/* The connection that attempts use; starts as { 0 }. */
struct connection {
	void *conn;    /* NULL: none stands */
	size_t target; /* where it leads to */
};

/*
 * Connects to targets->list[target] unless `link` leads there already, runs `sql` with `n` text
 * parameters, reads everything. Connecting may last `connect_seconds` at most, all of it as long as
 * `deadline`; a statement that is given up is cancelled, which takes 0.2 s more at most. The
 * connection stays open only after DONE and REFUSED. Parameters' values are borrowed.
 */
void query_run(struct connection *link, const struct db_hosts *targets, size_t target,
	       double connect_seconds, const char *sql, const char *const *values, int n,
	       const struct deadline *deadline, struct query_result *out);

/* The cell, or NULL. */
const char *rows_get(const struct rows *r, size_t row, size_t column);
void query_free(struct query_result *a);
void connection_close(struct connection *link);

#endif
