/*
 * Chunks from malloc, from which pieces are cut one behind the other. The chunks stay in a list, so
 * that leak checkers find them.
 */
#include "base/memory.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
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
	return (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
}

/* A chunk with that room: a new one (NULL), or `old`, which may move. Its fields are the caller's.
 */
static struct chunk *chunk_of(size_t room, struct chunk *old)
{
	struct chunk *c = NULL;

	if (room + sizeof(*c) >= room)
		c = realloc(old, sizeof(*c) + room);
	if (!c)
		mem_failed();
	return c;
}

/* A piece that is not zeroed: of the newest chunk, or of a new one. */
static void *piece(size_t size)
{
	size_t need = aligned(size ? size : 1);
	struct chunk *c = newest;

	if (need < size || pieces_left-- == 0)
		mem_failed();
	if (!c || c->room - c->used < need) {
		size_t room = need > CHUNK_BYTES ? need : CHUNK_BYTES;

		c = chunk_of(room, NULL);
		*c = (struct chunk){ .before = newest, .room = room };
		newest = c;
	}
	c->used += need;
	return c->bytes + c->used - need;
}

void *mem_new(size_t size)
{
	return memset(piece(size), 0, size);
}

/* Is this the piece that was cut last? Then it can grow where it is. */
static int grows_in_place(const char *old, size_t old_size, size_t new_size)
{
	struct chunk *c = newest;
	size_t old_room = aligned(old_size ? old_size : 1);

	return c && old + old_room == c->bytes + c->used &&
	       aligned(new_size) - old_room <= c->room - c->used;
}

/* Is it the only piece of the newest chunk? Then the chunk can grow, and a text of many megabytes
 * does not need its memory twice. */
static int has_own_chunk(const char *old, size_t old_size)
{
	return newest && old == newest->bytes && newest->used == aligned(old_size);
}

void *mem_grow(void *old, size_t old_size, size_t new_size)
{
	char *grown = old;

	if (new_size <= old_size && old)
		return old;
	if (aligned(new_size) < new_size)
		mem_failed();
	if (old && grows_in_place(old, old_size, new_size)) {
		newest->used += aligned(new_size) - aligned(old_size ? old_size : 1);
	} else if (old && has_own_chunk(old, old_size)) {
		newest = chunk_of(aligned(new_size), newest);
		newest->room = newest->used = aligned(new_size);
		grown = newest->bytes;
	} else {
		grown = piece(new_size);
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

char *mem_printf(const char *fmt, ...)
{
	va_list args;
	char *text;
	int n;

	va_start(args, fmt);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (n < 0)
		mem_failed();
	text = mem_new((size_t)n + 1);
	va_start(args, fmt);
	vsnprintf(text, (size_t)n + 1, fmt, args);
	va_end(args);
	return text;
}

static void keep(void *p)
{
	(void)p;
}

void mem_for_cjson(void)
{
	cJSON_Hooks hooks = { .malloc_fn = piece, .free_fn = keep };

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
