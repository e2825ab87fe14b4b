/* What cJSON lets pass. Needs nothing. */
#include "unit.h"

#include <stdlib.h>

#include "base/json.h"

TEST(passes)
{
	static const char *const t[] = { " \t\r\n{}",
					 "{}",
					 "[]",
					 "\"\"",
					 "0",
					 "-0",
					 "10.25",
					 "1e5",
					 "-1.5E-07",
					 "1e+9",
					 "true",
					 "{\"a\":[null,false]}",
					 "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\ude00\"",
					 "\"\xc3\xa9 \x7f\"" };

	for (size_t i = 0; i < COUNT(t); i++) {
		assert_non_null(json_of(t[i]));
	}
}

TEST(refused)
{
	static const struct {
		const char *text, *msg;
	} t[] = {
		{ "01", "invalid character '1' at line 1, column 2" },
		{ "-", "unexpected end of JSON input" },
		{ "-x", "invalid character 'x' at line 1, column 2" },
		{ "1.", "unexpected end of JSON input" },
		{ "1.x", "invalid character 'x' at line 1, column 3" },
		{ "1e", "unexpected end of JSON input" },
		{ "1e+", "unexpected end of JSON input" },
		{ ".5", "invalid character '.' at line 1, column 1" },
		{ "NaN", "invalid character 'N' at line 1, column 1" },
		{ "{'a':1}", "invalid character ''' at line 1, column 2" },
		{ "\"a", "unexpected end of JSON input" },
		{ "\"a\\", "invalid character '\\' at line 1, column 3" },
		{ "\"\\x\"", "invalid character '\\' at line 1, column 2" },
		{ "\"\\u12\"", "invalid character '\\' at line 1, column 2" },
		{ "\"\\u12g4\"", "invalid character '\\' at line 1, column 2" },
		{ "\"\\ud800\"", "invalid character '\\' at line 1, column 2" },
		{ "\"\\ud800\\n\"", "invalid character '\\' at line 1, column 2" },
		{ "\"\\ud800\\ud800\"", "invalid character '\\' at line 1, column 2" },
		{ "\"\\udc00\"", "invalid character '\\' at line 1, column 2" },
		{ "[\n\"a\nb\"]", "invalid character 0x0a at line 2, column 3" },
		{ "\x01{}", "invalid character 0x01 at line 1, column 1" },
		{ "\"\xff\"", "invalid character 0xff at line 1, column 2" },
		{ "\"\xc3", "invalid character 0xc3 at line 1, column 2" },
		{ "\xef\xbb\xbf{}", "invalid character '\xef\xbb\xbf' at line 1, column 1" },
		{ "\xc3\xa9", "invalid character '\xc3\xa9' at line 1, column 1" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		cJSON *value;
		struct err e = { 0 };

		assert_int_equal(json_parse(t[i].text, strlen(t[i].text), &value, &e), -1);
		assert_err(&e, CNI_DECODING_FAILURE, t[i].msg, "");
	}
}

TEST(a_raw_nul_is_refused)
{
	cJSON *value;
	struct err e = { 0 };

	assert_int_equal(json_parse("{}\0", 3, &value, &e), -1);
	assert_err(&e, CNI_DECODING_FAILURE, "invalid character 0x00 at line 1, column 3", "");
	assert_int_equal(json_parse("\"a\0\"", 4, &value, &e), -1);
	assert_err(&e, CNI_DECODING_FAILURE, "invalid character 0x00 at line 1, column 3", "");
	assert_int_equal(json_parse("\"\\\0\"", 4, &value, &e), -1);
	assert_err(&e, CNI_DECODING_FAILURE, "invalid character '\\' at line 1, column 2", "");
}

TEST(depth)
{
	char text[2 * CJSON_NESTING_LIMIT + 2];
	cJSON *value;
	struct err e = { 0 };

	memset(text, '[', sizeof(text));
	assert_int_equal(json_parse(text, CJSON_NESTING_LIMIT, &value, &e), -1);
	assert_err(&e, CNI_DECODING_FAILURE, "unexpected end of JSON input", "");
	assert_int_equal(json_parse(text, CJSON_NESTING_LIMIT + 1, &value, &e), -1);
	assert_err(&e, CNI_DECODING_FAILURE, "exceeded max depth of 1000", "");
	memset(text, ']', sizeof(text));
	assert_int_equal(json_parse(text, sizeof(text), &value, &e), -1);
	assert_err(&e, CNI_DECODING_FAILURE, "invalid character ']' at line 1, column 1", "");
}

TEST(escaped_nul_is_replaced)
{
	static const struct {
		const char *from, *to;
	} t[] = {
		{ "\"a\\u0000b\\u0000\"", "\"a\xef\xbf\xbd"
					  "b\xef\xbf\xbd\"" },
		{ "\"\\\\u0000\"", "\"\\\\u0000\"" },
		{ "\"\\\\\\u0000\"", "\"\\\\\xef\xbf\xbd\"" },
		{ "\"\\u00001\"", "\"\xef\xbf\xbd"
				  "1\"" },
		{ "\"\\u0001\"", "\"\\u0001\"" },
	};

	for (size_t i = 0; i < COUNT(t); i++)
		assert_string_equal(cJSON_PrintUnformatted(json_of(t[i].from)), t[i].to);
}
