/* A result independent of the protocol's version, read from and printed in the form of each.
 * (CNI specification, section 5) */
#ifndef CNI_RESULT_H
#define CNI_RESULT_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "base/err.h"
#include "base/ip.h"
#include "base/json.h"
#include "cni/cni.h"

struct result {
	struct addresses ips;
	const cJSON *interfaces; /* list of objects, or NULL */
	cJSON *routes;           /* list of objects with the fields of 1.1.0, or NULL */
	cJSON *dns;              /* object, or NULL */
};

/* The keys of a dns object and of a route: the same in results and in configurations. */
extern const struct json_key dns_keys[], route_keys[];

/*
 * Reads a result of version `v`. An address that does not parse, a prefix length that is missing, a
 * value of the wrong type, a `cniVersion` that is there and differs from v: error `code`. An
 * interface index that is out of range is kept (a negative one as a high number): the caller checks
 * it. *out is set only on success.
 */
int result_parse(const cJSON *object, enum cni_version v, enum cni_code code, struct result *out,
		 struct err *e);

/* The JSON text of the result in version `v`. Up to 0.2.0 it has one address per family and no
 * interfaces: see result_check_capacity. */
char *result_print(const struct result *r, enum cni_version v);

/* More than one address of a family, where the version has room for one:
 * CNI_INVALID_NETWORK_CONFIG. */
int result_check_capacity(const struct addresses *ips, enum cni_version v, struct err *e);

/*
 * The call's prevResult, in the version that it names (else the configuration's): what the plugins
 * before this one in the list have answered. 1: there is one; 0: there is none; -1:
 * CNI_INVALID_NETWORK_CONFIG.
 */
int prev_result(const struct cni_call *call, struct result *out, struct err *e);

#endif
