/* What the store makes of a server's answers. Needs nothing: the server is a script. */
#include "fake_server.h"

#include "base/log.h"
#include "base/text.h"
#include "store/store.h"

/* Opening a store clears the environment, but not how cmocka shall report. */
static int open_store(const struct param *params, size_t n, struct log *log, struct store *out,
		      struct err *e)
{
	const char *said = getenv("CMOCKA_MESSAGE_OUTPUT");
	char output[32];
	int rc;

	snprintf(output, sizeof(output), "%s", said ? said : "");
	rc = store_open(params, n, log, out, e);
	if (output[0])
		setenv("CMOCKA_MESSAGE_OUTPUT", output, 1);
	return rc;
}

struct opened {
	struct server server;
	struct store store;
	struct log log;
	struct deadline deadline;
	struct err e;
};

/* Opens a store on a server with one script for each connection. shut when done. */
static void open_scripts(struct opened *o, const char *const *scripts, size_t n)
{
	struct param params[] = { { "host", "127.0.0.1" }, { "port", o->server.port } };

	*o = (struct opened){ .log = { .level = LOG_INFO, .err = -1, .file = -1 },
			      .deadline = deadline_in(10) };
	server_start(&o->server, scripts, n);
	assert_int_equal(open_store(params, 2, &o->log, &o->store, &o->e), 0);
}

static void shut(struct opened *o)
{
	o->store.close(o->store.context);
	server_stop(&o->server);
}

#define ANSWER(rows) "hello query " rows " done idle"

static double uptime(const struct node *n)
{
	(void)n;
	return 1;
}

static const struct node node = { "node-1", "", "boot", uptime };

static const char *const claimed[] = { "10.0.0.5/24", "fd00::5/64" };

/* What pod-a claims: two addresses. */
static struct reservation claim_of(struct ip ips[2])
{
	assert_true(ip_parse(claimed[0], &ips[0]));
	assert_true(ip_parse(claimed[1], &ips[1]));
	return (struct reservation){ .by = { "net", &node, "pod-a", "eth0" },
				     .ips = ips,
				     .n_ips = 2 };
}

static int insert(struct opened *o, struct strbuf *inserted)
{
	struct ip ips[2];
	struct reservation c = claim_of(ips);

	return o->store.insert(o->store.context, &c, &o->deadline, inserted, &o->e);
}

static int take(struct opened *o, struct strbuf *inserted, struct released_rows *gone)
{
	struct ip ips[2];
	struct reservation c = claim_of(ips);

	return o->store.take(o->store.context, &c, "7,8", &o->deadline, inserted, gone, &o->e);
}

static int look(struct opened *o, struct allocations *out)
{
	struct ip ips[2];
	struct reservation c = claim_of(ips);

	return o->store.look(o->store.context, &c, &o->deadline, out, &o->e);
}

