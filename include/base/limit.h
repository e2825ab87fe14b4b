/* The one deadline of an invocation, and who may end it early. Its wait is the only poll. */
#ifndef BASE_LIMIT_H
#define BASE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct deadline {
	int64_t end;   /* nanoseconds of CLOCK_MONOTONIC */
	int stdout_fd; /* descriptor of ours that somebody reads (stdout): gone means abandoned; -1:
		       none */
	int signal_fd; /* becomes readable when a signal told us to end (see catch_signals); -1:
			  none */
};

enum wait_result {
	WAIT_READY,    /* the descriptor is */
	WAIT_TIMEOUT,  /* the time is over */
	WAIT_CANCELLED /* nobody reads our answer any more, or we were told to end */
};

/* Nanoseconds of CLOCK_MONOTONIC. */
int64_t monotonic_now(void);

/* A deadline that ends `seconds` from now and watches nobody. */
struct deadline deadline_in(double seconds);

/* The same watchers, ending after `seconds` or with `l`, whichever comes first. */
struct deadline deadline_sub(const struct deadline *l, double seconds);

/* Seconds that are left, 0 when none. */
double deadline_left(const struct deadline *l);

/*
 * Waits until `fd` has one of `events` (poll(2)) or an error. fd -1 waits for the end alone (a
 * pause). What was waited for counts before what ended the wait.
 */
enum wait_result deadline_wait(const struct deadline *l, int fd, short events);

/* Is somebody still there, and is there time? Asks without waiting. */
enum wait_result deadline_check(const struct deadline *l);

/*
 * From now on SIGTERM, SIGINT and SIGHUP make the returned descriptor readable instead of ending
 * the process. -1 where that cannot be had (errno is set).
 */
int catch_signals(void);

/*
 * For what no poll reaches, a library that computes or a file system that hangs: after `seconds`
 * the process writes `words` to `fd` and ends with 1, wherever it is. 0: no more. Children do not
 * inherit it.
 */
void arm_watchdog(double seconds, int fd, const char *words);

/* "the deadline has passed" or "nobody waits for the answer any more": why a wait ended. */
const char *wait_reason(enum wait_result r);

#endif
