/* DEL and GC of the IPAM plugin. Needs nothing. */
#include "run_verb.h"

#include <stdio.h>

#include "base/memory.h"

#define MINE "net/node-1/pod-a/eth0"

TEST(del_releases_what_it_holds_and_logs_it)
{
	struct verb v = { 0 };

	fake_holds(&v.fake, MINE, "10.0.0.5/24", VERB_BOOT, 1);
	fake_holds(&v.fake, "net/node-1/pod-a/eth1", "10.0.0.6/24", VERB_BOOT, 1);
	verb_run(&v, ipam_del, "DEL", "", "", "");
	assert_int_equal(v.rc, 0);
	assert_null(v.reply.json);
	assert_string_equal(fake_says(&v.fake), "pod-a:10.0.0.6/24");
	assert_true(verb_logged(&v, "[info] successfully deleted the existing allocation for "
				    "\"pod-a-eth0\": 10.0.0.5\n"));
	verb_end(&v);
}

TEST(del_of_nothing_is_success)
{
	struct verb v = { 0 };

	verb_run(&v, ipam_del, "DEL", "", "", "nonsense");
	assert_int_equal(v.rc, 0);
	assert_string_equal(strbuf_str(&v.fake.calls), "open del close");
	assert_false(verb_logged(&v, "deleted"));
	verb_end(&v);
}

TEST(del_only_warns_of_what_it_does_not_know)
{
	struct verb v = { 0 };

	verb_run(&v, ipam_del, "DEL", "", "'addreses':7,'ranges':8", "");
	assert_int_equal(v.rc, 0);
	verb_end(&v);
}

TEST(del_needs_no_boot_id)
{
	struct verb v = { 0 };

	verb_run(&v, ipam_del, "DEL", "", "", "");
	v.m.sys.sysroot = "/nonexistent";
	verb_run_again(&v, ipam_del);
	assert_int_equal(v.rc, 0);
	v.m.call.command = "GC";
	verb_run_again(&v, ipam_gc);
	assert_int_equal(v.rc, -1);
	assert_int_equal(v.e.code, CNI_IO_FAILURE);
	verb_end(&v);
}

TEST(a_failed_release_is_an_error)
{
	struct verb del = { 0 }, gc = { 0 };

	del.fake.fails = "del";
	verb_run(&del, ipam_del, "DEL", "", "", "");
	assert_err(&del.e, CNI_TRY_AGAIN_LATER, "no del", "");
	verb_end(&del);
	gc.fake.fails = "gc";
	verb_run(&gc, ipam_gc, "GC", "", "", "");
	assert_err(&gc.e, CNI_TRY_AGAIN_LATER, "no gc", "");
	assert_false(verb_logged(&gc, "deleted"));
	verb_end(&gc);
}

TEST(gc_sends_what_it_validated)
{
	struct verb v = { 0 };

	fake_holds(&v.fake, "net/node-1/pod-b/eth0", "10.0.0.5/24", VERB_BOOT, 8);
	fake_holds(&v.fake, "net/node-2/pod-c/eth0", "10.0.0.6/24", VERB_BOOT, 8);
	verb_run(&v, ipam_gc, "GC",
		 "'cni.dev/valid-attachments':[{'x':1,'ifname':'eth0','containerID':'pod-a'}]",
		 "'gcGracePeriod':7", "");
	assert_int_equal(v.rc, 0);
	assert_string_equal(v.fake.valid, J("[{'containerID':'pod-a','ifname':'eth0'}]"));
	assert_true(v.fake.gc_grace == 7);
	assert_string_equal(fake_says(&v.fake), "pod-c:10.0.0.6/24");
	assert_true(verb_logged(&v, "[info] successfully deleted the existing allocation for "
				    "\"pod-b-eth0\": 10.0.0.5\n"));
	verb_end(&v);
}

