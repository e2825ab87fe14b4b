/* Strict JSON, exact keys, and which keys an object may have. Needs nothing. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"

/* ---- what RFC 8259 forbids ---- */

TEST(allowed)
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

TEST(forbidden)
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

/* ---- parsing and asking ---- */

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
	assert_true(emulated() ||
		    monotonic_now() - start <
			    5 * INT64_C(1000000000)); /* sanitized, on a busy machine */
}

TEST(keys_are_exact_and_the_last_wins)
{
	cJSON *o = json_of("{'a':1,'A':'big','n':null,'a':'last','t':true}");

	assert_string_equal(json_string(o, "a"), "last");
	assert_string_equal(json_string(o, "A"), "big");
	assert_null(json_string(o, "t"));
	assert_true(cJSON_IsTrue(json_get_raw(o, "t")));
	assert_true(cJSON_IsNull(json_get_raw(o, "n")));
	assert_null(json_get(o, "n"));
	assert_null(json_get_raw(o, "b"));
	assert_null(json_get_raw(NULL, "a"));
	assert_null(json_get_raw(json_get_raw(o, "a"), "a"));
}

/* ---- which keys an object may have ---- */

static bool starts_with_x(const char *key)
{
	return key[0] == 'x';
}

static const struct json_key leaf[] = { { "dst", JSON_STRING }, { "mtu", JSON_WHOLE }, { 0 } };

static const struct json_key table[] = {
	{ "type", JSON_STRING },       { "timeout", JSON_NUMBER },
	{ "chained", JSON_BOOL },      { "routes", JSON_OBJECTS, leaf, .answer = true },
	{ "ranges", JSON_LIST, leaf }, { "search", JSON_STRINGS },
	{ "deep", JSON_OBJECT, leaf }, { "any" },
	{ .also = starts_with_x },
};

TEST(right_keys_and_types)
{
	static const char *const t[] = {
		"{'type':'a','timeout':1.5,'chained':false,'any':[{}],'xyz':3}",
		"{'routes':[{'dst':'a','mtu':1500}],'search':['a'],'deep':{'mtu':1}}",
		"{'routes':[],'search':[],'deep':{},'ranges':[[{'mtu':1}],[],1]}",
		"{'type':null,'timeout':null,'chained':null,'routes':null,'deep':null}",
		"{'type':1,'type':'the last one counts'}",
		"{}",
		"[1]",
		"'typo'",
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct err e = { 0 };

		if (json_check(json_of(t[i]), table, "ipam", &(struct json_rules){ 0 }, &e) < 0)
			fail_msg("%s: %s", t[i], e.msg);
	}
}

TEST(wrong_types_are_named_with_their_path)
{
	static const struct {
		const char *object, *path, *msg;
	} t[] = {
		{ "{'type':1}", "", "'type' must be a string" },
		{ "{'type':1}", "ipam", "'ipam.type' must be a string" },
		{ "{'timeout':'1'}", "ipam", "'ipam.timeout' must be a number" },
		{ "{'chained':0}", "", "'chained' must be true or false" },
		{ "{'search':['a',1]}", "dns", "'dns.search' must be a list of strings" },
		{ "{'search':'a'}", "dns", "'dns.search' must be a list of strings" },
		{ "{'routes':{}}", "ipam", "'ipam.routes' must be a list of objects" },
		{ "{'routes':[1]}", "ipam", "'ipam.routes' must be a list of objects" },
		{ "{'routes':[{},{},{'mtu':1.5}]}", "ipam",
		  "'ipam.routes[2].mtu' must be a whole number" },
		{ "{'ranges':{}}", "ipam", "'ipam.ranges' must be a list" },
		{ "{'ranges':[[],[{},{'dst':1}]]}", "ipam",
		  "'ipam.ranges[1][1].dst' must be a string" },
		{ "{'deep':[]}", "", "'deep' must be an object" },
		{ "{'deep':{'mtu':'1'}}", "", "'deep.mtu' must be a whole number" },
	};
	const struct json_rules rules = { .code = CNI_IO_FAILURE };

	for (size_t i = 0; i < COUNT(t); i++) {
		const cJSON *object = json_of(t[i].object);
		struct err e = { 0 };

		assert_int_equal(json_check(object, table, t[i].path, &rules, &e), -1);
		assert_err(&e, CNI_IO_FAILURE, J(t[i].msg), "");
		assert_int_equal(
			json_check(object, table, t[i].path, &(struct json_rules){ 0 }, &e), -1);
		assert_err(&e, CNI_INVALID_NETWORK_CONFIG, J(t[i].msg), "");
	}
}

