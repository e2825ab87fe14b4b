#include <limits.h>
#include <string.h>

#include "base/json.h"
#include "cni/result.h"

/* The result being read, and what its errors are. */
struct parse {
	struct result *r;
	enum cni_code code;
	struct err *e;
};

static int wrong_type(const struct parse *p, const char *key, const char *type)
{
	return err_set(p->e, p->code, "\"%s\" is not %s", key, type);
}

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

/* An address with its prefix length. */
static int parse_cidr(const struct parse *p, const cJSON *object, const char *key, struct ip *out)
{
	const char *text = json_string(object, key);

	if (!text)
		return wrong_type(p, key, "a string with an address");
	if (!ip_parse(text, out) || out->prefix < 0)
		return err_set(p->e, p->code, "invalid CIDR address in \"%s\": \"%.100s\"", key,
			       text);
	unmap_ipv4(out);
	return 0;
}

/* An address without a prefix length; absent, null and empty are none. */
static int parse_host(const struct parse *p, const cJSON *object, const char *key, struct ip *out)
{
	const cJSON *value = json_get(object, key);
	const char *text = cJSON_GetStringValue(value);

	*out = (struct ip){ .prefix = -1 };
	if (!value || (text && !*text))
		return 0;
	if (!text)
		return wrong_type(p, key, "a string with an address");
	if (!ip_parse(text, out) || out->prefix >= 0)
		return err_set(p->e, p->code, "invalid IP address in \"%s\": \"%.100s\"", key,
			       text);
	unmap_ipv4(out);
	return 0;
}

/* A list of a key, each item checked; NULL where there is none. */
static int get_list(const struct parse *p, const cJSON *object, const char *key,
		    cJSON_bool (*is)(const cJSON *), const char *type, const cJSON **out)
{
	const cJSON *list = json_get(object, key);
	const cJSON *item;

	if (list && !cJSON_IsArray(list))
		return wrong_type(p, key, type);
	cJSON_ArrayForEach(item, list)
	{
		if (!is(item))
			return wrong_type(p, key, type);
	}
	*out = list;
	return 0;
}

static int check_string(const struct parse *p, const cJSON *object, const char *key)
{
	const cJSON *value = json_get(object, key);

	return value && !cJSON_IsString(value) ? wrong_type(p, key, "a string") : 0;
}

/* Copies into an owned value; an empty list or object stays NULL. */
static int keep(const struct parse *p, const cJSON *value, cJSON **to)
{
	if (!value || !value->child)
		return 0;
	*to = cJSON_Duplicate(value, 1);
	return *to ? 0 : err_set(p->e, CNI_IO_FAILURE, "out of memory");
}

static int parse_interfaces(const struct parse *p, const cJSON *object)
{
	const cJSON *list = NULL;
	const cJSON *item;

	if (get_list(p, object, "interfaces", cJSON_IsObject, "a list of objects", &list) < 0)
		return -1;
	cJSON_ArrayForEach(item, list)
	{
		if (check_string(p, item, "name") < 0 || check_string(p, item, "mac") < 0 ||
		    check_string(p, item, "sandbox") < 0)
			return err_wrap(p->e, "interfaces");
	}
	return keep(p, list, &p->r->interfaces);
}

static bool is_whole(const cJSON *value)
{
	double v = cJSON_IsNumber(value) ? value->valuedouble : 0.5;

	return v > -1e15 && v < 1e15 && (double)(long long)v == v;
}

/* What 1.1.0 has added to a route. */
static int check_route_numbers(const struct parse *p, const cJSON *route)
{
	static const char *const keys[] = { "mtu", "advmss", "priority", "table", "scope" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const cJSON *value = json_get(route, keys[i]);

		if (value && !is_whole(value))
			return wrong_type(p, keys[i], "a whole number");
	}
	return 0;
}

static bool add_copy(cJSON *list, const cJSON *item)
{
	cJSON *copy = cJSON_Duplicate(item, 1);

	if (cJSON_AddItemToArray(list, copy))
		return true;
	cJSON_Delete(copy);
	return false;
}

/* Routes are added to those that are there: up to 0.2.0 each family has its own. */
static int parse_routes(const struct parse *p, const cJSON *object)
{
	const cJSON *list = NULL;
	const cJSON *item;
	struct ip ip;

	if (get_list(p, object, "routes", cJSON_IsObject, "a list of objects", &list) < 0)
		return -1;
	cJSON_ArrayForEach(item, list)
	{
		if (parse_cidr(p, item, "dst", &ip) < 0 || parse_host(p, item, "gw", &ip) < 0 ||
		    check_route_numbers(p, item) < 0)
			return err_wrap(p->e, "routes");
		if (!p->r->routes)
			p->r->routes = cJSON_CreateArray();
		if (!add_copy(p->r->routes, item))
			return err_set(p->e, CNI_IO_FAILURE, "out of memory");
	}
	return 0;
}

