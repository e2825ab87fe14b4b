/* ADD of the IPAM plugin, and what becomes of it when nobody takes the answer. Needs nothing. */
#include "verb.h"

#define STALE "boot-1"
#define LONG_AGO 1e9

static void add(struct verb *v, const char *conf, const char *ipam, const char *args)
{
	verb_run(v, ipam_add, "ADD", conf, ipam, args);
}

static void the_answer(void **state)
{
	struct verb v = { 0 };

	(void)state;
	add(&v, "",
		"\"routes\":[{\"dst\":\"0.0.0.0/0\",\"gw\":\"10.0.0.1\"}],"
		"\"dns\":{\"search\":[\"example.org\"]}",
		"IP=10.0.0.5/24,fd00::5/64;GATEWAY=10.0.0.1;K8S_POD_NAME=web");
	assert_int_equal(v.rc, 0);
	assert_string_equal(v.answer.json,
		"{\"cniVersion\":\"1.1.0\",\"ips\":[{\"address\":\"10.0.0.5/24\",\"gateway\":"
		"\"10.0.0.1\"},{\"address\":\"fd00::5/64\"}],\"routes\":[{\"dst\":\"0.0.0.0/0\","
		"\"gw\":\"10.0.0.1\"}],\"dns\":{\"search\":[\"example.org\"]}}");
	assert_string_equal(fake_says(&v.fake), "pod-a:10.0.0.5/24 pod-a:fd00::5/64");
	assert_string_equal(v.fake.rows[0].node, "node-1");
	assert_string_equal(v.fake.rows[0].boot_id, VERB_BOOT);
	assert_string_equal(v.fake.rows[0].pod_name, "web");
	assert_true(
		verb_logged(&v, "[info] INVOKED ADD network=net container=pod-a interface=eth0"));
	assert_true(verb_logged(&v, "[info] recorded 10.0.0.5/24 for \"pod-a-eth0\""));
	assert_true(verb_logged(&v, "[info] recorded fd00::5/64 for \"pod-a-eth0\""));
	verb_end(&v);
}

static void an_answer_that_could_not_be_given_is_undone(void **state)
{
	struct verb v = { 0 };

	(void)state;
	add(&v, "", "", "IP=10.0.0.5/24");
	v.answer.undo(v.answer.context, &v.m.log);
	assert_string_equal(text_get(&v.fake.calls), "open insert release");
	assert_int_equal(v.fake.n, 0);
	assert_true(strstr(box_read(v.box, "log"),
		"successfully deleted the existing allocation for \"pod-a-eth0\": ADD could not "
		"be answered"));
	verb_end(&v);
}

static void what_was_only_confirmed_is_not_undone(void **state)
{
	struct verb v = { 0 };

	(void)state;
	fake_holds(&v.fake, "net/node-1/pod-a/eth0", "10.0.0.5/16", STALE, LONG_AGO);
	add(&v, "", "", "IP=10.0.0.5/24;GATEWAY=10.0.0.9");
	assert_string_equal(v.answer.json,
		"{\"cniVersion\":\"1.1.0\",\"ips\":[{\"address\":\"10.0.0.5/16\",\"gateway\":"
		"\"10.0.0.9\"}]}");
	assert_true(verb_logged(&v, "\"pod-a-eth0\" holds what it asks for already"));
	assert_false(verb_logged(&v, "recorded"));
	v.answer.undo(v.answer.context, &v.m.log);
	assert_string_equal(text_get(&v.fake.calls), "open insert look confirm");
	verb_end(&v);
}

static void an_undo_that_fails_says_what_stays(void **state)
{
	struct verb v = { 0 };

	(void)state;
	add(&v, "", "", "IP=10.0.0.5/24");
	v.fake.fails = "release";
	v.answer.undo(v.answer.context, &v.m.log);
	assert_true(strstr(box_read(v.box, "log"),
		"[warning] what this ADD has recorded stays until DEL or GC: no release"));
	verb_end(&v);
}

static void a_takeover_is_logged(void **state)
{
	struct verb v = { 0 };

	(void)state;
	fake_holds(&v.fake, "net/node-1/pod-b/eth1", "10.0.0.5/24", STALE, LONG_AGO);
	add(&v, "", "", "IP=10.0.0.5/24");
	assert_int_equal(v.rc, 0);
	assert_string_equal(fake_says(&v.fake), "pod-a:10.0.0.5/24");
	assert_true(
		verb_logged(&v, "[info] successfully deleted the existing allocation for "
				"\"pod-b-eth1\": 10.0.0.5, left by boot " STALE " of this node"));
	verb_end(&v);
}

