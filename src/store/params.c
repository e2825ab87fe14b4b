/*
 * The database's parameters. libpq itself says which keywords there are, and their values go to it
 * unchanged. Only what it would accept silently is checked here: a port that is none, and a
 * password file that it would ignore.
 *
 * The lists of hosts are split here and not left to libpq, so that each host gets its share of the
 * time: libpq waits for one that hangs as long as it likes.
 */
#include "store/params.h"

#include <errno.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/memory.h"
#include "store/store.h"

bool store_keyword(const char *key)
{
	PQconninfoOption *known = PQconninfoParse("", NULL);
	bool found = false;

	for (const PQconninfoOption *o = known; o && o->keyword && !found; o++)
		found = strcmp(o->keyword, key) == 0;
	PQconninfoFree(known);
	return found;
}

/* ---- the values ---- */

struct param {
	const char *key, *value;
};

struct params {
	struct param *list;
	size_t n;
};

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

/* libpq silently ignores a password file that is missing or that others can read; we refuse it. */
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
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "ipam.passfile %s can be read by others: make it its owner's alone "
			       "(chmod 600)",
			       path);
	return 0;
}

static bool is_one_of(const char *key, const char *const *keys)
{
	while (*keys && strcmp(key, *keys) != 0)
		keys++;
	return *keys;
}

/* People write a URL or a connection string here, which may hold a password: an error that repeated
 * it, libpq's too, would show it. None of these has such characters. */
static bool is_conninfo(const char *key, const char *text)
{
	static const char *const keys[] = { "host", "hostaddr", "dbname", "service", "user", NULL };

	return is_one_of(key, keys) && (strstr(text, "://") || strpbrk(text, "= \t\n\v\f\r"));
}

/* Here people write the password or the key itself, or a line of a password file. What is not there
 * may be repeated only where it looks like a path. */
static bool is_no_path(const char *key, const char *text)
{
	static const char *const keys[] = { "passfile", "sslcert", "sslkey", NULL };

	return is_one_of(key, keys) && access(text, F_OK) < 0 &&
	       (text[0] != '/' || strpbrk(text, ":= \t\n\v\f\r"));
}

static int check_value(const char *key, const char *text, struct err *e)
{
	if (!text[0]) /* libpq's default */
		return 0;
	if (is_conninfo(key, text))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "ipam.%s is a connection string: give host, port, user, password "
			       "and dbname a key each",
			       key);
	if (is_no_path(key, text))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "ipam.%s must be the absolute path of a file", key);
	if (strcmp(key, "port") == 0 && !port_is_valid(text))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "ipam.port must be 1 to 65535, or one such number for each host, "
			       "separated by commas");
	return strcmp(key, "passfile") == 0 ? check_passfile(text, e) : 0;
}

/* The value as text, "" for null; NULL with an error. */
static const char *value_text(const cJSON *value, struct err *e)
{
	if (cJSON_IsNull(value))
		return "";
	if (cJSON_IsString(value))
		return value->valuestring;
	if (json_is_whole(value))
		return mem_printf("%lld", (long long)value->valuedouble);
	err_set(e, CNI_INVALID_NETWORK_CONFIG, "ipam.%s must be a string or a whole number",
		value->string);
	return NULL;
}

/* Of a repeated key the last value counts. So there are never more than libpq has keywords. */
static void set_param(struct params *params, const char *key, const char *value)
{
	size_t i = 0;

	while (i < params->n && strcmp(params->list[i].key, key) != 0)
		i++;
	params->list[i] = (struct param){ key, value };
	if (i == params->n)
		params->n++;
}

/* All of libpq's keywords in the object. */
static int read_params(const cJSON *ipam, struct params *out, struct err *e)
{
	const cJSON *value;

	*out = (struct params){ .list = mem_new(((size_t)cJSON_GetArraySize(ipam) + 1) *
						sizeof(*out->list)) };
	cJSON_ArrayForEach(value, ipam) {
		const char *text;

		if (!store_keyword(value->string))
			continue;
		text = value_text(value, e);
		if (!text || check_value(value->string, text, e) < 0)
			return -1;
		set_param(out, value->string, text);
	}
	return 0;
}

/* The value of a keyword. NULL where it is absent or "", which means the same to libpq. */
static const char *given(const struct params *params, const char *key)
{
	for (size_t i = 0; i < params->n; i++)
		if (strcmp(params->list[i].key, key) == 0 && params->list[i].value[0])
			return params->list[i].value;
	return NULL;
}

/* What the service file says of a keyword, NULL where it says nothing. libpq reports a service that
 * does not exist, later. */
static const char *service_says(const char *service, const char *key)
{
	PQconninfoOption *all;
	const char *value = NULL;

	setenv("PGSERVICE", service, 1);
	all = PQconndefaults();
	unsetenv("PGSERVICE");
	for (const PQconninfoOption *o = all; o && o->keyword; o++)
		if (strcmp(o->keyword, key) == 0 && o->val && o->val[0])
			value = mem_strdup(o->val);
	PQconninfoFree(all);
	return value;
}

