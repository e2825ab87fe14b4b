/* A call's descriptors as files in memory and pipes, for the tests of what reads and prints. */
#ifndef TESTS_UNIT_MEMORY_FDS_H
#define TESTS_UNIT_MEMORY_FDS_H

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/sys.h"
#include "unit.h"

/* A file in memory that holds the text. */
static inline int memory(const char *text)
{
	int fd = memfd_create("unit", MFD_CLOEXEC);
	size_t len = strlen(text);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* What a file in memory holds now. */
static inline const char *text_in(int fd, char *buf, size_t size)
{
	ssize_t n = pread(fd, buf, size - 1, 0);

	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

/* stdin with that text (see J), stdout and stderr in memory. */
static inline struct sys sys_in_memory(char *const *env, const char *input)
{
	return (struct sys){ .env = env,
			     .in = memory(J(input)),
			     .out = memory(""),
			     .err = memory(""),
			     .sysroot = "" };
}

static inline void close_sys(struct sys *w)
{
	close(w->in);
	close(w->out);
	close(w->err);
}

#endif
