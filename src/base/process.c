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

	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) < 0 &&
		    open("/", O_RDONLY) < 0)
			return;
}

static void on_pipe(int signal)
{
	(void)signal;
}

int harden_process(void)
{
	fill_closed();
	signal(SIGPIPE, on_pipe); /* not SIG_IGN: a child would inherit that */
	prctl(PR_SET_DUMPABLE, 0);
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
	return catch_signals();
}

/* In a child: closes every descriptor above 2 but this one (-1: every). */
static void close_all_but(int fd)
{
#ifdef SYS_close_range
	unsigned kept = fd < 0 ? 2U : (unsigned)fd;

	if (kept > 3)
		syscall(SYS_close_range, 3U, kept - 1, 0U);
	syscall(SYS_close_range, kept + 1, UINT_MAX, 0U);
#else
	(void)fd;
#endif
}

/* ---- a program ---- */

struct running {
	const struct child *c;
	struct child_outcome *out;
	pid_t pid;
	int exit_fd;   /* readable when it exits; -1 on an older kernel, or without descriptors */
	int output_fd; /* our end of the pipe */
	bool reading;  /* the output has not ended */
	size_t room;   /* of out->output */
};

/* The file in memory that a child reads; -1: errno is set. Kernels before 6.3 do not know the seal,
 * and later ones can be set to require it. */
static int input_file(const char *input, size_t len)
{
	cleanup_close int fd = memfd_create("stdin", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
	ssize_t n = 1;

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("stdin", MFD_CLOEXEC);
	for (size_t done = 0; fd >= 0 && done < len && n > 0; done += (size_t)n)
		n = pwrite(fd, input + done, len - done, (off_t)done);
	return n > 0 ? steal_fd(&fd) : -1;
}

/*
 * In the child, whose memory may still be its parent's: only system calls. No descriptor but 0, 1
 * and 2 is passed on, not even one that we were given ourselves; `report` is closed by exec.
 * Handlers end with exec, but none may run before. -1: errno is set.
 */
static int child_setup(const struct child *c, int in, int out, int report, pid_t parent,
		       const sigset_t *mask)
{
	static const int signals[] = { SIGPIPE, SIGTERM, SIGINT, SIGHUP };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], SIG_DFL);
	if (setpgid(0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
		return -1;
	if (getppid() != parent) /* it died before it could be watched */
		_exit(127);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(c->stderr_fd, 2) < 0)
		return -1;
	close_all_but(report);
	return sigprocmask(SIG_SETMASK, mask, NULL);
}

/* Sets the child up and runs the program in it. Ends only by telling `failed` and `report` why it
 * could not. */
static _Noreturn void exec_child(const struct child *c, int in, int out, int report,
				 volatile int *failed, pid_t parent, const sigset_t *mask)
{
	char *const argv[] = { (char *)c->path, NULL };
	int why;
	ssize_t written;

	if (child_setup(c, in, out, report, parent, mask) == 0)
		execve(c->path, argv, c->env);
	*failed = why = errno;
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
		while (read(report[0], (int *)&failed, sizeof(failed)) < 0 && errno == EINTR)
			;
		close(report[0]);
	}
	if (failed && pid > 0)
		waitpid(pid, NULL, 0); /* it ends at once */
	errno = failed;
	return failed ? 0 : pid;
}

static pid_t spawn_when_not_busy(const struct child *c, int in, int out)
{
	struct deadline busy = deadline_watching(BUSY_SECONDS, c->watchers), pause;
	pid_t pid;

	do {
		pid = spawn(c, in, out);
		if (pid || errno != ETXTBSY)
			return pid;
		pause = deadline_sub(&busy, SLICE_SECONDS);
	} while (deadline_wait(&pause, -1, 0) != WAIT_CANCELLED && deadline_left(&busy) > 0);
	errno = ETXTBSY;
	return 0;
}

