/* A string that grows, and UTF-8 as RFC 3629 defines it. */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

static void make_room(struct strbuf *b, size_t more)
{
	size_t room = b->room ? b->room : 128;

	while (room < b->len + more + 1)
		room *= 2;
	if (room > b->room) {
		b->s = mem_grow(b->s, b->room, room);
		b->room = room;
	}
}

void strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (n < 0)
		mem_failed();
	make_room(b, (size_t)n);
	va_start(args, fmt);
	vsnprintf(b->s + b->len, b->room - b->len, fmt, args);
	va_end(args);
	b->len += (size_t)n;
}

void strbuf_join(struct strbuf *b, const char *separator, const char *item)
{
	strbuf_addf(b, "%s%s", b->len ? separator : "", item);
}

const char *strbuf_str(const struct strbuf *b)
{
	return b->s ? b->s : "";
}

/* The first byte's class (RFC 3629): length, and the range that the second byte must be in. */
struct lead {
	unsigned char first, last;
	size_t len;
	unsigned char low, high;
};

static const struct lead leads[] = {
	{ 0x00, 0x7f, 1, 0, 0 },       { 0xc2, 0xdf, 2, 0x80, 0xbf },
	{ 0xe0, 0xe0, 3, 0xa0, 0xbf },                                /* no overlong forms */
	{ 0xe1, 0xec, 3, 0x80, 0xbf }, { 0xed, 0xed, 3, 0x80, 0x9f }, /* no surrogates */
	{ 0xee, 0xef, 3, 0x80, 0xbf }, { 0xf0, 0xf0, 4, 0x90, 0xbf },
	{ 0xf1, 0xf3, 4, 0x80, 0xbf }, { 0xf4, 0xf4, 4, 0x80, 0x8f }, /* nothing above U+10FFFF */
};

size_t utf8_char(const char *text, size_t left)
{
	const unsigned char *u = (const unsigned char *)text;
	const struct lead *lead = leads;

	if (u[0] < 0x80)
		return 1;
	while (lead < leads + sizeof(leads) / sizeof(leads[0]) && u[0] > lead->last)
		lead++;
	if (lead == leads + sizeof(leads) / sizeof(leads[0]) || u[0] < lead->first ||
	    lead->len > left || u[1] < lead->low || u[1] > lead->high)
		return 0;
	for (size_t i = 2; i < lead->len; i++) {
		if (u[i] < 0x80 || u[i] > 0xbf)
			return 0;
	}
	return lead->len;
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

size_t utf8_whole(char *text, size_t len)
{
	size_t start = len;

	while (start > 0 && len - start < 3 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
		start--;
	if (start > 0 && (unsigned char)text[start - 1] >= 0xc0 &&
	    utf8_char(text + start - 1, len - start + 1) == 0)
		len = start - 1;
	text[len] = '\0';
	return len;
}
