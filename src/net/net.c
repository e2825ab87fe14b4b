/*
 * The net plugin: it runs the IPAM plugin and answers with its addresses.
 *
 * ADD checks everything that can be checked before the IPAM plugin has recorded an address: the
 * configuration, the network namespace, the prevResult. After that every failure, also that of
 * printing the answer, leads to a DEL of the IPAM plugin. The other verbs have no answer of their
 * own. With "chained" a net plugin before this one in the list has asked the IPAM plugin already.
 */
#include "net/net.h"

#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "cni/result.h"

/* ---- configuration ---- */

static bool is_protocol_key(const char *key)
{
	return strncmp(key, "cni.dev/", strlen("cni.dev/")) == 0;
}

/* What the configuration may have. The keys of `ipam` are the IPAM plugin's business. */
static const struct json_key own_keys[] = {
	{ "cniVersion", JSON_STRING },
	{ "cniVersions" },
	{ "name", JSON_STRING },
	{ "type" },
	{ "capabilities" },
	{ "runtimeConfig" },
	{ "args" },
	{ "prevResult" },
	{ "ipam", JSON_OBJECT },
	{ "ipMasq" },
	{ "deviceID" }, /* multus adds this and the next for a pod that has a device */
	{ "pciBusID" },
	{ "dns", JSON_OBJECT, dns_keys, .answer = true },
	{ "disableCheck" },
	{ "disableGC" },
	{ "loadOnlyInlinedPlugins" },
	{ "chained", JSON_BOOL },
	{ .also = is_protocol_key },
};

/* Does it say nothing? libcni sends lists that are empty. */
static bool is_empty(const cJSON *dns)
{
	const cJSON *value;

	cJSON_ArrayForEach(value, dns) {
		const char *text = cJSON_GetStringValue(value);

		if (value->child || (text && *text))
			return false;
	}
	return true;
}

static int read_ipam(const cJSON *ipam, struct net_conf *out, struct err *e)
{
	const cJSON *timeout = json_get(ipam, "timeout");

	if (!ipam)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "no \"ipam\" in the configuration: it must name the IPAM plugin in "
			       "\"type\"");
	out->type = json_string(ipam, "type");
	if (!out->type || !*out->type)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "no \"type\" in ipam: it must be the name of the IPAM plugin");
	if (cJSON_IsNumber(timeout) && timeout->valuedouble > 0 &&
	    timeout->valuedouble <= MAX_TIMEOUT)
		out->seconds = timeout->valuedouble;
	return 0;
}

int net_conf_read(const struct cni_call *call, struct net_conf *out, struct err *e)
{
	const bool releasing = strcmp(call->command, "DEL") == 0;
	const struct json_rules rules = { .warn = releasing ? call->log : NULL,
					  .releasing = releasing };
	const cJSON *dns = json_get(call->conf, "dns");

	if (json_check(call->conf, own_keys, "", &rules, e) < 0)
		return -1;
	*out = (struct net_conf){ .seconds = call->default_timeout,
				  .chained = cJSON_IsTrue(json_get(call->conf, "chained")),
				  .dns = is_empty(dns) ? NULL : dns };
	return read_ipam(json_get(call->conf, "ipam"), out, e);
}

/* ---- the network namespace ---- */

/*
 * CNI_NETNS that is the namespace of this process is a mistake of the runtime, unless
 * CNI_NETNS_OVERRIDE allows it. A CNI_NETNS that is no path to a namespace passes: nothing here
 * enters it, and the specification calls it a reference to the container's isolation domain.
 */
static int check_netns(const struct cni_call *call, struct err *e)
{
	const char *override = sys_env(call->sys, "CNI_NETNS_OVERRIDE");

	if (override && (strcmp(override, "1") == 0 || strcasecmp(override, "true") == 0))
		return 0;
	if (!same_file(call->netns, "/proc/self/ns/net"))
		return 0;
	err_set(e, CNI_INVALID_NETNS,
		"plugin's netns and netns from CNI_NETNS should not be the same");
	return err_details(e, "CNI_NETNS_OVERRIDE=1 allows it");
}

