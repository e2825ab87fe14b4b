/*
 * Which addresses may be asked for: `ranges` as the upstream host-local plugin has them, with its
 * defaults and refusals, and the addresses that no interface can have.
 */
#include "ipam/range.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"

/* In one set: sums of addresses must not overflow. */
#define MOST_ADDRESSES ((ip_number)1 << 127)

#define MAX_RANGES 4096 /* whatever is looked for in them is compared with each */

/* ---- what an interface can have ---- */

const struct forbidden forbidden_addresses[] = {
	{ "0.0.0.0/32", "is the unspecified address" },
	{ "127.0.0.0/8", "is a loopback address" },
	{ "224.0.0.0/4", "is a multicast address" },
	{ "::/128", "is the unspecified address" },
	{ "::1/128", "is a loopback address" },
	{ "ff00::/8", "is a multicast address" },
	{ "::ffff:0:0/96", "is an IPv4-mapped address: write the IPv4 address" },
	{ NULL, NULL },
};

/* Why no interface can have this address, whatever its prefix length; NULL: one can. */
static const char *why_forbidden(const struct ip *ip)
{
	for (const struct forbidden *f = forbidden_addresses; f->net; f++) {
		struct ip net;

		if (ip_parse(f->net, &net) && ip_in(ip, &net))
			return f->why;
	}
	return NULL;
}

/* An IPv4 prefix up to /30 has a network and a broadcast address. */
static const char *why_reserved(const struct ip *ip)
{
	struct ip network = ip_network(ip), last = ip_last(ip);

	if (ip->family != 4 || ip->prefix > 30)
		return NULL;
	if (ip_same_host(ip, &network))
		return "is the network address of its prefix";
	return ip_same_host(ip, &last) ? "is the broadcast address of its prefix" : NULL;
}

/* Why it cannot be the gateway of an address with that prefix length; NULL: it can. It may lie
 * elsewhere, and be of the other family (RFC 5549), as host-local and static have it. */
static const char *why_no_gateway(const struct ip *gateway, const struct ip *ip)
{
	struct ip inside = *gateway;
	const char *why = why_forbidden(gateway);

	if (why || !ip_in(gateway, ip))
		return why;
	inside.prefix = ip->prefix;
	return why_reserved(&inside);
}

/* ---- the configuration ---- */

static bool range_holds(const struct range *r, const struct ip *ip)
{
	return ip->family == r->subnet.family && ip_compare(ip, &r->start) >= 0 &&
	       ip_compare(ip, &r->end) <= 0;
}

const struct range *ranges_holding(const struct ranges *r, const struct ip *ip)
{
	for (size_t i = 0; i < r->n; i++)
		if (range_holds(&r->list[i], ip))
			return &r->list[i];
	return NULL;
}

static int read_subnet(const cJSON *json, struct range *r, struct err *e)
{
	const char *text = json_string(json, "subnet");
	char shown[IP_TEXT];
	struct ip network;

	if (!text || !ip_parse(text, &r->subnet) || r->subnet.prefix < 0)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "a range needs a subnet such as \"10.10.0.0/16\", not \"%s\"",
			       text ? text : "");
	if (r->subnet.prefix > ip_bits(&r->subnet) - 2)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "network %s is too small to allocate from", text);
	network = ip_network(&r->subnet);
	if (ip_compare(&network, &r->subnet) != 0)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "network %s has host bits set: the network address is %s", text,
			       ip_text(&network, true, shown));
	return 0;
}

/* One address of the range. Where the key is absent or empty, *out stays. */
static int read_ip(const cJSON *json, const char *key, struct ip *out, struct err *e)
{
	const cJSON *value = json_get(json, key);
	const char *text = json_string(json, key);

	out->prefix = -1;
	if (!value || (text && !text[0]))
		return 0;
	if (!text || !ip_parse(text, out) || out->prefix >= 0)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG, "%s is not an IP address: \"%s\"",
			       key, text ? text : "");
	return 0;
}

/* Like host-local, a range begins and ends one address inside of its subnet, but IPv6 has no
 * broadcast address. */
static void set_defaults(struct range *r)
{
	r->start = ip_next(&r->subnet);
	r->gateway = r->start;
	r->end = ip_last(&r->subnet);
	if (r->end.family == 4)
		r->end.bytes[3]--;
}

/* An address, a prefix, or "first-last". */
static bool parse_run(const char *text, struct run *out)
{
	const char *dash = strchr(text, '-');
	struct ip network;

	if (dash)
		return ip_parse(mem_strndup(text, (size_t)(dash - text)), &out->first) &&
		       ip_parse(dash + 1, &out->last) && out->first.prefix < 0 &&
		       out->last.prefix < 0 && out->first.family == out->last.family &&
		       ip_compare(&out->first, &out->last) <= 0;
	if (!ip_parse(text, &out->first))
		return false;
	network = ip_network(&out->first);
	out->last = ip_last(&out->first);
	return ip_same_host(&out->first, &network);
}

