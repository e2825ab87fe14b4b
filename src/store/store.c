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
	struct targets targets;
	struct link link;
	struct again again;
};

static void try_once(void *context, size_t target, double connect_seconds, const char *sql,
	const char *const *values, int n, const struct limit *limit, struct attempt *out)
{
	struct database *db = context;

	attempt_run(&db->link, &db->targets, target, connect_seconds, sql, values, n, limit, out);
}

/* ---- parameters ---- */

static void ips_array(struct text *out, const struct ip *ips, size_t n, bool with_prefix)
{
	char text[IP_TEXT];

	text_add(out, "{");
	for (size_t i = 0; i < n; i++)
		text_add(out, "%s%s", i ? "," : "", ip_text(&ips[i], with_prefix, text));
	text_add(out, "}");
}

#define INSERT_VALUES 10

/* $1 to $10 of INSERT and TAKE. `ips` owns the array's text. */
static void insert_values(const struct claim *c, struct text *ips, const char **v)
{
	ips_array(ips, c->ips, c->n_ips, true);
	v[0] = c->by.pod;
	v[1] = c->by.interface;
	v[2] = text_get(ips);
	v[3] = c->by.network;
	v[4] = c->by.node;
	v[5] = c->by.host_id;
	v[6] = c->boot_id;
	v[7] = c->pod_namespace;
	v[8] = c->pod_name;
	v[9] = c->pod_uid;
}

static const char *seconds(double s, char buf[32])
{
	snprintf(buf, 32, "%.3f", s);
	return buf;
}

static void as_array(struct text *out, const char *ids)
{
	text_add(out, "{%s}", ids);
}

/* ---- the functions ---- */

/* INSERT and CONFIRM answer with the rows' stamps in column 0. */
static void note_stamps(void *inserted, const struct rows *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (rows_get(r, i, 0))
			text_item(inserted, ",", rows_get(r, i, 0));
}

/* What this process has inserted and now confirmed has new stamps. */
static void note_new_stamps(void *inserted, const struct rows *r)
{
	struct text *t = inserted;

	if (!t->len || !r->n)
		return;
	t->len = 0;
	t->s[0] = '\0';
	note_stamps(t, r);
}

static int db_insert(void *context, const struct claim *c, const struct limit *l,
	struct text *inserted, struct err *e)
{
	struct database *db = context;
	scoped_text struct text ips = { 0 };
	const char *v[INSERT_VALUES];
	const char *sql = sql_text[SQL_INSERT];
	char ip[IP_TEXT];
	struct attempt at;
	int rc;

	insert_values(c, &ips, v);
	if (c->n_ips == 1) {
		sql = sql_text[SQL_INSERT_ONE];
		v[2] = ip_text(&c->ips[0], true, ip);
	}
	again_run(&db->again, sql, v, INSERT_VALUES, l, note_stamps, inserted, &at);
	rc = outcome_insert(&at, e);
	if (rc == STORE_DONE) {
		note_stamps(inserted, &at.rows);
		rc = outcome_all_recorded(at.rows.n, c, e);
	}
	if (rc == STORE_DONE)
		rc = outcome_refuse_hidden(&at.rows, e);
	attempt_free(&at);
	return rc;
}

static int db_look(void *context, const struct claim *c, const struct limit *l,
	struct holdings *out, struct err *e)
{
	struct database *db = context;
	scoped_text struct text ips = { 0 };
	char uptime[32];
	struct attempt at;
	int rc;

	ips_array(&ips, c->ips, c->n_ips, false);
	again_run(&db->again, sql_text[SQL_LOOK],
		(const char *[]){ c->by.network, text_get(&ips), c->by.node, c->by.host_id,
			c->by.pod, c->by.interface, c->boot_id, seconds(c->uptime, uptime) },
		8, l, NULL, NULL, &at);
	rc = outcome_done(&at, e);
	if (rc == STORE_DONE)
		rc = read_holdings(&at, out, e);
	attempt_free(&at);
	return rc;
}

static int db_confirm(void *context, const struct claim *c, const char *held, const struct limit *l,
	struct text *inserted, size_t *confirmed, struct err *e)
{
	struct database *db = context;
	scoped_text struct text ids = { 0 };
	struct attempt at;
	int rc;

