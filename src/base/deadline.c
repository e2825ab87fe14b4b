/*
 * Waiting, writing and ending in bounded time.
 *
 * Three things can end a wait: its deadline, a reader of stdout that has gone, and a signal. All of
 * them are descriptors or times of one poll. Code that blocks without poll (DNS, TLS, a file
 * system) is out of its reach; for that there is the watchdog, a timer whose handler prints and
 * ends.
 */
#include "base/deadline.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)
#define MILLISECOND INT64_C(1000000)
#define MAX_SECONDS 1e8 /* seconds: far beyond any time-out, far from overflow */

int64_t monotonic_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SECOND + now.tv_nsec;
}

static int64_t nanoseconds(double seconds)
{
	if (!(seconds > 0))
		return 0;
	return (int64_t)((seconds < MAX_SECONDS ? seconds : MAX_SECONDS) * 1e9);
}

struct deadline deadline_in(double seconds)
{
	return (struct deadline){ .end = monotonic_now() + nanoseconds(seconds),
				  .stdout_fd = -1,
				  .signal_fd = -1 };
}

struct deadline deadline_watching(double seconds, const struct deadline *like)
{
	struct deadline d = deadline_in(seconds);

	d.stdout_fd = like->stdout_fd;
	d.signal_fd = like->signal_fd;
	return d;
}

struct deadline deadline_sub(const struct deadline *d, double seconds)
{
	struct deadline part = *d;
	int64_t end = monotonic_now() + nanoseconds(seconds);

	if (end < part.end)
		part.end = end;
	return part;
}

static int64_t nanoseconds_left(const struct deadline *d)
{
	int64_t left = d->end - monotonic_now();

	return left > 0 ? left : 0;
}

double deadline_left(const struct deadline *d)
{
	return (double)nanoseconds_left(d) / 1e9;
}

/* poll's time-out: rounded up, so that a wait does not end just before its deadline. */
static int milliseconds_left(const struct deadline *d)
{
	int64_t left = (nanoseconds_left(d) + MILLISECOND - 1) / MILLISECOND;

	return left < INT_MAX ? (int)left : INT_MAX;
}

/*
 * The descriptor whose reader can go away. A terminal that hung up and a file have none that would
 * wait for the answer; polled, the terminal would end every wait at once.
 */
static int with_reader(int fd)
{
	struct stat st;

	if (fd < 0 || (fstat(fd, &st) == 0 && !S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode)))
		return -1;
	return fd;
}

/* One poll of at most `ms`. WAIT_TIMEOUT: nothing has happened. */
static enum wait_result look_at(const struct deadline *d, int fd, short events, int ms)
{
	struct pollfd fds[] = {
		{ .fd = fd, .events = events },
		{ .fd = with_reader(d->stdout_fd) },
		{ .fd = d->signal_fd, .events = POLLIN },
	};

	if (poll(fds, sizeof(fds) / sizeof(fds[0]), ms) <= 0)
		return WAIT_TIMEOUT;
	if (fds[0].revents)
		return WAIT_READY;
	return fds[1].revents || fds[2].revents ? WAIT_CANCELLED : WAIT_TIMEOUT;
}

enum wait_result deadline_wait(const struct deadline *d, int fd, short events)
{
	for (;;) {
		int ms = milliseconds_left(d);
		enum wait_result r = look_at(d, fd, events, ms);

		if (r != WAIT_TIMEOUT || ms == 0)
			return r;
	}
}

enum wait_result deadline_check(const struct deadline *d)
{
	if (look_at(d, -1, 0, 0) == WAIT_CANCELLED)
		return WAIT_CANCELLED;
	return monotonic_now() < d->end ? WAIT_READY : WAIT_TIMEOUT;
}

const char *wait_reason(enum wait_result r)
{
	static const char *const reasons[] = {
		[WAIT_READY] = "ready",
		[WAIT_TIMEOUT] = "the deadline has passed",
		[WAIT_CANCELLED] = "nobody waits for the answer any more",
	};

	return reasons[r];
}

/* POLLOUT promises PIPE_BUF bytes of room in a pipe, but not in a socket: that must not block. */
static ssize_t write_some(int fd, const char *text, size_t len)
{
	size_t piece = len < PIPE_BUF ? len : PIPE_BUF;
	ssize_t n = send(fd, text, piece, MSG_DONTWAIT | MSG_NOSIGNAL);

	return n < 0 && errno == ENOTSOCK ? write(fd, text, piece) : n;
}

int write_all(const struct deadline *d, int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n;

		/* Check the clock too: a peer that takes one byte at a time must not extend the
		 * deadline. */
		if (deadline_wait(d, fd, POLLOUT) != WAIT_READY || deadline_left(d) <= 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		n = write_some(fd, text, len);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -1;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* Static because a signal handler gets no argument of ours. */
static int signalled = -1;

static void on_signal(int signal)
{
	int saved = errno;
	ssize_t said = write(signalled, &(uint64_t){ 1 }, sizeof(uint64_t));

	(void)signal;
	(void)said; /* if its counter is full, it is readable already */
	errno = saved;
}

int catch_signals(void)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	sigset_t ours;

	if (signalled < 0)
		signalled = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (signalled < 0)
		return -1;
	sigemptyset(&ours);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		sigaction(signals[i], &action, NULL);
		sigaddset(&ours, signals[i]);
	}
	/* The parent may have left them blocked. */
	sigprocmask(SIG_UNBLOCK, &ours, NULL);
	return signalled;
}

/* Static for the same reason. */
static struct {
	int fd;
	size_t len;
	char text[4096];
} last_words;

static void on_alarm(int signal)
{
	ssize_t said = write(last_words.fd, last_words.text, last_words.len);

	(void)signal;
	(void)said;
	_exit(1);
}

/*
 * A process that waits in the kernel for a file system does not run its signal handlers, but
 * SIGKILL ends it, and a timer of the kernel can send that. (The timer functions of the C library
 * would link its threads too.) `seconds` 0 disarms it.
 */
static void arm_kill(double seconds)
{
	static int timer = -1;
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL };
	int64_t ns = nanoseconds(seconds);
	struct {
		long interval[2], seconds, nanoseconds;
	} when = { .seconds = (long)(ns / SECOND), .nanoseconds = (long)(ns % SECOND) };

	if (timer >= 0)
		syscall(SYS_timer_delete, timer);
	timer = -1;
	if (ns > 0 && syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer) == 0)
		syscall(SYS_timer_settime, timer, 0, &when, NULL);
}

void arm_watchdog(double seconds, int fd, const char *words)
{
	int64_t us = nanoseconds(seconds) / 1000;
	struct itimerval when = { .it_value = { us / 1000000, us % 1000000 } };
	sigset_t alarm;

	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	arm_kill(0);
	if (seconds <= 0)
		return;
	last_words.fd = fd;
	last_words.len = strnlen(words, sizeof(last_words.text));
	memcpy(last_words.text, words, last_words.len);
	signal(SIGALRM, on_alarm);
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	sigprocmask(SIG_UNBLOCK, &alarm, NULL);
	setitimer(ITIMER_REAL, &when, NULL);
	arm_kill(seconds + KILL_SECONDS);
}
