/* What of a range may be picked, and where a caller looks for a free address in it. */
#ifndef IPAM_POOL_H
#define IPAM_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include "ipam/range.h"

/* An address as a number: IPv4 below 2^32. */
__extension__ typedef unsigned __int128 ip_number;

struct span {
	ip_number first, last; /* both belong to it */
};

struct pool {
	const struct range *range; /* as it is written */
	struct span *spans;        /* what is left of it, ascending, with gaps between them */
	size_t n;                  /* 0: nothing may be picked */
};

/* A caller's sequence of places: place i of a range comes from `start` + i times `step`, and from
 * the number of addresses of the range as it is written. */
struct sequence {
	ip_number start, step;
};

/* Addresses in which a free one is looked for. */
struct search {
	struct ip first, last; /* with the prefix length of their range */
	int position;          /* of the set: where the address is to be recorded */
};

struct searches {
	struct search *list;
	size_t n;
};

/* The number of addresses of a range as it is written; 0 stands for 2^128. */
ip_number range_size(const struct range *r);

/* The whole range, without the network and the broadcast address of its subnet. IPv6 has no
 * broadcast address; there the all-zero host part is the routers' (RFC 4291, 2.6.1). The range
 * has less than 2^128 addresses. */
struct pool pool_of(const struct range *r);

/* Takes the addresses from `first` to `last` out of the pool; those of another family are none. */
void pool_cut(struct pool *p, const struct ip *first, const struct ip *last);

ip_number pool_size(const struct pool *p);

/* Who asks decides where the search begins: the interface with the pod's namespace and name;
 * without a namespace with the node and the name; without a name with the container. */
struct sequence sequence_of(const char *interface, const char *pod_namespace, const char *pod_name,
			    const char *node, const char *container);

/* Place k of the caller in a pool that is not empty, with the prefix length of the range. */
struct ip pool_place(const struct pool *p, const struct sequence *s, size_t k);

/*
 * Adds where to look in the pool, in this order: the places k to k + 4 one by one, then everything,
 * from place k up and round. The single places are against runs of addresses that were given one
 * after the other.
 */
void pool_search(const struct pool *p, const struct sequence *s, size_t k, int position,
		 struct searches *out);

/* The decimal number. */
#define IP_NUMBER_TEXT 40
const char *ip_number_text(ip_number n, char buf[IP_NUMBER_TEXT]);

#endif