static int cannot(const char *what, const struct child *c, struct err *e)
{
	return err_set(e, CNI_IO_FAILURE, "cannot %s %s: %s", what, c->path, strerror(errno));
}

static int start_child(struct running *r, struct err *e)
{
	int ends[2];
	cleanup_close int in = input_file(r->c->input, r->c->input_len);

	if (in < 0)
		return cannot("keep the input of", r->c, e);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return cannot("make a pipe for", r->c, e);
	cleanup_close int ours = ends[0];
	cleanup_close int theirs = ends[1];

	signal(SIGCHLD, SIG_DFL); /* inherited as ignored, it would lose the exit status */
	r->pid = spawn_when_not_busy(r->c, in, theirs);
	if (!r->pid)
		return cannot("run", r->c, e);
	r->output_fd = steal_fd(&ours);
#ifdef SYS_pidfd_open
	r->exit_fd = (int)syscall(SYS_pidfd_open, r->pid, 0);
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
	if (out->len > r->c->output_max)
		out->end = CHILD_OUTPUT_TOO_LONG;
	return n > 0 && out->end != CHILD_OUTPUT_TOO_LONG;
}

/* Until the child has exited, or has written too much. What others write who keep its output open
 * is not waited for. */
static enum wait_result wait_child(struct running *r, const struct deadline *d)
{
	for (;;) {
		bool last = deadline_left(d) <= 0, exited = has_exited(r->pid);
		struct deadline slice = deadline_sub(d, exited ? 0 : SLICE_SECONDS);
		enum wait_result ready;

		if (exited && !r->reading)
			return WAIT_READY;
		ready = deadline_wait(&slice, r->reading ? r->output_fd : r->exit_fd, POLLIN);
		if (ready == WAIT_CANCELLED)
			return WAIT_CANCELLED;
		if (r->reading && (ready == WAIT_READY || exited)) {
			r->reading = ready == WAIT_READY && read_output(r);
			if (r->out->end == CHILD_OUTPUT_TOO_LONG)
				return WAIT_READY;
		} else if (last) {
			return WAIT_TIMEOUT;
		}
	}
}

/* Ends the child and its group, and reaps it. */
static void kill_and_reap(struct running *r)
{
	enum child_end *end = &r->out->end;
	double term_seconds = *end == CHILD_CANCELLED   ? TERM_SECONDS
			      : *end == CHILD_TIMED_OUT ? r->c->term_seconds
							: 0;
	struct deadline patience = deadline_in(term_seconds);
	siginfo_t info = { 0 };

	r->reading = false;
	if (term_seconds > 0) {
		kill(-r->pid, SIGTERM);
		wait_child(r, &patience);
	}
	kill(-r->pid, SIGKILL);
	patience = deadline_in(REAP_SECONDS);
	wait_child(r, &patience);
	waitid(P_PID, (id_t)r->pid, &info, WEXITED | WNOHANG);
	r->out->status = info.si_status;
	if (*end == CHILD_EXITED && info.si_code != CLD_EXITED)
		*end = CHILD_SIGNALED;
}

int child_run(const struct child *c, struct child_outcome *out, struct err *e)
{
	struct running r = { .c = c, .out = out, .exit_fd = -1, .reading = true };
	struct deadline deadline;
	enum wait_result ended;

	*out = (struct child_outcome){ .end = CHILD_EXITED };
	if (start_child(&r, e) < 0)
		return -1;
	out->started = monotonic_now();
	deadline = deadline_watching(c->seconds, c->watchers);
	ended = wait_child(&r, &deadline);
	if (ended != WAIT_READY)
		out->end = ended == WAIT_TIMEOUT ? CHILD_TIMED_OUT : CHILD_CANCELLED;
	kill_and_reap(&r);
	close(r.output_fd);
	sys_close(&r.exit_fd);
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
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent) {
			close_all_but(ends[1]);
			function(argument, ends[1]);
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
