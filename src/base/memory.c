/*
 * Chunks from malloc, from which pieces are cut one behind the other. The chunks stay in a list, so
 * that leak checkers find them.
 */
#include "base/memory.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_BYTES (32UL * 1024)
#define ALIGNMENT 16UL

struct chunk {
	struct chunk *before;
	size_t room, used; /* bytes behind this header */
	_Alignas(ALIGNMENT) char bytes[];
};

static struct chunk *newest;
static size_t pieces_left = SIZE_MAX; /* see mem_fail_after */
static int last_words_fd = -1;
static const char *last_words = "";

void mem_set_last_words(int fd, const char *text)
{
	last_words_fd = fd;
	last_words = text;
}

void mem_failed(void)
{
	ssize_t written = 0;

	if (last_words_fd >= 0)
		written = write(last_words_fd, last_words, strlen(last_words));
	(void)written;
	_exit(1);
}

static size_t aligned(size_t size)
{
	return size ? (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1) : ALIGNMENT;
}

/* A chunk with that room: a new one (NULL), or `old`, which may move. */
static struct chunk *chunk_of(struct chunk *old, struct chunk *before, size_t room)
{
	struct chunk *c = NULL;

	if (room + sizeof(*c) >= room)
		c = realloc(old, sizeof(*c) + room);
	if (!c)
		mem_failed();
	c->before = before;
	c->room = room;
	return c;
}

void *mem_new(size_t size)
{
	size_t need = aligned(size);

	if (need < size || pieces_left-- == 0)
		mem_failed();
	if (!newest || newest->room - newest->used < need) {
		newest = chunk_of(NULL, newest, need > CHUNK_BYTES ? need : CHUNK_BYTES);
		newest->used = 0;
	}
	newest->used += need;
	return memset(newest->bytes + newest->used - need, 0, size);
}

void *mem_grow(void *old, size_t old_size, size_t new_size)
{
	size_t had = old ? aligned(old_size) : 0, need = aligned(new_size);
	char *grown = old;
	bool is_last = old && grown + had == newest->bytes + newest->used;

	if (old && new_size <= old_size)
		return old;
	if (need < new_size)
		mem_failed();
	if (is_last && need - had <= newest->room - newest->used) {
		newest->used += need - had;
	} else if (is_last && newest->used == had) {
		/* The chunk grows: a text of many megabytes does not need its memory twice. */
		newest = chunk_of(newest, newest->before, need);
		newest->used = need;
		grown = newest->bytes;
	} else {
		grown = mem_new(new_size);
		if (old)
			memcpy(grown, old, old_size);
	}
	memset(grown + old_size, 0, new_size - old_size);
	return grown;
}

void *mem_grow_list(void *list, size_t n, size_t size)
{
	if ((n & (n - 1)) != 0)
		return list;
	return mem_grow(list, n * size, (n ? 2 * n : 1) * size);
}

char *mem_strndup(const char *text, size_t len)
{
	size_t n = strnlen(text, len);
	char *copy = mem_new(n + 1);

	memcpy(copy, text, n);
	return copy;
}

char *mem_strdup(const char *text)
{
	return mem_strndup(text, strlen(text));
}

static void make_room(struct strbuf *b, size_t more)
{
	size_t room = b->room ? b->room : more + 1;

	while (room < b->len + more + 1)
		room *= 2;
	b->s = mem_grow(b->s, b->room, room);
	b->room = room;
}

static void append(struct strbuf *b, const char *fmt, va_list args)
	__attribute__((format(printf, 2, 0)));

static void append(struct strbuf *b, const char *fmt, va_list args)
{
	va_list again;
	int n;

	va_copy(again, args);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0)
		mem_failed();
	make_room(b, (size_t)n);
	vsnprintf(b->s + b->len, b->room - b->len, fmt, args);
	b->len += (size_t)n;
}

void strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	append(b, fmt, args);
	va_end(args);
}

void strbuf_join(struct strbuf *b, const char *separator, const char *item)
{
	strbuf_addf(b, "%s%s", b->len ? separator : "", item);
}

const char *strbuf_str(const struct strbuf *b)
{
	return b->s ? b->s : "";
}

char *mem_printf(const char *fmt, ...)
{
	struct strbuf text = { 0 };
	va_list args;

	va_start(args, fmt);
	append(&text, fmt, args);
	va_end(args);
	return text.s;
}

static void keep(void *p)
{
	(void)p;
}

void mem_for_cjson(void)
{
	cJSON_Hooks hooks = { .malloc_fn = mem_new, .free_fn = keep };

	cJSON_InitHooks(&hooks);
}

void mem_fail_after(size_t pieces)
{
	pieces_left = pieces;
}

void mem_free_all(void)
{
	while (newest) {
		struct chunk *before = newest->before;

		free(newest);
		newest = before;
	}
}
