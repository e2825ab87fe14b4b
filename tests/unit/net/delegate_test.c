/* Running the IPAM plugin, and running it again with DEL. Needs /bin/sh. */
#include "make_call.h"
#include "net/delegate.h"
#include "tmpdir.h"

#define CONF "{ \"name\" : \"net\",\n\t\"ipam\": {\"type\": \"ipam\"} } "

/* A delegate whose executable is this script, with a second of time. */
struct set {
	struct tmpdir *box;
	struct made_call call;
	struct delegate *delegate;
	struct delegate_reply verdict;
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

	s->delegate = delegate_make(call, "ipam", seconds, &s->e);
	assert_non_null(s->delegate);
	return delegate_run(s->delegate, &s->verdict, &s->e);
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

static void tear_down(struct set *s)
{
	delegate_reply_free(&s->verdict);
	delegate_free(s->delegate);
	drop_call(&s->call);
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
	tear_down(&s);
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
	tear_down(&s);
}

TEST_IN_DIR(it_is_killed_a_second_after_its_time)
{
	struct set s = set_up(state, "sleep 20");
	int64_t start = monotonic_now();

	assert_int_equal(run(&s, "ADD", 0.2), -1);
	assert_int_equal(s.e.code, CNI_TRY_AGAIN_LATER);
	assert_true(since(start) >= 1.2 && since(start) < 2);
	assert_true(s.delegate->end - start >= 1200000000 && s.delegate->end - start < 1300000000);
	tear_down(&s);
}

TEST_IN_DIR(that_second_is_its_own_too)
{
	struct set s = set_up(state, "sleep 0.7; echo '{}'");

	assert_int_equal(run(&s, "ADD", 0.1), 0);
	tear_down(&s);
}

TEST_IN_DIR(what_was_never_started_has_no_end)
{
	struct set s = { .box = *state };

	tmpdir_write(s.box, "ipam", "\1 no program", 0755);
	assert_int_equal(run(&s, "ADD", 1), -1);
	assert_int_equal(s.e.code, CNI_IO_FAILURE);
	assert_true(s.delegate->end == 0);
	tear_down(&s);
}

TEST_IN_DIR(del_gets_a_second_at_least)
{
	struct set s =
		set_up(state, "[ $CNI_COMMAND = ADD ] || sleep 0.6; echo $CNI_COMMAND >$DIR/last");

	assert_int_equal(run(&s, "ADD", 1), 0);
	assert_string_equal(undo(&s, 0), "");
	assert_string_equal(tmpdir_read(s.box, "last"), "DEL\n");
	tear_down(&s);
}

TEST_IN_DIR(del_gets_what_is_left)
{
	struct set s =
		set_up(state, "[ $CNI_COMMAND = ADD ] || sleep 1.3; echo $CNI_COMMAND >$DIR/last");

	assert_int_equal(run(&s, "ADD", 1), 0);
	assert_string_equal(undo(&s, 2), "");
	assert_string_equal(tmpdir_read(s.box, "last"), "DEL\n");
	tear_down(&s);
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
	tear_down(&s);
}

TEST_IN_DIR(what_del_says_against_it_is_logged)
{
	struct set s = set_up(state, "[ $CNI_COMMAND = ADD ] || { echo '{\"code\":11,\"msg\":\"no "
				     "database\"}'; exit 1; }");

	assert_int_equal(run(&s, "ADD", 1), 0);
	assert_non_null(strstr(undo(&s, 1), "[error] the DEL after the failed ADD failed too: "
					    "no database\n"));
	tear_down(&s);
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
	tear_down(&s);
}
