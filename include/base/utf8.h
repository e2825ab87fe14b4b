/* UTF-8: what texts from outside must be before they go into JSON or a log line. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the character at `text`, of which `left` (1 or more) may be read; 0: not valid UTF-8. */
size_t utf8_char(const char *text, size_t left);

/* Is the character of that length (see utf8_char) a control character (C0, DEL, C1)? */
bool utf8_control(const char *text, size_t len);

/* Shortens text that was cut at `len` so that its last character is whole; returns the new length.
 */
size_t utf8_whole(char *text, size_t len);

#endif
