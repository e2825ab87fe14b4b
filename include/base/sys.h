/* What a process gets from outside, in one place that tests can replace; descriptors that close by
 * themselves. */
#ifndef BASE_SYS_H
#define BASE_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct sys {
	char *const *env;    /* NAME=value, ends with NULL */
	int in, out, err;    /* descriptors */
	const char *sysroot; /* stands before /etc and /proc; "" outside of tests */
};

/* The value of an environment variable; NULL where there is none. */
static inline const char *sys_env(const struct sys *sys, const char *name)
{
	size_t len = strlen(name);

	for (char *const *entry = sys->env; entry && *entry; entry++) {
		if (strncmp(*entry, name, len) == 0 && (*entry)[len] == '=')
			return *entry + len + 1;
	}
	return NULL;
}

/* Do both paths lead to one file? */
static inline bool same_file(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static inline void sys_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* `cleanup_close int fd = …;` is closed when its scope ends, unless it is -1. */
#define cleanup_close __attribute__((cleanup(sys_close)))

/* Takes a descriptor out of its scope: from now on the caller closes it. */
static inline int steal_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#endif
