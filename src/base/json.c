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
#include "base/text.h"

/* ---- what RFC 8259 forbids inside a text ---- */

struct json_facts {
	bool has_nul; /* there is a \u0000 */
	bool open;    /* the text ends inside an object or a list */
};

struct scan {
	const char *text;
	size_t len;
	size_t at;
	size_t depth;
	bool has_nul;
};

static char look(const struct scan *s, size_t ahead)
{
	if (s->at + ahead >= s->len)
		return '\0';
	return s->text[s->at + ahead];
}

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Passes over digits; false where there is none. */
static bool digits(struct scan *s)
{
	if (!digit(look(s, 0)))
		return false;
	while (digit(look(s, 0)))
		s->at++;
	return true;
}

static bool scan_number(struct scan *s)
{
	if (look(s, 0) == '-')
		s->at++;
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
	if (look(s, 0) == 'e' || look(s, 0) == 'E') {
		s->at++;
		if (look(s, 0) == '+' || look(s, 0) == '-')
			s->at++;
		return digits(s);
	}
	return true;
}

/* The four hex digits at `from`, or -1. */
static int hex4(const struct scan *s, size_t from)
{
	int n = 0;

	for (size_t i = 0; i < 4; i++) {
		char c = look(s, from + i);

		if (digit(c))
			n = n * 16 + (c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			n = n * 16 + ((c | 0x20) - 'a') + 10;
		else
			return -1;
	}
	return n;
}

/* At \uXXXX: a high surrogate must be followed by a low one, which must not stand alone. */
static bool scan_unicode(struct scan *s)
{
	int unit = hex4(s, 2);

	if (unit < 0 || (unit >= 0xdc00 && unit <= 0xdfff))
		return false;
	s->has_nul |= unit == 0;
	if (unit >= 0xd800 && unit <= 0xdbff) {
		int low = look(s, 6) == '\\' && look(s, 7) == 'u' ? hex4(s, 8) : -1;

		if (low < 0xdc00 || low > 0xdfff)
			return false;
		s->at += 6;
	}
	s->at += 6;
	return true;
}

static bool scan_escape(struct scan *s)
{
	char c = look(s, 1);

	if (c == 'u')
		return scan_unicode(s);
	if (c == '\0' || !strchr("\"\\/bfnrt", c))
		return false;
	s->at += 2;
	return true;
}

static bool scan_string(struct scan *s)
{
	s->at++;
	while (s->at < s->len && s->text[s->at] != '"') {
		unsigned char c = (unsigned char)s->text[s->at];

		if (c == '\\') {
			if (!scan_escape(s))
				return false;
		} else {
			size_t n = c < 0x20 ? 0 : utf8_char(s->text + s->at, s->len - s->at);

			if (n == 0)
				return false;
			s->at += n;
		}
	}
	if (s->at == s->len)
		return false;
	s->at++;
	return true;
}

static bool scan_one(struct scan *s)
{
	char c = s->text[s->at];

	if (c == '"')
		return scan_string(s);
	if (c == '-' || digit(c))
		return scan_number(s);
	if (c == '{' || c == '[')
		s->depth++;
	if ((c == '}' || c == ']') && s->depth > 0)
		s->depth--;
	/* Outside of strings and numbers only these exist: cJSON takes any control character for a
	 * blank. */
	if (!strchr("{}[]:, \t\r\ntruefalsn", c) || c == '\0')
		return false;
	s->at++;
	return s->depth <= CJSON_NESTING_LIMIT;
}

/* Line and column of a place, both from 1. */
static void place(const char *text, size_t at, size_t *line, size_t *column)
{
	*line = 1;
	*column = at + 1;
	for (size_t i = 0; i < at; i++) {
		if (text[i] == '\n') {
			(*line)++;
			*column = at - i;
		}
	}
}

/* CNI_DECODING_FAILURE at that place of the text, with the line and the column (in bytes). */
static int json_syntax_error(const char *text, size_t len, size_t at, struct err *e)
{
	size_t line, column;
	size_t n;

	if (at >= len)
		return err_set(e, CNI_DECODING_FAILURE, "unexpected end of JSON input");
	place(text, at, &line, &column);
	n = utf8_char(text + at, len - at);
	if (n == 0 || utf8_control(text + at, n))
		return err_set(e, CNI_DECODING_FAILURE,
			       "invalid character 0x%02x at line %zu, column %zu",
			       (unsigned)(unsigned char)text[at], line, column);
	return err_set(e, CNI_DECODING_FAILURE, "invalid character '%.*s' at line %zu, column %zu",
		       (int)n, text + at, line, column);
}

/*
 * Looks at strings, numbers and single characters; cJSON checks how they are put together. Refused:
 * invalid UTF-8, control characters, unknown escapes, surrogates without their pair, numbers with
 * leading zeros or without digits, a string without an end, nesting that cJSON does not follow.
 */
static int json_scan(const char *text, size_t len, struct json_facts *seen, struct err *e)
{
	struct scan s = { .text = text, .len = len };

	while (s.at < len) {
		if (scan_one(&s))
			continue;
		if (s.depth > CJSON_NESTING_LIMIT)
			return err_set(e, CNI_DECODING_FAILURE, "exceeded max depth of %d",
				       CJSON_NESTING_LIMIT);
		return json_syntax_error(text, len, s.at, e);
	}
	*seen = (struct json_facts){ .has_nul = s.has_nul, .open = s.depth > 0 };
	return 0;
}

/* Replaces each \u0000 by \ufffd in a text that json_scan let pass. */
static void json_replace_nul(char *text, size_t len)
{
	for (size_t i = 0; i + 1 < len; i++) {
		if (text[i] != '\\')
			continue;
		if (i + 5 < len && memcmp(text + i + 1, "u0000", 5) == 0)
			memcpy(text + i + 2, "fffd", 4);
		i++; /* what is escaped begins no escape */
	}
}

/* ---- parsing and asking ---- */

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Parses what json_scan let pass: only the structure can still be wrong. */
static int parse(const char *text, size_t len, bool open, cJSON **out, struct err *e)
{
	const char *end = text;
	cJSON *value = cJSON_ParseWithLengthOpts(text, len, &end, 0);
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
	return 0;
}

int json_parse(const char *text, size_t len, cJSON **out, struct err *e)
{
	struct json_facts seen = { 0 };
	size_t start = 0;
	char *copy;

	while (start < len && blank(text[start]))
		start++;
	if (start == len)
		return json_syntax_error(text, len, len, e);
	if (json_scan(text, len, &seen, e) < 0)
		return -1;
	if (!seen.has_nul)
		return parse(text, len, seen.open, out, e);
	copy = memcpy(mem_new(len), text, len);
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
	const char *what = mem_printf("unsupported field \"%.100s\"%s%s (%s)", value->string,
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
	{
		if (!is(item))
			return false;
	}
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

/* The objects in a list, and in the lists in it. */
static int check_items(const cJSON *list, const struct json_key *keys, const char *path,
		       const struct json_rules *rules, struct err *e)
{
	const cJSON *item;
	size_t i = 0;

	cJSON_ArrayForEach(item, list)
	{
		const char *name = mem_printf("%s[%zu]", path, i++);

		if (check_items(cJSON_IsArray(item) ? item : NULL, keys, name, rules, e) < 0 ||
		    json_check(item, keys, name, rules, e) < 0)
			return -1;
	}
	return 0;
}

static int check_value(const cJSON *value, const struct json_key *key, const char *path,
		       const struct json_rules *rules, struct err *e)
{
	const char *name = mem_printf("%s%s%s", path, *path ? "." : "", key->name);
	const char *should_be = wrong_type(value, key->type);
	struct json_rules inner = *rules;

	if (rules->releasing && key->answer)
		inner.any_type = true;
	if (should_be && !inner.any_type)
		return err_set(e, rules->code ? rules->code : CNI_INVALID_NETWORK_CONFIG,
			       "\"%s\" must be %s", name, should_be);
	if (!key->inside)
		return 0;
	if (cJSON_IsArray(value))
		return check_items(value, key->inside, name, &inner, e);
	return json_check(value, key->inside, name, &inner, e);
}

int json_check(const cJSON *object, const struct json_key *keys, const char *path,
	       const struct json_rules *rules, struct err *e)
{
	const cJSON *value;

	if (!cJSON_IsObject(object))
		return 0;
	cJSON_ArrayForEach(value, object)
	{
		const struct json_key *key = find_key(keys, value->string);

		if (key->name || rules->unknown_allowed || (key->also && key->also(value->string)))
			continue;
		if (unknown_key(value, keys, path, rules->warn, e) < 0)
			return -1;
	}
	for (; keys->name; keys++) {
		value = json_get(object, keys->name);
		if (value && check_value(value, keys, path, rules, e) < 0)
			return -1;
	}
	return 0;
}
