/* The hosts of a configuration, one by one: each gets its own share of the time. */
#ifndef STORE_TARGETS_H
#define STORE_TARGETS_H

#include <stddef.h>

#include "base/err.h"
#include "store/store.h"

/* One place where the database may be. All may be NULL: libpq's default. */
struct target {
	const char *host, *hostaddr, *port;
};

struct targets {
	struct target *list; /* owned; at least one */
	size_t n;
	const char **keys,
		**values; /* the other keywords, ending with NULL; owned, the strings are not */
	size_t n_others;
	double connect_timeout; /* seconds, 0: none was asked for */
	char *memory[4];        /* owned: what the strings stand in */
};

/* Splits the lists of hosts and fills in the defaults (user cni, dbname ipam; with `service` none,
 * and its hosts count). CNI_CONFIG where the lists do not fit together. */
int targets_of(const struct param *params, size_t n, struct targets *out, struct err *e);
void targets_free(struct targets *t);

#endif
