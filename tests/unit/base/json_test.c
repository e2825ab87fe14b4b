/* Strict JSON, exact keys, unknown keys. Needs nothing. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/log.h"
#include "base/memory.h"

TEST(parses)
{
	static const struct {
		const char *text, *again;
	} t[] = {
		{ "{}", "{}" },
		{ " [1, 2.5 ,\"x\"]\r\n\t ", "[1,2.5,\"x\"]" },
		{ "{\"a\":{\"b\":[true,false,null]}}", "{\"a\":{\"b\":[true,false,null]}}" },
		{ "\"\\u0000\\\\u0000\"", "\"\xef\xbf\xbd\\\\u0000\"" },
		{ "\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		cJSON *value = json_of(t[i].text);
		char *again = cJSON_PrintUnformatted(value);

		assert_string_equal(again, t[i].again);
		cJSON_Delete(value);
	}
}

TEST(refused)
{
	static const struct {
		const char *text, *msg;
	} t[] = {
		{ "", "unexpected end of JSON input" },
		{ " \n", "unexpected end of JSON input" },
		{ "{", "unexpected end of JSON input" },
		{ "{\"a\":1", "unexpected end of JSON input" },
		{ "{\"a\":", "unexpected end of JSON input" },
		{ "{\"a\":1]", "invalid character ']' at line 1, column 7" },
		{ "{} {}", "invalid character '{' at line 1, column 4" },
		{ "{}x", "invalid character 'x' at line 1, column 3" },
		{ "[1,]", "invalid character ']' at line 1, column 4" },
		{ "[1,\n\n 2 3]", "invalid character '3' at line 3, column 4" },
		{ "{a:1}", "invalid character ':' at line 1, column 3" },
		{ "tru", "invalid character 't' at line 1, column 1" },
		{ "nulll", "invalid character 'l' at line 1, column 5" },
		{ "\"\\u0000\" x", "invalid character 'x' at line 1, column 10" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		cJSON *value = NULL;
		struct err e = { 0 };

		assert_int_equal(json_parse(t[i].text, strlen(t[i].text), &value, &e), -1);
		assert_err(&e, CNI_DECODING_FAILURE, t[i].msg, "");
		assert_null(value);
	}
}

TEST(the_end_needs_no_nul)
{
	static const char two[] = { '{', '}' };
	char *text = mem_new(sizeof(two));
	cJSON *value = NULL;
	struct err e = { 0 };

	memcpy(text, two, sizeof(two));
	assert_int_equal(json_parse(text, 2, &value, &e), 0);
	assert_true(cJSON_IsObject(value));
	cJSON_Delete(value);
}

TEST(a_long_list_is_quick)
{
	enum { ENTRIES = 100000, ENTRY = 100 };
	char *text = mem_new((size_t)ENTRIES * ENTRY + 3);
	size_t len = 1;
	cJSON *value = NULL;
	struct err e = { 0 };
	int64_t start = monotonic_now();

	text[0] = '[';
	for (int i = 0; i < ENTRIES; i++)
		len += (size_t)sprintf(text + len,
				       "%s{\"containerID\":\"%064d\",\"ifname\":\"eth0\"}",
				       i ? "," : "", i);
	text[len++] = ']';
	assert_int_equal(json_parse(text, len, &value, &e), 0);
	assert_int_equal(cJSON_GetArraySize(value), ENTRIES);
	assert_true(monotonic_now() - start <
		    5 * INT64_C(1000000000)); /* sanitized, on a busy machine */
	cJSON_Delete(value);
}

TEST(keys_are_exact_and_the_last_wins)
{
	cJSON *o = json_of("{\"a\":1,\"A\":\"big\",\"n\":null,\"a\":\"last\",\"t\":true}");

	assert_string_equal(json_string(o, "a"), "last");
	assert_string_equal(json_string(o, "A"), "big");
	assert_null(json_string(o, "t"));
	assert_true(cJSON_IsTrue(json_get_raw(o, "t")));
	assert_true(cJSON_IsNull(json_get_raw(o, "n")));
	assert_null(json_get(o, "n"));
	assert_null(json_get_raw(o, "b"));
	assert_null(json_get_raw(NULL, "a"));
	assert_null(json_get_raw(json_get_raw(o, "a"), "a"));
	cJSON_Delete(o);
}