static int del(struct opened *o, struct released_rows *out)
{
	const struct attachment a = { "net", &node, "pod-a", "eth0" };

	return o->store.del(o->store.context, &a, &o->deadline, out, &o->e);
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

TEST(inserting)
{
	static const struct inserting t[] = {
		{ ANSWER("columns:2 row:1@5,notice row:2@5,notice"), STORE_DONE, "1@5,2@5", "",
		  "" },
		{ ANSWER("columns:2 row:1@5,warning row:2@5,warning"), STORE_DONE, "1@5,2@5", "",
		  "" },
		{ "hello query error:23505 idle", STORE_CONFLICT, "", "", "" },
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

	for (size_t i = 0; i < COUNT(t); i++) {
		struct opened o;
		struct strbuf inserted = { 0 };

		open_scripts(&o, &t[i].script, 1);
		assert_int_equal(insert(&o, &inserted), t[i].rc);
		assert_string_equal(strbuf_str(&inserted), t[i].inserted);
		assert_err(&o.e, t[i].rc < 0 ? CNI_TRY_AGAIN_LATER : 0, t[i].msg, t[i].details);
		strbuf_free(&inserted);
		shut(&o);
	}
}

TEST(taking)
{
	static const struct inserting t[] = {
		{ ANSWER("columns:6 row:gone,10.0.0.5,pod-b,eth0,old,notice "
			 "row:new,1@5,~,~,~,notice row:new,2@5,~,~,~,notice"),
		  STORE_DONE, "1@5,2@5", "", "" },
		{ "hello query error:23505 idle", STORE_CONFLICT, "", "", "" },
		{ ANSWER("columns:6 row:gone,10.0.0.5,pod-b,eth0,old,notice "
			 "row:new,1@5,~,~,~,notice"),
		  STORE_FAILED, "1@5", "the database recorded 1 of 2 addresses", TRIGGER },
		{ ANSWER("columns:6 row:new,1@5,~,~,~,fatal row:new,2@5,~,~,~,fatal"), STORE_FAILED,
		  "1@5,2@5", HIDES, HIDES_DETAILS },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct opened o;
		struct strbuf inserted = { 0 };
		struct released_rows gone = { 0 };

		open_scripts(&o, &t[i].script, 1);
		assert_int_equal(take(&o, &inserted, &gone), t[i].rc);
		assert_string_equal(strbuf_str(&inserted), t[i].inserted);
		assert_err(&o.e, t[i].rc < 0 ? CNI_TRY_AGAIN_LATER : 0, t[i].msg, t[i].details);
		assert_int_equal(gone.n, i == 0);
		if (i == 0) {
			assert_string_equal(gone.rows[0].ip, "10.0.0.5");
			assert_string_equal(gone.rows[0].pod, "pod-b");
			assert_string_equal(gone.rows[0].interface, "eth0");
			assert_string_equal(gone.rows[0].boot_id, "old");
		}
		released_rows_free(&gone);
		strbuf_free(&inserted);
		shut(&o);
	}
}

/* What was said with a warning may have to be released, whatever the next attempt says. */
TEST(doubtful_rows_are_kept_in_mind)
{
	static const char *const scripts[] = {
		"hello query warning:01000 columns:2 row:1@5,notice row:2@5,notice done idle",
		"hello query error:23505 idle"
	};
	struct opened o;
	struct strbuf inserted = { 0 };

	open_scripts(&o, scripts, 2);
	assert_int_equal(insert(&o, &inserted), STORE_CONFLICT);
	assert_string_equal(strbuf_str(&inserted), "1@5,2@5");
	strbuf_free(&inserted);
	shut(&o);
}

TEST(a_doubtful_takeover_is_too)
{
	static const char *const scripts[] = {
		"hello query warning:01000 columns:6 row:gone,10.0.0.5,pod-b,eth0,old,notice "
		"row:new,1@5,~,~,~,notice row:new,2@5,~,~,~,notice done idle",
		"hello query error:23505 idle"
	};
	struct opened o;
	struct strbuf inserted = { 0 };
	struct released_rows gone = { 0 };

	open_scripts(&o, scripts, 2);
	assert_int_equal(take(&o, &inserted, &gone), STORE_CONFLICT);
	assert_string_equal(strbuf_str(&inserted), "1@5,2@5");
	strbuf_free(&inserted);
	shut(&o);
}

TEST(looking)
{
	static const char *const script[] = { ANSWER(
		"columns:13 row:7,10.0.0.5,24,pod-b,eth0,node-2,yesterday,ns,web,t,f,t,f "
		"row:8,fd00::5,64,pod-a,eth1,node-1,today,~,~,f,t,f,t") };
	struct opened o;
	struct allocations h;
	char ip[IP_TEXT];

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
	assert_true(h.rows[0].same_node && !h.rows[0].this_boot && h.rows[0].previous_boot &&
		    !h.rows[0].own);
	assert_string_equal(ip_text(&h.rows[1].ip, true, ip), "fd00::5/64");
	assert_null(h.rows[1].pod_namespace);
	assert_true(!h.rows[1].same_node && h.rows[1].this_boot && !h.rows[1].previous_boot &&
		    h.rows[1].own);
	allocations_free(&h);
	shut(&o);
}

TEST(rows_that_no_schema_of_ours_has)
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

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct opened o;
		struct allocations h = { 0 };

		open_scripts(&o, &rows[i], 1);
		assert_int_equal(look(&o, &h), STORE_FAILED);
		assert_err(&o.e, CNI_TRY_AGAIN_LATER, "the database answered what is no allocation",
			   "");
		assert_null(h.rows);
		shut(&o);
	}
}

static int confirm(struct opened *o, struct strbuf *inserted, size_t *confirmed)
{
	struct ip ips[2];
	struct reservation c = claim_of(ips);

	return o->store.confirm(o->store.context, &c, "1,2", &o->deadline, inserted, confirmed,
				&o->e);
}

