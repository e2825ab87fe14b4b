/* This process, and children of all kinds. Needs /bin/sh, cat, ls, sleep and /proc. */
#include "tmpdir.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/process.h"

/* ---- this process ---- */

/* The number of the first check in a child that failed, 0: none. _exit: nothing of cmocka runs
 * there. */
static int in_child(int (*checks)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(checks());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int closed_descriptors_fail(void)
{
	char c;

	for (int fd = 0; fd < 3; fd++)
		close(fd);
	if (harden_process() < 3)
		return 1;
	if (read(0, &c, 1) != -1 || errno != EBADF)
		return 2;
	if (write(1, "x", 1) != -1 || errno != EBADF)
		return 3;
	if (write(2, "x", 1) != 1)
		return 4;
	return 0;
}

static int open_ones_stay(void)
{
	int p[2];
	char c;

	if (pipe(p) < 0 || dup2(p[0], 0) < 0 || dup2(p[1], 1) < 0)
		return 1;
	harden_process();
	return write(1, "x", 1) == 1 && read(0, &c, 1) == 1 ? 0 : 2;
}

static int no_secrets_in_cores(void)
{
	struct rlimit core;

	harden_process();
	if (prctl(PR_GET_DUMPABLE) != 0)
		return 1;
	getrlimit(RLIMIT_CORE, &core);
	return core.rlim_cur == 0 ? 0 : 2;
}

static int a_reader_that_is_gone_is_an_error(void)
{
	struct sigaction now;
	int p[2];

	harden_process();
	if (pipe(p) < 0 || close(p[0]) < 0)
		return 1;
	if (write(p[1], "x", 1) != -1 || errno != EPIPE)
		return 2;
	/* A handler, which a child does not inherit as it would SIG_IGN. */
	sigaction(SIGPIPE, NULL, &now);
	return now.sa_handler != SIG_IGN && now.sa_handler != SIG_DFL ? 0 : 3;
}

TEST(closed_descriptors)
{
	assert_int_equal(in_child(closed_descriptors_fail), 0);
	assert_int_equal(in_child(open_ones_stay), 0);
}

TEST(secrets)
{
	assert_int_equal(in_child(no_secrets_in_cores), 0);
}

TEST(broken_pipes)
{
	assert_int_equal(in_child(a_reader_that_is_gone_is_an_error), 0);
}

/* ---- a program ---- */

static char *const env[] = { "PATH=/usr/bin:/bin", "COLOUR=blue", NULL };
static const struct deadline nobody = { .stdout_fd = -1, .signal_fd = -1 };

/* What one run left. */
struct ran {
	struct child_outcome o;
	struct err e;
	double seconds;
	int rc;
};

static struct child child_of(const char *path, const char *input, double seconds)
{
	return (struct child){ .path = path,
			       .env = env,
			       .input = input,
			       .input_len = strlen(input),
			       .stderr_fd = 2,
			       .output_max = 1024UL * 1024,
			       .seconds = seconds,
			       .watchers = &nobody };
}

static struct ran run_child(const struct child *c)
{
	struct ran r = { 0 };
	int64_t start = monotonic_now();

	r.rc = child_run(c, &r.o, &r.e);
	r.seconds = (double)(monotonic_now() - start) / 1e9;
	return r;
}

static struct ran run(const char *path, const char *input, double seconds)
{
	struct child c = child_of(path, input, seconds);

	return run_child(&c);
}

static void done(struct ran *r)
{
	*r = (struct ran){ 0 };
}

static void assert_exited(struct ran *r, int status, const char *output)
{
	assert_int_equal(r->rc, 0);
	assert_int_equal(r->o.end, CHILD_EXITED);
	assert_int_equal(r->o.status, status);
	assert_string_equal(r->o.output ? r->o.output : "", output);
	done(r);
}

TEST_IN_DIR(gets_its_input_and_gives_its_output)
{
	struct ran r = run("/bin/cat", "{\"a\": 1}\n", 5);

	assert_int_equal(r.o.len, 9);
	assert_exited(&r, 0, "{\"a\": 1}\n");
}

TEST_IN_DIR(an_input_longer_than_any_pipe_arrives_whole)
{
	size_t len = 3 * 1024 * 1024 + 17;
	char *input = malloc(len);
	struct child c = child_of(tmpdir_script(*state, "x", "wc -c"), "", 10);

	memset(input, 'x', len);
	c.input = input;
	c.input_len = len;
	struct ran r = run_child(&c);

	assert_exited(&r, 0, "3145745\n");
	free(input);
}

TEST_IN_DIR(an_input_that_is_not_read_holds_nobody_up)
{
	struct ran r = run(tmpdir_script(*state, "x", "exec <&-; echo done"), "{}", 5);

	assert_exited(&r, 0, "done\n");
}

TEST_IN_DIR(its_exit_status_is_told)
{
	struct ran r = run(tmpdir_script(*state, "x", "echo half; exit 3"), "", 5);

	assert_exited(&r, 3, "half\n");
}

TEST_IN_DIR(a_signal_is_told)
{
	struct ran r = run(tmpdir_script(*state, "x", "printf '{\"ips'; kill -SEGV $$"), "", 5);

	assert_int_equal(r.o.end, CHILD_SIGNALED);
	assert_int_equal(r.o.status, SIGSEGV);
	assert_string_equal(r.o.output, "{\"ips");
	done(&r);
}

TEST_IN_DIR(its_environment_is_the_given_one)
{
	struct ran r = run("/usr/bin/env", "", 5);

	assert_exited(&r, 0, "PATH=/usr/bin:/bin\nCOLOUR=blue\n");
}

TEST_IN_DIR(its_stderr_is_the_given_one)
{
	struct tmpdir *b = *state;
	struct child c = child_of(tmpdir_script(b, "x", "echo loud >&2"), "", 5);

	c.stderr_fd = creat(tmpdir_path(b, "err"), 0600);
	c.path = tmpdir_path(b, "x");
	struct ran r = run_child(&c);

	assert_exited(&r, 0, "");
	assert_string_equal(tmpdir_read(b, "err"), "loud\n");
	close(c.stderr_fd);
}

TEST_IN_DIR(one_that_cannot_be_run_is_an_error)
{
	struct ran gone = run("/no/such/file", "", 5);
	struct ran empty = run(tmpdir_write(*state, "x", "", 0755), "", 5);

	assert_int_equal(gone.rc, -1);
	assert_int_equal(gone.e.code, CNI_IO_FAILURE);
	assert_string_equal(gone.e.msg, "cannot run /no/such/file: No such file or directory");
	assert_int_equal(empty.rc, -1);
	assert_non_null(strstr(empty.e.msg, "Exec format error"));
}

TEST_IN_DIR(a_flood_ends_at_the_most_it_may_write)
{
	struct child c = child_of(tmpdir_script(*state, "x", "exec yes"), "", 5);

	c.output_max = 100UL * 1024;
	struct ran r = run_child(&c);

	assert_int_equal(r.o.end, CHILD_OUTPUT_TOO_LONG);
	assert_true(r.seconds < 2);
	done(&r);
}

TEST_IN_DIR(exactly_the_most_is_not_too_much)
{
	struct child c = child_of(tmpdir_script(*state, "x", "printf 12345678"), "", 5);

	c.output_max = 8;
	struct ran r = run_child(&c);

	assert_exited(&r, 0, "12345678");
	c.output_max = 7;
	r = run_child(&c);
	assert_int_equal(r.o.end, CHILD_OUTPUT_TOO_LONG);
	done(&r);
}

/* Runs it with a pipe as its stderr: when that is at its end, nobody of its group lives any more.
 */
static struct ran run_and_await_the_group(struct child *c)
{
	int ends[2];
	char byte;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	c->stderr_fd = ends[1];
	struct ran r = run_child(c);

	close(ends[1]);
	int64_t start = monotonic_now();

	while (read(ends[0], &byte, 1) > 0)
		;
	assert_true(monotonic_now() - start < 500000000);
	close(ends[0]);
	return r;
}

TEST_IN_DIR(one_that_hangs_is_killed_with_its_children)
{
	struct child c =
		child_of(tmpdir_script(*state, "x", "sleep 20 & trap '' TERM; sleep 20"), "", 0.3);
	struct ran r = run_and_await_the_group(&c);

	assert_int_equal(r.o.end, CHILD_TIMED_OUT);
	assert_true(r.seconds >= 0.3 && r.seconds < 1.05);
	done(&r);
}

TEST_IN_DIR(one_that_stops_itself_is_killed)
{
	struct ran r = run(tmpdir_script(*state, "x", "kill -STOP $$"), "", 0.3);

	assert_int_equal(r.o.end, CHILD_TIMED_OUT);
	assert_true(r.seconds < 1.05);
	done(&r);
}

TEST_IN_DIR(a_grandchild_that_holds_stdout_is_not_waited_for)
{
	struct child c =
		child_of(tmpdir_script(*state, "x", "echo said; sleep 20 & exit 4"), "", 5);
	struct ran r = run_and_await_the_group(&c);

	assert_true(r.seconds < 1);
	assert_exited(&r, 4, "said\n");
}

TEST_IN_DIR(one_that_closes_stdout_early_is_waited_for)
{
	struct ran r =
		run(tmpdir_script(*state, "x", "echo said; exec >&-; sleep 0.2; exit 5"), "", 5);

	assert_true(r.seconds >= 0.2);
	assert_exited(&r, 5, "said\n");
}

TEST_IN_DIR(one_that_closes_stdout_and_hangs_is_killed)
{
	struct ran r = run(tmpdir_script(*state, "x", "exec >&-; sleep 20"), "", 0.3);

	assert_int_equal(r.o.end, CHILD_TIMED_OUT);
	assert_true(r.seconds < 1.05);
	done(&r);
}

TEST_IN_DIR(told_to_end_it_asks_the_child_first)
{
	struct tmpdir *b = *state;
	struct child c = child_of(
		tmpdir_script(b, "x", "trap 'echo told >$DIR/told; exit' TERM; sleep 20 & wait"),
		"", 5);
	struct deadline watch = nobody;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	watch.signal_fd = ends[0];
	c.watchers = &watch;
	pid_t teller = fork();

	if (teller == 0) {
		usleep(200000);
		_exit(write(ends[1], "x", 1) != 1);
	}
	struct ran r = run_child(&c);

	assert_int_equal(r.o.end, CHILD_CANCELLED);
	assert_true(r.seconds < 1.05);
	assert_string_equal(tmpdir_read(b, "told"), "told\n");
	done(&r);
	waitpid(teller, NULL, 0);
	close(ends[0]);
	close(ends[1]);
}

TEST_IN_DIR(without_a_reader_one_that_does_not_listen_is_killed_in_a_second)
{
	struct child c =
		child_of(tmpdir_script(*state, "x", "trap '' TERM; sleep 20 & wait"), "", 5);
	struct deadline watch = nobody;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid_t reader = fork();

	if (reader == 0) {
		usleep(200000);
		_exit(0);
	}
	close(ends[0]);
	watch.stdout_fd = ends[1];
	c.watchers = &watch;
	struct ran r = run_child(&c);

	assert_int_equal(r.o.end, CHILD_CANCELLED);
	assert_true(r.seconds >= 1.0 && r.seconds < 1.9);
	done(&r);
	waitpid(reader, NULL, 0);
	close(ends[1]);
}

/* Keeps a file open for writing, which makes it busy, for so long. Returns once it is open. */
static pid_t keep_busy(const char *path, useconds_t microseconds)
{
	int ready[2];
	char byte;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid_t keeper = fork();

	if (keeper == 0) {
		int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

		if (fd < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		usleep(microseconds);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return keeper;
}

TEST_IN_DIR(a_busy_file_is_tried_again)
{
	const char *path = tmpdir_script(*state, "x", "echo done");
	pid_t keeper = keep_busy(path, 300000);
	struct ran r = run(path, "", 5);

	assert_true(r.seconds >= 0.2 && r.seconds < 1.0);
	assert_exited(&r, 0, "done\n");
	waitpid(keeper, NULL, 0);
}

TEST_IN_DIR(a_busy_file_takes_nothing_of_the_childs_time)
{
	const char *path = tmpdir_script(*state, "x", "sleep 0.3; echo done");
	pid_t keeper = keep_busy(path, 500000);
	struct ran r = run(path, "", 0.6);

	assert_exited(&r, 0, "done\n");
	waitpid(keeper, NULL, 0);
}

TEST_IN_DIR(a_file_that_stays_busy_is_an_error_after_a_second)
{
	const char *path = tmpdir_script(*state, "x", "echo done");
	pid_t keeper = keep_busy(path, 3000000);
	struct ran r = run(path, "", 5);

	assert_int_equal(r.rc, -1);
	assert_int_equal(r.e.code, CNI_IO_FAILURE);
	assert_non_null(strstr(r.e.msg, "Text file busy"));
	assert_true(r.seconds >= 0.9 && r.seconds < 1.9);
	kill(keeper, SIGKILL);
	waitpid(keeper, NULL, 0);
}

TEST_IN_DIR(no_descriptor_of_ours_goes_over)
{
	const char *path = tmpdir_script(*state, "x", "exec ls /proc/self/fd");
	int stray = open("/dev/null", O_RDONLY); /* as a runtime may leave one to us */

	assert_true(stray > 2);
	struct ran r = run(path, "", 5);

	assert_exited(&r, 0, "0\n1\n2\n3\n"); /* 3 is the directory that ls reads */
	close(stray);
}

TEST_IN_DIR(eight_descriptors_are_enough)
{
	struct child there = child_of("/bin/cat", "text", 5), missing = child_of("/no/such", "", 5);
	struct rlimit before, few;
	int signal_fd =
		open("/dev/null", O_RDONLY | O_CLOEXEC); /* in the place of catch_signals's */

	assert_int_equal(signal_fd, 3);
	getrlimit(RLIMIT_NOFILE, &before);
	few = before;
	few.rlim_cur = 8;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	struct ran r = run_child(&there), failed = run_child(&missing);

	setrlimit(RLIMIT_NOFILE, &before);
	close(signal_fd);
	assert_exited(&r, 0, "text");
	if (emulated()) /* vfork is fork then, and shares no memory that could tell */
		return;
	assert_int_equal(failed.rc, -1);
	assert_string_equal(failed.e.msg, "cannot run /no/such: No such file or directory");
}

TEST_IN_DIR(its_signals_are_as_usual)
{
	/* Signals 1 to 28: those of threads, 32 and 33, may come ignored from who started the
	 * tests. */
	const char *path = tmpdir_script(
		*state, "x", "exec sed -n 's/^Sig[BI].*\\(.......\\)$/\\1/p' /proc/self/status");

	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_DFL); /* a shell ignores these two for what it runs in the background */
	signal(SIGQUIT, SIG_DFL);
	struct ran r = run(path, "", 5);

	signal(SIGPIPE, SIG_DFL);
	assert_exited(&r, 0, "0000000\n0000000\n");
}

TEST_IN_DIR(it_leads_its_own_group)
{
	struct ran r =
		run(tmpdir_script(*state, "x",
				  "read pid a b c group rest </proc/$$/stat; [ $pid = $group ]"),
		    "", 5);

	assert_exited(&r, 0, "");
}

TEST_IN_DIR(ignored_children_still_have_a_status)
{
	signal(SIGCHLD, SIG_IGN);
	struct ran r = run(tmpdir_script(*state, "x", "exit 6"), "", 5);

	signal(SIGCHLD, SIG_DFL);
	assert_exited(&r, 6, "");
}

TEST_IN_DIR(when_the_parent_is_killed_the_child_is_told)
{
	struct tmpdir *b = *state;
	struct child c = child_of(tmpdir_script(b, "x",
						"trap 'echo told >$DIR/told; exit' TERM\n"
						"echo up >$DIR/up; sleep 5 & wait"),
				  "", 5);
	pid_t parent = fork();

	if (parent == 0) {
		run_child(&c);
		_exit(0);
	}
	assert_string_equal(tmpdir_await(b, "up"), "up\n");
	kill(parent, SIGKILL);
	waitpid(parent, NULL, 0);
	assert_string_equal(tmpdir_await(b, "told"), "told\n");
}

TEST_IN_DIR(nothing_is_left_behind)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_int_equal(fd, 3);
	close(fd);
}

/* ---- a function ---- */

static void say_twice(void *text, int reply_fd)
{
	for (int i = 0; i < 2; i++) {
		if (write(reply_fd, text, strlen(text)) < 0)
			return;
		usleep(20000);
	}
}

static void hang(void *text, int reply_fd)
{
	(void)text;
	(void)reply_fd;
	pause();
}

static void hang_after_a_word(void *text, int reply_fd)
{
	if (write(reply_fd, text, strlen(text)) > 0)
		pause();
}

static void die(void *text, int reply_fd)
{
	(void)text;
	(void)reply_fd;
	signal(SIGFPE, SIG_DFL);
	raise(SIGFPE);
}

/* More than a pipe holds. */
static void flood(void *text, int reply_fd)
{
	(void)text;
	for (int i = 0; i < 1000; i++) {
		if (write(reply_fd, "0123456789abcdef0123456789abcdef0123456789abcdef", 48) < 0)
			return;
	}
}

TEST(a_function_replies)
{
	struct process_call c;
	struct deadline d = deadline_in(10);
	char reply[64];
	struct err e;
	size_t got;
	int status;

	assert_int_equal(process_call_start(say_twice, "abc", &c, &e), 0);
	assert_int_equal(process_call_read(&c, &d, reply, sizeof(reply), &got), WAIT_READY);
	assert_int_equal(got, 6);
	assert_memory_equal(reply, "abcabc", 6);
	status = process_call_end(&c, NULL);
	assert_true(WIFEXITED(status) || WTERMSIG(status) == SIGKILL);
}

TEST(a_function_that_hangs_is_killed)
{
	struct process_call c;
	struct deadline d = deadline_in(0.05);
	int64_t start = monotonic_now();
	char reply[64];
	struct err e;
	size_t got;
	int status;

	assert_int_equal(process_call_start(hang_after_a_word, "abc", &c, &e), 0);
	assert_int_equal(process_call_read(&c, &d, reply, sizeof(reply), &got), WAIT_TIMEOUT);
	assert_int_equal(got, 3);
	status = process_call_end(&c, &d);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_true(monotonic_now() - start < 5 * INT64_C(1000000000));
	assert_int_equal(process_call_start(hang, NULL, &c, &e), 0);
	process_call_end(&c, NULL);
	assert_int_equal(waitpid(-1, &status, 0), -1); /* nobody is left */
}

TEST(a_function_may_end_by_itself)
{
	struct deadline d = deadline_in(10);
	struct process_call c;
	struct err e;
	int status;

	assert_int_equal(process_call_start(flood, NULL, &c, &e), 0);
	status = process_call_end(&c, &d); /* what it writes is thrown away */
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(a_function_that_dies_is_told)
{
	struct deadline d = deadline_in(10);
	struct process_call c;
	char reply[64];
	struct err e;
	size_t got;
	int status;

	assert_int_equal(process_call_start(die, NULL, &c, &e), 0);
	assert_int_equal(process_call_read(&c, &d, reply, sizeof(reply), &got), WAIT_READY);
	assert_int_equal(got, 0);
	status = process_call_end(&c, &d);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGFPE);
}
