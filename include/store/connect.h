/* A connection to one target, within a deadline. Includes libpq: only the store's own files do. */
#ifndef STORE_CONNECT_H
#define STORE_CONNECT_H

#include <libpq-fe.h>

#include "store/attempt.h"

/*
 * Connects. NULL on failure, with outcome (NOT_SENT or INVALID), ended, sqlstate and text in *out.
 * The caller ends the connection with PQfinish.
 */
PGconn *connect_to(const struct db_hosts *targets, size_t target, const struct deadline *deadline,
		   struct query_result *out);

/* Waits for the server, as deadline_wait does. One that never pauses does not draw the deadline
 * out. */
enum wait_result connect_wait(PGconn *conn, const struct deadline *deadline, short events);

/* Keeps the first line of libpq's or the server's words, the SQLSTATE that PQERRORS_VERBOSE puts
 * into it apart. */
void note_error_text(const char *words, struct query_result *out);

#endif
