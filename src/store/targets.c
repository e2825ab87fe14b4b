#include "store/targets.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

bool store_keyword(const char *key)
{
	PQconninfoOption *known = PQconninfoParse("", NULL);
	bool found = false;

	for (const PQconninfoOption *o = known; o && o->keyword && !found; o++)
		found = strcmp(o->keyword, key) == 0;
	PQconninfoFree(known);
	return found;
}

/* "" is as good as nothing, as in libpq. */
static const char *given(const struct param *params, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(params[i].key, key) == 0 && params[i].value[0])
			return params[i].value;
	return NULL;
}

/* What the service file says of a keyword: a copy in *out, NULL where it says nothing. A service
 * that is not there is for libpq to report. */
static int service_says(const char *service, const char *key, char **out)
{
	PQconninfoOption *all;

	if (setenv("PGSERVICE", service, 1) < 0)
		return -1;
	all = PQconndefaults();
	unsetenv("PGSERVICE");
	for (const PQconninfoOption *o = all; o && o->keyword; o++)
		if (strcmp(o->keyword, key) == 0 && o->val && o->val[0])
			*out = strdup(o->val);
	PQconninfoFree(all);
	return 0;
}

/* How many items a list separated by commas has; none in NULL or "". */
static size_t count_items(const char *list)
{
	size_t n = list && list[0] ? 1 : 0;

	for (const char *p = list; n && *p; p++)
		n += *p == ',';
	return n;
}

/* Cuts the first item off the list at *rest, which it changes. */
static const char *next_item(char **rest)
{
	return *rest ? strsep(rest, ",") : NULL;
}

enum { HOST, HOSTADDR, PORT, TSA, LISTS };
static const char *const list_keys[LISTS] = { "host", "hostaddr", "port", "target_session_attrs" };

/* Copies of the lists, from the configuration or else from the service file. */
static int read_lists(const struct param *params, size_t n, struct db_hosts *t)
{
	const char *service = given(params, n, "service");

	for (int i = 0; i < LISTS; i++) {
		const char *value = given(params, n, list_keys[i]);

		if (value)
			t->memory[i] = strdup(value);
		else if (service && service_says(service, list_keys[i], &t->memory[i]) < 0)
			return -1;
		if (value && !t->memory[i])
			return -1;
	}
	return 0;
}

static int fill_list(struct db_hosts *t, struct err *e)
{
	size_t hosts = count_items(t->memory[HOST]), addrs = count_items(t->memory[HOSTADDR]);
	size_t ports = count_items(t->memory[PORT]);
	char *rest[LISTS];

	t->n = hosts ? hosts : addrs ? addrs : 1;
	if (hosts && addrs && hosts != addrs)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "ipam: %zu hosts, but %zu hostaddrs: give one for each", hosts,
			       addrs);
	if (ports > 1 && ports != t->n)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "ipam: %zu ports for %zu hosts: give one port, or one for each host",
			       ports, t->n);
	t->list = calloc(t->n, sizeof(*t->list));
	if (!t->list)
		return err_set(e, CNI_IO_FAILURE, "out of memory");
	memcpy(rest, t->memory, sizeof(rest));
	for (size_t i = 0; i < t->n; i++) {
		t->list[i].host = next_item(&rest[HOST]);
		t->list[i].hostaddr = next_item(&rest[HOSTADDR]);
		t->list[i].port = ports == 1 ? t->memory[PORT] : next_item(&rest[PORT]);
	}
	return 0;
}

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

/* All keywords but the lists, defaults first: of a repeated keyword libpq takes the last. */
static int fill_others(const struct param *params, size_t n, struct db_hosts *t, struct err *e)
{
	const char *tsa = t->memory[TSA];
	bool chosen = given(params, n, "target_session_attrs");

	t->keys = calloc(n + 8, sizeof(*t->keys));
	t->values = calloc(n + 8, sizeof(*t->values));
	if (!t->keys || !t->values)
		return err_set(e, CNI_IO_FAILURE, "out of memory");
	add_other(t, "fallback_application_name", "ipam-status-cni");
	add_other(t, "client_encoding", "UTF8");
	if (!given(params, n, "service")) {
		add_other(t, "user", "cni");
		add_other(t, "dbname", "ipam");
	}
	if (t->n > 1 && !chosen && (!tsa || strcmp(tsa, "any") == 0)) /* or a service's default */
		tsa = "read-write";
	if (tsa)
		add_other(t, "target_session_attrs", tsa);
	for (size_t i = 0; i < n; i++)
		if (!is_list_key(params[i].key))
			add_other(t, params[i].key, params[i].value);
	return 0;
}

/* Ours to keep, and so to check: libpq reads it only where it waits itself. */
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

int db_hosts_read(const struct param *params, size_t n, struct db_hosts *out, struct err *e)
{
	struct db_hosts t = { 0 };

	if (read_connect_timeout(given(params, n, "connect_timeout"), &t, e) < 0)
		return -1;
	if (read_lists(params, n, &t) < 0) {
		db_hosts_free(&t);
		return err_set(e, CNI_IO_FAILURE, "out of memory");
	}
	if (fill_list(&t, e) < 0 || fill_others(params, n, &t, e) < 0) {
		db_hosts_free(&t);
		return -1;
	}
	*out = t;
	return 0;
}

void db_hosts_free(struct db_hosts *t)
{
	free(t->list);
	free(t->keys);
	free(t->values);
	for (int i = 0; i < LISTS; i++)
		free(t->memory[i]);
	*t = (struct db_hosts){ 0 };
}
