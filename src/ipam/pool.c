/*
 * What may be picked of a range is a list of spans: the range without what is cut out of it.
 *
 * Where a caller looks is decided by a hash of its name and nothing is remembered, so a pod that
 * comes back looks where it looked before. Its places are counted in the range as it is written,
 * and a place that is cut out is passed over for the caller's next one: so whoever adds to
 * `exclude` moves nobody who is not excluded, and callers stay spread however much is excluded.
 * (If it were moved to the span behind instead, all callers that meet a large cut would get the one
 * address behind it.)
 */
#include "ipam/pool.h"

#include <stdlib.h>

#include "base/memory.h"
#include "ipam/ipam.h"

/* So many places in a row that are cut out mean that next to nothing is left: then one of what is
 * left is taken. */
#define CUT_OUT_IN_A_ROW 1000

/* The places that are looked at one by one. */
#define SINGLE_PLACES 5

static struct ip address_of(const struct pool *p, ip_number n)
{
	struct ip ip = ip_from_number(n, p->range->subnet.family);

	ip.prefix = p->range->subnet.prefix;
	return ip;
}

/* ---- spans ---- */

/* The first span that ends at `at` or behind it; p->n where there is none. */
static size_t span_reaching(const struct pool *p, ip_number at)
{
	size_t low = 0, high = p->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (p->spans[middle].last < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool may_be_picked(const struct pool *p, ip_number at)
{
	size_t i = span_reaching(p, at);

	return i < p->n && p->spans[i].first <= at;
}

/* What is cut out of a range, in any order. */
struct cuts {
	const struct range *of;
	struct span *list;
	size_t n;
};

static void cut(struct cuts *c, const struct ip *first, const struct ip *last)
{
	if (first->family != c->of->subnet.family || ip_compare(last, &c->of->start) < 0 ||
	    ip_compare(first, &c->of->end) > 0)
		return;
	c->list = mem_grow_list(c->list, c->n, sizeof(*c->list));
	c->list[c->n++] = (struct span){ ip_to_number(first), ip_to_number(last) };
}

static int by_first(const void *a, const void *b)
{
	const struct span *one = a, *other = b;

	return (one->first > other->first) - (one->first < other->first);
}

static struct pool what_is_left(const struct cuts *c)
{
	struct pool p = { .range = c->of, .spans = mem_new((c->n + 1) * sizeof(*p.spans)) };
	ip_number begin = ip_to_number(&c->of->start), end = ip_to_number(&c->of->end);

	if (c->n > 0)
		qsort(c->list, c->n, sizeof(*c->list), by_first);
	for (size_t i = 0; i < c->n; i++) {
		if (c->list[i].first > begin)
			p.spans[p.n++] = (struct span){ begin, c->list[i].first - 1 };
		if (c->list[i].last >= end)
			return p;
		if (c->list[i].last >= begin)
			begin = c->list[i].last + 1;
	}
	p.spans[p.n++] = (struct span){ begin, end };
	return p;
}

/* IPv6 has no broadcast address; there the all-zero host part is the routers' (RFC 4291, 2.6.1). */
static struct pool pool_of(const struct range *r, const struct ranges *all,
			   const struct addresses *gateways)
{
	struct cuts cuts = { .of = r };
	struct ip network = ip_network(&r->subnet), last = ip_last(&r->subnet);

	cut(&cuts, &network, &network);
	if (last.family == 4)
		cut(&cuts, &last, &last);
	for (size_t i = 0; i < r->n_excluded; i++)
		cut(&cuts, &r->excluded[i].first, &r->excluded[i].last);
	for (size_t i = 0; i < all->n; i++)
		cut(&cuts, &all->list[i].gateway, &all->list[i].gateway);
	for (size_t i = 0; i < gateways->n; i++)
		cut(&cuts, &gateways->list[i].ip, &gateways->list[i].ip);
	for (const struct forbidden *f = forbidden_addresses; f->net; f++) {
		struct ip net;

		ip_parse(f->net, &net);
		network = ip_network(&net);
		last = ip_last(&net);
		cut(&cuts, &network, &last);
	}
	return what_is_left(&cuts);
}

struct pools pools_of(const struct ranges *r, const struct addresses *gateways)
{
	struct pools all = { .ranges = r, .list = mem_new(r->n * sizeof(*all.list)) };

	for (size_t i = 0; i < r->n; i++)
		all.list[i] = pool_of(&r->list[i], r, gateways);
	return all;
}

static ip_number pool_size(const struct pool *p)
{
	ip_number size = 0;

	for (size_t i = 0; i < p->n; i++)
		size += p->spans[i].last - p->spans[i].first + 1;
	return size;
}

ip_number pools_size(const struct pools *all, size_t set)
{
	ip_number size = 0;

	for (size_t i = 0; i < all->ranges->n; i++)
		if (all->ranges->list[i].set == set)
			size += pool_size(&all->list[i]);
	return size;
}

bool pools_hold(const struct pools *all, size_t set, const struct ip *ip)
{
	const struct range *in = ranges_holding(all->ranges, ip);

	return in && in->set == set &&
	       may_be_picked(&all->list[in - all->ranges->list], ip_to_number(ip));
}

/* ---- places ---- */

static ip_number half_of(const uint8_t *bytes)
{
	ip_number n = 0;

	for (int i = 0; i < SHA256_BYTES / 2; i++)
		n = n << 8 | bytes[i];
	return n;
}

struct sequence sequence_of(const char *interface, const char *pod_namespace, const char *pod_name,
			    const char *node, const char *container)
{
	const char *const named[] = { interface, pod_namespace ? pod_namespace : node, pod_name,
				      NULL };
	const char *const nameless[] = { interface, container, NULL };
	uint8_t hash[SHA256_BYTES];

	sha256_texts(pod_name ? named : nameless, hash);
	return (struct sequence){ half_of(hash), half_of(hash + SHA256_BYTES / 2) | 1 };
}

/* Spreads the bits of a number over all others. Without it a caller's places would be evenly far
 * from each other, and a few callers would meet one large cut each time. */
static ip_number mixed(ip_number n)
{
	static const ip_number odd = (ip_number)0x9e3779b97f4a7c15 << 64 | 0xf39cc0605cedc835;

	for (int i = 0; i < 3; i++) {
		n ^= n >> 67;
		n *= odd;
	}
	return n ^ n >> 67;
}

/* Number i, from 0, of the addresses that are left. */
static ip_number left_over(const struct pool *p, ip_number i)
{
	const struct span *s = p->spans;

	for (; i > s->last - s->first; s++)
		i -= s->last - s->first + 1;
	return s->first + i;
}

/* The caller's places k to k + n - 1. */
static void find_places(const struct pool *p, const struct sequence *s, size_t k, size_t n,
			ip_number *out)
{
	ip_number begin = ip_to_number(&p->range->start);
	ip_number size = ip_to_number(&p->range->end) - begin + 1;
	size_t cut_out = 0;

	for (ip_number at = s->start; n > 0; at += s->step) {
		ip_number found = begin + mixed(at) % size;

		if (!may_be_picked(p, found)) {
			if (++cut_out < CUT_OUT_IN_A_ROW)
				continue;
			found = left_over(p, mixed(at) % pool_size(p));
		}
		cut_out = 0;
		if (k > 0) {
			k--;
			continue;
		}
		*out++ = found;
		n--;
	}
}

/* The first pool of the set from which something may be picked; NULL: there is none. */
static const struct pool *first_pool(const struct pools *all, size_t set)
{
	for (size_t i = 0; i < all->ranges->n; i++)
		if (all->ranges->list[i].set == set && all->list[i].n > 0)
			return &all->list[i];
	return NULL;
}

bool pools_first_place(const struct pools *all, size_t set, const struct sequence *s,
		       struct ip *place_0)
{
	const struct pool *p = first_pool(all, set);
	ip_number place;

	if (!p)
		return false;
	find_places(p, s, 0, 1, &place);
	*place_0 = address_of(p, place);
	return true;
}

static void add_search(const struct pool *p, ip_number first, ip_number last, int position,
		       struct searches *out)
{
	out->list = mem_grow_list(out->list, out->n, sizeof(*out->list));
	out->list[out->n++] = (struct search){ .first = address_of(p, first),
					       .last = address_of(p, last),
					       .position = position };
}

/* All spans of the pool: from that address to the end, then from the beginning to it. */
static void add_round(const struct pool *p, ip_number begin, int position, struct searches *out)
{
	size_t in = span_reaching(p, begin);

	add_search(p, begin, p->spans[in].last, position, out);
	for (size_t i = in + 1; i < p->n + in; i++)
		add_search(p, p->spans[i % p->n].first, p->spans[i % p->n].last, position, out);
	if (p->spans[in].first < begin)
		add_search(p, p->spans[in].first, begin - 1, position, out);
}

void pools_search(const struct pools *all, size_t set, const struct sequence *s, size_t k,
		  bool singles, int position, struct searches *out)
{
	for (size_t i = 0; i < all->ranges->n; i++) {
		const struct pool *p = &all->list[i];
		ip_number places[SINGLE_PLACES];

		if (p->range->set != set || p->n == 0)
			continue;
		find_places(p, s, k, SINGLE_PLACES, places);
		for (size_t n = 0; singles && n < SINGLE_PLACES; n++)
			add_search(p, places[n], places[n], position, out);
		add_round(p, places[0], position, out);
	}
}
