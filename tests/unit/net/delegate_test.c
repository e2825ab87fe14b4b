/* Finding the IPAM plugin, running it, judging what it answered. Needs /bin/sh. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "make_call.h"
#include "net/net.h"
#include "tmpdir.h"

/* ---- find ---- */

/* Looks for `type` in `path`, where @ stands for the directory. Returns what was found, or the
 * error's message. */
static const char *find(struct tmpdir *b, const char *type, const char *path)
{
	static char answer[1100];
	static struct err e;
	char dirs[512] = "";
	struct made_call m;
	struct delegate *found;

	for (const char *c = path; *c; c++) {
		size_t len = strlen(dirs);

		snprintf(dirs + len, sizeof(dirs) - len, *c == '@' ? "%s" : "%.1s",
			 *c == '@' ? b->dir : c);
	}
	e = (struct err){ 0 };
	found = delegate_find(make_call(&m, "ADD", "{}", dirs), type, 1, &e);
	if (!found)
		assert_int_equal(e.code, CNI_INVALID_NETWORK_CONFIG);
	snprintf(answer, sizeof(answer), "%s", found ? found->path : e.msg);
	return answer;
}

static int prepare(void **state)
{
	int failed = tmpdir_open(state);

	tmpdir_script(*state, "ipam", "");
	tmpdir_write(*state, "plain", "text", 0644);
	mkdir(tmpdir_path(*state, "directory"), 0755);
	mkdir(tmpdir_path(*state, "second"), 0755);
	tmpdir_script(*state, "second/ipam", "");
	tmpdir_script(*state, "second/plain", "");
	return failed;
}

static void assert_found(struct tmpdir *b, const char *type, const char *path, const char *file)
{
	assert_string_equal(find(b, type, path), tmpdir_path(b, file));
}

TEST_WITH(the_first_directory_that_has_it_wins, prepare, tmpdir_close)
{
	assert_found(*state, "ipam", "@", "ipam");
	assert_found(*state, "ipam", "@/second:@", "second/ipam");
	assert_found(*state, "ipam", "@:@/second", "ipam");
}

TEST_WITH(empty_and_missing_entries_are_skipped, prepare, tmpdir_close)
{
	assert_found(*state, "ipam", ":@", "ipam");
	assert_found(*state, "ipam", "::/no/such/directory:@::", "ipam");
}

TEST_WITH(an_empty_entry_is_not_the_working_directory, prepare, tmpdir_close)
{
	struct tmpdir *b = *state;

	assert_int_equal(chdir(b->dir), 0);
	assert_string_equal(find(b, "ipam", ":"), "failed to find plugin \"ipam\" in path []");
	assert_string_equal(find(b, "ipam", "."), "./ipam");
	assert_int_equal(chdir("/"), 0);
}

TEST_WITH(only_an_executable_file_counts, prepare, tmpdir_close)
{
	assert_found(*state, "plain", "@:@/second", "second/plain");
	assert_non_null(strstr(find(*state, "plain", "@"), "failed to find plugin \"plain\""));
	assert_non_null(strstr(find(*state, "directory", "@"), "failed to find"));
	assert_non_null(strstr(find(*state, "..", "@/second"), "failed to find"));
}

TEST_WITH(what_was_searched_is_named, prepare, tmpdir_close)
{
	assert_string_equal(find(*state, "none", "/no/such:/dev::/proc"),
			    "failed to find plugin \"none\" in path [/no/such, /dev, /proc]");
}

TEST_WITH(a_path_is_no_name, prepare, tmpdir_close)
{
	assert_string_equal(find(*state, "/bin/true", "@"),
			    "\"type\" in ipam is \"/bin/true\": it must be a name without '/'");
	assert_non_null(strstr(find(*state, "second/ipam", "@"), "without '/'"));
	assert_non_null(strstr(find(*state, "../ipam", "@/second"), "without '/'"));
}

