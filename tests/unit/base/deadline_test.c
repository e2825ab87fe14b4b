/* The deadline, its watchers and its last resort; writing where nobody may read. Needs nothing. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/deadline.h"

/* ---- waiting ---- */

static double seconds_since(int64_t start)
{
	return (double)(monotonic_now() - start) / 1e9;
}

TEST(a_wait_ends_in_time)
{
	int64_t start = monotonic_now();
	struct deadline l = deadline_in(0.05);
	int p[2];

	assert_int_equal(pipe(p), 0);
	assert_int_equal(deadline_wait(&l, p[0], POLLIN), WAIT_TIMEOUT);
	assert_true(seconds_since(start) >= 0.05);
	assert_true(seconds_since(start) < 5);
	assert_true(deadline_left(&l) <= 0);
	assert_int_equal(deadline_check(&l), WAIT_TIMEOUT);
	close(p[0]);
	close(p[1]);
}

TEST(a_pause)
{
	int64_t start = monotonic_now();
	struct deadline l = deadline_in(0.02);

	assert_int_equal(deadline_wait(&l, -1, 0), WAIT_TIMEOUT);
	assert_true(seconds_since(start) >= 0.02);
}

TEST(ready_counts_before_the_end)
{
	struct deadline l = deadline_in(0);
	int p[2];

	assert_int_equal(pipe(p), 0);
	assert_int_equal(write(p[1], "x", 1), 1);
	assert_int_equal(deadline_wait(&l, p[0], POLLIN), WAIT_READY);
	close(p[1]);
	close(p[0]);
}

TEST(the_other_end_gone_is_ready)
{
	struct deadline l = deadline_in(10);
	int p[2];

	assert_int_equal(pipe(p), 0);
	close(p[1]);
	assert_int_equal(deadline_wait(&l, p[0], POLLIN), WAIT_READY);
	close(p[0]);
	assert_int_equal(deadline_wait(&l, p[0], POLLIN), WAIT_READY); /* read will say EBADF */
}

TEST(no_reader_is_abandoned)
{
	struct deadline l = deadline_in(10);
	int pipe_ends[2];
	int socket_ends[2];

	assert_int_equal(pipe(pipe_ends), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, socket_ends), 0);
	l.stdout_fd = pipe_ends[1];
	assert_int_equal(deadline_check(&l), WAIT_READY);
	close(pipe_ends[0]);
	assert_int_equal(deadline_check(&l), WAIT_CANCELLED);
	assert_int_equal(deadline_wait(&l, -1, 0), WAIT_CANCELLED);
	l.stdout_fd = socket_ends[1];
	assert_int_equal(deadline_check(&l), WAIT_READY);
	close(socket_ends[0]);
	assert_int_equal(deadline_wait(&l, -1, 0), WAIT_CANCELLED);
	close(pipe_ends[1]);
	close(socket_ends[1]);
	assert_int_equal(deadline_check(&l), WAIT_CANCELLED); /* a descriptor that is closed */
}

TEST(a_file_has_no_reader_that_goes)
{
	struct deadline l = deadline_in(0.02);
	int file = open("/dev/null", O_WRONLY);

	l.stdout_fd = file;
	assert_int_equal(deadline_wait(&l, -1, 0), WAIT_TIMEOUT);
	close(file);
}

/* A bare chroot has no /dev/pts to make a terminal in. */
TEST(nor_has_a_terminal)
{
	struct deadline l = deadline_in(0.02);
	int master, slave;

	if (openpty(&master, &slave, NULL, NULL, NULL) < 0)
		skip();
	close(master);
	l.stdout_fd = slave;
	assert_int_equal(deadline_check(&l), WAIT_READY);
	assert_int_equal(deadline_wait(&l, -1, 0), WAIT_TIMEOUT);
	close(slave);
}