TEST(show)
{
	static const struct {
		const char *key, *value, *shown;
	} t[] = {
		{ "typo", "\"value\"", "\"value\"" },
		{ "typo", "\"a\\nb\"", "\"a\\nb\"" },
		{ "typo", "12", "12" },
		{ "typo", "true", "true" },
		{ "typo", "null", "null" },
		{ "typo", "{\"x\":1}", "an object" },
		{ "typo", "[1]", "a list" },
		{ "passwrod", "\"x\"", "(not shown: it may be a secret)" },
		{ "PASSWORD", "\"x\"", "(not shown: it may be a secret)" },
		{ "pgPwd", "\"x\"", "(not shown: it may be a secret)" },
		{ "clientSecret", "\"x\"", "(not shown: it may be a secret)" },
		{ "ToKeN", "\"x\"", "(not shown: it may be a secret)" },
		{ "sslKey", "1", "(not shown: it may be a secret)" },
		{ "credentials", "{}", "(not shown: it may be a secret)" },
		{ "oauth", "[]", "(not shown: it may be a secret)" },
	};
	char buf[64];

	for (size_t i = 0; i < COUNT(t); i++) {
		cJSON *value = json_of(t[i].value);

		json_redacted(t[i].key, value, buf, sizeof(buf));
		assert_string_equal(buf, t[i].shown);
		cJSON_Delete(value);
	}
}

TEST(show_is_cut_at_a_character)
{
	cJSON *value = json_of("\"abc\xc3\xa9\xc3\xa9\"");
	char buf[6];

	json_redacted("typo", value, buf, sizeof(buf));
	assert_string_equal(buf, "\"abc");
	cJSON_Delete(value);
}

static bool starts_with_x(const char *key)
{
	return key[0] == 'x';
}

static const char *const known[] = { "type", "node", NULL };

TEST(unknown_keys)
{
	static const struct {
		const char *object, *where, *msg;
	} t[] = {
		{ "{\"type\":1,\"node\":2,\"xyz\":3}", "ipam", NULL },
		{ "{}", "ipam", NULL },
		{ "[1]", "ipam", NULL },
		{ "\"typo\"", "ipam", NULL },
		{ "{\"type\":1,\"typo\":\"value\"}", "ipam",
		  "unsupported field \"typo\" in ipam: \"value\"" },
		{ "{\"Node\":3}", "", "unsupported field \"Node\": 3" },
		{ "{\"pasword\":\"s3\"}", "ipam",
		  "unsupported field \"pasword\" in ipam: (not shown: it may be a secret)" },
		{ "{\"a\\nb\":[]}", "dns", "unsupported field \"a b\" in dns: a list" },
	};
	struct json_keys keys = { .known = known, .also = starts_with_x };

	for (size_t i = 0; i < COUNT(t); i++) {
		cJSON *o = json_of(t[i].object);
		struct err e = { 0 };

		assert_int_equal(json_check_keys(o, &keys, t[i].where, NULL, &e),
				 t[i].msg ? -1 : 0);
		if (t[i].msg)
			assert_err(
				&e, CNI_UNSUPPORTED_FIELD, t[i].msg,
				"remove the key or correct its spelling; known here: type, node");
		cJSON_Delete(o);
	}
}

TEST(unknown_keys_are_warnings_on_del)
{
	struct json_keys keys = { .known = known };
	cJSON *o = json_of("{\"typo\":1,\"type\":2,\"xyz\":3}");
	struct err e = { 0 };
	char text[512];
	ssize_t n;
	int p[2];
	struct log log = { .level = LOG_WARNING, .file = -1 };

	assert_int_equal(pipe(p), 0);
	log.err = p[1];
	assert_int_equal(json_check_keys(o, &keys, "ipam", &log, &e), 0);
	n = read(p[0], text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_non_null(strstr(text, "[warning] unsupported field \"typo\" in ipam: 1; "));
	assert_non_null(strstr(text, "[warning] unsupported field \"xyz\" in ipam: 3; "));
	assert_null(strstr(text, "\"type\""));
	assert_int_equal(e.code, 0);
	close(p[0]);
	close(p[1]);
	cJSON_Delete(o);
}
