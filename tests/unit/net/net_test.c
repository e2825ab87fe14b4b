/* The net plugin: its configuration and its verbs, with scripts as IPAM plugins. Needs /bin/sh and
 * /proc. */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "make_call.h"
#include "net/net.h"
#include "tmpdir.h"

/* ---- configuration ---- */

static struct net_conf conf;
static struct err error;

/* Reads a configuration for a verb; the error's code, 0: none. `conf` holds until the next one. */
static enum cni_code read_for(const char *command, const char *text)
{
	static struct made_call made;

	error = (struct err){ 0 };
	net_conf_read(make_call(&made, command, J(text), "/"), &conf, &error);
	return error.code;
}

static enum cni_code read_conf(const char *text)
{
	return read_for("ADD", text);
}

TEST(the_ipam_plugin_must_be_named)
{
	assert_int_equal(read_conf("{}"), CNI_INVALID_NETWORK_CONFIG);
	assert_non_null(strstr(error.msg, "no \"ipam\" in the configuration"));
	assert_int_equal(read_conf("{'ipam': null}"), CNI_INVALID_NETWORK_CONFIG);
	assert_int_equal(read_conf("{'ipam': []}"), CNI_INVALID_NETWORK_CONFIG);
	assert_string_equal(error.msg, "\"ipam\" must be an object");
	assert_int_equal(read_conf("{'ipam': 'x'}"), CNI_INVALID_NETWORK_CONFIG);
	assert_int_equal(read_conf("{'ipam': {}}"), CNI_INVALID_NETWORK_CONFIG);
	assert_non_null(strstr(error.msg, "no \"type\" in ipam"));
	assert_int_equal(read_conf("{'ipam': {'type': ''}}"), CNI_INVALID_NETWORK_CONFIG);
	assert_int_equal(read_conf("{'ipam': {'type': 1}}"), CNI_INVALID_NETWORK_CONFIG);
	assert_int_equal(read_conf("{'ipam': {'Type': 'x'}}"), CNI_INVALID_NETWORK_CONFIG);
	assert_int_equal(read_conf("{'ipam': {'type': 'x'}}"), 0);
	assert_string_equal(conf.type, "x");
}

TEST(every_known_key_passes)
{
	assert_int_equal(
		read_conf("{'cniVersion':'1.1.0','cniVersions':['1.1.0'],'name':'n',"
			  "'type':'status-cni','capabilities':{'ips':true},"
			  "'runtimeConfig':{'ips':[]},'args':{'cni':{}},'prevResult':{},"
			  "'ipam':{'type':'x','any':1},'ipMasq':true,'deviceID':'0000:03:02.0',"
			  "'pciBusID':'0000:03:02.0',"
			  "'dns':{'nameservers':[],'domain':'d','search':[],'options':[]},"
			  "'disableCheck':false,'disableGC':true,'loadOnlyInlinedPlugins':true,"
			  "'chained':false,'cni.dev/valid-attachments':[],'cni.dev/x':1}"),
		0);
}

TEST(an_unknown_key_is_named_with_its_values_type)
{
	assert_int_equal(read_conf("{'bridge':'br0','ipam':{'type':'x'}}"), CNI_UNSUPPORTED_FIELD);
	assert_string_equal(error.msg, "unsupported field \"bridge\" (a string)");
	assert_int_equal(read_conf("{'dns':{'server':5},'ipam':{'type':'x'}}"),
			 CNI_UNSUPPORTED_FIELD);
	assert_string_equal(error.msg, "unsupported field \"server\" in dns (a number)");
	assert_int_equal(read_conf("{'Chained':true,'ipam':{'type':'x'}}"), CNI_UNSUPPORTED_FIELD);
	assert_int_equal(read_conf("{'cni.devil':1,'ipam':{'type':'x'}}"), CNI_UNSUPPORTED_FIELD);
}

TEST(the_value_of_an_unknown_key_is_not_shown)
{
	assert_int_equal(read_conf("{'dsn':'postgres://cni:hidden@db','ipam':{'type':'x'}}"),
			 CNI_UNSUPPORTED_FIELD);
	assert_null(strstr(error.msg, "hidden"));
	assert_null(strstr(error.details, "hidden"));
	assert_int_equal(read_conf("{'db':{'a':'hidden'},'ipam':{'type':'x'}}"),
			 CNI_UNSUPPORTED_FIELD);
	assert_null(strstr(error.msg, "hidden"));
}

