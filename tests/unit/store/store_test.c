/* What the store makes of a server's answers. Needs nothing: the server is a script. */
#include "fake_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "store/database.h"

/* Opening a store clears the environment, but not how cmocka shall report. */
static int open_store(const char *ipam, struct log *log, struct store *out, struct err *e)
{
	const char *said = getenv("CMOCKA_MESSAGE_OUTPUT");
	char output[32];
	int rc;

	snprintf(output, sizeof(output), "%s", said ? said : "");
	rc = store_open(json_of(J(ipam)), "a name", log, out, e);
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
	*o = (struct opened){ .log = { .level = LOG_INFO, .err = -1, .file = -1 },
			      .deadline = deadline_in(10) };
	server_start(&o->server, scripts, n);
	assert_int_equal(open_store(mem_printf("{'host':'127.0.0.1','port':'%s'}", o->server.port),
				    &o->log, &o->store, &o->e),
			 0);
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

static const struct node node = { .name = "node-1",
				  .host_id = "",
				  .machine_id = "id",
				  .machine = "m",
				  .boot_id = "boot",
				  .uptime = uptime };

static const char *const wanted[] = { "10.0.0.5/24", "fd00::5/64" };

/* What pod-a asks for: two addresses. */
static struct reservation reservation_of(struct addresses *asked)
{
	for (size_t i = 0; i < COUNT(wanted); i++) {
		struct address one = { .interface = -1 };

		assert_true(ip_parse(wanted[i], &one.ip));
		addresses_add(asked, &one);
	}
	return (struct reservation){ .by = { "net", &node, "pod-a", "eth0" }, .addresses = asked };
}

/* "1@5,2@5" */
static const char *joined(const struct row_ids *ids)
{
	struct strbuf all = { 0 };

	for (size_t i = 0; i < ids->n; i++)
		strbuf_join(&all, ",", ids->list[i]);
	return strbuf_str(&all);
}

static int insert(struct opened *o, struct row_ids *inserted)
{
	struct addresses asked = { 0 };
	struct reservation c = reservation_of(&asked);

	return o->store.insert(o->store.context, &c, &o->deadline, inserted, &o->e);
}

static int take_over(struct opened *o, struct row_ids *inserted, struct released_rows *gone)
{
	struct allocation rows[] = { { .id = "7" }, { .id = "8" } };
	const struct allocations stale = { rows, 2 };
	struct addresses asked = { 0 };
	struct reservation c = reservation_of(&asked);

	return o->store.take_over(o->store.context, &c, &stale, &o->deadline, inserted, gone,
				  &o->e);
}

static int find(struct opened *o, struct allocations *out)
{
	struct addresses asked = { 0 };
	struct reservation c = reservation_of(&asked);

	return o->store.find(o->store.context, &c, &o->deadline, out, &o->e);
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
		{ ANSWER("columns:row_version,warnings row:1@5,notice row:2@5,notice"), STORE_DONE,
		  "1@5,2@5", "", "" },
		{ ANSWER("columns:row_version,warnings row:1@5,warning row:2@5,warning"),
		  STORE_DONE, "1@5,2@5", "", "" },
		{ "hello query error:23505:ips_one_holder idle", STORE_CONFLICT, "", "", "" },
		{ ANSWER("columns:row_version,warnings row:1@5,error row:2@5,error"), STORE_FAILED,
		  "1@5,2@5", HIDES, HIDES_DETAILS },
		{ ANSWER("columns:row_version,warnings row:1@5,panic row:2@5,panic"), STORE_FAILED,
		  "1@5,2@5", HIDES, HIDES_DETAILS },
		/* fewer rows than were asked for, or none at all */
		{ ANSWER("columns:row_version,warnings row:1@5,notice"), STORE_FAILED, "1@5",
		  "the database recorded 1 of 2 addresses", TRIGGER },
		{ ANSWER("columns:row_version,warnings"), STORE_FAILED, "",
		  "the database recorded 0 of 2 addresses", TRIGGER },
		{ ANSWER("parsed"), STORE_FAILED, "", "the database recorded 0 of 2 addresses",
		  TRIGGER },
		{ ANSWER("columns:row_version row:~ row:~"), STORE_FAILED, "",
		  "the database recorded 0 of 2 addresses", TRIGGER },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct opened o;
		struct row_ids inserted = { 0 };

		open_scripts(&o, &t[i].script, 1);
		assert_int_equal(insert(&o, &inserted), t[i].rc);
		assert_string_equal(joined(&inserted), t[i].inserted);
		assert_err(&o.e, t[i].rc < 0 ? CNI_TRY_AGAIN_LATER : 0, t[i].msg, t[i].details);
		shut(&o);
	}
}

