/*
 * A server that says what a script tells it, in the words of PostgreSQL's protocol. A script is
 * words separated by blanks:
 *
 *   hello            lets the client in
 *   welcome          lets it in, but is not ready yet
 *   query            waits for a statement
 *   parsed           it was understood          columns:a,b the same, it answers with these columns
 *   row:x,y,~        a row, ~ is NULL           done        the command is complete
 *   idle             ready for the next one     empty       the statement was empty
 *   notice:CODE  warning:CODE  error:CODE  fatal:CODE   with that SQLSTATE
 *   warning:CODE:FUNCTION                       and from that function of the server
 *   error:CODE:CONSTRAINT                       and about that constraint
 *   old-warning:CODE old-fatal:CODE             the same as a pooler says it
 *   cancelled        waits for the request to cancel
 *   copy             asks for rows to copy      garbage     what is no message
 *   half             the beginning of a message
 *   flood            notices without an end     close       hangs up
 *
 * At the end of its script it waits until the client is gone.
 */
#ifndef TESTS_UNIT_FAKE_SERVER_H
#define TESTS_UNIT_FAKE_SERVER_H

#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>

#include "store/params.h"

struct server {
	int listener;
	char port[8];
	const char *const *scripts; /* one for each connection, the last one for all others */
	size_t n;
	atomic_int connections, cancels, statements;
	pthread_t thread;
};

void server_start(struct server *s, const char *const *scripts, size_t n);

/* The hosts of an ipam object, written as J writes JSON. */
struct db_hosts hosts_of(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Ends it once the clients are gone. */
void server_stop(struct server *s);

#endif
