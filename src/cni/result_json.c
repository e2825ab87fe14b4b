/*
 * A result as JSON: read and printed in the form of each version.
 *
 * From 0.3.0 on it is `ips`, `interfaces`, `routes`, `dns`; before 1.0.0 each address names its
 * family in `version`. Up to 0.2.0 it is `ip4` and `ip6`, one address each with its own routes.
 */
#include <limits.h>
#include <string.h>

#include "cni/result.h"

const struct json_key dns_keys[] = {
	{ "nameservers", JSON_STRINGS },
	{ "domain", JSON_STRING },
	{ "search", JSON_STRINGS },
	{ "options", JSON_STRINGS },
	{ 0 },
};

const struct json_key route_keys[] = {
	{ "dst", JSON_STRING },
	{ "gw", JSON_STRING },
	/* What 1.1.0 has added: */
	{ "mtu", JSON_WHOLE },
	{ "advmss", JSON_WHOLE },
	{ "priority", JSON_WHOLE },
	{ "table", JSON_WHOLE },
	{ "scope", JSON_WHOLE },
	{ 0 },
};

static const struct json_key interface_keys[] = {
	{ "name", JSON_STRING },
	{ "mac", JSON_STRING },
	{ "sandbox", JSON_STRING },
	{ 0 },
};

static const struct json_key ip_keys[] = {
	{ "address", JSON_STRING },
	{ "gateway", JSON_STRING },
	{ "interface", JSON_WHOLE },
	{ 0 },
};

static const struct json_key result_keys[] = {
	{ "cniVersion", JSON_STRING },    { "interfaces", JSON_OBJECTS, interface_keys },
	{ "ips", JSON_OBJECTS, ip_keys }, { "routes", JSON_OBJECTS, route_keys },
	{ "dns", JSON_OBJECT, dns_keys }, { 0 },
};

/* Up to 0.2.0. */
static const struct json_key family_keys[] = {
	{ "ip", JSON_STRING },
	{ "gateway", JSON_STRING },
	{ "routes", JSON_OBJECTS, route_keys },
	{ 0 },
};

static const struct json_key old_result_keys[] = {
	{ "cniVersion", JSON_STRING },
	{ "ip4", JSON_OBJECT, family_keys },
	{ "ip6", JSON_OBJECT, family_keys },
	{ "dns", JSON_OBJECT, dns_keys },
	{ 0 },
};

/* ---- reading ---- */

/* An empty list or object is none. */
static const cJSON *filled(const cJSON *value)
{
	return value && value->child ? value : NULL;
}

/* The result being read, and what its errors are. */
struct parse {
	struct result *r;
	enum cni_code code;
	struct err *e;
};

/* ::ffff:a.b.c.d is how some write a.b.c.d; the reference library prints it as that. */
static void unmap_ipv4(struct ip *ip)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (ip->family != 6 || memcmp(ip->bytes, mapped, sizeof(mapped)) != 0 ||
	    (ip->prefix >= 0 && ip->prefix < 96))
		return;
	memmove(ip->bytes, ip->bytes + sizeof(mapped), 4);
	memset(ip->bytes + 4, 0, 12);
	ip->family = 4;
	if (ip->prefix >= 0)
		ip->prefix -= 96;
}

/* An address with its prefix length (`cidr`), or without; then absent, null and empty are none. */
static int parse_ip(const struct parse *p, const cJSON *object, const char *key, bool cidr,
		    struct ip *out)
{
	const char *text = json_string(object, key);

	*out = (struct ip){ .prefix = -1 };
	if (!cidr && (!text || !*text))
		return 0;
	if (!text)
		return err_set(p->e, p->code, "\"%s\" must be a string with an address", key);
	if (!ip_parse(text, out) || (out->prefix >= 0) != cidr)
		return err_set(p->e, p->code, "invalid %s address in \"%s\": \"%.100s\"",
			       cidr ? "CIDR" : "IP", key, text);
	unmap_ipv4(out);
	return 0;
}

/* Routes are added to those that are there: up to 0.2.0 each family has its own. */
static int parse_routes(const struct parse *p, const cJSON *object)
{
	const cJSON *item;
	struct ip ip;

	cJSON_ArrayForEach(item, json_get(object, "routes")) {
		if (parse_ip(p, item, "dst", true, &ip) < 0 ||
		    parse_ip(p, item, "gw", false, &ip) < 0)
			return err_wrap(p->e, "routes");
		if (!p->r->routes)
			p->r->routes = cJSON_CreateArray();
		cJSON_AddItemToArray(p->r->routes, cJSON_Duplicate(item, 1));
	}
	return 0;
}

/* An index out of range is for the caller to judge (see result.h). */
static int parse_index(const struct parse *p, const cJSON *item, int *out)
{
	const cJSON *value = json_get(item, "interface");

	*out = -1;
	if (!value)
		return 0;
	if (value->valuedouble != (double)value->valueint)
		return err_set(p->e, p->code, "\"interface\" is not a whole number of 32 bits");
	*out = value->valueint < 0 ? INT_MAX : value->valueint;
	return 0;
}

/* From 0.3.0 on. */
static int parse_ips(const struct parse *p, const cJSON *object)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, json_get(object, "ips")) {
		struct address a;

		if (parse_ip(p, item, "address", true, &a.ip) < 0 ||
		    parse_ip(p, item, "gateway", false, &a.gateway) < 0 ||
		    parse_index(p, item, &a.interface) < 0)
			return err_wrap(p->e, "ips");
		addresses_add(&p->r->ips, &a);
	}
	return 0;
}

