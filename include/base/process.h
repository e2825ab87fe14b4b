/* This process, a program as a child process, and a function of ours as a child process. */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/deadline.h"
#include "base/err.h"

/*
 * What a plugin does to its own process before anything else: descriptors 0 to 2 are open, no core
 * dump and no other process of this user shows the configuration's secrets, and a reader that has
 * gone is an error instead of a signal. Returns what catch_signals returns.
 */
int harden_process(void);

/* ---- a program ---- */

struct child {
	const char *path; /* the executable, and its only argument */
	char *const *env;
	const char *input; /* its stdin */
	size_t input_len;
	int stderr_fd;                   /* its stderr */
	size_t output_max;               /* bytes accepted from its stdout */
	double seconds;                  /* how long it may run */
	double term_seconds;             /* then from SIGTERM to SIGKILL; 0: SIGKILL at once */
	const struct deadline *watchers; /* its watchers cancel the child; its end does not count */
};

enum child_end {
	CHILD_EXITED,          /* status: its exit status */
	CHILD_SIGNALED,        /* status: the signal that ended it */
	CHILD_OUTPUT_TOO_LONG, /* it wrote more than output_max, and was killed */
	CHILD_TIMED_OUT,       /* it ran longer than it may, and was killed */
	CHILD_CANCELLED        /* nobody waits for us any more: it was told to end, then killed */
};

struct child_outcome {
	enum child_end end;
	int status;
	int64_t started; /* monotonic_now() at its start */
	char *output;    /* what it wrote on stdout, and a NUL behind it; NULL: nothing */
	size_t len;
};

/*
 * Runs a program in a process group of its own. When it has ended, or may not go on, the rest of
 * its group is killed: no process of it is left that could hold our stderr open. A child that is
 * cancelled gets SIGTERM first, and SIGKILL after TERM_SECONDS; one whose time is over, after
 * `term_seconds`. "Text file busy" is tried again for BUSY_SECONDS, before the child's time begins.
 *
 * Returns 0 once the child was started, however it ended; -1 with CNI_IO_FAILURE if it could not
 * be started.
 */
int child_run(const struct child *c, struct child_outcome *out, struct err *e);

/* ---- a function, for what blocks without a deadline ---- */

struct process_call {
	pid_t pid;
	int reply_fd; /* what it writes; ends when the process ends */
};

/* Starts `function` in a child process, which ends when it returns. What it writes to `reply_fd`
 * is its reply. -1: CNI_IO_FAILURE. */
int process_call_start(void (*function)(void *argument, int reply_fd), void *argument,
		       struct process_call *out, struct err *e);

/* Reads the reply, up to `size` bytes or its end; *got says how many bytes came. */
enum wait_result process_call_read(const struct process_call *c, const struct deadline *d,
				   void *reply, size_t size, size_t *got);

/* Lets the process end by itself until the deadline (NULL: not at all), then kills it; reaps it.
 * Returns its status as waitpid(2) gives it; 0 where it was not started or has ended already. */
int process_call_end(struct process_call *c, const struct deadline *d);

#endif
