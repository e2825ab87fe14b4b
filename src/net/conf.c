#include "net/conf.h"

#include <string.h>

#include "base/json.h"

#define LONGEST_TIMEOUT 3600

static const char *const own_keys[] = { "cniVersion",   "cniVersions",
					"name",         "type",
					"capabilities", "runtimeConfig",
					"args",         "prevResult",
					"ipam",         "ipMasq",
					"dns",          "disableCheck",
					"disableGC",    "loadOnlyInlinedPlugins",
					"chained",      NULL };

static const char *const dns_keys[] = { "nameservers", "domain", "search", "options", NULL };

static bool is_protocol_key(const char *key)
{
	return strncmp(key, "cni.dev/", strlen("cni.dev/")) == 0;
}

static int check_keys(const struct cni_call *call, struct log *lenient, struct err *e)
{
	const struct json_keys own = { own_keys, is_protocol_key };
	const struct json_keys dns = { dns_keys, NULL };

	if (json_check_keys(call->conf, &own, "", lenient, e) < 0)
		return -1;
	return json_check_keys(json_get(call->conf, "dns"), &dns, "dns", lenient, e);
}

static bool is_list_of_strings(const cJSON *value)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, value)
	{
		if (!cJSON_IsString(item))
			return false;
	}
	return cJSON_IsArray(value);
}

static int read_dns(const cJSON *dns, struct net_conf *out, struct err *e)
{
	static const char *const lists[] = { "nameservers", "search", "options", NULL };
	const cJSON *domain = json_get(dns, "domain");

	if (dns && !cJSON_IsObject(dns))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG, "\"dns\" must be an object");
	if (domain && !cJSON_IsString(domain))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG, "\"domain\" in dns must be a string");
	for (const char *const *key = lists; *key; key++) {
		const cJSON *list = json_get(dns, *key);

		if (list && !is_list_of_strings(list))
			return err_set(e, CNI_INVALID_NETWORK_CONFIG,
				       "\"%s\" in dns must be a list of strings", *key);
	}
	out->dns = dns && dns->child ? dns : NULL;
	return 0;
}

static int read_ipam(const cJSON *ipam, struct net_conf *out, struct err *e)
{
	const cJSON *timeout = json_get(ipam, "timeout");

	if (!ipam)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "no \"ipam\" in the configuration: it must name the IPAM plugin in "
			       "\"type\"");
	if (!cJSON_IsObject(ipam))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG, "\"ipam\" must be an object");
	out->type = json_string(ipam, "type");
	if (!out->type || !*out->type)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "no \"type\" in ipam: it must be the name of the IPAM plugin");
	if (cJSON_IsNumber(timeout) && timeout->valuedouble > 0 &&
	    timeout->valuedouble <= LONGEST_TIMEOUT)
		out->timeout = timeout->valuedouble;
	return 0;
}

int net_conf_read(const struct cni_call *call, struct net_conf *out, struct err *e)
{
	bool releasing = strcmp(call->command, "DEL") == 0;
	const cJSON *chained = json_get(call->conf, "chained");

	*out = (struct net_conf){ 0 };
	if (check_keys(call, releasing ? call->log : NULL, e) < 0)
		return -1;
	if (chained && !cJSON_IsBool(chained))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG, "\"chained\" must be true or false");
	out->chained = cJSON_IsTrue(chained);
	/* What an answer would say must not keep a pod from being removed. */
	if (!releasing && read_dns(json_get(call->conf, "dns"), out, e) < 0)
		return -1;
	return read_ipam(json_get(call->conf, "ipam"), out, e);
}
