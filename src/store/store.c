#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/again.h"
#include "store/outcome.h"
#include "store/read.h"
#include "store/sql.h"

struct database {
	struct db_hosts targets;
	struct connection link;
	struct retry again;
};

static void try_once(void *context, size_t target, double connect_seconds, const char *sql,
		     const char *const *values, int n, const struct deadline *deadline,
		     struct query_result *out)
{
	struct database *db = context;

	query_run(&db->link, &db->targets, target, connect_seconds, sql, values, n, deadline, out);
}

/* ---- parameters ---- */

static void ips_array(struct strbuf *out, const struct ip *ips, size_t n, bool with_prefix)
{
	char text[IP_TEXT];

	strbuf_addf(out, "{");
	for (size_t i = 0; i < n; i++)
		strbuf_addf(out, "%s%s", i ? "," : "", ip_text(&ips[i], with_prefix, text));
	strbuf_addf(out, "}");
}

#define INSERT_VALUES 10

/* $1 to $10 of INSERT and TAKE. `ips` owns the array's text. */
static void insert_values(const struct reservation *c, struct strbuf *ips, const char **v)
{
	ips_array(ips, c->ips, c->n_ips, true);
	v[0] = c->by.pod;
	v[1] = c->by.interface;
	v[2] = strbuf_str(ips);
	v[3] = c->by.network;
	v[4] = c->by.node->name;
	v[5] = c->by.node->host_id;
	v[6] = c->by.node->boot_id;
	v[7] = c->pod_namespace;
	v[8] = c->pod_name;
	v[9] = c->pod_uid;
}

static const char *seconds(double s, char buf[32])
{
	snprintf(buf, 32, "%.3f", s);
	return buf;
}

static const char *uptime_now(const struct node *node, char buf[32])
{
	return seconds(node->uptime(node), buf);
}

static void as_array(struct strbuf *out, const char *ids)
{
	strbuf_addf(out, "{%s}", ids);
}

/* ---- the functions ---- */

/* INSERT and CONFIRM answer with the rows' stamps in column 0. */
static void note_stamps(void *inserted, const struct rows *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (rows_get(r, i, 0))
			strbuf_join(inserted, ",", rows_get(r, i, 0));
}

/* What this process has inserted and now confirmed has new stamps. */
static void note_new_stamps(void *inserted, const struct rows *r)
{
	struct strbuf *t = inserted;

	if (!t->len || !r->n)
		return;
	t->len = 0;
	t->s[0] = '\0';
	note_stamps(t, r);
}

static int db_insert(void *context, const struct reservation *c, const struct deadline *l,
		     struct strbuf *inserted, struct err *e)
{
	struct database *db = context;
	cleanup_strbuf struct strbuf ips = { 0 };
	const char *v[INSERT_VALUES];
	const char *sql = sql_text[SQL_INSERT];
	char ip[IP_TEXT];
	struct query_result at;
	int rc;

	insert_values(c, &ips, v);
	if (c->n_ips == 1) {
		sql = sql_text[SQL_INSERT_ONE];
		v[2] = ip_text(&c->ips[0], true, ip);
	}
	retry_run(&db->again, sql, v, INSERT_VALUES, l, note_stamps, inserted, &at);
	rc = outcome_insert(&at, e);
	if (rc == STORE_DONE) {
		note_stamps(inserted, &at.rows);
		rc = outcome_all_recorded(at.rows.n, c, e);
	}
	if (rc == STORE_DONE)
		rc = outcome_refuse_hidden(&at.rows, e);
	query_free(&at);
	return rc;
}

static int db_look(void *context, const struct reservation *c, const struct deadline *l,
		   struct allocations *out, struct err *e)
{
	struct database *db = context;
	cleanup_strbuf struct strbuf ips = { 0 };
	char uptime[32];
	struct query_result at;
	int rc;

	ips_array(&ips, c->ips, c->n_ips, false);
	retry_run(&db->again, sql_text[SQL_LOOK],
		  (const char *[]){ c->by.network, strbuf_str(&ips), c->by.node->name,
				    c->by.node->host_id, c->by.pod, c->by.interface,
				    c->by.node->boot_id, uptime_now(c->by.node, uptime) },
		  8, l, NULL, NULL, &at);
	rc = outcome_done(&at, e);
	if (rc == STORE_DONE)
		rc = read_allocations(&at, out, e);
	query_free(&at);
	return rc;
}

static int db_confirm(void *context, const struct reservation *c, const char *held,
		      const struct deadline *l, struct strbuf *inserted, size_t *confirmed,
		      struct err *e)
{
	struct database *db = context;
	cleanup_strbuf struct strbuf ids = { 0 };
	struct query_result at;
	int rc;

	as_array(&ids, held);
	retry_run(&db->again, sql_text[SQL_CONFIRM],
		  (const char *[]){ strbuf_str(&ids), c->by.node->boot_id, c->by.pod,
				    c->by.interface },
		  4, l, note_new_stamps, inserted, &at);
	rc = outcome_done(&at, e);
	if (rc == STORE_DONE) {
		*confirmed = at.rows.n;
		note_new_stamps(inserted, &at.rows);
		rc = outcome_refuse_hidden(&at.rows, e);
	}
	query_free(&at);
	return rc;
}

