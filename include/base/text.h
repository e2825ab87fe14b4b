/* Texts: a string that grows, and what is UTF-8. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

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

/* Bytes of the character at `text`, of which `left` (1 or more) may be read; 0: not valid UTF-8. */
size_t utf8_char(const char *text, size_t left);

/* Is the character of that length (see utf8_char) a control character (C0, DEL, C1)? */
bool utf8_control(const char *text, size_t len);

/* Is the whole text valid UTF-8? */
bool utf8_valid(const char *text);

/* Text was cut at `len`: shortens it so that its last character is whole. Returns the new length.
 */
size_t utf8_whole(char *text, size_t len);

#endif