/* Another index than the two that say who holds what is no conflict that looking could settle. */
TEST(a_unique_violation_that_is_no_conflict)
{
	static const struct {
		const char *script;
		int rc;
		const char *msg, *details;
	} t[] = {
		{ "hello query error:23505:ips_one_holder idle", STORE_CONFLICT, "", "" },
		{ "hello query error:23505:ips_attachment idle", STORE_CONFLICT, "", "" },
		{ "hello query error:23505:ips_pkey idle", STORE_FAILED,
		  "the database hands out ids that are taken: the sequence of ips.id is behind its "
		  "rows",
		  "run sql/migrate.sh, which sets it right" },
		{ "hello query error:23505:another idle", STORE_FAILED,
		  "the database refused: words of the server", "SQLSTATE 23505 (another)" },
		{ "hello query error:23505 idle", STORE_FAILED,
		  "the database refused: words of the server", "SQLSTATE 23505" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct opened o;
		struct row_ids inserted = { 0 };
		struct released_rows gone = { 0 };

		open_scripts(&o, &t[i].script, 1);
		assert_int_equal(insert(&o, &inserted), t[i].rc);
		assert_err(&o.e, t[i].rc < 0 ? CNI_TRY_AGAIN_LATER : 0, t[i].msg, t[i].details);
		shut(&o);
		open_scripts(&o, &t[i].script, 1);
		assert_int_equal(take_over(&o, &inserted, &gone), t[i].rc);
		shut(&o);
	}
}

TEST(taking)
{
	static const struct inserting t[] = {
		{ ANSWER("columns:kind,ip,pod_id,interface,boot_id,pod_namespace,pod_name,row_"
			 "version,warnings "
			 "row:gone,10.0.0.5,pod-b,eth0,old,ns,web,~,notice "
			 "row:new,~,~,~,~,~,~,1@5,notice row:new,~,~,~,~,~,~,2@5,notice"),
		  STORE_DONE, "1@5,2@5", "", "" },
		{ "hello query error:23505:ips_one_holder idle", STORE_CONFLICT, "", "", "" },
		{ ANSWER("columns:kind,ip,pod_id,interface,boot_id,pod_namespace,pod_name,row_"
			 "version,warnings "
			 "row:gone,10.0.0.5,pod-b,eth0,old,ns,web,~,notice "
			 "row:new,~,~,~,~,~,~,1@5,notice"),
		  STORE_FAILED, "1@5", "the database recorded 1 of 2 addresses", TRIGGER },
		{ ANSWER("columns:kind,ip,pod_id,interface,boot_id,pod_namespace,pod_name,row_"
			 "version,warnings "
			 "row:new,~,~,~,~,~,~,1@5,fatal row:new,~,~,~,~,~,~,2@5,fatal"),
		  STORE_FAILED, "1@5,2@5", HIDES, HIDES_DETAILS },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct opened o;
		struct row_ids inserted = { 0 };
		struct released_rows gone = { 0 };

		open_scripts(&o, &t[i].script, 1);
		assert_int_equal(take_over(&o, &inserted, &gone), t[i].rc);
		assert_string_equal(joined(&inserted), t[i].inserted);
		assert_err(&o.e, t[i].rc < 0 ? CNI_TRY_AGAIN_LATER : 0, t[i].msg, t[i].details);
		assert_int_equal(gone.n, i == 0 || i == 2);
		if (i == 0) {
			assert_string_equal(gone.rows[0].ip, "10.0.0.5");
			assert_string_equal(gone.rows[0].pod, "pod-b");
			assert_string_equal(gone.rows[0].interface, "eth0");
			assert_string_equal(gone.rows[0].boot_id, "old");
			assert_string_equal(gone.rows[0].pod_namespace, "ns");
			assert_string_equal(gone.rows[0].pod_name, "web");
		}
		shut(&o);
	}
}

/* What was said with a warning may have to be released, whatever the next attempt says. */
TEST(doubtful_rows_are_kept_in_mind)
{
	static const char *const scripts[] = { "hello query warning:01000:SyncRepWaitForLSN "
					       "columns:row_version,warnings row:1@5,notice "
					       "row:2@5,notice done idle",
					       "hello query error:23505:ips_one_holder idle" };
	struct opened o;
	struct row_ids inserted = { 0 };

	open_scripts(&o, scripts, 2);
	assert_int_equal(insert(&o, &inserted), STORE_CONFLICT);
	assert_string_equal(joined(&inserted), "1@5,2@5");
	shut(&o);
}

TEST(a_doubtful_takeover_is_too)
{
	static const char *const scripts[] = {
		"hello query warning:01000:SyncRepWaitForLSN "
		"columns:kind,ip,pod_id,interface,boot_id,pod_namespace,pod_name,row_version,"
		"warnings "
		"row:gone,10.0.0.5,pod-b,eth0,old,ns,web,~,notice "
		"row:new,~,~,~,~,~,~,1@5,notice row:new,~,~,~,~,~,~,2@5,notice done idle",
		"hello query error:23505:ips_one_holder idle"
	};
	struct opened o;
	struct row_ids inserted = { 0 };
	struct released_rows gone = { 0 };

	open_scripts(&o, scripts, 2);
	assert_int_equal(take_over(&o, &inserted, &gone), STORE_CONFLICT);
	assert_string_equal(joined(&inserted), "1@5,2@5");
	assert_int_equal(gone.n, 1);
	shut(&o);
}

#define FOUND                                                                                      \
	"said,id,ip,prefix,pod_id,interface,node,host_id,since,pod_namespace,pod_name,same_node,"  \
	"this_boot,previous_boot,other_machine,same_pod,own"

TEST(looking)
{
	static const char *const script[] = { ANSWER(
		"columns:" FOUND
		" row:0/1,7,10.0.0.5,24,pod-b,eth0,node-2,h,yesterday,ns,web,t,f,t,f,t,f "
		"row:0/1,8,fd00::5,64,pod-a,eth1,node-1,,today,~,~,f,t,f,t,f,t") };
	struct opened o;
	struct allocations h;
	char ip[IP_TEXT];

	open_scripts(&o, script, 1);
	assert_int_equal(find(&o, &h), STORE_DONE);
	assert_int_equal(h.n, 2);
	assert_string_equal(h.rows[0].id, "7");
	assert_string_equal(ip_text(&h.rows[0].ip, true, ip), "10.0.0.5/24");
	assert_string_equal(h.rows[0].pod, "pod-b");
	assert_string_equal(h.rows[0].interface, "eth0");
	assert_string_equal(h.rows[0].node, "node-2");
	assert_string_equal(h.rows[0].host_id, "h");
	assert_string_equal(h.rows[0].since, "yesterday");
	assert_string_equal(h.rows[0].pod_namespace, "ns");
	assert_string_equal(h.rows[0].pod_name, "web");
	assert_true(h.rows[0].same_node && !h.rows[0].this_boot && h.rows[0].previous_boot &&
		    !h.rows[0].other_machine && h.rows[0].same_pod && !h.rows[0].own);
	assert_string_equal(ip_text(&h.rows[1].ip, true, ip), "fd00::5/64");
	assert_null(h.rows[1].pod_namespace);
	assert_true(!h.rows[1].same_node && h.rows[1].this_boot && !h.rows[1].previous_boot &&
		    h.rows[1].other_machine && !h.rows[1].same_pod && h.rows[1].own);
	shut(&o);
}

TEST(finding_nothing)
{
	static const char *const script[] = { ANSWER("columns:" FOUND
						     " row:0/1,~,~,~,~,~,~,~,~,~,~,~,~,~,~,~,~") };
	struct opened o;
	struct allocations h;

	open_scripts(&o, script, 1);
	assert_int_equal(find(&o, &h), STORE_DONE);
	assert_int_equal(h.n, 0);
	shut(&o);
}

/* What such a server knows may be old, and an error would be said on its word. */
TEST(a_read_only_server_is_not_believed)
{
	static const char *const scripts[] = {
		"hello query columns:" FOUND " row:~,7,10.0.0.5,24,p,i,n,h,s,~,~,t,f,t,f,f,f done "
		"idle query columns:" FOUND " row:0/1,~,~,~,~,~,~,~,~,~,~,~,~,~,~,~,~ done idle"
	};
	struct opened o;
	struct allocations h;

	open_scripts(&o, scripts, 1);
	assert_int_equal(find(&o, &h), STORE_DONE);
	assert_int_equal(h.n, 0);
	assert_int_equal(o.server.statements, 2);
	shut(&o);
}

TEST(rows_that_no_schema_of_ours_has)
{
	static const char *const rows[] = {
		ANSWER("columns:" FOUND " row:0/1,7,x,24,p,i,n,h,s,~,~,t,f,t,f,f,f"),
		ANSWER("columns:" FOUND " row:0/1,7,10.0.0.5,33,p,i,n,h,s,~,~,t,f,t,f,f,f"),
		ANSWER("columns:" FOUND " row:0/1,7,10.0.0.5,-1,p,i,n,h,s,~,~,t,f,t,f,f,f"),
		ANSWER("columns:" FOUND " row:0/1,7,10.0.0.5,x,p,i,n,h,s,~,~,t,f,t,f,f,f"),
		ANSWER("columns:" FOUND " row:0/1,7,10.0.0.5/24,24,p,i,n,h,s,~,~,t,f,t,f,f,f"),
		ANSWER("columns:" FOUND " row:0/1,7,~,24,p,i,n,h,s,~,~,t,f,t,f,f,f"),
		ANSWER("columns:" FOUND " row:0/1,7,10.0.0.5,~,p,i,n,h,s,~,~,t,f,t,f,f,f"),
		ANSWER("columns:" FOUND " row:0/1,~,10.0.0.5,24,p,i,n,h,s,~,~,t,f,t,f,f,f"),
		ANSWER("columns:" FOUND " row:0/1,7,10.0.0.5,24,~,i,n,h,s,~,~,t,f,t,f,f,f"),
		ANSWER("columns:" FOUND " row:0/1,7,10.0.0.5,24,p,i,n,h,~,~,~,t,f,t,f,f,f"),
		ANSWER("columns:id,ip row:7,10.0.0.5"),
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct opened o;
		struct allocations h = { 0 };

		open_scripts(&o, &rows[i], 1);
		assert_int_equal(find(&o, &h), STORE_FAILED);
		assert_err(&o.e, CNI_TRY_AGAIN_LATER,
			   "the database returned a row that is not a valid allocation", "");
		assert_int_equal(h.n, 0);
		shut(&o);
	}
}

static int confirm(struct opened *o, struct row_ids *inserted, size_t *confirmed)
{
	struct addresses asked = { 0 };
	struct reservation c = reservation_of(&asked);

	const struct row_ids held = { (const char *[]){ "1", "2" }, 2 };

	return o->store.confirm(o->store.context, &c, &held, &o->deadline, inserted, confirmed,
				&o->e);
}

TEST(confirming)
{
	static const char *const script[] = { ANSWER(
		"columns:row_version,warnings row:1@9,notice row:2@9,notice") };
	static const char *const after[] = { "", "1@9,2@9" };

	for (size_t i = 0; i < COUNT(after); i++) {
		struct opened o;
		struct row_ids inserted = { (const char *[]){ "1@5", "2@5" }, i ? 2 : 0 };
		size_t confirmed = 0;

		open_scripts(&o, script, 1);
		assert_int_equal(confirm(&o, &inserted, &confirmed), STORE_DONE);
		assert_int_equal(confirmed, 2);
		assert_string_equal(joined(&inserted), after[i]);
		shut(&o);
	}
}

/* A confirmation that was not confirmed has written all the same: what is released is the row of
 * then. */
TEST(confirming_in_doubt)
{
	static const char *const scripts[] = { "hello query warning:01000:SyncRepWaitForLSN "
					       "columns:row_version,warnings row:1@9,notice "
					       "row:2@9,notice done idle",
					       "hello query error:42501 idle" };
	struct opened o;
	struct row_ids inserted = { (const char *[]){ "1@5", "2@5" }, 2 };
	size_t confirmed = 0;

	open_scripts(&o, scripts, 2);
	assert_int_equal(confirm(&o, &inserted, &confirmed), STORE_FAILED);
	assert_string_equal(joined(&inserted), "1@9,2@9");
	shut(&o);
}

TEST(confirming_where_warnings_are_hidden)
{
	static const char *const script[] = { ANSWER(
		"columns:row_version,warnings row:1@9,error row:2@9,error") };
	struct opened o;
	struct row_ids inserted = { 0 };
	size_t confirmed = 0;

	open_scripts(&o, script, 1);
	assert_int_equal(confirm(&o, &inserted, &confirmed), STORE_FAILED);
	assert_err(&o.e, CNI_TRY_AGAIN_LATER, HIDES, HIDES_DETAILS);
	shut(&o);
}

TEST(releasing)
{
	static const char *const scripts[] = {
		"hello query columns:kind,ip,warnings row:gone,10.0.0.5,error "
		"row:gone,~,error done idle query parsed done idle"
	};
	const struct attachment a = { "net", &node, "pod-a", "eth0" };
	const struct row_ids inserted = { (const char *[]){ "1@5" }, 1 };
	struct opened o;
	struct released_rows gone;

	open_scripts(&o, scripts, 1);
	assert_int_equal(del(&o, &gone), STORE_DONE);
	assert_int_equal(gone.n, 2);
	assert_string_equal(gone.rows[0].ip, "10.0.0.5");
	assert_null(gone.rows[0].pod);
	assert_string_equal(gone.rows[1].ip, ""); /* what no schema of ours has */
	assert_true(gone.hides_warnings);
	assert_int_equal(o.store.release(o.store.context, &a, &inserted, &o.deadline, &o.e),
			 STORE_DONE);
	shut(&o);
}

/* It may be gone for good, whatever the next try finds. */
TEST(what_was_released_in_doubt_is_told_too)
{
	static const char *const scripts[] = {
		"hello query warning:01000:SyncRepWaitForLSN columns:kind,ip,warnings "
		"row:gone,10.0.0.5,notice row:said,0/1,notice done idle",
		"hello query columns:kind,ip,warnings row:said,0/1,notice done idle"
	};
	static const char *const refused[] = {
		"hello query warning:01000:SyncRepWaitForLSN columns:kind,ip,warnings "
		"row:gone,10.0.0.5,notice done idle",
		"hello query error:42501 idle"
	};
	const struct gc_request g = { "net", &node, 0, "[]" };
	struct opened o;
	struct released_rows gone;

	open_scripts(&o, scripts, 2);
	assert_int_equal(del(&o, &gone), STORE_DONE);
	assert_int_equal(gone.n, 1);
	shut(&o);
	open_scripts(&o, scripts, 2);
	assert_int_equal(o.store.gc(o.store.context, &g, &o.deadline, &gone, &o.e), STORE_DONE);
	assert_int_equal(gone.n, 1);
	shut(&o);
	open_scripts(&o, refused, 2);
	assert_int_equal(del(&o, &gone), STORE_FAILED);
	assert_int_equal(gone.n, 1);
	shut(&o);
}

TEST(the_last_row_tells_whether_warnings_are_hidden)
{
	static const char *const scripts[] = { ANSWER(
		"columns:kind,ip,warnings row:gone,10.0.0.5,~ row:said,0/1,error") };
	struct opened o;
	struct released_rows gone;

	open_scripts(&o, scripts, 1);
	assert_int_equal(del(&o, &gone), STORE_DONE);
	assert_true(gone.hides_warnings);
	shut(&o);
}

TEST(collecting)
{
	static const char *const scripts[] = { ANSWER(
		"columns:kind,pod_id,interface,ip,pod_namespace,pod_name,node,host_id,since,epoch,"
		"warnings "
		"row:gone,pod-b,eth0,10.0.0.5,ns,web,~,~,~,~,~ "
		"row:duplicate,pod-t,eth1,~,~,~,me,id,today,20.5,~ "
		"row:renamed,pod-r,eth0,~,~,~,old,id,today,20.5,~ "
		"row:reinstalled,pod-a,eth0,~,~,~,me,earlier,monday,9,~ "
		"row:reinstalled,pod-a,eth0,~,~,~,me,youngest,tuesday,10,~ "
		"row:reinstalled,pod-a,eth0,~,~,~,me,earliest,sunday,8,~ "
		"row:gone,pod-c,eth0,fd00::5,~,~,~,~,~,~,~ row:said,~,~,0/1,~,~,~,~,~,~,notice") };
	const struct gc_request g = { "net", &node, 0, "[]" };
	struct opened o;
	struct released_rows gone;

	open_scripts(&o, scripts, 1);
	assert_int_equal(o.store.gc(o.store.context, &g, &o.deadline, &gone, &o.e), STORE_DONE);
	assert_int_equal(gone.n, 2);
	assert_string_equal(gone.rows[0].pod, "pod-b");
	assert_string_equal(gone.rows[0].pod_namespace, "ns");
	assert_string_equal(gone.rows[0].pod_name, "web");
	assert_string_equal(gone.rows[1].ip, "fd00::5");
	assert_int_equal(gone.duplicate.n, 1);
	assert_string_equal(gone.duplicate.pod, "pod-t");
	assert_string_equal(gone.duplicate.interface, "eth1");
	assert_int_equal(gone.renamed.n, 1);
	assert_string_equal(gone.renamed.node, "old");
	assert_int_equal(gone.reinstalled.n, 3);
	assert_string_equal(gone.reinstalled.host_id, "youngest");
	assert_string_equal(gone.reinstalled.since, "tuesday");
	assert_false(gone.hides_warnings);
	shut(&o);
}

/* Each one tells how long the host is up by now: tries may lie seconds apart. */
static double up;

static double uptime_goes_on(const struct node *n)
{
	(void)n;
	return up += 1000;
}

TEST(the_uptime_is_read_for_each_try)
{
	static const char *const script[] = {
		"hello query error:40001 idle query columns:" FOUND
		" row:0/1,~,~,~,~,~,~,~,~,~,~,~,~,~,~,~,~ done idle"
	};
	struct node n = node;
	struct addresses none = { 0 };
	struct reservation c = { .by = { "net", &n, "pod-a", "eth0" }, .addresses = &none };
	struct opened o;
	struct database *db;
	struct allocations found;

	n.uptime = uptime_goes_on;
	open_scripts(&o, script, 1);
	db = o.store.context;
	assert_int_equal(o.store.find(o.store.context, &c, &o.deadline, &found, &o.e), STORE_DONE);
	assert_true(up == 2000);
	assert_string_equal(db->uptime, "2000.000");
	shut(&o);
}

TEST(the_servers_state)
{
	static const struct {
		const char *script;
		struct store_status is;
	} t[] = {
		{ ANSWER("columns:read_only,version,works_with,may_write,warnings "
			 "row:f,1,1,t,notice"),
		  { false, true, false, 1, 1 } },
		/* a row for each migration: all have to agree */
		{ ANSWER("columns:read_only,version,works_with,may_write,warnings "
			 "row:f,1,1,t,notice row:f,2,1,f,notice"),
		  { false, false, false, 2, 1 } },
		{ ANSWER("columns:read_only,version,works_with,may_write,warnings "
			 "row:t,7,2,f,error"),
		  { true, false, true, 7, 2 } },
		{ ANSWER("columns:read_only,version,works_with,may_write,warnings "
			 "row:f,~,~,t,notice"),
		  { false, true, false, -1, -1 } },
		{ ANSWER("columns:read_only,version,works_with,may_write,warnings "
			 "row:f,-5,99999999999999999999,t,notice"),
		  { false, true, false, -1, -1 } },
		{ ANSWER("columns:read_only,version,works_with,may_write,warnings"),
		  { false, false, false, -1, -1 } },
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
		  "the database's schema does not work with this build (schema 2): run "
		  "sql/migrate.sh, or install the plugins that belong to it",
		  "" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct opened o;
		struct released_rows gone = { 0 };

		open_scripts(&o, &t[i].script, 1);
		assert_int_equal(del(&o, &gone), STORE_FAILED);
		assert_err(&o.e, CNI_TRY_AGAIN_LATER, t[i].msg, t[i].details);
		assert_int_equal(gone.n, 0);
		shut(&o);
	}
}

TEST(no_unique_violation_but_of_an_insert)
{
	static const char *const script[] = { "hello query error:23505:ips_one_holder idle" };
	const struct attachment a = { "net", &node, "pod-a", "eth0" };
	const struct gc_request g = { "net", &node, 0, "[]" };
	struct opened o;
	struct released_rows gone = { 0 };
	struct allocations h = { 0 };
	struct store_status s;
	struct row_ids inserted = { 0 };
	size_t n;

	open_scripts(&o, script, 1);
	assert_int_equal(find(&o, &h), STORE_FAILED);
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
	assert_int_equal(o.store.release(o.store.context, &a, &inserted, &o.deadline, &o.e),
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
		{ "hello query warning:01000:SyncRepWaitForLSN columns:row_version,warnings "
		  "row:1@5,notice done idle",
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
	struct log log = { .level = LOG_INFO, .err = -1, .file = -1 };
	struct deadline l = deadline_in(10);
	struct store s;
	struct store_status status;
	struct err e = { 0 };

	assert_int_equal(open_store("{'host':'127.0.0.1','sslmode':'maybe'}", &log, &s, &e), 0);
	assert_int_equal(s.status(s.context, &l, &status, &e), STORE_FAILED);
	assert_err(&e, CNI_INVALID_NETWORK_CONFIG,
		   "invalid database parameters in ipam: invalid sslmode value: \"maybe\"", "");
	s.close(s.context);
}

/* The first host refuses for good, the second is a standby for now: both are said. */
TEST(a_host_that_was_struck_off_is_said)
{
	static const char *const refuses[] = { "fatal:28000 close" };
	static const char *const standby[] = { "fatal:57P03 close" };
	struct log log = { .level = LOG_INFO, .err = -1, .file = -1 };
	struct deadline l = deadline_in(0.4);
	struct server a, b;
	struct store s;
	struct store_status status;
	struct err e = { 0 };

	server_start(&a, refuses, 1);
	server_start(&b, standby, 1);
	assert_int_equal(open_store(mem_printf("{'host':'127.0.0.1,127.0.0.1','port':'%s,%s',"
					       "'target_session_attrs':'any'}",
					       a.port, b.port),
				    &log, &s, &e),
			 0);
	assert_int_equal(s.status(s.context, &l, &status, &e), STORE_FAILED);
	assert_non_null(strstr(e.msg, b.port));
	assert_non_null(strstr(e.details,
			       "a host that was given up: the database refuses the connection: "));
	assert_non_null(strstr(e.details, a.port));
	assert_int_equal(a.connections, 1);
	s.close(s.context);
	server_stop(&a);
	server_stop(&b);
}

TEST(parameters_that_do_not_fit_together)
{
	struct log log = { .level = LOG_INFO, .err = -1, .file = -1 };
	struct store s;
	struct err e = { 0 };

	assert_int_equal(open_store("{'host':'a,b','port':'1,2,3'}", &log, &s, &e), -1);
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
	assert_int_equal(open_store("{}", &log, &s, &e), 0);
	assert_null(getenv("PGHOST"));
	assert_null(getenv("PGPASSWORD"));
	assert_string_equal(getenv("HOME"), "/nonexistent");
	assert_string_equal(getenv("PGSERVICEFILE"), "/dev/null");
	assert_string_equal(getenv("OPENSSL_CONF"), "/dev/null");
	assert_string_equal(getenv("TZ"), "UTC");
	s.close(s.context);
}

static int libpq;

int __wrap_PQlibVersion(void);
int __wrap_PQlibVersion(void)
{
	return libpq ? libpq : 150000;
}

TEST(a_shared_libpq_that_is_too_old_is_refused)
{
	struct log log = { .level = LOG_INFO, .err = -1, .file = -1 };
	struct store s;
	struct err e = { 0 };

	libpq = 140012;
	assert_int_equal(open_store("{}", &log, &s, &e), -1);
	libpq = 0;
	assert_int_equal(e.code, CNI_TRY_AGAIN_LATER);
	assert_string_equal(e.msg,
			    "the libpq of this system is version 14, and 15 or newer is needed");
}

/* ---- the statements, as far as no server is needed ---- */

static const char *sql(const char *name)
{
	static const struct sql *const all[] = { sql_add, sql_free, sql_pick };

	for (size_t i = 0; i < COUNT(all); i++)
		for (const struct sql *s = all[i]; s->name; s++)
			if (strcmp(s->name, name) == 0)
				return s->text;
	fail_msg("no statement %s", name);
	return NULL;
}

/* The table is never named without its schema, whatever the search_path is. */
TEST(tables_are_qualified)
{
	static const char *const names[] = { "INSERT",    "INSERT_ONE",  "FIND",      "PICK",
					     "FIND_FREE", "FIND_HOLDER", "FIND_FULL", "CONFIRM",
					     "TAKE_OVER", "RELEASE",     "DEL",       "GC",
					     "STATUS" };
	static const char *const before[] = { "FROM ips", "INTO ips", "UPDATE ips", "JOIN ips" };

	for (size_t i = 0; i < COUNT(names); i++) {
		assert_non_null(strstr(sql(names[i]), "public.ips"));
		for (size_t b = 0; b < COUNT(before); b++)
			assert_null(strstr(sql(names[i]), before[b]));
	}
}

/* Each statement that decides refuses to work on a schema that this build does not know. */
TEST(the_schema_is_asked_along)
{
	static const char *const deciding[] = {
		"INSERT", "INSERT_ONE", "INSERT_IF_FREE", "INSERT_ONE_IF_FREE",
		"PICK",   "FIND_FREE",  "FIND_HOLDER",    "FIND_FULL",
		"FIND",   "CONFIRM",    "TAKE_OVER",      "DEL",
		"GC"
	};

	for (size_t i = 0; i < COUNT(deciding); i++)
		assert_non_null(strstr(sql(deciding[i]), GUARD));
}

/* The highest $n. */
static int highest(const char *text)
{
	int most = 0;

	for (const char *p = strchr(text, '$'); p; p = strchr(p + 1, '$')) {
		int n = (int)strtol(p + 1, NULL, 10);

		most = n > most ? n : most;
	}
	return most;
}

static void count_parameters(void *context, size_t host, double connect_seconds,
			     const struct statement *s, const struct deadline *deadline,
			     struct query_result *out)
{
	(void)host;
	(void)connect_seconds;
	(void)deadline;
	assert_int_equal(s->n, highest(s->sql));
	*out = (struct query_result){ .outcome = QUERY_REJECTED };
	++*(int *)context;
}

static size_t one_host(void *context, size_t besides, const struct deadline *d)
{
	(void)context;
	(void)besides;
	(void)d;
	return 1;
}

TEST(each_statement_gets_all_of_its_parameters)
{
	static const char *const script[] = { "" };
	const struct row_ids ids = { (const char *[]){ "1" }, 1 };
	const struct attachment a = { "net", &node, "pod-a", "eth0" };
	const struct gc_request g = { "net", &node, 0, "[]" };
	struct addresses asked = { 0 };
	struct reservation c = reservation_of(&asked);
	struct opened o;
	struct row_ids inserted = { 0 };
	struct released_rows gone = { 0 };
	struct allocations found;
	struct store_status status;
	size_t confirmed;
	int statements = 0;
	struct database *db;

	open_scripts(&o, script, 1);
	db = o.store.context;
	db->retry.query = count_parameters;
	db->retry.known = one_host;
	db->retry.context = &statements;
	insert(&o, &inserted);
	asked.n = 1;
	o.store.insert(o.store.context, &c, &o.deadline, &inserted, &o.e);
	find(&o, &found);
	confirm(&o, &inserted, &confirmed);
	take_over(&o, &inserted, &gone);
	o.store.release(o.store.context, &a, &ids, &o.deadline, &o.e);
	del(&o, &gone);
	o.store.gc(o.store.context, &g, &o.deadline, &gone, &o.e);
	o.store.status(o.store.context, &o.deadline, &status, &o.e);
	assert_int_equal(statements, 9);
	shut(&o);
}
