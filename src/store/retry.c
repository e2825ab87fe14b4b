/*
 * The one loop in which a statement is tried again (ADD's rounds of looking and acting are above
 * the store). A table says from outcome and SQLSTATE what may pass and where; no text decides. The
 * time is divided so that one host that hangs leaves enough for the others.
 */
#include "store/retry.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

/* Seconds. */
#define FIRST_PAUSE 0.05
#define LAST_PAUSE 0.5

/* The first row that fits decides: the outcome, and how the SQLSTATE begins. */
static const struct rule {
	int outcome;
	const char *sqlstate;
	enum retry_decision decision;
} rules[] = {
	{ QUERY_OK, "", RETRY_NO },
	{ QUERY_BAD_PARAMS, "", RETRY_NO },
	{ QUERY_UNCONFIRMED, "",
	  RETRY_NEXT_HOST }, /* a primary that hangs or that has no standby */
	{ QUERY_UNKNOWN, "", RETRY_NEXT_HOST },
	{ QUERY_NOT_SENT, "28", RETRY_NO },    /* who we are: password, pg_hba.conf */
	{ QUERY_NOT_SENT, "3D", RETRY_NO },    /* no such database */
	{ QUERY_NOT_SENT, "42501", RETRY_NO }, /* no right to connect */
	{ QUERY_NOT_SENT, "", RETRY_NEXT_HOST },
	{ QUERY_REJECTED, "25006", RETRY_NEXT_HOST }, /* read-only: a standby */
	{ QUERY_REJECTED, "08", RETRY_NEXT_HOST },    /* connection */
	{ QUERY_REJECTED, "57014", RETRY_SAME_HOST }, /* cancelled, by a time limit of the server */
	{ QUERY_REJECTED, "57", RETRY_NEXT_HOST },    /* an administrator, a crash, a shutdown */
	{ QUERY_REJECTED, "53", RETRY_NEXT_HOST },    /* out of connections, memory, disk */
	{ QUERY_REJECTED, "40", RETRY_SAME_HOST },    /* deadlock, serialization */
	{ QUERY_REJECTED, "55P03", RETRY_SAME_HOST }, /* lock not available */
	{ QUERY_REJECTED, "", RETRY_NO },
};

enum retry_decision retry_decision(enum query_outcome outcome, const char *sqlstate)
{
	const struct rule *r = rules;

	while (r->outcome != (int)outcome ||
	       strncmp(sqlstate, r->sqlstate, strlen(r->sqlstate)) != 0)
		r++;
	return r->decision;
}

/* Between half of the pause and all of it, so that callers that failed together do not come back
 * together. */
static double jittered(double pause)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return pause * (0.5 + (double)(now.tv_nsec / 1000 % 1000) / 2000);
}

/* One try may use a third of the time, or two seconds where that is more, and of several hosts none
 * more than its share: the rest is for the next try. */
static double seconds_for_one(const struct retry *r, double total)
{
	double most = total / 3 > 2 ? total / 3 : 2;
	double share = total / (double)r->hosts;

	return r->hosts > 1 && share < most ? share : most;
}

/* Connecting may take an equal share of what is left for the hosts that were not tried yet in this
 * round. */
static double connect_seconds(const struct retry *r, const struct deadline *d, size_t tried)
{
	double share = deadline_left(d) / (double)(r->hosts - tried % r->hosts);

	return r->connect_timeout > 0 && r->connect_timeout < share ? r->connect_timeout : share;
}

static void log_try(const struct retry *r, const struct query_result *q)
{
	log_line(r->log, LOG_DEBUG, "database host %zu: outcome %d, SQLSTATE \"%s\"%s%s",
		 r->next + 1, (int)q->outcome, q->sqlstate, q->text[0] ? ": " : "", q->text);
}

static bool is_open(const struct query_result *q)
{
	return q->outcome == QUERY_UNKNOWN || q->outcome == QUERY_UNCONFIRMED;
}

/* A try without a connection does not settle what became of the statement before. And connecting
 * that the end of the time has cut short says less than the reason why it was needed. */
static void keep_words(struct query_result *earlier, struct query_result *out)
{
	bool not_sent = out->outcome == QUERY_NOT_SENT;

	if (not_sent && is_open(earlier)) {
		out->outcome = QUERY_UNKNOWN;
	} else if (!not_sent || out->ended != WAIT_TIMEOUT || !earlier->text[0] ||
		   earlier->outcome != QUERY_NOT_SENT) {
		*earlier = *out;
		return;
	}
	memcpy(out->text, earlier->text, sizeof(out->text));
	memcpy(out->sqlstate, earlier->sqlstate, sizeof(out->sqlstate));
}

void retry_run(struct retry *r, const struct statement *s, const struct deadline *deadline,
	       rows_fn *doubtful, void *doubtful_context, struct query_result *out)
{
	double total = deadline_left(deadline), pause = FIRST_PAUSE;
	struct query_result earlier = { 0 };

	for (size_t tried = 0;; tried++) {
		struct deadline one = deadline_sub(deadline, seconds_for_one(r, total));
		enum retry_decision decision;

		r->query(r->context, r->next, connect_seconds(r, deadline, tried), s, &one, out);
		log_try(r, out);
		decision = retry_decision(out->outcome, out->sqlstate);
		keep_words(&earlier, out);
		if (out->outcome == QUERY_UNCONFIRMED && doubtful)
			doubtful(doubtful_context, &out->rows);
		if (decision == RETRY_NO || deadline_check(deadline) != WAIT_READY)
			return;
		if (decision == RETRY_NEXT_HOST)
			r->next = (r->next + 1) % r->hosts;
		if (decision == RETRY_SAME_HOST || tried + 1 >= r->hosts) {
			struct deadline rest = deadline_sub(deadline, jittered(pause));

			deadline_wait(&rest, -1, 0);
			pause = pause * 2 < LAST_PAUSE ? pause * 2 : LAST_PAUSE;
		}
		if (deadline_check(deadline) != WAIT_READY)
			return;
	}
}
