/* What the unit tests share: cmocka with what it needs before it, and two short hands. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/json.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Exactly this error. */
static inline void assert_err(const struct err *e, int code, const char *msg, const char *details)
{
	assert_string_equal(e->msg, msg);
	assert_string_equal(e->details, details);
	assert_int_equal(e->code, code);
}

/* The value of that JSON text; the caller's. */
static inline cJSON *json_of(const char *text)
{
	cJSON *value = NULL;
	struct err e = { 0 };

	if (json_parse(text, strlen(text), &value, &e) < 0)
		fail_msg("%s: %s", text, e.msg);
	return value;
}

#endif
