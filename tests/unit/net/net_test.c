/* The net plugin's verbs, with scripts as IPAM plugins. Needs /bin/sh. */
#include "make_call.h"
#include "net/net.h"
#include "tmpdir.h"

#define IPAM "\"ipam\":{\"type\":\"ipam\"}"
#define FIVE "{\"cniVersion\":\"1.1.0\",\"ips\":[{\"address\":\"10.0.0.5/24\"}]}"
#define CHAINED "{\"chained\":true,"
#define PREV                                                                                       \
	"{\"cniVersion\":\"1.1.0\",\"interfaces\":[{\"name\":\"eth0\",\"sandbox\":\"/x\"}],"       \
	"\"ips\":[{\"address\":\"10.0.0.9/24\",\"interface\":0}],\"other\":[1,null,\"\xc3\xa9\"]}"

/* What a verb answered. */
struct answered {
	int rc;
	struct cni_reply answer;
	struct err e;
	struct made_call call;
};

/* Makes the IPAM plugin: it notes its verb and then does this. */
static void ipam_does(struct tmpdir *b, const char *body)
{
	char script[2048];

	unlink(tmpdir_path(b, "verbs"));
	snprintf(script, sizeof(script), "printf '%%s ' $CNI_COMMAND >>$DIR/verbs\n%s", body);
	tmpdir_script(b, "ipam", script);
}

static struct answered *ask(struct tmpdir *b, cni_verb_run *verb, const char *command,
			    enum cni_version version, const char *conf)
{
	static struct answered a;

	a = (struct answered){ 0 };
	make_call(&a.call, command, conf, b->dir);
	a.call.call.version = version;
	a.rc = verb(&a.call.call, &a.answer, &a.e);
	return &a;
}

static struct answered *ask_add(struct tmpdir *b, const char *conf)
{
	return ask(b, net_add, "ADD", CNI_NEWEST, conf);
}

static void forget(struct answered *a)
{
	free(a->answer.json);
	if (a->answer.destroy)
		a->answer.destroy(a->answer.context);
	drop_call(&a->call);
}

static void assert_verbs(struct tmpdir *b, const char *verbs)
{
	assert_string_equal(tmpdir_read(b, "verbs"), verbs);
}

/* An error of our own. */
static void assert_refused(struct answered *a, int code, const char *words)
{
	assert_int_equal(a->rc, -1);
	assert_int_equal(a->e.code, code);
	if (!strstr(a->e.msg, words))
		fail_msg("\"%s\" is not in \"%s\"", words, a->e.msg);
	assert_null(a->answer.json);
	assert_null(a->answer.context);
	forget(a);
}

static void assert_passed_on(struct answered *a, const char *error)
{
	assert_int_equal(a->rc, 0);
	assert_true(a->answer.is_error);
	assert_string_equal(a->answer.json, error);
	assert_null(a->answer.rollback);
	forget(a);
}

static void assert_answer(struct answered *a, const char *json)
{
	assert_int_equal(a->rc, 0);
	assert_false(a->answer.is_error);
	cJSON *got = cJSON_Parse(a->answer.json), *wanted = cJSON_Parse(json);

	assert_non_null(wanted);
	if (!cJSON_Compare(got, wanted, true))
		fail_msg("got %s, expected %s", a->answer.json, json);
	cJSON_Delete(got);
	cJSON_Delete(wanted);
	forget(a);
}

TEST_IN_DIR(add_answers_the_ipam_plugins_addresses)
{
	ipam_does(*state, "echo '" FIVE "'");
	assert_answer(ask_add(*state, "{" IPAM "}"), FIVE);
	assert_verbs(*state, "ADD ");
}

TEST_IN_DIR(an_index_into_nothing_is_not_passed_on)
{
	ipam_does(*state, "echo '{\"ips\":[{\"address\":\"10.0.0.5/24\",\"interface\":0}]}'");
	assert_answer(ask_add(*state, "{" IPAM "}"), FIVE);
}