/* Up to 0.2.0: "ip4" or "ip6". */
static int parse_family(const struct parse *p, const cJSON *object, const char *key, int family)
{
	const cJSON *item = json_get(object, key);
	struct address a = { .interface = -1 };

	if (!item)
		return 0;
	if (parse_ip(p, item, "ip", true, &a.ip) < 0 ||
	    parse_ip(p, item, "gateway", false, &a.gateway) < 0 || parse_routes(p, item) < 0)
		return err_wrap(p->e, "%s", key);
	if (a.ip.family != family)
		return err_set(p->e, p->code, "%s: \"%.100s\" is not of that family", key,
			       json_string(item, "ip"));
	addresses_add(&p->r->ips, &a);
	return 0;
}

int result_parse(const cJSON *object, enum cni_version v, enum cni_code code, struct result *out,
		 struct err *e)
{
	const struct json_rules rules = { .code = code, .unknown_allowed = true };
	const char *version = json_string(object, "cniVersion");
	struct result r = { .dns = cJSON_Duplicate(filled(json_get(object, "dns")), true) };
	const struct parse p = { .r = &r, .code = code, .e = e };

	if (!cJSON_IsObject(object))
		return err_set(e, code, "it is not an object");
	if (json_check(object, v < CNI_0_3_0 ? old_result_keys : result_keys, "", &rules, e) < 0)
		return -1;
	if (version && *version && strcmp(version, cni_version_text(v)) != 0)
		return err_set(e, code, "\"cniVersion\" is \"%.100s\", not \"%s\"", version,
			       cni_version_text(v));
	if (v < CNI_0_3_0) {
		if (parse_family(&p, object, "ip4", 4) < 0 ||
		    parse_family(&p, object, "ip6", 6) < 0)
			return -1;
	} else {
		r.interfaces = filled(json_get(object, "interfaces"));
		if (parse_ips(&p, object) < 0 || parse_routes(&p, object) < 0)
			return -1;
	}
	*out = r;
	return 0;
}

/* ---- printing ---- */

static void add_copy(cJSON *object, const char *key, const cJSON *value)
{
	if (filled(value))
		cJSON_AddItemToObject(object, key, cJSON_Duplicate(value, 1));
}

static void add_ip(cJSON *object, const char *key, const struct ip *ip)
{
	char text[IP_TEXT];

	if (ip->family != 0)
		cJSON_AddStringToObject(object, key, ip_text(ip, true, text));
}

/* From 0.3.0 on. */
static void add_ips(cJSON *object, const struct addresses *ips, enum cni_version v)
{
	cJSON *list = ips->n > 0 ? cJSON_AddArrayToObject(object, "ips") : NULL;

	for (size_t i = 0; i < ips->n; i++) {
		const struct address *a = &ips->list[i];
		cJSON *item = cJSON_CreateObject();

		cJSON_AddItemToArray(list, item);
		if (v < CNI_1_0_0)
			cJSON_AddStringToObject(item, "version", a->ip.family == 4 ? "4" : "6");
		if (a->interface >= 0)
			cJSON_AddNumberToObject(item, "interface", a->interface);
		add_ip(item, "address", &a->ip);
		add_ip(item, "gateway", &a->gateway);
	}
}

/* Up to 0.2.0 a route belongs to the address of its family and is no more than dst and gw. */
static void add_routes_of(cJSON *object, const cJSON *routes, int family)
{
	cJSON *list = NULL;
	const cJSON *route;
	struct ip dst;

	cJSON_ArrayForEach(route, routes) {
		const char *text = json_string(route, "dst");
		const char *gw = json_string(route, "gw");
		cJSON *item;

		if (!text || !ip_parse(text, &dst) || dst.family != family)
			continue;
		if (!list)
			list = cJSON_AddArrayToObject(object, "routes");
		item = cJSON_CreateObject();
		cJSON_AddItemToArray(list, item);
		cJSON_AddStringToObject(item, "dst", text);
		if (gw && *gw)
			cJSON_AddStringToObject(item, "gw", gw);
	}
}

/* Up to 0.2.0: "ip4" and "ip6", the first address of each family. */
static void add_family(cJSON *object, const char *key, const struct result *r, int family)
{
	cJSON *item;
	size_t i = 0;

	while (i < r->ips.n && r->ips.list[i].ip.family != family)
		i++;
	if (i == r->ips.n)
		return;
	item = cJSON_AddObjectToObject(object, key);
	add_ip(item, "ip", &r->ips.list[i].ip);
	add_ip(item, "gateway", &r->ips.list[i].gateway);
	add_routes_of(item, r->routes, family);
}

char *result_print(const struct result *r, enum cni_version v)
{
	cJSON *object = cJSON_CreateObject();

	cJSON_AddStringToObject(object, "cniVersion", cni_version_text(v));
	if (v < CNI_0_3_0) {
		add_family(object, "ip4", r, 4);
		add_family(object, "ip6", r, 6);
	} else {
		add_copy(object, "interfaces", r->interfaces);
		add_ips(object, &r->ips, v);
		add_copy(object, "routes", r->routes);
	}
	add_copy(object, "dns", r->dns);
	return cJSON_PrintUnformatted(object);
}
