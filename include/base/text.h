/* A text that grows. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Starts as { 0 }. Once memory is out it stays as it is and `failed` says so. */
struct text {
	char *s; /* owned, ends with NUL; NULL while empty */
	size_t len, room;
	bool failed;
};

void text_add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same, with ", " (or another separator) before it unless the text is empty. */
void text_item(struct text *t, const char *separator, const char *item);

/* The text, never NULL: "" while empty. */
const char *text_get(const struct text *t);

void text_free(struct text *t);

#define scoped_text __attribute__((cleanup(text_free)))

#endif