static int read_excluded(const cJSON *list, struct range *r, struct err *e)
{
	int n = cJSON_GetArraySize(list);
	const cJSON *item;
	char subnet[IP_TEXT];

	if (list && !cJSON_IsArray(list))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG, "exclude is not a list");
	if (n > MAX_RANGES)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG, "exclude has more than %d entries",
			       MAX_RANGES);
	r->excluded = mem_new((size_t)n * sizeof(*r->excluded));
	cJSON_ArrayForEach(item, list) {
		const char *text = cJSON_GetStringValue(item);
		struct run *run = &r->excluded[r->n_excluded++];

		if (!text || !parse_run(text, run) || !ip_in(&run->first, &r->subnet) ||
		    !ip_in(&run->last, &r->subnet))
			return err_set(e, CNI_INVALID_NETWORK_CONFIG,
				       "exclude: \"%s\" is not an address, a prefix without host "
				       "bits or first-last within %s",
				       text ? text : "", ip_text(&r->subnet, true, subnet));
	}
	return 0;
}

static int check_inside(const struct range *r, const char *key, const struct ip *ip, struct err *e)
{
	char a[IP_TEXT], b[IP_TEXT];

	if (ip_in(ip, &r->subnet))
		return 0;
	return err_set(e, CNI_INVALID_NETWORK_CONFIG, "%s %s is not in network %s", key,
		       ip_text(ip, false, a), ip_text(&r->subnet, true, b));
}

static int read_range(const cJSON *json, struct range *r, struct err *e)
{
	char ip[IP_TEXT], subnet[IP_TEXT];
	const char *why;

	if (!cJSON_IsObject(json))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG, "a range is an object with a subnet");
	if (read_subnet(json, r, e) < 0)
		return -1;
	set_defaults(r);
	if (read_ip(json, "rangeStart", &r->start, e) < 0 ||
	    read_ip(json, "rangeEnd", &r->end, e) < 0 ||
	    read_ip(json, "gateway", &r->gateway, e) < 0 ||
	    check_inside(r, "rangeStart", &r->start, e) < 0 ||
	    check_inside(r, "rangeEnd", &r->end, e) < 0)
		return -1;
	ip_text(&r->subnet, true, subnet);
	if (ip_compare(&r->end, &r->start) < 0)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "rangeEnd %s is not in network %s behind rangeStart",
			       ip_text(&r->end, false, ip), subnet);
	why = why_no_gateway(&r->gateway, &r->subnet);
	if (why)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG, "gateway %s of %s %s",
			       ip_text(&r->gateway, false, ip), subnet, why);
	return read_excluded(json_get(json, "exclude"), r, e);
}

/* Adds a range to the last set, in which there is room for so many addresses more. */
static int add_range(const cJSON *json, struct ranges *all, ip_number *room, struct err *e)
{
	const struct range *before = all->n > 0 ? &all->list[all->n - 1] : NULL;
	struct range r = { .set = all->n_sets };
	char a[IP_TEXT], b[IP_TEXT];
	ip_number more;

	if (all->n == MAX_RANGES)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG, "more than %d ranges", MAX_RANGES);
	if (read_range(json, &r, e) < 0)
		return -1;
	if (before && before->set == r.set && before->subnet.family != r.subnet.family)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "%s and %s in one set: mixed address families",
			       ip_text(&before->subnet, true, a), ip_text(&r.subnet, true, b));
	more = ip_to_number(&r.end) - ip_to_number(&r.start);
	if (more >= *room)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG, "a set of more than 2^127 addresses");
	*room -= more + 1;
	all->list = mem_grow_list(all->list, all->n, sizeof(r));
	all->list[all->n++] = r;
	return 0;
}

/* A set: a list of ranges. */
static int read_set(const cJSON *set, struct ranges *all, struct err *e)
{
	ip_number room = MOST_ADDRESSES;
	const cJSON *json;

	if (!cJSON_IsArray(set) || !set->child)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "a list of lists of ranges is needed: "
			       "[[{\"subnet\":\"10.10.0.0/16\"}]]");
	cJSON_ArrayForEach(json, set) {
		if (add_range(json, all, &room, e) < 0)
			return -1;
	}
	all->n_sets++;
	return 0;
}

static int read_sets(const cJSON *json, const char *path, struct ranges *all, struct err *e)
{
	const cJSON *set;

	if (json && !cJSON_IsArray(json))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG, "%s is not a list", path);
	cJSON_ArrayForEach(set, json) {
		if (read_set(set, all, e) < 0)
			return err_wrap(e, "%s", path);
	}
	return 0;
}

