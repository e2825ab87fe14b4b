/* The only loop that tries again. */
#ifndef STORE_AGAIN_H
#define STORE_AGAIN_H

#include "base/log.h"
#include "store/attempt.h"

enum again_what {
	AGAIN_STOP, /* final: done, or nothing that time could change */
	AGAIN_SAME, /* the same host may do it in a moment */
	AGAIN_NEXT  /* the next host of the list, the same one where there is no other */
};

/* What an attempt's outcome and SQLSTATE ask for. Never looks at texts. */
enum again_what again_what(enum attempt_outcome outcome, const char *sqlstate);

/* attempt_run, or a script in a test. */
typedef void attempt_fn(void *context, size_t target, double connect_seconds, const char *sql,
	const char *const *values, int n, const struct limit *limit, struct attempt *out);

struct again {
	attempt_fn *attempt;
	void *context;
	size_t targets;         /* how many hosts there are */
	size_t next;            /* with which to begin: the last one that worked */
	double connect_timeout; /* seconds for one connection at most; 0: no such limit */
	struct log *log;
};

/*
 * Tries until it is final or the limit ends, with pauses of 50 to 500 ms, jittered, once every host
 * was tried. *out is the last attempt (attempt_free). `doubtful` is called for each attempt whose
 * success does not count, with its rows: what it has recorded may have to be released. NULL:
 * nothing is recorded.
 */
void again_run(struct again *a, const char *sql, const char *const *values, int n,
	const struct limit *limit, void (*doubtful)(void *context, const struct rows *rows),
	void *doubtful_context, struct attempt *out);

#endif
