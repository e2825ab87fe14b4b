/* The hosts of a configuration, one by one: each gets its own share of the time. */
#ifndef STORE_TARGETS_H
#define STORE_TARGETS_H

#include <stddef.h>

#include "base/err.h"
#include "store/store.h"

/* One place where the database may be. All may be NULL: libpq's default. */
struct db_host {
	const char *host, *hostaddr, *port;
};

struct db_hosts {
	struct db_host *list; /* owned; at least one */
	size_t n;
	const char **keys,
		**values; /* the other keywords, ending with NULL; owned, the strings are not */
	size_t n_others;
	double connect_timeout; /* seconds, 0: none was asked for */
	char *memory[4];        /* owned: what the strings stand in */
};

/* Splits the lists of hosts and fills in the defaults (user cni, dbname ipam; with `service` none,
 * and its hosts count). CNI_INVALID_NETWORK_CONFIG where the lists do not fit together. */
int db_hosts_read(const struct param *params, size_t n, struct db_hosts *out, struct err *e);
void db_hosts_free(struct db_hosts *t);

#endif
