/*
 * What every verb of the IPAM plugin does first: it reads the `ipam` object, sets log and deadline
 * by it, finds out who this host is, and opens the store.
 */
#include "ipam/ipam.h"

#include <string.h>

#include "base/memory.h"

#define MAX_NODE 255 /* bytes */
#define MAX_NAME 63  /* bytes of an application_name that PostgreSQL keeps */

/* ---- the keys ---- */

static const struct json_key address_keys[] = {
	{ "address", JSON_STRING },
	{ "gateway", JSON_STRING },
	{ 0 },
};

static const struct json_key range_keys[] = {
	{ "subnet", JSON_STRING },  { "rangeStart", JSON_STRING }, { "rangeEnd", JSON_STRING },
	{ "gateway", JSON_STRING }, { "exclude", JSON_STRINGS },   { 0 },
};

const struct json_key ipam_keys[] = {
	{ "type", JSON_STRING },
	{ "addresses", JSON_OBJECTS, address_keys, .answer = true },
	{ "routes", JSON_OBJECTS, route_keys, .answer = true },
	{ "dns", JSON_OBJECT, dns_keys, .answer = true },
	{ "ranges", JSON_LIST, range_keys, .answer = true },
	{ "subnet", JSON_STRING, .answer = true },
	{ "rangeStart", JSON_STRING, .answer = true },
	{ "rangeEnd", JSON_STRING, .answer = true },
	{ "gateway", JSON_STRING, .answer = true },
	{ "exclude", JSON_STRINGS, .answer = true },
	{ "statusIgnoresRanges", JSON_BOOL, .answer = true },
	{ "resolvConf", JSON_STRING, .answer = true },
	{ "dataDir", JSON_STRING, .answer = true },
	{ "node", JSON_STRING },
	{ "gcGracePeriod", JSON_NUMBER },
	{ "timeout", JSON_NUMBER },
	{ "logLevel", JSON_STRING },
	{ "logFile", JSON_STRING },
	{ .also = store_keyword },
};

static int read_string(const cJSON *ipam, const char *key, const char **out, struct err *e)
{
	const cJSON *value = json_get(ipam, key);
	const char *text = cJSON_GetStringValue(value);

	if (value && !text)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG, "\"ipam.%s\" must be a string", key);
	if (text && !*text)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG, "ipam.%s must not be empty", key);
	*out = text;
	return 0;
}

/* A number of seconds above 0 (with `zero` 0 as well) and up to `max`. */
static int read_seconds(const cJSON *ipam, const char *key, bool zero, double max, double *out,
			struct err *e)
{
	const cJSON *value = json_get(ipam, key);
	double seconds = value ? value->valuedouble : 0;

	if (!value)
		return 0;
	if (!cJSON_IsNumber(value) || !((seconds > 0 || (zero && seconds == 0)) && seconds <= max))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "ipam.%s must be a number of seconds, %s and up to %.0f", key,
			       zero ? "0 or more" : "above 0", max);
	*out = seconds;
	return 0;
}

static int read_log_level(const cJSON *ipam, enum log_level *out, struct err *e)
{
	const char *name = NULL;
	int level;

	if (read_string(ipam, "logLevel", &name, e) < 0)
		return -1;
	level = name ? log_level_of(name) : LOG_INFO;
	if (level < 0)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "ipam.logLevel must be error, warning, info or debug, not \"%s\"",
			       name);
	*out = (enum log_level)level;
	return 0;
}

/* DEL goes on without a value that it does not need, so that no typo keeps a pod from being
 * removed. */
static bool can_do_without(const struct cni_call *call, struct err *e)
{
	if (strcmp(call->command, "DEL") != 0)
		return false;
	log_line(call->log, LOG_WARNING, "%s; DEL goes on without it", e->msg);
	*e = (struct err){ 0 };
	return true;
}

static int read_own(const struct cni_call *call, const cJSON *ipam, struct ipam_conf *c,
		    struct err *e)
{
	if (read_string(ipam, "node", &c->node, e) < 0)
		return -1;
	if (c->node && strlen(c->node) > MAX_NODE)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "ipam.node must not be longer than %d bytes", MAX_NODE);
	if ((read_string(ipam, "logFile", &c->log_file, e) < 0 && !can_do_without(call, e)) ||
	    (read_log_level(ipam, &c->log_level, e) < 0 && !can_do_without(call, e)) ||
	    (read_seconds(ipam, "timeout", false, MAX_TIMEOUT, &c->timeout, e) < 0 &&
	     !can_do_without(call, e)) ||
	    (read_seconds(ipam, "gcGracePeriod", true, 1e9, &c->gc_grace, e) < 0 &&
	     !can_do_without(call, e)))
		return -1;
	return 0;
}

/* Routes and dns: parsed as a result, so that they are valid in the answer. What `dns` says is used
 * instead of what the file `resolvConf` says. */
