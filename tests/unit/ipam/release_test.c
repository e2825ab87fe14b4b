/* DEL and GC of the IPAM plugin. Needs nothing. */
#include "run_verb.h"

#define MINE "net/node-1/pod-a/eth0"

TEST(del_releases_what_it_holds_and_logs_it)
{
	struct verb v = { 0 };

	fake_holds(&v.fake, MINE, "10.0.0.5/24", VERB_BOOT, 1);
	fake_holds(&v.fake, "net/node-1/pod-a/eth1", "10.0.0.6/24", VERB_BOOT, 1);
	verb_run(&v, ipam_del, "DEL", "", "", "");
	assert_int_equal(v.rc, 0);
	assert_null(v.answer.json);
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

	verb_run(&v, ipam_del, "DEL", "", "\"addreses\":7,\"ranges\":8", "");
	assert_int_equal(v.rc, 0);
	verb_end(&v);
}

TEST(del_needs_no_boot_id)
{
	struct verb v = { 0 };

	verb_run(&v, ipam_del, "DEL", "", "", "");
	v.m.sys.sysroot = "/nonexistent";
	assert_int_equal(ipam_del(&v.m.call, &v.answer, &v.e), 0);
	assert_int_equal(ipam_gc(&v.m.call, &v.answer, &v.e), -1);
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

	fake_holds(&v.fake, "net/node-1/pod-b/eth0", "10.0.0.5/24", VERB_BOOT, 1);
	fake_holds(&v.fake, "net/node-2/pod-c/eth0", "10.0.0.6/24", VERB_BOOT, 1);
	verb_run(&v, ipam_gc, "GC",
		 "\"cni.dev/valid-attachments\":[{\"x\":1,\"ifname\":\"eth0\",\"containerID\":"
		 "\"pod-a\"}]",
		 "\"gcGracePeriod\":7", "");
	assert_int_equal(v.rc, 0);
	assert_string_equal(v.fake.valid, "[{\"containerID\":\"pod-a\",\"ifname\":\"eth0\"}]");
	assert_true(v.fake.grace == 7);
	assert_string_equal(fake_says(&v.fake), "pod-c:10.0.0.6/24");
	assert_true(verb_logged(&v, "[info] successfully deleted the existing allocation for "
				    "\"pod-b-eth0\": 10.0.0.5\n"));
	verb_end(&v);
}

TEST(gc_with_a_bad_list_asks_nothing)
{
	struct verb v = { 0 };

	fake_holds(&v.fake, "net/node-1/pod-b/eth0", "10.0.0.5/24", VERB_BOOT, 1);
	verb_run(&v, ipam_gc, "GC", "\"cni.dev/valid-attachments\":[null]", "", "");
	assert_err(&v.e, CNI_INVALID_NETWORK_CONFIG,
		   "valid attachment 1 is not an object: nothing is released", "");
	assert_string_equal(strbuf_str(&v.fake.calls), "open close");
	assert_int_equal(v.fake.n, 1);
	verb_end(&v);
}

TEST(gc_warns_of_two_hosts_with_one_name)
{
	struct verb v = { 0 };

	fake_holds(&v.fake, "net/node-1/pod-t/eth0", "10.0.0.5/24", "boot-1", 0);
	verb_run(&v, ipam_gc, "GC", "", "", "");
	assert_int_equal(v.rc, 0);
	assert_int_equal(v.fake.n, 1);
	assert_true(verb_logged(
		&v,
		"[warning] 1 rows of this node, such as \"pod-t-eth0\", are of another boot id but "
		"younger than this boot, and stay: two hosts share the name \"node-1\"; give each "
		"a \"node\" of its own"));
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