TEST_IN_DIR(an_answer_that_cannot_be_printed_is_undone)
{
	ipam_does(*state, "echo '" FIVE "'");
	struct answered *a = ask_add(*state, "{" IPAM "}");

	assert_int_equal(a->rc, 0);
	a->answer.rollback(a->answer.context, a->call.call.log);
	forget(a);
	assert_verbs(*state, "ADD DEL ");
}

TEST_IN_DIR(an_error_object_is_passed_on_byte_for_byte_after_del)
{
	ipam_does(*state, "printf ' { \"msg\":\"held\", \"code\" : 100,\"x\":1.0}\\n\\n'; exit 1");
	assert_passed_on(ask_add(*state, "{" IPAM "}"),
			 " { \"msg\":\"held\", \"code\" : 100,\"x\":1.0}\n\n");
	assert_verbs(*state, "ADD DEL ");
}

TEST_IN_DIR(after_101_there_is_no_del)
{
	ipam_does(*state, "echo '{\"msg\":\"m\",\"code\":1.01e2}'; exit 1");
	assert_passed_on(ask_add(*state, "{" IPAM "}"), "{\"msg\":\"m\",\"code\":1.01e2}\n");
	assert_verbs(*state, "ADD ");
}

TEST_IN_DIR(the_digits_101_elsewhere_are_not_that_error)
{
	ipam_does(*state, "echo '{\"code\":11,\"msg\":\"\\\"code\\\":101\"}'; exit 1");
	forget(ask_add(*state, "{" IPAM "}"));
	assert_verbs(*state, "ADD DEL ");
}

/* ADD that fails by what the IPAM plugin does, and is undone. */
struct failure {
	const char *body;
	int code;
	const char *words;
};

TEST_IN_DIR(every_other_failure_of_add_is_undone)
{
	static const struct failure failures[] = {
		{ "echo rubbish", CNI_IO_FAILURE, "no result" },
		{ ":", CNI_IO_FAILURE, "no result" },
		{ "echo '{\"ips\":[]}'", CNI_IO_FAILURE, "no address" },
		{ "echo '{\"cniVersion\":\"7.0.0\",\"ips\":[{\"address\":\"10.0.0.5/24\"}]}'",
		  CNI_IO_FAILURE, "7.0.0" },
		{ "echo '" FIVE "'; exit 1", CNI_IO_FAILURE, "exit status 1" },
		{ "echo '" FIVE FIVE "'", CNI_IO_FAILURE, "no result" },
		{ "echo '{\"code\":7,\"msg\":\"m\"}'", CNI_IO_FAILURE, "exit status 0" },
		{ "exit 3", CNI_IO_FAILURE, "exit status 3" },
		{ "kill -9 $$", CNI_IO_FAILURE, "signal 9" },
		{ "printf '{\"ips\":['; kill -SEGV $$", CNI_IO_FAILURE, "signal 11" },
		{ "exec yes", CNI_IO_FAILURE, "too long" },
	};
	char body[512];

	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		snprintf(body, sizeof(body), "[ $CNI_COMMAND = ADD ] || exit 0\n%s",
			 failures[i].body);
		ipam_does(*state, body);
		print_message("# %s\n", failures[i].body);
		assert_refused(ask_add(*state, "{" IPAM "}"), failures[i].code, failures[i].words);
		assert_verbs(*state, "ADD DEL ");
	}
}

TEST_IN_DIR(a_hung_add_costs_its_time_and_two_seconds)
{
	int64_t start = monotonic_now();

	ipam_does(*state, "sleep 20");
	assert_refused(ask_add(*state, "{\"ipam\":{\"type\":\"ipam\",\"timeout\":0.2}}"),
		       CNI_TRY_AGAIN_LATER, "its time was over");
	assert_verbs(*state, "ADD DEL ");
	assert_true(monotonic_now() - start >= 2200000000 && monotonic_now() - start < 2900000000);
}