/* ---- prevResult and the IPAM plugin's result in one ---- */

static bool is_string(const cJSON *object, const char *key, const char *text)
{
	const char *value = json_string(object, key);

	return value && strcmp(value, text) == 0;
}

/* The index of the attachment's interface, -1: none. */
static int interface_of(const cJSON *interfaces, const struct cni_call *call)
{
	const cJSON *interface;
	int i = 0;

	cJSON_ArrayForEach(interface, interfaces) {
		if (is_string(interface, "name", call->ifname) &&
		    is_string(interface, "sandbox", call->netns))
			return i;
		i++;
	}
	return -1;
}

static bool has_item(const cJSON *list, const cJSON *wanted)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, list)
		if (cJSON_Compare(item, wanted, true))
			return true;
	return false;
}

static void add_routes(struct result *r, const cJSON *routes)
{
	const cJSON *route;

	if (routes && !r->routes)
		r->routes = cJSON_CreateArray();
	cJSON_ArrayForEach(route, routes) {
		cJSON_AddItemToArray(r->routes, cJSON_Duplicate(route, true));
	}
}

/* Lists are united without duplicates; of a single value the existing one wins. */
static void add_dns(struct result *r, const cJSON *dns)
{
	const cJSON *value, *item;

	if (dns && !r->dns)
		r->dns = cJSON_CreateObject();
	cJSON_ArrayForEach(value, dns) {
		cJSON *existing = cJSON_GetObjectItemCaseSensitive(r->dns, value->string);

		if (!existing)
			cJSON_AddItemToObject(r->dns, value->string, cJSON_Duplicate(value, true));
		if (!cJSON_IsArray(existing))
			continue;
		cJSON_ArrayForEach(item, value)
			if (!has_item(existing, item))
				cJSON_AddItemToArray(existing, cJSON_Duplicate(item, true));
	}
}

/* Adds the IPAM plugin's result to prevResult's, which all stays. Where one of its interfaces is
 * the attachment's, the new addresses get its index. Our own dns replaces the IPAM plugin's. */
static int merge_results(struct result *prev, const struct delegate *d,
			 const struct delegate_reply *reply, const cJSON *dns, struct err *e)
{
	int interface = interface_of(prev->interfaces, d->call);
	struct result ours;

	if (delegate_result(d->path, reply, d->call->version, &ours, e) < 0)
		return -1;
	for (size_t i = 0; i < ours.ips.n; i++) {
		ours.ips.list[i].interface = interface;
		addresses_add(&prev->ips, &ours.ips.list[i]);
	}
	add_routes(prev, ours.routes);
	add_dns(prev, dns ? dns : ours.dns);
	return result_check_capacity(&prev->ips, d->call->version, e);
}

/* ---- verbs ---- */

/* What every verb does first: from here on the configuration's timeout counts. */
static int begin(const struct cni_call *call, struct net_conf *conf, struct err *e)
{
	if (net_conf_read(call, conf, e) < 0)
		return -1;
	watch_call(call, conf->seconds + WATCHDOG_SECONDS);
	return 0;
}

static int pass_on(const struct cni_call *call, bool unless_chained, struct cni_reply *answer,
		   struct err *e)
{
	struct delegate_reply reply;
	struct delegate *d;
	struct net_conf conf;

	if (begin(call, &conf, e) < 0)
		return -1;
	if (unless_chained && conf.chained)
		return 0;
	d = delegate_find(call, conf.type, conf.seconds, e);
	if (!d || delegate_run(d, &reply, e) < 0)
		return -1;
	*answer = (struct cni_reply){ .json = reply.error, .is_error = reply.error };
	return 0;
}

