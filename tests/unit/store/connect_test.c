/* Connecting. Needs nothing: the server is a script. */
#include "fake_server.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/connect.h"
#include "tmpdir.h"

/* Connects; the connection is closed. `more` is "" or further keywords, ",'key':'value'". */
static void dial_at(struct server *s, const char *host, const char *more, double seconds,
		    struct query_result *out)
{
	struct deadline l = deadline_in(seconds);
	struct db_hosts t = hosts_of("{'host':'%s','port':'%s'%s}", host, s->port, more);

	PQfinish(connect_to(&t, 0, &l, out));
}

static void dial(struct server *s, double seconds, struct query_result *out)
{
	dial_at(s, "127.0.0.1", "", seconds, out);
}

struct refusal {
	const char *script, *sqlstate, *text;
};

/* "connection to server at "127.0.0.1", port 1234 failed: " stands before the server's words. */
static const char *after_failed(const char *text)
{
	const char *at = strstr(text, " failed: ");

	return at ? at + strlen(" failed: ") : text;
}

TEST(what_a_server_says_instead_of_hello)
{
	static const struct refusal t[] = {
		{ "fatal:28P01 close", "28P01", "FATAL:  words of the server" },
		{ "fatal:57P03 close", "57P03", "FATAL:  words of the server" },
		{ "fatal:53300 close", "53300", "FATAL:  words of the server" },
		{ "old-fatal:08P01 close", "08P01", "FATAL:  words of the server" },
		{ "close", "", "server closed the connection unexpectedly" },
		{ "garbage close", "", NULL },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct server s;
		struct query_result at;

		server_start(&s, &t[i].script, 1);
		dial(&s, 10, &at);
		assert_int_equal(at.outcome, QUERY_NOT_SENT);
		assert_int_equal(at.ended, WAIT_READY);
		assert_string_equal(at.sqlstate, t[i].sqlstate);
		assert_true(at.text[0]);
		if (t[i].text)
			assert_string_equal(after_failed(at.text), t[i].text);
		server_stop(&s);
	}
}

TEST(a_server_that_says_nothing_or_no_end)
{
	static const char *const scripts[] = { "", "welcome", "welcome flood" };

	for (size_t i = 0; i < COUNT(scripts); i++) {
		struct deadline l = deadline_in(3);
		struct server s;
		struct query_result at;

		server_start(&s, &scripts[i], 1);
		dial(&s, 0.1, &at);
		assert_int_equal(at.outcome, QUERY_NOT_SENT);
		assert_int_equal(at.ended, WAIT_TIMEOUT);
		assert_string_equal(at.text,
				    "connection to \"127.0.0.1\" failed: the deadline has passed");
		assert_true(deadline_left(&l) > 0);
		server_stop(&s);
	}
}

TEST(what_is_ready_does_not_draw_out_a_deadline)
{
	static const char *const script[] = { "hello" };
	struct server s;
	struct deadline l = deadline_in(10), over = deadline_in(0);
	struct db_hosts t;
	struct query_result at;
	PGconn *conn;

	server_start(&s, script, 1);
	t = hosts_of("{'host':'127.0.0.1','port':'%s'}", s.port);
	conn = connect_to(&t, 0, &l, &at);
	assert_non_null(conn);
	assert_int_equal(connect_wait(conn, &l, POLLOUT), WAIT_READY);
	assert_int_equal(connect_wait(conn, &over, POLLOUT), WAIT_TIMEOUT);
	PQfinish(conn);
	server_stop(&s);
}

TEST(nobody_listens)
{
	static const char *const script[] = { "close" };
	struct server s;
	struct query_result at;

	server_start(&s, script, 1);
	server_stop(&s); /* its port is free again */
	dial(&s, 10, &at);
	assert_int_equal(at.outcome, QUERY_NOT_SENT);
	assert_string_equal(at.sqlstate, "");
	assert_non_null(strstr(at.text, "Connection refused"));
}

