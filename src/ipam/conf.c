#include "ipam/conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

/* ---- libpq's keywords ---- */

static bool port_is_valid(const char *list)
{
	const char *p = list;

	for (;;) {
		char *end;
		long port = *p >= '0' && *p <= '9' ? strtol(p, &end, 10) : 0;

		if (port < 1 || port > 65535)
			return false;
		if (*end == '\0')
			return true;
		if (*end != ',')
			return false;
		p = end + 1;
	}
}

/* libpq goes on without a password file that others can read, or that is not there. */
static int check_passfile(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG, "ipam.passfile %s: %s", path,
			       strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "ipam.passfile %s is not a plain file", path);
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		return err_set(
			e, CNI_INVALID_NETWORK_CONFIG,
			"ipam.passfile %s can be read by others: make it its owner's alone (chmod "
			"600)",
			path);
	return 0;
}

static bool is_whole(double v)
{
	return v > -1e15 && v < 1e15 && (double)(long long)v == v;
}

/* The value as text, owned by the caller; "" for null. NULL with an error. */
static char *param_text(const cJSON *value, struct err *e)
{
	char number[32];
	char *text = NULL;

	if (cJSON_IsNull(value)) {
		text = strdup("");
	} else if (cJSON_IsString(value)) {
		text = strdup(value->valuestring);
	} else if (cJSON_IsNumber(value) && is_whole(value->valuedouble)) {
		snprintf(number, sizeof(number), "%lld", (long long)value->valuedouble);
		text = strdup(number);
	} else {
		err_set(e, CNI_INVALID_NETWORK_CONFIG, "ipam.%s must be a string or a whole number",
			value->string);
		return NULL;
	}
	if (!text)
		err_set(e, CNI_IO_FAILURE, "out of memory");
	return text;
}

/* Where people put a URL or a connection string, which may hold a password: an error that repeats
 * it would tell. */
static bool is_conninfo(const char *key, const char *text)
{
	return (strstr(text, "://") || strstr(text, "password=")) &&
	       (strcmp(key, "host") == 0 || strcmp(key, "hostaddr") == 0 ||
		strcmp(key, "dbname") == 0);
}

/* Of a repeated key the last counts. So there is one for each of libpq's keywords at most. */
static void set_param(struct ipam_conf *c, const char *key, const char *value)
{
	size_t i = 0;

	while (i < c->n_params && strcmp(c->params[i].key, key) != 0)
		i++;
	if (i == c->n_params)
		c->params[c->n_params++] = (struct param){ .key = key };
	free((char *)c->params[i].value);
	c->params[i].value = value;
}

static int add_param(const cJSON *value, struct ipam_conf *c, struct err *e)
{
	char *text = param_text(value, e);

	if (!text)
		return -1;
	set_param(c, value->string, text);
	if (!text[0]) /* as in libpq: the default */
		return 0;
	if (is_conninfo(value->string, text))
		return err_set(
			e, CNI_INVALID_NETWORK_CONFIG,
			"ipam.%s is a connection string: give host, port, user, password and "
			"dbname a key each",
			value->string);
	if (strcmp(value->string, "port") == 0 && !port_is_valid(text))
		return err_set(
			e, CNI_INVALID_NETWORK_CONFIG,
			"ipam.port must be 1 to 65535, or one such number for each host, separated "
			"by commas");
	return strcmp(value->string, "passfile") == 0 ? check_passfile(text, e) : 0;
}

static int read_params(const cJSON *ipam, struct ipam_conf *c, struct err *e)
{
	const cJSON *value;

	c->params = calloc((size_t)cJSON_GetArraySize(ipam) + 1, sizeof(*c->params));
	if (!c->params)
		return err_set(e, CNI_IO_FAILURE, "out of memory");
	cJSON_ArrayForEach(value, ipam)
	{
		if (store_keyword(value->string) && add_param(value, c, e) < 0)
			return -1;
	}
	return 0;
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
	if (read_own(ipam, &c, e) < 0 || read_params(ipam, &c, e) < 0 ||
	    (!del && !gc && read_request(ipam, &c, e) < 0)) {
		ipam_conf_free(&c);
		return -1;
	}
	*out = c;
	return 0;
}

void ipam_conf_free(struct ipam_conf *c)
{
	for (size_t i = 0; i < c->n_params; i++)
		free((char *)c->params[i].value);
	free(c->params);
	ranges_free(&c->ranges);
	result_free(&c->answers);
	*c = (struct ipam_conf){ 0 };
}
