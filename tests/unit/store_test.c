/* What the store makes of a server's answers. Needs nothing: the server is a script. */
#include "fake_server.h"

#include "base/log.h"
#include "base/text.h"
#include "store/store.h"

/* How cmocka shall report: opening a store clears the environment. */
static const char *output;

static int open_store(
	const struct param *params, size_t n, struct log *log, struct store *out, struct err *e)
{
	int rc = store_open(params, n, log, out, e);

	if (output)
		setenv("CMOCKA_MESSAGE_OUTPUT", output, 1);
	return rc;
}

struct opened {
	struct server server;
	struct store store;
	struct log log;
	struct limit limit;
	struct err e;
};

/* Opens a store on a server with one script for each connection. shut when done. */
static void open_scripts(struct opened *o, const char *const *scripts, size_t n)
{
	struct param params[] = { { "host", "127.0.0.1" }, { "port", o->server.port } };

	*o = (struct opened){ .log = { .level = LOG_INFO, .err = -1, .file = -1 },
		.limit = limit_in(10) };
	server_start(&o->server, scripts, n);
	assert_int_equal(open_store(params, 2, &o->log, &o->store, &o->e), 0);
}

static void shut(struct opened *o)
{
	o->store.close(o->store.context);
	server_stop(&o->server);
}

#define ANSWER(rows) "hello query " rows " done idle"

static const char *const claimed[] = { "10.0.0.5/24", "fd00::5/64" };

/* What pod-a claims: two addresses. */
static struct claim claim_of(struct ip ips[2])
{
	assert_true(ip_parse(claimed[0], &ips[0]));
	assert_true(ip_parse(claimed[1], &ips[1]));
	return (struct claim){ .by = { "net", "node-1", "", "pod-a", "eth0" },
		.ips = ips,
		.n_ips = 2,
		.boot_id = "boot",
		.uptime = 1 };
}

static int insert(struct opened *o, struct text *inserted)
{
	struct ip ips[2];
	struct claim c = claim_of(ips);

	return o->store.insert(o->store.context, &c, &o->limit, inserted, &o->e);
}

static int take(struct opened *o, struct text *inserted, struct releases *gone)
{
	struct ip ips[2];
	struct claim c = claim_of(ips);

	return o->store.take(o->store.context, &c, "7,8", &o->limit, inserted, gone, &o->e);
}

static int look(struct opened *o, struct holdings *out)
{
	struct ip ips[2];
	struct claim c = claim_of(ips);

	return o->store.look(o->store.context, &c, &o->limit, out, &o->e);
}

static int del(struct opened *o, struct releases *out)
{
	const struct attachment a = { "net", "node-1", "", "pod-a", "eth0" };

	return o->store.del(o->store.context, &a, &o->limit, out, &o->e);
}

struct inserting {
	const char *script;
	int rc;
	const char *inserted, *msg, *details;
};

#define HIDES                                                                                      \
	"the server hides warnings (client_min_messages), so nobody could tell a commit that was " \
	"not replicated"
#define HIDES_DETAILS "set client_min_messages to warning or lower for this role and database"
#define TRIGGER "is there a trigger or a rule on the table ips?"

