/* The loop that tries again, on scripted attempts. Needs nothing. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/again.h"

static void what_each_outcome_asks_for(void **state)
{
	static const struct {
		enum attempt_outcome outcome;
		const char *sqlstate;
		enum again_what what;
	} t[] = {
		{ ATTEMPT_DONE, "", AGAIN_STOP },
		{ ATTEMPT_INVALID, "", AGAIN_STOP },
		{ ATTEMPT_DOUBTFUL, "", AGAIN_NEXT },
		{ ATTEMPT_UNKNOWN, "", AGAIN_NEXT },
		{ ATTEMPT_UNKNOWN, "57P01", AGAIN_NEXT },
		{ ATTEMPT_UNKNOWN, "08P01", AGAIN_NEXT },
		{ ATTEMPT_UNKNOWN, "40003", AGAIN_NEXT },
		{ ATTEMPT_UNKNOWN, "28P01", AGAIN_NEXT },
		{ ATTEMPT_NOT_SENT, "", AGAIN_NEXT },
		{ ATTEMPT_NOT_SENT, "57P03", AGAIN_NEXT }, /* starting up */
		{ ATTEMPT_NOT_SENT, "53300", AGAIN_NEXT }, /* full */
		{ ATTEMPT_NOT_SENT, "08P01", AGAIN_NEXT }, /* a pooler */
		{ ATTEMPT_NOT_SENT, "28P01", AGAIN_STOP }, /* wrong password */
		{ ATTEMPT_NOT_SENT, "28000", AGAIN_STOP }, /* pg_hba.conf */
		{ ATTEMPT_NOT_SENT, "3D000", AGAIN_STOP }, /* no such database */
		{ ATTEMPT_NOT_SENT, "42501", AGAIN_STOP }, /* no right to connect */
		{ ATTEMPT_REFUSED, "25006", AGAIN_NEXT },  /* read-only */
		{ ATTEMPT_REFUSED, "08006", AGAIN_NEXT },
		{ ATTEMPT_REFUSED, "57014", AGAIN_SAME }, /* cancelled */
		{ ATTEMPT_REFUSED, "57P01", AGAIN_NEXT },
		{ ATTEMPT_REFUSED, "53100", AGAIN_NEXT }, /* disk full */
		{ ATTEMPT_REFUSED, "40001", AGAIN_SAME },
		{ ATTEMPT_REFUSED, "40P01", AGAIN_SAME }, /* deadlock */
		{ ATTEMPT_REFUSED, "55P03", AGAIN_SAME }, /* lock not available */
		{ ATTEMPT_REFUSED, "55006", AGAIN_STOP },
		{ ATTEMPT_REFUSED, "23505", AGAIN_STOP },
		{ ATTEMPT_REFUSED, "42P01", AGAIN_STOP },
		{ ATTEMPT_REFUSED, "42501", AGAIN_STOP },
		{ ATTEMPT_REFUSED, "22012", AGAIN_STOP },
		{ ATTEMPT_REFUSED, "", AGAIN_STOP },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++)
		assert_int_equal(again_what(t[i].outcome, t[i].sqlstate), t[i].what);
}

/* ---- a script ---- */

struct line {
	enum attempt_outcome outcome;
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
};

static void play(void *context, size_t target, double connect_seconds, const char *sql,
	const char *const *values, int n, const struct limit *limit, struct attempt *out)
{
	struct script *s = context;
	const struct line *line = &s->lines[s->played < s->n ? s->played : s->n - 1];
	struct limit lasts = limit_part(limit, line->lasts);

	assert_string_equal(sql, "SELECT");
	assert_null(values);
	assert_int_equal(n, 0);
	assert_true(s->played < COUNT(s->hosts));
	s->hosts[s->played] = target;
	s->began[s->played] = limit_now();
	s->had[s->played] = limit_left(limit);
	s->could_connect[s->played] = connect_seconds;
	s->played++;
	limit_wait(&lasts, -1, 0);
	*out = (struct attempt){ .outcome = line->outcome, .ended = limit_look(limit) };
	snprintf(out->text, sizeof(out->text), "attempt %zu", s->played);
	snprintf(out->sqlstate, sizeof(out->sqlstate), "%s", line->sqlstate);
	if (line->outcome == ATTEMPT_DONE || line->outcome == ATTEMPT_DOUBTFUL)
		out->rows.cells = calloc(1, sizeof(char *)); /* leaks if nobody frees it */
}

static void note_doubtful(void *context, const struct rows *rows)
{
	assert_non_null(rows->cells);
	((struct script *)context)->doubtful++;
}

static enum attempt_outcome run_with(
	struct script *s, struct again *a, const struct limit *l, struct attempt *out)
{
	static struct log log = { .level = LOG_INFO, .err = -1, .file = -1 };
	enum attempt_outcome outcome;

	a->attempt = play;
	a->context = s;
	a->log = &log;
	again_run(a, "SELECT", NULL, 0, l, note_doubtful, s, out);
	outcome = out->outcome;
	attempt_free(out);
	return outcome;
}

