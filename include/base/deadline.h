/*
 * The one deadline of an invocation, and who may end it early. Its wait is the only poll.
 *
 * All times of an invocation, in seconds. T is the timeout: `timeout` of the ipam object, else the
 * verb's default.
 *
 *   T - RESERVE     the verb starts nothing new. In what is left, a statement without an answer is
 *                   cancelled (CANCEL), what ADD recorded is released (RELEASE), and the answer
 *                   is printed.
 *   T               the answer is out.
 *   T + WATCHDOG    the process hangs where no poll reaches: it prints a prepared error and ends.
 *                   If it waits in the kernel and cannot do that, it is killed (KILL later).
 *   T + DELEGATE_GRACE  the net plugin kills its IPAM plugin. It runs a failed ADD's rollback (DEL)
 *                   in the time that is left until then, or in ROLLBACK if that is longer; a DEL
 *                   that is not done then gets SIGTERM, and SIGKILL ROLLBACK_TERM later.
 *
 * A caller that goes away (its end of our stdout is closed) or that sends SIGTERM ends the waits at
 * once; the net plugin passes SIGTERM on, and kills the IPAM plugin TERM later. CANCEL and RELEASE
 * fit into that.
 */
#ifndef BASE_DEADLINE_H
#define BASE_DEADLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The verbs' default timeouts, and the longest that `timeout` may say. */
#define DEFAULT_TIMEOUT 10.0
#define DEFAULT_STATUS_TIMEOUT 2.0
#define DEFAULT_GC_TIMEOUT 25.0
#define MAX_TIMEOUT 3600.0

#define RESERVE_SECONDS 0.5 /* of a timeout up to 4 s an eighth */
#define CANCEL_SECONDS 0.2
#define RELEASE_SECONDS 0.3
#define WATCHDOG_SECONDS 0.7
#define KILL_SECONDS 0.5
#define DELEGATE_GRACE_SECONDS 1.0
#define ROLLBACK_SECONDS 1.0 /* at least */
#define ROLLBACK_TERM_SECONDS 0.3
#define TERM_SECONDS 0.9
#define REAP_SECONDS 1.0  /* from SIGKILL to giving up: the kernel may hold a process */
#define BUSY_SECONDS 1.0  /* for an executable that is just being written ("text file busy") */
#define PRINT_SECONDS 1.0 /* for the answer when the deadline has passed */
#define LOG_SECONDS 1.0   /* for a line on a stderr that nobody reads */
#define USAGE_SECONDS 10.0

struct deadline {
	int64_t end;   /* nanoseconds of CLOCK_MONOTONIC */
	int stdout_fd; /* our stdout: waits are cancelled when its reader has gone; -1: none */
	int signal_fd; /* readable when a signal told us to end (catch_signals); -1: none */
};

enum wait_result {
	WAIT_READY,    /* the descriptor is */
	WAIT_TIMEOUT,  /* the deadline has passed */
	WAIT_CANCELLED /* nobody reads our answer any more, or a signal told us to end */
};

/* Nanoseconds of CLOCK_MONOTONIC. */
int64_t monotonic_now(void);

/* A deadline `seconds` from now, without watchers. */
struct deadline deadline_in(double seconds);

/* A deadline `seconds` from now, with the watchers of another one. */
struct deadline deadline_watching(double seconds, const struct deadline *like);

/* The same watchers, ending after `seconds` or with `d`, whichever comes first. */
struct deadline deadline_sub(const struct deadline *d, double seconds);

/* Seconds that are left, 0 when none. */
double deadline_left(const struct deadline *d);

/*
 * Waits until `fd` has one of `events` (poll(2)) or an error. fd -1 waits for the end alone (a
 * pause). If `fd` is ready and the deadline has passed too, the answer is WAIT_READY.
 */
enum wait_result deadline_wait(const struct deadline *d, int fd, short events);

/* Has the caller gone, or has the deadline passed? Does not wait. */
enum wait_result deadline_check(const struct deadline *d);

/* "the deadline has passed" or "nobody waits for the answer any more": why a wait ended. */
const char *wait_reason(enum wait_result r);

/*
 * Writes all of it, in pieces that a pipe takes without blocking. 0, or -1 with errno: ETIMEDOUT
 * where the deadline ended, else what the write said.
 */
int write_all(const struct deadline *d, int fd, const char *text, size_t len);

/*
 * From now on SIGTERM, SIGINT and SIGHUP make the returned descriptor readable instead of ending
 * the process. -1: errno is set.
 */
int catch_signals(void);

/*
 * Last resort for code that blocks without poll (DNS, TLS, a file system that hangs): after
 * `seconds` the process writes `words` to `fd` and ends with status 1, wherever it is. If it waits
 * in the kernel and cannot do that, SIGKILL ends it KILL_SECONDS later. `seconds` 0 disarms both.
 * Children do not inherit them.
 */
void arm_watchdog(double seconds, int fd, const char *words);

#endif
