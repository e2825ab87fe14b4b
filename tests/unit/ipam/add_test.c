/* ADD of the IPAM plugin: how an attachment gets its addresses, what is answered, and what becomes
 * of it when nobody takes the answer. Needs nothing. */
#include "run_verb.h"

#include <stdio.h>

#include "base/memory.h"

#define STALE "boot-1"
#define LONG_AGO 1e9
#define JUST_NOW 0.0

#define MINE "net/node-1/pod-a/eth0"
#define ITS_OTHER "net/node-1/pod-a/eth1"
#define NEIGHBOUR "net/node-1/pod-b/eth0"
#define FAR "net/node-2/pod-b/eth0"
#define ASKED "10.0.0.5/24"

static void add(struct verb *v, const char *conf, const char *ipam, const char *args)
{
	verb_run(v, ipam_add, "ADD", conf, ipam, args);
}

TEST(the_answer)
{
	struct verb v = { 0 };

	add(&v, "",
	    "'routes':[{'dst':'0.0.0.0/0','gw':'10.0.0.1'}],'dns':{'search':['example.org']}",
	    "IP=10.0.0.5/24,fd00::5/64;GATEWAY=10.0.0.1;K8S_POD_NAME=web");
	assert_int_equal(v.rc, 0);
	assert_string_equal(
		v.reply.json,
		J("{'cniVersion':'1.1.0','ips':[{'address':'10.0.0.5/24','gateway':'10.0.0.1'},"
		  "{'address':'fd00::5/64'}],'routes':[{'dst':'0.0.0.0/0','gw':'10.0.0.1'}],"
		  "'dns':{'search':['example.org']}}"));
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
	verb_rollback(&v);
	assert_string_equal(strbuf_str(&v.fake.calls), "open insert release");
	assert_int_equal(v.fake.n, 0);
	assert_true(strstr(v.log, "successfully deleted the existing allocation "
				  "for \"pod-a-eth0\": ADD could not be answered"));
	verb_end(&v);
}

TEST(what_was_only_confirmed_is_not_undone)
{
	struct verb v = { 0 };

	fake_holds(&v.fake, "net/node-1/pod-a/eth0", "10.0.0.5/16", STALE, LONG_AGO);
	add(&v, "", "", "IP=10.0.0.5/24;GATEWAY=10.0.0.9");
	assert_string_equal(
		v.reply.json,
		J("{'cniVersion':'1.1.0','ips':[{'address':'10.0.0.5/16','gateway':'10.0.0.9'}]}"));
	assert_true(verb_logged(&v, "\"pod-a-eth0\" holds what it asks for already"));
	assert_false(verb_logged(&v, "recorded"));
	verb_rollback(&v);
	assert_string_equal(strbuf_str(&v.fake.calls), "open insert find confirm");
	verb_end(&v);
}

TEST(an_undo_that_fails_says_what_stays)
{
	struct verb v = { 0 };

	add(&v, "", "", "IP=10.0.0.5/24");
	v.fake.fails = "release";
	verb_rollback(&v);
	assert_true(strstr(
		v.log, "[warning] what this ADD has recorded stays until DEL or GC: no release"));
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
	assert_null(v.reply.json);
	assert_string_equal(strbuf_str(&v.fake.calls), "open insert find close");
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
		"the pod annotation ipam-status-cni/ips (capability "
		"\"io.kubernetes.cri.pod-annotations\"), args.cni.ips, or ipam.addresses; "
		"without asking, one is picked from each set of ipam.ranges");
	verb_end(&v);
}

