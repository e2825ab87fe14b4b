/*
 * This process and its children.
 *
 * A program's stdin is a file in memory and its stdout a pipe. So there is one direction to wait
 * for, no SIGPIPE, and at most four descriptors besides the usual three and the deadline's.
 *
 * A child has ended when it is a zombie, not when its stdout is closed: it may close that early,
 * and what it has started may hold it open. Its group is killed before it is reaped, because until
 * then nobody else can have its number.
 */
#include "base/process.h"

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
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/sys.h"

#define REPORT_FD 3        /* in a child until exec: see spawn() */
#define SLICE_SECONDS 0.02 /* how often is asked for what no descriptor reports */

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif

/* ---- this process ---- */

/*
 * If stdin, stdout or stderr is closed, the next open() would take its number (the database's
 * socket, say). What stands in for stdin cannot be read, and what stands in for stdout cannot be
 * written, so that both fail as closed ones do.
 */
static void fill_closed(void)
{
	static const int modes[] = { O_WRONLY, O_RDONLY, O_WRONLY };

	for (int fd = 0; fd < 3; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) < 0 &&
		    open("/", O_RDONLY) < 0)
			return;
	}
}

static void on_pipe(int signal)
{
	(void)signal;
}

int harden_process(void)
{
	/* Not SIG_IGN: a child would inherit that. */
	struct sigaction pipe_gone = { .sa_handler = on_pipe, .sa_flags = SA_RESTART };
	struct rlimit none = { 0, 0 };

	fill_closed();
	sigemptyset(&pipe_gone.sa_mask);
	sigaction(SIGPIPE, &pipe_gone, NULL);
	prctl(PR_SET_DUMPABLE, 0);
	setrlimit(RLIMIT_CORE, &none);
	return catch_signals();
}

/* ---- a program ---- */

struct running {
	pid_t pid;
	int exit_fd;   /* readable when it exits; -1 on an older kernel, or without descriptors */
	int output_fd; /* our end of the pipe */
	size_t room;   /* of out->output */
	size_t output_max;
	double term_seconds;
	struct deadline deadline;
	struct child_outcome *out;
};

/* The file in memory that a child reads; -1: errno is set. Kernels before 6.3 do not know the seal,
 * and later ones can be set to require it. */
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
 * In the child, whose memory may still be its parent's: only system calls. No descriptor but 0, 1
 * and 2 is passed on, not even one that we were given ourselves; `report` becomes 3, which exec
 * closes. Handlers end with exec, but none may run before. -1: errno is set.
 */
static int child_setup(const struct child *c, int in, int out, int *report, pid_t parent,
		       const sigset_t *mask)
{
	static const int signals[] = { SIGPIPE, SIGTERM, SIGINT, SIGHUP };
	const struct sigaction usual = { .sa_handler = SIG_DFL };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &usual, NULL);
	if (setpgid(0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
		return -1;
	if (getppid() != parent) /* it died before it could be watched */
		_exit(127);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(c->stderr_fd, 2) < 0)
		return -1;
	if (*report >= 0 && *report != REPORT_FD && dup3(*report, REPORT_FD, O_CLOEXEC) < 0)
		return -1;
	*report = *report < 0 ? -1 : REPORT_FD;
#ifdef SYS_close_range
	syscall(SYS_close_range, *report < 0 ? 3U : REPORT_FD + 1U, UINT_MAX, 0U);
#endif
	return sigprocmask(SIG_SETMASK, mask, NULL);
}

/* Sets the child up and runs the program in it. Ends only by telling `failed` and `report` why it
 * could not. */
static _Noreturn void exec_child(const struct child *c, int in, int out, int report,
				 volatile int *failed, pid_t parent, const sigset_t *mask)
{
	char *const argv[] = { (char *)c->path, NULL };
	int why;
	ssize_t written = 0;

	if (child_setup(c, in, out, &report, parent, mask) == 0)
		execve(c->path, argv, c->env);
	*failed = why = errno;
	if (report >= 0)
		written = write(report, &why, sizeof(why));
	(void)written;
	_exit(127);
}

/*
 * Starts the child; 0: errno is set. Whether exec has worked is told by a pipe that exec closes. So
 * the child is in its own group when this returns. vfork's shared memory tells it too, but not
 * every system has that (qemu-user does not); it is enough where there are no descriptors for the
 * pipe.
 */
