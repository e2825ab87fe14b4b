/* What the fuzzers share. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* First in every run: memory begins anew. */
static inline void fuzz_begin(void)
{
	mem_free_all();
	mem_for_cjson();
}

/* Ends the fuzzer with the place: what must hold did not. */
#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* One line of valid UTF-8. */
static inline void must_be_one_line(const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		size_t n = utf8_char(text, left);

		MUST(n > 0);
		MUST(!utf8_control(text, n));
		text += n;
		left -= n;
	}
}

/* A call that failed says why; one that did not sets nothing. */
static inline void must_explain(int result, const struct err *e)
{
	MUST((result < 0) == (e->code != 0));
	if (result >= 0)
		return;
	MUST(e->msg[0]);
	must_be_one_line(e->msg);
	must_be_one_line(e->details);
}

/* The input as a text: up to its first NUL. */
static inline char *text_of(const uint8_t *data, size_t size)
{
	char *text = mem_new(size + 1);

	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

#endif
