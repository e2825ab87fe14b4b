/* What a process gets from outside, in one place that tests can replace. */
#ifndef BASE_WORLD_H
#define BASE_WORLD_H

struct sys {
	char *const *env;    /* NAME=value, ends with NULL; borrowed */
	int in, out, err;    /* descriptors */
	const char *sysroot; /* stands before /etc and /proc; "" outside of tests */
};

/* The value of an environment variable, borrowed; NULL where there is none. */
const char *sys_env(const struct sys *w, const char *name);

#endif
