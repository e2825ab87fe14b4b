/* Statements are tried again here: which failures may pass, at which host, how soon. */
#ifndef STORE_RETRY_H
#define STORE_RETRY_H

#include <stdbool.h>

#include "base/log.h"
#include "store/query.h"

enum retry_decision {
	RETRY_NO,        /* final: done, or nothing that time could change */
	RETRY_SAME_HOST, /* the same host may do it in a moment */
	RETRY_NEXT_HOST, /* the next host of the list, the same one where there is no other */
	RETRY_OTHERS     /* final for this host: only the others are tried again */
};

/* What a query's outcome and SQLSTATE ask for. It never looks at texts. */
enum retry_decision retry_decision(enum query_outcome outcome, const char *sqlstate);

/* query_run, or a script in a test. */
typedef void query_fn(void *context, size_t host, double connect_seconds, const struct statement *s,
		      const struct deadline *deadline, struct query_result *out);

/* Told of rows that a statement has recorded or released, or may have. */
typedef void rows_fn(void *context, const struct rows *rows);

/* How many hosts are known: see hosts_known. */
typedef size_t known_fn(void *context, size_t besides, const struct deadline *d);

/* What this call has learned about a host. */
struct host_state {
	bool struck_off; /* what it said is final for it */
	unsigned hung; /* how often it gave no answer in its time since it last executed a statement
			*/
};

struct retry {
	query_fn *query;
	known_fn *known;
	void *context;
	struct host_state *states;
	size_t n_states;
	size_t next;                  /* where to begin: the last one that worked */
	double connect_timeout;       /* seconds that one connection may take; 0: no such limit */
	struct query_result given_up; /* by the first host that was struck off; text "": none was */
	struct log *log;
};

/*
 * Tries until it is final, for the statement or for every host, or the deadline has passed. Each
 * time that every host was tried there is a pause. *out is what came of the last try. `doubtful`
 * (or NULL) gets the rows of each try that said success which does not count: what it recorded may
 * have to be released.
 */
void retry_run(struct retry *r, const struct statement *s, const struct deadline *deadline,
	       rows_fn *doubtful, void *doubtful_context, struct query_result *out);

#endif