TEST(gc_with_a_bad_list_asks_nothing)
{
	struct verb v = { 0 };

	fake_holds(&v.fake, "net/node-1/pod-b/eth0", "10.0.0.5/24", VERB_BOOT, 1);
	verb_run(&v, ipam_gc, "GC", "'cni.dev/valid-attachments':[null]", "", "");
	assert_err(&v.e, CNI_INVALID_NETWORK_CONFIG,
		   "valid attachment 1 is not an object: nothing is released", "");
	assert_string_equal(strbuf_str(&v.fake.calls), "open close");
	assert_int_equal(v.fake.n, 1);
	verb_end(&v);
}

TEST(gc_warns_of_two_hosts_with_one_name)
{
	static const char words[] =
		"[warning] 1 rows of this node, such as \"pod-t-eth0\", are of another boot id but "
		"younger than this boot or of another machine, and stay: two hosts share the name "
		"\"node-1\"; give each a \"node\" of its own (if the hardware was replaced: "
		"sql/admin/forget-node.sh --machine)\n";
	static const struct {
		const char *machine;
		double age;
	} t[] = { { "", 0 }, { "another-machine", 1e9 } };

	for (size_t i = 0; i < COUNT(t); i++) {
		struct verb v = { .has_machine = true };
		struct fake_row *r = fake_holds(&v.fake, "net/node-1/pod-t/eth0", "10.0.0.5/24",
						"boot-1", t[i].age);

		snprintf(r->machine, sizeof(r->machine), "%s", t[i].machine);
		verb_run(&v, ipam_gc, "GC", "", "", "");
		assert_int_equal(v.rc, 0);
		assert_int_equal(v.fake.n, 1);
		assert_true(verb_logged(&v, words));
		verb_end(&v);
	}
}

TEST(gc_warns_of_what_this_machine_holds_under_another_name)
{
	struct verb v = { .has_machine = true };
	struct fake_row *r =
		fake_holds(&v.fake, "net/old-name/pod-b/eth0", "10.0.0.5/24", VERB_BOOT, 1);

	snprintf(r->host_id, sizeof(r->host_id), VERB_ID);
	snprintf(r->machine, sizeof(r->machine), VERB_MACHINE);
	verb_run(&v, ipam_gc, "GC", "", "", "");
	assert_int_equal(v.fake.n, 1);
	assert_true(verb_logged(
		&v, "[warning] this machine recorded 1 rows under another name, such as "
		    "\"old-name\", and they stay: if no host has that name any more, "
		    "sql/admin/forget-node.sh \"old-name\" releases them\n"));
	verb_end(&v);
}

TEST(gc_warns_of_its_name_with_another_machine_id)
{
	struct verb v = { 0 };
	struct fake_row *r =
		fake_holds(&v.fake, "net/node-1/pod-b/eth0", "10.0.0.5/24", VERB_BOOT, 1);

	snprintf(r->host_id, sizeof(r->host_id), "its-old-id");
	verb_run(&v, ipam_gc, "GC", "", "", "");
	assert_int_equal(v.fake.n, 1);
	assert_true(verb_logged(
		&v, "[warning] 1 rows have the name of this host and another machine id, the "
		    "youngest is of yesterday, and they stay: if this host was installed anew, "
		    "sql/admin/forget-node.sh --host-id \"its-old-id\" \"node-1\" releases "
		    "them\n"));
	verb_end(&v);
}

TEST(del_frees_what_this_machine_recorded_under_another_name)
{
	static const struct {
		const char *host_id, *machine;
		size_t left;
	} t[] = {
		{ VERB_ID, VERB_MACHINE, 0 }, { VERB_ID, "another-machine", 1 },
		{ VERB_ID, "", 1 },           { "another-id", VERB_MACHINE, 1 },
		{ "", VERB_MACHINE, 1 }, /* a configured node's */
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct verb v = { .has_machine = true };
		struct fake_row *r = fake_holds(&v.fake, "net/localhost/pod-a/eth0", "10.0.0.5/24",
						VERB_BOOT, 1);

		snprintf(r->host_id, sizeof(r->host_id), "%s", t[i].host_id);
		snprintf(r->machine, sizeof(r->machine), "%s", t[i].machine);
		verb_run(&v, ipam_del, "DEL", "", "", "");
		assert_int_equal(v.rc, 0);
		assert_int_equal(v.fake.n, t[i].left);
		verb_end(&v);
	}
}