/* Runs the lines on so many hosts within so many seconds. */
static enum attempt_outcome run(
	struct script *s, const struct line *lines, size_t n, size_t targets, double seconds)
{
	struct again a = { .targets = targets };
	struct limit l = limit_in(seconds);
	struct attempt out;

	*s = (struct script){ .lines = lines, .n = n };
	return run_with(s, &a, &l, &out);
}

static void what_is_final_is_not_tried_again(void **state)
{
	static const struct line final[] = { { ATTEMPT_DONE, "", 0 }, { ATTEMPT_INVALID, "", 0 },
		{ ATTEMPT_REFUSED, "23505", 0 }, { ATTEMPT_NOT_SENT, "28P01", 0 } };
	struct script s;

	(void)state;
	for (size_t i = 0; i < COUNT(final); i++) {
		assert_int_equal(run(&s, &final[i], 1, 3, 10), final[i].outcome);
		assert_int_equal(s.played, 1);
	}
}

static void what_may_pass_is_tried_until_it_is_done(void **state)
{
	static const struct line lines[] = { { ATTEMPT_REFUSED, "40P01", 0 },
		{ ATTEMPT_NOT_SENT, "57P03", 0 }, { ATTEMPT_UNKNOWN, "", 0 },
		{ ATTEMPT_DONE, "", 0 } };
	struct script s;

	(void)state;
	assert_int_equal(run(&s, lines, COUNT(lines), 1, 10), ATTEMPT_DONE);
	assert_int_equal(s.played, 4);
	assert_int_equal(s.doubtful, 0);
}

static void hosts_take_turns(void **state)
{
	static const struct line lines[] = { { ATTEMPT_NOT_SENT, "", 0 },
		{ ATTEMPT_REFUSED, "25006", 0 }, { ATTEMPT_REFUSED, "40001", 0 },
		{ ATTEMPT_DOUBTFUL, "", 0 }, { ATTEMPT_DONE, "", 0 } };
	static const size_t hosts[] = { 0, 1, 2, 2, 0 };
	struct script s;

	(void)state;
	assert_int_equal(run(&s, lines, COUNT(lines), 3, 10), ATTEMPT_DONE);
	assert_int_equal(s.played, 5);
	for (size_t i = 0; i < COUNT(hosts); i++)
		assert_int_equal(s.hosts[i], hosts[i]);
}

static void the_next_statement_begins_with_the_host_that_worked(void **state)
{
	static const struct line lines[] = { { ATTEMPT_NOT_SENT, "", 0 }, { ATTEMPT_DONE, "", 0 } };
	struct script s = { .lines = lines, .n = 2 };
	struct again a = { .targets = 2 };
	struct limit l = limit_in(10);
	struct attempt out;

	(void)state;
	run_with(&s, &a, &l, &out);
	run_with(&s, &a, &l, &out);
	assert_int_equal(s.played, 3);
	assert_int_equal(s.hosts[2], 1);
}

static double pause_before(const struct script *s, size_t attempt)
{
	return (double)(s->began[attempt] - s->began[attempt - 1]) / 1e9;
}

/* 50, 100, 200, 400, 500 ms, each between half and all of it. */
static void pauses_grow_and_end_growing(void **state)
{
	static const struct line lines[] = { { ATTEMPT_REFUSED, "40001", 0 },
		{ ATTEMPT_REFUSED, "40001", 0 }, { ATTEMPT_REFUSED, "40001", 0 },
		{ ATTEMPT_REFUSED, "40001", 0 }, { ATTEMPT_REFUSED, "40001", 0 },
		{ ATTEMPT_REFUSED, "40001", 0 }, { ATTEMPT_DONE, "", 0 } };
	static const double pauses[] = { 0.05, 0.1, 0.2, 0.4, 0.5, 0.5 };
	struct script s;

	(void)state;
	assert_int_equal(run(&s, lines, COUNT(lines), 2, 60), ATTEMPT_DONE);
	for (size_t i = 0; i < COUNT(pauses); i++) {
		assert_true(pause_before(&s, i + 1) >= pauses[i] / 2);
		assert_true(pause_before(&s, i + 1) < pauses[i] + 0.3);
	}
}

static void no_pause_until_every_host_was_tried(void **state)
{
	static const struct line lines[] = { { ATTEMPT_NOT_SENT, "", 0 },
		{ ATTEMPT_NOT_SENT, "", 0 }, { ATTEMPT_NOT_SENT, "", 0 }, { ATTEMPT_DONE, "", 0 } };
	struct script s;

	(void)state;
	run(&s, lines, COUNT(lines), 3, 60);
	assert_true(pause_before(&s, 1) < 0.02);
	assert_true(pause_before(&s, 2) < 0.02);
	assert_true(pause_before(&s, 3) >= 0.025);
}

static void the_deadline_ends_it_with_the_last_outcome(void **state)
{
	static const struct line lines[] = { { ATTEMPT_NOT_SENT, "57P03", 0.02 } };
	struct script s;
	int64_t start = limit_now();

	(void)state;
	assert_int_equal(run(&s, lines, 1, 1, 0.5), ATTEMPT_NOT_SENT);
	assert_true(s.played >= 2);
	assert_true((double)(limit_now() - start) / 1e9 >= 0.45);
	assert_true((double)(limit_now() - start) / 1e9 < 1.5);
}

