/* A connection to one target, within a limit. Includes libpq: only the store's own files do. */
#ifndef STORE_CONNECT_H
#define STORE_CONNECT_H

#include <libpq-fe.h>

#include "store/attempt.h"

/*
 * Connects. NULL on failure, with outcome (NOT_SENT or INVALID), ended, sqlstate and text in *out.
 * The caller ends the connection with PQfinish.
 */
PGconn *connect_to(const struct targets *targets, size_t target, const struct limit *limit,
	struct attempt *out);

/* Waits for the server, as limit_wait does. One that never pauses does not draw the limit out. */
enum limit_ready connect_wait(PGconn *conn, const struct limit *limit, short events);

/* Keeps the first line of libpq's or the server's words, the SQLSTATE that PQERRORS_VERBOSE puts
 * into it apart. */
void connect_words(const char *words, struct attempt *out);

#endif
