/* What JSON's grammar (RFC 8259) forbids inside a text and cJSON lets pass. */
#ifndef BASE_JSONSCAN_H
#define BASE_JSONSCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct json_facts {
	bool has_nul; /* there is a \u0000 */
	bool open;    /* the text ends inside an object or a list */
};

/*
 * Looks at strings, numbers and single characters; how they are put together is cJSON's part.
 * Refused: invalid UTF-8, control characters, unknown escapes, unpaired surrogates, numbers with
 * leading zeros or without digits, a string without an end, nesting that cJSON does not follow.
 */
int json_scan(const char *text, size_t len, struct json_facts *seen, struct err *e);

/* CNI_DECODING_FAILURE at that place of the text, with the line and the column (in bytes). */
int json_syntax_error(const char *text, size_t len, size_t at, struct err *e);

/* Replaces each \u0000 by \ufffd in a text that json_scan let pass. */
void json_replace_nul(char *text, size_t len);

#endif