TEST_WITH(the_net_plugin_is_no_ipam_plugin, prepare, tmpdir_close)
{
	struct tmpdir *b = *state;
	char self[256];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	assert_true(n > 0);
	self[n] = '\0';
	tmpdir_script(b, "status-cni", "");
	assert_int_equal(symlink(self, tmpdir_path(b, "alias")), 0);
	assert_non_null(strstr(find(b, "status-cni", "@"), "the net plugin itself"));
	if (!emulated()) /* where /proc/self/exe is the emulator */
		assert_non_null(strstr(find(b, "alias", "@"), "the net plugin itself"));
}

/* ---- judge ---- */

#define RESULT "{'cniVersion':'1.1.0','ips':[{'address':'10.0.0.5/24','interface':7}]}"
#define ERROR "{'cniVersion':'1.1.0','code':100,'msg':'held','details':''}"
#define UNEXPLAINED "without an error object"

/* One judgement: `code` is 0 for a success, the error object's, or minus that of an error of ours.
 */
struct row {
	enum child_end end;
	int status;
	const char *output;
	int code;
	const char *words;
};

static const struct row rows[] = {
	{ CHILD_EXITED, 0, RESULT, 0, "" },
	{ CHILD_EXITED, 0, "", 0, "" },
	{ CHILD_EXITED, 0, "rubbish", 0, "" },
	{ CHILD_EXITED, 1, ERROR, 100, "" },
	{ CHILD_EXITED, 1, " \n" ERROR "\n\n", 100, "" },
	{ CHILD_EXITED, 77, ERROR, 100, "" },
	{ CHILD_EXITED, 1, "{'code':0,'msg':''}", 0, "" },
	{ CHILD_EXITED, 1, "{'code':4294967295,'msg':'m','details':null}", -1, "" },
	{ CHILD_SIGNALED, SIGABRT, ERROR, 100, "" },
	{ CHILD_EXITED, 0, ERROR, -CNI_IO_FAILURE, "error object with exit status 0" },
	{ CHILD_EXITED, 1, RESULT, -CNI_IO_FAILURE,
	  "ended with exit status 1, without an error object" },
	{ CHILD_EXITED, 1, "", -CNI_IO_FAILURE, "exit status 1" },
	{ CHILD_EXITED, 127, "rubbish", -CNI_IO_FAILURE, "exit status 127" },
	{ CHILD_EXITED, 1, ERROR ERROR, -CNI_IO_FAILURE, UNEXPLAINED },
	{ CHILD_EXITED, 1, ERROR "x", -CNI_IO_FAILURE, UNEXPLAINED },
	{ CHILD_EXITED, 1, "[" ERROR "]", -CNI_IO_FAILURE, UNEXPLAINED },
	{ CHILD_EXITED, 1, "{'msg':'m'}", -CNI_IO_FAILURE, UNEXPLAINED },
	{ CHILD_EXITED, 1, "{'code':11}", -CNI_IO_FAILURE, UNEXPLAINED },
	{ CHILD_EXITED, 1, "{'code':'11','msg':'m'}", -CNI_IO_FAILURE, UNEXPLAINED },
	{ CHILD_EXITED, 1, "{'code':-1,'msg':'m'}", -CNI_IO_FAILURE, UNEXPLAINED },
	{ CHILD_EXITED, 1, "{'code':1.5,'msg':'m'}", -CNI_IO_FAILURE, UNEXPLAINED },
	{ CHILD_EXITED, 1, "{'code':1e99,'msg':'m'}", -CNI_IO_FAILURE, UNEXPLAINED },
	{ CHILD_EXITED, 1, "{'code':7,'msg':{}}", -CNI_IO_FAILURE, UNEXPLAINED },
	{ CHILD_EXITED, 1, "{'code':7,'msg':'m','details':[]}", -CNI_IO_FAILURE, UNEXPLAINED },
	{ CHILD_EXITED, 1, "{'Code':7,'msg':'m'}", -CNI_IO_FAILURE, UNEXPLAINED },
	{ CHILD_EXITED, 1, "{'code':7,'msg':'\xff'}", -CNI_IO_FAILURE, UNEXPLAINED },
	{ CHILD_SIGNALED, SIGSEGV, "", -CNI_IO_FAILURE, "ended by signal 11 (Segmentation fault)" },
	{ CHILD_SIGNALED, SIGKILL, RESULT, -CNI_IO_FAILURE, "ended by signal 9" },
	{ CHILD_OUTPUT_TOO_LONG, 0, RESULT, -CNI_IO_FAILURE, "its answer is too long" },
	{ CHILD_TIMED_OUT, 0, ERROR, -CNI_TRY_AGAIN_LATER, "its time was over" },
	{ CHILD_CANCELLED, 0, ERROR, -CNI_TRY_AGAIN_LATER, "nobody waits for the answer any more" },
};

