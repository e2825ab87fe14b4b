/* What counts as done. Needs nothing: the server is a script. */
#include "fake_server.h"

#include "store/attempt.h"

/* One attempt with that server. attempt_free when done. */
static void try(struct server *s, struct link *link, double seconds, struct attempt *out)
{
	const struct param params[] = { { "host", "127.0.0.1" }, { "port", s->port } };
	static const char *const values[] = { "a", NULL };
	struct limit l = limit_in(seconds);
	struct targets t;
	struct err e = { 0 };

	assert_int_equal(targets_of(params, 2, &t, &e), 0);
	attempt_run(link, &t, 0, seconds, "SELECT $1, $2", values, 2, &l, out);
	targets_free(&t);
}

struct outcome {
	const char *script;
	enum attempt_outcome outcome;
	const char *sqlstate;
	bool stays; /* the connection */
};

/* Is it what it must be? Says so where it is not. */
static bool is(const struct attempt *at, const struct outcome *t, enum limit_ready ended)
{
	bool has_rows = at->outcome == ATTEMPT_DONE || at->outcome == ATTEMPT_DOUBTFUL;

	if (at->outcome == t->outcome && strcmp(at->sqlstate, t->sqlstate) == 0 &&
		at->ended == ended && !strchr(at->text, '\n') &&
		(at->text[0] != '\0') == (at->outcome != ATTEMPT_DONE) &&
		(at->rows.cells != NULL) == has_rows)
		return true;
	print_message("%s: outcome %d, SQLSTATE \"%s\", ended %d: %s\n", t->script,
		(int)at->outcome, at->sqlstate, (int)at->ended, at->text);
	return false;
}

/* The script begins with a statement that is answered if `first`, so that connecting takes none of
 * the seconds. */
static bool comes_to(const struct outcome *t, bool first, double seconds, enum limit_ready ended)
{
	struct server s;
	struct link link = { 0 };
	struct attempt at;
	bool right;

	server_start(&s, &t->script, 1);
	if (first) {
		try(&s, &link, 10, &at);
		attempt_free(&at);
	}
	try(&s, &link, seconds, &at);
	right = is(&at, t, ended) && (link.conn != NULL) == t->stays;
	attempt_free(&at);
	link_close(&link);
	server_stop(&s);
	return right;
}

#define RESULT "hello query columns:1 row:x done "

