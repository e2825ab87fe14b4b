/* A connection to one host within a deadline, and the addresses of a name. Includes libpq: only
 * src/store may include this. */
#ifndef STORE_CONNECT_H
#define STORE_CONNECT_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "base/err.h"
#include "store/query.h"

/*
 * Connects. NULL on failure, with outcome (QUERY_NOT_SENT or QUERY_BAD_PARAMS), ended, sqlstate and
 * text in *out. The caller ends the connection with PQfinish.
 */
PGconn *connect_to(const struct db_hosts *hosts, size_t host, const struct deadline *deadline,
		   struct query_result *out);

/* Waits for the server, as deadline_wait does. A server that never pauses does not draw the
 * deadline out. */
enum wait_result connect_wait(PGconn *conn, const struct deadline *deadline, short events);

/* Keeps the first line of libpq's or the server's words. The SQLSTATE that PQERRORS_VERBOSE puts
 * into it goes to out->sqlstate. */
void note_error_text(const char *words, struct query_result *out);

#define RESOLVE_MAX 8   /* addresses of one name that are tried */
#define RESOLVE_TEXT 64 /* room for the text of one */

/* Is it a name that has to be asked for: not an address, not the folder of a socket? */
bool resolve_needed(const char *host);

/*
 * Up to RESOLVE_MAX addresses of `host`, as text. Returns how many, or -1: the name is not known
 * (CNI_TRY_AGAIN_LATER), or the deadline has passed.
 */
int resolve(const char *host, const struct deadline *d, char out[RESOLVE_MAX][RESOLVE_TEXT],
	    struct err *e);

#endif