TEST(whole_numbers)
{
	static const char *const whole[] = { "0", "-1", "1500", "1e3", "999999999999999" };
	static const char *const others[] = { "0.5", "1e15", "1e300", "'1'", "true", "null" };

	for (size_t i = 0; i < COUNT(whole); i++)
		assert_true(json_is_whole(json_of(whole[i])));
	for (size_t i = 0; i < COUNT(others); i++)
		assert_false(json_is_whole(json_of(others[i])));
}

TEST(types_of_the_answer_do_not_matter_where_something_is_released)
{
	const cJSON *object = json_of("{'routes':[{'mtu':'x','dst':1}],'type':'a'}");
	const struct json_rules rules = { .releasing = true };
	struct err e = { 0 };

	assert_int_equal(json_check(object, table, "ipam", &rules, &e), 0);
	object = json_of("{'routes':[{'typo':1}]}");
	assert_int_equal(json_check(object, table, "ipam", &rules, &e), -1);
	assert_int_equal(e.code, CNI_UNSUPPORTED_FIELD);
	object = json_of("{'deep':{'mtu':'x'}}");
	assert_int_equal(json_check(object, table, "ipam", &rules, &e), -1);
	assert_int_equal(e.code, CNI_INVALID_NETWORK_CONFIG);
}

static const struct json_key known[] = { { "type" }, { "node" }, { .also = starts_with_x } };
static const struct json_key outer[] = { { "dns", JSON_ANY, known }, { 0 } };

TEST(unknown_keys)
{
	static const struct {
		const struct json_key *keys;
		const char *object, *path, *msg, *names;
	} t[] = {
		{ known, "{'type':1,'typo':'value'}", "ipam",
		  "unsupported field 'typo' in ipam (a string)", "type, node" },
		{ known, "{'Node':3}", "", "unsupported field 'Node' (a number)", "type, node" },
		{ known, "{'pasword':'s3'}", "ipam",
		  "unsupported field 'pasword' in ipam (a string)", "type, node" },
		{ known, "{'a\\nb':[]}", "dns", "unsupported field 'a b' in dns (a list)",
		  "type, node" },
		{ outer, "{'dns':{'typo':1}}", "ipam",
		  "unsupported field 'typo' in ipam.dns (a number)", "type, node" },
		{ outer, "{'dns':[{},[{'typo':{}}]]}", "",
		  "unsupported field 'typo' in dns[1][0] (an object)", "type, node" },
		{ outer, "{'xyz':true}", "", "unsupported field 'xyz' (true or false)", "dns" },
		{ outer, "{'xyz':null}", "", "unsupported field 'xyz' (null)", "dns" },
		{ outer, "{'xyz':1}", "", "unsupported field 'xyz' (a number)", "dns" },
	};
	char details[128];

	for (size_t i = 0; i < COUNT(t); i++) {
		struct err e = { 0 };

		assert_int_equal(json_check(json_of(t[i].object), t[i].keys, t[i].path,
					    &(struct json_rules){ 0 }, &e),
				 -1);
		snprintf(details, sizeof(details),
			 "remove the key or correct its spelling; known here: %s", t[i].names);
		assert_err(&e, CNI_UNSUPPORTED_FIELD, J(t[i].msg), details);
	}
}

TEST(unknown_keys_of_others_say_nothing)
{
	const cJSON *object = json_of("{'typo':1,'dns':{'typo':2}}");
	struct err e = { 0 };

	assert_int_equal(
		json_check(object, outer, "", &(struct json_rules){ .unknown_allowed = true }, &e),
		0);
}

TEST(unknown_keys_are_warnings_on_del)
{
	const cJSON *object = json_of("{'typo':1,'type':2,'yz':3}");
	struct log log = { .level = LOG_WARNING, .file = -1 };
	const struct json_rules rules = { .warn = &log };
	struct err e = { 0 };
	char text[512];
	ssize_t n;
	int p[2];

	assert_int_equal(pipe(p), 0);
	log.err = p[1];
	assert_int_equal(json_check(object, known, "ipam", &rules, &e), 0);
	n = read(p[0], text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_non_null(strstr(
		text, J("[warning] unsupported field 'typo' in ipam (a number) is ignored")));
	assert_non_null(
		strstr(text, J("[warning] unsupported field 'yz' in ipam (a number) is ignored")));
	assert_null(strstr(text, J("'type'")));
	assert_int_equal(e.code, 0);
	close(p[0]);
	close(p[1]);
}
