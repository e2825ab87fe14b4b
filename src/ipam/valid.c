#include "ipam/valid.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/sys.h"

#define VALID "cni.dev/valid-attachments"
#define OLDER "cni.dev/attachments"

/* U+FFFD: what json_parse makes of \u0000. */
#define UNREADABLE "\xef\xbf\xbd"

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorts, since a list from outside may have any number of keys in an entry. */
static int check_repeated(const cJSON *object, int at, struct err *e)
{
	size_t n = 0;
	const cJSON *key;

	cleanup_free const char **names =
		malloc(((size_t)cJSON_GetArraySize(object) + 1) * sizeof(*names));
	if (!names)
		return err_set(e, CNI_IO_FAILURE, "out of memory");
	cJSON_ArrayForEach(key, object) names[n++] = key->string;
	qsort(names, n, sizeof(*names), by_name);
	for (size_t i = 1; i < n; i++)
		if (strcmp(names[i - 1], names[i]) == 0)
			return err_set(e, CNI_INVALID_NETWORK_CONFIG,
				       "valid attachment %d has \"%s\" twice: nothing is released",
				       at, names[i]);
	return 0;
}

static bool is_repeated(const cJSON *object, const char *name)
{
	const cJSON *key;
	int n = 0;

	cJSON_ArrayForEach(key, object) n += strcmp(key->string, name) == 0;
	return n > 1;
}

static bool is_unreadable(const char *text)
{
	return text && strstr(text, UNREADABLE);
}

/* In the value or in anything below it; its nesting is bounded where it was parsed. */
static bool has_unreadable(const cJSON *value)
{
	const cJSON *child;

	if (is_unreadable(cJSON_GetStringValue(value)))
		return true;
	cJSON_ArrayForEach(child, value)
	{
		if (is_unreadable(child->string) || has_unreadable(child))
			return true;
	}
	return false;
}

/* The strings stay the configuration's. */
static int copy_string(const cJSON *entry, int at, const char *key, cJSON *to, struct err *e)
{
	const char *text = json_string(entry, key);
	cJSON *copy;

	if (!text)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "valid attachment %d has no string \"%s\": nothing is released", at,
			       key);
	copy = cJSON_CreateStringReference(text);
	if (copy && cJSON_AddItemToObjectCS(to, key, copy))
		return 0;
	cJSON_Delete(copy);
	return err_set(e, CNI_IO_FAILURE, "out of memory");
}

static int copy_entry(const cJSON *entry, int at, cJSON *list, struct err *e)
{
	cJSON *to;

	if (!cJSON_IsObject(entry))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "valid attachment %d is not an object: nothing is released", at);
	if (has_unreadable(entry))
		return err_set(
			e, CNI_INVALID_NETWORK_CONFIG,
			"valid attachment %d has a character that cannot be read: nothing is "
			"released",
			at);
	if (check_repeated(entry, at, e) < 0)
		return -1;
	to = cJSON_CreateObject();
	if (!to || !cJSON_AddItemToArray(list, to)) {
		cJSON_Delete(to);
		return err_set(e, CNI_IO_FAILURE, "out of memory");
	}
	if (copy_string(entry, at, "containerID", to, e) < 0)
		return -1;
	return copy_string(entry, at, "ifname", to, e);
}

int valid_attachments_read(const cJSON *conf, char **out, struct err *e)
{
	const char *key = json_get_raw(conf, VALID) ? VALID : OLDER;
	const cJSON *list = json_get(conf, key), *entry;
	cleanup_json cJSON *copy = cJSON_CreateArray();
	int at = 0;

	if (is_repeated(conf, key))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "\"%s\" is there twice: nothing is released", key);
	if (list && !cJSON_IsArray(list))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "\"%s\" is not a list: nothing is released", key);
	cJSON_ArrayForEach(entry, list) if (copy_entry(entry, ++at, copy, e) < 0) return -1;
	*out = cJSON_PrintUnformatted(copy);
	return *out ? 0 : err_set(e, CNI_IO_FAILURE, "out of memory");
}