TEST(an_unknown_key_is_an_error_for_every_verb_but_del)
{
	static const char *const verbs[] = { "ADD", "CHECK", "STATUS", "GC" };
	const char *text = "{'typo':1,'dns':{'typo':1},'ipam':{'type':'x'}}";

	for (size_t i = 0; i < COUNT(verbs); i++)
		assert_int_equal(read_for(verbs[i], text), CNI_UNSUPPORTED_FIELD);
	assert_int_equal(read_for("DEL", text), 0);
	assert_string_equal(conf.type, "x");
}

TEST(a_value_of_the_wrong_type_is_an_error)
{
	static const char *const texts[] = {
		"'chained':1",
		"'chained':'true'",
		"'chained':{}",
		"'dns':[]",
		"'dns':'10.0.0.1'",
		"'dns':{'domain':1}",
		"'dns':{'nameservers':'10.0.0.1'}",
		"'dns':{'search':[1]}",
		"'dns':{'options':{}}",
	};
	char text[128];

	for (size_t i = 0; i < COUNT(texts); i++) {
		snprintf(text, sizeof(text), "{%s,'ipam':{'type':'x'}}", texts[i]);
		print_message("# %s\n", text);
		assert_int_equal(read_conf(text), CNI_INVALID_NETWORK_CONFIG);
	}
	assert_int_equal(read_conf("{'chained':null,'dns':null,'ipam':{'type':'x'}}"), 0);
	assert_false(conf.chained);
}

TEST(dns_keeps_no_pod_from_being_removed)
{
	assert_int_equal(read_for("DEL", "{'dns':5,'ipam':{'type':'x'}}"), 0);
	assert_int_equal(read_for("DEL", "{'chained':5,'ipam':{'type':'x'}}"),
			 CNI_INVALID_NETWORK_CONFIG);
}

TEST(an_empty_dns_says_nothing)
{
	static const char *const empty[] = { "{}", "null", "{'nameservers':[]}",
					     "{'nameservers':[],'domain':'','search':null}" };

	for (size_t i = 0; i < COUNT(empty); i++) {
		const char *text = mem_printf("{'dns':%s,'ipam':{'type':'x'}}", empty[i]);

		assert_int_equal(read_conf(text), 0);
		assert_null(conf.dns);
	}
	assert_int_equal(read_conf("{'dns':{'domain':'d'},'ipam':{'type':'x'}}"), 0);
	assert_non_null(conf.dns);
}

/* The time that the IPAM plugin gets with this JSON value as ipam.timeout. */
static double seconds_with(const char *value)
{
	char text[128];

	snprintf(text, sizeof(text), "{'ipam':{'type':'x','timeout':%s}}", value);
	assert_int_equal(read_conf(text), 0);
	return conf.seconds;
}

TEST(only_a_valid_timeout_replaces_the_verbs_default)
{
	assert_true(seconds_with("0.25") == 0.25);
	assert_true(seconds_with("3600") == 3600);
	assert_true(seconds_with("3600.1") == 10);
	assert_true(seconds_with("0") == 10);
	assert_true(seconds_with("-1") == 10);
	assert_true(seconds_with("'5'") == 10);
	assert_true(seconds_with("null") == 10);
	assert_true(seconds_with("1e999") == 10);
}

/* ---- verbs ---- */

#define IPAM "'ipam':{'type':'ipam'}"
#define FIVE "{'cniVersion':'1.1.0','ips':[{'address':'10.0.0.5/24'}]}"
#define PREV                                                                                       \
	"{'cniVersion':'1.1.0','interfaces':[{'name':'eth0','sandbox':'/x'}],"                     \
	"'ips':[{'address':'10.0.0.9/24','interface':0}],'other':[1,null,'\xc3\xa9']}"

/* What a verb answered. */
struct answered {
	int rc;
	struct cni_reply answer;
	struct err e;
	struct made_call call;
};

/* Makes the IPAM plugin: it notes its verb and then runs `body`, in which `answer` prints this
 * text. */
