/* Printing, and rolling back what could not be printed; what a plugin says about itself. Needs
 * memfd_create. */
#include "memory_fds.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "base/memory.h"
#include "cni/call.h"

/* ---- error objects ---- */

TEST(the_object)
{
	struct err e;
	char *json;

	err_set(&e, CNI_ADDRESS_IN_USE, "%s", J("'10.0.0.5' is held"));
	json = error_json(&e, CNI_0_4_0);
	assert_string_equal(
		json,
		J("{'cniVersion':'0.4.0','code':100,'msg':'\\'10.0.0.5\\' is held','details':''}"));
	err_details(&e, "by pod-a");
	json = error_json(&e, CNI_NEWEST);
	assert_string_equal(json, J("{'cniVersion':'1.1.0','code':100,'msg':'\\'10.0.0.5\\' is "
				    "held','details':'by pod-a'}"));
}

/* ---- answers ---- */

/* A call in a sys, and what happened to its answer. */
struct stage {
	struct sys sys;
	struct deadline deadline;
	struct log log;
	struct cni_call call;
	char text[4096];
};

struct fate {
	int undone;
};

static void stage_set(struct stage *s)
{
	*s = (struct stage){ .sys = sys_in_memory(NULL, ""), .deadline = deadline_in(10) };
	s->log = (struct log){ .level = LOG_INFO, .err = s->sys.err, .file = -1 };
	s->call = (struct cni_call){ .sys = &s->sys,
				     .deadline = &s->deadline,
				     .log = &s->log,
				     .command = "ADD",
				     .version = CNI_1_0_0 };
}

/* stdout becomes another descriptor. */
static void stage_out(struct stage *s, int fd)
{
	close(s->sys.out);
	s->sys.out = fd;
}

static void note_undo(void *context, struct log *log)
{
	struct fate *fate = context;

	assert_non_null(log);
	fate->undone++;
}

static struct cni_reply answer_of(const char *json, struct fate *fate)
{
	return (struct cni_reply){ .json = json ? (char *)J(json) : NULL,
				   .rollback = note_undo,
				   .context = fate };
}

TEST(printed)
{
	struct fate fate = { 0 };
	struct cni_reply answer = answer_of("{'ips':[]}", &fate);
	struct stage s;

	stage_set(&s);
	assert_int_equal(send_reply(&s.call, &answer), 0);
	assert_string_equal(text_in(s.sys.out, s.text, sizeof(s.text)), J("{'ips':[]}\n"));
	assert_string_equal(text_in(s.sys.err, s.text, sizeof(s.text)), "");
	assert_int_equal(fate.undone, 0);
	close_sys(&s.sys);
}

TEST(nothing_to_print)
{
	struct fate fate = { 0 };
	struct cni_reply answer = answer_of(NULL, &fate);
	struct stage s;

	stage_set(&s);
	stage_out(&s, open("/dev/full", O_WRONLY));
	assert_int_equal(send_reply(&s.call, &answer), 0);
	assert_int_equal(fate.undone, 0);
	close_sys(&s.sys);
}

TEST(the_watchdog_does_not_outlive_the_answer)
{
	static const struct cni_reply nothing = { 0 }, something = { .json = (char *)"{}" };
	struct itimerval left;
	struct stage s;

	stage_set(&s);
	watch_call(&s.call, 10);
	assert_int_equal(send_reply(&s.call, &nothing), 0);
	getitimer(ITIMER_REAL, &left);
	assert_true(left.it_value.tv_sec == 0 && left.it_value.tv_usec == 0);
	watch_call(&s.call, 10);
	assert_int_equal(send_reply(&s.call, &something), 0);
	getitimer(ITIMER_REAL, &left);
	assert_true(left.it_value.tv_sec == 0 && left.it_value.tv_usec == 0);
	close_sys(&s.sys);
}

TEST(a_passed_on_error)
{
	struct fate fate = { 0 };
	struct cni_reply answer = answer_of("{ 'code': 100 }", &fate);
	struct stage s;

	stage_set(&s);
	answer.is_error = true;
	assert_int_equal(send_reply(&s.call, &answer), 1);
	assert_string_equal(text_in(s.sys.out, s.text, sizeof(s.text)), J("{ 'code': 100 }"));
	assert_int_equal(fate.undone, 0);
	close_sys(&s.sys);
}

static void undone(struct stage *s, const char *logged)
{
	struct fate fate = { 0 };
	struct cni_reply answer = answer_of("{}", &fate);

	assert_int_equal(send_reply(&s->call, &answer), 1);
	assert_int_equal(fate.undone, 1);
	text_in(s->sys.err, s->text, sizeof(s->text));
	if (!strstr(s->text, logged))
		fail_msg("logged: %s", s->text);
	close_sys(&s->sys);
}