static void inserting(void **state)
{
	static const struct inserting t[] = {
		{ ANSWER("columns:2 row:1@5,notice row:2@5,notice"), STORE_DONE, "1@5,2@5", "",
			"" },
		{ ANSWER("columns:2 row:1@5,warning row:2@5,warning"), STORE_DONE, "1@5,2@5", "",
			"" },
		{ "hello query error:23505 idle", STORE_TAKEN, "", "", "" },
		{ ANSWER("columns:2 row:1@5,error row:2@5,error"), STORE_FAILED, "1@5,2@5", HIDES,
			HIDES_DETAILS },
		{ ANSWER("columns:2 row:1@5,panic row:2@5,panic"), STORE_FAILED, "1@5,2@5", HIDES,
			HIDES_DETAILS },
		/* fewer rows than were asked for, or none at all */
		{ ANSWER("columns:2 row:1@5,notice"), STORE_FAILED, "1@5",
			"the database recorded 1 of 2 addresses", TRIGGER },
		{ ANSWER("columns:2"), STORE_FAILED, "", "the database recorded 0 of 2 addresses",
			TRIGGER },
		{ ANSWER("parsed"), STORE_FAILED, "", "the database recorded 0 of 2 addresses",
			TRIGGER },
		{ ANSWER("columns:1 row:~ row:~"), STORE_DONE, "", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		struct opened o;
		struct text inserted = { 0 };

		open_scripts(&o, &t[i].script, 1);
		assert_int_equal(insert(&o, &inserted), t[i].rc);
		assert_string_equal(text_get(&inserted), t[i].inserted);
		assert_err(&o.e, t[i].rc < 0 ? CNI_AGAIN : 0, t[i].msg, t[i].details);
		text_free(&inserted);
		shut(&o);
	}
}

static void taking(void **state)
{
	static const struct inserting t[] = {
		{ ANSWER("columns:6 row:gone,10.0.0.5,pod-b,eth0,old,notice "
			 "row:new,1@5,~,~,~,notice row:new,2@5,~,~,~,notice"),
			STORE_DONE, "1@5,2@5", "", "" },
		{ "hello query error:23505 idle", STORE_TAKEN, "", "", "" },
		{ ANSWER("columns:6 row:gone,10.0.0.5,pod-b,eth0,old,notice "
			 "row:new,1@5,~,~,~,notice"),
			STORE_FAILED, "1@5", "the database recorded 1 of 2 addresses", TRIGGER },
		{ ANSWER("columns:6 row:new,1@5,~,~,~,fatal row:new,2@5,~,~,~,fatal"), STORE_FAILED,
			"1@5,2@5", HIDES, HIDES_DETAILS },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		struct opened o;
		struct text inserted = { 0 };
		struct releases gone = { 0 };

		open_scripts(&o, &t[i].script, 1);
		assert_int_equal(take(&o, &inserted, &gone), t[i].rc);
		assert_string_equal(text_get(&inserted), t[i].inserted);
		assert_err(&o.e, t[i].rc < 0 ? CNI_AGAIN : 0, t[i].msg, t[i].details);
		assert_int_equal(gone.n, i == 0);
		if (i == 0) {
			assert_string_equal(gone.rows[0].ip, "10.0.0.5");
			assert_string_equal(gone.rows[0].pod, "pod-b");
			assert_string_equal(gone.rows[0].interface, "eth0");
			assert_string_equal(gone.rows[0].boot_id, "old");
		}
		releases_free(&gone);
		text_free(&inserted);
		shut(&o);
	}
}

/* What was said with a warning may have to be released, whatever the next attempt says. */
static void doubtful_rows_are_kept_in_mind(void **state)
{
	static const char *const scripts[] = {
		"hello query warning:01000 columns:2 row:1@5,notice row:2@5,notice done idle",
		"hello query error:23505 idle"
	};
	struct opened o;
	struct text inserted = { 0 };

	(void)state;
	open_scripts(&o, scripts, 2);
	assert_int_equal(insert(&o, &inserted), STORE_TAKEN);
	assert_string_equal(text_get(&inserted), "1@5,2@5");
	text_free(&inserted);
	shut(&o);
}

static void a_doubtful_takeover_is_too(void **state)
{
	static const char *const scripts[] = {
		"hello query warning:01000 columns:6 row:gone,10.0.0.5,pod-b,eth0,old,notice "
		"row:new,1@5,~,~,~,notice row:new,2@5,~,~,~,notice done idle",
		"hello query error:23505 idle"
	};
	struct opened o;
	struct text inserted = { 0 };
	struct releases gone = { 0 };

	(void)state;
	open_scripts(&o, scripts, 2);
	assert_int_equal(take(&o, &inserted, &gone), STORE_TAKEN);
	assert_string_equal(text_get(&inserted), "1@5,2@5");
	text_free(&inserted);
	shut(&o);
}

static void looking(void **state)
{
	static const char *const script[] = { ANSWER(
		"columns:13 row:7,10.0.0.5,24,pod-b,eth0,node-2,yesterday,ns,web,t,f,t,f "
		"row:8,fd00::5,64,pod-a,eth1,node-1,today,~,~,f,t,f,t") };
	struct opened o;
	struct holdings h;
	char ip[IP_TEXT];

	(void)state;
	open_scripts(&o, script, 1);
	assert_int_equal(look(&o, &h), STORE_DONE);
	assert_int_equal(h.n, 2);
	assert_string_equal(h.rows[0].id, "7");
	assert_string_equal(ip_text(&h.rows[0].ip, true, ip), "10.0.0.5/24");
	assert_string_equal(h.rows[0].pod, "pod-b");
	assert_string_equal(h.rows[0].interface, "eth0");
	assert_string_equal(h.rows[0].node, "node-2");
	assert_string_equal(h.rows[0].since, "yesterday");
	assert_string_equal(h.rows[0].pod_namespace, "ns");
	assert_string_equal(h.rows[0].pod_name, "web");
	assert_true(h.rows[0].here && !h.rows[0].this_boot && h.rows[0].earlier && !h.rows[0].mine);
	assert_string_equal(ip_text(&h.rows[1].ip, true, ip), "fd00::5/64");
	assert_null(h.rows[1].pod_namespace);
	assert_true(!h.rows[1].here && h.rows[1].this_boot && !h.rows[1].earlier && h.rows[1].mine);
	holdings_free(&h);
	shut(&o);
}

static void rows_that_no_schema_of_ours_has(void **state)
{
	static const char *const rows[] = {
		ANSWER("columns:13 row:7,x,24,p,i,n,s,~,~,t,f,t,f"),
		ANSWER("columns:13 row:7,10.0.0.5,33,p,i,n,s,~,~,t,f,t,f"),
		ANSWER("columns:13 row:7,10.0.0.5,-1,p,i,n,s,~,~,t,f,t,f"),
		ANSWER("columns:13 row:7,10.0.0.5,x,p,i,n,s,~,~,t,f,t,f"),
		ANSWER("columns:13 row:7,10.0.0.5/24,24,p,i,n,s,~,~,t,f,t,f"),
		ANSWER("columns:13 row:7,~,24,p,i,n,s,~,~,t,f,t,f"),
		ANSWER("columns:13 row:7,10.0.0.5,~,p,i,n,s,~,~,t,f,t,f"),
		ANSWER("columns:13 row:~,10.0.0.5,24,p,i,n,s,~,~,t,f,t,f"),
		ANSWER("columns:13 row:7,10.0.0.5,24,~,i,n,s,~,~,t,f,t,f"),
		ANSWER("columns:13 row:7,10.0.0.5,24,p,i,n,~,~,~,t,f,t,f"),
		ANSWER("columns:2 row:7,10.0.0.5"),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct opened o;
		struct holdings h = { 0 };

		open_scripts(&o, &rows[i], 1);
		assert_int_equal(look(&o, &h), STORE_FAILED);
		assert_err(&o.e, CNI_AGAIN, "the database answered what is no allocation", "");
		assert_null(h.rows);
		shut(&o);
	}
}

static int confirm(struct opened *o, struct text *inserted, size_t *confirmed)
{
	struct ip ips[2];
	struct claim c = claim_of(ips);

	return o->store.confirm(o->store.context, &c, "1,2", &o->limit, inserted, confirmed, &o->e);
}

static void confirming(void **state)
{
	static const char *const script[] = { ANSWER("columns:2 row:1@9,notice row:2@9,notice") };
	static const char *const before[] = { "", "1@5,2@5" };
	static const char *const after[] = { "", "1@9,2@9" };

	(void)state;
	for (size_t i = 0; i < COUNT(before); i++) {
		struct opened o;
		struct text inserted = { 0 };
		size_t confirmed = 0;

		text_add(&inserted, "%s", before[i]);
		open_scripts(&o, script, 1);
		assert_int_equal(confirm(&o, &inserted, &confirmed), STORE_DONE);
		assert_int_equal(confirmed, 2);
		assert_string_equal(text_get(&inserted), after[i]);
		text_free(&inserted);
		shut(&o);
	}
}

/* A confirmation that was not confirmed has written all the same: what is released is the row of
 * then. */
static void confirming_in_doubt(void **state)
{
	static const char *const scripts[] = {
		"hello query warning:01000 columns:2 row:1@9,notice row:2@9,notice done idle",
		"hello query error:42501 idle"
	};
	struct opened o;
	struct text inserted = { 0 };
	size_t confirmed = 0;

	(void)state;
	text_add(&inserted, "1@5,2@5");
	open_scripts(&o, scripts, 2);
	assert_int_equal(confirm(&o, &inserted, &confirmed), STORE_FAILED);
	assert_string_equal(text_get(&inserted), "1@9,2@9");
	text_free(&inserted);
	shut(&o);
}

static void confirming_where_warnings_are_hidden(void **state)
{
	static const char *const script[] = { ANSWER("columns:2 row:1@9,error row:2@9,error") };
	struct opened o;
	struct text inserted = { 0 };
	size_t confirmed = 0;

	(void)state;
	open_scripts(&o, script, 1);
	assert_int_equal(confirm(&o, &inserted, &confirmed), STORE_FAILED);
	assert_err(&o.e, CNI_AGAIN, HIDES, HIDES_DETAILS);
	text_free(&inserted);
	shut(&o);
}

static void releasing(void **state)
{
	static const char *const scripts[] = { "hello query columns:2 row:10.0.0.5,error "
					       "row:~,error done idle query parsed done idle" };
	const struct attachment a = { "net", "node-1", "", "pod-a", "eth0" };
	struct opened o;
	struct releases gone;

	(void)state;
	open_scripts(&o, scripts, 1);
	assert_int_equal(del(&o, &gone), STORE_DONE);
	assert_int_equal(gone.n, 2);
	assert_string_equal(gone.rows[0].ip, "10.0.0.5");
	assert_null(gone.rows[0].pod);
	assert_string_equal(gone.rows[1].ip, ""); /* what no schema of ours has */
	assert_true(gone.hides_warnings);
	releases_free(&gone);
	assert_int_equal(o.store.release(o.store.context, &a, "1@5", &o.limit, &o.e), STORE_DONE);
	shut(&o);
}

static void collecting(void **state)
{
	static const char *const scripts[] = { ANSWER(
		"columns:5 row:gone,pod-b,eth0,10.0.0.5,notice row:twin,pod-t,eth1,3,notice "
		"row:gone,pod-c,eth0,fd00::5,notice") };
	const struct gc_request g = { "net", "node-1", "", "boot", 1, 0, "[]" };
	struct opened o;
	struct releases gone;

	(void)state;
	open_scripts(&o, scripts, 1);
	assert_int_equal(o.store.gc(o.store.context, &g, &o.limit, &gone, &o.e), STORE_DONE);
	assert_int_equal(gone.n, 2);
	assert_string_equal(gone.rows[0].pod, "pod-b");
	assert_string_equal(gone.rows[1].ip, "fd00::5");
	assert_string_equal(gone.twin_count, "3");
	assert_string_equal(gone.twin_pod, "pod-t");
	assert_string_equal(gone.twin_interface, "eth1");
	assert_false(gone.hides_warnings);
	releases_free(&gone);
	shut(&o);
}

static void the_servers_state(void **state)
{
	static const struct {
		const char *script;
		struct store_status is;
	} t[] = {
		{ ANSWER("columns:5 row:f,1,1,t,notice"), { false, true, false, 1, 1 } },
		{ ANSWER("columns:5 row:t,7,2,f,error"), { true, false, true, 7, 2 } },
		{ ANSWER("columns:5 row:f,~,~,t,notice"), { false, true, false, -1, -1 } },
		{ ANSWER("columns:5 row:f,-5,99999999999999999999,t,notice"),
			{ false, true, false, -1, -1 } },
		{ ANSWER("columns:5"), { false, false, false, -1, -1 } },
		{ ANSWER("parsed"), { false, false, false, -1, -1 } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		struct opened o;
		struct store_status s;

		open_scripts(&o, &t[i].script, 1);
		assert_int_equal(o.store.status(o.store.context, &o.limit, &s, &o.e), STORE_DONE);
		assert_int_equal(s.read_only, t[i].is.read_only);
		assert_int_equal(s.may_write, t[i].is.may_write);
		assert_int_equal(s.hides_warnings, t[i].is.hides_warnings);
		assert_int_equal(s.version, t[i].is.version);
		assert_int_equal(s.works_with, t[i].is.works_with);
		shut(&o);
	}
}

/* The same answer to whatever is asked: an error with a code, never "taken". */
static void what_went_wrong(void **state)
{
	static const struct {
		const char *script, *msg, *details;
	} t[] = {
		{ "hello query error:23505 idle", "the database refused: words of the server",
			"SQLSTATE 23505" },
		{ "hello query error:42P01 idle", "the database refused: words of the server",
			"SQLSTATE 42P01: the schema is missing or older than this build: run "
			"sql/migrate.sh" },
		{ "hello query error:42703 idle", "the database refused: words of the server",
			"SQLSTATE 42703: the schema is missing or older than this build: run "
			"sql/migrate.sh" },
		{ "hello query error:42501 idle", "the database refused: words of the server",
			"SQLSTATE 42501: the role lacks a right: run sql/provision.sh" },
		{ "hello query error:22012 idle",
			"the database's schema does not work with this build (schema 1): run "
			"sql/migrate.sh, or install the plugins that belong to it",
			"" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		struct opened o;
		struct releases gone = { 0 };

		open_scripts(&o, &t[i].script, 1);
		assert_int_equal(del(&o, &gone), STORE_FAILED);
		assert_err(&o.e, CNI_AGAIN, t[i].msg, t[i].details);
		assert_null(gone.rows);
		shut(&o);
	}
}

static void no_unique_violation_but_of_an_insert(void **state)
{
	static const char *const script[] = { "hello query error:23505 idle" };
	const struct attachment a = { "net", "node-1", "", "pod-a", "eth0" };
	const struct gc_request g = { "net", "node-1", "", "boot", 1, 0, "[]" };
	struct opened o;
	struct releases gone = { 0 };
	struct holdings h = { 0 };
	struct store_status s;
	struct text inserted = { 0 };
	size_t n;

	(void)state;
	open_scripts(&o, script, 1);
	assert_int_equal(look(&o, &h), STORE_FAILED);
	shut(&o);
	open_scripts(&o, script, 1);
	assert_int_equal(confirm(&o, &inserted, &n), STORE_FAILED);
	shut(&o);
	open_scripts(&o, script, 1);
	assert_int_equal(o.store.gc(o.store.context, &g, &o.limit, &gone, &o.e), STORE_FAILED);
	shut(&o);
	open_scripts(&o, script, 1);
	assert_int_equal(o.store.status(o.store.context, &o.limit, &s, &o.e), STORE_FAILED);
	shut(&o);
	open_scripts(&o, script, 1);
	assert_int_equal(o.store.release(o.store.context, &a, "1@5", &o.limit, &o.e), STORE_FAILED);
	assert_int_equal(o.e.code, CNI_AGAIN);
	shut(&o);
}

static void no_way_to_the_server(void **state)
{
	static const struct {
		const char *script, *begins;
	} t[] = {
		{ "fatal:28P01 close", "the database refuses the connection: " },
		{ "close", "database unreachable: " },
		{ "hello query close", "the database has not confirmed, the outcome is unknown: " },
		{ "hello query warning:01000 columns:2 row:1@5,notice done idle",
			"the database has not confirmed, the outcome is unknown: " },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		struct opened o;
		struct releases gone = { 0 };

		open_scripts(&o, &t[i].script, 1);
		o.limit = limit_in(0.3);
		assert_int_equal(del(&o, &gone), STORE_FAILED);
		assert_int_equal(o.e.code, CNI_AGAIN);
		assert_memory_equal(o.e.msg, t[i].begins, strlen(t[i].begins));
		assert_true(strlen(o.e.msg) > strlen(t[i].begins));
		shut(&o);
	}
}

static void nobody_waits(void **state)
{
	static const char *const script[] = { "" };
	struct opened o;
	struct releases gone = { 0 };
	int ends[2];

	(void)state;
	open_scripts(&o, script, 1);
	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	o.limit.reader = ends[1];
	assert_int_equal(del(&o, &gone), STORE_FAILED);
	assert_err(&o.e, CNI_AGAIN, "given up: nobody waits for the answer any more", "");
	close(ends[1]);
	shut(&o);
}

static void parameters_that_libpq_does_not_accept(void **state)
{
	const struct param params[] = { { "host", "127.0.0.1" }, { "sslmode", "maybe" } };
	struct log log = { .level = LOG_INFO, .err = -1, .file = -1 };
	struct limit l = limit_in(10);
	struct store s;
	struct store_status status;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(open_store(params, 2, &log, &s, &e), 0);
	assert_int_equal(s.status(s.context, &l, &status, &e), STORE_FAILED);
	assert_err(&e, CNI_CONFIG,
		"invalid database parameters in ipam: invalid sslmode value: \"maybe\"", "");
	s.close(s.context);
}

static void parameters_that_do_not_fit_together(void **state)
{
	const struct param params[] = { { "host", "a,b" }, { "port", "1,2,3" } };
	struct log log = { .level = LOG_INFO, .err = -1, .file = -1 };
	struct store s;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(open_store(params, 2, &log, &s, &e), -1);
	assert_int_equal(e.code, CNI_CONFIG);
}

static void the_callers_environment_is_forgotten(void **state)
{
	struct log log = { .level = LOG_INFO, .err = -1, .file = -1 };
	struct store s;
	struct err e = { 0 };

	(void)state;
	setenv("PGHOST", "elsewhere", 1);
	setenv("PGPASSWORD", "x", 1);
	setenv("HOME", "/root", 1);
	setenv("TZ", "UTC", 1);
	assert_int_equal(open_store(NULL, 0, &log, &s, &e), 0);
	assert_null(getenv("PGHOST"));
	assert_null(getenv("PGPASSWORD"));
	assert_string_equal(getenv("HOME"), "/nonexistent");
	assert_string_equal(getenv("TZ"), "UTC");
	s.close(s.context);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inserting),
		cmocka_unit_test(taking),
		cmocka_unit_test(doubtful_rows_are_kept_in_mind),
		cmocka_unit_test(a_doubtful_takeover_is_too),
		cmocka_unit_test(looking),
		cmocka_unit_test(rows_that_no_schema_of_ours_has),
		cmocka_unit_test(confirming),
		cmocka_unit_test(confirming_in_doubt),
		cmocka_unit_test(confirming_where_warnings_are_hidden),
		cmocka_unit_test(releasing),
		cmocka_unit_test(collecting),
		cmocka_unit_test(the_servers_state),
		cmocka_unit_test(what_went_wrong),
		cmocka_unit_test(no_unique_violation_but_of_an_insert),
		cmocka_unit_test(no_way_to_the_server),
		cmocka_unit_test(nobody_waits),
		cmocka_unit_test(parameters_that_libpq_does_not_accept),
		cmocka_unit_test(parameters_that_do_not_fit_together),
		cmocka_unit_test(the_callers_environment_is_forgotten),
	};

	output = getenv("CMOCKA_MESSAGE_OUTPUT");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
