/* CHECK of the IPAM plugin. Needs nothing. */
#include "run_verb.h"

#include <stdio.h>

#define PREV(ips) "'prevResult':{'cniVersion':'1.1.0','ips':[" ips "]}"
#define FIVE "{'address':'10.0.0.5/24'}"
#define SIX "{'address':'10.0.0.6/24'}"
#define MINE "net/node-1/pod-a/eth0"
#define FAR "net/node-2/pod-b/eth0"

struct checked {
	const char *whose[2], *held[2]; /* what is recorded */
	const char *conf, *args;
	int code;
	const char *msg;
};

static void check(const struct checked *t)
{
	struct verb v = { 0 };

	for (size_t i = 0; i < 2 && t->whose[i]; i++)
		fake_holds(&v.fake, t->whose[i], t->held[i], VERB_BOOT, 1);
	verb_run(&v, ipam_check, "CHECK", t->conf, "", t->args);
	assert_int_equal(v.rc, t->code ? -1 : 0);
	assert_err(&v.e, t->code, t->msg, "");
	assert_null(v.reply.json);
	verb_end(&v);
}

TEST(what_is_as_it_was)
{
	static const struct checked t[] = {
		{ { MINE }, { "10.0.0.5/24" }, PREV(FIVE), "", 0, "" },
		{ { MINE }, { "10.0.0.5/24" }, PREV(FIVE), "IP=10.0.0.5/24", 0, "" },
		{ { MINE }, { "10.0.0.5/16" }, PREV(FIVE), "IP=10.0.0.5/24", 0, "" },
		/* an address that nobody holds may be another plugin's */
		{ { MINE }, { "10.0.0.5/24" }, PREV(FIVE "," SIX), "", 0, "" },
		/* a reservation that nobody asked about is none of ours */
		{ { MINE, FAR }, { "10.0.0.5/24", "10.0.0.9/24" }, PREV(FIVE), "", 0, "" },
		{ { MINE, "other/node-2/pod-b/eth0" },
		  { "10.0.0.5/24", "10.0.0.6/24" },
		  PREV(FIVE "," SIX),
		  "",
		  0,
		  "" },
	};

	for (size_t i = 0; i < COUNT(t); i++)
		check(&t[i]);
}

TEST(what_differs)
{
	static const struct checked t[] = {
		{ { NULL },
		  { NULL },
		  PREV(FIVE),
		  "",
		  CNI_CHECK_FAILED,
		  "\"pod-a\" (eth0) holds no address of prevResult in network \"net\": 10.0.0.5" },
		{ { NULL },
		  { NULL },
		  PREV(""),
		  "",
		  CNI_CHECK_FAILED,
		  "\"pod-a\" (eth0) holds no address of prevResult in network \"net\": there is "
		  "none" },
		{ { "net/node-1/pod-a/eth1" },
		  { "10.0.0.5/24" },
		  PREV(FIVE),
		  "",
		  CNI_CHECK_FAILED,
		  "address 10.0.0.5 of prevResult is held by \"pod-a\" (eth1) on node \"node-1\" "
		  "since yesterday" },
		{ { MINE, FAR },
		  { "10.0.0.5/24", "10.0.0.6/24" },
		  PREV(FIVE "," SIX),
		  "",
		  CNI_CHECK_FAILED,
		  "address 10.0.0.6 of prevResult is held by \"pod-b\" (eth0) on node \"node-2\" "
		  "since yesterday" },
		{ { MINE, MINE },
		  { "10.0.0.5/24", "10.0.0.6/24" },
		  PREV(FIVE),
		  "",
		  CNI_CHECK_FAILED,
		  "\"pod-a\" (eth0) holds 10.0.0.6, which is not in prevResult" },
		{ { MINE },
		  { "10.0.0.5/24" },
		  PREV(FIVE "," SIX),
		  "IP=10.0.0.6/24",
		  CNI_CHECK_FAILED,
		  "\"pod-a\" (eth0) asks for 10.0.0.6, but does not hold it" },
		{ { MINE, FAR },
		  { "10.0.0.5/24", "10.0.0.6/24" },
		  PREV(FIVE),
		  "IP=10.0.0.6/24",
		  CNI_CHECK_FAILED,
		  "\"pod-a\" (eth0) asks for 10.0.0.6, but does not hold it" },
	};

	for (size_t i = 0; i < COUNT(t); i++)
		check(&t[i]);
}

TEST(what_the_call_must_say)
{
	static const struct checked t[] = {
		{ { NULL },
		  { NULL },
		  "",
		  "",
		  CNI_INVALID_NETWORK_CONFIG,
		  "CHECK needs prevResult, the result of ADD" },
		{ { NULL },
		  { NULL },
		  "'prevResult':null",
		  "",
		  CNI_INVALID_NETWORK_CONFIG,
		  "CHECK needs prevResult, the result of ADD" },
		{ { MINE },
		  { "10.0.0.5/24" },
		  PREV(FIVE),
		  "IP=10.0.0.5",
		  CNI_INVALID_NETWORK_CONFIG,
		  "10.0.0.5 has no prefix length: write it as 10.0.0.5/24 or the like, or add a "
		  "range that holds it to ipam.ranges" },
		{ { MINE },
		  { "10.0.0.5/24" },
		  PREV("{'address':'x'}"),
		  "",
		  CNI_INVALID_NETWORK_CONFIG,
		  "could not parse prevResult: ips: invalid CIDR address in \"address\": \"x\"" },
	};

	for (size_t i = 0; i < COUNT(t); i++)
		check(&t[i]);
}

TEST(a_store_that_fails)
{
	struct verb v = { 0 };

	v.fake.fails = "find";
	verb_run(&v, ipam_check, "CHECK", PREV(FIVE), "", "");
	assert_err(&v.e, CNI_TRY_AGAIN_LATER, "no find", "");
	assert_string_equal(strbuf_str(&v.fake.calls), "open find close");
	verb_end(&v);
}

TEST(what_a_copy_of_this_host_holds_is_held_by_another)
{
	struct verb v = { .has_machine = true };
	struct fake_row *r = fake_holds(&v.fake, MINE, "10.0.0.5/24", "boot-1", 1e9);

	snprintf(r->machine, sizeof(r->machine), "another-machine");
	verb_run(&v, ipam_check, "CHECK", PREV(FIVE), "", "");
	assert_err(&v.e, CNI_CHECK_FAILED,
		   "address 10.0.0.5 of prevResult is held by \"pod-a\" (eth0) on node \"node-1\" "
		   "since yesterday",
		   "");
	verb_end(&v);
}
