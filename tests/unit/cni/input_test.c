/* stdin. Needs memfd_create and 64 MiB of memory. */
#include "unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory.h"
#include "cni/call.h"

/* A file in memory of that many bytes, at its beginning. */
static int file_of(size_t len)
{
	int fd = memfd_create("input", 0);
	char *zeros = calloc(1, len + 1);

	assert_int_equal(write(fd, zeros, len), len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	free(zeros);
	return fd;
}

static int read_in(int fd, double seconds, size_t *len, struct err *e)
{
	struct deadline l = deadline_in(seconds);
	struct cni_call call = { .deadline = &l };
	int result = stdin_read(fd, &call, e);

	assert_int_equal(!!call.input, result == 0);
	if (result == 0)
		*len = call.input_len;
	mem_free_all();
	return result;
}

TEST(lengths)
{
	static const size_t lengths[] = { 0, 1, 65535, 65536, 65537, 200000, STDIN_MAX };

	for (size_t i = 0; i < COUNT(lengths); i++) {
		int fd = file_of(lengths[i]);
		struct err e = { 0 };
		size_t len = 7;

		assert_int_equal(read_in(fd, 60, &len, &e), 0);
		assert_int_equal(len, lengths[i]);
		close(fd);
	}
}

struct writer {
	int fd;
	size_t len;
	useconds_t pause;
};

static void *write_and_close(void *context)
{
	struct writer *w = context;
	char piece[4096] = { 0 };

	while (w->len > 0) {
		ssize_t n = write(w->fd, piece, w->len < sizeof(piece) ? w->len : sizeof(piece));

		if (n < 0)
			break;
		w->len -= (size_t)n;
		if (w->pause)
			usleep(w->pause);
	}
	close(w->fd);
	return NULL;
}

static int read_pipe(size_t bytes, useconds_t pause, double seconds, size_t *len, struct err *e)
{
	struct writer w = { .len = bytes, .pause = pause };
	pthread_t writer;
	int p[2];
	int result;

	assert_int_equal(pipe(p), 0);
	w.fd = p[1];
	assert_int_equal(pthread_create(&writer, NULL, write_and_close, &w), 0);
	result = read_in(p[0], seconds, len, e);
	close(p[0]);
	pthread_join(writer, NULL);
	return result;
}

TEST(a_pipe)
{
	struct err e = { 0 };
	size_t len;

	assert_int_equal(read_pipe(1000000, 0, 60, &len, &e), 0);
	assert_int_equal(len, 1000000);
	assert_int_equal(read_pipe(STDIN_MAX, 0, 60, &len, &e), 0);
	assert_int_equal(len, STDIN_MAX);
}

TEST(too_long)
{
	static const char msg[] = "error unmarshall network config: stdin is longer than 32 MiB";
	int fd = file_of(STDIN_MAX + 1);
	struct err e = { 0 };
	size_t len;

	assert_int_equal(read_in(fd, 60, &len, &e), -1);
	assert_err(&e, CNI_DECODING_FAILURE, msg, "");
	close(fd);
	memset(&e, 0, sizeof(e));
	assert_int_equal(read_pipe(STDIN_MAX + 1, 0, 60, &len, &e), -1);
	assert_err(&e, CNI_DECODING_FAILURE, msg, "");
}

TEST(no_end)
{
	static const char details[] = "stdin did not end: close it after the network configuration";
	struct err e = { 0 };
	size_t len;
	int p[2];

	assert_int_equal(pipe(p), 0);
	assert_int_equal(write(p[1], "{}", 2), 2);
	assert_int_equal(read_in(p[0], 0.05, &len, &e), -1);
	assert_err(&e, CNI_TRY_AGAIN_LATER, "error reading from stdin: the deadline has passed",
		   details);
	memset(&e, 0, sizeof(e));
	assert_int_equal(write(p[1], "{}", 2), 2);
	close(p[1]);
	assert_int_equal(read_in(p[0], 0, &len, &e), -1); /* there is an end, but no time */
	assert_err(&e, CNI_TRY_AGAIN_LATER, "error reading from stdin: the deadline has passed",
		   details);
	close(p[0]);
	/* A byte now and then does not draw it out. */
	memset(&e, 0, sizeof(e));
	assert_int_equal(read_pipe(4096UL * 1000, 1000, 0.05, &len, &e), -1);
	assert_err(&e, CNI_TRY_AGAIN_LATER, "error reading from stdin: the deadline has passed",
		   details);
}

TEST(nobody_waits_any_more)
{
	struct deadline l = deadline_in(10);
	struct err e = { 0 };
	struct cni_call call = { .deadline = &l };
	int in[2], out[2];

	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	close(out[0]);
	l.stdout_fd = out[1];
	assert_int_equal(stdin_read(in[0], &call, &e), -1);
	assert_err(&e, CNI_TRY_AGAIN_LATER,
		   "error reading from stdin: nobody waits for the answer any more", "");
	close(in[0]);
	close(in[1]);
	close(out[1]);
}

TEST(failures)
{
	int dir = open("/", O_RDONLY);
	int closed = open("/dev/null", O_WRONLY);
	struct err e = { 0 };
	size_t len;

	assert_int_equal(read_in(dir, 10, &len, &e), -1);
	assert_err(&e, CNI_IO_FAILURE, "error reading from stdin: Is a directory", "");
	assert_int_equal(read_in(closed, 10, &len, &e), -1);
	assert_err(&e, CNI_IO_FAILURE, "error reading from stdin: Bad file descriptor", "");
	close(dir);
	close(closed);
	assert_int_equal(read_in(closed, 10, &len, &e), -1);
	assert_err(&e, CNI_IO_FAILURE, "error reading from stdin: Bad file descriptor", "");
}

TEST(a_nonblocking_stdin_is_waited_for)
{
	struct writer w = { .len = 10 };
	struct err e = { 0 };
	pthread_t writer;
	size_t len;
	int p[2];

	assert_int_equal(pipe2(p, O_NONBLOCK), 0);
	w.fd = p[1];
	assert_int_equal(pthread_create(&writer, NULL, write_and_close, &w), 0);
	assert_int_equal(read_in(p[0], 10, &len, &e), 0);
	assert_int_equal(len, 10);
	pthread_join(writer, NULL);
	close(p[0]);
}
