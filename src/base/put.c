#include "base/put.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* POLLOUT promises PIPE_BUF bytes of room in a pipe, but not in a socket: that must not block. */
static ssize_t put_some(int fd, const char *text, size_t len)
{
	size_t piece = len < PIPE_BUF ? len : PIPE_BUF;
	ssize_t n = send(fd, text, piece, MSG_DONTWAIT | MSG_NOSIGNAL);

	return n < 0 && errno == ENOTSOCK ? write(fd, text, piece) : n;
}

int write_all(const struct deadline *l, int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n;

		/* The second question ends what a reader of one byte at a time would draw out. */
		if (deadline_wait(l, fd, POLLOUT) != WAIT_READY || deadline_left(l) <= 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		n = put_some(fd, text, len);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -1;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return 0;
}