TEST(del_leaves_the_rows_of_a_copy_of_this_host)
{
	struct verb v = { .has_machine = true };
	struct fake_row *r = fake_holds(&v.fake, MINE, "10.0.0.5/24", "boot-1", 1e9);

	snprintf(r->machine, sizeof(r->machine), "another-machine");
	verb_run(&v, ipam_del, "DEL", "", "", "");
	assert_int_equal(v.rc, 0);
	assert_int_equal(v.fake.n, 1);
	assert_true(verb_logged(
		&v, "[warning] 1 rows of \"pod-a-eth0\" were recorded by another machine under "
		    "the name of this one, and stay: two hosts share the name \"node-1\"; give "
		    "each a \"node\" of its own\n"));
	verb_end(&v);
}

TEST(a_release_names_the_pod)
{
	struct verb v = { 0 };
	struct fake_row *r = fake_holds(&v.fake, MINE, "10.0.0.5/24", VERB_BOOT, 1);

	snprintf(r->pod_namespace, sizeof(r->pod_namespace), "default");
	snprintf(r->pod_name, sizeof(r->pod_name), "web");
	verb_run(&v, ipam_del, "DEL", "", "", "");
	assert_true(verb_logged(&v, "allocation for \"pod-a-eth0\": 10.0.0.5 (pod default/web)\n"));
	verb_end(&v);
}

TEST(a_server_that_hides_warnings_is_a_warning)
{
	static const char words[] = "[warning] the server hides warnings (client_min_messages): "
				    "nobody could tell a release that was not replicated";
	struct verb del = { 0 }, gc = { 0 };

	del.fake.hides_warnings = gc.fake.hides_warnings = true;
	verb_run(&del, ipam_del, "DEL", "", "", "");
	assert_int_equal(del.rc, 0);
	assert_true(verb_logged(&del, words));
	verb_end(&del);
	verb_run(&gc, ipam_gc, "GC", "", "", "");
	assert_int_equal(gc.rc, 0);
	assert_true(verb_logged(&gc, words));
	verb_end(&gc);
}

/* ---- the list of valid attachments ---- */

#define VALID "'cni.dev/valid-attachments':"
#define OLDER "'cni.dev/attachments':"

/* The list, or the error's code and message. */
static const char *said(const char *conf)
{
	const char *list;
	struct err e = { 0 };

	if (valid_attachments_read(json_of(J(conf)), &list, &e) < 0)
		return mem_printf("%d: %s", (int)e.code, e.msg);
	return list;
}

struct list {
	const char *conf, *said;
};

static void check(const struct list *t, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_string_equal(said(t[i].conf), J(t[i].said));
}

TEST(lists)
{
	static const struct list t[] = {
		{ "{}", "[]" },
		{ "{" VALID "null}", "[]" },
		{ "{" VALID "[]}", "[]" },
		{ "{" OLDER "null}", "[]" },
		{ "{" VALID "[{'containerID':'a','ifname':'eth0'}]}",
		  "[{'containerID':'a','ifname':'eth0'}]" },
		/* of both keys the first counts, also where it says that nothing is valid */
		{ "{" OLDER "[{'containerID':'a','ifname':'eth0'}]}",
		  "[{'containerID':'a','ifname':'eth0'}]" },
		{ "{" VALID "null," OLDER "[{'containerID':'a','ifname':'eth0'}]}", "[]" },
		{ "{" VALID "[]," OLDER "7}", "[]" },
		/* further keys of an entry, and their order, do not matter */
		{ "{" VALID "[{'more':{'ifname':1},'ifname':'','containerID':''}]}",
		  "[{'containerID':'','ifname':''}]" },
		{ "{" VALID "[{'ContainerID':1,'containerID':'\\u00e9\\'','ifname':'x'}]}",
		  "[{'containerID':'\xc3\xa9\\'','ifname':'x'}]" },
	};

	check(t, COUNT(t));
}

#define NOTHING ": nothing is released"
#define GOOD "{'containerID':'a','ifname':'b'}"