int net_pass_on(const struct cni_call *call, struct cni_reply *answer, struct err *e)
{
	return pass_on(call, false, answer, e);
}

int net_pass_on_unless_chained(const struct cni_call *call, struct cni_reply *answer, struct err *e)
{
	return pass_on(call, true, answer, e);
}

/* prev_result() for an answer that contains it: containerd crashes on an interface index that is
 * out of range. */
static int prev_result_for_answer(const struct cni_call *call, struct result *prev, struct err *e)
{
	int there = prev_result(call, prev, e);
	int n = cJSON_GetArraySize(prev->interfaces);

	for (size_t i = 0; there > 0 && i < prev->ips.n; i++) {
		if (prev->ips.list[i].interface >= n)
			return err_set(e, CNI_INVALID_NETWORK_CONFIG,
				       "prevResult: the \"interface\" of ips[%zu] is out of range "
				       "(interfaces: %d)",
				       i, n);
	}
	return there;
}

/* The net plugin before us in the list has the addresses: its result is the answer. */
static int chained_add(const struct cni_call *call, struct cni_reply *answer, struct err *e)
{
	struct result prev = { 0 };
	int there = prev_result_for_answer(call, &prev, e);

	if (there < 0)
		return -1;
	if (there == 0)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "no prevResult: with \"chained\" this plugin comes behind a net "
			       "plugin in the list that has the same ipam");
	answer->json = cJSON_PrintUnformatted(json_get(call->conf, "prevResult"));
	return 0;
}

/* Reads prevResult. Without room for one more address it is refused here, before one is recorded.
 */
static int read_prev(const struct cni_call *call, struct result *prev, struct err *e)
{
	if (prev_result_for_answer(call, prev, e) < 0 ||
	    result_check_capacity(&prev->ips, call->version, e) < 0)
		return -1;
	if (call->version <= CNI_0_2_0 && prev->ips.n > 1)
		return err_set(
			e, CNI_INVALID_NETWORK_CONFIG,
			"prevResult has an address of each family: version %s has no room for more",
			cni_version_text(call->version));
	return 0;
}

/* Error 101 of our own IPAM plugin: this ADD recorded nothing, and DEL would release what the
 * attachment holds. (Codes from 100 on are each plugin's own: another's 101 is some other error.)
 */
static bool holds_others(const struct net_conf *conf, const struct delegate_reply *reply)
{
	return reply->code == CNI_ALLOCATION_MISMATCH && strcmp(conf->type, IPAM_PLUGIN) == 0;
}

/* If anything fails after the IPAM plugin was started, it is run again with DEL (CNI specification,
 * section 4), with one exception. */
static int add(struct delegate *d, const struct net_conf *conf, struct result *prev,
	       struct cni_reply *answer, struct err *e)
{
	const struct cni_call *call = d->call;
	struct delegate_reply reply = { 0 };

	if (delegate_run(d, &reply, e) == 0 && !reply.error &&
	    merge_results(prev, d, &reply, conf->dns, e) == 0) {
		*answer = (struct cni_reply){ .json = result_print(prev, call->version),
					      .rollback = delegate_rollback,
					      .context = d };
		return 0;
	}
	if (d->end && !holds_others(conf, &reply))
		delegate_rollback(d, call->log);
	*answer = (struct cni_reply){ .json = reply.error, .is_error = true };
	return reply.error ? 0 : -1;
}

int net_add(const struct cni_call *call, struct cni_reply *answer, struct err *e)
{
	struct net_conf conf;
	struct result prev = { 0 };
	struct delegate *d;

	if (begin(call, &conf, e) < 0 || check_netns(call, e) < 0)
		return -1;
	if (conf.chained)
		return chained_add(call, answer, e);
	if (read_prev(call, &prev, e) < 0)
		return -1;
	d = delegate_find(call, conf.type, conf.seconds, e);
	return d ? add(d, &conf, &prev, answer, e) : -1;
}
