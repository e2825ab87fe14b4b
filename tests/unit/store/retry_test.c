/* The loop that tries again, on scripted attempts. Needs nothing. */
#include "unit.h"

#include <stdio.h>
#include <unistd.h>

#include "store/retry.h"

TEST(what_each_outcome_asks_for)
{
	static const struct {
		enum query_outcome outcome;
		const char *sqlstate;
		enum retry_decision what;
	} t[] = {
		{ QUERY_OK, "", RETRY_NO },
		{ QUERY_BAD_PARAMS, "", RETRY_NO },
		{ QUERY_UNCONFIRMED, "", RETRY_NEXT_HOST },
		{ QUERY_UNKNOWN, "", RETRY_NEXT_HOST },
		{ QUERY_UNKNOWN, "57P01", RETRY_NEXT_HOST },
		{ QUERY_UNKNOWN, "08P01", RETRY_NEXT_HOST },
		{ QUERY_UNKNOWN, "40003", RETRY_NEXT_HOST },
		{ QUERY_UNKNOWN, "28P01", RETRY_NEXT_HOST },
		{ QUERY_NOT_SENT, "", RETRY_NEXT_HOST },
		{ QUERY_NOT_SENT, "57P03", RETRY_NEXT_HOST }, /* starting up */
		{ QUERY_NOT_SENT, "53300", RETRY_NEXT_HOST }, /* full */
		{ QUERY_NOT_SENT, "08P01", RETRY_NEXT_HOST }, /* a pooler */
		{ QUERY_NOT_SENT, "28P01", RETRY_OTHERS },    /* wrong password */
		{ QUERY_NOT_SENT, "28000", RETRY_OTHERS },    /* pg_hba.conf */
		{ QUERY_NOT_SENT, "3D000", RETRY_OTHERS },    /* no such database */
		{ QUERY_NOT_SENT, "42501", RETRY_OTHERS },    /* no right to connect */
		{ QUERY_NOT_SENT, "42704", RETRY_OTHERS },    /* a setting in "options" */
		{ QUERY_NOT_SENT, "22023", RETRY_OTHERS },    /* a wrong value in "options" */
		{ QUERY_REJECTED, "25006", RETRY_NEXT_HOST }, /* read-only */
		{ QUERY_REJECTED, "08006", RETRY_NEXT_HOST },
		{ QUERY_REJECTED, "57014", RETRY_SAME_HOST }, /* cancelled */
		{ QUERY_REJECTED, "57P01", RETRY_NEXT_HOST },
		{ QUERY_REJECTED, "53100", RETRY_NEXT_HOST }, /* disk full */
		{ QUERY_REJECTED, "40001", RETRY_SAME_HOST },
		{ QUERY_REJECTED, "40P01", RETRY_SAME_HOST }, /* deadlock */
		{ QUERY_REJECTED, "55P03", RETRY_SAME_HOST }, /* lock not available */
		{ QUERY_REJECTED, "55006", RETRY_NO },
		{ QUERY_REJECTED, "23505", RETRY_NO },
		{ QUERY_REJECTED, "23514", RETRY_NO },
		{ QUERY_REJECTED, "22023", RETRY_NO },
		{ QUERY_REJECTED, "42501", RETRY_OTHERS }, /* no right */
		{ QUERY_REJECTED, "42P01", RETRY_OTHERS }, /* no table */
		{ QUERY_REJECTED, "42703", RETRY_OTHERS }, /* no column */
		{ QUERY_REJECTED, "3F000", RETRY_OTHERS }, /* no schema */
		{ QUERY_REJECTED, "22012", RETRY_OTHERS }, /* the guard */
		{ QUERY_REJECTED, "", RETRY_NO },
	};

	for (size_t i = 0; i < COUNT(t); i++)
		assert_int_equal(retry_decision(t[i].outcome, t[i].sqlstate), t[i].what);
}

/* ---- a script ---- */

struct line {
	enum query_outcome outcome;
	const char *sqlstate;
	double lasts; /* seconds; more than it may have ends it */
};

