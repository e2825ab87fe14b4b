#include <string.h>

#include "base/json.h"
#include "base/scope.h"
#include "cni/result.h"

/* Everything here returns false only without memory. */

static bool add_item(cJSON *list, cJSON *item)
{
	if (cJSON_AddItemToArray(list, item))
		return true;
	cJSON_Delete(item);
	return false;
}

static bool add_copy(cJSON *object, const char *key, const cJSON *value)
{
	cJSON *copy;

	if (!value || !value->child)
		return true;
	copy = cJSON_Duplicate(value, 1);
	if (cJSON_AddItemToObject(object, key, copy))
		return true;
	cJSON_Delete(copy);
	return false;
}

static bool add_ip(cJSON *object, const char *key, const struct ip *ip)
{
	char text[IP_TEXT];

	return ip->family == 0 || cJSON_AddStringToObject(object, key, ip_text(ip, true, text));
}

/* From 0.3.0 on; before 1.0.0 each address names its family. */
static bool add_ips(cJSON *object, const struct result *r, enum cni_version v)
{
	cJSON *list;

	if (r->n_ips == 0)
		return true;
	list = cJSON_AddArrayToObject(object, "ips");
	for (size_t i = 0; i < r->n_ips; i++) {
		const struct result_ip *ip = &r->ips[i];
		cJSON *item = cJSON_CreateObject();

		if (!add_item(list, item))
			return false;
		if (v < CNI_1_0_0 &&
		    !cJSON_AddStringToObject(item, "version", ip->address.family == 4 ? "4" : "6"))
			return false;
		if (ip->interface >= 0 &&
		    !cJSON_AddNumberToObject(item, "interface", ip->interface))
			return false;
		if (!add_ip(item, "address", &ip->address) ||
		    !add_ip(item, "gateway", &ip->gateway))
			return false;
	}
	return true;
}

/* Up to 0.2.0 a route belongs to the address of its family and is no more than dst and gw. */
static bool add_routes_of(cJSON *object, const cJSON *routes, int family)
{
	cJSON *list = NULL;
	const cJSON *route;
	struct ip dst;

	cJSON_ArrayForEach(route, routes)
	{
		const char *text = json_string(route, "dst");
		const char *gw = json_string(route, "gw");
		cJSON *item;

		if (!text || !ip_parse(text, &dst) || dst.family != family)
			continue;
		if (!list)
			list = cJSON_AddArrayToObject(object, "routes");
		item = cJSON_CreateObject();
		if (!add_item(list, item) || !cJSON_AddStringToObject(item, "dst", text))
			return false;
		if (gw && *gw && !cJSON_AddStringToObject(item, "gw", gw))
			return false;
	}
	return true;
}

/* Up to 0.2.0: "ip4" and "ip6", the first address of each family. */
static bool add_family(cJSON *object, const char *key, const struct result *r, int family)
{
	cJSON *item;
	size_t i = 0;

	while (i < r->n_ips && r->ips[i].address.family != family)
		i++;
	if (i == r->n_ips)
		return true;
	item = cJSON_AddObjectToObject(object, key);
	return add_ip(item, "ip", &r->ips[i].address) &&
	       add_ip(item, "gateway", &r->ips[i].gateway) &&
	       add_routes_of(item, r->routes, family);
}

char *result_print(const struct result *r, enum cni_version v)
{
	cleanup_json cJSON *object = cJSON_CreateObject();
	bool done;

	if (!cJSON_AddStringToObject(object, "cniVersion", cni_version_text(v)))
		return NULL;
	if (v < CNI_0_3_0)
		done = add_family(object, "ip4", r, 4) && add_family(object, "ip6", r, 6);
	else
		done = add_copy(object, "interfaces", r->interfaces) && add_ips(object, r, v) &&
		       add_copy(object, "routes", r->routes);
	if (!done || !add_copy(object, "dns", r->dns))
		return NULL;
	return cJSON_PrintUnformatted(object);
}