TEST(what_could_be_read_in_two_ways_is_refused)
{
	static const struct list t[] = {
		{ "{" VALID "{}}", "7: \"cni.dev/valid-attachments\" is not a list" NOTHING },
		{ "{" VALID "'a'}", "7: \"cni.dev/valid-attachments\" is not a list" NOTHING },
		{ "{" VALID "false}", "7: \"cni.dev/valid-attachments\" is not a list" NOTHING },
		{ "{" OLDER "7}", "7: \"cni.dev/attachments\" is not a list" NOTHING },
		{ "{" VALID "[]," VALID "[" GOOD "]}",
		  "7: \"cni.dev/valid-attachments\" is there twice" NOTHING },
		{ "{" OLDER "[]," OLDER "[]}",
		  "7: \"cni.dev/attachments\" is there twice" NOTHING },
		{ "{" VALID "[null]}", "7: valid attachment 1 is not an object" NOTHING },
		{ "{" VALID "[" GOOD ",[" GOOD "]]}",
		  "7: valid attachment 2 is not an object" NOTHING },
		{ "{" VALID "['a/b']}", "7: valid attachment 1 is not an object" NOTHING },
		{ "{" VALID "[{}]}",
		  "7: valid attachment 1 has no string \"containerID\"" NOTHING },
		{ "{" VALID "[" GOOD ",{'containerID':'a'}]}",
		  "7: valid attachment 2 has no string \"ifname\"" NOTHING },
		{ "{" VALID "[{'containerID':null,'ifname':'b'}]}",
		  "7: valid attachment 1 has no string \"containerID\"" NOTHING },
		{ "{" VALID "[{'containerID':'a','ifname':7}]}",
		  "7: valid attachment 1 has no string \"ifname\"" NOTHING },
		{ "{" VALID "[{'containerId':'a','ifname':'b'}]}",
		  "7: valid attachment 1 has no string \"containerID\"" NOTHING },
		{ "{" VALID "[{'containerID':'a','ifname':'b','containerID':'a'}]}",
		  "7: valid attachment 1 has \"containerID\" twice" NOTHING },
		{ "{" VALID "[{'containerID':'a','ifname':'b','x':1,'y':1,'x':1}]}",
		  "7: valid attachment 1 has \"x\" twice" NOTHING },
		{ "{" VALID "[{'containerID':'a\\u0000b','ifname':'b'}]}",
		  "7: valid attachment 1 has a character that cannot be read" NOTHING },
		{ "{" VALID "[{'containerID':'a','ifname':'\\u0000'}]}",
		  "7: valid attachment 1 has a character that cannot be read" NOTHING },
		{ "{" VALID "[{'containerID':'a','ifname':'b','x':[{'\\u0000':1}]}]}",
		  "7: valid attachment 1 has a character that cannot be read" NOTHING },
	};

	check(t, COUNT(t));
}

#define MANY 100000

TEST(many_entries)
{
	static const char first[] = "[{'containerID':'0','ifname':'eth0'},";
	struct strbuf conf = { 0 };
	struct deadline l = deadline_in(20);
	const char *is;

	arm_watchdog(0, -1, ""); /* which the calls before have armed */
	strbuf_addf(&conf, "{" VALID "[");
	for (int i = 0; i < MANY; i++)
		strbuf_addf(&conf, "%s{'containerID':'%d','ifname':'eth0'}", i ? "," : "", i);
	strbuf_addf(&conf, "]}");
	is = said(strbuf_str(&conf));
	assert_memory_equal(is, J(first), strlen(first));
	assert_int_equal(strlen(is), conf.len - strlen("{" VALID "}"));
	assert_true(emulated() || deadline_left(&l) > 0);
}

TEST(many_keys_in_an_entry)
{
	struct strbuf conf = { 0 };
	struct deadline l = deadline_in(20);
	const char *is;

	strbuf_addf(&conf, "{" VALID "[{'containerID':'a','ifname':'b'");
	for (int i = 0; i < MANY; i++)
		strbuf_addf(&conf, ",'%d':1", i);
	strbuf_addf(&conf, "}]}");
	is = said(strbuf_str(&conf));
	assert_string_equal(is, J("[" GOOD "]"));
	assert_true(emulated() || deadline_left(&l) > 0);
}