TEST(what_cannot_be_printed_is_undone)
{
	struct stage s;
	int p[2];

	stage_set(&s);
	stage_out(&s, open("/dev/full", O_WRONLY));
	undone(&s, "ADD: cannot write the answer to stdout: No space left on device");
	stage_set(&s);
	stage_out(&s, open("/dev/null", O_RDONLY));
	undone(&s, "ADD: cannot write the answer to stdout: Bad file descriptor");
	stage_set(&s);
	assert_int_equal(pipe(p), 0);
	close(p[0]);
	stage_out(&s, p[1]);
	undone(&s, "ADD: cannot write the answer to stdout: Broken pipe");
}

/* The linker's --wrap gives these names. NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl*) */
int __real_close(int fd);
int __wrap_close(int fd);
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl*) */

/* While it is set, closing fails as on a file system that writes at close. */
static bool close_fails;

int __wrap_close(int fd)
{
	int result = __real_close(fd);

	if (!close_fails)
		return result;
	errno = EIO;
	return -1;
}

/* Waits for a child, five seconds at most. Its exit status; -1: it hung. */
static int status_of(pid_t pid)
{
	int status;

	for (int i = 0; i < 500; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
		usleep(10000);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return -1;
}

TEST(a_log_file_that_hangs_does_not_hold_up_the_answer)
{
	char fill[4096] = { 0 };
	struct stage s;
	struct err e;
	pid_t pid;
	int p[2];

	stage_set(&s);
	assert_int_equal(pipe2(p, O_NONBLOCK), 0);
	while (write(p[1], fill, sizeof(fill)) > 0)
		;
	fcntl(p[1], F_SETFL, 0);
	s.log.file = p[1]; /* a write into it blocks for ever */
	err_set(&e, CNI_ADDRESS_IN_USE, "10.0.0.5 is held");
	pid = fork();
	if (pid == 0) {
		watch_call(&s.call, 0.1);
		_exit(send_error(&s.call, &e));
	}
	assert_int_equal(status_of(pid), 1);
	assert_non_null(strstr(text_in(s.sys.out, s.text, sizeof(s.text)), "does not come back"));
	close_sys(&s.sys);
	close(p[0]);
	close(p[1]);
}

TEST(an_error_that_shows_at_close)
{
	struct fate fate = { 0 };
	struct cni_reply answer = answer_of("{}", &fate);
	struct stage s;

	stage_set(&s);
	close_fails = true;
	assert_int_equal(send_reply(&s.call, &answer), 1);
	close_fails = false;
	assert_int_equal(fate.undone, 1);
	assert_non_null(strstr(text_in(s.sys.err, s.text, sizeof(s.text)),
			       "ADD: cannot write the answer to stdout: Input/output error\n"));
	close_sys(&s.sys);
}

static void find_no_memory(void *context, struct log *log)
{
	(void)context;
	(void)log;
	mem_failed();
}

TEST(a_rollback_without_memory_does_not_answer_a_second_time)
{
	const struct cni_reply reply = { .json = (char *)"{}", .rollback = find_no_memory };
	struct stage s;
	pid_t pid;

	stage_set(&s);
	pid = fork();
	if (pid == 0) {
		mem_set_last_words(s.sys.out, "no memory\n");
		close_fails = true;
		send_reply(&s.call, &reply);
		_exit(9);
	}
	assert_int_equal(status_of(pid), 1);
	assert_string_equal(text_in(s.sys.out, s.text, sizeof(s.text)), "{}\n");
	close_sys(&s.sys);
}

TEST(a_pipe_that_nobody_empties)
{
	char fill[4096] = { 0 };
	struct stage s;
	int64_t start = monotonic_now();
	int p[2];

	assert_int_equal(pipe2(p, O_NONBLOCK), 0);
	while (write(p[1], fill, sizeof(fill)) > 0)
		;
	stage_set(&s);
	stage_out(&s, p[1]);
	s.deadline = deadline_in(0.1); /* and the second of grace */
	undone(&s, "ADD: cannot write the answer to stdout: ");
	assert_true(monotonic_now() - start < 5 * INT64_C(1000000000));
	close(p[0]);
}

TEST(an_answer_that_nobody_waits_for)
{
	struct stage s;
	int signal_fd[2];

	assert_int_equal(pipe(signal_fd), 0);
	assert_int_equal(write(signal_fd[1], "x", 1), 1);
	stage_set(&s);
	s.deadline.signal_fd = signal_fd[0];
	undone(&s, "[error] ADD: nobody waits for the answer any more\n");
	close(signal_fd[0]);
	close(signal_fd[1]);
}

TEST(after_the_end_there_is_a_moment_left)
{
	struct fate fate = { 0 };
	struct cni_reply answer = answer_of("{}", &fate);
	struct stage s;

	stage_set(&s);
	s.deadline = deadline_in(0);
	assert_int_equal(send_reply(&s.call, &answer), 0);
	assert_string_equal(text_in(s.sys.out, s.text, sizeof(s.text)), J("{}\n"));
	close_sys(&s.sys);
}

TEST(an_error)
{
	struct stage s;
	struct err e;

	stage_set(&s);
	err_set(&e, CNI_ADDRESS_IN_USE, "10.0.0.5 is held");
	assert_int_equal(send_error(&s.call, &e), 1);
	assert_string_equal(
		text_in(s.sys.out, s.text, sizeof(s.text)),
		J("{'cniVersion':'1.0.0','code':100,'msg':'10.0.0.5 is held','details':''}\n"));
	assert_non_null(strstr(text_in(s.sys.err, s.text, sizeof(s.text)),
			       " [error] ADD: 10.0.0.5 is held\n"));
	close_sys(&s.sys);
	stage_set(&s);
	err_details(&e, "by pod-a");
	s.call.version = CNI_0_4_0;
	assert_int_equal(send_error(&s.call, &e), 1);
	assert_string_equal(text_in(s.sys.out, s.text, sizeof(s.text)),
			    J("{'cniVersion':'0.4.0','code':100,'msg':'10.0.0.5 is "
			      "held','details':'by pod-a'}\n"));
	assert_non_null(strstr(text_in(s.sys.err, s.text, sizeof(s.text)),
			       " [error] ADD: 10.0.0.5 is held; by pod-a\n"));
	close_sys(&s.sys);
}

/* ---- about the plugin ---- */

static const struct cni_plugin plugin = { .name = "test-cni", .about = "tests things" };

#define VERSIONS "0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0"

TEST(versions)
{
	char *json = versions_json();

	assert_string_equal(json, J("{'cniVersion':'1.1.0','supportedVersions':['0.1.0','0.2.0','0."
				    "3.0','0.3.1','0.4.0','1.0.0','1.1.0']}"));
}

TEST(one_line)
{
	char text[4096];
	int fd = memory("");

	assert_int_equal(print_about(&plugin, fd), 0);
	assert_string_equal(text_in(fd, text, sizeof(text)),
			    "test-cni " VERSION
			    ": tests things; CNI protocol versions supported: " VERSIONS "\n");
	close(fd);
}

TEST(options)
{
	static const struct {
		const char *option;
		int status;
		const char *out, *err;
	} t[] = {
		{ "--version", 0,
		  "test-cni " VERSION " (" BUILD_LINK
		  " build)\nCNI protocol versions supported: " VERSIONS "\n",
		  "" },
		{ "-V", 0, NULL, "" },
		{ "--help", 0, NULL, "" },
		{ "-h", 0, NULL, "" },
		{ "--verbose", 2, "",
		  "test-cni: unknown argument '--verbose': see test-cni --help\n" },
		{ "", 2, "", "test-cni: unknown argument '': see test-cni --help\n" },
	};
	char text[4096];

	for (size_t i = 0; i < COUNT(t); i++) {
		int out = memory("");
		int err = memory("");

		assert_int_equal(print_option(&plugin, t[i].option, out, err), t[i].status);
		if (t[i].out)
			assert_string_equal(text_in(out, text, sizeof(text)), t[i].out);
		assert_string_equal(text_in(err, text, sizeof(text)), J(t[i].err));
		close(out);
		close(err);
	}
}

TEST(help_names_everything)
{
	static const char *const words[] = { "test-cni: tests things\n",
					     "--version",
					     "CNI_COMMAND",
					     "CNI_PATH",
					     "CNI_CONTAINERID",
					     "CNI_IFNAME",
					     "CNI_NETNS",
					     "CNI_ARGS",
					     "stdin",
					     "/opt/cni/bin test-cni < network.conf\n" };
	char text[4096];
	int out = memory("");

	print_option(&plugin, "--help", out, -1);
	text_in(out, text, sizeof(text));
	for (size_t i = 0; i < COUNT(words); i++)
		assert_non_null(strstr(text, words[i]));
	close(out);
}

TEST(a_full_disk)
{
	int full = open("/dev/full", O_WRONLY);

	assert_int_equal(print_option(&plugin, "--version", full, -1), 1);
	close(full);
}