static void what_came_of_a_statement(void **state)
{
	static const struct outcome t[] = {
		{ RESULT "idle", ATTEMPT_DONE, "", true },
		{ "hello query parsed done idle", ATTEMPT_DONE, "", true },
		{ "hello notice:00000 warning:01000 query parsed done idle", ATTEMPT_DONE, "",
			true },
		{ "hello query notice:00000 columns:1 row:x done idle", ATTEMPT_DONE, "", true },
		/* a warning: the commit may be on this server only */
		{ "hello query warning:01000 columns:1 row:x done idle", ATTEMPT_DOUBTFUL, "",
			false },
		{ RESULT "warning:01000 idle", ATTEMPT_DOUBTFUL, "", false },
		{ RESULT "old-warning:01000 idle", ATTEMPT_DOUBTFUL, "", false },
		/* refused, and the server lives: nothing happened */
		{ "hello query error:23505 idle", ATTEMPT_REFUSED, "23505", true },
		{ "hello query parsed error:40P01 idle", ATTEMPT_REFUSED, "40P01", true },
		{ RESULT "error:40001 idle", ATTEMPT_REFUSED, "40001", true },
		{ "hello query warning:01000 error:57014 idle", ATTEMPT_REFUSED, "57014", true },
		/* the server itself does not know */
		{ "hello query error:40003 idle", ATTEMPT_UNKNOWN, "40003", false },
		/* lost, at any moment after it was sent */
		{ "hello query close", ATTEMPT_UNKNOWN, "", false },
		{ "hello query columns:1 row:x close", ATTEMPT_UNKNOWN, "", false },
		{ RESULT "close", ATTEMPT_UNKNOWN, "", false },
		{ RESULT "warning:57P01 close", ATTEMPT_UNKNOWN, "", false },
		{ "hello query fatal:57P01 close", ATTEMPT_UNKNOWN, "57P01", false },
		{ "hello query old-fatal:08P01 close", ATTEMPT_UNKNOWN, "08P01", false },
		/* of two errors the first counts */
		{ "hello query fatal:57P01 fatal:08006 close", ATTEMPT_UNKNOWN, "57P01", false },
		{ "hello query error:42P01 error:08006 idle", ATTEMPT_REFUSED, "42P01", true },
		{ "hello query error:23505 close", ATTEMPT_UNKNOWN, "23505", false },
		/* what no server says */
		{ "hello query garbage close", ATTEMPT_UNKNOWN, "", false },
		{ "hello query parsed empty idle", ATTEMPT_UNKNOWN, "", false },
		{ "hello query idle", ATTEMPT_UNKNOWN, "", false },
		{ "hello query row:x done idle close", ATTEMPT_UNKNOWN, "", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++)
		assert_true(comes_to(&t[i], false, 10, LIMIT_READY));
}

#define FIRST "hello query parsed done idle query "

static void what_is_given_up(void **state)
{
	static const struct outcome t[] = {
		{ FIRST, ATTEMPT_UNKNOWN, "", false },
		{ FIRST "columns:1 row:x", ATTEMPT_UNKNOWN, "", false },
		{ FIRST "columns:1 half", ATTEMPT_UNKNOWN, "", false },
		{ FIRST "columns:1 row:x done", ATTEMPT_UNKNOWN, "", false },
		/* no end of words */
		{ FIRST "flood", ATTEMPT_UNKNOWN, "", false },
		{ FIRST "parsed copy", ATTEMPT_UNKNOWN, "", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		struct limit l = limit_in(3);

		assert_true(comes_to(&t[i], true, 0.05, LIMIT_EXPIRED));
		assert_true(limit_left(&l) > 0);
	}
}

static void what_is_cancelled_in_time(void **state)
{
	static const struct outcome t[] = {
		{ FIRST "cancelled error:57014 idle", ATTEMPT_REFUSED, "57014", true },
		/* a cancelled wait for a standby answers success */
		{ FIRST "cancelled warning:01000 columns:1 row:x done idle", ATTEMPT_DOUBTFUL, "",
			false },
		{ FIRST "cancelled columns:1 row:x done idle", ATTEMPT_DOUBTFUL, "", false },
		{ FIRST "columns:1 row:x done cancelled idle", ATTEMPT_DOUBTFUL, "", false },
		{ FIRST "cancelled fatal:57P01 close", ATTEMPT_UNKNOWN, "57P01", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		bool right = false;

		/* A busy machine may take longer than a cancel may last. */
		for (int tries = 0; tries < 10 && !right; tries++)
			right = comes_to(&t[i], true, 0.05, LIMIT_EXPIRED);
		assert_true(right);
	}
}

static void the_words_of_a_deadline(void **state)
{
	static const char *const script[] = { FIRST };
	struct server s;
	struct link link = { 0 };
	struct attempt at;

	(void)state;
	server_start(&s, script, 1);
	try(&s, &link, 10, &at);
	attempt_free(&at);
	try(&s, &link, 0.05, &at);
	assert_string_equal(at.text, "no answer from the database: the deadline has passed");
	server_stop(&s);
	assert_int_equal(s.statements, 2);
	assert_int_equal(s.connections, 1);
}

static void nobody_waits_any_more(void **state)
{
	static const char *const script[] = { "hello query cancelled error:57014 idle" };
	const struct param host = { "host", "127.0.0.1" };
	struct server s;
	struct link link = { 0 };
	struct limit l = limit_in(30);
	struct attempt at;
	struct targets t;
	struct err e = { 0 };
	int ends[2];

	(void)state;
	server_start(&s, script, 1);
	assert_int_equal(targets_of(&host, 1, &t, &e), 0);
	t.list[0].port = s.port;
	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	l.reader = ends[1];
	attempt_run(&link, &t, 0, 30, "SELECT", NULL, 0, &l, &at);
	assert_int_equal(at.outcome, ATTEMPT_NOT_SENT); /* not even connected */
	assert_int_equal(at.ended, LIMIT_ABANDONED);
	attempt_free(&at);
	link_close(&link);
	targets_free(&t);
	close(ends[1]);
	server_stop(&s);
}

static void rows_as_text(void **state)
{
	static const char *const script[] = { "hello query columns:3 row:a,~,c row:,e, done idle" };
	struct server s;
	struct link link = { 0 };
	struct attempt at;

	(void)state;
	server_start(&s, script, 1);
	try(&s, &link, 10, &at);
	assert_int_equal(at.rows.n, 2);
	assert_int_equal(at.rows.columns, 3);
	assert_string_equal(rows_get(&at.rows, 0, 0), "a");
	assert_null(rows_get(&at.rows, 0, 1));
	assert_string_equal(rows_get(&at.rows, 0, 2), "c");
	assert_string_equal(rows_get(&at.rows, 1, 0), "");
	assert_string_equal(rows_get(&at.rows, 1, 2), "");
	assert_null(rows_get(&at.rows, 2, 0));
	assert_null(rows_get(&at.rows, 0, 3));
	attempt_free(&at);
	link_close(&link);
	server_stop(&s);
}

static void a_connection_is_used_again(void **state)
{
	static const char *const scripts[] = {
		"hello query columns:1 row:x done idle query error:23505 idle query columns:1 done "
		"idle",
		"hello query parsed done idle"
	};
	static const struct param params[] = { { "host", "127.0.0.1,127.0.0.1" },
		{ "target_session_attrs", "any" } };
	struct server s;
	struct link link = { 0 };
	struct targets t;
	struct err e = { 0 };
	struct limit l = limit_in(10);
	struct attempt at;

	(void)state;
	server_start(&s, scripts, 2);
	assert_int_equal(targets_of(params, 2, &t, &e), 0);
	t.list[0].port = t.list[1].port = s.port;
	for (int i = 0; i < 3; i++) {
		attempt_run(&link, &t, 0, 10, "SELECT", NULL, 0, &l, &at);
		assert_int_equal(at.outcome, i == 1 ? ATTEMPT_REFUSED : ATTEMPT_DONE);
		attempt_free(&at);
	}
	assert_int_equal(s.connections, 1);
	attempt_run(&link, &t, 1, 10, "SELECT", NULL, 0, &l, &at); /* another host */
	assert_int_equal(at.outcome, ATTEMPT_DONE);
	attempt_free(&at);
	assert_int_equal(s.connections, 2);
	link_close(&link);
	targets_free(&t);
	server_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_came_of_a_statement),
		cmocka_unit_test(what_is_given_up),
		cmocka_unit_test(what_is_cancelled_in_time),
		cmocka_unit_test(the_words_of_a_deadline),
		cmocka_unit_test(nobody_waits_any_more),
		cmocka_unit_test(rows_as_text),
		cmocka_unit_test(a_connection_is_used_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
