/*
 * Which addresses an attachment asks for.
 *
 * There are several sources, because each runtime has a way of its own, and some use two at once:
 * nerdctl sends an IPv4 address by CNI_ARGS and an IPv6 address by runtimeConfig. So for each of
 * the two families the first source that names an address of it decides. CNI_ARGS and the
 * configuration are one source.
 */
#include "ipam/ipam.h"

#include <string.h>

#include "base/json.h"
#include "base/memory.h"

#define ANNOTATIONS "io.kubernetes.cri.pod-annotations"
#define ANNOTATION "ipam-status-cni/ips"

/* A position in the table is a smallint. */
#define MAX_ADDRESSES 32767

static int too_many(struct err *e)
{
	return err_set(e, CNI_INVALID_NETWORK_CONFIG, "more than %d addresses for one attachment",
		       MAX_ADDRESSES);
}

static int add(struct addresses *all, const char *text, const char *gateway, const char *where,
	       struct err *e)
{
	struct address new = { .interface = -1 };

	if (!ip_parse(text, &new.ip))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "%s: \"%s\" is not an IP address with or without a prefix length, "
			       "such as 10.0.0.5/24",
			       where, text);
	if (gateway && gateway[0] && (!ip_parse(gateway, &new.gateway) || new.gateway.prefix >= 0))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "%s: gateway \"%s\" is not an IP address", where, gateway);
	if (all->n >= MAX_ADDRESSES)
		return too_many(e);
	addresses_add(all, &new);
	return 0;
}

static int add_text(struct addresses *all, const char *text, const char *where, struct err *e)
{
	return add(all, text, NULL, where, e);
}

/* GATEWAY goes to every address whose prefix holds it. */
static int add_gateway(struct addresses *all, const char *text, const char *where, struct err *e)
{
	struct ip gateway;

	if (!ip_parse(text, &gateway) || gateway.prefix >= 0)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "%s: \"%s\" is not an IP address without a prefix length", where,
			       text);
	for (size_t i = 0; i < all->n; i++)
		if (ip_in(&gateway, &all->list[i].ip))
			all->list[i].gateway = gateway;
	return 0;
}

/* Calls `item` for each part of a list that is separated by commas, unless the part is blank. */
static int each_part(const char *list, const char *where,
		     int (*item)(struct addresses *, const char *, const char *, struct err *),
		     struct addresses *all, struct err *e)
{
	static const char blanks[] = " \t\r\n";
	char *rest = mem_strdup(list), *part;

	while ((part = strsep(&rest, ","))) {
		size_t len;

		part += strspn(part, blanks);
		len = strlen(part);
		while (len && strchr(blanks, part[len - 1]))
			part[--len] = '\0';
		if (len && item(all, part, where, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- the sources ---- */

/* The keys of the whole configuration that name addresses. */
static const struct json_key ips_keys[] = { { "ips", JSON_STRINGS }, { 0 } };

static const struct json_key args_keys[] = {
	{ "cni", JSON_OBJECT, ips_keys },
	{ 0 },
};

static const struct json_key request_keys[] = {
	{ "capabilities", JSON_OBJECT },
	{ "runtimeConfig", JSON_OBJECT, ips_keys },
	{ "args", JSON_OBJECT, args_keys },
	{ 0 },
};

static int from_list(const cJSON *list, const char *where, struct addresses *all, struct err *e)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, list)
		if (add_text(all, item->valuestring, where, e) < 0)
			return -1;
	return 0;
}

static int from_annotation(const cJSON *conf, struct addresses *all, struct err *e)
{
	const cJSON *annotations = json_get(json_get(conf, "runtimeConfig"), ANNOTATIONS);
	const cJSON *ips = json_get(annotations, ANNOTATION);

	if (!cJSON_IsTrue(json_get(json_get(conf, "capabilities"), ANNOTATIONS)))
		return 0;
	if (annotations && !cJSON_IsObject(annotations))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG, ANNOTATIONS " is not an object");
	if (ips && !cJSON_IsString(ips))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "the pod annotation " ANNOTATION " is not a string");
	return ips ? each_part(ips->valuestring, "pod annotation " ANNOTATION, add_text, all, e)
		   : 0;
}

static int from_conf(const cJSON *list, struct addresses *all, struct err *e)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, list) {
		const char *text = json_string(item, "address");

		if (!text)
			return err_set(e, CNI_INVALID_NETWORK_CONFIG,
				       "ipam.addresses: an item has no \"address\"");
		if (add(all, text, json_string(item, "gateway"), "ipam.addresses", e) < 0)
			return -1;
	}
	return 0;
}

