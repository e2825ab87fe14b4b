#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static bool make_room(struct strbuf *t, size_t more)
{
	size_t room = t->room ? t->room : 128;
	char *s;

	while (room < t->len + more + 1)
		room *= 2;
	if (room == t->room)
		return true;
	s = realloc(t->s, room);
	if (!s) {
		t->failed = true;
		return false;
	}
	t->s = s;
	t->room = room;
	return true;
}

void strbuf_addf(struct strbuf *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || t->failed || !make_room(t, (size_t)n)) {
		t->failed = true;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(t->s + t->len, t->room - t->len, fmt, ap);
	va_end(ap);
	t->len += (size_t)n;
}

void strbuf_join(struct strbuf *t, const char *separator, const char *item)
{
	strbuf_addf(t, "%s%s", t->len ? separator : "", item);
}

const char *strbuf_str(const struct strbuf *t)
{
	return t->s ? t->s : "";
}

void strbuf_free(struct strbuf *t)
{
	free(t->s);
	*t = (struct strbuf){ 0 };
}
