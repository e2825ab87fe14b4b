/* The error and its object. Needs nothing. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

static void one_line_of_valid_utf8(void **state)
{
	static const struct {
		const char *from, *to;
	} t[] = {
		{ "plain", "plain" },
		{ "refused\n\tis it running?\n", "refused  is it running?" },
		{ "\x1b[31mred", " [31mred" },
		{ "caf\xc3\xa9", "caf\xc3\xa9" },
		{ "C1 \xc2\x9b end", "C1   end" },
		{ "bad \xff\xc3", "bad ??" },
		{ " \n ", "" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		char text[64];

		snprintf(text, sizeof(text), "%s", t[i].from);
		err_one_line(text);
		assert_string_equal(text, t[i].to);
	}
}

static void set_wrap_and_details(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(err_set(&e, CNI_IO, "pipe: %s", "no\nroom\n"), -1);
	assert_err(&e, 5, "pipe: no room", "");
	assert_int_equal(err_wrap(&e, "child %d", 7), -1);
	assert_int_equal(err_details(&e, "free some"), -1);
	assert_int_equal(err_details(&e, "%s", ""), -1);
	assert_int_equal(err_details(&e, "or wait"), -1);
	assert_err(&e, 5, "child 7: pipe: no room", "free some; or wait");
	err_set(&e, CNI_CONFIG, "again: %s (%s)", e.msg, e.details);
	assert_err(&e, 7, "again: child 7: pipe: no room (free some; or wait)", "");
}

static void a_message_is_never_empty(void **state)
{
	struct err e;

	(void)state;
	err_set(&e, CNI_IO, "%s", "\n\n");
	assert_string_equal(e.msg, "failed without a message");
}

static void too_long_is_cut_at_a_character(void **state)
{
	char text[3000];
	struct err e;

	(void)state;
	/* 1022 bytes, then two-byte characters: the second half of one would be the last byte. */
	memset(text, 'x', 1022);
	for (size_t i = 1022; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 3);
	err_set(&e, CNI_IO, "%s", text);
	assert_int_equal(strlen(e.msg), 1022);
	err_details(&e, "%s", text);
	assert_int_equal(strlen(e.details), 1022);
	err_wrap(&e, "w");
	assert_int_equal(strlen(e.msg), 1023);
	assert_memory_equal(e.msg, "w: xxx", 6);
}

static void the_object(void **state)
{
	struct err e;
	char *json;

	(void)state;
	err_set(&e, CNI_HELD, "\"10.0.0.5\" is held");
	json = err_json(&e, "0.4.0");
	assert_string_equal(json, "{\"cniVersion\":\"0.4.0\",\"code\":100,"
				  "\"msg\":\"\\\"10.0.0.5\\\" is held\",\"details\":\"\"}");
	free(json);
	err_details(&e, "by pod-a");
	json = err_json(&e, NULL);
	assert_string_equal(json, "{\"cniVersion\":\"1.1.0\",\"code\":100,"
				  "\"msg\":\"\\\"10.0.0.5\\\" is held\",\"details\":\"by pod-a\"}");
	free(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_line_of_valid_utf8),
		cmocka_unit_test(set_wrap_and_details),
		cmocka_unit_test(a_message_is_never_empty),
		cmocka_unit_test(too_long_is_cut_at_a_character),
		cmocka_unit_test(the_object),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
