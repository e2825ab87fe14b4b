/* One connection, one statement, all of its results: the only place that decides what counts as
 * done. */
#ifndef STORE_QUERY_H
#define STORE_QUERY_H

#include <stddef.h>

#include "base/deadline.h"
#include "store/params.h"

struct statement {
	const char *sql;
	const char *const *values; /* $1, $2 … as text; NULL is SQL's */
	int n;
	/* Called just before it is sent (NULL: not): for values that tell the time. */
	void (*refresh)(void *context);
	void *context;
};

/* Rows as text. */
struct rows {
	size_t n, columns;
	const char **names; /* of the columns */
	const char **cells; /* row by row; NULL is SQL's */
};

/* The cell in the column of that name. NULL: SQL's, or there is no such row or column. */
const char *rows_get(const struct rows *r, size_t row, const char *column);

enum query_outcome {
	QUERY_OK,          /* success, replicated as the server is told to, nothing was cancelled */
	QUERY_REJECTED,    /* the server refused the statement: nothing happened */
	QUERY_NOT_SENT,    /* no connection: nothing happened */
	QUERY_BAD_PARAMS,  /* libpq does not accept the parameters: nothing happened */
	QUERY_UNCONFIRMED, /* the server said success, but not replicated, or after a cancel */
	QUERY_UNKNOWN      /* sent, and no answer that says what became of it */
};

/* What came of one statement. */
struct query_result {
	enum query_outcome outcome;
	enum wait_result ended; /* WAIT_READY unless the wait ended first */
	char sqlstate[6];       /* "" where nobody said one */
	char constraint[64];    /* the one that was violated; "" otherwise */
	char text[512];         /* the server's or libpq's words, one line */
	struct rows rows;       /* of QUERY_OK and QUERY_UNCONFIRMED */
};

/* The connection that queries use; starts as { 0 }. */
struct connection {
	void *conn;  /* NULL: there is none */
	size_t host; /* where it leads to */
};

/*
 * Connects to hosts->list[host] unless `c` leads there already, runs the statement, and reads all
 * that comes. Connecting may last `connect_seconds` at most, everything together as long as
 * `deadline`; a statement that is given up is cancelled, which takes CANCEL_SECONDS more. The
 * connection stays open only after QUERY_OK and QUERY_REJECTED.
 */
void query_run(struct connection *c, const struct db_hosts *hosts, size_t host,
	       double connect_seconds, const struct statement *s, const struct deadline *deadline,
	       struct query_result *out);

void connection_close(struct connection *c);

#endif