static pid_t spawn(const struct child *c, int in, int out)
{
	const pid_t parent = getpid();
	int report[2] = { -1, -1 };
	volatile int failed = 0;
	int told = 0;
	sigset_t all, mask;
	pid_t pid;

	if (pipe2(report, O_CLOEXEC) < 0 && errno != EMFILE && errno != ENFILE)
		return 0;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &mask);
	/* Half of fork's time. The child may only make system calls, and exec_child() does no more.
	 * NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.vfork) */
	pid = vfork();
	if (pid == 0) /* NOLINTNEXTLINE(clang-analyzer-unix.Vfork) */
		exec_child(c, in, out, report[1], &failed, parent, &mask);
	if (pid < 0)
		failed = errno;
	sigprocmask(SIG_SETMASK, &mask, NULL);
	if (report[0] >= 0) {
		close(report[1]);
		while (!failed && read(report[0], &told, sizeof(told)) < 0 && errno == EINTR)
			;
		close(report[0]);
	}
	if (told)
		failed = told;
	if (failed && pid > 0)
		waitpid(pid, NULL, 0); /* it ends at once */
	errno = failed;
	return failed ? 0 : pid;
}

static pid_t spawn_when_not_busy(const struct child *c, int in, int out)
{
	struct deadline busy = deadline_watching(BUSY_SECONDS, c->watchers);

	for (;;) {
		pid_t pid = spawn(c, in, out);

		if (pid || errno != ETXTBSY)
			return pid;
		struct deadline pause = deadline_sub(&busy, SLICE_SECONDS);

		if (deadline_wait(&pause, -1, 0) == WAIT_CANCELLED || deadline_left(&busy) <= 0) {
			errno = ETXTBSY;
			return 0;
		}
	}
}

static int start_child(const struct child *c, struct running *r, struct err *e)
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
	r->pid = spawn_when_not_busy(c, in, theirs);
	if (!r->pid)
		return err_set(e, CNI_IO_FAILURE, "cannot run %s: %s", c->path, strerror(errno));
	r->output_fd = steal_fd(&ours);
#ifdef SYS_pidfd_open
	r->exit_fd = (int)syscall(SYS_pidfd_open, r->pid, 0);
#else
	r->exit_fd = -1;
#endif
	return 0;
}

static bool has_exited(pid_t pid)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == pid;
}

/* Reads what the pipe holds. false: its end, or too much. */
static bool read_output(struct running *r)
{
	struct child_outcome *out = r->out;
	ssize_t n;

	if (out->len + 1 >= r->room) {
		size_t room = r->room ? 2 * r->room : 8192;

		out->output = mem_grow(out->output, r->room, room);
		r->room = room;
	}
	n = read(r->output_fd, out->output + out->len, r->room - out->len - 1);
	if (n < 0)
		return errno == EINTR;
	out->len += (size_t)n;
	out->output[out->len] = '\0';
	if (out->len > r->output_max)
		out->end = CHILD_OUTPUT_TOO_LONG;
	return n > 0 && out->end != CHILD_OUTPUT_TOO_LONG;
}

/* Reads until the output's end, or until the child has exited if others keep the pipe open. */
static enum wait_result read_until_end(struct running *r)
{
	bool exited = false;

	for (;;) {
		struct deadline slice = deadline_sub(&r->deadline, exited ? 0 : SLICE_SECONDS);
		enum wait_result ready = deadline_wait(&slice, r->output_fd, POLLIN);

		if (ready == WAIT_READY && read_output(r))
			continue;
		if (ready != WAIT_TIMEOUT || exited)
			return ready == WAIT_CANCELLED ? ready : WAIT_READY;
		if (deadline_left(&r->deadline) <= 0)
			return WAIT_TIMEOUT;
		exited = has_exited(r->pid);
	}
}

static enum wait_result wait_child(const struct running *r, const struct deadline *d)
{
	while (!has_exited(r->pid)) {
		struct deadline slice = deadline_sub(d, SLICE_SECONDS);

		if (deadline_wait(&slice, r->exit_fd, POLLIN) == WAIT_CANCELLED)
			return WAIT_CANCELLED;
		if (deadline_left(d) <= 0)
			return has_exited(r->pid) ? WAIT_READY : WAIT_TIMEOUT;
	}
	return WAIT_READY;
}

