#include "ipam/conf.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/sys.h"

static const char *const own_keys[] = { "type", "addresses",     "routes",  "dns",      "ranges",
					"node", "gcGracePeriod", "timeout", "logLevel", "logFile",
					NULL };
static const char *const address_keys[] = { "address", "gateway", NULL };
static const char *const range_keys[] = { "subnet", "rangeStart", "rangeEnd", "gateway", NULL };
static const char *const known_route_keys[] = { "dst",      "gw",    "mtu",   "advmss",
						"priority", "table", "scope", NULL };
static const char *const known_dns_keys[] = { "nameservers", "domain", "search", "options", NULL };

static int check_list(const cJSON *list, const char *const *known, const char *where,
		      struct log *lenient, struct err *e)
{
	const struct json_keys keys = { known, NULL };
	const cJSON *item;

	cJSON_ArrayForEach(item, list)
	{
		if (cJSON_IsArray(item) && check_list(item, known, where, lenient, e) < 0)
			return -1;
		if (json_check_keys(item, &keys, where, lenient, e) < 0)
			return -1;
	}
	return 0;
}

static int check_keys(const cJSON *ipam, struct log *lenient, struct err *e)
{
	const struct json_keys keys = { own_keys, store_keyword }, dns = { known_dns_keys, NULL };

	if (json_check_keys(ipam, &keys, "ipam", lenient, e) < 0 ||
	    json_check_keys(json_get(ipam, "dns"), &dns, "ipam.dns", lenient, e) < 0)
		return -1;
	if (check_list(json_get(ipam, "addresses"), address_keys, "ipam.addresses", lenient, e) <
		    0 ||
	    check_list(json_get(ipam, "ranges"), range_keys, "ipam.ranges", lenient, e) < 0)
		return -1;
	return check_list(json_get(ipam, "routes"), known_route_keys, "ipam.routes", lenient, e);
}

/* ---- our own keys ---- */

static int read_string(const cJSON *ipam, const char *key, const char **out, struct err *e)
{
	const cJSON *value = json_get(ipam, key);

	*out = NULL;
	if (!value)
		return 0;
	if (!cJSON_IsString(value) || !value->valuestring[0])
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "ipam.%s must be a string that is not empty", key);
	*out = value->valuestring;
	return 0;
}

static int read_seconds(const cJSON *ipam, const char *key, bool zero, double most, double *out,
			struct err *e)
{
	const cJSON *value = json_get(ipam, key);

	*out = 0;
	if (!value)
		return 0;
	if (!cJSON_IsNumber(value) ||
	    !(value->valuedouble > 0 || (zero && value->valuedouble == 0)) ||
	    value->valuedouble > most)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "ipam.%s must be a number of seconds, %s and up to %.0f", key,
			       zero ? "0 or more" : "above 0", most);
	*out = value->valuedouble;
	return 0;
}

static int read_own(const cJSON *ipam, struct ipam_conf *c, struct err *e)
{
	const char *level;
	int known;

	if (read_string(ipam, "node", &c->node, e) < 0 ||
	    read_string(ipam, "logFile", &c->log_file, e) < 0 ||
	    read_string(ipam, "logLevel", &level, e) < 0)
		return -1;
	known = level ? log_level_of(level) : LOG_INFO;
	if (known < 0)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "ipam.logLevel must be error, warning, info or debug, not \"%s\"",
			       level);
	c->log_level = (enum log_level)known;
	if (c->node && strlen(c->node) > 255)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "ipam.node must not be longer than 255 bytes");
	if (read_seconds(ipam, "timeout", false, 3600, &c->timeout, e) < 0)
		return -1;
	return read_seconds(ipam, "gcGracePeriod", true, 1e9, &c->grace, e);
}

static bool add_copy(cJSON *object, const char *key, const cJSON *value)
{
	cJSON *copy = cJSON_Duplicate(value, true);

	if (!value || cJSON_AddItemToObject(object, key, copy))
		return true;
	cJSON_Delete(copy);
	return false;
}

/* Routes and dns, which the result checks, as whoever reads the answer would. */
static int read_answers(const cJSON *ipam, struct ipam_conf *c, struct err *e)
{
	cleanup_json cJSON *object = cJSON_CreateObject();

	if (!object || !add_copy(object, "routes", json_get(ipam, "routes")) ||
	    !add_copy(object, "dns", json_get(ipam, "dns")))
		return err_set(e, CNI_IO_FAILURE, "out of memory");
	if (result_parse(object, CNI_NEWEST, CNI_INVALID_NETWORK_CONFIG, &c->answers, e) < 0)
		return err_wrap(e, "ipam");
	return 0;
}

/* What a request and its result are made of. */
static int read_request(const cJSON *ipam, struct ipam_conf *c, struct err *e)
{
	c->addresses = json_get(ipam, "addresses");
	if (read_answers(ipam, c, e) < 0)
		return -1;
	return ranges_read(json_get(ipam, "ranges"), &c->ranges, e);
}

int ipam_conf_read(const struct cni_call *call, struct ipam_conf *out, struct err *e)
{
	const cJSON *ipam = json_get(call->conf, "ipam");
	bool del = strcmp(call->command, "DEL") == 0, gc = strcmp(call->command, "GC") == 0;
	struct ipam_conf c = { 0 };

	if (!cJSON_IsObject(ipam))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "the configuration needs an \"ipam\" object");
	if (check_keys(ipam, del ? call->log : NULL, e) < 0)
		return -1;
	if (read_own(ipam, &c, e) < 0 || (!del && !gc && read_request(ipam, &c, e) < 0)) {
		ipam_conf_free(&c);
		return -1;
	}
	c.ipam = ipam;
	*out = c;
	return 0;
}

void ipam_conf_free(struct ipam_conf *c)
{
	ranges_free(&c->ranges);
	result_free(&c->answers);
	*c = (struct ipam_conf){ 0 };
}
