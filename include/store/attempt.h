/* One connection, one statement, all of its results: the only place that decides what counts as
 * done. */
#ifndef STORE_ATTEMPT_H
#define STORE_ATTEMPT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/limit.h"
#include "store/targets.h"

enum attempt_outcome {
	ATTEMPT_DONE,     /* success, without a warning, nothing was cancelled */
	ATTEMPT_REFUSED,  /* the server refused the statement: nothing happened */
	ATTEMPT_NOT_SENT, /* no connection: nothing happened */
	ATTEMPT_INVALID,  /* libpq does not accept the parameters: nothing happened */
	ATTEMPT_DOUBTFUL, /* success was said, but with a warning or after a cancel; rows are there
			   */
	ATTEMPT_UNKNOWN   /* sent, and no answer that says what became of it */
};

/* Rows as text, in one block of memory. */
struct rows {
	size_t n, columns;
	const char **cells; /* owned, the texts with it; NULL cells are NULL */
};

/* What came of one attempt. */
struct attempt {
	enum attempt_outcome outcome;
	enum limit_ready ended; /* LIMIT_READY unless the wait ended first */
	char sqlstate[6];       /* "" where nobody said one */
	char text[512];         /* the server's or libpq's words, one line */
	struct rows rows;       /* of DONE and DOUBTFUL; owned */
};

/* The connection that attempts use; starts as { 0 }. */
struct link {
	void *conn;    /* NULL: none stands */
	size_t target; /* where it leads to */
};

/*
 * Connects to targets->list[target] unless `link` leads there already, runs `sql` with `n` text
 * parameters, reads everything. Connecting may last `connect_seconds` at most, all of it as long as
 * `limit`; a statement that is given up is cancelled, which takes 0.2 s more at most. The
 * connection stays open only after DONE and REFUSED. Parameters' values are borrowed.
 */
void attempt_run(struct link *link, const struct targets *targets, size_t target,
	double connect_seconds, const char *sql, const char *const *values, int n,
	const struct limit *limit, struct attempt *out);

/* The cell, or NULL. */
const char *rows_get(const struct rows *r, size_t row, size_t column);
void attempt_free(struct attempt *a);
void link_close(struct link *link);

#endif
