/* GC's list of valid attachments. Needs nothing. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/deadline.h"
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

	if (valid_attachments_read(json, &list, &e) < 0 &&
	    asprintf(&list, "%d: %s", (int)e.code, e.msg) < 0)
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
	}
}

TEST(lists)
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

	check(t, COUNT(t));
}

#define NOTHING ": nothing is released"
#define GOOD "{\"containerID\":\"a\",\"ifname\":\"b\"}"

TEST(what_could_be_read_in_two_ways_is_refused)
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

	check(t, COUNT(t));
}

#define MANY 100000

TEST(many_entries)
{
	static const char first[] = "[{\"containerID\":\"0\",\"ifname\":\"eth0\"},";
	struct strbuf conf = { 0 };
	struct deadline l = deadline_in(20);
	char *is;

	strbuf_addf(&conf, "{" VALID "[");
	for (int i = 0; i < MANY; i++)
		strbuf_addf(&conf, "%s{\"containerID\":\"%d\",\"ifname\":\"eth0\"}", i ? "," : "",
			    i);
	strbuf_addf(&conf, "]}");
	is = said(strbuf_str(&conf));
	assert_memory_equal(is, first, strlen(first));
	assert_int_equal(strlen(is), conf.len - strlen("{" VALID "}"));
	assert_true(deadline_left(&l) > 0);
	strbuf_free(&conf);
}

TEST(many_keys_in_an_entry)
{
	struct strbuf conf = { 0 };
	struct deadline l = deadline_in(20);
	char *is;

	strbuf_addf(&conf, "{" VALID "[{\"containerID\":\"a\",\"ifname\":\"b\"");
	for (int i = 0; i < MANY; i++)
		strbuf_addf(&conf, ",\"%d\":1", i);
	strbuf_addf(&conf, "}]}");
	is = said(strbuf_str(&conf));
	assert_string_equal(is, "[" GOOD "]");
	assert_true(deadline_left(&l) > 0);
	strbuf_free(&conf);
}
