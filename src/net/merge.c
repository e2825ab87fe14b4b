#include "net/merge.h"

#include <stdbool.h>
#include <string.h>

#include "base/json.h"

static bool says(const cJSON *object, const char *key, const char *text)
{
	const char *value = json_string(object, key);

	return value && strcmp(value, text) == 0;
}

/* The index of the attachment's interface, -1: none. */
static int interface_of(const cJSON *interfaces, const struct cni_call *call)
{
	const cJSON *interface;
	int i = 0;

	cJSON_ArrayForEach(interface, interfaces)
	{
		if (says(interface, "name", call->ifname) &&
		    says(interface, "sandbox", call->netns))
			return i;
		i++;
	}
	return -1;
}

static bool holds(const cJSON *list, const cJSON *wanted)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, list)
	{
		if (cJSON_Compare(item, wanted, true))
			return true;
	}
	return false;
}

/* Adds copies of the items; false: no memory. */
static bool add_items(cJSON *list, const cJSON *items, bool once)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, items)
	{
		cJSON *copy;

		if (once && holds(list, item))
			continue;
		copy = cJSON_Duplicate(item, true);
		if (!copy || !cJSON_AddItemToArray(list, copy)) {
			cJSON_Delete(copy);
			return false;
		}
	}
	return true;
}

static bool add_routes(struct result *base, const cJSON *routes)
{
	if (!routes)
		return true;
	if (!base->routes)
		base->routes = cJSON_CreateArray();
	return base->routes && add_items(base->routes, routes, false);
}

/* Of the lists both, each entry once; of a single value the one that was there first. */
static bool add_dns(struct result *base, const cJSON *dns)
{
	const cJSON *value;

	if (!dns)
		return true;
	if (!base->dns)
		base->dns = cJSON_CreateObject();
	cJSON_ArrayForEach(value, dns)
	{
		cJSON *there = cJSON_GetObjectItemCaseSensitive(base->dns, value->string);

		if (cJSON_IsArray(there) && !add_items(there, value, true))
			return false;
		if (!there &&
		    !cJSON_AddItemToObject(base->dns, value->string, cJSON_Duplicate(value, true)))
			return false;
	}
	return base->dns;
}

static bool add_ips(struct result *base, const struct result *ours, int interface)
{
	for (size_t i = 0; i < ours->n_ips; i++) {
		struct result_ip ip = ours->ips[i];

		ip.interface = interface;
		if (result_add_ip(base, &ip) < 0)
			return false;
	}
	return true;
}

int merge_results(struct result *base, const struct result *ours, const struct cni_call *call,
		  const cJSON *dns, struct err *e)
{
	if (add_ips(base, ours, interface_of(base->interfaces, call)) &&
	    add_routes(base, ours->routes) && add_dns(base, dns ? dns : ours->dns))
		return 0;
	return err_set(e, CNI_IO_FAILURE, "out of memory");
}
