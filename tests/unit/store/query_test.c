/* What counts as done. Needs nothing: the server is a script. */
#include "fake_server.h"

#include <stdio.h>
#include <unistd.h>

#include "store/query.h"

static const struct statement select = { "SELECT", NULL, 0, NULL, NULL };

/* One statement on that server. */
static void try(struct server *s, struct connection *c, double seconds, struct query_result *out)
{
	static const char *const values[] = { "a", NULL };
	static const struct statement statement = { "SELECT $1, $2", values, 2, NULL, NULL };
	struct deadline d = deadline_in(seconds);
	struct db_hosts hosts = hosts_of("{'host':'127.0.0.1','port':'%s'}", s->port);

	query_run(c, &hosts, 0, seconds, &statement, &d, out);
}

struct outcome {
	const char *script;
	enum query_outcome outcome;
	const char *sqlstate;
	bool stays; /* the connection */
};

/* Is it what it must be? Says so where it is not. */
static bool is(const struct query_result *at, const struct outcome *t, enum wait_result ended)
{
	bool has_rows = at->outcome == QUERY_OK || at->outcome == QUERY_UNCONFIRMED;

	if (at->outcome == t->outcome && strcmp(at->sqlstate, t->sqlstate) == 0 &&
	    at->ended == ended && !strchr(at->text, '\n') &&
	    (at->text[0] != '\0') == (at->outcome != QUERY_OK) &&
	    (at->rows.cells != NULL) == has_rows)
		return true;
	print_message("%s: outcome %d, SQLSTATE \"%s\", ended %d: %s\n", t->script,
		      (int)at->outcome, at->sqlstate, (int)at->ended, at->text);
	return false;
}

/* The script begins with a statement that is answered if `first`, so that connecting takes none of
 * the seconds. */
static bool comes_to(const struct outcome *t, bool first, double seconds, enum wait_result ended)
{
	struct server s;
	struct connection c = { 0 };
	struct query_result at;
	bool right;

	server_start(&s, &t->script, 1);
	if (first)
		try(&s, &c, 10, &at);
	try(&s, &c, seconds, &at);
	right = is(&at, t, ended) && (c.conn != NULL) == t->stays;
	connection_close(&c);
	server_stop(&s);
	return right;
}

#define RESULT "hello query columns:a row:x done "

TEST(what_came_of_a_statement)
{
	static const struct outcome t[] = {
		{ RESULT "idle", QUERY_OK, "", true },
		{ "hello query parsed done idle", QUERY_OK, "", true },
		{ "hello notice:00000 warning:01000 query parsed done idle", QUERY_OK, "", true },
		{ "hello query notice:00000 columns:a row:x done idle", QUERY_OK, "", true },
		/* the commit may be on this server only */
		{ "hello query warning:01000:SyncRepWaitForLSN columns:a row:x done idle",
		  QUERY_UNCONFIRMED, "", false },
		{ RESULT "warning:01000:SyncRepWaitForLSN idle", QUERY_UNCONFIRMED, "", false },
		{ RESULT "old-warning:01000:SyncRepWaitForLSN idle", QUERY_UNCONFIRMED, "", false },
		/* words about something else */
		{ RESULT "warning:01000 idle", QUERY_OK, "", true },
		{ RESULT "old-warning:01000 idle", QUERY_OK, "", true },
		{ RESULT "warning:01000:SetTransactionIdLimit idle", QUERY_OK, "", true },
		{ RESULT "notice:00000:SyncRepWaitForLSN idle", QUERY_OK, "", true },
		/* refused, and the server lives: nothing happened */
		{ "hello query error:23505 idle", QUERY_REJECTED, "23505", true },
		{ "hello query parsed error:40P01 idle", QUERY_REJECTED, "40P01", true },
		{ RESULT "error:40001 idle", QUERY_REJECTED, "40001", true },
		{ "hello query warning:01000 error:57014 idle", QUERY_REJECTED, "57014", true },
		/* the server itself does not know */
		{ "hello query error:40003 idle", QUERY_UNKNOWN, "40003", false },
		/* lost, at any moment after it was sent */
		{ "hello query close", QUERY_UNKNOWN, "", false },
		{ "hello query columns:a row:x close", QUERY_UNKNOWN, "", false },
		{ RESULT "close", QUERY_UNKNOWN, "", false },
		{ RESULT "warning:57P01 close", QUERY_UNKNOWN, "", false },
		{ "hello query fatal:57P01 close", QUERY_UNKNOWN, "57P01", false },
		{ "hello query old-fatal:08P01 close", QUERY_UNKNOWN, "08P01", false },
		/* of two errors the first counts */
		{ "hello query fatal:57P01 fatal:08006 close", QUERY_UNKNOWN, "57P01", false },
		{ "hello query error:42P01 error:08006 idle", QUERY_REJECTED, "42P01", true },
		{ "hello query error:23505 close", QUERY_UNKNOWN, "23505", false },
		/* what no server says */
		{ "hello query garbage close", QUERY_UNKNOWN, "", false },
		{ "hello query parsed empty idle", QUERY_UNKNOWN, "", false },
		{ "hello query idle", QUERY_UNKNOWN, "", false },
		{ "hello query row:x done idle close", QUERY_UNKNOWN, "", false },
	};

	for (size_t i = 0; i < COUNT(t); i++)
		assert_true(comes_to(&t[i], false, 10, WAIT_READY));
}