/* ---- what they say together ---- */

/* Equal addresses are asked for once. */
static int unite(const struct addresses *all, struct addresses *out, struct err *e)
{
	char a[IP_TEXT], b[IP_TEXT];

	for (size_t i = 0; i < all->n; i++) {
		const struct address *one = &all->list[i];
		struct address *same = addresses_find(out, &one->ip);

		if (!same)
			addresses_add(out, one);
		else if (same->ip.prefix != one->ip.prefix)
			return err_set(e, CNI_INVALID_NETWORK_CONFIG,
				       "%s and %s are one address with two prefix lengths",
				       ip_text(&same->ip, true, a), ip_text(&one->ip, true, b));
		else if (!same->gateway.family)
			same->gateway = one->gateway;
	}
	return 0;
}

/* Adds what a source says of the families that no source before it has named. */
static void add_source(struct addresses *all, const struct addresses *source)
{
	bool named[2] = { addresses_of_family(all, 4) > 0, addresses_of_family(all, 6) > 0 };

	for (size_t i = 0; i < source->n; i++)
		if (!named[source->list[i].ip.family == 6])
			addresses_add(all, &source->list[i]);
}

/* Completes and checks them. GATEWAY goes to those of the last source, which begin at `last`. */
static int check_all(const struct ranges *ranges, struct addresses *all, const char *gateway,
		     size_t last, struct err *e)
{
	struct addresses of_last = { all->n ? all->list + last : NULL, all->n - last };

	if (all->n > MAX_ADDRESSES)
		return too_many(e);
	for (size_t i = 0; i < all->n; i++)
		if (address_check(ranges, &all->list[i], e) < 0)
			return -1;
	if (gateway && each_part(gateway, "CNI_ARGS GATEWAY", add_gateway, &of_last, e) < 0)
		return -1;
	for (size_t i = 0; i < all->n; i++)
		if (gateway_check(&all->list[i].gateway, &all->list[i].ip, e) < 0)
			return -1;
	return 0;
}

int request_read(const struct cni_call *call, const struct ipam_conf *conf, struct addresses *out,
		 struct err *e)
{
	const struct json_rules rules = { .unknown_allowed = true };
	const cJSON *runtime = json_get(call->conf, "runtimeConfig");
	const cJSON *args = json_get(json_get(call->conf, "args"), "cni");
	const char *ip = cni_arg(call, "IP"), *gateway = cni_arg(call, "GATEWAY");
	struct addresses sources[4] = { 0 }, all = { 0 };
	size_t last;

	*out = (struct addresses){ 0 };
	if (cni_args_check(call, e) < 0 ||
	    json_check(call->conf, request_keys, "", &rules, e) < 0 ||
	    from_list(json_get(runtime, "ips"), "runtimeConfig.ips", &sources[0], e) < 0 ||
	    from_annotation(call->conf, &sources[1], e) < 0 ||
	    from_list(json_get(args, "ips"), "args.cni.ips", &sources[2], e) < 0 ||
	    from_conf(conf->addresses, &sources[3], e) < 0)
		return -1;
	if (sources[2].n > 0)
		ip = gateway = NULL; /* they replace CNI_ARGS (CNI conventions) */
	if (ip && each_part(ip, "CNI_ARGS IP", add_text, &sources[3], e) < 0)
		return -1;
	for (size_t i = 0; i < 3; i++)
		add_source(&all, &sources[i]);
	last = all.n;
	add_source(&all, &sources[3]);
	if (check_all(&conf->ranges, &all, gateway, last, e) < 0 || unite(&all, out, e) < 0)
		return -1;
	return result_check_capacity(out, call->version, e);
}

static int note_gateway(struct addresses *all, const char *text, const char *where, struct err *e)
{
	struct address one = { .interface = -1 };

	(void)where;
	(void)e;
	if (ip_parse(text, &one.ip))
		addresses_add(all, &one);
	return 0;
}

struct addresses request_gateways(const struct cni_call *call, const struct ipam_conf *conf)
{
	const char *in_args = cni_arg(call, "GATEWAY");
	struct addresses all = { 0 };
	const cJSON *item;

	cJSON_ArrayForEach(item, conf->addresses)
		if (json_string(item, "gateway"))
			note_gateway(&all, json_string(item, "gateway"), NULL, NULL);
	cJSON_ArrayForEach(item, conf->answer.routes)
		if (json_string(item, "gw"))
			note_gateway(&all, json_string(item, "gw"), NULL, NULL);
	if (in_args)
		each_part(in_args, NULL, note_gateway, &all, NULL);
	return all;
}