/* TAKE's new rows. */
static void note_taken(void *inserted, const struct rows *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (read_row_is(r, i, "new") && rows_get(r, i, 1))
			strbuf_join(inserted, ",", rows_get(r, i, 1));
}

static int db_take(void *context, const struct reservation *c, const char *stale,
		   const struct deadline *l, struct strbuf *inserted, struct released_rows *out,
		   struct err *e)
{
	struct database *db = context;
	cleanup_strbuf struct strbuf ips = { 0 }, held = { 0 };
	const char *v[INSERT_VALUES + 2];
	char uptime[32];
	struct query_result at;
	int rc;

	insert_values(c, &ips, v);
	as_array(&held, stale);
	v[INSERT_VALUES] = strbuf_str(&held);
	v[INSERT_VALUES + 1] = uptime_now(c->by.node, uptime);
	retry_run(&db->again, sql_text[SQL_TAKE], v, INSERT_VALUES + 2, l, note_taken, inserted,
		  &at);
	rc = outcome_insert(&at, e);
	if (rc == STORE_DONE) {
		note_taken(inserted, &at.rows);
		rc = outcome_all_recorded(read_count(&at.rows, "new"), c, e);
	}
	if (rc == STORE_DONE)
		rc = outcome_refuse_hidden(&at.rows, e);
	if (rc == STORE_DONE)
		rc = read_released(&at, "gone", (struct read_columns){ 1, 2, 3, 4 }, out, e);
	query_free(&at);
	return rc;
}

static int db_release(void *context, const struct attachment *a, const char *inserted,
		      const struct deadline *l, struct err *e)
{
	struct database *db = context;
	cleanup_strbuf struct strbuf array = { 0 };
	struct query_result at;
	int rc;

	as_array(&array, inserted);
	retry_run(&db->again, sql_text[SQL_RELEASE],
		  (const char *[]){ strbuf_str(&array), a->pod, a->interface }, 3, l, NULL, NULL,
		  &at);
	rc = outcome_done(&at, e);
	query_free(&at);
	return rc;
}

static int db_del(void *context, const struct attachment *a, const struct deadline *l,
		  struct released_rows *out, struct err *e)
{
	struct database *db = context;
	struct query_result at;
	int rc;

	retry_run(&db->again, sql_text[SQL_DEL],
		  (const char *[]){ a->network, a->node->name, a->node->host_id, a->pod,
				    a->interface },
		  5, l, NULL, NULL, &at);
	rc = outcome_done(&at, e);
	if (rc == STORE_DONE)
		rc = read_released(&at, NULL, (struct read_columns){ 0, -1, -1, -1 }, out, e);
	query_free(&at);
	return rc;
}

static int db_gc(void *context, const struct gc_request *g, const struct deadline *l,
		 struct released_rows *out, struct err *e)
{
	struct database *db = context;
	char uptime[32], grace[32];
	struct query_result at;
	int rc;

	retry_run(&db->again, sql_text[SQL_GC],
		  (const char *[]){ g->network, g->node->name, g->node->host_id, g->valid,
				    g->node->boot_id, uptime_now(g->node, uptime),
				    seconds(g->grace, grace) },
		  7, l, NULL, NULL, &at);
	rc = outcome_done(&at, e);
	if (rc == STORE_DONE)
		rc = read_released(&at, "gone", (struct read_columns){ 3, 1, 2, -1 }, out, e);
	query_free(&at);
	return rc;
}

static int db_status(void *context, const struct deadline *l, struct store_status *out,
		     struct err *e)
{
	struct database *db = context;
	struct query_result at;
	int rc;

	retry_run(&db->again, sql_text[SQL_STATUS], NULL, 0, l, NULL, NULL, &at);
	rc = outcome_done(&at, e);
	if (rc == STORE_DONE)
		read_status(&at.rows, out);
	query_free(&at);
	return rc;
}

static void db_close(void *context)
{
	struct database *db = context;

	connection_close(&db->link);
	db_hosts_free(&db->targets);
	free(db);
}

/* Neither PG… nor a home folder of whoever called, nor what steers the resolver or OpenSSL; the
 * time zone is for the log. */
static void forget_environment(void)
{
	const char *zone = getenv("TZ");
	char kept[128] = "";

	if (zone)
		snprintf(kept, sizeof(kept), "%s", zone);
	clearenv();
	if (zone)
		setenv("TZ", kept, 1);
	setenv("HOME", "/nonexistent", 1);
}

int store_open(const struct param *params, size_t n, struct log *log, struct store *out,
	       struct err *e)
{
	struct database *db = calloc(1, sizeof(*db));

	if (!db)
		return err_set(e, CNI_IO_FAILURE, "out of memory");
	forget_environment();
	if (db_hosts_read(params, n, &db->targets, e) < 0) {
		free(db);
		return -1;
	}
	db->again = (struct retry){ .attempt = try_once,
				    .context = db,
				    .targets = db->targets.n,
				    .connect_timeout = db->targets.connect_timeout,
				    .log = log };
	*out = (struct store){ .context = db,
			       .insert = db_insert,
			       .look = db_look,
			       .confirm = db_confirm,
			       .take = db_take,
			       .release = db_release,
			       .del = db_del,
			       .gc = db_gc,
			       .status = db_status,
			       .close = db_close };
	return 0;
}
