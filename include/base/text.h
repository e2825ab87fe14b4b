/* A text that grows. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Starts as { 0 }. Once memory is out it stays as it is and `failed` says so. */
struct strbuf {
	char *s; /* owned, ends with NUL; NULL while empty */
	size_t len, room;
	bool failed;
};

void strbuf_addf(struct strbuf *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same, with ", " (or another separator) before it unless the text is empty. */
void strbuf_join(struct strbuf *t, const char *separator, const char *item);

/* The text, never NULL: "" while empty. */
const char *strbuf_str(const struct strbuf *t);

void strbuf_free(struct strbuf *t);

#define cleanup_strbuf __attribute__((cleanup(strbuf_free)))

#endif
