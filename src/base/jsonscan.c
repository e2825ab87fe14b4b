#include "base/jsonscan.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

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

int json_syntax_error(const char *text, size_t len, size_t at, struct err *e)
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

int json_scan(const char *text, size_t len, struct json_facts *seen, struct err *e)
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

void json_replace_nul(char *text, size_t len)
{
	for (size_t i = 0; i + 1 < len; i++) {
		if (text[i] != '\\')
			continue;
		if (i + 5 < len && memcmp(text + i + 1, "u0000", 5) == 0)
			memcpy(text + i + 2, "fffd", 4);
		i++; /* what is escaped begins no escape */
	}
}
