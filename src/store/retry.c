/*
 * The one loop in which a statement is tried again (ADD's rounds of looking and acting are above
 * the store). A table says from outcome and SQLSTATE what may pass and where; no text decides. The
 * time is divided so that one host that hangs leaves enough for the others.
 */
#include "store/retry.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"

/* Seconds. */
#define FIRST_PAUSE 0.05
#define LAST_PAUSE 0.5
#define HUNG_SECONDS 0.5
#define LEAST_SECONDS 0.1

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
	{ QUERY_NOT_SENT, "28", RETRY_OTHERS },    /* who we are: password, pg_hba.conf */
	{ QUERY_NOT_SENT, "3D", RETRY_OTHERS },    /* no such database */
	{ QUERY_NOT_SENT, "42501", RETRY_OTHERS }, /* no right to connect */
	{ QUERY_NOT_SENT, "42704",
	  RETRY_OTHERS }, /* a setting in "options" that it does not know */
	{ QUERY_NOT_SENT, "22023", RETRY_OTHERS }, /* and a value */
	{ QUERY_NOT_SENT, "", RETRY_NEXT_HOST },
	{ QUERY_REJECTED, "25006", RETRY_NEXT_HOST }, /* read-only: a standby */
	{ QUERY_REJECTED, "08", RETRY_NEXT_HOST },    /* connection */
	{ QUERY_REJECTED, "57014", RETRY_SAME_HOST }, /* cancelled, by a time limit of the server */
	{ QUERY_REJECTED, "57", RETRY_NEXT_HOST },    /* an administrator, a crash, a shutdown */
	{ QUERY_REJECTED, "53", RETRY_NEXT_HOST },    /* out of connections, memory, disk */
	{ QUERY_REJECTED, "40", RETRY_SAME_HOST },    /* deadlock, serialization */
	{ QUERY_REJECTED, "55P03", RETRY_SAME_HOST }, /* lock not available */
	{ QUERY_REJECTED, "42", RETRY_OTHERS },       /* no such table or column, no right */
	{ QUERY_REJECTED, "3F", RETRY_OTHERS },       /* no such schema */
	{ QUERY_REJECTED, "22012", RETRY_OTHERS },    /* GUARD: a schema of another version */
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

/* ---- the hosts ---- */

static size_t count_usable(const struct retry *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_states; i++)
		n += !r->states[i].struck_off;
	return n;
}

static void learn_hosts(struct retry *r, size_t besides, const struct deadline *d)
{
	size_t n = r->known(r->context, besides, d);

	r->states = mem_grow(r->states, r->n_states * sizeof(*r->states), n * sizeof(*r->states));
	r->n_states = n;
}

/* Goes on to the next host that is not struck off. false: there is none, nor will there be. */
static bool choose_host(struct retry *r, const struct deadline *d)
{
	learn_hosts(r, 0, d);
	if (count_usable(r) == 0)
		learn_hosts(r, r->n_states, d);
	for (size_t i = 0; i < r->n_states; i++) {
		size_t host = (r->next + i) % r->n_states;

		if (!r->states[host].struck_off) {
			r->next = host;
			return true;
		}
	}
	return false;
}

/* Keeps in mind what the last try says about its host. */
static void note_host(struct retry *r, enum retry_decision decision, const struct query_result *q)
{
	struct host_state *state = &r->states[r->next];

	if (q->ended == WAIT_TIMEOUT)
		state->hung++;
	else if (q->outcome != QUERY_NOT_SENT)
		state->hung = 0;
	if (decision != RETRY_OTHERS)
		return;
	state->struck_off = true;
	if (!r->given_up.text[0])
		r->given_up = *q;
}

/* ---- the time ---- */

/* Seconds for a host that keeps hanging. All such hosts together get so little that the others are
 * asked again soon. */
static double seconds_for_hung(const struct retry *r)
{
	double share = HUNG_SECONDS;
	size_t n = 0;

	for (size_t i = 0; i < r->n_states; i++)
		n += !r->states[i].struck_off && r->states[i].hung > 1;
	share /= n > 1 ? (double)n : 1;
	return share > LEAST_SECONDS ? share : LEAST_SECONDS;
}

