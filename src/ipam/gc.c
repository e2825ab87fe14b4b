/*
 * DEL and GC: what they release, and what they say about it.
 *
 * GC's list of valid attachments decides which addresses stay in use. It comes from outside and may
 * be read in two ways by two JSON parsers (PostgreSQL takes the last of two equal keys, cJSON the
 * first). So the list is judged strictly and written anew: what was validated is what the database
 * gets.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "ipam/ipam.h"

#define VALID "cni.dev/valid-attachments"
#define OLDER "cni.dev/attachments"

/* U+FFFD: json_parse puts it in the place of \u0000. */
#define UNREADABLE "\xef\xbf\xbd"

/* ---- the list of valid attachments ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A key that stands twice in the object, or NULL. Sorts them, since an entry from outside may have
 * any number of keys. */
static const char *repeated_key(const cJSON *object)
{
	const char **names = mem_new((size_t)cJSON_GetArraySize(object) * sizeof(*names));
	const cJSON *key;
	size_t n = 0;

	cJSON_ArrayForEach(key, object)
		names[n++] = key->string;
	qsort(names, n, sizeof(*names), by_name);
	for (size_t i = 1; i < n; i++)
		if (strcmp(names[i - 1], names[i]) == 0)
			return names[i];
	return NULL;
}

/* The value or anything below it. (json_parse bounds how deep it is nested.) */
static bool has_unreadable(const cJSON *value)
{
	const char *text = cJSON_GetStringValue(value);
	const cJSON *child;

	if ((text && strstr(text, UNREADABLE)) ||
	    (value->string && strstr(value->string, UNREADABLE)))
		return true;
	cJSON_ArrayForEach(child, value)
		if (has_unreadable(child))
			return true;
	return false;
}

static const char *const keys[] = { "containerID", "ifname" };

/* Why the entry cannot be trusted, or NULL. */
static const char *why_invalid(const cJSON *entry)
{
	const char *twice;

	if (!cJSON_IsObject(entry))
		return "is not an object";
	if (has_unreadable(entry))
		return "has a character that cannot be read";
	twice = repeated_key(entry);
	if (twice)
		return mem_printf("has \"%s\" twice", twice);
	for (size_t i = 0; i < 2; i++)
		if (!json_string(entry, keys[i]))
			return mem_printf("has no string \"%s\"", keys[i]);
	return NULL;
}

/* Its two strings stay those of the configuration. */
static cJSON *copy_of(const cJSON *entry)
{
	cJSON *copy = cJSON_CreateObject();

	for (size_t i = 0; i < 2; i++)
		cJSON_AddItemToObjectCS(copy, keys[i],
					cJSON_CreateStringReference(json_string(entry, keys[i])));
	return copy;
}

int valid_attachments_read(const cJSON *conf, const char **out, struct err *e)
{
	const char *key = json_get_raw(conf, VALID) ? VALID : OLDER;
	const cJSON *list = json_get(conf, key), *child;
	cJSON *copy = cJSON_CreateArray();
	int at = 0, n_lists = 0;

	cJSON_ArrayForEach(child, conf)
		n_lists += strcmp(child->string, key) == 0;
	if (n_lists > 1)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "\"%s\" is there twice: nothing is released", key);
	if (list && !cJSON_IsArray(list))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "\"%s\" is not a list: nothing is released", key);
	cJSON_ArrayForEach(child, list) {
		const char *why = why_invalid(child);

		at++;
		if (why)
			return err_set(e, CNI_INVALID_NETWORK_CONFIG,
				       "valid attachment %d %s: nothing is released", at, why);
		cJSON_AddItemToArray(copy, copy_of(child));
	}
	*out = cJSON_PrintUnformatted(copy);
	return 0;
}

/* ---- the verbs ---- */

static void log_released(const struct cni_call *call, const struct released_rows *gone)
{
	bool known = cni_pod(call)[0]; /* every line names it */

	for (size_t i = 0; i < gone->n; i++) {
		const struct released *one = &gone->rows[i];

		log_line(call->log, LOG_INFO,
			 "successfully deleted the existing allocation for \"%s-%s\": %s%s",
			 one->pod ? one->pod : call->container,
			 one->interface ? one->interface : call->ifname, one->ip,
			 known ? "" : in_brackets(pod_text(one->pod_namespace, one->pod_name)));
	}
	if (gone->hides_warnings)
		log_line(call->log, LOG_WARNING,
			 "the server hides warnings (client_min_messages): nobody could tell a "
			 "release that was not replicated");
}

int ipam_del(const struct cni_call *call, struct cni_reply *out, struct err *e)
{
	cleanup_ipam struct ipam i = { 0 };
	struct released_rows gone = { 0 };
	int rc;

	(void)out;
	if (ipam_open(call, &i, e) < 0)
		return -1;
	rc = i.store.del(i.store.context, &i.by, call->deadline, &gone, e);
	log_released(call, &gone);
	if (gone.duplicate.n)
		log_line(call->log, LOG_WARNING,
			 "%zu rows of \"%s-%s\" were recorded by another machine under the name of "
			 "this one, and stay: two hosts share the name \"%s\"; give each a "
			 "\"node\" of its own",
			 gone.duplicate.n, call->container, call->ifname, i.node.name);
	return rc;
}

/* Rows that a GC of this host cannot free, and that nobody else will. */
static void warn_left(struct log *log, const struct node *node, const struct released_rows *gone)
{
	if (gone->duplicate.n)
		log_line(log, LOG_WARNING,
			 "%zu rows of this node, such as \"%s-%s\", are of another boot id but "
			 "younger than this boot or of another machine, and stay: two hosts share "
			 "the name \"%s\"; give each a \"node\" of its own (if the hardware was "
			 "replaced: sql/admin/forget-node.sh --machine)",
			 gone->duplicate.n, gone->duplicate.pod, gone->duplicate.interface,
			 node->name);
	if (gone->renamed.n)
		log_line(log, LOG_WARNING,
			 "this machine recorded %zu rows under another name, such as \"%s\", and "
			 "they stay: if no host has that name any more, sql/admin/forget-node.sh "
			 "\"%s\" releases them",
			 gone->renamed.n, gone->renamed.node, gone->renamed.node);
	if (gone->reinstalled.n)
		log_line(log, LOG_WARNING,
			 "%zu rows have the name of this host and another machine id, the youngest "
			 "is of %s, and they stay: if this host was installed anew, "
			 "sql/admin/forget-node.sh --host-id \"%s\" \"%s\" releases them",
			 gone->reinstalled.n, gone->reinstalled.since, gone->reinstalled.host_id,
			 node->name);
}

int ipam_gc(const struct cni_call *call, struct cni_reply *out, struct err *e)
{
	cleanup_ipam struct ipam i = { 0 };
	struct released_rows gone = { 0 };
	struct gc_request g = { .network = call->network, .node = &i.node };
	int rc;

	(void)out;
	if (ipam_open(call, &i, e) < 0 || valid_attachments_read(call->conf, &g.valid, e) < 0)
		return -1;
	g.grace = i.conf.gc_grace;
	rc = i.store.gc(i.store.context, &g, call->deadline, &gone, e);
	log_released(call, &gone);
	warn_left(call->log, &i.node, &gone);
	return rc;
}