static struct child_outcome outcome(enum child_end end, int status, const char *output)
{
	return (struct child_outcome){
		.end = end, .status = status, .output = (char *)J(output), .len = strlen(output)
	};
}

TEST(each_end_has_its_judgement)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct child_outcome o = outcome(r->end, r->status, r->output);
		struct delegate_reply v = { 0 };
		struct err e = { 0 };
		int failed = delegate_outcome("/opt/ipam", &o, &v, &e);

		print_message("# row %zu\n", i);
		assert_int_equal(failed, r->code < -1 ? -1 : 0);
		if (failed) {
			assert_int_equal(e.code, -r->code);
			assert_non_null(strstr(e.msg, r->words));
			assert_non_null(strstr(e.msg, "/opt/ipam"));
			assert_null(strstr(e.details, "rubbish"));
		} else if (r->status) {
			assert_string_equal(v.error, o.output);
			assert_true(r->code < 0 || v.code == r->code);
		} else {
			assert_null(v.error);
		}
	}
}

TEST(the_code_is_known_however_it_ended)
{
	struct child_outcome o = outcome(CHILD_TIMED_OUT, 0, "{'msg':'m', 'code' : 101 }");
	struct delegate_reply v = { 0 };
	struct err e = { 0 };

	assert_int_equal(delegate_outcome("/opt/ipam", &o, &v, &e), -1);
	assert_true(v.code == CNI_ALLOCATION_MISMATCH);
}

/* The message that a success with this output gets in version 1.1.0, "" where it is a result. */
static const char *result_of(const char *output)
{
	static struct err e;
	struct child_outcome o = outcome(CHILD_EXITED, 0, output);
	struct delegate_reply v = { 0 };
	struct result r;

	e = (struct err){ 0 };
	assert_int_equal(delegate_outcome("/opt/ipam", &o, &v, &e), 0);
	if (delegate_result("/opt/ipam", &v, CNI_1_1_0, &r, &e) < 0)
		assert_int_equal(e.code, CNI_IO_FAILURE);
	return e.msg;
}

TEST(what_is_no_result_is_an_error)
{
	assert_string_equal(result_of(RESULT), "");
	assert_string_equal(result_of(""),
			    "/opt/ipam ended with success, but its answer is no result");
	assert_non_null(strstr(result_of("rubbish"), "no result"));
	assert_non_null(strstr(result_of("[]"), "no result"));
	assert_non_null(strstr(result_of(RESULT RESULT), "no result"));
	assert_string_equal(result_of("{'cniVersion':'1.1.0','ips':[]}"),
			    "the answer of /opt/ipam has no address");
	assert_non_null(strstr(result_of("{}"), "has no address"));
	assert_non_null(
		strstr(result_of("{'cniVersion':'1.0.0','ips':[{'address':'10.0.0.5/24'}]}"),
		       "the answer of /opt/ipam: "));
	assert_non_null(strstr(
		result_of("{'cniVersion':'9.9.9','ips':[{'address':'10.0.0.5/24'}]}"), "9.9.9"));
	assert_non_null(strstr(result_of("{'ips':[{'address':'10.0.0.5/99'}]}"), "10.0.0.5/99"));
}