static void ipam_does(struct tmpdir *b, const char *answer, const char *body)
{
	char script[2048];

	unlink(tmpdir_path(b, "verbs"));
	tmpdir_write(b, "answer", J(answer), 0600);
	snprintf(script, sizeof(script),
		 "answer() { cat $DIR/answer; }\nprintf '%%s ' $CNI_COMMAND >>$DIR/verbs\n%s",
		 body);
	tmpdir_script(b, "ipam", script);
}

static void ipam_answers(struct tmpdir *b, const char *answer)
{
	ipam_does(b, answer, "answer");
}

/* Runs a verb with this configuration. `netns` and `override`: the environment's. */
static struct answered *ask_in(struct tmpdir *b, cni_verb_run *verb, const char *command,
			       enum cni_version version, const char *text, const char *netns,
			       const char *override)
{
	static struct answered a;
	static char variable[64];

	a = (struct answered){ 0 };
	make_call(&a.call, command, J(text), b->dir);
	snprintf(variable, sizeof(variable), "CNI_NETNS_OVERRIDE=%s", override);
	a.call.env[2] = variable;
	a.call.call.netns = netns;
	a.call.call.version = version;
	a.rc = verb(&a.call.call, &a.answer, &a.e);
	return &a;
}

static struct answered *ask(struct tmpdir *b, cni_verb_run *verb, const char *command,
			    enum cni_version version, const char *text)
{
	return ask_in(b, verb, command, version, text, "/no/such/netns", "");
}

static struct answered *ask_add(struct tmpdir *b, const char *text)
{
	return ask(b, net_add, "ADD", CNI_NEWEST, text);
}

static void assert_verbs(struct tmpdir *b, const char *verbs)
{
	assert_string_equal(tmpdir_read(b, "verbs"), verbs);
}

/* An error of our own. */
static void assert_refused(const struct answered *a, int code, const char *words)
{
	assert_int_equal(a->rc, -1);
	assert_int_equal(a->e.code, code);
	if (!strstr(a->e.msg, words))
		fail_msg("\"%s\" is not in \"%s\"", words, a->e.msg);
	assert_null(a->answer.json);
	assert_null(a->answer.context);
}

static void assert_passed_on(const struct answered *a, const char *text)
{
	assert_int_equal(a->rc, 0);
	assert_true(a->answer.is_error);
	assert_string_equal(a->answer.json, J(text));
	assert_null(a->answer.rollback);
}

static void assert_answer(const struct answered *a, const char *json)
{
	assert_int_equal(a->rc, 0);
	assert_false(a->answer.is_error);
	if (!cJSON_Compare(json_of(a->answer.json), json_of(J(json)), true))
		fail_msg("got %s, expected %s", a->answer.json, json);
}

TEST_IN_DIR(add_answers_the_ipam_plugins_addresses)
{
	ipam_answers(*state, FIVE);
	assert_answer(ask_add(*state, "{" IPAM "}"), FIVE);
	assert_verbs(*state, "ADD ");
}

TEST_IN_DIR(an_index_into_nothing_is_not_passed_on)
{
	ipam_answers(*state, "{'ips':[{'address':'10.0.0.5/24','interface':0}]}");
	assert_answer(ask_add(*state, "{" IPAM "}"), FIVE);
}

TEST_IN_DIR(an_answer_that_cannot_be_printed_is_undone)
{
	ipam_answers(*state, FIVE);
	struct answered *a = ask_add(*state, "{" IPAM "}");

	assert_int_equal(a->rc, 0);
	a->answer.rollback(a->answer.context, a->call.call.log);
	assert_verbs(*state, "ADD DEL ");
}

TEST_IN_DIR(an_error_object_is_passed_on_byte_for_byte_after_del)
{
	static const char held[] = " { 'msg':'held', 'code' : 100,'x':1.0}\n\n";

	ipam_does(*state, held, "answer; exit 1");
	assert_passed_on(ask_add(*state, "{" IPAM "}"), held);
	assert_verbs(*state, "ADD DEL ");
}

TEST_IN_DIR(after_101_of_ours_there_is_no_del)
{
	ipam_does(*state, "{'msg':'m','code':1.01e2}", "answer; exit 1");
	assert_int_equal(symlink("ipam", tmpdir_path(*state, "ipam-status-cni")), 0);
	assert_passed_on(ask_add(*state, "{'ipam':{'type':'ipam-status-cni'}}"),
			 "{'msg':'m','code':1.01e2}");
	assert_verbs(*state, "ADD ");
}

