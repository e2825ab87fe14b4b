/*
 * JSON as this program wants it.
 *
 * cJSON is lenient: it accepts numbers such as 01, control characters as blanks, invalid UTF-8, and
 * it ends a string at \u0000. Names of networks and containers decide who owns an address, so a
 * text is first scanned for what RFC 8259 forbids, and cJSON then only finds its structure. Below
 * that is the walker that holds an object against a table of keys.
 */
#include "base/json.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"

/* ---- parsing ---- */

struct scan {
	const char *at, *end;
	size_t depth;
	bool has_nul; /* there is a \u0000 */
};

static char look(const struct scan *s, ptrdiff_t ahead)
{
	if (ahead >= s->end - s->at)
		return '\0';
	return s->at[ahead];
}

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Passes over digits; false where there is none. */
static bool digits(struct scan *s)
{
	const char *first = s->at;

	while (digit(look(s, 0)))
		s->at++;
	return s->at > first;
}

static bool scan_number(struct scan *s)
{
	s->at += *s->at == '-';
	if (look(s, 0) == '0' && digit(look(s, 1))) {
		s->at++;
		return false;
	}
	if (!digits(s))
		return false;
	if (look(s, 0) == '.') {
		s->at++;
		if (!digits(s))
			return false;
	}
	if (look(s, 0) != 'e' && look(s, 0) != 'E')
		return true;
	s->at++;
	s->at += look(s, 0) == '+' || look(s, 0) == '-';
	return digits(s);
}

/* The number of the four hex digits there, or -1. */
static int hex4(const struct scan *s, ptrdiff_t ahead)
{
	static const char hex[] = "0123456789abcdef0123456789ABCDEF";
	int n = 0;

	for (int i = 0; i < 4; i++) {
		char c = look(s, ahead + i);
		const char *found = c ? strchr(hex, c) : NULL;

		if (!found)
			return -1;
		n = n * 16 + (int)((found - hex) % 16);
	}
	return n;
}

/* How long the escape is; 0: it is none. A high surrogate must be followed by a low one, which must
 * not stand alone. */
static size_t scan_escape(struct scan *s)
{
	char c = look(s, 1);
	int unit, low;

	if (c != 'u')
		return c && strchr("\"\\/bfnrt", c) ? 2 : 0;
	unit = hex4(s, 2);
	s->has_nul |= unit == 0;
	if (unit < 0xd800 || unit > 0xdfff)
		return unit < 0 ? 0 : 6;
	low = look(s, 6) == '\\' && look(s, 7) == 'u' ? hex4(s, 8) : 0;
	return unit < 0xdc00 && low >= 0xdc00 && low <= 0xdfff ? 12 : 0;
}

static bool scan_string(struct scan *s)
{
	for (s->at++; s->at < s->end && *s->at != '"';) {
		size_t n = 0;

		if (*s->at == '\\')
			n = scan_escape(s);
		else if ((unsigned char)*s->at >= ' ')
			n = utf8_char(s->at, (size_t)(s->end - s->at));
		if (n == 0)
			return false;
		s->at += n;
	}
	return s->at++ < s->end;
}

/*
 * Looks at strings, numbers and single characters; cJSON checks how they are put together. Refused:
 * invalid UTF-8, control characters (cJSON takes any for a blank), unknown escapes, surrogates
 * without their pair, numbers with leading zeros or without digits, a string without an end,
 * nesting that cJSON does not follow.
 */
static bool scan_one(struct scan *s)
{
	char c = *s->at;

	if (c == '"')
		return scan_string(s);
	if (c == '-' || digit(c))
		return scan_number(s);
	if (c == '{' || c == '[')
		s->depth++;
	if ((c == '}' || c == ']') && s->depth > 0)
		s->depth--;
	if (c == '\0' || !strchr("{}[]:, \t\r\ntruefalsn", c))
		return false;
	s->at++;
	return s->depth <= CJSON_NESTING_LIMIT;
}

/* Names the place by line and column (in bytes). */
static int syntax_error(const char *text, size_t len, size_t at, struct err *e)
{
	size_t line = 1, column = 1, n;

	if (at >= len)
		return err_set(e, CNI_DECODING_FAILURE, "unexpected end of JSON input");
	for (size_t i = 0; i < at; i++) {
		column = text[i] == '\n' ? 1 : column + 1;
		line += text[i] == '\n';
	}
	n = utf8_char(text + at, len - at);
	if (n == 0 || utf8_control(text + at, n))
		return err_set(e, CNI_DECODING_FAILURE,
			       "invalid character 0x%02x at line %zu, column %zu",
			       (unsigned)(unsigned char)text[at], line, column);
	return err_set(e, CNI_DECODING_FAILURE, "invalid character '%.*s' at line %zu, column %zu",
		       (int)n, text + at, line, column);
}

/* A copy of a text that was scanned, with \ufffd for each \u0000. */
static const char *replace_nul(const char *text, size_t len)
{
	char *copy = memcpy(mem_new(len), text, len);

	for (size_t i = 0; i + 1 < len; i++) {
		if (copy[i] != '\\')
			continue;
		if (i + 5 < len && memcmp(copy + i + 1, "u0000", 5) == 0)
			memcpy(copy + i + 2, "fffd", 4);
		i++; /* what a backslash escapes begins no escape itself */
	}
	return copy;
}

static size_t skip_blanks(const char *text, size_t len, size_t at)
{
	while (at < len && strchr(" \t\r\n", text[at]))
		at++;
	return at;
}

