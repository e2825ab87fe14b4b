/*
 * A child's stdin is a file in memory, its stdout a pipe. So there is one direction to wait for, no
 * SIGPIPE, and at most four descriptors above the usual three and the deadline's.
 *
 * A child has ended when it is a zombie, not when its stdout is closed: it may close that early,
 * and what it has started may hold it open. Its group is killed before it is reaped, while nobody
 * else can have its number.
 */
#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/scope.h"

#define BUSY_SECONDS 1.0   /* "text file busy" is tried again so long */
#define TERM_SECONDS 0.9   /* between SIGTERM and SIGKILL */
#define REAP_SECONDS 1.0   /* between SIGKILL and giving up: the kernel may hold a process */
#define SLICE_SECONDS 0.02 /* between two looks at what no descriptor tells */

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif

struct running {
	pid_t pid;
	int exits;  /* becomes readable when it exits; -1 on an older kernel, or without descriptors
		     */
	int output; /* the pipe's end that is ours */
	size_t room;
	size_t most;
	struct deadline deadline;
	struct child_outcome *out;
};

/* The file in memory that a child reads; -1: errno is set. Kernels before 6.3 do not know the seal,
 * and later ones can be set to want it. */
static int input_file(const char *input, size_t len)
{
	cleanup_close int fd = memfd_create("stdin", MFD_CLOEXEC | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("stdin", MFD_CLOEXEC);
	if (fd < 0)
		return -1;
	for (size_t done = 0; done < len;) {
		ssize_t n = pwrite(fd, input + done, len - done, (off_t)done);

		if (n < 0 && errno != EINTR)
			return -1;
		done += n > 0 ? (size_t)n : 0;
	}
	return steal_fd(&fd);
}

/*
 * In the child, whose memory is still its parent's: only system calls. No descriptor but 0, 1 and 2
 * goes over, also none that we were given ourselves. Handlers end with exec, but none may run
 * before. -1: errno is set.
 */
static int enter(const struct child *c, int in, int out, pid_t parent, const sigset_t *mask)
{
	static const int signals[] = { SIGPIPE, SIGTERM, SIGINT, SIGHUP };
	const struct sigaction usual = { .sa_handler = SIG_DFL };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &usual, NULL);
	if (setpgid(0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
		return -1;
	if (getppid() != parent) /* it died before it could be watched */
		_exit(127);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(c->err, 2) < 0)
		return -1;
#ifdef SYS_close_range
	syscall(SYS_close_range, 3U, UINT_MAX, 0U);
#endif
	return sigprocmask(SIG_SETMASK, mask, NULL);
}

/* Starts the child; 0: errno is set. The parent stands still until exec, so the child is in its own
 * group when this returns. */
static pid_t start_once(const struct child *c, int in, int out)
{
	char *const argv[] = { (char *)c->path, NULL };
	const pid_t parent = getpid();
	volatile int failed = 0;
	sigset_t all, mask;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &mask);
	/* Half of fork's time. What may run in the child is system calls alone, and enter() is no
	 * more. NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.vfork) */
	pid = vfork();
	if (pid == 0) {
		/* NOLINTNEXTLINE(clang-analyzer-unix.Vfork) */
		if (enter(c, in, out, parent, &mask) == 0)
			execve(c->path, argv, c->env);
		failed = errno;
		_exit(127);
	}
	if (pid < 0)
		failed = errno;
	else if (failed)
		waitpid(pid, NULL, 0); /* it has ended already */
	sigprocmask(SIG_SETMASK, &mask, NULL);
	errno = failed;
	return failed ? 0 : pid;
}

static pid_t start_patiently(const struct child *c, int in, int out)
{
	struct deadline busy = deadline_in(BUSY_SECONDS);

	busy.stdout_fd = c->watch->stdout_fd;
	busy.signal_fd = c->watch->signal_fd;
	for (;;) {
		pid_t pid = start_once(c, in, out);

		if (pid || errno != ETXTBSY)
			return pid;
		struct deadline pause = deadline_sub(&busy, SLICE_SECONDS);

		if (deadline_wait(&pause, -1, 0) == WAIT_CANCELLED || deadline_left(&busy) <= 0) {
			errno = ETXTBSY;
			return 0;
		}
	}
}

static int start(const struct child *c, struct running *r, struct err *e)
{
	int ends[2];
	cleanup_close int in = input_file(c->input, c->input_len);

	if (in < 0)
		return err_set(e, CNI_IO_FAILURE, "cannot keep the input of %s: %s", c->path,
			       strerror(errno));
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(e, CNI_IO_FAILURE, "cannot make a pipe for %s: %s", c->path,
			       strerror(errno));
	cleanup_close int ours = ends[0];
	cleanup_close int theirs = ends[1];

	signal(SIGCHLD, SIG_DFL); /* inherited as ignored, it would lose the exit status */
	r->pid = start_patiently(c, in, theirs);
	if (!r->pid)
		return err_set(e, CNI_IO_FAILURE, "cannot run %s: %s", c->path, strerror(errno));
	r->output = steal_fd(&ours);
	return 0;
}

