/* What of the ranges may be picked, and where a caller looks for a free address in it. */
#ifndef IPAM_POOL_H
#define IPAM_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include "ipam/range.h"
#include "store/store.h"

struct span {
	ip_number first, last; /* both belong to it */
};

/* What of a range may be picked. */
struct pool {
	const struct range *range; /* as it is written */
	struct span *spans;        /* what is left of it, ascending, with gaps between them */
	size_t n;                  /* 0: nothing may be picked */
};

struct pools {
	const struct ranges *ranges;
	struct pool *list; /* one of each range */
};

/* The ranges without what is never picked: network and broadcast address of a range's own subnet,
 * the gateways of all ranges and these, what is excluded, and what no interface can have. */
struct pools pools_of(const struct ranges *r, const struct addresses *gateways);

/* How many addresses of a set may be picked. */
ip_number pools_size(const struct pools *all, size_t set);

/* May this address be picked from the set? */
bool pools_hold(const struct pools *all, size_t set, const struct ip *ip);

/* A caller's sequence of places: place i of a range is `start` + i * `step` with its bits mixed,
 * modulo the number of addresses of the range as it is written. */
struct sequence {
	ip_number start, step;
};

/* Who asks decides where the search begins: the interface with the pod's namespace and name;
 * without a namespace with the node and the name; without a name with the container. */
struct sequence sequence_of(const char *interface, const char *pod_namespace, const char *pod_name,
			    const char *node, const char *container);

/* Place 0 of the caller, with the prefix length of its range. False: nothing of the set may be
 * picked. */
bool pools_first_place(const struct pools *all, size_t set, const struct sequence *s,
		       struct ip *place_0);

/*
 * Adds where to look in a set, one range after the other, and in each of them everything, from
 * place k up and round. With `singles` the places k to k + 4 come before that, one by one: they are
 * against runs of addresses that were given one after the other. `position` is the address's in the
 * reservation.
 */
void pools_search(const struct pools *all, size_t set, const struct sequence *s, size_t k,
		  bool singles, int position, struct searches *out);

#endif
