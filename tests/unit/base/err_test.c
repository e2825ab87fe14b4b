/* The error, and UTF-8. Needs nothing. */
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

/* ---- UTF-8 ---- */

TEST(characters)
{
	static const struct {
		const char *text;
		size_t len;
	} t[] = {
		{ "a", 1 },
		{ "\x7f", 1 },
		{ "\xc2\x80", 2 },
		{ "\xdf\xbf", 2 },
		{ "\xe0\xa0\x80", 3 },
		{ "\xed\x9f\xbf", 3 },
		{ "\xef\xbf\xbf", 3 },
		{ "\xf0\x90\x80\x80", 4 },
		{ "\xf4\x8f\xbf\xbf", 4 },
		{ "\x80", 0 },             /* a byte that continues nothing */
		{ "\xc0\x80", 0 },         /* overlong */
		{ "\xe0\x9f\xbf", 0 },     /* overlong */
		{ "\xed\xa0\x80", 0 },     /* a surrogate */
		{ "\xf0\x8f\xbf\xbf", 0 }, /* overlong */
		{ "\xf4\x90\x80\x80", 0 }, /* above U+10FFFF */
		{ "\xf5\x80\x80\x80", 0 },
		{ "\xc3", 0 },
		{ "\xe2\x82", 0 },
		{ "\xe2\x82x", 0 },
		{ "\xff", 0 },
	};

	for (size_t i = 0; i < COUNT(t); i++)
		assert_int_equal(utf8_char(t[i].text, strlen(t[i].text)), t[i].len);
}

TEST(nothing_is_read_behind_the_end)
{
	assert_int_equal(utf8_char("\xc3\xa9", 1), 0);
	assert_int_equal(utf8_char("\xf0\x90\x80\x80", 3), 0);
}

TEST(control_characters)
{
	assert_true(utf8_control("\n", 1));
	assert_true(utf8_control("\x7f", 1));
	assert_true(utf8_control("\xc2\x80", 2));
	assert_true(utf8_control("\xc2\x9f", 2));
	assert_false(utf8_control(" ", 1));
	assert_false(utf8_control("\xc2\xa0", 2));
	assert_false(utf8_control("\xc3\x80", 2));
}

TEST(whole_characters)
{
	static const struct {
		const char *text;
		size_t len, whole;
	} t[] = {
		{ "abc", 2, 2 },
		{ "", 0, 0 },
		{ "a\xc3\xa9", 3, 3 },
		{ "a\xc3\xa9", 2, 1 },
		{ "\xe2\x82\xac", 2, 0 },
		{ "x\xf0\x90\x80\x80", 4, 1 },
		{ "x\xf0\x90\x80\x80", 5, 5 },
		{ "\x80\x80\x80\x80", 4, 4 }, /* not a character that was cut */
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		char text[16];

		snprintf(text, sizeof(text), "%s", t[i].text);
		utf8_whole(text, t[i].len);
		assert_int_equal(strlen(text), t[i].whole);
	}
}

TEST(whole_texts)
{
	assert_true(utf8_valid(""));
	assert_true(utf8_valid("caf\xc3\xa9 \n"));
	assert_false(utf8_valid("caf\xc3"));
	assert_false(utf8_valid("\xff"));
}