TEST(confirming)
{
	static const char *const script[] = { ANSWER("columns:2 row:1@9,notice row:2@9,notice") };
	static const char *const before[] = { "", "1@5,2@5" };
	static const char *const after[] = { "", "1@9,2@9" };

	for (size_t i = 0; i < COUNT(before); i++) {
		struct opened o;
		struct strbuf inserted = { 0 };
		size_t confirmed = 0;

		strbuf_addf(&inserted, "%s", before[i]);
		open_scripts(&o, script, 1);
		assert_int_equal(confirm(&o, &inserted, &confirmed), STORE_DONE);
		assert_int_equal(confirmed, 2);
		assert_string_equal(strbuf_str(&inserted), after[i]);
		strbuf_free(&inserted);
		shut(&o);
	}
}

/* A confirmation that was not confirmed has written all the same: what is released is the row of
 * then. */
TEST(confirming_in_doubt)
{
	static const char *const scripts[] = {
		"hello query warning:01000 columns:2 row:1@9,notice row:2@9,notice done idle",
		"hello query error:42501 idle"
	};
	struct opened o;
	struct strbuf inserted = { 0 };
	size_t confirmed = 0;

	strbuf_addf(&inserted, "1@5,2@5");
	open_scripts(&o, scripts, 2);
	assert_int_equal(confirm(&o, &inserted, &confirmed), STORE_FAILED);
	assert_string_equal(strbuf_str(&inserted), "1@9,2@9");
	strbuf_free(&inserted);
	shut(&o);
}

TEST(confirming_where_warnings_are_hidden)
{
	static const char *const script[] = { ANSWER("columns:2 row:1@9,error row:2@9,error") };
	struct opened o;
	struct strbuf inserted = { 0 };
	size_t confirmed = 0;

	open_scripts(&o, script, 1);
	assert_int_equal(confirm(&o, &inserted, &confirmed), STORE_FAILED);
	assert_err(&o.e, CNI_TRY_AGAIN_LATER, HIDES, HIDES_DETAILS);
	strbuf_free(&inserted);
	shut(&o);
}

TEST(releasing)
{
	static const char *const scripts[] = { "hello query columns:2 row:10.0.0.5,error "
					       "row:~,error done idle query parsed done idle" };
	const struct attachment a = { "net", &node, "pod-a", "eth0" };
	struct opened o;
	struct released_rows gone;

	open_scripts(&o, scripts, 1);
	assert_int_equal(del(&o, &gone), STORE_DONE);
	assert_int_equal(gone.n, 2);
	assert_string_equal(gone.rows[0].ip, "10.0.0.5");
	assert_null(gone.rows[0].pod);
	assert_string_equal(gone.rows[1].ip, ""); /* what no schema of ours has */
	assert_true(gone.hides_warnings);
	released_rows_free(&gone);
	assert_int_equal(o.store.release(o.store.context, &a, "1@5", &o.deadline, &o.e),
			 STORE_DONE);
	shut(&o);
}

TEST(collecting)
{
	static const char *const scripts[] = { ANSWER(
		"columns:5 row:gone,pod-b,eth0,10.0.0.5,notice row:twin,pod-t,eth1,3,notice "
		"row:gone,pod-c,eth0,fd00::5,notice") };
	const struct gc_request g = { "net", &node, 0, "[]" };
	struct opened o;
	struct released_rows gone;

	open_scripts(&o, scripts, 1);
	assert_int_equal(o.store.gc(o.store.context, &g, &o.deadline, &gone, &o.e), STORE_DONE);
	assert_int_equal(gone.n, 2);
	assert_string_equal(gone.rows[0].pod, "pod-b");
	assert_string_equal(gone.rows[1].ip, "fd00::5");
	assert_string_equal(gone.duplicate_node_count, "3");
	assert_string_equal(gone.duplicate_node_pod, "pod-t");
	assert_string_equal(gone.duplicate_node_interface, "eth1");
	assert_false(gone.hides_warnings);
	released_rows_free(&gone);
	shut(&o);
}

TEST(the_servers_state)
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

	for (size_t i = 0; i < COUNT(t); i++) {
		struct opened o;
		struct store_status s;

		open_scripts(&o, &t[i].script, 1);
		assert_int_equal(o.store.status(o.store.context, &o.deadline, &s, &o.e),
				 STORE_DONE);
		assert_int_equal(s.read_only, t[i].is.read_only);
		assert_int_equal(s.may_write, t[i].is.may_write);
		assert_int_equal(s.hides_warnings, t[i].is.hides_warnings);
		assert_int_equal(s.version, t[i].is.version);
		assert_int_equal(s.works_with, t[i].is.works_with);
		shut(&o);
	}
}