int json_parse(const char *text, size_t len, cJSON **out, struct err *e)
{
	struct scan s = { .at = text, .end = text + len };
	const char *end;
	cJSON *value;
	size_t at;

	while (s.at < s.end) {
		if (scan_one(&s))
			continue;
		if (s.depth > CJSON_NESTING_LIMIT)
			return err_set(e, CNI_DECODING_FAILURE, "exceeded max depth of %d",
				       CJSON_NESTING_LIMIT);
		return syntax_error(text, len, (size_t)(s.at - text), e);
	}
	if (skip_blanks(text, len, 0) == len)
		return syntax_error(text, len, len, e);
	if (s.has_nul)
		text = replace_nul(text, len);
	value = cJSON_ParseWithLengthOpts(text, len, &end, 0);
	at = (size_t)(end - text);
	if (value)
		at = skip_blanks(text, len, at);
	else if (s.depth > 0 && at + 1 == len) /* cJSON gives the last byte where it wanted more */
		at = len;
	if (!value || at < len)
		return syntax_error(text, len, at, e);
	*out = value;
	return 0;
}

const cJSON *json_get_raw(const cJSON *object, const char *key)
{
	const cJSON *found = NULL;
	const cJSON *child;

	if (!cJSON_IsObject(object))
		return NULL;
	cJSON_ArrayForEach(child, object)
		if (strcmp(child->string, key) == 0)
			found = child;
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

bool json_is_whole(const cJSON *value)
{
	double v = cJSON_IsNumber(value) ? value->valuedouble : 0.5;

	return v > -1e15 && v < 1e15 && (double)(long long)v == v;
}

/* ---- which keys an object may have ---- */

static const struct json_key *find_key(const struct json_key *keys, const char *name)
{
	while (keys->name && strcmp(keys->name, name) != 0)
		keys++;
	return keys;
}

static const char *type_of(const cJSON *value)
{
	switch (value->type & 0xFF) {
	case cJSON_False:
	case cJSON_True: return "true or false";
	case cJSON_NULL: return "null";
	case cJSON_Number: return "a number";
	case cJSON_String: return "a string";
	case cJSON_Array: return "a list";
	default: return "an object";
	}
}

/* The value is never shown: people write a whole connection string, with its password, under a key
 * of their own. The error's details say what could have been meant. */
static int unknown_key(const cJSON *value, const struct json_key *keys, const char *path,
		       struct log *warn, struct err *e)
{
	struct strbuf known = { 0 };
	char *what = mem_printf("unsupported field \"%.100s\"%s%s (%s)", value->string,
				*path ? " in " : "", path, type_of(value));

	if (warn) {
		log_line(warn, LOG_WARNING, "%s is ignored", what);
		return 0;
	}
	for (; keys->name; keys++)
		strbuf_join(&known, ", ", keys->name);
	err_set(e, CNI_UNSUPPORTED_FIELD, "%s", what);
	return err_details(e, "remove the key or correct its spelling; known here: %s",
			   strbuf_str(&known));
}

static bool is_list_of(const cJSON *list, cJSON_bool (*is)(const cJSON *))
{
	const cJSON *item;

	cJSON_ArrayForEach(item, list)
		if (!is(item))
			return false;
	return cJSON_IsArray(list);
}

/* What the value should be and is not; NULL: it is that. */
static const char *wrong_type(const cJSON *value, enum json_type type)
{
	switch (type) {
	case JSON_ANY: return NULL;
	case JSON_STRING: return cJSON_IsString(value) ? NULL : "a string";
	case JSON_BOOL: return cJSON_IsBool(value) ? NULL : "true or false";
	case JSON_NUMBER: return cJSON_IsNumber(value) ? NULL : "a number";
	case JSON_WHOLE: return json_is_whole(value) ? NULL : "a whole number";
	case JSON_OBJECT: return cJSON_IsObject(value) ? NULL : "an object";
	case JSON_LIST: return cJSON_IsArray(value) ? NULL : "a list";
	case JSON_STRINGS: return is_list_of(value, cJSON_IsString) ? NULL : "a list of strings";
	case JSON_OBJECTS: return is_list_of(value, cJSON_IsObject) ? NULL : "a list of objects";
	}
	return NULL;
}

static int check_value(const cJSON *value, const struct json_key *key, const char *path,
		       const struct json_rules *rules, struct err *e)
{
	const char *name = mem_printf("%s%s%s", path, *path ? "." : "", key->name);
	const char *should_be = wrong_type(value, key->type);
	struct json_rules inside = *rules;

	inside.any_type |= rules->releasing && key->answer;
	if (should_be && !inside.any_type)
		return err_set(e, rules->code ? rules->code : CNI_INVALID_NETWORK_CONFIG,
			       "\"%s\" must be %s", name, should_be);
	return key->inside ? json_check(value, key->inside, name, &inside, e) : 0;
}

int json_check(const cJSON *value, const struct json_key *keys, const char *path,
	       const struct json_rules *rules, struct err *e)
{
	const cJSON *child;
	size_t i = 0;

	cJSON_ArrayForEach(child, value) {
		const struct json_key *key;

		if (cJSON_IsArray(value) &&
		    json_check(child, keys, mem_printf("%s[%zu]", path, i++), rules, e) < 0)
			return -1;
		if (!cJSON_IsObject(value) || rules->unknown_allowed)
			continue;
		key = find_key(keys, child->string);
		if (!key->name && !(key->also && key->also(child->string)) &&
		    unknown_key(child, keys, path, rules->warn, e) < 0)
			return -1;
	}
	for (; keys->name; keys++) {
		child = json_get(value, keys->name);
		if (child && check_value(child, keys, path, rules, e) < 0)
			return -1;
	}
	return 0;
}