struct script {
	const struct line *lines;
	size_t n;      /* of lines; the last one is repeated */
	size_t played; /* attempts so far */
	size_t hosts[64];
	int64_t began[64];
	double had[64], could_connect[64]; /* seconds */
	int doubtful;
	size_t known; /* hosts, */
	size_t later; /* and how many more after `known_after` tries */
	size_t known_after;
};

static void play(void *context, size_t host, double connect_seconds,
		 const struct statement *statement, const struct deadline *deadline,
		 struct query_result *out)
{
	struct script *s = context;
	const struct line *line = &s->lines[s->played < s->n ? s->played : s->n - 1];
	struct deadline lasts = deadline_sub(deadline, line->lasts);

	assert_string_equal(statement->sql, "SELECT");
	assert_true(s->played < COUNT(s->hosts));
	s->hosts[s->played] = host;
	s->began[s->played] = monotonic_now();
	s->had[s->played] = deadline_left(deadline);
	s->could_connect[s->played] = connect_seconds;
	s->played++;
	deadline_wait(&lasts, -1, 0);
	*out = (struct query_result){ .outcome = line->outcome, .ended = deadline_check(deadline) };
	snprintf(out->text, sizeof(out->text), "attempt %zu", s->played);
	snprintf(out->sqlstate, sizeof(out->sqlstate), "%s", line->sqlstate);
	if (line->outcome == QUERY_OK || line->outcome == QUERY_UNCONFIRMED)
		out->rows.n = 1;
}

static size_t known(void *context, size_t besides, const struct deadline *d)
{
	struct script *s = context;

	(void)d;
	if (s->later && (s->played >= s->known_after || s->known <= besides)) {
		s->known += s->later;
		s->later = 0;
	}
	return s->known;
}

static void note_doubtful(void *context, const struct rows *rows)
{
	assert_int_equal(rows->n, 1);
	((struct script *)context)->doubtful++;
}

static const struct statement select = { "SELECT", NULL, 0 };

static enum query_outcome run_with(struct script *s, struct retry *a, const struct deadline *l,
				   struct query_result *out)
{
	static struct log log = { .level = LOG_INFO, .err = -1, .file = -1 };

	a->query = play;
	a->known = known;
	a->context = s;
	a->log = &log;
	retry_run(a, &select, l, note_doubtful, s, out);
	return out->outcome;
}

/* Runs the lines on so many hosts within so many seconds. */
static enum query_outcome run(struct script *s, const struct line *lines, size_t n, size_t hosts,
			      double seconds)
{
	struct retry a = { 0 };
	struct deadline l = deadline_in(seconds);
	struct query_result out;

	*s = (struct script){ .lines = lines, .n = n, .known = hosts };
	return run_with(s, &a, &l, &out);
}

TEST(what_is_final_is_not_tried_again)
{
	static const struct line final[] = { { QUERY_OK, "", 0 },
					     { QUERY_BAD_PARAMS, "", 0 },
					     { QUERY_REJECTED, "23505", 0 } };
	struct script s;

	for (size_t i = 0; i < COUNT(final); i++) {
		assert_int_equal(run(&s, &final[i], 1, 3, 10), final[i].outcome);
		assert_int_equal(s.played, 1);
	}
}

TEST(what_may_pass_is_tried_until_it_is_done)
{
	static const struct line lines[] = { { QUERY_REJECTED, "40P01", 0 },
					     { QUERY_NOT_SENT, "57P03", 0 },
					     { QUERY_UNKNOWN, "", 0 },
					     { QUERY_OK, "", 0 } };
	struct script s;

	assert_int_equal(run(&s, lines, COUNT(lines), 1, 10), QUERY_OK);
	assert_int_equal(s.played, 4);
	assert_int_equal(s.doubtful, 0);
}

static double pause_before(const struct script *s, size_t attempt)
{
	return (double)(s->began[attempt] - s->began[attempt - 1]) / 1e9;
}

