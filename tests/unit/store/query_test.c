/* What counts as done. Needs nothing: the server is a script. */
#include "fake_server.h"

#include "store/attempt.h"

/* One attempt with that server. query_free when done. */
static void try(struct server *s, struct connection *link, double seconds, struct query_result *out)
{
	const struct param params[] = { { "host", "127.0.0.1" }, { "port", s->port } };
	static const char *const values[] = { "a", NULL };
	struct deadline l = deadline_in(seconds);
	struct db_hosts t;
	struct err e = { 0 };

	assert_int_equal(db_hosts_read(params, 2, &t, &e), 0);
	query_run(link, &t, 0, seconds, "SELECT $1, $2", values, 2, &l, out);
	db_hosts_free(&t);
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
	struct connection link = { 0 };
	struct query_result at;
	bool right;

	server_start(&s, &t->script, 1);
	if (first) {
		try(&s, &link, 10, &at);
		query_free(&at);
	}
	try(&s, &link, seconds, &at);
	right = is(&at, t, ended) && (link.conn != NULL) == t->stays;
	query_free(&at);
	connection_close(&link);
	server_stop(&s);
	return right;
}

#define RESULT "hello query columns:1 row:x done "

TEST(what_came_of_a_statement)
{
	static const struct outcome t[] = {
		{ RESULT "idle", QUERY_OK, "", true },
		{ "hello query parsed done idle", QUERY_OK, "", true },
		{ "hello notice:00000 warning:01000 query parsed done idle", QUERY_OK, "", true },
		{ "hello query notice:00000 columns:1 row:x done idle", QUERY_OK, "", true },
		/* a warning: the commit may be on this server only */
		{ "hello query warning:01000 columns:1 row:x done idle", QUERY_UNCONFIRMED, "",
		  false },
		{ RESULT "warning:01000 idle", QUERY_UNCONFIRMED, "", false },
		{ RESULT "old-warning:01000 idle", QUERY_UNCONFIRMED, "", false },
		/* refused, and the server lives: nothing happened */
		{ "hello query error:23505 idle", QUERY_REJECTED, "23505", true },
		{ "hello query parsed error:40P01 idle", QUERY_REJECTED, "40P01", true },
		{ RESULT "error:40001 idle", QUERY_REJECTED, "40001", true },
		{ "hello query warning:01000 error:57014 idle", QUERY_REJECTED, "57014", true },
		/* the server itself does not know */
		{ "hello query error:40003 idle", QUERY_UNKNOWN, "40003", false },
		/* lost, at any moment after it was sent */
		{ "hello query close", QUERY_UNKNOWN, "", false },
		{ "hello query columns:1 row:x close", QUERY_UNKNOWN, "", false },
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
		{ FIRST "columns:1 row:x", QUERY_UNKNOWN, "", false },
		{ FIRST "columns:1 half", QUERY_UNKNOWN, "", false },
		{ FIRST "columns:1 row:x done", QUERY_UNKNOWN, "", false },
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
		{ FIRST "cancelled warning:01000 columns:1 row:x done idle", QUERY_UNCONFIRMED, "",
		  false },
		{ FIRST "cancelled columns:1 row:x done idle", QUERY_UNCONFIRMED, "", false },
		{ FIRST "columns:1 row:x done cancelled idle", QUERY_UNCONFIRMED, "", false },
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
	struct connection link = { 0 };
	struct query_result at;

	server_start(&s, script, 1);
	try(&s, &link, 10, &at);
	query_free(&at);
	try(&s, &link, 0.05, &at);
	assert_string_equal(at.text, "no answer from the database: the deadline has passed");
	server_stop(&s);
	assert_int_equal(s.statements, 2);
	assert_int_equal(s.connections, 1);
}

TEST(nobody_waits_any_more)
{
	static const char *const script[] = { "hello query cancelled error:57014 idle" };
	const struct param host = { "host", "127.0.0.1" };
	struct server s;
	struct connection link = { 0 };
	struct deadline l = deadline_in(30);
	struct query_result at;
	struct db_hosts t;
	struct err e = { 0 };
	int ends[2];

	server_start(&s, script, 1);
	assert_int_equal(db_hosts_read(&host, 1, &t, &e), 0);
	t.list[0].port = s.port;
	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	l.stdout_fd = ends[1];
	query_run(&link, &t, 0, 30, "SELECT", NULL, 0, &l, &at);
	assert_int_equal(at.outcome, QUERY_NOT_SENT); /* not even connected */
	assert_int_equal(at.ended, WAIT_CANCELLED);
	query_free(&at);
	connection_close(&link);
	db_hosts_free(&t);
	close(ends[1]);
	server_stop(&s);
}

TEST(rows_as_text)
{
	static const char *const script[] = { "hello query columns:3 row:a,~,c row:,e, done idle" };
	struct server s;
	struct connection link = { 0 };
	struct query_result at;

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
	query_free(&at);
	connection_close(&link);
	server_stop(&s);
}

TEST(a_connection_is_used_again)
{
	static const char *const scripts[] = {
		"hello query columns:1 row:x done idle query error:23505 idle query columns:1 done "
		"idle",
		"hello query parsed done idle"
	};
	static const struct param params[] = { { "host", "127.0.0.1,127.0.0.1" },
					       { "target_session_attrs", "any" } };
	struct server s;
	struct connection link = { 0 };
	struct db_hosts t;
	struct err e = { 0 };
	struct deadline l = deadline_in(10);
	struct query_result at;

	server_start(&s, scripts, 2);
	assert_int_equal(db_hosts_read(params, 2, &t, &e), 0);
	t.list[0].port = t.list[1].port = s.port;
	for (int i = 0; i < 3; i++) {
		query_run(&link, &t, 0, 10, "SELECT", NULL, 0, &l, &at);
		assert_int_equal(at.outcome, i == 1 ? QUERY_REJECTED : QUERY_OK);
		query_free(&at);
	}
	assert_int_equal(s.connections, 1);
	query_run(&link, &t, 1, 10, "SELECT", NULL, 0, &l, &at); /* another host */
	assert_int_equal(at.outcome, QUERY_OK);
	query_free(&at);
	assert_int_equal(s.connections, 2);
	connection_close(&link);
	db_hosts_free(&t);
	server_stop(&s);
}