static int parse_dns(const struct parse *p, const cJSON *object)
{
	static const char *const lists[] = { "nameservers", "search", "options" };
	const cJSON *dns = json_get(object, "dns");
	const cJSON *list = NULL;

	if (dns && !cJSON_IsObject(dns))
		return wrong_type(p, "dns", "an object");
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		if (get_list(p, dns, lists[i], cJSON_IsString, "a list of strings", &list) < 0)
			return err_wrap(p->e, "dns");
	}
	if (check_string(p, dns, "domain") < 0)
		return err_wrap(p->e, "dns");
	return keep(p, dns, &p->r->dns);
}

static int add(const struct parse *p, const struct result_ip *ip)
{
	return result_add_ip(p->r, ip) < 0 ? err_set(p->e, CNI_IO_FAILURE, "out of memory") : 0;
}

/* What an index points to is for the reader of the result to judge (see result.h). */
static int parse_index(const struct parse *p, const cJSON *item, int *out)
{
	const cJSON *value = json_get(item, "interface");

	*out = -1;
	if (!value)
		return 0;
	if (!cJSON_IsNumber(value) || value->valuedouble != (double)value->valueint)
		return wrong_type(p, "interface", "a whole number");
	*out = value->valueint < 0 ? INT_MAX : value->valueint;
	return 0;
}

/* From 0.3.0 on. */
static int parse_ips(const struct parse *p, const cJSON *object)
{
	const cJSON *list = NULL;
	const cJSON *item;
	struct result_ip ip;

	if (get_list(p, object, "ips", cJSON_IsObject, "a list of objects", &list) < 0)
		return -1;
	cJSON_ArrayForEach(item, list)
	{
		if (parse_cidr(p, item, "address", &ip.address) < 0 ||
		    parse_host(p, item, "gateway", &ip.gateway) < 0 ||
		    parse_index(p, item, &ip.interface) < 0)
			return err_wrap(p->e, "ips");
		if (add(p, &ip) < 0)
			return -1;
	}
	return 0;
}

/* Up to 0.2.0: "ip4" or "ip6". */
static int parse_family(const struct parse *p, const cJSON *object, const char *key, int family)
{
	const cJSON *item = json_get(object, key);
	struct result_ip ip = { .interface = -1 };

	if (!item)
		return 0;
	if (!cJSON_IsObject(item))
		return wrong_type(p, key, "an object");
	if (parse_cidr(p, item, "ip", &ip.address) < 0 ||
	    parse_host(p, item, "gateway", &ip.gateway) < 0 || parse_routes(p, item) < 0)
		return err_wrap(p->e, "%s", key);
	if (ip.address.family != family)
		return err_set(p->e, p->code, "%s: \"%.100s\" is not of that family", key,
			       json_string(item, "ip"));
	return add(p, &ip);
}

static int check_version(const struct parse *p, const cJSON *object, enum cni_version v)
{
	const char *text = json_string(object, "cniVersion");

	if (check_string(p, object, "cniVersion") < 0)
		return -1;
	if (text && *text && strcmp(text, cni_version_text(v)) != 0)
		return err_set(p->e, p->code, "\"cniVersion\" is \"%.100s\", not \"%s\"", text,
			       cni_version_text(v));
	return 0;
}

static int parse(const struct parse *p, const cJSON *object, enum cni_version v)
{
	if (!cJSON_IsObject(object))
		return err_set(p->e, p->code, "it is not an object");
	if (check_version(p, object, v) < 0 || parse_dns(p, object) < 0)
		return -1;
	if (v < CNI_0_3_0)
		return parse_family(p, object, "ip4", 4) < 0 ? -1
							     : parse_family(p, object, "ip6", 6);
	if (parse_interfaces(p, object) < 0 || parse_ips(p, object) < 0)
		return -1;
	return parse_routes(p, object);
}

int result_parse(const cJSON *object, enum cni_version v, enum cni_code code, struct result *out,
		 struct err *e)
{
	struct result r = { 0 };
	struct parse p = { .r = &r, .code = code, .e = e };

	if (parse(&p, object, v) < 0) {
		result_free(&r);
		return -1;
	}
	*out = r;
	return 0;
}
