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
	struct db_host *list;
	size_t n;
	size_t configured;      /* how many the configuration names; each address of a name is one
				   of the list, once it is known */
	struct names *names;    /* those that are asked for: see hosts_ask */
	struct log *log;        /* told of what cannot be used */
	char unknown_name[320]; /* why a name has no address; "" while none failed */
	const char **keys, **values; /* the other keywords; both lists end with NULL */
	size_t n_others;
	const char *session_attrs; /* NULL: nobody has chosen */
	double connect_timeout;    /* seconds; 0: the configuration says nothing */
};

/*
 * Reads libpq's keywords from the ipam object and splits the lists of hosts. Defaults: user cni,
 * dbname ipam; with `service` none, and the service's own hosts count. `application_name` counts
 * where neither gives one. CNI_INVALID_NETWORK_CONFIG for a value of the wrong type, a port that is
 * none, a connection string, what is no path where a file is meant, a password file that libpq
 * would ignore, and lists that do not fit together.
 */
int db_hosts_read(const cJSON *ipam, const char *application_name, struct db_hosts *out,
		  struct err *e);

/* What target_session_attrs is: of several hosts the one that accepts writes is meant, unless
 * somebody has chosen. NULL: libpq's default. */
const char *db_hosts_session_attrs(const struct db_hosts *hosts);

#endif
