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

#include <string.h>

#include "base/memory.h"
#include "ipam/sha256.h"

/* So many places in a row that are cut out mean that next to nothing is left: then one of what is
 * left is taken. */
#define CUT_OUT_IN_A_ROW 1000

/* The places that are looked at one by one. */
#define SINGLE_PLACES 5

static ip_number number_of(const struct ip *ip)
{
	ip_number n = 0;

	for (int i = 0; i < ip_bits(ip) / 8; i++)
		n = n << 8 | ip->bytes[i];
	return n;
}

static struct ip address_of(const struct pool *p, ip_number n)
{
	struct ip ip = { .family = p->range->subnet.family, .prefix = p->range->subnet.prefix };

	for (int i = ip_bits(&ip) / 8 - 1; i >= 0; i--, n >>= 8)
		ip.bytes[i] = (unsigned char)(n & 0xff);
	return ip;
}

ip_number range_size(const struct range *r)
{
	return number_of(&r->end) - number_of(&r->start) + 1;
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

/* Puts `n` spans in the place of the `gone` ones from `at` on: one more than there were at most. */
static void replace_spans(struct pool *p, size_t at, size_t gone, const struct span *new, size_t n)
{
	size_t behind = p->n - at - gone;

	p->spans = mem_grow_list(p->spans, p->n, sizeof(*p->spans));
	memmove(p->spans + at + n, p->spans + at + gone, behind * sizeof(*p->spans));
	memcpy(p->spans + at, new, n * sizeof(*p->spans));
	p->n = at + n + behind;
}

static void cut(struct pool *p, ip_number first, ip_number last)
{
	size_t from = span_reaching(p, first), to = from, n = 0;
	struct span left[2];

	while (to < p->n && p->spans[to].first <= last)
		to++;
	if (from == to)
		return;
	if (p->spans[from].first < first)
		left[n++] = (struct span){ p->spans[from].first, first - 1 };
	if (p->spans[to - 1].last > last)
		left[n++] = (struct span){ last + 1, p->spans[to - 1].last };
	replace_spans(p, from, to - from, left, n);
}

void pool_cut(struct pool *p, const struct ip *first, const struct ip *last)
{
	if (first->family == p->range->subnet.family)
		cut(p, number_of(first), number_of(last));
}

struct pool pool_of(const struct range *r)
{
	struct pool p = { .range = r, .spans = mem_new(sizeof(*p.spans)), .n = 1 };
	struct ip network = ip_network(&r->subnet), last = ip_last(&r->subnet);

	p.spans[0] = (struct span){ number_of(&r->start), number_of(&r->end) };
	pool_cut(&p, &network, &network);
	if (last.family == 4)
		pool_cut(&p, &last, &last);
	return p;
}

ip_number pool_size(const struct pool *p)
{
	ip_number size = 0;

	for (size_t i = 0; i < p->n; i++)
		size += p->spans[i].last - p->spans[i].first + 1;
	return size;
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

static ip_number place(const struct pool *p, const struct sequence *s, size_t k)
{
	ip_number size = range_size(p->range), begin = number_of(&p->range->start);
	size_t cut_out = 0;

	for (ip_number at = s->start;; at += s->step) {
		ip_number found = begin + mixed(at) % size;

		if (!may_be_picked(p, found)) {
			if (++cut_out < CUT_OUT_IN_A_ROW)
				continue;
			found = left_over(p, mixed(at) % pool_size(p));
		}
		if (k-- == 0)
			return found;
		cut_out = 0;
	}
}

struct ip pool_place(const struct pool *p, const struct sequence *s, size_t k)
{
	return address_of(p, place(p, s, k));
}

static void add_search(const struct pool *p, ip_number first, ip_number last, int position,
		       struct searches *out)
{
	out->list = mem_grow_list(out->list, out->n, sizeof(*out->list));
	out->list[out->n++] = (struct search){ .first = address_of(p, first),
					       .last = address_of(p, last),
					       .position = position };
}

void pool_search(const struct pool *p, const struct sequence *s, size_t k, int position,
		 struct searches *out)
{
	ip_number begin;
	size_t in;

	if (p->n == 0)
		return;
	for (size_t i = k; i < k + SINGLE_PLACES; i++) {
		ip_number single = place(p, s, i);

		add_search(p, single, single, position, out);
	}
	begin = place(p, s, k);
	in = span_reaching(p, begin);
	add_search(p, begin, p->spans[in].last, position, out);
	for (size_t i = in + 1; i < p->n + in; i++)
		add_search(p, p->spans[i % p->n].first, p->spans[i % p->n].last, position, out);
	if (p->spans[in].first < begin)
		add_search(p, p->spans[in].first, begin - 1, position, out);
}

const char *ip_number_text(ip_number n, char buf[IP_NUMBER_TEXT])
{
	char *at = &buf[IP_NUMBER_TEXT - 1];

	*at = '\0';
	do
		*--at = (char)('0' + (int)(n % 10));
	while (n /= 10);
	return at;
}
