/* `ranges`, as the upstream host-local plugin has them: what may be asked for. */
#ifndef IPAM_RANGE_H
#define IPAM_RANGE_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "base/err.h"
#include "base/ip.h"

struct range {
	struct ip subnet, start, end; /* start and end belong to it */
	struct ip gateway;
};

struct ranges {
	struct range *list; /* owned */
	size_t n;           /* 0: anything may be asked for */
};

/* Reads `ranges` (NULL: none) with host-local's defaults and refusals: CNI_INVALID_NETWORK_CONFIG.
 */
int ranges_read(const cJSON *json, struct ranges *out, struct err *e);
void ranges_free(struct ranges *r);

/* The range that holds an address, or NULL. */
const struct range *ranges_holding(const struct ranges *r, const struct ip *ip);

#endif
