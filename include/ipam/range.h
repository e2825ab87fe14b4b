/* `ranges`, as the upstream host-local plugin has them: which addresses may be asked for. */
#ifndef IPAM_RANGE_H
#define IPAM_RANGE_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "base/err.h"
#include "base/ip.h"

/* Addresses from the first to the last one. */
struct run {
	struct ip first, last;
};

struct range {
	size_t set; /* the number of the range set that it belongs to, from 0 */
	struct ip subnet;
	struct ip start, end; /* the first and the last address */
	struct ip gateway;
	struct run *excluded; /* never picked, but may be asked for */
	size_t n_excluded;
};

struct ranges {
	struct range *list; /* in the order of the configuration */
	size_t n;           /* 0: any address may be asked for */
	size_t n_sets;
};

/*
 * Reads the range sets of a network configuration: `runtimeConfig.ipRanges`, then host-local's
 * older form of one range in the ipam object itself, then its `ranges`. Defaults are host-local's.
 * What host-local refuses, what is not within a subnet in `exclude`, and a set of more than 2^127
 * addresses are CNI_INVALID_NETWORK_CONFIG.
 */
int ranges_read(const cJSON *conf, struct ranges *out, struct err *e);

/* The subnets of a set, for messages: "10.0.0.0/24, 10.1.0.0/24". */
const char *ranges_set_text(const struct ranges *r, size_t set);

/* Addresses that no interface can have, whatever the prefix length, and why. Ends with a row
 * without `net`. */
struct forbidden {
	const char *net, *why;
};
extern const struct forbidden forbidden_addresses[];

/* The range that holds an address, or NULL. */
const struct range *ranges_holding(const struct ranges *r, const struct ip *ip);

/*
 * Completes an address and checks it. Without a prefix length (-1) it gets that of its range,
 * without a gateway (family 0) the range's. CNI_INVALID_NETWORK_CONFIG if the address lies outside
 * of the ranges, has another prefix length than its range or none, or cannot be an interface's.
 */
int address_check(const struct ranges *ranges, struct address *a, struct err *e);

/* CNI_INVALID_NETWORK_CONFIG if the gateway cannot be that of the address: it is the address
 * itself, or one that no interface can have. A gateway of family 0 is none. */
int gateway_check(const struct ip *gateway, const struct ip *ip, struct err *e);

#endif
