/* Connecting. Needs nothing: the server is a script. */
#include "fake_server.h"

#include <poll.h>

#include "box.h"
#include "store/connect.h"

/* Connects; the connection is closed. `more` is a further keyword, or one with the key NULL. */
static void dial_at(
	struct server *s, const char *host, struct param more, double seconds, struct attempt *out)
{
	const struct param params[] = { { "host", host }, { "port", s->port }, more };
	struct limit l = limit_in(seconds);
	struct targets t;
	struct err e = { 0 };

	assert_int_equal(targets_of(params, more.key ? 3 : 2, &t, &e), 0);
	PQfinish(connect_to(&t, 0, &l, out));
	targets_free(&t);
}

static void dial(struct server *s, double seconds, struct attempt *out)
{
	dial_at(s, "127.0.0.1", (struct param){ 0 }, seconds, out);
}

static void dial_host(struct server *s, const char *host, struct attempt *out)
{
	dial_at(s, host, (struct param){ 0 }, 10, out);
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

static void what_a_server_says_instead_of_hello(void **state)
{
	static const struct refusal t[] = {
		{ "fatal:28P01 close", "28P01", "FATAL:  words of the server" },
		{ "fatal:57P03 close", "57P03", "FATAL:  words of the server" },
		{ "fatal:53300 close", "53300", "FATAL:  words of the server" },
		{ "old-fatal:08P01 close", "08P01", "FATAL:  words of the server" },
		{ "close", "", "server closed the connection unexpectedly" },
		{ "garbage close", "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		struct server s;
		struct attempt at;

		server_start(&s, &t[i].script, 1);
		dial(&s, 10, &at);
		assert_int_equal(at.outcome, ATTEMPT_NOT_SENT);
		assert_int_equal(at.ended, LIMIT_READY);
		assert_string_equal(at.sqlstate, t[i].sqlstate);
		assert_true(at.text[0]);
		if (t[i].text)
			assert_string_equal(after_failed(at.text), t[i].text);
		server_stop(&s);
	}
}

static void a_server_that_says_nothing_or_no_end(void **state)
{
	static const char *const scripts[] = { "", "welcome", "welcome flood" };

	(void)state;
	for (size_t i = 0; i < COUNT(scripts); i++) {
		struct limit l = limit_in(3);
		struct server s;
		struct attempt at;

		server_start(&s, &scripts[i], 1);
		dial(&s, 0.1, &at);
		assert_int_equal(at.outcome, ATTEMPT_NOT_SENT);
		assert_int_equal(at.ended, LIMIT_EXPIRED);
		assert_string_equal(
			at.text, "connection to \"127.0.0.1\" failed: the deadline has passed");
		assert_true(limit_left(&l) > 0);
		server_stop(&s);
	}
}

static void what_is_ready_does_not_draw_out_a_deadline(void **state)
{
	static const char *const script[] = { "hello" };
	struct server s;
	struct param params[] = { { "host", "127.0.0.1" }, { "port", s.port } };
	struct limit l = limit_in(10), over = limit_in(0);
	struct targets t;
	struct attempt at;
	struct err e = { 0 };
	PGconn *conn;

	(void)state;
	server_start(&s, script, 1);
	assert_int_equal(targets_of(params, 2, &t, &e), 0);
	conn = connect_to(&t, 0, &l, &at);
	assert_non_null(conn);
	assert_int_equal(connect_wait(conn, &l, POLLOUT), LIMIT_READY);
	assert_int_equal(connect_wait(conn, &over, POLLOUT), LIMIT_EXPIRED);
	PQfinish(conn);
	targets_free(&t);
	server_stop(&s);
}

static void nobody_listens(void **state)
{
	static const char *const script[] = { "close" };
	struct server s;
	struct attempt at;

	(void)state;
	server_start(&s, script, 1);
	server_stop(&s); /* its port is free again */
	dial(&s, 10, &at);
	assert_int_equal(at.outcome, ATTEMPT_NOT_SENT);
	assert_string_equal(at.sqlstate, "");
	assert_non_null(strstr(at.text, "Connection refused"));
}

static void what_libpq_does_not_accept(void **state)
{
	static const struct {
		struct param param;
		const char *text;
	} t[] = {
		{ { "sslmode", "maybe" }, "invalid sslmode value: \"maybe\"" },
		{ { "gssencmode", "maybe" }, "invalid gssencmode value: \"maybe\"" },
		{ { "target_session_attrs", "maybe" },
			"invalid target_session_attrs value: \"maybe\"" },
		{ { "service", "no such service" },
			"definition of service \"no such service\" not found" },
		{ { "channel_binding", "maybe" }, "invalid channel_binding value: \"maybe\"" },
	};
	static const char *const script[] = { "close" };
	struct server s;

	setenv("PGSERVICEFILE", box_write(*state, "services", "[x]\nhostaddr=127.0.0.1\n", 0600),
		1);
	server_start(&s, script, 1);
	for (size_t i = 0; i < COUNT(t); i++) {
		struct attempt at;

		dial_at(&s, "127.0.0.1", t[i].param, 10, &at);
		assert_int_equal(at.outcome, ATTEMPT_INVALID);
		assert_string_equal(at.text, t[i].text);
	}
	assert_int_equal(s.connections, 0);
	server_stop(&s);
	unsetenv("PGSERVICEFILE");
}

/* The second look at the parameters must not go where a service leads to. */
static void a_refused_connection_is_not_tried_twice(void **state)
{
	static const char *const script[] = { "" };
	static const struct param service = { "service", "x" };
	char text[128];
	struct server s, silent;
	struct attempt at;
	struct limit l = limit_in(3);

	server_start(&silent, script, 1);
	snprintf(text, sizeof(text), "[x]\nhostaddr=127.0.0.1\nport=%s\n", silent.port);
	setenv("PGSERVICEFILE", box_write(*state, "services", text, 0600), 1);
	server_start(&s, script, 1);
	server_stop(&s);
	dial_at(&s, "127.0.0.1", service, 10, &at);
	assert_int_equal(at.outcome, ATTEMPT_NOT_SENT);
	assert_non_null(strstr(at.text, "Connection refused"));
	assert_true(limit_left(&l) > 0);
	server_stop(&silent);
	assert_int_equal(silent.connections, 0);
	unsetenv("PGSERVICEFILE");
}

static void a_name_is_asked_for(void **state)
{
	static const char *const script[] = { "hello" };
	struct server s;
	struct attempt at;

	(void)state;
	server_start(&s, script, 1);
	dial_host(&s, "localhost", &at);
	server_stop(&s);
	assert_int_equal(s.connections, 1);
	server_start(&s, script, 1);
	dial_host(&s, "no such name", &at);
	assert_int_equal(at.outcome, ATTEMPT_NOT_SENT);
	assert_non_null(strstr(at.text, "could not translate host name \"no such name\""));
	server_stop(&s);
}

static void words_and_sqlstate(void **state)
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

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		struct attempt at = { 0 };

		connect_words(t[i].script, &at);
		assert_string_equal(at.sqlstate, t[i].sqlstate);
		assert_string_equal(at.text, t[i].text);
	}
}

#define boxed(test) cmocka_unit_test_setup_teardown(test, box_open, box_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_server_says_instead_of_hello),
		cmocka_unit_test(a_server_that_says_nothing_or_no_end),
		cmocka_unit_test(what_is_ready_does_not_draw_out_a_deadline),
		cmocka_unit_test(nobody_listens),
		boxed(what_libpq_does_not_accept),
		boxed(a_refused_connection_is_not_tried_twice),
		cmocka_unit_test(a_name_is_asked_for),
		cmocka_unit_test(words_and_sqlstate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
