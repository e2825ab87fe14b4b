/* One error, the rule that every text in it is one line of valid UTF-8 (RFC 3629), and UTF-8. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void sanitize_line(char *text)
{
	size_t left = strlen(text);
	char *to = text;

	for (const char *from = text; left > 0;) {
		size_t len = utf8_char(from, left);

		if (len == 0) {
			*to++ = '?';
			len = 1;
		} else if (utf8_control(from, len)) {
			*to++ = ' ';
		} else {
			memmove(to, from, len);
			to += len;
		}
		from += len;
		left -= len;
	}
	while (to > text && to[-1] == ' ')
		to--;
	*to = '\0';
}

/* One line of valid UTF-8. The arguments may point into an error, so `to` is no part of one. */
static void format(char to[ERR_TEXT], const char *fmt, va_list args)
	__attribute__((format(printf, 2, 0)));

static void format(char to[ERR_TEXT], const char *fmt, va_list args)
{
	if (vsnprintf(to, ERR_TEXT, fmt, args) >= ERR_TEXT)
		utf8_whole(to, ERR_TEXT - 1);
	sanitize_line(to);
}

/* Puts `first`, `between` and `second` one after the other; one of them may be `to`. */
static void join(char to[ERR_TEXT], const char *first, const char *between, const char *second)
{
	char all[ERR_TEXT];

	if (snprintf(all, sizeof(all), "%s%s%s", first, between, second) >= ERR_TEXT)
		utf8_whole(all, sizeof(all) - 1);
	memcpy(to, all, strlen(all) + 1);
}

int err_set(struct err *e, enum cni_code code, const char *fmt, ...)
{
	char msg[ERR_TEXT];
	va_list args;

	va_start(args, fmt);
	format(msg, fmt, args);
	va_end(args);
	e->code = code;
	join(e->msg, msg[0] ? msg : "failed without a message", "", "");
	e->details[0] = '\0';
	return -1;
}

int err_details(struct err *e, const char *fmt, ...)
{
	char more[ERR_TEXT];
	va_list args;

	va_start(args, fmt);
	format(more, fmt, args);
	va_end(args);
	join(e->details, e->details, e->details[0] && more[0] ? "; " : "", more);
	return -1;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char words[ERR_TEXT];
	va_list args;

	va_start(args, fmt);
	format(words, fmt, args);
	va_end(args);
	join(e->msg, words, ": ", e->msg);
	return -1;
}

/* ---- UTF-8 ---- */

size_t utf8_char(const char *text, size_t left)
{
	const unsigned char *u = (const unsigned char *)text;
	size_t len = u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;

	if (u[0] < 0x80)
		return 1;
	if (u[0] < 0xc2 || u[0] > 0xf4 || len > left)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, and what is above U+10FFFF. */
	if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) ||
	    (u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f))
		return 0;
	return len;
}

bool utf8_valid(const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		size_t len = utf8_char(text, left);

		if (len == 0)
			return false;
		text += len;
		left -= len;
	}
	return true;
}

bool utf8_control(const char *text, size_t len)
{
	const unsigned char *u = (const unsigned char *)text;

	if (len == 1)
		return u[0] < 0x20 || u[0] == 0x7f;
	return len == 2 && u[0] == 0xc2 && u[1] < 0xa0;
}

void utf8_whole(char *text, size_t len)
{
	size_t start = len;

	while (start > 0 && len - start < 3 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
		start--;
	if (start > 0 && (unsigned char)text[start - 1] >= 0xc0 &&
	    utf8_char(text + start - 1, len - start + 1) == 0)
		len = start - 1;
	text[len] = '\0';
}