TEST(routes_and_dns_that_no_result_can_have)
{
	static const struct {
		const char *ipam, *msg;
	} t[] = {
		{ "'routes':[{'dst':'x'}]",
		  "ipam: routes: invalid CIDR address in \"dst\": \"x\"" },
		{ "'dns':{'nameservers':'x'}",
		  "\"ipam.dns.nameservers\" must be a list of strings" },
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

/* ---- the decisions: what is said of them. What they are, allocations_test.c says. ---- */

/* Which functions of the store were called. */
static const char *calls(const struct verb *v)
{
	static const char first[] = "open ", last[] = " close";
	const char *all = strbuf_str(&v->fake.calls) + strlen(first);
	const char *end = strstr(all, last);

	return mem_strndup(all, end ? (size_t)(end - all) : strlen(all));
}

TEST(what_it_holds_comes_before_what_others_hold)
{
	struct verb v = { 0 };

	fake_holds(&v.fake, FAR, ASKED, VERB_BOOT, JUST_NOW);
	fake_holds(&v.fake, MINE, "10.0.0.6/24", VERB_BOOT, JUST_NOW);
	add(&v, "", "", "IP=" ASKED ",10.0.0.7/24");
	assert_int_equal(v.e.code, CNI_ALLOCATION_MISMATCH);
	assert_err(&v.e, CNI_ALLOCATION_MISMATCH,
		   "the attachment \"pod-a\" (eth0) holds 10.0.0.6/24 already",
		   "it asked for 10.0.0.5/24, 10.0.0.7/24: DEL releases what it holds");
	verb_end(&v);
}

/* The pod of a row. */
static void is_pod(struct fake_row *r, const char *pod_namespace, const char *name, const char *uid)
{
	snprintf(r->pod_namespace, sizeof(r->pod_namespace), "%s", pod_namespace);
	snprintf(r->pod_name, sizeof(r->pod_name), "%s", name);
	snprintf(r->pod_uid, sizeof(r->pod_uid), "%s", uid);
}

#define GONE                                                                                       \
	"if that node is gone for good, sql/admin/forget-node.sh \"node-2\" releases what it "     \
	"holds"

TEST(a_holder_is_named_with_what_to_do)
{
	struct verb v = { 0 };

	fake_holds(&v.fake, FAR, ASKED, VERB_BOOT, JUST_NOW);
	add(&v, "", "", "IP=" ASKED);
	assert_err(
		&v.e, CNI_ADDRESS_IN_USE,
		"address 10.0.0.5 is held by \"pod-b\" (eth0) on node \"node-2\" since yesterday",
		GONE);
	verb_end(&v);
}

TEST(a_holder_is_named_by_its_pod_first)
{
	static const struct {
		const char *pod_namespace, *words;
	} t[] = { { "default", "pod default/web" }, { "", "pod web" } };

	for (size_t i = 0; i < COUNT(t); i++) {
		struct verb v = { 0 };

		is_pod(fake_holds(&v.fake, FAR, ASKED, VERB_BOOT, JUST_NOW), t[i].pod_namespace,
		       "web", "");
		add(&v, "", "", "IP=" ASKED);
		assert_err(&v.e, CNI_ADDRESS_IN_USE,
			   mem_printf("address 10.0.0.5 is held by %s on node \"node-2\" since "
				      "yesterday (container pod-b, eth0)",
				      t[i].words),
			   GONE);
		verb_end(&v);
	}
}

TEST(a_neighbour_that_is_alive_needs_no_advice)
{
	struct verb v = { 0 };

	fake_holds(&v.fake, NEIGHBOUR, ASKED, VERB_BOOT, JUST_NOW);
	add(&v, "", "", "IP=" ASKED);
	assert_int_equal(v.e.code, CNI_ADDRESS_IN_USE);
	assert_string_equal(v.e.details, "");
	verb_end(&v);
}

TEST(a_holder_that_the_go_demo_recorded)
{
	struct verb v = { 0 };

	fake_holds(&v.fake, FAR, ASKED, VERB_BOOT, JUST_NOW)->node[0] = '\0';
	add(&v, "", "", "IP=" ASKED);
	assert_err(&v.e, CNI_ADDRESS_IN_USE,
		   "address 10.0.0.5 is held by \"pod-b\" (eth0) on node \"\" since yesterday",
		   "recorded before hosts were: a DEL of that container and interface releases it");
	verb_end(&v);
}

TEST(two_hosts_with_one_name)
{
	struct verb v = { 0 };

	fake_holds(&v.fake, NEIGHBOUR, ASKED, STALE, JUST_NOW);
	add(&v, "", "", "IP=" ASKED);
	assert_err(
		&v.e, CNI_ADDRESS_IN_USE,
		"address 10.0.0.5 is held by \"pod-b\" (eth0) on node \"node-1\" since yesterday",
		"recorded under another boot id, but after this host was started: two hosts share "
		"the name \"node-1\"; give each a \"node\" of its own");
	verb_end(&v);
}

/* Records a row of another boot, long ago, by that machine. */
static struct fake_row *left_by(struct verb *v, const char *whose, const char *machine)
{
	struct fake_row *r = fake_holds(&v->fake, whose, ASKED, STALE, LONG_AGO);

	v->has_machine = true;
	snprintf(r->machine, sizeof(r->machine), "%s", machine);
	return r;
}

TEST(a_copy_of_this_host_is_another_host)
{
	static const char *const whose[] = { NEIGHBOUR, MINE };

	for (size_t i = 0; i < COUNT(whose); i++) {
		struct verb v = { 0 };

		left_by(&v, whose[i], "another-machine");
		add(&v, "", "", "IP=" ASKED);
		assert_int_equal(v.e.code, CNI_ADDRESS_IN_USE);
		assert_string_equal(
			v.e.details,
			"another machine recorded it under the same name: two hosts share the name "
			"\"node-1\"; give each a \"node\" of its own (if the hardware was "
			"replaced: "
			"sql/admin/forget-node.sh --machine)");
		assert_string_equal(calls(&v), "insert find");
		verb_end(&v);
	}
}

TEST(a_copy_of_this_host_with_such_a_container_is_in_the_way_wherever_its_address_is)
{
	static const char *const asks[] = { "", "'ranges':[[{'subnet':'10.1.0.0/24'}]]" };

	for (size_t i = 0; i < COUNT(asks); i++) {
		struct verb v = { 0 };
		struct fake_row *r = fake_holds(&v.fake, MINE, "10.0.0.9/24", STALE, LONG_AGO);

		v.has_machine = true;
		snprintf(r->machine, sizeof(r->machine), "another-machine");
		add(&v, "", asks[i], i == 0 ? "IP=" ASKED : "");
		assert_int_equal(v.e.code, CNI_ADDRESS_IN_USE);
		assert_non_null(strstr(v.e.msg, "10.0.0.9"));
		assert_non_null(strstr(v.e.details, "two hosts share the name"));
		verb_end(&v);
	}
}

TEST(a_machine_that_is_not_known_is_no_other)
{
	static const char *const machines[] = { "", VERB_MACHINE };

	for (size_t i = 0; i < COUNT(machines); i++) {
		struct verb v = { 0 };

		left_by(&v, NEIGHBOUR, machines[i]);
		add(&v, "", "", "IP=" ASKED);
		assert_int_equal(v.rc, 0);
		assert_string_equal(fake_says(&v.fake), "pod-a:10.0.0.5/24");
		assert_string_equal(v.fake.rows[0].machine, VERB_MACHINE);
		verb_end(&v);
	}
}

TEST(a_host_that_was_installed_anew)
{
	struct verb v = { 0 };

	snprintf(left_by(&v, NEIGHBOUR, VERB_MACHINE)->host_id, 64, "its-old-id");
	add(&v, "", "", "IP=" ASKED);
	assert_int_equal(v.e.code, CNI_ADDRESS_IN_USE);
	assert_string_equal(v.e.details,
			    "that host has the name of this one and another machine id: if this "
			    "host was installed anew, sql/admin/forget-node.sh --host-id "
			    "\"its-old-id\" \"node-1\" releases what it held before");
	verb_end(&v);
}

TEST(an_older_sandbox_of_the_same_pod_gives_its_address_back)
{
	struct verb v = { 0 };

	is_pod(fake_holds(&v.fake, NEIGHBOUR, ASKED, VERB_BOOT, 1), "default", "web", "uid-1");
	add(&v, "", "",
	    "IP=" ASKED ";K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;K8S_POD_UID=uid-1");
	assert_int_equal(v.rc, 0);
	assert_string_equal(calls(&v), "insert find take_over");
	assert_string_equal(fake_says(&v.fake), "pod-a:10.0.0.5/24");
	assert_true(verb_logged(&v, "[info] successfully deleted the existing allocation for "
				    "\"pod-b-eth0\": 10.0.0.5 (pod default/web), left by an older "
				    "sandbox of the same pod\n"));
	verb_end(&v);
}

TEST(what_is_no_older_sandbox_of_the_same_pod)
{
	static const struct {
		const char *whose, *uid, *asks, *machine;
		double age;
	} t[] = {
		{ NEIGHBOUR, "uid-1", "uid-2", "", 1 },
		{ NEIGHBOUR, "", "", "", 1 },
		{ NEIGHBOUR, "uid-1", "uid-1", "", -1 }, /* it began later than this call */
		{ NEIGHBOUR, "uid-1", "uid-1", "another-machine", 1 },
		{ FAR, "uid-1", "uid-1", "", 1 },
		{ ITS_OTHER, "uid-1", "uid-1", "", 1 },
		{ "net/node-1/pod-b/eth1", "uid-1", "uid-1", "", 1 },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct verb v = { .has_machine = true };
		struct fake_row *r = fake_holds(&v.fake, t[i].whose, ASKED, VERB_BOOT, t[i].age);

		is_pod(r, "default", "web", t[i].uid);
		snprintf(r->machine, sizeof(r->machine), "%s", t[i].machine);
		add(&v, "", "", mem_printf("IP=" ASKED ";K8S_POD_UID=%s", t[i].asks));
		assert_int_equal(v.e.code, CNI_ADDRESS_IN_USE);
		assert_string_equal(calls(&v), "insert find");
		verb_end(&v);
	}
}

/* The holder goes away between insert and find. */
static void lets_go(struct fake *f, const char *function)
{
	if (strcmp(function, "find") == 0 && f->n == 1)
		fake_drop(f, 0);
}

TEST(a_holder_that_went_away)
{
	struct verb v = { .fake.meanwhile = lets_go };

	fake_holds(&v.fake, FAR, ASKED, VERB_BOOT, JUST_NOW);
	add(&v, "", "", "IP=" ASKED);
	assert_int_equal(v.e.code, 0);
	assert_string_equal(calls(&v), "insert find take_over");
	assert_string_equal(fake_says(&v.fake), "pod-a:10.0.0.5/24");
	verb_end(&v);
}

/* A row that was found to be stale is confirmed by its owner before it is taken over. */
static void comes_back(struct fake *f, const char *function)
{
	if (strcmp(function, "take_over") == 0)
		f->rows[0].age = 0;
}

TEST(a_row_that_changed_since_it_was_found_is_not_taken)
{
	struct verb v = { .fake.meanwhile = comes_back };

	fake_holds(&v.fake, NEIGHBOUR, ASKED, STALE, LONG_AGO);
	add(&v, "", "", "IP=" ASKED);
	assert_int_equal(v.e.code, CNI_ADDRESS_IN_USE);
	assert_string_equal(calls(&v), "insert find take_over find");
	assert_string_equal(fake_says(&v.fake), "pod-b:10.0.0.5/24");
	verb_end(&v);
}

/* GC frees what was found before it is confirmed. */
static void is_collected(struct fake *f, const char *function)
{
	if (strcmp(function, "confirm") == 0 && f->n == 2)
		fake_drop(f, 0);
}

TEST(a_set_that_lost_a_row_is_not_confirmed)
{
	struct verb v = { .fake.meanwhile = is_collected };

	fake_holds(&v.fake, MINE, ASKED, VERB_BOOT, JUST_NOW);
	fake_holds(&v.fake, MINE, "10.0.0.6/24", VERB_BOOT, JUST_NOW);
	add(&v, "", "", "IP=" ASKED ",10.0.0.6/24");
	assert_int_equal(v.e.code, CNI_ALLOCATION_MISMATCH);
	assert_string_equal(calls(&v), "insert find confirm find");
	verb_end(&v);
}

/* Whenever somebody is looked for, nobody is there; otherwise somebody is. */
static void flickers(struct fake *f, const char *function)
{
	if (strcmp(function, "find") == 0)
		f->n = 0;
	else
		f->n = 1;
}

TEST(no_rest_is_an_error_after_five_rounds)
{
	struct verb v = { .fake.meanwhile = flickers };

	fake_holds(&v.fake, FAR, ASKED, VERB_BOOT, JUST_NOW);
	add(&v, "", "", "IP=" ASKED);
	assert_err(&v.e, CNI_TRY_AGAIN_LATER,
		   "the addresses change hands faster than they can be looked at", "");
	assert_string_equal(calls(&v), "insert find take_over find take_over find take_over find "
				       "take_over find take_over");
	verb_end(&v);
}

TEST(a_store_that_fails)
{
	static const struct {
		const char *fails, *whose, *boot_id, *msg;
	} t[] = {
		{ "insert", FAR, VERB_BOOT, "no insert" },
		{ "find", FAR, VERB_BOOT, "no find" },
		{ "confirm", MINE, VERB_BOOT, "no confirm" },
		{ "take_over", NEIGHBOUR, STALE, "no take_over" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct verb v = { .fake.fails = t[i].fails };

		fake_holds(&v.fake, t[i].whose, ASKED, t[i].boot_id, LONG_AGO);
		add(&v, "", "", "IP=" ASKED);
		assert_err(&v.e, CNI_TRY_AGAIN_LATER, t[i].msg, "");
		assert_int_equal(v.fake.n, 1);
		verb_end(&v);
	}
}
