#include "store/again.h"

#include <string.h>
#include <time.h>

#define PAUSE_FIRST 0.05
#define PAUSE_LAST 0.5

/* The first row that fits decides: the outcome, and how the SQLSTATE begins. */
static const struct rule {
	int outcome;
	const char *sqlstate;
	enum retry_decision what;
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
	{ QUERY_REJECTED, "57014", RETRY_SAME_HOST }, /* cancelled, by a deadline of the server's */
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
	return r->what;
}

/* Between half of the pause and all of it, so that those who failed together do not come back
 * together. */
static double jittered(double pause)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return pause * (0.5 + (double)(now.tv_nsec / 1000 % 1000) / 2000);
}

/* One attempt may use a third of the time, or two seconds where that is more, and of several hosts
 * none more than its share: the rest is for the next attempt. */
static double attempt_seconds(const struct retry *a, double total)
{
	double most = total / 3 > 2 ? total / 3 : 2;
	double share = total / (double)a->targets;

	return a->targets > 1 && share < most ? share : most;
}

/* What connecting may last: an equal share of what is left for the hosts that were not tried yet in
 * this round. */
static double connect_seconds(const struct retry *a, const struct deadline *l, size_t tried)
{
	double share = deadline_left(l) / (double)(a->targets - tried % a->targets);

	return a->connect_timeout > 0 && a->connect_timeout < share ? a->connect_timeout : share;
}

static void say(const struct retry *a, const struct query_result *at, size_t target)
{
	log_line(a->log, LOG_DEBUG, "database host %zu: outcome %d, SQLSTATE \"%s\"%s%s",
		 target + 1, (int)at->outcome, at->sqlstate, at->text[0] ? ": " : "", at->text);
}

static bool is_open(const struct query_result *at)
{
	return at->outcome == QUERY_UNKNOWN || at->outcome == QUERY_UNCONFIRMED;
}

/* No connection says nothing about what was sent before; and connecting that the end of the time
 * has cut short has less to say than what it came to before. */
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

void retry_run(struct retry *a, const char *sql, const char *const *values, int n,
	       const struct deadline *deadline,
	       void (*doubtful)(void *context, const struct rows *rows), void *doubtful_context,
	       struct query_result *out)
{
	double total = deadline_left(deadline), pause = PAUSE_FIRST;
	struct query_result earlier = { 0 };

	for (size_t tried = 0;; tried++) {
		struct deadline one = deadline_sub(deadline, attempt_seconds(a, total));
		enum retry_decision what;

		a->attempt(a->context, a->next, connect_seconds(a, deadline, tried), sql, values, n,
			   &one, out);
		say(a, out, a->next);
		what = retry_decision(out->outcome, out->sqlstate);
		keep_words(&earlier, out);
		if (out->outcome == QUERY_UNCONFIRMED && doubtful)
			doubtful(doubtful_context, &out->rows);
		if (what == RETRY_NO || deadline_check(deadline) != WAIT_READY)
			return;
		if (what == RETRY_NEXT_HOST)
			a->next = (a->next + 1) % a->targets;
		if (what == RETRY_SAME_HOST || tried + 1 >= a->targets) {
			struct deadline rest = deadline_sub(deadline, jittered(pause));

			deadline_wait(&rest, -1, 0);
			pause = pause * 2 < PAUSE_LAST ? pause * 2 : PAUSE_LAST;
		}
		if (deadline_check(deadline) != WAIT_READY)
			return;
		query_free(out);
	}
}
