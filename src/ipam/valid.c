#include "ipam/valid.h"

#include <string.h>

#include "base/json.h"
#include "base/scope.h"

#define VALID "cni.dev/valid-attachments"
#define OLDER "cni.dev/attachments"

/* U+FFFD: what json_parse makes of \u0000. */
#define UNREADABLE "\xef\xbf\xbd"

static const cJSON *repeated_key(const cJSON *object)
{
	const cJSON *key;

	cJSON_ArrayForEach(key, object) if (json_find(object, key->string) != key) return key;
	return NULL;
}

static bool is_repeated(const cJSON *object, const char *name)
{
	const cJSON *key;
	int n = 0;

	cJSON_ArrayForEach(key, object) n += strcmp(key->string, name) == 0;
	return n > 1;
}

static int copy_string(const cJSON *entry, int at, const char *key, cJSON *to, struct err *e)
{
	const char *text = json_string(entry, key);

	if (!text)
		return err_set(e, CNI_CONFIG,
			"valid attachment %d has no string \"%s\": nothing is released", at, key);
	if (strstr(text, UNREADABLE))
		return err_set(e, CNI_CONFIG,
			"valid attachment %d: \"%s\" has a character that cannot be read: nothing "
			"is released",
			at, key);
	return cJSON_AddStringToObject(to, key, text) ? 0 : err_set(e, CNI_IO, "out of memory");
}

static int copy_entry(const cJSON *entry, int at, cJSON *list, struct err *e)
{
	cJSON *to = cJSON_CreateObject();
	const cJSON *twice = repeated_key(entry);

	if (!to || !cJSON_AddItemToArray(list, to)) {
		cJSON_Delete(to);
		return err_set(e, CNI_IO, "out of memory");
	}
	if (twice)
		return err_set(e, CNI_CONFIG,
			"valid attachment %d has \"%s\" twice: nothing is released", at,
			twice->string);
	if (copy_string(entry, at, "containerID", to, e) < 0)
		return -1;
	return copy_string(entry, at, "ifname", to, e);
}

int valid_read(const cJSON *conf, char **out, struct err *e)
{
	const char *key = json_find(conf, VALID) ? VALID : OLDER;
	const cJSON *list = json_get(conf, key), *entry;
	scoped_json cJSON *copy = cJSON_CreateArray();
	int at = 0;

	if (is_repeated(conf, key))
		return err_set(e, CNI_CONFIG, "\"%s\" is there twice: nothing is released", key);
	if (list && !cJSON_IsArray(list))
		return err_set(e, CNI_CONFIG, "\"%s\" is not a list: nothing is released", key);
	cJSON_ArrayForEach(entry, list) if (copy_entry(entry, ++at, copy, e) < 0) return -1;
	*out = cJSON_PrintUnformatted(copy);
	return *out ? 0 : err_set(e, CNI_IO, "out of memory");
}
