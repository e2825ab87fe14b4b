#include "store/again.h"

#include <string.h>
#include <time.h>

#define PAUSE_FIRST 0.05
#define PAUSE_LAST 0.5

/* The first row that fits decides: the outcome, and how the SQLSTATE begins. */
static const struct rule {
	int outcome;
	const char *sqlstate;
	enum again_what what;
} rules[] = {
	{ ATTEMPT_DONE, "", AGAIN_STOP },
	{ ATTEMPT_INVALID, "", AGAIN_STOP },
	{ ATTEMPT_DOUBTFUL, "", AGAIN_NEXT }, /* a primary that hangs or that has no standby */
	{ ATTEMPT_UNKNOWN, "", AGAIN_NEXT },
	{ ATTEMPT_NOT_SENT, "28", AGAIN_STOP },    /* who we are: password, pg_hba.conf */
	{ ATTEMPT_NOT_SENT, "3D", AGAIN_STOP },    /* no such database */
	{ ATTEMPT_NOT_SENT, "42501", AGAIN_STOP }, /* no right to connect */
	{ ATTEMPT_NOT_SENT, "", AGAIN_NEXT },
	{ ATTEMPT_REFUSED, "25006", AGAIN_NEXT }, /* read-only: a standby */
	{ ATTEMPT_REFUSED, "08", AGAIN_NEXT },    /* connection */
	{ ATTEMPT_REFUSED, "57014", AGAIN_SAME }, /* cancelled, by a limit of the server's */
	{ ATTEMPT_REFUSED, "57", AGAIN_NEXT },    /* an administrator, a crash, a shutdown */
	{ ATTEMPT_REFUSED, "53", AGAIN_NEXT },    /* out of connections, memory, disk */
	{ ATTEMPT_REFUSED, "40", AGAIN_SAME },    /* deadlock, serialization */
	{ ATTEMPT_REFUSED, "55P03", AGAIN_SAME }, /* lock not available */
	{ ATTEMPT_REFUSED, "", AGAIN_STOP },
};

enum again_what again_what(enum attempt_outcome outcome, const char *sqlstate)
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
static double attempt_seconds(const struct again *a, double total)
{
	double most = total / 3 > 2 ? total / 3 : 2;
	double share = total / (double)a->targets;

	return a->targets > 1 && share < most ? share : most;
}

/* What connecting may last: an equal share of what is left for the hosts that were not tried yet in
 * this round. */
static double connect_seconds(const struct again *a, const struct limit *l, size_t tried)
{
	double share = limit_left(l) / (double)(a->targets - tried % a->targets);

	return a->connect_timeout > 0 && a->connect_timeout < share ? a->connect_timeout : share;
}

static void say(const struct again *a, const struct attempt *at, size_t target)
{
	log_line(a->log, LOG_DEBUG, "database host %zu: outcome %d, SQLSTATE \"%s\"%s%s",
		target + 1, (int)at->outcome, at->sqlstate, at->text[0] ? ": " : "", at->text);
}

static bool is_open(const struct attempt *at)
{
	return at->outcome == ATTEMPT_UNKNOWN || at->outcome == ATTEMPT_DOUBTFUL;
}

/* No connection says nothing about what was sent before; and connecting that the end of the time
 * has cut short has less to say than what it came to before. */
static void keep_words(struct attempt *earlier, struct attempt *out)
{
	bool not_sent = out->outcome == ATTEMPT_NOT_SENT;

	if (not_sent && is_open(earlier)) {
		out->outcome = ATTEMPT_UNKNOWN;
	} else if (!not_sent || out->ended != LIMIT_EXPIRED || !earlier->text[0] ||
		   earlier->outcome != ATTEMPT_NOT_SENT) {
		*earlier = *out;
		return;
	}
	memcpy(out->text, earlier->text, sizeof(out->text));
	memcpy(out->sqlstate, earlier->sqlstate, sizeof(out->sqlstate));
}

void again_run(struct again *a, const char *sql, const char *const *values, int n,
	const struct limit *limit, void (*doubtful)(void *context, const struct rows *rows),
	void *doubtful_context, struct attempt *out)
{
	double total = limit_left(limit), pause = PAUSE_FIRST;
	struct attempt earlier = { 0 };

	for (size_t tried = 0;; tried++) {
		struct limit one = limit_part(limit, attempt_seconds(a, total));
		enum again_what what;

		a->attempt(a->context, a->next, connect_seconds(a, limit, tried), sql, values, n,
			&one, out);
		say(a, out, a->next);
		what = again_what(out->outcome, out->sqlstate);
		keep_words(&earlier, out);
		if (out->outcome == ATTEMPT_DOUBTFUL && doubtful)
			doubtful(doubtful_context, &out->rows);
		if (what == AGAIN_STOP || limit_look(limit) != LIMIT_READY)
			return;
		if (what == AGAIN_NEXT)
			a->next = (a->next + 1) % a->targets;
		if (what == AGAIN_SAME || tried + 1 >= a->targets) {
			struct limit rest = limit_part(limit, jittered(pause));

			limit_wait(&rest, -1, 0);
			pause = pause * 2 < PAUSE_LAST ? pause * 2 : PAUSE_LAST;
		}
		if (limit_look(limit) != LIMIT_READY)
			return;
		attempt_free(out);
	}
}