static int exit_descriptor(pid_t pid)
{
#ifdef SYS_pidfd_open
	return (int)syscall(SYS_pidfd_open, pid, 0);
#else
	return -1;
#endif
}

static bool has_exited(pid_t pid)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == pid;
}

/* Takes what the pipe holds. false: its end, or too much. */
static bool take(struct running *r)
{
	struct child_outcome *out = r->out;

	if (out->len + 1 >= r->room) {
		size_t room = r->room ? 2 * r->room : 8192;
		char *more = realloc(out->output, room);

		if (!more) {
			out->end = CHILD_OUTPUT_TOO_LONG;
			return false;
		}
		out->output = more;
		r->room = room;
	}
	ssize_t n = read(r->output, out->output + out->len, r->room - out->len - 1);

	if (n < 0)
		return errno == EINTR;
	out->len += (size_t)n;
	out->output[out->len] = '\0';
	if (out->len > r->most)
		out->end = CHILD_OUTPUT_TOO_LONG;
	return n > 0 && out->end != CHILD_OUTPUT_TOO_LONG;
}

/* Reads until the output's end, or the child's where somebody else holds the pipe open. */
static enum wait_result collect(struct running *r)
{
	bool gone = false;

	for (;;) {
		struct deadline part = deadline_sub(&r->deadline, gone ? 0 : SLICE_SECONDS);
		enum wait_result ready = deadline_wait(&part, r->output, POLLIN);

		if (ready == WAIT_READY && take(r))
			continue;
		if (ready != WAIT_TIMEOUT || gone)
			return ready == WAIT_CANCELLED ? ready : WAIT_READY;
		if (deadline_left(&r->deadline) <= 0)
			return WAIT_TIMEOUT;
		gone = has_exited(r->pid);
	}
}

static enum wait_result wait_exit(const struct running *r, const struct deadline *l)
{
	while (!has_exited(r->pid)) {
		struct deadline part = deadline_sub(l, SLICE_SECONDS);

		if (deadline_wait(&part, r->exits, POLLIN) == WAIT_CANCELLED)
			return WAIT_CANCELLED;
		if (deadline_left(l) <= 0)
			return has_exited(r->pid) ? WAIT_READY : WAIT_TIMEOUT;
	}
	return WAIT_READY;
}

static void listen_to(struct running *r)
{
	struct child_outcome *out = r->out;
	enum wait_result ready = collect(r);

	if (out->end == CHILD_OUTPUT_TOO_LONG)
		return;
	if (ready == WAIT_READY)
		ready = wait_exit(r, &r->deadline);
	if (ready == WAIT_TIMEOUT)
		out->end = CHILD_TIMED_OUT;
	else if (ready == WAIT_CANCELLED)
		out->end = CHILD_CANCELLED;
}

/* Ends the child and its group, and reaps it. */
static void finish(const struct running *r)
{
	struct deadline unwatched = deadline_in(TERM_SECONDS);
	siginfo_t info = { 0 };

	if (r->out->end == CHILD_CANCELLED) {
		kill(-r->pid, SIGTERM);
		wait_exit(r, &unwatched);
	}
	kill(-r->pid, SIGKILL);
	unwatched = deadline_in(REAP_SECONDS);
	wait_exit(r, &unwatched);
	waitid(P_PID, (id_t)r->pid, &info, WEXITED | WNOHANG);
	if (r->out->end == CHILD_EXITED) {
		r->out->end = info.si_code == CLD_EXITED ? CHILD_EXITED : CHILD_SIGNALED;
		r->out->status = info.si_status;
	}
}

int child_run(const struct child *c, struct child_outcome *out, struct err *e)
{
	struct running r = { .most = c->most, .out = out };

	*out = (struct child_outcome){ .end = CHILD_EXITED };
	if (start(c, &r, e) < 0)
		return -1;
	cleanup_close int output = r.output;
	cleanup_close int exits = exit_descriptor(r.pid);

	(void)output;
	r.exits = exits;
	out->started = monotonic_now();
	r.deadline = deadline_in(c->seconds);
	r.deadline.stdout_fd = c->watch->stdout_fd;
	r.deadline.signal_fd = c->watch->signal_fd;
	listen_to(&r);
	finish(&r);
	return 0;
}