TEST_IN_DIR(another_plugins_101_is_an_error_as_any)
{
	ipam_does(*state, "{'msg':'m','code':101}", "answer; exit 1");
	assert_passed_on(ask_add(*state, "{" IPAM "}"), "{'msg':'m','code':101}");
	assert_verbs(*state, "ADD DEL ");
}

TEST_IN_DIR(the_digits_101_elsewhere_are_not_that_error)
{
	ipam_does(*state, "{'code':11,'msg':'\\'code\\':101'}", "answer; exit 1");
	assert_passed_on(ask_add(*state, "{" IPAM "}"), "{'code':11,'msg':'\\'code\\':101'}");
	assert_verbs(*state, "ADD DEL ");
}

/* ADD that fails by what the IPAM plugin does, and is undone. */
struct failure {
	const char *answer, *body;
	int code;
	const char *words;
};

TEST_IN_DIR(every_other_failure_of_add_is_undone)
{
	static const struct failure failures[] = {
		{ "rubbish", "answer", CNI_IO_FAILURE, "no result" },
		{ "", "", CNI_IO_FAILURE, "no result" },
		{ "{'ips':[]}", "answer", CNI_IO_FAILURE, "no address" },
		{ "{'cniVersion':'7.0.0','ips':[{'address':'10.0.0.5/24'}]}", "answer",
		  CNI_IO_FAILURE, "7.0.0" },
		{ FIVE, "answer; exit 1", CNI_IO_FAILURE, "exit status 1" },
		{ FIVE FIVE, "answer", CNI_IO_FAILURE, "no result" },
		{ "{'code':7,'msg':'m'}", "answer", CNI_IO_FAILURE, "exit status 0" },
		{ "", "exit 3", CNI_IO_FAILURE, "exit status 3" },
		{ "", "kill -9 $$", CNI_IO_FAILURE, "signal 9" },
		{ "{'ips':[", "answer; kill -SEGV $$", CNI_IO_FAILURE, "signal 11" },
		{ "", "exec yes", CNI_IO_FAILURE, "too long" },
	};
	char body[512];

	for (size_t i = 0; i < COUNT(failures); i++) {
		const struct failure *f = &failures[i];

		snprintf(body, sizeof(body), "[ $CNI_COMMAND = ADD ] || exit 0\n%s", f->body);
		ipam_does(*state, f->answer, body);
		print_message("# %s: %s\n", f->body, f->answer);
		assert_refused(ask_add(*state, "{" IPAM "}"), f->code, f->words);
		assert_verbs(*state, "ADD DEL ");
	}
}

TEST_IN_DIR(a_hung_add_costs_its_time_and_two_seconds)
{
	int64_t start = monotonic_now();

	ipam_does(*state, "", "sleep 20");
	assert_refused(ask_add(*state, "{'ipam':{'type':'ipam','timeout':0.2}}"),
		       CNI_TRY_AGAIN_LATER, "its time was over");
	assert_verbs(*state, "ADD DEL ");
	assert_true(monotonic_now() - start >= 2200000000 && monotonic_now() - start < 2900000000);
}

TEST_IN_DIR(what_never_started_is_not_undone)
{
	tmpdir_write(*state, "ipam", "\1 no program", 0755);
	assert_refused(ask_add(*state, "{" IPAM "}"), CNI_IO_FAILURE, "cannot run");
	assert_refused(ask_add(*state, "{'ipam':{'type':'none'}}"), CNI_INVALID_NETWORK_CONFIG,
		       "failed to find");
}

/* ---- the network namespace ---- */

/* The error's code of an ADD with that CNI_NETNS and CNI_NETNS_OVERRIDE, 0: none. */
static enum cni_code add_in(struct tmpdir *b, const char *netns, const char *override)
{
	ipam_answers(b, FIVE);
	return ask_in(b, net_add, "ADD", CNI_NEWEST, "{" IPAM "}", netns, override)->e.code;
}

TEST_IN_DIR(our_own_namespace_is_refused_before_anything_is_done)
{
	assert_int_equal(add_in(*state, "/proc/self/ns/net", ""), CNI_INVALID_NETNS);
	assert_verbs(*state, "");
	assert_int_equal(add_in(*state, "/proc/thread-self/ns/net", ""), CNI_INVALID_NETNS);
}