static void tried_hosts_are(const struct script *s, const size_t *hosts, size_t n)
{
	assert_int_equal(s->played, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(s->hosts[i], hosts[i]);
}

/* A wrong line in one pg_hba.conf says nothing about the other hosts. */
TEST(what_is_final_for_a_host_strikes_it_off)
{
	static const struct line lines[] = {
		{ QUERY_NOT_SENT, "28000", 0 }, { QUERY_NOT_SENT, "57P03", 0 },
		{ QUERY_NOT_SENT, "", 0 },      { QUERY_NOT_SENT, "3D000", 0 },
		{ QUERY_NOT_SENT, "", 0 },      { QUERY_OK, "", 0 }
	};
	static const size_t hosts[] = { 0, 1, 2, 1, 2, 2 };
	struct script s = { .lines = lines, .n = COUNT(lines), .known = 3 };
	struct retry a = { 0 };
	struct deadline l = deadline_in(10);
	struct query_result out;

	assert_int_equal(run_with(&s, &a, &l, &out), QUERY_OK);
	tried_hosts_are(&s, hosts, COUNT(hosts));
	assert_string_equal(a.given_up.text, "attempt 1");
	assert_true(pause_before(&s, 2) < 0.02); /* only what may pass makes a round */
	assert_true(pause_before(&s, 3) >= 0.02);
	run_with(&s, &a, &l, &out); /* nor is it asked by the next statement */
	assert_int_equal(s.hosts[6], 2);
}

/* One that was restored without its rights, or never migrated: the next host may be whole. */
TEST(a_host_that_cannot_run_it_is_struck_off)
{
	static const struct line lines[] = { { QUERY_REJECTED, "42P01", 0 },
					     { QUERY_REJECTED, "40001", 0 },
					     { QUERY_REJECTED, "42501", 0 },
					     { QUERY_NOT_SENT, "57P03", 0 },
					     { QUERY_OK, "", 0 } };
	static const size_t hosts[] = { 0, 1, 1, 2, 2 };
	static const struct line rejected[] = { { QUERY_REJECTED, "42501", 0 } };
	struct script s;

	assert_int_equal(run(&s, lines, COUNT(lines), 3, 10), QUERY_OK);
	tried_hosts_are(&s, hosts, COUNT(hosts));
	assert_int_equal(run(&s, rejected, 1, 2, 10), QUERY_REJECTED);
	assert_int_equal(s.played, 2);
}

TEST(it_ends_when_no_host_is_left)
{
	static const struct line lines[] = { { QUERY_NOT_SENT, "28P01", 0 } };
	struct script s;

	assert_int_equal(run(&s, lines, 1, 3, 10), QUERY_NOT_SENT);
	assert_int_equal(s.played, 3);
	assert_int_equal(run(&s, lines, 1, 1, 10), QUERY_NOT_SENT);
	assert_int_equal(s.played, 1);
}

TEST(hosts_that_become_known_are_tried_too)
{
	static const struct line lines[] = { { QUERY_NOT_SENT, "", 0 },
					     { QUERY_NOT_SENT, "", 0 },
					     { QUERY_NOT_SENT, "28P01", 0 },
					     { QUERY_OK, "", 0 } };
	static const size_t turns[] = { 0, 0, 0, 1 }, waits[] = { 0, 1 };
	static const struct line final[] = { { QUERY_NOT_SENT, "28P01", 0 }, { QUERY_OK, "", 0 } };
	struct script s = {
		.lines = lines, .n = COUNT(lines), .known = 1, .later = 1, .known_after = 2
	};
	struct script w = {
		.lines = final, .n = COUNT(final), .known = 1, .later = 1, .known_after = 9
	};
	struct retry a = { 0 }, b = { 0 };
	struct deadline l = deadline_in(10);
	struct query_result out;

	assert_int_equal(run_with(&s, &a, &l, &out), QUERY_OK);
	tried_hosts_are(&s, turns, COUNT(turns));
	/* and waited for where all others are struck off */
	assert_int_equal(run_with(&w, &b, &l, &out), QUERY_OK);
	tried_hosts_are(&w, waits, COUNT(waits));
}

/* The query itself says that no name has an address. */
TEST(no_host_is_known)
{
	static const struct line lines[] = { { QUERY_NOT_SENT, "", 0 } };
	struct script s;

	assert_int_equal(run(&s, lines, 1, 0, 10), QUERY_NOT_SENT);
	assert_int_equal(s.played, 1);
}

TEST(hosts_take_turns)
{
	static const struct line lines[] = { { QUERY_NOT_SENT, "", 0 },
					     { QUERY_REJECTED, "25006", 0 },
					     { QUERY_REJECTED, "40001", 0 },
					     { QUERY_UNCONFIRMED, "", 0 },
					     { QUERY_OK, "", 0 } };
	static const size_t hosts[] = { 0, 1, 2, 2, 0 };
	struct script s;

	assert_int_equal(run(&s, lines, COUNT(lines), 3, 10), QUERY_OK);
	tried_hosts_are(&s, hosts, COUNT(hosts));
}

TEST(the_next_statement_begins_with_the_host_that_worked)
{
	static const struct line lines[] = { { QUERY_NOT_SENT, "", 0 }, { QUERY_OK, "", 0 } };
	struct script s = { .lines = lines, .n = 2, .known = 2 };
	struct retry a = { 0 };
	struct deadline l = deadline_in(10);
	struct query_result out;

	run_with(&s, &a, &l, &out);
	run_with(&s, &a, &l, &out);
	assert_int_equal(s.played, 3);
	assert_int_equal(s.hosts[2], 1);
}

/* 50, 100, 200, 400, 500 ms, each between half and all of it. */
TEST(pauses_grow_and_end_growing)
{
	static const struct line lines[] = { { QUERY_REJECTED, "40001", 0 },
					     { QUERY_REJECTED, "40001", 0 },
					     { QUERY_REJECTED, "40001", 0 },
					     { QUERY_REJECTED, "40001", 0 },
					     { QUERY_REJECTED, "40001", 0 },
					     { QUERY_REJECTED, "40001", 0 },
					     { QUERY_OK, "", 0 } };
	static const double pauses[] = { 0.05, 0.1, 0.2, 0.4, 0.5, 0.5 };
	struct script s;

	assert_int_equal(run(&s, lines, COUNT(lines), 2, 60), QUERY_OK);
	for (size_t i = 0; i < COUNT(pauses); i++) {
		assert_true(pause_before(&s, i + 1) >= pauses[i] / 2);
		assert_true(pause_before(&s, i + 1) < pauses[i] + 0.3);
	}
}

TEST(no_pause_until_every_host_was_tried)
{
	static const struct line lines[] = { { QUERY_NOT_SENT, "", 0 },
					     { QUERY_NOT_SENT, "", 0 },
					     { QUERY_NOT_SENT, "", 0 },
					     { QUERY_OK, "", 0 } };
	struct script s;

	run(&s, lines, COUNT(lines), 3, 60);
	assert_true(pause_before(&s, 1) < 0.02);
	assert_true(pause_before(&s, 2) < 0.02);
	assert_true(pause_before(&s, 3) >= 0.025);
}

TEST(the_deadline_ends_it_with_the_last_outcome)
{
	static const struct line lines[] = { { QUERY_NOT_SENT, "57P03", 0.02 } };
	struct script s;
	int64_t start = monotonic_now();

	assert_int_equal(run(&s, lines, 1, 1, 0.5), QUERY_NOT_SENT);
	assert_true(s.played >= 2);
	assert_true((double)(monotonic_now() - start) / 1e9 >= 0.45);
	assert_true((double)(monotonic_now() - start) / 1e9 < 1.5);
}

/* Only a server that decides on the statement knows what became of the try before: nobody who
 * cannot be reached, no standby, none that is too busy or lacks a right. */
TEST(an_open_outcome_stays_open)
{
	static const char *const undecided[] = { "25006", "57P01", "53100", "53300", "08006",
						 "57014", "40001", "40P01", "55P03", "42501",
						 "42P01", "3F000", "22012" };
	static const struct {
		struct line lines[2];
		enum query_outcome outcome;
	} t[] = {
		{ { { QUERY_UNKNOWN, "", 0 }, { QUERY_NOT_SENT, "57P03", 0 } }, QUERY_UNKNOWN },
		{ { { QUERY_UNCONFIRMED, "", 0 }, { QUERY_NOT_SENT, "28P01", 0 } }, QUERY_UNKNOWN },
		{ { { QUERY_REJECTED, "57P01", 0 }, { QUERY_NOT_SENT, "28P01", 0 } },
		  QUERY_NOT_SENT },
		{ { { QUERY_UNKNOWN, "", 0 }, { QUERY_REJECTED, "23505", 0 } }, QUERY_REJECTED },
		{ { { QUERY_UNKNOWN, "", 0 }, { QUERY_OK, "", 0 } }, QUERY_OK },
	};
	struct script s;

	for (size_t i = 0; i < COUNT(t); i++)
		assert_int_equal(run(&s, t[i].lines, 2, 1, 0.3), t[i].outcome);
	for (size_t i = 0; i < COUNT(undecided); i++) {
		const struct line lines[] = { { QUERY_UNKNOWN, "", 0 },
					      { QUERY_REJECTED, undecided[i], 0 },
					      { QUERY_NOT_SENT, "", 0 } };

		assert_int_equal(run(&s, lines, 2, 2, 0.1), QUERY_UNKNOWN);
		assert_int_equal(run(&s, lines, 3, 2, 0.1), QUERY_UNKNOWN);
	}
}

/* That the time was over while it connected again says less than why it had to. */
TEST(the_last_words_are_a_reason)
{
	static const struct line lines[] = { { QUERY_NOT_SENT, "57P03", 0 },
					     { QUERY_NOT_SENT, "", 10 } };
	struct script s = { .lines = lines, .n = COUNT(lines), .known = 1 };
	struct retry a = { 0 };
	struct deadline l = deadline_in(0.3);
	struct query_result out;

	assert_int_equal(run_with(&s, &a, &l, &out), QUERY_NOT_SENT);
	assert_int_equal(s.played, 2);
	assert_string_equal(out.text, "attempt 1");
	assert_string_equal(out.sqlstate, "57P03");
}

TEST(doubtful_rows_are_told_each_time)
{
	static const struct line lines[] = { { QUERY_UNCONFIRMED, "", 0 },
					     { QUERY_UNCONFIRMED, "", 0 },
					     { QUERY_OK, "", 0 } };
	struct script s;

	assert_int_equal(run(&s, lines, COUNT(lines), 1, 10), QUERY_OK);
	assert_int_equal(s.doubtful, 2);
	assert_int_equal(run(&s, lines, 1, 1, 0.1), QUERY_UNCONFIRMED); /* the last one too */
	assert_int_equal(s.doubtful, (int)s.played);
}

TEST(nobody_waits_any_more)
{
	static const struct line lines[] = { { QUERY_NOT_SENT, "", 0 } };
	struct script s = { .lines = lines, .n = 1, .known = 1 };
	struct retry a = { 0 };
	struct deadline l = deadline_in(10);
	struct query_result out;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	l.stdout_fd = ends[1];
	assert_int_equal(run_with(&s, &a, &l, &out), QUERY_NOT_SENT);
	assert_int_equal(s.played, 1);
	assert_true(deadline_left(&l) > 9);
	close(ends[1]);
}

TEST(shares_of_the_time)
{
	static const struct line lines[] = { { QUERY_NOT_SENT, "", 0 },
					     { QUERY_NOT_SENT, "", 0 },
					     { QUERY_OK, "", 0 } };
	static const struct line once[] = { { QUERY_OK, "", 0 } };
	struct script s;

	/* one host: a third of it for an attempt, or two seconds */
	run(&s, once, 1, 1, 30);
	assert_true(s.had[0] > 9.9 && s.had[0] <= 10);
	run(&s, once, 1, 1, 3);
	assert_true(s.had[0] > 1.9 && s.had[0] <= 2);
	run(&s, once, 1, 1, 1);
	assert_true(s.had[0] > 0.9 && s.had[0] <= 1);
	/* several: none more than its share, for connecting an equal part of what is left */
	run(&s, lines, COUNT(lines), 3, 30);
	assert_true(s.could_connect[0] > 9.9 && s.could_connect[0] <= 10);
	assert_true(s.could_connect[1] > 14.8 && s.could_connect[1] <= 15);
	assert_true(s.could_connect[2] > 29.5 && s.could_connect[2] <= 30);
	run(&s, lines, COUNT(lines), 3, 3);
	assert_true(s.had[0] > 0.9 && s.had[0] <= 1);
}

TEST(a_connect_timeout_is_kept)
{
	static const struct line once[] = { { QUERY_OK, "", 0 } };
	struct script s = { .lines = once, .n = 1, .known = 1 };
	struct retry a = { .connect_timeout = 3 };
	struct deadline l = deadline_in(30);
	struct query_result out;

	run_with(&s, &a, &l, &out);
	assert_true(s.could_connect[0] == 3);
	a.connect_timeout = 300;
	run_with(&s, &a, &l, &out);
	assert_true(s.could_connect[1] <= 30);
}

/* A standby that becomes the primary is asked soon, however long another host hangs. */
TEST(a_host_that_hung_gets_little)
{
	static const struct line lines[] = { { QUERY_NOT_SENT, "", 0 }, { QUERY_NOT_SENT, "", 100 },
					     { QUERY_NOT_SENT, "", 0 }, { QUERY_NOT_SENT, "", 100 },
					     { QUERY_NOT_SENT, "", 0 }, { QUERY_NOT_SENT, "", 100 },
					     { QUERY_OK, "", 0 } };
	struct script s;
	int64_t start = monotonic_now();

	assert_int_equal(run(&s, lines, COUNT(lines), 2, 4), QUERY_OK);
	assert_true(s.had[1] > 1.9 && s.had[1] <= 2);
	assert_true(s.had[3] > 0.9 && s.had[3] <= 1);
	assert_true(s.had[5] > 0.4 && s.had[5] <= 0.5);
	/* such a round has no pause behind it */
	assert_true(pause_before(&s, 6) < 0.6);
	assert_true((double)(monotonic_now() - start) / 1e9 < 4.5);
}

TEST(one_that_answers_gets_its_share_again)
{
	static const struct line lines[] = { { QUERY_NOT_SENT, "", 100 },
					     { QUERY_NOT_SENT, "", 0 },
					     { QUERY_NOT_SENT, "57P03", 0 },
					     { QUERY_NOT_SENT, "", 0 },
					     { QUERY_REJECTED, "25006", 0 },
					     { QUERY_NOT_SENT, "", 0 },
					     { QUERY_OK, "", 0 } };
	static const struct line alone[] = { { QUERY_UNKNOWN, "", 100 }, { QUERY_OK, "", 0 } };
	struct script s;

	run(&s, lines, COUNT(lines), 2, 2);
	assert_true(s.had[0] > 0.9 && s.had[0] <= 1);
	assert_true(s.had[2] > 0.4 && s.had[2] <= 0.5);
	assert_true(s.had[4] > 0.4 && s.had[4] <= 0.5); /* it did not execute the statement */
	assert_true(s.had[6] > 0.6);                    /* all that is left */
	/* nor is there anybody else to ask */
	run(&s, alone, COUNT(alone), 1, 4.5);
	assert_true(s.had[0] > 1.9 && s.had[0] <= 2);
	assert_true(s.had[1] > 1.9 && s.had[1] <= 2);
}
