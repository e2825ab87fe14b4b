#include "ipam/range.h"

#include <stdlib.h>

#include "base/json.h"

#define MOST 4096 /* each is compared with all before it */

static bool holds(const struct range *r, const struct ip *ip)
{
	return ip->family == r->subnet.family && ip_in(ip, &r->subnet) &&
	       ip_compare(ip, &r->start) >= 0 && ip_compare(ip, &r->end) <= 0;
}

const struct range *ranges_holding(const struct ranges *r, const struct ip *ip)
{
	for (size_t i = 0; i < r->n; i++)
		if (holds(&r->list[i], ip))
			return &r->list[i];
	return NULL;
}

static int read_subnet(const cJSON *json, struct range *r, struct err *e)
{
	const char *text = json_string(json, "subnet");
	char shown[IP_TEXT];
	struct ip network;

	if (!text || !ip_parse(text, &r->subnet) || r->subnet.prefix < 0)
		return err_set(
			e, CNI_INVALID_NETWORK_CONFIG,
			"ipam.ranges: a range needs a subnet such as \"10.10.0.0/16\", not \"%s\"",
			text ? text : "");
	if (r->subnet.prefix > ip_bits(&r->subnet) - 2)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "ipam.ranges: network %s is too small to allocate from", text);
	network = ip_network(&r->subnet);
	if (ip_compare(&network, &r->subnet) != 0)
		return err_set(
			e, CNI_INVALID_NETWORK_CONFIG,
			"ipam.ranges: network %s has host bits set: the network address is %s",
			text, ip_text(&network, true, shown));
	return 0;
}

/* An address of the range, or what stands for it where the key is absent. */
static int read_ip(const cJSON *json, const char *key, const struct ip *otherwise, struct ip *out,
		   struct err *e)
{
	const cJSON *value = json_get(json, key);
	const char *text = json_string(json, key);

	*out = *otherwise;
	out->prefix = -1;
	if (!value || (text && !text[0]))
		return 0;
	if (!text || !ip_parse(text, out) || out->prefix >= 0)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "ipam.ranges: %s is not an IP address: \"%s\"", key,
			       text ? text : "");
	return 0;
}

/* host-local begins and ends one address inside the subnet; IPv6 has no broadcast address. */
static struct ip default_end(const struct ip *subnet)
{
	struct ip last = ip_last(subnet);

	if (last.family == 4)
		last.bytes[3]--;
	return last;
}

static int read_range(const cJSON *json, struct range *r, struct err *e)
{
	struct ip first, last;
	char a[IP_TEXT], b[IP_TEXT];

	if (!cJSON_IsObject(json))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "ipam.ranges: a range is an object with a subnet");
	if (read_subnet(json, r, e) < 0)
		return -1;
	first = ip_next(&r->subnet);
	last = default_end(&r->subnet);
	if (read_ip(json, "rangeStart", &first, &r->start, e) < 0 ||
	    read_ip(json, "rangeEnd", &last, &r->end, e) < 0 ||
	    read_ip(json, "gateway", &first, &r->gateway, e) < 0)
		return -1;
	if (r->gateway.family != r->subnet.family)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "ipam.ranges: gateway %s is of another family than %s",
			       ip_text(&r->gateway, false, a), ip_text(&r->subnet, true, b));
	if (r->start.family != r->subnet.family || !ip_in(&r->start, &r->subnet))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "ipam.ranges: rangeStart %s is not in network %s",
			       ip_text(&r->start, false, a), ip_text(&r->subnet, true, b));
	if (!holds(r, &r->end))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "ipam.ranges: rangeEnd %s is not in network %s%s",
			       ip_text(&r->end, false, a), ip_text(&r->subnet, true, b),
			       r->end.family == r->subnet.family && ip_in(&r->end, &r->subnet)
				       ? " behind rangeStart"
				       : "");
	return 0;
}

static int add_range(struct ranges *all, const struct range *r, size_t set_begins, struct err *e)
{
	struct range *list;
	char a[IP_TEXT], b[IP_TEXT];

	if (all->n == MOST)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG, "ipam.ranges: more than %d ranges",
			       MOST);
	for (size_t i = 0; i < all->n; i++) {
		const struct range *o = &all->list[i];

		if (i >= set_begins && o->subnet.family != r->subnet.family)
			return err_set(e, CNI_INVALID_NETWORK_CONFIG,
				       "ipam.ranges: %s and %s in one set: mixed address families",
				       ip_text(&o->subnet, true, a), ip_text(&r->subnet, true, b));
		if (holds(o, &r->start) || holds(o, &r->end) || holds(r, &o->start))
			return err_set(e, CNI_INVALID_NETWORK_CONFIG,
				       "ipam.ranges: %s and %s overlap",
				       ip_text(&o->subnet, true, a), ip_text(&r->subnet, true, b));
	}
	list = realloc(all->list, (all->n + 1) * sizeof(*list));
	if (!list)
		return err_set(e, CNI_IO_FAILURE, "out of memory");
	list[all->n++] = *r;
	all->list = list;
	return 0;
}

static int read_set(const cJSON *set, struct ranges *all, struct err *e)
{
	size_t begins = all->n;
	const cJSON *json;

	if (!cJSON_IsArray(set) || !set->child)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "ipam.ranges: a list of lists of ranges is needed: "
			       "[[{\"subnet\":\"10.10.0.0/16\"}]]");
	cJSON_ArrayForEach(json, set)
	{
		struct range r = { 0 };

		if (read_range(json, &r, e) < 0 || add_range(all, &r, begins, e) < 0)
			return -1;
	}
	return 0;
}

int ranges_read(const cJSON *json, struct ranges *out, struct err *e)
{
	struct ranges all = { 0 };
	const cJSON *set;

	if (json && !cJSON_IsArray(json))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG, "ipam.ranges is not a list");
	cJSON_ArrayForEach(set, json)
	{
		if (read_set(set, &all, e) < 0) {
			ranges_free(&all);
			return -1;
		}
	}
	*out = all;
	return 0;
}

void ranges_free(struct ranges *r)
{
	free(r->list);
	*r = (struct ranges){ 0 };
}