TEST(an_index_and_an_interface_are_dropped)
{
	struct child_outcome o = outcome(
		CHILD_EXITED, 0,
		"{'interfaces':[{'name':'eth0'}],"
		"'ips':[{'address':'10.0.0.5/24','interface':0},{'address':'fd00::5/64'}]}");
	struct delegate_reply v = { 0 };
	struct result r;
	struct err e = { 0 };

	assert_int_equal(delegate_outcome("/opt/ipam", &o, &v, &e), 0);
	assert_int_equal(delegate_result("/opt/ipam", &v, CNI_1_1_0, &r, &e), 0);
	assert_int_equal(r.ips.n, 2);
	assert_int_equal(r.ips.list[0].interface, -1);
	assert_int_equal(r.ips.list[1].interface, -1);
	assert_null(r.interfaces);
}

/* ---- run ---- */

#define CONF J("{ 'name' : 'net',\n\t'ipam': {'type': 'ipam'} } ")

/* A delegate whose executable is this script, with a second of time. */
struct set {
	struct tmpdir *box;
	struct made_call call;
	struct delegate *delegate;
	struct delegate_reply reply;
	struct err e;
};

static struct set set_up(void **state, const char *script)
{
	struct set s = { .box = *state };

	tmpdir_script(s.box, "ipam", script);
	return s;
}

static int run(struct set *s, const char *command, double seconds)
{
	const struct cni_call *call = make_call(&s->call, command, CONF, s->box->dir);

	s->delegate = delegate_find(call, "ipam", seconds, &s->e);
	assert_non_null(s->delegate);
	return delegate_run(s->delegate, &s->reply, &s->e);
}

/* Undoes with so much time left, and returns the log. */
static const char *undo(struct set *s, double left)
{
	s->delegate->end = deadline_in(left).end;
	s->call.log.err = creat(tmpdir_path(s->box, "log"), 0600);
	delegate_rollback(s->delegate, &s->call.log);
	close(s->call.log.err);
	return tmpdir_read(s->box, "log");
}

static double since(int64_t start)
{
	return (double)(monotonic_now() - start) / 1e9;
}

TEST_IN_DIR(it_gets_what_we_got)
{
	struct set s = set_up(state, "env >$DIR/env; cat >$DIR/stdin; echo '{}'");

	assert_int_equal(run(&s, "CHECK", 5), 0);
	assert_string_equal(tmpdir_read(s.box, "stdin"), CONF);
	assert_non_null(strstr(tmpdir_read(s.box, "env"), "CNI_COMMAND=CHECK\n"));
	assert_non_null(strstr(s.box->text, "CNI_NETNS_OVERRIDE=\n"));
}

TEST_IN_DIR(del_differs_in_the_command_alone)
{
	struct set s = set_up(state, "env | grep -v ^CNI_COMMAND >$DIR/env.$CNI_COMMAND\n"
				     "cat >$DIR/stdin.$CNI_COMMAND; echo '{}'");
	char added[1024];

	assert_int_equal(run(&s, "ADD", 5), 0);
	snprintf(added, sizeof(added), "%.1023s", tmpdir_read(s.box, "env.ADD"));
	assert_string_equal(undo(&s, 5), "");
	assert_non_null(strstr(added, "CNI_NETNS_OVERRIDE"));
	assert_string_equal(tmpdir_read(s.box, "env.DEL"), added);
	assert_string_equal(tmpdir_read(s.box, "stdin.DEL"), CONF);
}

TEST_IN_DIR(it_is_killed_a_second_after_its_time)
{
	struct set s = set_up(state, "sleep 20");
	int64_t start = monotonic_now();

	assert_int_equal(run(&s, "ADD", 0.2), -1);
	assert_int_equal(s.e.code, CNI_TRY_AGAIN_LATER);
	assert_true(since(start) >= 1.2 && since(start) < 2);
	assert_true(s.delegate->end - start >= 1200000000 && s.delegate->end - start < 1300000000);
}

