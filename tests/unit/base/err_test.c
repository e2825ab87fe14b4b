/* The error and its object. Needs nothing. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

TEST(one_line_of_valid_utf8)
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

	for (size_t i = 0; i < COUNT(t); i++) {
		char text[64];

		snprintf(text, sizeof(text), "%s", t[i].from);
		sanitize_line(text);
		assert_string_equal(text, t[i].to);
	}
}

TEST(set_wrap_and_details)
{
	struct err e;

	assert_int_equal(err_set(&e, CNI_IO_FAILURE, "pipe: %s", "no\nroom\n"), -1);
	assert_err(&e, 5, "pipe: no room", "");
	assert_int_equal(err_wrap(&e, "child %d", 7), -1);
	assert_int_equal(err_details(&e, "free some"), -1);
	assert_int_equal(err_details(&e, "%s", ""), -1);
	assert_int_equal(err_details(&e, "or wait"), -1);
	assert_err(&e, 5, "child 7: pipe: no room", "free some; or wait");
	err_set(&e, CNI_INVALID_NETWORK_CONFIG, "again: %s (%s)", e.msg, e.details);
	assert_err(&e, 7, "again: child 7: pipe: no room (free some; or wait)", "");
}

TEST(a_message_is_never_empty)
{
	struct err e;

	err_set(&e, CNI_IO_FAILURE, "%s", "\n\n");
	assert_string_equal(e.msg, "failed without a message");
}

TEST(too_long_is_cut_at_a_character)
{
	char text[3000];
	struct err e;

	/* 1022 bytes, then two-byte characters: the second half of one would be the last byte. */
	memset(text, 'x', 1022);
	for (size_t i = 1022; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 3);
	err_set(&e, CNI_IO_FAILURE, "%s", text);
	assert_int_equal(strlen(e.msg), 1022);
	err_details(&e, "%s", text);
	assert_int_equal(strlen(e.details), 1022);
	err_wrap(&e, "w");
	assert_int_equal(strlen(e.msg), 1023);
	assert_memory_equal(e.msg, "w: xxx", 6);
}
