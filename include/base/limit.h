/* The one deadline of an invocation, and who may end it early. Its wait is the only poll. */
#ifndef BASE_LIMIT_H
#define BASE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct limit {
	int64_t end; /* nanoseconds of CLOCK_MONOTONIC */
	int reader;  /* descriptor of ours that somebody reads (stdout): gone means abandoned; -1:
			none */
	int told; /* becomes readable when a signal told us to end (see limit_listen); -1: none */
};

enum limit_ready {
	LIMIT_READY,    /* the descriptor is */
	LIMIT_EXPIRED,  /* the time is over */
	LIMIT_ABANDONED /* nobody reads our answer any more, or we were told to end */
};

/* Nanoseconds of CLOCK_MONOTONIC. */
int64_t limit_now(void);

/* A limit that ends `seconds` from now and watches nobody. */
struct limit limit_in(double seconds);

/* The same watchers, ending after `seconds` or with `l`, whichever comes first. */
struct limit limit_part(const struct limit *l, double seconds);

/* Seconds that are left, 0 when none. */
double limit_left(const struct limit *l);

/*
 * Waits until `fd` has one of `events` (poll(2)) or an error. fd -1 waits for the end alone (a
 * pause). What was waited for counts before what ended the wait.
 */
enum limit_ready limit_wait(const struct limit *l, int fd, short events);

/* Is somebody still there, and is there time? Asks without waiting. */
enum limit_ready limit_look(const struct limit *l);

/*
 * From now on SIGTERM, SIGINT and SIGHUP make the returned descriptor readable instead of ending
 * the process. -1 where that cannot be had (errno is set).
 */
int limit_listen(void);

/*
 * For what no poll reaches, a library that computes or a file system that hangs: after `seconds`
 * the process writes `words` to `fd` and ends with 1, wherever it is. 0: no more. Children do not
 * inherit it.
 */
void limit_last_resort(double seconds, int fd, const char *words);

/* "the deadline has passed" or "nobody waits for the answer any more": why a wait ended. */
const char *limit_why(enum limit_ready r);

#endif