#define FIRST "hello query parsed done idle query "

TEST(what_is_given_up)
{
	static const struct outcome t[] = {
		{ FIRST, QUERY_UNKNOWN, "", false },
		{ FIRST "columns:a row:x", QUERY_UNKNOWN, "", false },
		{ FIRST "columns:a half", QUERY_UNKNOWN, "", false },
		{ FIRST "columns:a row:x done", QUERY_UNKNOWN, "", false },
		/* no end of words */
		{ FIRST "flood", QUERY_UNKNOWN, "", false },
		{ FIRST "parsed copy", QUERY_UNKNOWN, "", false },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct deadline l = deadline_in(3);

		assert_true(comes_to(&t[i], true, 0.05, WAIT_TIMEOUT));
		assert_true(deadline_left(&l) > 0);
	}
}

TEST(what_is_cancelled_in_time)
{
	static const struct outcome t[] = {
		{ FIRST "cancelled error:57014 idle", QUERY_REJECTED, "57014", true },
		/* a cancelled wait for a standby answers success */
		{ FIRST "cancelled warning:01000:SyncRepWaitForLSN columns:a row:x done idle",
		  QUERY_UNCONFIRMED, "", false },
		{ FIRST "cancelled columns:a row:x done idle", QUERY_UNCONFIRMED, "", false },
		{ FIRST "columns:a row:x done cancelled idle", QUERY_UNCONFIRMED, "", false },
		{ FIRST "cancelled fatal:57P01 close", QUERY_UNKNOWN, "57P01", false },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		bool right = false;

		/* A busy machine may take longer than a cancel may last. */
		for (int tries = 0; tries < 10 && !right; tries++)
			right = comes_to(&t[i], true, 0.05, WAIT_TIMEOUT);
		assert_true(right);
	}
}

TEST(the_words_of_a_deadline)
{
	static const char *const script[] = { FIRST };
	struct server s;
	struct connection c = { 0 };
	struct query_result at;

	server_start(&s, script, 1);
	try(&s, &c, 10, &at);
	try(&s, &c, 0.05, &at);
	assert_string_equal(at.text, "no answer from the database: the deadline has passed");
	server_stop(&s);
	assert_int_equal(s.statements, 2);
	assert_int_equal(s.connections, 1);
}