/* ---- the list of hosts ---- */

enum { HOST, HOSTADDR, PORT, SESSION_ATTRS, LISTS };
static const char *const list_keys[LISTS] = { "host", "hostaddr", "port", "target_session_attrs" };

static void read_lists(const struct params *params, const char *lists[LISTS])
{
	const char *service = given(params, "service");

	for (int i = 0; i < LISTS; i++) {
		lists[i] = given(params, list_keys[i]);
		if (!lists[i] && service)
			lists[i] = service_says(service, list_keys[i]);
	}
}

/* How many items a list separated by commas has; none in NULL. */
static size_t count_items(const char *list)
{
	size_t n = list ? 1 : 0;

	for (const char *p = list; n && *p; p++)
		n += *p == ',';
	return n;
}

/* Takes the first item off the list at *rest. NULL: there is none left. */
static const char *next_item(const char **rest)
{
	size_t len = *rest ? strcspn(*rest, ",") : 0;
	const char *item = *rest ? mem_strndup(*rest, len) : NULL;

	if (*rest)
		*rest = (*rest)[len] ? *rest + len + 1 : NULL;
	return item;
}

static int split_hosts(const char *const lists[LISTS], struct db_hosts *t, struct err *e)
{
	size_t hosts = count_items(lists[HOST]), addrs = count_items(lists[HOSTADDR]);
	size_t ports = count_items(lists[PORT]);
	const char *rest[] = { lists[HOST], lists[HOSTADDR], lists[PORT] };

	t->n = t->configured = hosts ? hosts : addrs ? addrs : 1;
	if (hosts && addrs && hosts != addrs)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "ipam: %zu hosts, but %zu hostaddrs: give one for each", hosts,
			       addrs);
	if (ports > 1 && ports != t->n)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "ipam: %zu ports for %zu hosts: give one port, or one for each host",
			       ports, t->n);
	t->list = mem_new(t->n * sizeof(*t->list));
	for (size_t i = 0; i < t->n; i++) {
		t->list[i].host = next_item(&rest[HOST]);
		t->list[i].hostaddr = next_item(&rest[HOSTADDR]);
		t->list[i].port = ports == 1 ? lists[PORT] : next_item(&rest[PORT]);
	}
	return 0;
}

/* ---- the other keywords ---- */

static bool is_list_key(const char *key)
{
	for (int i = 0; i < LISTS; i++)
		if (strcmp(list_keys[i], key) == 0)
			return true;
	return false;
}

static void add_other(struct db_hosts *t, const char *key, const char *value)
{
	t->keys[t->n_others] = key;
	t->values[t->n_others++] = value;
}

/* Defaults come first: of a repeated keyword libpq takes the last. */
static void add_others(const struct params *params, const char *application_name,
		       struct db_hosts *t)
{
	t->keys = mem_new((params->n + 8) * sizeof(*t->keys));
	t->values = mem_new((params->n + 8) * sizeof(*t->values));
	add_other(t, "fallback_application_name", application_name);
	add_other(t, "client_encoding", "UTF8");
	if (!given(params, "service")) {
		add_other(t, "user", "cni");
		add_other(t, "dbname", "ipam");
	}
	for (size_t i = 0; i < params->n; i++)
		if (!is_list_key(params->list[i].key))
			add_other(t, params->list[i].key, params->list[i].value);
}

/* libpq uses it only in functions that wait, which are not called here: so it is checked and kept.
 */
static int read_connect_timeout(const char *text, struct db_hosts *t, struct err *e)
{
	char *end;

	if (!text)
		return 0;
	t->connect_timeout = (double)strtol(text, &end, 10);
	if (end == text || *end)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "ipam.connect_timeout must be whole seconds");
	return 0;
}

int db_hosts_read(const cJSON *ipam, const char *application_name, struct db_hosts *out,
		  struct err *e)
{
	const char *lists[LISTS];
	struct params params;

	*out = (struct db_hosts){ 0 };
	if (read_params(ipam, &params, e) < 0 ||
	    read_connect_timeout(given(&params, "connect_timeout"), out, e) < 0)
		return -1;
	read_lists(&params, lists);
	if (split_hosts(lists, out, e) < 0)
		return -1;
	add_others(&params, application_name, out);
	/* "any" is also what libpq says where a service says nothing. */
	if (lists[SESSION_ATTRS] &&
	    (given(&params, "target_session_attrs") || strcmp(lists[SESSION_ATTRS], "any") != 0))
		out->session_attrs = lists[SESSION_ATTRS];
	return 0;
}

const char *db_hosts_session_attrs(const struct db_hosts *hosts)
{
	if (hosts->session_attrs)
		return hosts->session_attrs;
	return hosts->configured > 1 || hosts->n > 1 ? "read-write" : NULL;
}
