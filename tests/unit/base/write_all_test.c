/* Writing where nobody may read. Needs nothing. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/deadline.h"

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

TEST(failures)
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