	as_array(&ids, held);
	again_run(&db->again, sql_text[SQL_CONFIRM],
		(const char *[]){ text_get(&ids), c->boot_id, c->by.pod, c->by.interface }, 4, l,
		note_new_stamps, inserted, &at);
	rc = outcome_done(&at, e);
	if (rc == STORE_DONE) {
		*confirmed = at.rows.n;
		note_new_stamps(inserted, &at.rows);
		rc = outcome_refuse_hidden(&at.rows, e);
	}
	attempt_free(&at);
	return rc;
}

/* TAKE's new rows. */
static void note_taken(void *inserted, const struct rows *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (read_row_is(r, i, "new") && rows_get(r, i, 1))
			text_item(inserted, ",", rows_get(r, i, 1));
}

static int db_take(void *context, const struct claim *c, const char *stale, const struct limit *l,
	struct text *inserted, struct releases *out, struct err *e)
{
	struct database *db = context;
	scoped_text struct text ips = { 0 }, held = { 0 };
	const char *v[INSERT_VALUES + 2];
	char uptime[32];
	struct attempt at;
	int rc;

	insert_values(c, &ips, v);
	as_array(&held, stale);
	v[INSERT_VALUES] = text_get(&held);
	v[INSERT_VALUES + 1] = seconds(c->uptime, uptime);
	again_run(
		&db->again, sql_text[SQL_TAKE], v, INSERT_VALUES + 2, l, note_taken, inserted, &at);
	rc = outcome_insert(&at, e);
	if (rc == STORE_DONE) {
		note_taken(inserted, &at.rows);
		rc = outcome_all_recorded(read_count(&at.rows, "new"), c, e);
	}
	if (rc == STORE_DONE)
		rc = outcome_refuse_hidden(&at.rows, e);
	if (rc == STORE_DONE)
		rc = read_releases(&at, "gone", (struct read_columns){ 1, 2, 3, 4 }, out, e);
	attempt_free(&at);
	return rc;
}

static int db_release(void *context, const struct attachment *a, const char *inserted,
	const struct limit *l, struct err *e)
{
	struct database *db = context;
	scoped_text struct text array = { 0 };
	struct attempt at;
	int rc;

	as_array(&array, inserted);
	again_run(&db->again, sql_text[SQL_RELEASE],
		(const char *[]){ text_get(&array), a->pod, a->interface }, 3, l, NULL, NULL, &at);
	rc = outcome_done(&at, e);
	attempt_free(&at);
	return rc;
}

static int db_del(void *context, const struct attachment *a, const struct limit *l,
	struct releases *out, struct err *e)
{
	struct database *db = context;
	struct attempt at;
	int rc;

	again_run(&db->again, sql_text[SQL_DEL],
		(const char *[]){ a->network, a->node, a->host_id, a->pod, a->interface }, 5, l,
		NULL, NULL, &at);
	rc = outcome_done(&at, e);
	if (rc == STORE_DONE)
		rc = read_releases(&at, NULL, (struct read_columns){ 0, -1, -1, -1 }, out, e);
	attempt_free(&at);
	return rc;
}

static int db_gc(void *context, const struct gc_request *g, const struct limit *l,
	struct releases *out, struct err *e)
{
	struct database *db = context;
	char uptime[32], grace[32];
	struct attempt at;
	int rc;

	again_run(&db->again, sql_text[SQL_GC],
		(const char *[]){ g->network, g->node, g->host_id, g->valid, g->boot_id,
			seconds(g->uptime, uptime), seconds(g->grace, grace) },
		7, l, NULL, NULL, &at);
	rc = outcome_done(&at, e);
	if (rc == STORE_DONE)
		rc = read_releases(&at, "gone", (struct read_columns){ 3, 1, 2, -1 }, out, e);
	attempt_free(&at);
	return rc;
}

static int db_status(void *context, const struct limit *l, struct store_status *out, struct err *e)
{
	struct database *db = context;
	struct attempt at;
	int rc;

	again_run(&db->again, sql_text[SQL_STATUS], NULL, 0, l, NULL, NULL, &at);
	rc = outcome_done(&at, e);
	if (rc == STORE_DONE)
		read_status(&at.rows, out);
	attempt_free(&at);
	return rc;
}

static void db_close(void *context)
{
	struct database *db = context;

	link_close(&db->link);
	targets_free(&db->targets);
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

int store_open(
	const struct param *params, size_t n, struct log *log, struct store *out, struct err *e)
{
	struct database *db = calloc(1, sizeof(*db));

	if (!db)
		return err_set(e, CNI_IO, "out of memory");
	forget_environment();
	if (targets_of(params, n, &db->targets, e) < 0) {
		free(db);
		return -1;
	}
	db->again = (struct again){ .attempt = try_once,
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