TEST_IN_DIR(what_libpq_does_not_accept)
{
	static const struct {
		const char *param, *text;
	} t[] = {
		{ ",'sslmode':'maybe'", "invalid sslmode value: \"maybe\"" },
		{ ",'gssencmode':'maybe'", "invalid gssencmode value: \"maybe\"" },
		{ ",'target_session_attrs':'maybe'",
		  "invalid target_session_attrs value: \"maybe\"" },
		{ ",'service':'no-such-service'",
		  "definition of service \"no-such-service\" not found" },
		{ ",'keepalives':'x'",
		  "invalid integer value \"x\" for connection option \"keepalives\"" },
		{ ",'keepalives_idle':'x'",
		  "invalid integer value \"x\" for connection option \"keepalives_idle\"" },
		{ ",'keepalives_count':'1x'",
		  "invalid integer value \"1x\" for connection option \"keepalives_count\"" },
		{ ",'tcp_user_timeout':'1.5'",
		  "invalid integer value \"1.5\" for connection option \"tcp_user_timeout\"" },
		{ ",'channel_binding':'maybe'", "invalid channel_binding value: \"maybe\"" },
	};
	static const char *const script[] = { "close" };
	struct server s;

	setenv("PGSERVICEFILE", tmpdir_write(*state, "services", "[x]\nhostaddr=127.0.0.1\n", 0600),
	       1);
	server_start(&s, script, 1);
	for (size_t i = 0; i < COUNT(t); i++) {
		struct query_result at;

		dial_at(&s, "127.0.0.1", t[i].param, 10, &at);
		assert_int_equal(at.outcome, QUERY_BAD_PARAMS);
		assert_string_equal(after_failed(at.text), t[i].text);
	}
	assert_int_equal(s.connections, 0);
	server_stop(&s);
	unsetenv("PGSERVICEFILE");
}

/* The second look at the parameters must not go where a service leads to. */
TEST_IN_DIR(a_refused_connection_is_not_tried_twice)
{
	static const char *const script[] = { "" };
	char text[128];
	struct server s, silent;
	struct query_result at;
	struct deadline l = deadline_in(3);

	server_start(&silent, script, 1);
	snprintf(text, sizeof(text), "[x]\nhostaddr=127.0.0.1\nport=%s\n", silent.port);
	setenv("PGSERVICEFILE", tmpdir_write(*state, "services", text, 0600), 1);
	server_start(&s, script, 1);
	server_stop(&s);
	dial_at(&s, "127.0.0.1", ",'service':'x'", 10, &at);
	assert_int_equal(at.outcome, QUERY_NOT_SENT);
	assert_non_null(strstr(at.text, "Connection refused"));
	assert_true(deadline_left(&l) > 0);
	server_stop(&silent);
	assert_int_equal(silent.connections, 0);
	unsetenv("PGSERVICEFILE");
}

TEST(no_host_is_known)
{
	struct db_hosts none = { .unknown_name = "could not translate it" };
	struct deadline l = deadline_in(10);
	struct query_result at;

	assert_null(connect_to(&none, 0, &l, &at));
	assert_int_equal(at.outcome, QUERY_NOT_SENT);
	assert_int_equal(at.ended, WAIT_READY);
	assert_string_equal(at.text, "could not translate it");
}

TEST(words_and_sqlstate)
{
	static const struct refusal t[] = {
		{ "FATAL:  28P01: password authentication failed\nLOCATION:  auth_failed\n",
		  "28P01", "FATAL:  password authentication failed" },
		{ "connection to server at \"db\" failed: FATAL:  53300: too many\n", "53300",
		  "connection to server at \"db\" failed: FATAL:  too many" },
		{ "FATAL:  too many connections\n", "", "FATAL:  too many connections" },
		{ "a:  b:  12345: c", "12345", "a:  b:  c" },
		{ "a:  1234: c", "", "a:  1234: c" },
		{ "a:  12345", "", "a:  12345" },
		{ "\n", "", "" },
		{ "", "", "" },
		{ "a\tb \xff c", "", "a b ? c" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct query_result at = { 0 };

		note_error_text(t[i].script, &at);
		assert_string_equal(at.sqlstate, t[i].sqlstate);
		assert_string_equal(at.text, t[i].text);
	}
}
