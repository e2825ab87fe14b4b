/* One error, and the rule that every text in it is one line of valid UTF-8. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

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

/* Formats into buf. The arguments may point into the error itself, so buf is not part of it. */
static void format(char *buf, size_t size, const char *fmt, va_list args)
	__attribute__((format(printf, 3, 0)));

static void format(char *buf, size_t size, const char *fmt, va_list args)
{
	if (vsnprintf(buf, size, fmt, args) >= (int)size)
		utf8_whole(buf, size - 1);
	sanitize_line(buf);
}

/* Puts `first`, `between` and `second` one after the other into a text of an error. */
static void join(char *to, size_t size, const char *first, const char *between, const char *second)
{
	if (snprintf(to, size, "%s%s%s", first, between, second) >= (int)size)
		utf8_whole(to, size - 1);
}

int err_set(struct err *e, enum cni_code code, const char *fmt, ...)
{
	char msg[sizeof(e->msg)];
	va_list args;

	va_start(args, fmt);
	format(msg, sizeof(msg), fmt, args);
	va_end(args);
	e->code = code;
	join(e->msg, sizeof(e->msg), msg[0] ? msg : "failed without a message", "", "");
	e->details[0] = '\0';
	return -1;
}

int err_details(struct err *e, const char *fmt, ...)
{
	char more[sizeof(e->details)];
	char old[sizeof(e->details)];
	va_list args;

	va_start(args, fmt);
	format(more, sizeof(more), fmt, args);
	va_end(args);
	memcpy(old, e->details, sizeof(old));
	join(e->details, sizeof(e->details), old, old[0] && more[0] ? "; " : "", more);
	return -1;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char words[sizeof(e->msg)];
	char old[sizeof(e->msg)];
	va_list args;

	va_start(args, fmt);
	format(words, sizeof(words), fmt, args);
	va_end(args);
	memcpy(old, e->msg, sizeof(old));
	join(e->msg, sizeof(e->msg), words, ": ", old);
	return -1;
}