/* host-local's older form: the keys of one range stand in the ipam object itself. */
static int read_older_form(const cJSON *ipam, struct ranges *all, struct err *e)
{
	static const char *const keys[] = { "rangeStart", "rangeEnd", "gateway", "exclude" };
	ip_number room = MOST_ADDRESSES;

	if (json_get(ipam, "subnet")) {
		if (add_range(ipam, all, &room, e) < 0)
			return err_wrap(e, "ipam");
		all->n_sets++;
		return 0;
	}
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		const char *text = json_string(ipam, keys[i]);

		if (json_get(ipam, keys[i]) && !(text && !text[0])) /* "" as in a range: absent */
			return err_set(e, CNI_INVALID_NETWORK_CONFIG,
				       "ipam.%s stands there without ipam.subnet", keys[i]);
	}
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct range *one = a, *other = b;

	if (one->start.family != other->start.family)
		return one->start.family - other->start.family;
	return ip_compare(&one->start, &other->start);
}

/* Of ranges in the order of their addresses, an overlap is one of two neighbours. */
static int check_overlaps(const struct ranges *all, struct err *e)
{
	struct range *sorted = mem_new(all->n * sizeof(*sorted));
	char a[IP_TEXT], b[IP_TEXT];

	for (size_t i = 0; i < all->n; i++)
		sorted[i] = all->list[i];
	qsort(sorted, all->n, sizeof(*sorted), by_start);
	for (size_t i = 1; i < all->n; i++) {
		if (range_holds(&sorted[i - 1], &sorted[i].start))
			return err_set(e, CNI_INVALID_NETWORK_CONFIG,
				       "the ranges of %s and %s overlap",
				       ip_text(&sorted[i - 1].subnet, true, a),
				       ip_text(&sorted[i].subnet, true, b));
	}
	return 0;
}

int ranges_read(const cJSON *conf, struct ranges *out, struct err *e)
{
	const cJSON *ipam = json_get(conf, "ipam");
	const cJSON *runtime = json_get(json_get(conf, "runtimeConfig"), "ipRanges");

	*out = (struct ranges){ 0 };
	if (read_sets(runtime, "runtimeConfig.ipRanges", out, e) < 0 ||
	    read_older_form(ipam, out, e) < 0 ||
	    read_sets(json_get(ipam, "ranges"), "ipam.ranges", out, e) < 0)
		return -1;
	return check_overlaps(out, e);
}

const char *ranges_set_text(const struct ranges *r, size_t set)
{
	struct strbuf all = { 0 };
	char text[IP_TEXT];

	for (size_t i = 0; i < r->n; i++)
		if (r->list[i].set == set)
			strbuf_join(&all, ", ", ip_text(&r->list[i].subnet, true, text));
	return strbuf_str(&all);
}

/* ---- a single address ---- */

int address_check(const struct ranges *ranges, struct address *a, struct err *e)
{
	const struct range *in = ranges_holding(ranges, &a->ip);
	const char *why = why_forbidden(&a->ip);
	char ip[IP_TEXT], subnet[IP_TEXT];

	ip_text(&a->ip, true, ip);
	if (why)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG, "%s %s", ip, why);
	if (ranges->n > 0 && !in)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG, "%s is outside of all ipam.ranges",
			       ip);
	if (a->ip.prefix < 0 && !in)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "%s has no prefix length: write it as %s/%d or the like, or add a "
			       "range that holds it to ipam.ranges",
			       ip, ip, a->ip.family == 4 ? 24 : 64);
	if (in && ip_same_host(&a->ip, &in->gateway))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG, "%s is the gateway of its range", ip);
	if (in && a->ip.prefix >= 0 && a->ip.prefix != in->subnet.prefix)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "%s has another prefix length than its range, which is in %s", ip,
			       ip_text(&in->subnet, true, subnet));
	if (in) {
		a->ip.prefix = in->subnet.prefix;
		if (!a->gateway.family)
			a->gateway = in->gateway;
	}
	why = why_reserved(&a->ip);
	if (why)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG, "%s %s", ip_text(&a->ip, true, ip),
			       why);
	return 0;
}

int gateway_check(const struct ip *gateway, const struct ip *ip, struct err *e)
{
	const char *why = gateway->family ? why_no_gateway(gateway, ip) : NULL;
	char a[IP_TEXT], b[IP_TEXT];

	if (gateway->family && !why && ip_same_host(gateway, ip))
		why = "is the address itself";
	if (!why)
		return 0;
	return err_set(e, CNI_INVALID_NETWORK_CONFIG, "the gateway %s of %s %s",
		       ip_text(gateway, false, a), ip_text(ip, true, b), why);
}