static int read_answer(const cJSON *ipam, struct result *out, struct err *e)
{
	const char *path = json_string(ipam, "resolvConf");
	cJSON *answer = cJSON_CreateObject(), *dns = cJSON_CreateObject();
	const cJSON *item;

	if (path && path[0] && resolv_conf_read(path, &dns, e) < 0)
		return -1;
	cJSON_ArrayForEach(item, json_get(ipam, "dns")) {
		cJSON_DeleteItemFromObjectCaseSensitive(dns, item->string);
		cJSON_AddItemToObject(dns, item->string, cJSON_Duplicate(item, true));
	}
	cJSON_AddItemToObject(answer, "dns", dns);
	cJSON_AddItemToObject(answer, "routes", cJSON_Duplicate(json_get(ipam, "routes"), true));
	if (result_parse(answer, CNI_NEWEST, CNI_INVALID_NETWORK_CONFIG, out, e) < 0)
		return err_wrap(e, "ipam");
	return 0;
}

int ipam_conf_read(const struct cni_call *call, struct ipam_conf *c, struct err *e)
{
	const cJSON *ipam = json_get(call->conf, "ipam");
	bool del = strcmp(call->command, "DEL") == 0;
	bool releasing = del || strcmp(call->command, "GC") == 0;
	const struct json_rules rules = { .warn = del ? call->log : NULL,
					  .releasing = releasing,
					  .any_type = del };

	*c = (struct ipam_conf){ .ipam = ipam, .log_level = LOG_INFO };
	if (!cJSON_IsObject(ipam))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "the configuration needs an \"ipam\" object");
	if (json_check(ipam, ipam_keys, "ipam", &rules, e) < 0 || read_own(call, ipam, c, e) < 0)
		return -1;
	if (releasing)
		return 0;
	c->addresses = json_get(ipam, "addresses");
	c->status_ignores_ranges = cJSON_IsTrue(json_get(ipam, "statusIgnoresRanges"));
	if (read_answer(ipam, &c->answer, e) < 0)
		return -1;
	return ranges_read(call->conf, &c->ranges, e);
}

/* ---- opening ---- */

/* Part of the timeout is kept for cancelling and releasing, so that the answer comes within it. */
static void set_deadline(const struct cni_call *call, double timeout)
{
	double gone = (double)(monotonic_now() - call->started) / 1e9;
	double kept;

	if (timeout <= 0)
		timeout = call->default_timeout;
	kept = timeout > 4 ? RESERVE_SECONDS : timeout / 8;
	call->deadline->end = call->started + (int64_t)((timeout - kept) * 1e9);
	watch_call(call, timeout - gone + WATCHDOG_SECONDS);
}

/* What the server calls the connection. With a trace the call is found in the server's log. The
 * server replaces whatever is not printable ASCII, so the name ends before that: a container id is
 * not checked where the verb needs none. */
static const char *application_name(const struct cni_call *call)
{
	const char *name;
	size_t len = 0;

	if (!*call->trace)
		return "ipam-status-cni";
	name = mem_printf("%s %s%s%s", call->command, call->trace, *call->container ? " " : "",
			  call->container);
	while (len < MAX_NAME && name[len] >= ' ' && name[len] <= '~')
		len++;
	return mem_strndup(name, len);
}

int ipam_open(const struct cni_call *call, struct ipam *out, struct err *e)
{
	const struct ipam_setup *setup = call->setup;
	bool del = strcmp(call->command, "DEL") == 0;

	if (ipam_conf_read(call, &out->conf, e) < 0)
		return -1;
	set_deadline(call, out->conf.timeout);
	call->log->level = out->conf.log_level;
	if (out->conf.log_file)
		log_open(call->log, out->conf.log_file);
	cni_log_invoked(call);
	if (json_get(out->conf.ipam, "dataDir"))
		log_line(call->log, LOG_DEBUG, "ipam.dataDir has no meaning here");
	if (node_read(call->sys, out->conf.node, !del, &out->node, e) < 0)
		return -1;
	out->by = (struct attachment){ .network = call->network,
				       .node = &out->node,
				       .pod = call->container,
				       .interface = call->ifname };
	return setup->open_store(out->conf.ipam, application_name(call), call->log, &out->store, e);
}

void ipam_close(struct ipam *i)
{
	if (i->store.close)
		i->store.close(i->store.context);
}

/* ---- texts ---- */

const char *pod_text(const char *pod_namespace, const char *pod_name)
{
	if (!pod_name)
		return "";
	return mem_printf("pod %s%s%s", pod_namespace ? pod_namespace : "",
			  pod_namespace ? "/" : "", pod_name);
}

const char *in_brackets(const char *text)
{
	return text[0] ? mem_printf(" (%s)", text) : "";
}

/* People think in pods, and container ids are long: so the pod comes first where it is known. */
const char *holder_text(const struct allocation *row)
{
	const char *pod = pod_text(row->pod_namespace, row->pod_name);

	if (pod[0])
		return mem_printf("%s on node \"%s\" since %s (container %s, %s)", pod, row->node,
				  row->since, row->pod, row->interface);
	return mem_printf("\"%s\" (%s) on node \"%s\" since %s", row->pod, row->interface,
			  row->node, row->since);
}