/* The same answer to whatever is asked: an error with a code, never "taken". */
TEST(what_went_wrong)
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

	for (size_t i = 0; i < COUNT(t); i++) {
		struct opened o;
		struct released_rows gone = { 0 };

		open_scripts(&o, &t[i].script, 1);
		assert_int_equal(del(&o, &gone), STORE_FAILED);
		assert_err(&o.e, CNI_TRY_AGAIN_LATER, t[i].msg, t[i].details);
		assert_null(gone.rows);
		shut(&o);
	}
}

TEST(no_unique_violation_but_of_an_insert)
{
	static const char *const script[] = { "hello query error:23505 idle" };
	const struct attachment a = { "net", &node, "pod-a", "eth0" };
	const struct gc_request g = { "net", &node, 0, "[]" };
	struct opened o;
	struct released_rows gone = { 0 };
	struct allocations h = { 0 };
	struct store_status s;
	struct strbuf inserted = { 0 };
	size_t n;

	open_scripts(&o, script, 1);
	assert_int_equal(look(&o, &h), STORE_FAILED);
	shut(&o);
	open_scripts(&o, script, 1);
	assert_int_equal(confirm(&o, &inserted, &n), STORE_FAILED);
	shut(&o);
	open_scripts(&o, script, 1);
	assert_int_equal(o.store.gc(o.store.context, &g, &o.deadline, &gone, &o.e), STORE_FAILED);
	shut(&o);
	open_scripts(&o, script, 1);
	assert_int_equal(o.store.status(o.store.context, &o.deadline, &s, &o.e), STORE_FAILED);
	shut(&o);
	open_scripts(&o, script, 1);
	assert_int_equal(o.store.release(o.store.context, &a, "1@5", &o.deadline, &o.e),
			 STORE_FAILED);
	assert_int_equal(o.e.code, CNI_TRY_AGAIN_LATER);
	shut(&o);
}

TEST(no_way_to_the_server)
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

	for (size_t i = 0; i < COUNT(t); i++) {
		struct opened o;
		struct released_rows gone = { 0 };

		open_scripts(&o, &t[i].script, 1);
		o.deadline = deadline_in(0.3);
		assert_int_equal(del(&o, &gone), STORE_FAILED);
		assert_int_equal(o.e.code, CNI_TRY_AGAIN_LATER);
		assert_memory_equal(o.e.msg, t[i].begins, strlen(t[i].begins));
		assert_true(strlen(o.e.msg) > strlen(t[i].begins));
		shut(&o);
	}
}

TEST(nobody_waits)
{
	static const char *const script[] = { "" };
	struct opened o;
	struct released_rows gone = { 0 };
	int ends[2];

	open_scripts(&o, script, 1);
	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	o.deadline.stdout_fd = ends[1];
	assert_int_equal(del(&o, &gone), STORE_FAILED);
	assert_err(&o.e, CNI_TRY_AGAIN_LATER, "given up: nobody waits for the answer any more", "");
	close(ends[1]);
	shut(&o);
}

TEST(parameters_that_libpq_does_not_accept)
{
	const struct param params[] = { { "host", "127.0.0.1" }, { "sslmode", "maybe" } };
	struct log log = { .level = LOG_INFO, .err = -1, .file = -1 };
	struct deadline l = deadline_in(10);
	struct store s;
	struct store_status status;
	struct err e = { 0 };

	assert_int_equal(open_store(params, 2, &log, &s, &e), 0);
	assert_int_equal(s.status(s.context, &l, &status, &e), STORE_FAILED);
	assert_err(&e, CNI_INVALID_NETWORK_CONFIG,
		   "invalid database parameters in ipam: invalid sslmode value: \"maybe\"", "");
	s.close(s.context);
}

TEST(parameters_that_do_not_fit_together)
{
	const struct param params[] = { { "host", "a,b" }, { "port", "1,2,3" } };
	struct log log = { .level = LOG_INFO, .err = -1, .file = -1 };
	struct store s;
	struct err e = { 0 };

	assert_int_equal(open_store(params, 2, &log, &s, &e), -1);
	assert_int_equal(e.code, CNI_INVALID_NETWORK_CONFIG);
}

TEST(the_callers_environment_is_forgotten)
{
	struct log log = { .level = LOG_INFO, .err = -1, .file = -1 };
	struct store s;
	struct err e = { 0 };

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
