/* The deadline and its watchers. Needs nothing. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limit.h"

static double seconds_since(int64_t start)
{
	return (double)(limit_now() - start) / 1e9;
}

static void a_wait_ends_in_time(void **state)
{
	int64_t start = limit_now();
	struct limit l = limit_in(0.05);
	int p[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	assert_int_equal(limit_wait(&l, p[0], POLLIN), LIMIT_EXPIRED);
	assert_true(seconds_since(start) >= 0.05);
	assert_true(seconds_since(start) < 5);
	assert_true(limit_left(&l) <= 0);
	assert_int_equal(limit_look(&l), LIMIT_EXPIRED);
	close(p[0]);
	close(p[1]);
}

static void a_pause(void **state)
{
	int64_t start = limit_now();
	struct limit l = limit_in(0.02);

	(void)state;
	assert_int_equal(limit_wait(&l, -1, 0), LIMIT_EXPIRED);
	assert_true(seconds_since(start) >= 0.02);
}

static void ready_counts_before_the_end(void **state)
{
	struct limit l = limit_in(0);
	int p[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	assert_int_equal(write(p[1], "x", 1), 1);
	assert_int_equal(limit_wait(&l, p[0], POLLIN), LIMIT_READY);
	close(p[1]);
	close(p[0]);
}

static void the_other_end_gone_is_ready(void **state)
{
	struct limit l = limit_in(10);
	int p[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	close(p[1]);
	assert_int_equal(limit_wait(&l, p[0], POLLIN), LIMIT_READY);
	close(p[0]);
	assert_int_equal(limit_wait(&l, p[0], POLLIN), LIMIT_READY); /* read will say EBADF */
}

static void no_reader_is_abandoned(void **state)
{
	struct limit l = limit_in(10);
	int pipe_ends[2];
	int socket_ends[2];

	(void)state;
	assert_int_equal(pipe(pipe_ends), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, socket_ends), 0);
	l.reader = pipe_ends[1];
	assert_int_equal(limit_look(&l), LIMIT_READY);
	close(pipe_ends[0]);
	assert_int_equal(limit_look(&l), LIMIT_ABANDONED);
	assert_int_equal(limit_wait(&l, -1, 0), LIMIT_ABANDONED);
	l.reader = socket_ends[1];
	assert_int_equal(limit_look(&l), LIMIT_READY);
	close(socket_ends[0]);
	assert_int_equal(limit_wait(&l, -1, 0), LIMIT_ABANDONED);
	close(pipe_ends[1]);
	close(socket_ends[1]);
	assert_int_equal(limit_look(&l), LIMIT_ABANDONED); /* a descriptor that is closed */
}

static void a_file_has_no_reader_that_goes(void **state)
{
	struct limit l = limit_in(0.02);
	int file = open("/dev/null", O_WRONLY);

	(void)state;
	l.reader = file;
	assert_int_equal(limit_wait(&l, -1, 0), LIMIT_EXPIRED);
	close(file);
}

/* A bare chroot has no /dev/pts to make a terminal in. */
static void nor_has_a_terminal(void **state)
{
	struct limit l = limit_in(0.02);
	int master, slave;

	(void)state;
	if (openpty(&master, &slave, NULL, NULL, NULL) < 0)
		skip();
	close(master);
	l.reader = slave;
	assert_int_equal(limit_look(&l), LIMIT_READY);
	assert_int_equal(limit_wait(&l, -1, 0), LIMIT_EXPIRED);
	close(slave);
}

static void a_part_ends_first_or_with_the_whole(void **state)
{
	struct limit whole = limit_in(10);
	struct limit part;

	(void)state;
	whole.reader = 7;
	whole.told = 8;
	part = limit_part(&whole, 1);
	assert_true(limit_left(&part) > 0.5 && limit_left(&part) <= 1);
	assert_int_equal(part.reader, 7);
	assert_int_equal(part.told, 8);
	part = limit_part(&whole, 100);
	assert_true(part.end == whole.end);
	part = limit_part(&whole, -1);
	assert_true(limit_left(&part) <= 0);
}

static void odd_numbers_of_seconds(void **state)
{
	struct limit l = limit_in(1e300);

	(void)state;
	assert_true(limit_left(&l) > 1e7);
	l = limit_in(-1e300);
	assert_true(limit_left(&l) <= 0);
	l = limit_in((double)NAN);
	assert_true(limit_left(&l) <= 0);
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

static void other_signals_do_not_end_a_wait(void **state)
{
	struct sigaction action = { .sa_handler = on_alarm };
	pthread_t self = pthread_self();
	pthread_t other;
	int64_t start = limit_now();
	struct limit l = limit_in(0.1);

	(void)state;
	sigaction(SIGUSR1, &action, NULL);
	assert_int_equal(pthread_create(&other, NULL, disturb, &self), 0);
	assert_int_equal(limit_wait(&l, -1, 0), LIMIT_EXPIRED);
	assert_true(seconds_since(start) >= 0.1);
	pthread_join(other, NULL);
}

static void signals_that_end_us(void **state)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	sigset_t blocked;
	struct limit l = limit_in(10);
	uint64_t n;

	(void)state;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, NULL); /* as a parent may leave it */
	l.told = limit_listen();
	assert_true(l.told >= 0);
	assert_int_equal(limit_listen(), l.told);
	for (size_t i = 0; i < COUNT(signals); i++) {
		assert_int_equal(limit_look(&l), LIMIT_READY);
		raise(signals[i]);
		assert_int_equal(limit_look(&l), LIMIT_ABANDONED);
		assert_int_equal(limit_wait(&l, -1, 0), LIMIT_ABANDONED);
		assert_int_equal(read(l.told, &n, sizeof(n)), sizeof(n));
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
		limit_last_resort(0.05, p[1], "last words");
		if (ends)
			limit_last_resort(0, -1, NULL);
		for (int64_t end = limit_now() + 200000000; !ends || limit_now() < end;)
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

static void the_last_resort(void **state)
{
	(void)state;
	last_resort(false, "last words", 1);
	last_resort(true, "", 0);
}

static void reasons(void **state)
{
	(void)state;
	assert_string_equal(limit_why(LIMIT_EXPIRED), "the deadline has passed");
	assert_string_equal(limit_why(LIMIT_ABANDONED), "nobody waits for the answer any more");
	assert_string_equal(limit_why(LIMIT_READY), "ready");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wait_ends_in_time),
		cmocka_unit_test(a_pause),
		cmocka_unit_test(ready_counts_before_the_end),
		cmocka_unit_test(the_other_end_gone_is_ready),
		cmocka_unit_test(no_reader_is_abandoned),
		cmocka_unit_test(a_file_has_no_reader_that_goes),
		cmocka_unit_test(nor_has_a_terminal),
		cmocka_unit_test(a_part_ends_first_or_with_the_whole),
		cmocka_unit_test(odd_numbers_of_seconds),
		cmocka_unit_test(other_signals_do_not_end_a_wait),
		cmocka_unit_test(signals_that_end_us),
		cmocka_unit_test(the_last_resort),
		cmocka_unit_test(reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