TEST_IN_DIR(del_releases_in_our_own_namespace_as_always)
{
	ipam_answers(*state, FIVE);
	assert_int_equal(ask_in(*state, net_pass_on_unless_chained, "DEL", CNI_NEWEST, "{" IPAM "}",
				"/proc/self/ns/net", "")
				 ->rc,
			 0);
	assert_verbs(*state, "DEL ");
}

TEST_IN_DIR(an_override_allows_it)
{
	assert_int_equal(add_in(*state, "/proc/self/ns/net", "1"), 0);
	assert_int_equal(add_in(*state, "/proc/self/ns/net", "true"), 0);
	assert_int_equal(add_in(*state, "/proc/self/ns/net", "TrUe"), 0);
}

TEST_IN_DIR(nothing_else_allows_it)
{
	assert_int_equal(add_in(*state, "/proc/self/ns/net", "0"), CNI_INVALID_NETNS);
	assert_int_equal(add_in(*state, "/proc/self/ns/net", "yes"), CNI_INVALID_NETNS);
	assert_int_equal(add_in(*state, "/proc/self/ns/net", "11"), CNI_INVALID_NETNS);
	assert_int_equal(add_in(*state, "/proc/self/ns/net", "true "), CNI_INVALID_NETNS);
}

TEST_IN_DIR(another_namespace_is_fine)
{
	assert_int_equal(add_in(*state, "/proc/self/ns/mnt", ""), 0);
	assert_int_equal(add_in(*state, "/dev/null", ""), 0);
}

TEST_IN_DIR(what_is_no_path_is_not_judged)
{
	assert_int_equal(add_in(*state, "/no/such/netns", ""), 0);
	assert_int_equal(add_in(*state, "vm-17", ""), 0);
}

/* ---- prevResult ---- */

TEST_IN_DIR(a_broken_prev_result_is_refused_before_anything_is_done)
{
	ipam_answers(*state, FIVE);
	assert_refused(ask_add(*state, "{'prevResult':{'ips':1}," IPAM "}"),
		       CNI_INVALID_NETWORK_CONFIG, "prevResult");
	assert_refused(ask_add(*state, "{'prevResult':[]," IPAM "}"), CNI_INVALID_NETWORK_CONFIG,
		       "prevResult");
	assert_verbs(*state, "");
}

TEST_IN_DIR(an_index_out_of_range_is_refused_where_it_would_be_answered)
{
	static const struct {
		const char *prev, *words;
	} t[] = {
		{ "'ips':[{'address':'10.0.0.5/24'},{'address':'10.0.0.6/24','interface':0}]",
		  "the \"interface\" of ips[1] is out of range (interfaces: 0)" },
		{ "'interfaces':[{}],'ips':[{'address':'10.0.0.6/24','interface':-1}]",
		  "the \"interface\" of ips[0] is out of range (interfaces: 1)" },
	};

	ipam_answers(*state, FIVE);
	for (size_t i = 0; i < COUNT(t); i++) {
		for (int chained = 0; chained < 2; chained++) {
			const char *text = mem_printf("{'chained':%s,'prevResult':{%s}," IPAM "}",
						      chained ? "true" : "false", t[i].prev);

			assert_refused(ask_add(*state, text), CNI_INVALID_NETWORK_CONFIG,
				       t[i].words);
		}
	}
	assert_verbs(*state, "");
}

TEST_IN_DIR(an_old_version_has_room_for_one_address_a_family)
{
	ipam_answers(*state, "{'ip4':{'ip':'10.0.0.5/24'}}");
	assert_answer(ask(*state, net_add, "ADD", CNI_0_2_0,
			  "{'prevResult':{'ip6':{'ip':'fd00::9/64'}}," IPAM "}"),
		      "{'cniVersion':'0.2.0','ip4':{'ip':'10.0.0.5/24'},"
		      "'ip6':{'ip':'fd00::9/64'}}");
	assert_verbs(*state, "ADD ");
	assert_refused(ask(*state, net_add, "ADD", CNI_0_2_0,
			   "{'prevResult':{'ip4':{'ip':'10.0.0.9/24'}}," IPAM "}"),
		       CNI_INVALID_NETWORK_CONFIG, "");
	assert_verbs(*state, "ADD ADD DEL ");
	assert_refused(ask(*state, net_add, "ADD", CNI_0_1_0,
			   "{'prevResult':{'ip4':{'ip':'10.0.0.9/24'},"
			   "'ip6':{'ip':'fd00::9/64'}}," IPAM "}"),
		       CNI_INVALID_NETWORK_CONFIG, "no room");
	assert_verbs(*state, "ADD ADD DEL ");
}

