/* Names of hosts to addresses, within a deadline. */
#ifndef STORE_RESOLVE_H
#define STORE_RESOLVE_H

#include "base/deadline.h"
#include "base/err.h"

#define RESOLVE_MAX 8   /* addresses of one name that are tried */
#define RESOLVE_TEXT 64 /* room for the text of one */

/* A name that has to be asked for: not an address, not the folder of a socket. */
bool resolve_needed(const char *host);

/*
 * Up to RESOLVE_MAX addresses of `host`, as text. Returns how many, or -1: the name is not known
 * (CNI_TRY_AGAIN_LATER), or the deadline's time came first. getaddrinfo blocks and no poll reaches
 * it, so a child process asks.
 */
int resolve(const char *host, const struct deadline *l, char out[RESOLVE_MAX][RESOLVE_TEXT],
	    struct err *e);

#endif