static void an_address_held_by_another_is_refused(void **state)
{
	struct verb v = { 0 };

	(void)state;
	fake_holds(&v.fake, "net/node-2/pod-b/eth0", "10.0.0.5/24", STALE, LONG_AGO);
	add(&v, "", "", "IP=10.0.0.5/24");
	assert_int_equal(v.rc, -1);
	assert_int_equal(v.e.code, CNI_HELD);
	assert_null(v.answer.json);
	assert_string_equal(text_get(&v.fake.calls), "open insert look close");
	verb_end(&v);
}

static void what_a_failed_claim_has_recorded_is_released(void **state)
{
	struct verb v = { 0 };

	(void)state;
	v.fake.doubtful = "insert";
	add(&v, "", "", "IP=10.0.0.5/24");
	assert_err(&v.e, CNI_AGAIN, "insert is in doubt", "");
	assert_string_equal(text_get(&v.fake.calls), "open insert release close");
	assert_int_equal(v.fake.n, 0);
	verb_end(&v);
}

static void refusals_before_the_store_is_asked(void **state)
{
	static const struct {
		const char *conf, *ipam, *args, *msg;
		int code;
	} t[] = {
		{ "", "", "", "no address was asked for", CNI_CONFIG },
		{ "", "", "IP=,", "no address was asked for", CNI_CONFIG },
		{ "", "", "nonsense", "ARGS: invalid pair \"nonsense\"", CNI_ENV },
		{ "", "", "IP=127.0.0.1/8", "127.0.0.1/8 is a loopback address", CNI_CONFIG },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		struct verb v = { 0 };

		add(&v, t[i].conf, t[i].ipam, t[i].args);
		assert_int_equal(v.rc, -1);
		assert_int_equal(v.e.code, t[i].code);
		assert_string_equal(v.e.msg, t[i].msg);
		assert_string_equal(text_get(&v.fake.calls), "open close");
		verb_end(&v);
	}
}

static void no_address_names_the_ways_to_ask(void **state)
{
	struct verb v = { 0 };

	(void)state;
	add(&v, "", "", "");
	assert_string_equal(v.e.details,
		"ask with CNI_ARGS IP=10.0.0.5/24, with runtimeConfig.ips (capability \"ips\"), "
		"the "
		"pod annotation ipam-status-cni/ips, args.cni.ips, or ipam.addresses");
	verb_end(&v);
}

static void routes_and_dns_that_no_result_can_have(void **state)
{
	static const struct {
		const char *ipam, *msg;
	} t[] = {
		{ "\"routes\":[{\"dst\":\"x\"}]",
			"ipam: routes: invalid CIDR address in \"dst\": \"x\"" },
		{ "\"dns\":{\"nameservers\":\"x\"}",
			"ipam: dns: \"nameservers\" is not a list of strings" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		struct verb v = { 0 };

		add(&v, "", t[i].ipam, "IP=10.0.0.5/24");
		assert_err(&v.e, CNI_CONFIG, t[i].msg, "");
		assert_string_equal(text_get(&v.fake.calls), "");
		verb_end(&v);
	}
}

static void the_pod_is_recorded_and_the_last_key_wins(void **state)
{
	struct verb v = { 0 };

	(void)state;
	add(&v, "", "", "K8S_POD_NAME=a;IP=10.0.0.5/24;K8S_POD_NAME=b;K8S_POD_UID=");
	assert_string_equal(v.fake.rows[0].pod_name, "b");
	verb_end(&v);
	add(&v, "", "", "K8S_POD_NAME=a;IP=10.0.0.5/24;K8S_POD_NAME=");
	assert_string_equal(v.fake.rows[0].pod_name, "");
	verb_end(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_answer),
		cmocka_unit_test(an_answer_that_could_not_be_given_is_undone),
		cmocka_unit_test(what_was_only_confirmed_is_not_undone),
		cmocka_unit_test(an_undo_that_fails_says_what_stays),
		cmocka_unit_test(a_takeover_is_logged),
		cmocka_unit_test(an_address_held_by_another_is_refused),
		cmocka_unit_test(what_a_failed_claim_has_recorded_is_released),
		cmocka_unit_test(refusals_before_the_store_is_asked),
		cmocka_unit_test(no_address_names_the_ways_to_ask),
		cmocka_unit_test(routes_and_dns_that_no_result_can_have),
		cmocka_unit_test(the_pod_is_recorded_and_the_last_key_wins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