TEST(nobody_waits_any_more)
{
	static const char *const script[] = { "hello query cancelled error:57014 idle" };
	struct server s;
	struct connection c = { 0 };
	struct deadline l = deadline_in(30);
	struct query_result at;
	struct db_hosts hosts;
	int ends[2];

	server_start(&s, script, 1);
	hosts = hosts_of("{'host':'127.0.0.1','port':'%s'}", s.port);
	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	l.stdout_fd = ends[1];
	query_run(&c, &hosts, 0, 30, &select, &l, &at);
	assert_int_equal(at.outcome, QUERY_NOT_SENT); /* not even connected */
	assert_int_equal(at.ended, WAIT_CANCELLED);
	connection_close(&c);
	close(ends[1]);
	server_stop(&s);
}

static void count(void *n)
{
	++*(int *)n;
}

/* Not when connecting begins, which may take seconds. */
TEST(values_that_tell_the_time_are_written_when_it_is_sent)
{
	static const char *const scripts[] = { "close", "hello query parsed done idle" };
	int n = 0;
	const struct statement timed = { "SELECT", NULL, 0, count, &n };
	struct server s;
	struct connection c = { 0 };
	struct deadline l = deadline_in(10);
	struct db_hosts hosts;
	struct query_result at;

	server_start(&s, scripts, 2);
	hosts = hosts_of("{'host':'127.0.0.1','port':'%s'}", s.port);
	query_run(&c, &hosts, 0, 10, &timed, &l, &at);
	assert_int_equal(n, 0);
	query_run(&c, &hosts, 0, 10, &timed, &l, &at);
	assert_int_equal(n, 1);
	connection_close(&c);
	server_stop(&s);
}

TEST(a_constraint_is_named)
{
	static const char *const scripts[] = { "hello query error:23505:ips_pkey idle "
					       "query error:23505 idle" };
	struct server s;
	struct connection c = { 0 };
	struct query_result at;

	server_start(&s, scripts, 1);
	try(&s, &c, 10, &at);
	assert_string_equal(at.constraint, "ips_pkey");
	try(&s, &c, 10, &at);
	assert_string_equal(at.constraint, "");
	connection_close(&c);
	server_stop(&s);
}

TEST(rows_as_text)
{
	static const char *const script[] = {
		"hello query columns:a,b,c row:a,~,c row:,e, done idle"
	};
	struct server s;
	struct connection c = { 0 };
	struct query_result at;

	server_start(&s, script, 1);
	try(&s, &c, 10, &at);
	assert_int_equal(at.rows.n, 2);
	assert_int_equal(at.rows.columns, 3);
	assert_string_equal(rows_get(&at.rows, 0, "a"), "a");
	assert_null(rows_get(&at.rows, 0, "b"));
	assert_string_equal(rows_get(&at.rows, 0, "c"), "c");
	assert_string_equal(rows_get(&at.rows, 1, "a"), "");
	assert_string_equal(rows_get(&at.rows, 1, "c"), "");
	assert_null(rows_get(&at.rows, 2, "a"));
	assert_null(rows_get(&at.rows, 0, "d"));
	connection_close(&c);
	server_stop(&s);
}

TEST(a_connection_is_used_again)
{
	static const char *const scripts[] = {
		"hello query columns:a row:x done idle query error:23505 idle query columns:a done "
		"idle",
		"hello query parsed done idle"
	};
	struct server s;
	struct connection c = { 0 };
	struct db_hosts hosts;
	struct deadline l = deadline_in(10);
	struct query_result at;

	server_start(&s, scripts, 2);
	hosts = hosts_of("{'host':'127.0.0.1,127.0.0.1','port':'%s','target_session_attrs':'any'}",
			 s.port);
	for (int i = 0; i < 3; i++) {
		query_run(&c, &hosts, 0, 10, &select, &l, &at);
		assert_int_equal(at.outcome, i == 1 ? QUERY_REJECTED : QUERY_OK);
	}
	assert_int_equal(s.connections, 1);
	query_run(&c, &hosts, 1, 10, &select, &l, &at); /* another host */
	assert_int_equal(at.outcome, QUERY_OK);
	assert_int_equal(s.connections, 2);
	connection_close(&c);
	server_stop(&s);
}