/* What ADD answers, without its version, if the plugins before have answered `prev` and the IPAM
 * plugin answers `ours`. `dns` is the net plugin's own. */
static void assert_merged(struct tmpdir *b, const char *prev, const char *ours, const char *dns,
			  const char *expected)
{
	struct answered *a;
	cJSON *got;

	ipam_answers(b, ours);
	a = ask_add(b, mem_printf("{'prevResult':%s,'dns':%s," IPAM "}", prev, dns));
	assert_int_equal(a->rc, 0);
	got = json_of(a->answer.json);
	cJSON_DeleteItemFromObject(got, "cniVersion");
	if (!cJSON_Compare(got, json_of(J(expected)), true))
		fail_msg("got %s, expected %s", a->answer.json, expected);
}

TEST_IN_DIR(without_a_prev_result_ours_is_all)
{
	static const char ours[] = "{'ips':[{'address':'10.0.0.5/24','gateway':'10.0.0.1'}],"
				   "'routes':[{'dst':'0.0.0.0/0'}],'dns':{'domain':'d'}}";

	assert_merged(*state, "null", ours, "null", ours);
	assert_merged(*state, "{}", ours, "null", ours);
}

TEST_IN_DIR(what_was_there_stays_and_ours_is_added)
{
	assert_merged(*state,
		      "{'interfaces':[{'name':'br0','mac':'00:00:5e:00:53:01'}],"
		      "'ips':[{'address':'10.0.0.5/24','interface':0}],"
		      "'routes':[{'dst':'0.0.0.0/0','gw':'10.0.0.1'}]}",
		      "{'ips':[{'address':'fd00::5/64'}],'routes':[{'dst':'::/0'}]}", "null",
		      "{'interfaces':[{'name':'br0','mac':'00:00:5e:00:53:01'}],"
		      "'ips':[{'address':'10.0.0.5/24','interface':0},{'address':'fd00::5/64'}],"
		      "'routes':[{'dst':'0.0.0.0/0','gw':'10.0.0.1'},{'dst':'::/0'}]}");
}

#define INTERFACES                                                                                 \
	"'interfaces':[{'name':'eth0'},{'name':'eth0','sandbox':'/other'},"                        \
	"{'name':'eth1','sandbox':'/no/such/netns'},{'name':'eth0','sandbox':'/no/such/netns'}]"

TEST_IN_DIR(our_addresses_get_the_index_of_our_interface)
{
	assert_merged(*state, "{" INTERFACES "}", "{'ips':[{'address':'10.0.0.5/24'}]}", "null",
		      "{" INTERFACES ",'ips':[{'address':'10.0.0.5/24','interface':3}]}");
	assert_merged(*state,
		      "{'interfaces':[{'name':'eth0','sandbox':'/no/such/netns'}],"
		      "'ips':[{'address':'fd00::9/64'}]}",
		      "{'ips':[{'address':'10.0.0.5/24'}]}", "null",
		      "{'interfaces':[{'name':'eth0','sandbox':'/no/such/netns'}],"
		      "'ips':[{'address':'fd00::9/64'},{'address':'10.0.0.5/24','interface':0}]}");
}

TEST_IN_DIR(another_sandboxs_interface_is_not_ours)
{
	assert_merged(*state, "{'interfaces':[{'name':'eth0','sandbox':'/other'}]}",
		      "{'ips':[{'address':'10.0.0.5/24'}]}", "null",
		      "{'interfaces':[{'name':'eth0','sandbox':'/other'}],"
		      "'ips':[{'address':'10.0.0.5/24'}]}");
}

TEST_IN_DIR(the_net_plugins_own_dns_replaces_the_ipam_plugins)
{
	assert_merged(*state, "{}",
		      "{'ips':[{'address':'10.0.0.5/24'}],"
		      "'dns':{'domain':'ipam','nameservers':['10.0.0.2']}}",
		      "{'nameservers':['10.0.0.3']}",
		      "{'ips':[{'address':'10.0.0.5/24'}],'dns':{'nameservers':['10.0.0.3']}}");
}

