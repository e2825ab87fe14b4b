/* The database's parameters in the ipam object: libpq's keywords, and the list of hosts in them. */
#ifndef STORE_PARAMS_H
#define STORE_PARAMS_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "base/err.h"

/* One place where the database may be. NULL is libpq's default. */
struct db_host {
	const char *host, *hostaddr, *port;
};

struct db_hosts {
	struct db_host *list; /* at least one */
	size_t n;
	const char **keys, **values; /* the other keywords; both lists end with NULL */
	size_t n_others;
	double connect_timeout; /* seconds; 0: the configuration says nothing */
};

/*
 * Reads libpq's keywords from the ipam object and splits the lists of hosts. Defaults: user cni,
 * dbname ipam; with `service` none, and the service's own hosts count. CNI_INVALID_NETWORK_CONFIG
 * for a value of the wrong type, a port that is none, a password file that libpq would ignore, and
 * lists that do not fit together.
 */
int db_hosts_read(const cJSON *ipam, struct db_hosts *out, struct err *e);

#endif
