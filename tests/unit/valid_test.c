/* GC's list of valid attachments. Needs nothing. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/limit.h"
#include "base/text.h"
#include "ipam/valid.h"

#define VALID "\"cni.dev/valid-attachments\":"
#define OLDER "\"cni.dev/attachments\":"

/* The list, or the error's code and message. The caller's. */
static char *said(const char *conf)
{
	cJSON *json = json_of(conf);
	char *list = NULL;
	struct err e = { 0 };

	if (valid_read(json, &list, &e) < 0 && asprintf(&list, "%d: %s", (int)e.code, e.msg) < 0)
		list = NULL;
	cJSON_Delete(json);
	return list;
}

struct list {
	const char *conf, *said;
};

static void check(const struct list *t, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *is = said(t[i].conf);

		assert_string_equal(is, t[i].said);
		free(is);
	}
}

static void lists(void **state)
{
	static const struct list t[] = {
		{ "{}", "[]" },
		{ "{" VALID "null}", "[]" },
		{ "{" VALID "[]}", "[]" },
		{ "{" OLDER "null}", "[]" },
		{ "{" VALID "[{\"containerID\":\"a\",\"ifname\":\"eth0\"}]}",
			"[{\"containerID\":\"a\",\"ifname\":\"eth0\"}]" },
		/* of both keys the first counts, also where it says that nothing is valid */
		{ "{" OLDER "[{\"containerID\":\"a\",\"ifname\":\"eth0\"}]}",
			"[{\"containerID\":\"a\",\"ifname\":\"eth0\"}]" },
		{ "{" VALID "null," OLDER "[{\"containerID\":\"a\",\"ifname\":\"eth0\"}]}", "[]" },
		{ "{" VALID "[]," OLDER "7}", "[]" },
		/* further keys of an entry, and their order, do not matter */
		{ "{" VALID "[{\"more\":{\"ifname\":1},\"ifname\":\"\",\"containerID\":\"\"}]}",
			"[{\"containerID\":\"\",\"ifname\":\"\"}]" },
		{ "{" VALID
		  "[{\"ContainerID\":1,\"containerID\":\"\\u00e9\\\"\",\"ifname\":\"x\"}]}",
			"[{\"containerID\":\"\xc3\xa9\\\"\",\"ifname\":\"x\"}]" },
	};

	(void)state;
	check(t, COUNT(t));
}

#define NOTHING ": nothing is released"
#define GOOD "{\"containerID\":\"a\",\"ifname\":\"b\"}"

static void what_could_be_read_in_two_ways_is_refused(void **state)
{
	static const struct list t[] = {
		{ "{" VALID "{}}", "7: \"cni.dev/valid-attachments\" is not a list" NOTHING },
		{ "{" VALID "\"a\"}", "7: \"cni.dev/valid-attachments\" is not a list" NOTHING },
		{ "{" VALID "false}", "7: \"cni.dev/valid-attachments\" is not a list" NOTHING },
		{ "{" OLDER "7}", "7: \"cni.dev/attachments\" is not a list" NOTHING },
		{ "{" VALID "[]," VALID "[" GOOD "]}",
			"7: \"cni.dev/valid-attachments\" is there twice" NOTHING },
		{ "{" OLDER "[]," OLDER "[]}",
			"7: \"cni.dev/attachments\" is there twice" NOTHING },
		{ "{" VALID "[null]}", "7: valid attachment 1 is not an object" NOTHING },
		{ "{" VALID "[" GOOD ",[" GOOD "]]}",
			"7: valid attachment 2 is not an object" NOTHING },
		{ "{" VALID "[\"a/b\"]}", "7: valid attachment 1 is not an object" NOTHING },
		{ "{" VALID "[{}]}",
			"7: valid attachment 1 has no string \"containerID\"" NOTHING },
		{ "{" VALID "[" GOOD ",{\"containerID\":\"a\"}]}",
			"7: valid attachment 2 has no string \"ifname\"" NOTHING },
		{ "{" VALID "[{\"containerID\":null,\"ifname\":\"b\"}]}",
			"7: valid attachment 1 has no string \"containerID\"" NOTHING },
		{ "{" VALID "[{\"containerID\":\"a\",\"ifname\":7}]}",
			"7: valid attachment 1 has no string \"ifname\"" NOTHING },
		{ "{" VALID "[{\"containerId\":\"a\",\"ifname\":\"b\"}]}",
			"7: valid attachment 1 has no string \"containerID\"" NOTHING },
		{ "{" VALID "[{\"containerID\":\"a\",\"ifname\":\"b\",\"containerID\":\"a\"}]}",
			"7: valid attachment 1 has \"containerID\" twice" NOTHING },
		{ "{" VALID "[{\"containerID\":\"a\",\"ifname\":\"b\",\"x\":1,\"y\":1,\"x\":1}]}",
			"7: valid attachment 1 has \"x\" twice" NOTHING },
		{ "{" VALID "[{\"containerID\":\"a\\u0000b\",\"ifname\":\"b\"}]}",
			"7: valid attachment 1 has a character that cannot be read" NOTHING },
		{ "{" VALID "[{\"containerID\":\"a\",\"ifname\":\"\\u0000\"}]}",
			"7: valid attachment 1 has a character that cannot be read" NOTHING },
		{ "{" VALID "[{\"containerID\":\"a\",\"ifname\":\"b\",\"x\":[{\"\\u0000\":1}]}]}",
			"7: valid attachment 1 has a character that cannot be read" NOTHING },
	};

	(void)state;
	check(t, COUNT(t));
}

#define MANY 100000

static void many_entries(void **state)
{
	static const char first[] = "[{\"containerID\":\"0\",\"ifname\":\"eth0\"},";
	struct text conf = { 0 };
	struct limit l = limit_in(20);
	char *is;

	(void)state;
	text_add(&conf, "{" VALID "[");
	for (int i = 0; i < MANY; i++)
		text_add(&conf, "%s{\"containerID\":\"%d\",\"ifname\":\"eth0\"}", i ? "," : "", i);
	text_add(&conf, "]}");
	is = said(text_get(&conf));
	assert_memory_equal(is, first, strlen(first));
	assert_int_equal(strlen(is), conf.len - strlen("{" VALID "}"));
	assert_true(limit_left(&l) > 0);
	free(is);
	text_free(&conf);
}

static void many_keys_in_an_entry(void **state)
{
	struct text conf = { 0 };
	struct limit l = limit_in(20);
	char *is;

	(void)state;
	text_add(&conf, "{" VALID "[{\"containerID\":\"a\",\"ifname\":\"b\"");
	for (int i = 0; i < MANY; i++)
		text_add(&conf, ",\"%d\":1", i);
	text_add(&conf, "}]}");
	is = said(text_get(&conf));
	assert_string_equal(is, "[" GOOD "]");
	assert_true(limit_left(&l) > 0);
	free(is);
	text_free(&conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists),
		cmocka_unit_test(what_could_be_read_in_two_ways_is_refused),
		cmocka_unit_test(many_entries),
		cmocka_unit_test(many_keys_in_an_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