TEST(a_part_ends_first_or_with_the_whole)
{
	struct deadline whole = deadline_in(10);
	struct deadline part;

	whole.stdout_fd = 7;
	whole.signal_fd = 8;
	part = deadline_sub(&whole, 1);
	assert_true(deadline_left(&part) > 0.5 && deadline_left(&part) <= 1);
	assert_int_equal(part.stdout_fd, 7);
	assert_int_equal(part.signal_fd, 8);
	part = deadline_sub(&whole, 100);
	assert_true(part.end == whole.end);
	part = deadline_sub(&whole, -1);
	assert_true(deadline_left(&part) <= 0);
}

TEST(odd_numbers_of_seconds)
{
	struct deadline l = deadline_in(1e300);

	assert_true(deadline_left(&l) > 1e7);
	l = deadline_in(-1e300);
	assert_true(deadline_left(&l) <= 0);
	l = deadline_in((double)NAN);
	assert_true(deadline_left(&l) <= 0);
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* SIGUSR1 to the thread that waits, a few times. */
static void *disturb(void *thread)
{
	for (int i = 0; i < 5; i++) {
		usleep(5000);
		pthread_kill(*(pthread_t *)thread, SIGUSR1);
	}
	return NULL;
}

TEST(other_signals_do_not_end_a_wait)
{
	struct sigaction action = { .sa_handler = on_alarm };
	pthread_t self = pthread_self();
	pthread_t other;
	int64_t start = monotonic_now();
	struct deadline l = deadline_in(0.1);

	sigaction(SIGUSR1, &action, NULL);
	assert_int_equal(pthread_create(&other, NULL, disturb, &self), 0);
	assert_int_equal(deadline_wait(&l, -1, 0), WAIT_TIMEOUT);
	assert_true(seconds_since(start) >= 0.1);
	pthread_join(other, NULL);
}

TEST(signals_that_end_us)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	sigset_t blocked;
	struct deadline l = deadline_in(10);
	uint64_t n;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, NULL); /* as a parent may leave it */
	l.signal_fd = catch_signals();
	assert_true(l.signal_fd >= 0);
	assert_int_equal(catch_signals(), l.signal_fd);
	for (size_t i = 0; i < COUNT(signals); i++) {
		assert_int_equal(deadline_check(&l), WAIT_READY);
		raise(signals[i]);
		assert_int_equal(deadline_check(&l), WAIT_CANCELLED);
		assert_int_equal(deadline_wait(&l, -1, 0), WAIT_CANCELLED);
		assert_int_equal(read(l.signal_fd, &n, sizeof(n)), sizeof(n));
	}
}

/* What a child says that arms the last resort, and then computes for ever or `ends` by itself. */
static void last_resort(bool ends, const char *said, int status)
{
	char buf[32] = "";
	int p[2], how;
	pid_t pid;

	assert_return_code(pipe(p), errno);
	pid = fork();
	if (pid == 0) {
		arm_watchdog(0.05, p[1], "last words");
		if (ends)
			arm_watchdog(0, -1, NULL);
		for (int64_t end = monotonic_now() + 200000000; !ends || monotonic_now() < end;)
			;
		_exit(0);
	}
	close(p[1]);
	assert_int_equal(waitpid(pid, &how, 0), pid);
	assert_int_equal(read(p[0], buf, sizeof(buf) - 1), strlen(said));
	assert_string_equal(buf, said);
	assert_int_equal(how, status << 8);
	close(p[0]);
}

TEST(the_last_resort)
{
	last_resort(false, "last words", 1);
	last_resort(true, "", 0);
}

TEST(who_waits_in_the_kernel_is_killed)
{
	int64_t start = monotonic_now();
	int how;
	pid_t pid;

	if (emulated())
		skip(); /* vfork is fork there */
	pid = fork();
	if (pid == 0) {
		arm_watchdog(0.05, -1, "");
		/* Until its child is gone, no handler runs.
		 * NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.vfork) */
		if (vfork() == 0) {
			sleep(2); /* NOLINT(clang-analyzer-unix.Vfork) */
			_exit(0);
		}
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &how, 0), pid);
	assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
	assert_true(monotonic_now() - start < 1500000000);
}

