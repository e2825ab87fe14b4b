/*
 * What the unit tests share: cmocka with what it needs before it, TEST, and short hands for JSON.
 *
 * A test is declared once, TEST(its_name_is_a_sentence) { … }, and runs in the order of its file;
 * unit.c has main().
 */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/json.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Adds a test to those that main() runs. */
void unit_add(const struct CMUnitTest *test);

/* Sets what main() runs before the first test and after the last one. */
void unit_group(CMFixtureFunction setup, CMFixtureFunction teardown);

/* Declares a test, with what runs before and after it (NULL: nothing). `state` is cmocka's. */
#define TEST_WITH(name, setup, teardown)                                                           \
	static void name(void **state);                                                            \
	__attribute__((constructor)) static void add_##name(void)                                  \
	{                                                                                          \
		unit_add(&(const struct CMUnitTest){ #name, name, setup, teardown, NULL });        \
	}                                                                                          \
	static void name(void **state __attribute__((unused)))

#define TEST(name) TEST_WITH(name, NULL, NULL)

/* A test in a directory of its own (tmpdir.h): `*state` is a struct tmpdir. */
#define TEST_IN_DIR(name) TEST_WITH(name, tmpdir_open, tmpdir_close)

#define TEST_GROUP(setup, teardown)                                                                \
	__attribute__((constructor)) static void set_group(void)                                   \
	{                                                                                          \
		unit_group(setup, teardown);                                                       \
	}

/* Whether another kind of machine emulates this one (make check-arm64): nothing is quick there. */
bool emulated(void);

/* Exactly this error. */
void assert_err(const struct err *e, int code, const char *msg, const char *details);

/* JSON as it reads in C: J("{'ips':[{'address':'10.0.0.5/24'}]}") has " for each '. The text stays
 * until the process ends. */
const char *J(const char *text);

/* The value of that JSON text, in which ' may stand for ". */
cJSON *json_of(const char *text);

#endif