/* Ends the child and its group, and reaps it. */
static void kill_and_reap(const struct running *r)
{
	bool cancelled = r->out->end == CHILD_CANCELLED;
	struct deadline patience = deadline_in(cancelled ? TERM_SECONDS : r->term_seconds);
	siginfo_t info = { 0 };

	if (cancelled || (r->out->end == CHILD_TIMED_OUT && r->term_seconds > 0)) {
		kill(-r->pid, SIGTERM);
		wait_child(r, &patience);
	}
	kill(-r->pid, SIGKILL);
	patience = deadline_in(REAP_SECONDS);
	wait_child(r, &patience);
	waitid(P_PID, (id_t)r->pid, &info, WEXITED | WNOHANG);
	if (r->out->end == CHILD_EXITED) {
		r->out->end = info.si_code == CLD_EXITED ? CHILD_EXITED : CHILD_SIGNALED;
		r->out->status = info.si_status;
	}
}

int child_run(const struct child *c, struct child_outcome *out, struct err *e)
{
	struct running r = { .output_max = c->output_max,
			     .term_seconds = c->term_seconds,
			     .out = out };
	enum wait_result ready;

	*out = (struct child_outcome){ .end = CHILD_EXITED };
	if (start_child(c, &r, e) < 0)
		return -1;
	out->started = monotonic_now();
	r.deadline = deadline_watching(c->seconds, c->watchers);
	ready = read_until_end(&r);
	if (out->end != CHILD_OUTPUT_TOO_LONG) {
		if (ready == WAIT_READY)
			ready = wait_child(&r, &r.deadline);
		if (ready == WAIT_TIMEOUT)
			out->end = CHILD_TIMED_OUT;
		else if (ready == WAIT_CANCELLED)
			out->end = CHILD_CANCELLED;
	}
	kill_and_reap(&r);
	close(r.output_fd);
	if (r.exit_fd >= 0)
		close(r.exit_fd);
	return 0;
}

/* ---- a function ---- */

int process_call_start(void (*function)(void *argument, int reply_fd), void *argument,
		       struct process_call *out, struct err *e)
{
	const pid_t parent = getpid();
	int ends[2];
	pid_t pid;

	*out = (struct process_call){ .pid = -1, .reply_fd = -1 };
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(e, CNI_IO_FAILURE, "pipe: %s", strerror(errno));
	signal(SIGCHLD, SIG_DFL); /* inherited as ignored, it would lose the status */
	pid = fork();
	if (pid == 0) {
		/* It ends with its parent, and only by a signal that cannot be caught. It gives up
		 * the parent's descriptors: where there are few, it needs them for itself. */
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent &&
		    dup2(ends[1], REPORT_FD) == REPORT_FD) {
#ifdef SYS_close_range
			syscall(SYS_close_range, REPORT_FD + 1U, UINT_MAX, 0U);
#endif
			function(argument, REPORT_FD);
		}
		_exit(0);
	}
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return err_set(e, CNI_IO_FAILURE, "fork: %s", strerror(errno));
	}
	*out = (struct process_call){ .pid = pid, .reply_fd = ends[0] };
	return 0;
}

enum wait_result process_call_read(const struct process_call *c, const struct deadline *d,
				   void *reply, size_t size, size_t *got)
{
	*got = 0;
	while (*got < size) {
		enum wait_result ready = deadline_wait(d, c->reply_fd, POLLIN);
		ssize_t n;

		if (ready != WAIT_READY)
			return ready;
		n = read(c->reply_fd, (char *)reply + *got, size - *got);
		if (n == 0 || (n < 0 && errno != EINTR))
			break;
		*got += n > 0 ? (size_t)n : 0;
	}
	return WAIT_READY;
}

int process_call_end(struct process_call *c, const struct deadline *d)
{
	char rest[256];
	size_t got = sizeof(rest);
	int status = 0;

	if (c->pid <= 0) /* not started, or ended already: kill(2) would mean other processes */
		return 0;
	/* The pipe ends when the process does: its exit closes the only writing end. */
	while (d && got == sizeof(rest) &&
	       process_call_read(c, d, rest, sizeof(rest), &got) == WAIT_READY)
		;
	kill(c->pid, SIGKILL);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	close(c->reply_fd);
	*c = (struct process_call){ .pid = -1, .reply_fd = -1 };
	return status;
}