TEST(reasons)
{
	assert_string_equal(wait_reason(WAIT_TIMEOUT), "the deadline has passed");
	assert_string_equal(wait_reason(WAIT_CANCELLED), "nobody waits for the answer any more");
	assert_string_equal(wait_reason(WAIT_READY), "ready");
}

/* ---- writing ---- */

enum { LONG = 300000 }; /* more than a pipe or a socket takes at once */

struct drain {
	int fd;
	size_t bytes;
};

/* Reads everything and counts it. */
static void *drain(void *context)
{
	struct drain *d = context;
	static _Thread_local char buf[8192];
	ssize_t n;

	while ((n = read(d->fd, buf, sizeof(buf))) > 0)
		d->bytes += (size_t)n;
	return NULL;
}

static void all_arrives_at(int to, int from)
{
	char *text = calloc(1, LONG);
	struct deadline l = deadline_in(20);
	struct drain d = { .fd = from };
	pthread_t reader;

	assert_int_equal(pthread_create(&reader, NULL, drain, &d), 0);
	assert_int_equal(write_all(&l, to, text, LONG), 0);
	close(to);
	pthread_join(reader, NULL);
	assert_int_equal(d.bytes, LONG);
	close(from);
	free(text);
}

TEST(all_arrives)
{
	int p[2];

	assert_int_equal(pipe(p), 0);
	all_arrives_at(p[1], p[0]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, p), 0);
	all_arrives_at(p[1], p[0]);
}

TEST(nobody_reads)
{
	char *text = calloc(1, LONG);
	int p[2];

	for (int i = 0; i < 2; i++) {
		struct deadline l = deadline_in(0.05);

		assert_int_equal(i ? pipe(p) : socketpair(AF_UNIX, SOCK_STREAM, 0, p), 0);
		assert_int_equal(write_all(&l, p[1], text, LONG), -1);
		assert_int_equal(errno, ETIMEDOUT);
		close(p[0]);
		close(p[1]);
	}
	free(text);
}

/* Reads a byte now and then, until the writer is gone. */
static void *sip(void *fd)
{
	char c[4096];

	while (read(*(int *)fd, c, sizeof(c)) > 0)
		usleep(2000);
	return NULL;
}

TEST(a_slow_reader_does_not_draw_it_out)
{
	size_t len = 64UL << 20;
	char *text = calloc(1, len);
	struct deadline l;
	int64_t start = monotonic_now();
	pthread_t reader;
	int p[2];

	assert_int_equal(pipe(p), 0);
	l = deadline_in(0);
	assert_int_equal(write_all(&l, p[1], text, 1), -1); /* there is room, but no time */
	assert_int_equal(errno, ETIMEDOUT);
	l = deadline_in(0.1);
	assert_int_equal(pthread_create(&reader, NULL, sip, &p[0]), 0);
	assert_int_equal(write_all(&l, p[1], text, len), -1);
	assert_int_equal(errno, ETIMEDOUT);
	assert_true(monotonic_now() - start < 5 * INT64_C(1000000000));
	close(p[1]);
	pthread_join(reader, NULL);
	close(p[0]);
	free(text);
}

TEST(writes_that_fail)
{
	struct deadline l = deadline_in(10);
	int full = open("/dev/full", O_WRONLY);
	int p[2];

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(write_all(&l, full, "x", 1), -1);
	assert_int_equal(errno, ENOSPC);
	close(full);
	assert_int_equal(pipe(p), 0);
	close(p[0]);
	assert_int_equal(write_all(&l, p[1], "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	close(p[1]);
	assert_int_equal(write_all(&l, p[1], "x", 1), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(write_all(&l, -1, "", 0), 0);
}