TEST_IN_DIR(what_never_started_is_not_undone)
{
	tmpdir_write(*state, "ipam", "\1 no program", 0755);
	assert_refused(ask_add(*state, "{" IPAM "}"), CNI_IO_FAILURE, "cannot run");
	assert_refused(ask_add(*state, "{\"ipam\":{\"type\":\"none\"}}"),
		       CNI_INVALID_NETWORK_CONFIG, "failed to find");
}

TEST_IN_DIR(the_own_namespace_is_refused_before_anything_is_done)
{
	struct answered a = { 0 };

	ipam_does(*state, "echo '" FIVE "'");
	make_call(&a.call, "ADD", "{" IPAM "}", ((struct tmpdir *)*state)->dir);
	a.call.call.netns = "/proc/self/ns/net";
	a.rc = net_add(&a.call.call, &a.answer, &a.e);
	assert_refused(&a, CNI_INVALID_NETNS, "CNI_NETNS");
	assert_verbs(*state, "");
	make_call(&a.call, "DEL", "{" IPAM "}", ((struct tmpdir *)*state)->dir);
	a.call.call.netns = "/proc/self/ns/net";
	assert_int_equal(net_del(&a.call.call, &a.answer, &a.e), 0);
	assert_verbs(*state, "DEL "); /* releases as always */
	forget(&a);
}

TEST_IN_DIR(a_prev_result_is_kept)
{
	ipam_does(*state, "echo '" FIVE "'");
	assert_answer(ask_add(*state,
			      "{\"prevResult\":{\"cniVersion\":\"1.1.0\","
			      "\"interfaces\":[{\"name\":\"eth0\",\"sandbox\":\"/no/such/netns\"}],"
			      "\"ips\":[{\"address\":\"fd00::9/64\"}]}," IPAM "}"),
		      "{\"cniVersion\":\"1.1.0\","
		      "\"interfaces\":[{\"name\":\"eth0\",\"sandbox\":\"/no/such/netns\"}],"
		      "\"ips\":[{\"address\":\"fd00::9/64\"},{\"address\":\"10.0.0.5/"
		      "24\",\"interface\":0}]}");
}

TEST_IN_DIR(a_broken_prev_result_is_refused_before_anything_is_done)
{
	ipam_does(*state, "echo '" FIVE "'");
	assert_refused(ask_add(*state, "{\"prevResult\":{\"ips\":1}," IPAM "}"),
		       CNI_INVALID_NETWORK_CONFIG, "prevResult");
	assert_refused(ask_add(*state, "{\"prevResult\":[]," IPAM "}"), CNI_INVALID_NETWORK_CONFIG,
		       "prevResult");
	assert_verbs(*state, "");
}

TEST_IN_DIR(an_old_version_has_room_for_one_address_a_family)
{
	ipam_does(*state, "echo '{\"ip4\":{\"ip\":\"10.0.0.5/24\"}}'");
	assert_answer(ask(*state, net_add, "ADD", CNI_0_2_0,
			  "{\"prevResult\":{\"ip6\":{\"ip\":\"fd00::9/64\"}}," IPAM "}"),
		      "{\"cniVersion\":\"0.2.0\",\"ip4\":{\"ip\":\"10.0.0.5/24\"},"
		      "\"ip6\":{\"ip\":\"fd00::9/64\"}}");
	assert_verbs(*state, "ADD ");
	assert_refused(ask(*state, net_add, "ADD", CNI_0_2_0,
			   "{\"prevResult\":{\"ip4\":{\"ip\":\"10.0.0.9/24\"}}," IPAM "}"),
		       CNI_INVALID_NETWORK_CONFIG, "");
	assert_verbs(*state, "ADD ADD DEL ");
	assert_refused(ask(*state, net_add, "ADD", CNI_0_1_0,
			   "{\"prevResult\":{\"ip4\":{\"ip\":\"10.0.0.9/24\"},"
			   "\"ip6\":{\"ip\":\"fd00::9/64\"}}," IPAM "}"),
		       CNI_INVALID_NETWORK_CONFIG, "no room");
	assert_verbs(*state, "ADD ADD DEL ");
}