/* Nobody who cannot be reached knows what became of what was sent before. */
static void an_open_outcome_stays_open(void **state)
{
	static const struct {
		struct line lines[2];
		enum attempt_outcome outcome;
	} t[] = {
		{ { { ATTEMPT_UNKNOWN, "", 0 }, { ATTEMPT_NOT_SENT, "57P03", 0 } },
			ATTEMPT_UNKNOWN },
		{ { { ATTEMPT_DOUBTFUL, "", 0 }, { ATTEMPT_NOT_SENT, "28P01", 0 } },
			ATTEMPT_UNKNOWN },
		{ { { ATTEMPT_REFUSED, "57P01", 0 }, { ATTEMPT_NOT_SENT, "28P01", 0 } },
			ATTEMPT_NOT_SENT },
		{ { { ATTEMPT_UNKNOWN, "", 0 }, { ATTEMPT_DONE, "", 0 } }, ATTEMPT_DONE },
	};
	struct script s;

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++)
		assert_int_equal(run(&s, t[i].lines, 2, 1, 0.3), t[i].outcome);
}

/* That the time was over while it connected again says less than why it had to. */
static void the_last_words_are_a_reason(void **state)
{
	static const struct line lines[] = { { ATTEMPT_NOT_SENT, "57P03", 0 },
		{ ATTEMPT_NOT_SENT, "", 10 } };
	struct script s = { .lines = lines, .n = COUNT(lines) };
	struct again a = { .targets = 1 };
	struct limit l = limit_in(0.3);
	struct attempt out;

	(void)state;
	assert_int_equal(run_with(&s, &a, &l, &out), ATTEMPT_NOT_SENT);
	assert_int_equal(s.played, 2);
	assert_string_equal(out.text, "attempt 1");
	assert_string_equal(out.sqlstate, "57P03");
}

static void doubtful_rows_are_told_each_time(void **state)
{
	static const struct line lines[] = { { ATTEMPT_DOUBTFUL, "", 0 },
		{ ATTEMPT_DOUBTFUL, "", 0 }, { ATTEMPT_DONE, "", 0 } };
	struct script s;

	(void)state;
	assert_int_equal(run(&s, lines, COUNT(lines), 1, 10), ATTEMPT_DONE);
	assert_int_equal(s.doubtful, 2);
	assert_int_equal(run(&s, lines, 1, 1, 0.1), ATTEMPT_DOUBTFUL); /* the last one too */
	assert_int_equal(s.doubtful, (int)s.played);
}

static void nobody_waits_any_more(void **state)
{
	static const struct line lines[] = { { ATTEMPT_NOT_SENT, "", 0 } };
	struct script s = { .lines = lines, .n = 1 };
	struct again a = { .targets = 1 };
	struct limit l = limit_in(10);
	struct attempt out;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	l.reader = ends[1];
	assert_int_equal(run_with(&s, &a, &l, &out), ATTEMPT_NOT_SENT);
	assert_int_equal(s.played, 1);
	assert_true(limit_left(&l) > 9);
	close(ends[1]);
}

static void shares_of_the_time(void **state)
{
	static const struct line lines[] = { { ATTEMPT_NOT_SENT, "", 0 },
		{ ATTEMPT_NOT_SENT, "", 0 }, { ATTEMPT_DONE, "", 0 } };
	static const struct line once[] = { { ATTEMPT_DONE, "", 0 } };
	struct script s;

	(void)state;
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

static void a_connect_timeout_is_kept(void **state)
{
	static const struct line once[] = { { ATTEMPT_DONE, "", 0 } };
	struct script s = { .lines = once, .n = 1 };
	struct again a = { .targets = 1, .connect_timeout = 3 };
	struct limit l = limit_in(30);
	struct attempt out;

	(void)state;
	run_with(&s, &a, &l, &out);
	assert_true(s.could_connect[0] == 3);
	a.connect_timeout = 300;
	run_with(&s, &a, &l, &out);
	assert_true(s.could_connect[1] <= 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_each_outcome_asks_for),
		cmocka_unit_test(what_is_final_is_not_tried_again),
		cmocka_unit_test(what_may_pass_is_tried_until_it_is_done),
		cmocka_unit_test(hosts_take_turns),
		cmocka_unit_test(the_next_statement_begins_with_the_host_that_worked),
		cmocka_unit_test(pauses_grow_and_end_growing),
		cmocka_unit_test(no_pause_until_every_host_was_tried),
		cmocka_unit_test(the_deadline_ends_it_with_the_last_outcome),
		cmocka_unit_test(an_open_outcome_stays_open),
		cmocka_unit_test(the_last_words_are_a_reason),
		cmocka_unit_test(doubtful_rows_are_told_each_time),
		cmocka_unit_test(nobody_waits_any_more),
		cmocka_unit_test(shares_of_the_time),
		cmocka_unit_test(a_connect_timeout_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