/* One try may use a third of the time, or two seconds where that is more, and of several hosts none
 * more than its share: the rest is for the next try. */
static double seconds_for_one(const struct retry *r, double total)
{
	size_t usable = count_usable(r);
	double most = total / 3 > 2 ? total / 3 : 2;
	double share = total / (double)(usable ? usable : 1);
	unsigned hung = r->n_states ? r->states[r->next].hung : 0;

	if (usable > 1 && hung > 1)
		return seconds_for_hung(r);
	if (usable > 1 && share < most)
		most = share;
	return usable > 1 && hung ? most / 2 : most;
}

/* Connecting may take an equal share of what is left for the hosts that were not tried yet in this
 * round. */
static double connect_seconds(const struct retry *r, const struct deadline *d, size_t tried)
{
	size_t usable = count_usable(r);
	double share = deadline_left(d) / (double)(usable > tried ? usable - tried : 1);

	return r->connect_timeout > 0 && r->connect_timeout < share ? r->connect_timeout : share;
}

/* A round through all hosts takes at least so long; a round that took longer needs no pause. */
static void pause_after(int64_t round_began, double *pause, const struct deadline *d)
{
	double gone = (double)(monotonic_now() - round_began) / 1e9;
	struct deadline rest = deadline_sub(d, jittered(*pause) - gone);

	deadline_wait(&rest, -1, 0);
	*pause = *pause * 2 < LAST_PAUSE ? *pause * 2 : LAST_PAUSE;
}

/* ---- the loop ---- */

static void log_try(const struct retry *r, const struct query_result *q)
{
	log_line(r->log, LOG_DEBUG, "database host %zu: outcome %d, SQLSTATE \"%s\"%s%s",
		 r->next + 1, (int)q->outcome, q->sqlstate, q->text[0] ? ": " : "", q->text);
}

static bool is_open(const struct query_result *q)
{
	return q->outcome == QUERY_UNKNOWN || q->outcome == QUERY_UNCONFIRMED;
}

/*
 * What became of a statement stays open until a server has decided on it: a try that never reached
 * one, a standby, or a server that is too busy or lacks a right says nothing about the try before.
 * And a connection attempt that the deadline has cut short says less than the failure before it.
 */
static void keep_words(struct query_result *earlier, enum retry_decision decision,
		       struct query_result *out)
{
	if (is_open(earlier) && !is_open(out) && decision != RETRY_NO) {
		out->outcome = QUERY_UNKNOWN;
	} else if (out->outcome != QUERY_NOT_SENT || out->ended != WAIT_TIMEOUT ||
		   !earlier->text[0] || earlier->outcome != QUERY_NOT_SENT) {
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
	int64_t round_began = monotonic_now();
	bool first = true, some;

	for (size_t tried = 0; (some = choose_host(r, deadline)) || first; first = false) {
		struct deadline one = deadline_sub(deadline, seconds_for_one(r, total));
		enum retry_decision decision;

		r->query(r->context, r->next, connect_seconds(r, deadline, tried), s, &one, out);
		log_try(r, out);
		decision = retry_decision(out->outcome, out->sqlstate);
		if (some)
			note_host(r, decision, out);
		keep_words(&earlier, decision, out);
		if (out->outcome == QUERY_UNCONFIRMED && doubtful)
			doubtful(doubtful_context, &out->rows);
		if (!some || decision == RETRY_NO || deadline_check(deadline) != WAIT_READY)
			return;
		if (decision == RETRY_NEXT_HOST)
			r->next = (r->next + 1) % r->n_states;
		tried += decision != RETRY_OTHERS;
		if (decision == RETRY_SAME_HOST || tried >= count_usable(r)) {
			pause_after(round_began, &pause, deadline);
			round_began = monotonic_now();
			tried = 0;
		}
		if (deadline_check(deadline) != WAIT_READY)
			return;
	}
}
