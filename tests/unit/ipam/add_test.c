/* ADD of the IPAM plugin, and what becomes of it when nobody takes the answer. Needs nothing. */
#include "run_verb.h"

#define STALE "boot-1"
#define LONG_AGO 1e9

static void add(struct verb *v, const char *conf, const char *ipam, const char *args)
{
	verb_run(v, ipam_add, "ADD", conf, ipam, args);
}

TEST(the_answer)
{
	struct verb v = { 0 };

	add(&v, "",
	    "\"routes\":[{\"dst\":\"0.0.0.0/0\",\"gw\":\"10.0.0.1\"}],"
	    "\"dns\":{\"search\":[\"example.org\"]}",
	    "IP=10.0.0.5/24,fd00::5/64;GATEWAY=10.0.0.1;K8S_POD_NAME=web");
	assert_int_equal(v.rc, 0);
	assert_string_equal(
		v.answer.json,
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

TEST(an_answer_that_could_not_be_given_is_undone)
{
	struct verb v = { 0 };

	add(&v, "", "", "IP=10.0.0.5/24");
	v.answer.rollback(v.answer.context, &v.m.log);
	assert_string_equal(strbuf_str(&v.fake.calls), "open insert release");
	assert_int_equal(v.fake.n, 0);
	assert_true(strstr(
		tmpdir_read(v.box, "log"),
		"successfully deleted the existing allocation for \"pod-a-eth0\": ADD could not "
		"be answered"));
	verb_end(&v);
}

TEST(what_was_only_confirmed_is_not_undone)
{
	struct verb v = { 0 };

	fake_holds(&v.fake, "net/node-1/pod-a/eth0", "10.0.0.5/16", STALE, LONG_AGO);
	add(&v, "", "", "IP=10.0.0.5/24;GATEWAY=10.0.0.9");
	assert_string_equal(
		v.answer.json,
		"{\"cniVersion\":\"1.1.0\",\"ips\":[{\"address\":\"10.0.0.5/16\",\"gateway\":"
		"\"10.0.0.9\"}]}");
	assert_true(verb_logged(&v, "\"pod-a-eth0\" holds what it asks for already"));
	assert_false(verb_logged(&v, "recorded"));
	v.answer.rollback(v.answer.context, &v.m.log);
	assert_string_equal(strbuf_str(&v.fake.calls), "open insert look confirm");
	verb_end(&v);
}

TEST(an_undo_that_fails_says_what_stays)
{
	struct verb v = { 0 };

	add(&v, "", "", "IP=10.0.0.5/24");
	v.fake.fails = "release";
	v.answer.rollback(v.answer.context, &v.m.log);
	assert_true(
		strstr(tmpdir_read(v.box, "log"),
		       "[warning] what this ADD has recorded stays until DEL or GC: no release"));
	verb_end(&v);
}

TEST(a_takeover_is_logged)
{
	struct verb v = { 0 };

	fake_holds(&v.fake, "net/node-1/pod-b/eth1", "10.0.0.5/24", STALE, LONG_AGO);
	add(&v, "", "", "IP=10.0.0.5/24");
	assert_int_equal(v.rc, 0);
	assert_string_equal(fake_says(&v.fake), "pod-a:10.0.0.5/24");
	assert_true(verb_logged(&v,
				"[info] successfully deleted the existing allocation for "
				"\"pod-b-eth1\": 10.0.0.5, left by boot " STALE " of this node"));
	verb_end(&v);
}

TEST(an_address_held_by_another_is_refused)
{
	struct verb v = { 0 };

	fake_holds(&v.fake, "net/node-2/pod-b/eth0", "10.0.0.5/24", STALE, LONG_AGO);
	add(&v, "", "", "IP=10.0.0.5/24");
	assert_int_equal(v.rc, -1);
	assert_int_equal(v.e.code, CNI_ADDRESS_IN_USE);
	assert_null(v.answer.json);
	assert_string_equal(strbuf_str(&v.fake.calls), "open insert look close");
	verb_end(&v);
}

TEST(what_a_failed_claim_has_recorded_is_released)
{
	struct verb v = { 0 };

	v.fake.doubtful = "insert";
	add(&v, "", "", "IP=10.0.0.5/24");
	assert_err(&v.e, CNI_TRY_AGAIN_LATER, "insert is in doubt", "");
	assert_string_equal(strbuf_str(&v.fake.calls), "open insert release close");
	assert_int_equal(v.fake.n, 0);
	verb_end(&v);
}

TEST(refusals_before_the_store_is_asked)
{
	static const struct {
		const char *conf, *ipam, *args, *msg;
		int code;
	} t[] = {
		{ "", "", "", "no address was asked for", CNI_INVALID_NETWORK_CONFIG },
		{ "", "", "IP=,", "no address was asked for", CNI_INVALID_NETWORK_CONFIG },
		{ "", "", "nonsense", "ARGS: invalid pair \"nonsense\"", CNI_INVALID_ENVIRONMENT },
		{ "", "", "IP=127.0.0.1/8", "127.0.0.1/8 is a loopback address",
		  CNI_INVALID_NETWORK_CONFIG },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct verb v = { 0 };

		add(&v, t[i].conf, t[i].ipam, t[i].args);
		assert_int_equal(v.rc, -1);
		assert_int_equal(v.e.code, t[i].code);
		assert_string_equal(v.e.msg, t[i].msg);
		assert_string_equal(strbuf_str(&v.fake.calls), "open close");
		verb_end(&v);
	}
}

TEST(no_address_names_the_ways_to_ask)
{
	struct verb v = { 0 };

	add(&v, "", "", "");
	assert_string_equal(
		v.e.details,
		"ask with CNI_ARGS IP=10.0.0.5/24, with runtimeConfig.ips (capability \"ips\"), "
		"the "
		"pod annotation ipam-status-cni/ips, args.cni.ips, or ipam.addresses");
	verb_end(&v);
}

TEST(routes_and_dns_that_no_result_can_have)
{
	static const struct {
		const char *ipam, *msg;
	} t[] = {
		{ "\"routes\":[{\"dst\":\"x\"}]",
		  "ipam: routes: invalid CIDR address in \"dst\": \"x\"" },
		{ "\"dns\":{\"nameservers\":\"x\"}",
		  "ipam: \"dns.nameservers\" must be a list of strings" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct verb v = { 0 };

		add(&v, "", t[i].ipam, "IP=10.0.0.5/24");
		assert_err(&v.e, CNI_INVALID_NETWORK_CONFIG, t[i].msg, "");
		assert_string_equal(strbuf_str(&v.fake.calls), "");
		verb_end(&v);
	}
}

TEST(the_pod_is_recorded_and_the_last_key_wins)
{
	struct verb v = { 0 };

	add(&v, "", "", "K8S_POD_NAME=a;IP=10.0.0.5/24;K8S_POD_NAME=b;K8S_POD_UID=");
	assert_string_equal(v.fake.rows[0].pod_name, "b");
	verb_end(&v);
	add(&v, "", "", "K8S_POD_NAME=a;IP=10.0.0.5/24;K8S_POD_NAME=");
	assert_string_equal(v.fake.rows[0].pod_name, "");
	verb_end(&v);
}
