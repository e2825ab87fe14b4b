/* Strings that grow, and UTF-8. Needs nothing. */
#include "unit.h"

#include <stdio.h>

#include "base/text.h"

/* ---- a string that grows ---- */

TEST(it_grows)
{
	struct strbuf b = { 0 };

	assert_string_equal(strbuf_str(&b), "");
	for (int i = 0; i < 1000; i++)
		strbuf_addf(&b, "%03d", i);
	assert_int_equal(b.len, 3000);
	assert_int_equal(strlen(strbuf_str(&b)), 3000);
	assert_memory_equal(strbuf_str(&b) + 2997, "999", 4);
}

TEST(items_are_joined)
{
	struct strbuf b = { 0 };

	strbuf_join(&b, ", ", "a");
	strbuf_join(&b, ", ", "b");
	strbuf_join(&b, ",", "c");
	assert_string_equal(strbuf_str(&b), "a, b,c");
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
		assert_int_equal(utf8_whole(text, t[i].len), t[i].whole);
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
