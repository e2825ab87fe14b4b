/* A result that knows no version, and its form in each. (CNI specification, section 5) */
#ifndef CNI_RESULT_H
#define CNI_RESULT_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "base/err.h"
#include "base/ip.h"
#include "cni/version.h"

struct result_ip {
	struct ip address;
	struct ip gateway; /* family 0: none */
	int interface;     /* index into interfaces, -1: none */
};

/* All of it owned. */
struct result {
	struct result_ip *ips;
	size_t n_ips;
	cJSON *interfaces; /* list of objects, or NULL */
	cJSON *routes;     /* list of objects with the fields of 1.1.0, or NULL */
	cJSON *dns;        /* object, or NULL */
};

/*
 * Reads a result of version `v`. An address that does not parse, a prefix length that is missing, a
 * key of the wrong type, a `cniVersion` that is there and differs from v: error `code`. An index
 * into nothing stays: it is at least the number of interfaces. *out is set only on success and is
 * the caller's.
 */
int result_parse(const cJSON *object, enum cni_version v, enum cni_code code, struct result *out,
		 struct err *e);

/* The JSON text of the result in version `v`, owned by the caller; NULL only without memory. Up to
 * 0.2.0 one address per family and no interfaces: what does not fit must have been refused before.
 */
char *result_print(const struct result *r, enum cni_version v);

/* More than one address of a family, where the version has room for one:
 * CNI_INVALID_NETWORK_CONFIG. */
int result_check_capacity(const struct result *r, enum cni_version v, struct err *e);

/* Adds an address; -1 only without memory. */
int result_add_ip(struct result *r, const struct result_ip *ip);

void result_free(struct result *r);

#endif