/* The verbs without output of their own. */
static const struct {
	const char *name;
	cni_verb_run *run;
} silent[] = {
	{ "DEL", net_del },
	{ "CHECK", net_check },
	{ "STATUS", net_status },
	{ "GC", net_gc },
};

TEST_IN_DIR(the_others_answer_what_the_ipam_plugin_answers)
{
	for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++) {
		struct answered *a;
		char verbs[16];

		ipam_does(*state, "echo whatever");
		a = ask(*state, silent[i].run, silent[i].name, CNI_NEWEST, "{" IPAM "}");
		assert_int_equal(a->rc, 0);
		assert_null(a->answer.json);
		forget(a);
		ipam_does(*state, "echo '{\"code\":4,\"msg\":\"unknown CNI_COMMAND\"}'; exit 1");
		assert_passed_on(
			ask(*state, silent[i].run, silent[i].name, CNI_NEWEST, "{" IPAM "}"),
			"{\"code\":4,\"msg\":\"unknown CNI_COMMAND\"}\n");
		snprintf(verbs, sizeof(verbs), "%s ", silent[i].name);
		assert_verbs(*state, verbs);
	}
}

TEST_IN_DIR(a_failure_of_the_others_without_an_error_object_is_one)
{
	for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++) {
		ipam_does(*state, "echo oops; exit 1");
		assert_refused(ask(*state, silent[i].run, silent[i].name, CNI_NEWEST, "{" IPAM "}"),
			       CNI_IO_FAILURE, "without an error object");
		ipam_does(*state, "echo '{\"code\":4,\"msg\":\"m\"}'");
		assert_refused(ask(*state, silent[i].run, silent[i].name, CNI_NEWEST, "{" IPAM "}"),
			       CNI_IO_FAILURE, "exit status 0");
	}
}

TEST_IN_DIR(chained_add_answers_prev_result_and_asks_nobody)
{
	ipam_does(*state, "echo '" FIVE "'");
	assert_answer(ask_add(*state, CHAINED "\"prevResult\":" PREV "," IPAM "}"), PREV);
	assert_refused(ask_add(*state, CHAINED IPAM "}"), CNI_INVALID_NETWORK_CONFIG, "prevResult");
	assert_refused(ask_add(*state, CHAINED "\"prevResult\":null," IPAM "}"),
		       CNI_INVALID_NETWORK_CONFIG, "prevResult");
	assert_refused(ask_add(*state, CHAINED "\"prevResult\":7," IPAM "}"),
		       CNI_INVALID_NETWORK_CONFIG, "prevResult");
	assert_verbs(*state, "");
}

TEST_IN_DIR(chained_del_and_check_leave_the_allocation_alone)
{
	ipam_does(*state, "exit 1");
	for (size_t i = 0; i < 2; i++) {
		struct answered *a =
			ask(*state, silent[i].run, silent[i].name, CNI_NEWEST, CHAINED IPAM "}");

		assert_int_equal(a->rc, 0);
		assert_null(a->answer.json);
		forget(a);
		assert_refused(
			ask(*state, silent[i].run, silent[i].name, CNI_NEWEST, CHAINED "\"x\":1}"),
			i ? CNI_UNSUPPORTED_FIELD : CNI_INVALID_NETWORK_CONFIG, "");
	}
	assert_verbs(*state, "");
}

TEST_IN_DIR(chained_status_and_gc_go_to_the_ipam_plugin)
{
	ipam_does(*state, "");
	for (size_t i = 2; i < 4; i++) {
		struct answered *a =
			ask(*state, silent[i].run, silent[i].name, CNI_NEWEST, CHAINED IPAM "}");

		assert_int_equal(a->rc, 0);
		forget(a);
	}
	assert_verbs(*state, "STATUS GC ");
}
