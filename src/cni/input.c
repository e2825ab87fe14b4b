#include "cni/input.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/scope.h"

#define FIRST_ROOM (64UL * 1024)

/* How much to begin with: a file says its size, and one byte more finds its end. */
static size_t first_room(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		return (size_t)st.st_size < INPUT_MOST ? (size_t)st.st_size + 1 : INPUT_MOST + 1;
	return FIRST_ROOM;
}

/* Doubles the room, up to one byte more than may come. */
static int more_room(char **buf, size_t *room, struct err *e)
{
	size_t want = *room * 2 < INPUT_MOST + 1 ? *room * 2 : INPUT_MOST + 1;
	char *grown = realloc(*buf, want);

	if (!grown)
		return err_set(e, CNI_IO_FAILURE, "error reading from stdin: out of memory");
	*buf = grown;
	*room = want;
	return 0;
}

static int no_end(enum wait_result r, struct err *e)
{
	err_set(e, CNI_TRY_AGAIN_LATER, "error reading from stdin: %s", wait_reason(r));
	if (r == WAIT_TIMEOUT)
		err_details(e, "stdin did not end: close it after the network configuration");
	return -1;
}

/* Reads once. 1: there may be more, 0: that was the end. */
static int read_some(int fd, const struct deadline *l, char *to, size_t room, size_t *len,
		     struct err *e)
{
	enum wait_result r = deadline_wait(l, fd, POLLIN);
	ssize_t n;

	/* The second question ends what a writer of one byte at a time would draw out. */
	if (r == WAIT_READY && deadline_left(l) <= 0)
		r = WAIT_TIMEOUT;
	if (r != WAIT_READY)
		return no_end(r, e);
	n = read(fd, to, room);
	if (n < 0 && errno != EINTR && errno != EAGAIN)
		return err_set(e, CNI_IO_FAILURE, "error reading from stdin: %s", strerror(errno));
	if (n > 0)
		*len += (size_t)n;
	return n != 0;
}

int read_stdin(int fd, const struct deadline *l, char **out, size_t *len, struct err *e)
{
	size_t room = first_room(fd);
	cleanup_free char *buf = malloc(room);
	size_t have = 0;
	int more = 1;

	if (!buf)
		return err_set(e, CNI_IO_FAILURE, "error reading from stdin: out of memory");
	while (more) {
		if (have > INPUT_MOST)
			return err_set(
				e, CNI_DECODING_FAILURE,
				"error unmarshall network config: stdin is longer than %lu MiB",
				INPUT_MOST >> 20);
		if (have == room && more_room(&buf, &room, e) < 0)
			return -1;
		more = read_some(fd, l, buf + have, room - have, &have, e);
		if (more < 0)
			return -1;
	}
	*out = buf;
	*len = have;
	buf = NULL;
	return 0;
}
