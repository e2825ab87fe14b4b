/* A connection to one host within a deadline, and the addresses of names. Includes libpq: only
 * src/store may include this. */
#ifndef STORE_CONNECT_H
#define STORE_CONNECT_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "store/query.h"

/*
 * Connects. NULL on failure, with outcome (QUERY_NOT_SENT or QUERY_BAD_PARAMS), ended, sqlstate and
 * text in *out. The caller ends the connection with PQfinish.
 */
PGconn *connect_to(const struct db_hosts *hosts, size_t host, const struct deadline *deadline,
		   struct query_result *out);

/* Waits for the server, as deadline_wait does. A server that keeps sending cannot extend the
 * deadline. */
enum wait_result connect_wait(PGconn *conn, const struct deadline *deadline, short events);

/* Keeps the first line of a message of libpq or of the server. The SQLSTATE that PQERRORS_VERBOSE
 * puts into it goes to out->sqlstate. */
void note_error_text(const char *words, struct query_result *out);

#define RESOLVE_MAX 62 /* addresses of one name that are used: what one write to a pipe holds */

/* Is it a name that has to be asked for: not an address, not the folder of a socket? */
bool resolve_needed(const char *host);

/* Takes the names out of the list of hosts, to be asked for. */
void hosts_ask(struct db_hosts *hosts);

/*
 * How many hosts are known: each address of a name becomes one. Asks for all names at the same
 * time, each in a child process. Waits until more than `besides` are known or nothing is asked for
 * any more, but not longer than the deadline.
 */
size_t hosts_known(struct db_hosts *hosts, size_t besides, const struct deadline *d);

/* Ends the child processes that are still asking. */
void hosts_end(struct db_hosts *hosts);

#endif
