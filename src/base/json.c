#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonscan.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/utf8.h"

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Parses what json_scan let pass: only the structure can still be wrong. */
static int parse(const char *text, size_t len, bool open, cJSON **out, struct err *e)
{
	const char *end = text;
	cleanup_json cJSON *value = cJSON_ParseWithLengthOpts(text, len, &end, 0);
	size_t at = (size_t)(end - text);

	if (!value) {
		/* cJSON gives the last byte where it wanted one more. */
		return json_syntax_error(text, len, open && at + 1 == len ? len : at, e);
	}
	while (at < len && blank(text[at]))
		at++;
	if (at < len)
		return json_syntax_error(text, len, at, e);
	*out = value;
	value = NULL;
	return 0;
}

int json_parse(const char *text, size_t len, cJSON **out, struct err *e)
{
	cleanup_free char *copy = NULL;
	struct json_facts seen;
	size_t start = 0;

	while (start < len && blank(text[start]))
		start++;
	if (start == len)
		return json_syntax_error(text, len, len, e);
	if (json_scan(text, len, &seen, e) < 0)
		return -1;
	if (!seen.has_nul)
		return parse(text, len, seen.open, out, e);
	copy = malloc(len);
	if (!copy)
		return err_set(e, CNI_IO_FAILURE, "out of memory");
	memcpy(copy, text, len);
	json_replace_nul(copy, len);
	return parse(copy, len, seen.open, out, e);
}

const cJSON *json_get_raw(const cJSON *object, const char *key)
{
	const cJSON *found = NULL;
	const cJSON *child;

	if (!cJSON_IsObject(object))
		return NULL;
	cJSON_ArrayForEach(child, object)
	{
		if (strcmp(child->string, key) == 0)
			found = child;
	}
	return found;
}

const cJSON *json_get(const cJSON *object, const char *key)
{
	const cJSON *value = json_get_raw(object, key);

	return cJSON_IsNull(value) ? NULL : value;
}

const char *json_string(const cJSON *object, const char *key)
{
	return cJSON_GetStringValue(json_get_raw(object, key));
}

static bool may_be_secret(const char *key)
{
	static const char *const words[] = {
		"pas", "pwd", "secret", "token", "key", "cred", "auth"
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasestr(key, words[i]))
			return true;
	}
	return false;
}

void json_redacted(const char *key, const cJSON *value, char *buf, size_t size)
{
	cleanup_free char *text = NULL;

	if (may_be_secret(key)) {
		snprintf(buf, size, "(not shown: it may be a secret)");
	} else if (cJSON_IsObject(value) || cJSON_IsArray(value)) {
		snprintf(buf, size, cJSON_IsArray(value) ? "a list" : "an object");
	} else {
		text = cJSON_PrintUnformatted(value);
		if (snprintf(buf, size, "%s", text ? text : "?") >= (int)size)
			utf8_whole(buf, size - 1);
	}
}

static bool is_known(const struct json_keys *keys, const char *key)
{
	for (const char *const *known = keys->known; *known; known++) {
		if (strcmp(*known, key) == 0)
			return true;
	}
	return keys->also && keys->also(key);
}

/* The error's details: what could have been meant. */
static int name_known(const struct json_keys *keys, struct err *e)
{
	char list[sizeof(e->details)] = "";
	size_t len = 0;

	for (const char *const *known = keys->known; *known && len < sizeof(list); known++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", len ? ", " : "",
					*known);
	return err_details(e, "remove the key or correct its spelling; known here: %s", list);
}

int json_check_keys(const cJSON *object, const struct json_keys *keys, const char *where,
		    struct log *lenient, struct err *e)
{
	const cJSON *child;
	char value[256];

	if (!cJSON_IsObject(object))
		return 0;
	cJSON_ArrayForEach(child, object)
	{
		if (is_known(keys, child->string))
			continue;
		json_redacted(child->string, child, value, sizeof(value));
		if (!lenient) {
			err_set(e, CNI_UNSUPPORTED_FIELD, "unsupported field \"%.100s\"%s%s: %s",
				child->string, *where ? " in " : "", where, value);
			return name_known(keys, e);
		}
		log_line(lenient, LOG_WARNING,
			 "unsupported field \"%.100s\"%s%s: %s; it is passed over", child->string,
			 *where ? " in " : "", where, value);
	}
	return 0;
}