TEST_IN_DIR(dns_is_added_to_what_was_there)
{
	assert_merged(*state, "{'dns':{'domain':'a','nameservers':['10.0.0.2','10.0.0.3']}}",
		      "{'ips':[{'address':'10.0.0.5/24'}],'dns':{'domain':'b',"
		      "'nameservers':['10.0.0.3','10.0.0.4'],'search':['c']}}",
		      "null",
		      "{'ips':[{'address':'10.0.0.5/24'}],'dns':{'domain':'a',"
		      "'nameservers':['10.0.0.2','10.0.0.3','10.0.0.4'],'search':['c']}}");
}

/* ---- the verbs without output of their own ---- */

static const struct {
	const char *name;
	cni_verb_run *run;
} silent[] = {
	{ "DEL", net_pass_on_unless_chained },
	{ "CHECK", net_pass_on_unless_chained },
	{ "STATUS", net_pass_on },
	{ "GC", net_pass_on },
};

static struct answered *ask_silent(struct tmpdir *b, size_t i, const char *text)
{
	return ask(b, silent[i].run, silent[i].name, CNI_NEWEST, text);
}

TEST_IN_DIR(the_others_answer_what_the_ipam_plugin_answers)
{
	static const char refusal[] = "{'code':4,'msg':'unknown CNI_COMMAND'}\n";

	for (size_t i = 0; i < COUNT(silent); i++) {
		struct answered *a;

		ipam_answers(*state, "whatever");
		a = ask_silent(*state, i, "{" IPAM "}");
		assert_int_equal(a->rc, 0);
		assert_null(a->answer.json);
		ipam_does(*state, refusal, "answer; exit 1");
		assert_passed_on(ask_silent(*state, i, "{" IPAM "}"), refusal);
		assert_verbs(*state, mem_printf("%s ", silent[i].name));
	}
}

TEST_IN_DIR(a_failure_of_the_others_without_an_error_object_is_one)
{
	for (size_t i = 0; i < COUNT(silent); i++) {
		ipam_does(*state, "oops", "answer; exit 1");
		assert_refused(ask_silent(*state, i, "{" IPAM "}"), CNI_IO_FAILURE,
			       "without an error object");
		ipam_answers(*state, "{'code':4,'msg':'m'}");
		assert_refused(ask_silent(*state, i, "{" IPAM "}"), CNI_IO_FAILURE,
			       "exit status 0");
	}
}

/* ---- chained ---- */

#define CHAINED "{'chained':true,"

TEST_IN_DIR(chained_add_answers_prev_result_and_asks_nobody)
{
	ipam_answers(*state, FIVE);
	assert_answer(ask_add(*state, CHAINED "'prevResult':" PREV "," IPAM "}"), PREV);
	assert_refused(ask_add(*state, CHAINED IPAM "}"), CNI_INVALID_NETWORK_CONFIG, "prevResult");
	assert_refused(ask_add(*state, CHAINED "'prevResult':null," IPAM "}"),
		       CNI_INVALID_NETWORK_CONFIG, "prevResult");
	assert_refused(ask_add(*state, CHAINED "'prevResult':7," IPAM "}"),
		       CNI_INVALID_NETWORK_CONFIG, "prevResult");
	assert_verbs(*state, "");
}

TEST_IN_DIR(chained_del_and_check_leave_the_allocation_alone)
{
	ipam_does(*state, "", "exit 1");
	for (size_t i = 0; i < 2; i++) {
		struct answered *a = ask_silent(*state, i, CHAINED IPAM "}");

		assert_int_equal(a->rc, 0);
		assert_null(a->answer.json);
		assert_refused(ask_silent(*state, i, CHAINED "'x':1}"),
			       i ? CNI_UNSUPPORTED_FIELD : CNI_INVALID_NETWORK_CONFIG, "");
	}
	assert_verbs(*state, "");
}

TEST_IN_DIR(chained_status_and_gc_go_to_the_ipam_plugin)
{
	ipam_answers(*state, "");
	assert_int_equal(ask_silent(*state, 2, CHAINED IPAM "}")->rc, 0);
	assert_int_equal(ask_silent(*state, 3, CHAINED IPAM "}")->rc, 0);
	assert_verbs(*state, "STATUS GC ");
}
