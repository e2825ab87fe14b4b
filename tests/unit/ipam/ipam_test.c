/* What every verb of the IPAM plugin does first. Needs nothing. */
#include "run_verb.h"

#define BOTH (IPAM_NEEDS_NODE | IPAM_NEEDS_BOOT)

/* Seconds from the start of the call to its deadline. */
static double whole_time(const struct verb *v)
{
	return (double)(v->m.deadline.end - v->m.call.started) / 1e9;
}

/* Opens and closes, as a verb. What it has seen of the host goes into the answer. */
static int open_and_close(const struct cni_call *call, struct cni_reply *out, struct err *e)
{
	struct ipam i;
	struct attachment a;
	char *said = NULL;

	if (ipam_open(call, BOTH, &i, e) < 0)
		return -1;
	a = ipam_attachment(call, &i);
	if (asprintf(&said, "%s %s %s %s %s %s", a.network, a.node->name, a.node->host_id, a.pod,
		     a.interface, a.node->boot_id) >= 0)
		out->json = said;
	ipam_close(&i);
	return 0;
}

TEST(a_call_is_opened)
{
	struct verb v = { 0 };

	verb_run(&v, open_and_close, "ADD", "", "\"logLevel\":\"warning\"", "");
	assert_int_equal(v.rc, 0);
	assert_string_equal(v.answer.json, "net node-1  pod-a eth0 " VERB_BOOT);
	assert_string_equal(strbuf_str(&v.fake.calls), "open close");
	assert_int_equal(v.m.log.level, LOG_WARNING);
	assert_string_equal(v.log, ""); /* INVOKED is at info */
	verb_end(&v);
}

/* The deadline keeps time for cancelling and releasing before whoever waits gives up. */
TEST(a_little_of_the_time_is_kept)
{
	static const struct {
		const char *ipam;
		double least, most;
	} t[] = {
		{ "", 9.49, 9.51 }, /* the standard time, 10 s */
		{ "\"timeout\":60", 59.49, 59.51 },
		{ "\"timeout\":2", 1.74, 1.76 },
		{ "\"timeout\":0.1", 0.086, 0.089 },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct verb v = { 0 };

		verb_run(&v, open_and_close, "ADD", "", t[i].ipam, "");
		assert_int_equal(v.rc, 0);
		assert_true(whole_time(&v) > t[i].least && whole_time(&v) < t[i].most);
		verb_end(&v);
	}
}

TEST(what_stops_it_leaves_nothing_open)
{
	static const struct {
		const char *ipam, *fails, *calls;
		int code;
	} t[] = {
		{ "\"hots\":1", NULL, "", CNI_UNSUPPORTED_FIELD },
		{ "\"timeout\":\"x\"", NULL, "", CNI_INVALID_NETWORK_CONFIG },
		{ "\"host\":\"a\",\"user\":\"b\"", "open", "open", CNI_TRY_AGAIN_LATER },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct verb v = { .fake.fails = t[i].fails };

		verb_run(&v, open_and_close, "ADD", "", t[i].ipam, "");
		assert_int_equal(v.rc, -1);
		assert_int_equal(v.e.code, t[i].code);
		assert_string_equal(strbuf_str(&v.fake.calls), t[i].calls);
		verb_end(&v);
	}
}

TEST(a_host_that_nobody_knows)
{
	struct verb v = { 0 };
	cJSON *ipam;

	verb_run(&v, open_and_close, "ADD", "", "", "");
	ipam = cJSON_GetObjectItemCaseSensitive(v.m.conf, "ipam");
	cJSON_DeleteItemFromObjectCaseSensitive(ipam, "node");
	v.answer.json = NULL;
	assert_int_equal(open_and_close(&v.m.call, &v.answer, &v.e), -1);
	assert_int_equal(v.e.code, CNI_INVALID_NETWORK_CONFIG);
	assert_string_equal(strbuf_str(&v.fake.calls), "open close"); /* of the first time */
	verb_end(&v);
}
