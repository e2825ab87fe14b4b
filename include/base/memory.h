/*
 * Memory that cannot fail. A call of a plugin lives for some milliseconds, so nothing is given back
 * before the process ends, and where there is no memory left the process ends in one place.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

/* `size` bytes, all zero, aligned for any type. */
void *mem_new(size_t size);

/* The same bytes with room for `new_size`; what is new is zero. `old` may be NULL. */
void *mem_grow(void *old, size_t old_size, size_t new_size);

/* The list of `n` items, `size` bytes each, with room for one more: it grows whenever `n` is a
 * power of two. NULL and 0 begin a list. */
void *mem_grow_list(void *list, size_t n, size_t size);

/* Copies of strings; of mem_strndup at most `len` bytes. */
char *mem_strdup(const char *text);
char *mem_strndup(const char *text, size_t len);

/* A formatted string. */
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A string that grows. It starts as { 0 }. */
struct strbuf {
	char *s; /* ends with NUL; NULL while empty */
	size_t len, room;
};

/* Appends formatted text. */
void strbuf_addf(struct strbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Appends an item, behind the separator unless the string is empty. */
void strbuf_join(struct strbuf *b, const char *separator, const char *item);

/* The string, never NULL: "" while empty. */
const char *strbuf_str(const struct strbuf *b);

/* From now on cJSON takes its memory here too. */
void mem_for_cjson(void);

/* What mem_failed() writes, and where (-1: nowhere). `text` is kept, not copied. */
void mem_set_last_words(int fd, const char *text);

/* Ends the process as it ends when there is no memory: the last words, exit status 1. */
void mem_failed(void) __attribute__((noreturn));

/* For tests: so many pieces can be had from now on, then there is no memory. */
void mem_fail_after(size_t pieces);

/* Forgets everything. For what runs many calls in one process: tests and fuzzers. */
void mem_free_all(void);

#endif