TEST_IN_DIR(that_second_is_its_own_too)
{
	struct set s = set_up(state, "sleep 0.7; echo '{}'");

	assert_int_equal(run(&s, "ADD", 0.1), 0);
}

TEST_IN_DIR(what_was_never_started_has_no_end)
{
	struct set s = { .box = *state };

	tmpdir_write(s.box, "ipam", "\1 no program", 0755);
	assert_int_equal(run(&s, "ADD", 1), -1);
	assert_int_equal(s.e.code, CNI_IO_FAILURE);
	assert_true(s.delegate->end == 0);
}

TEST_IN_DIR(del_gets_a_second_at_least)
{
	struct set s =
		set_up(state, "[ $CNI_COMMAND = ADD ] || sleep 0.6; echo $CNI_COMMAND >$DIR/last");

	assert_int_equal(run(&s, "ADD", 1), 0);
	assert_string_equal(undo(&s, 0), "");
	assert_string_equal(tmpdir_read(s.box, "last"), "DEL\n");
}

TEST_IN_DIR(del_gets_what_is_left)
{
	struct set s =
		set_up(state, "[ $CNI_COMMAND = ADD ] || sleep 1.3; echo $CNI_COMMAND >$DIR/last");

	assert_int_equal(run(&s, "ADD", 1), 0);
	assert_string_equal(undo(&s, 2), "");
	assert_string_equal(tmpdir_read(s.box, "last"), "DEL\n");
}

TEST_IN_DIR(a_del_that_hangs_is_killed_and_logged)
{
	struct set s = set_up(state, "[ $CNI_COMMAND = ADD ] || sleep 20");
	int64_t start;

	assert_int_equal(run(&s, "ADD", 1), 0);
	start = monotonic_now();
	assert_non_null(strstr(undo(&s, 0.2), "the DEL after the failed ADD failed too"));
	assert_true(since(start) >= 1.0 && since(start) < 1.9);
	assert_non_null(strstr(s.box->text, "its time was over"));
}

TEST_IN_DIR(a_del_that_hangs_may_cancel_its_statement_before_it_is_killed)
{
	struct set s = set_up(state, "[ $CNI_COMMAND = ADD ] && exit\n"
				     "trap 'echo told >$DIR/told; exit' TERM; sleep 20 & wait");

	assert_int_equal(run(&s, "ADD", 1), 0);
	undo(&s, 0);
	assert_string_equal(tmpdir_read(s.box, "told"), "told\n");
}

TEST_IN_DIR(what_del_says_against_it_is_logged)
{
	struct set s = set_up(state, "[ $CNI_COMMAND = ADD ] || { cat $DIR/error; exit 1; }");

	tmpdir_write(s.box, "error", J("{'code':11,'msg':'no database'}"), 0600);
	assert_int_equal(run(&s, "ADD", 1), 0);
	assert_non_null(strstr(undo(&s, 1), "[error] the DEL after the failed ADD failed too: "
					    "no database\n"));
}

TEST_IN_DIR(nobody_ends_a_del_early)
{
	struct set s =
		set_up(state, "[ $CNI_COMMAND = ADD ] || sleep 0.3; echo $CNI_COMMAND >$DIR/last");
	int signal_fd[2];

	assert_int_equal(run(&s, "ADD", 1), 0);
	assert_int_equal(pipe(signal_fd), 0);
	close(signal_fd[1]);
	s.call.deadline.signal_fd = signal_fd[0];
	assert_int_equal(deadline_check(&s.call.deadline), WAIT_CANCELLED);
	assert_string_equal(undo(&s, 1), "");
	assert_string_equal(tmpdir_read(s.box, "last"), "DEL\n");
	close(signal_fd[0]);
}
