/* The only loop that tries again. */
#ifndef STORE_AGAIN_H
#define STORE_AGAIN_H

#include "base/log.h"
#include "store/attempt.h"

enum retry_decision {
	RETRY_NO,        /* final: done, or nothing that time could change */
	RETRY_SAME_HOST, /* the same host may do it in a moment */
	RETRY_NEXT_HOST  /* the next host of the list, the same one where there is no other */
};

/* What an attempt's outcome and SQLSTATE ask for. Never looks at texts. */
enum retry_decision retry_decision(enum query_outcome outcome, const char *sqlstate);

/* query_run, or a script in a test. */
typedef void query_fn(void *context, size_t target, double connect_seconds, const char *sql,
		      const char *const *values, int n, const struct deadline *deadline,
		      struct query_result *out);

struct retry {
	query_fn *attempt;
	void *context;
	size_t targets;         /* how many hosts there are */
	size_t next;            /* with which to begin: the last one that worked */
	double connect_timeout; /* seconds for one connection at most; 0: no such deadline */
	struct log *log;
};

/*
 * Tries until it is final or the deadline ends, with pauses of 50 to 500 ms, jittered, once every
 * host was tried. *out is the last attempt (query_free). `doubtful` is called for each attempt
 * whose success does not count, with its rows: what it has recorded may have to be released. NULL:
 * nothing is recorded.
 */
void retry_run(struct retry *a, const char *sql, const char *const *values, int n,
	       const struct deadline *deadline,
	       void (*doubtful)(void *context, const struct rows *rows), void *doubtful_context,
	       struct query_result *out);

#endif
