/* One child process: started, given its stdin, listened to, and gone in bounded time. */
#ifndef BASE_CHILD_H
#define BASE_CHILD_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limit.h"

/* What to run. All of it is borrowed. */
struct child {
	const char *path; /* the executable, its only argument too */
	char *const *env;
	const char *input; /* what it reads on stdin */
	size_t input_len;
	int err;                      /* its stderr */
	size_t most;                  /* so many bytes it may write on stdout */
	double seconds;               /* so long it may live */
	const struct deadline *watch; /* its watchers count, not its end */
};

enum child_end {
	CHILD_EXITED,          /* status: its exit status */
	CHILD_SIGNALED,        /* status: the signal that ended it */
	CHILD_OUTPUT_TOO_LONG, /* wrote more than it may (or than there is memory for): killed */
	CHILD_TIMED_OUT,       /* lived longer than it may: killed */
	CHILD_CANCELLED        /* nobody waits for us any more: it was asked to end, then killed */
};

struct child_outcome {
	enum child_end end;
	int status;
	int64_t started; /* monotonic_now() at its start */
	char *output;    /* what it wrote on stdout, owned by the caller; a NUL stands behind it */
	size_t len;
};

/*
 * Runs a child in a process group of its own. When it has ended, or may not go on, what is left of
 * its group is killed: on return nobody of it holds our stderr. A child that is abandoned gets
 * SIGTERM and 0.9 s first. "Text file busy" is tried again for a second, before the child's time
 * begins.
 *
 * Returns 0 once the child was started, however it ended; -1 with CNI_IO_FAILURE where it could not
 * be.
 */
int child_run(const struct child *c, struct child_outcome *out, struct err *e);

#endif
