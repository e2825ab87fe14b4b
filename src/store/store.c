#include "store/store.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/again.h"
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

/* ---- what came back, as an error ---- */

static int failed(const struct attempt *at, struct err *e)
{
	if (at->outcome == ATTEMPT_INVALID)
		return err_set(e, CNI_CONFIG, "invalid database parameters in ipam: %s", at->text);
	if (at->ended == LIMIT_ABANDONED)
		return err_set(e, CNI_AGAIN, "given up: %s", limit_why(LIMIT_ABANDONED));
	if (at->outcome == ATTEMPT_NOT_SENT && at->sqlstate[0])
		return err_set(e, CNI_AGAIN, "the database refuses the connection: %s", at->text);
	if (at->outcome == ATTEMPT_NOT_SENT)
		return err_set(e, CNI_AGAIN, "database unreachable: %s", at->text);
	if (at->outcome != ATTEMPT_REFUSED)
		return err_set(e, CNI_AGAIN,
			"the database has not confirmed, the outcome is unknown: %s", at->text);
	err_set(e, CNI_AGAIN, "the database refused: %s", at->text);
	if (strcmp(at->sqlstate, "42P01") == 0 || strcmp(at->sqlstate, "42703") == 0)
		err_details(e,
			"SQLSTATE %s: the schema is missing or older than this build: run "
			"sql/migrate.sh",
			at->sqlstate);
	else if (strcmp(at->sqlstate, "22012") == 0) /* the guard in sql.c */
		err_set(e, CNI_AGAIN,
			"the database's schema does not work with this build (schema %d): run "
			"sql/migrate.sh, or install the plugins that belong to it",
			STORE_SCHEMA);
	else if (strcmp(at->sqlstate, "42501") == 0)
		err_details(e, "SQLSTATE 42501: the role lacks a right: run sql/provision.sh");
	else if (at->sqlstate[0])
		err_details(e, "SQLSTATE %s", at->sqlstate);
	return -1;
}

static int judged(const struct attempt *at, struct err *e)
{
	return at->outcome == ATTEMPT_DONE ? STORE_DONE : failed(at, e);
}

/* For what inserts: a unique violation is an answer. From any other statement it could only be a
 * trigger's. */
static int judged_insert(const struct attempt *at, struct err *e)
{
	if (at->outcome == ATTEMPT_REFUSED && strcmp(at->sqlstate, "23505") == 0)
		return STORE_TAKEN;
	return judged(at, e);
}

/* A trigger or a rule may keep rows away without an error. */
static int all_recorded(size_t recorded, const struct claim *c, struct err *e)
{
	if (recorded == c->n_ips)
		return STORE_DONE;
	err_set(e, CNI_AGAIN, "the database recorded %zu of %zu addresses", recorded, c->n_ips);
	return err_details(e, "is there a trigger or a rule on the table ips?");
}

/* Every statement that writes says the server's client_min_messages in its last column. */
static bool hides_warnings(const struct rows *r)
{
	const char *level = r->columns ? rows_get(r, 0, r->columns - 1) : NULL;

	return level && (strcmp(level, "error") == 0 || strcmp(level, "fatal") == 0 ||
				strcmp(level, "panic") == 0);
}

static int refuse_hidden_warnings(const struct rows *r, struct err *e)
{
	if (!hides_warnings(r))
		return STORE_DONE;
	err_set(e, CNI_AGAIN,
		"the server hides warnings (client_min_messages), so nobody could tell a commit "
		"that was not replicated");
	return err_details(
		e, "set client_min_messages to warning or lower for this role and database");
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
	struct attempt at;
	int rc;

	insert_values(c, &ips, v);
	again_run(
		&db->again, sql_text[SQL_INSERT], v, INSERT_VALUES, l, note_stamps, inserted, &at);
	rc = judged_insert(&at, e);
	if (rc == STORE_DONE) {
		note_stamps(inserted, &at.rows);
		rc = all_recorded(at.rows.n, c, e);
	}
	if (rc == STORE_DONE)
		rc = refuse_hidden_warnings(&at.rows, e);
	attempt_free(&at);
	return rc;
}

static bool is_true(const struct rows *r, size_t row, size_t column)
{
	const char *v = rows_get(r, row, column);

	return v && v[0] == 't';
}

/* False where the row is none that the schema allows. */
static bool read_holding(const struct rows *r, size_t i, struct holding *h)
{
	char address[IP_TEXT];

	for (size_t column = 0; column <= 6; column++)
		if (!rows_get(r, i, column))
			return false;
	*h = (struct holding){ .id = rows_get(r, i, 0),
		.pod = rows_get(r, i, 3),
		.interface = rows_get(r, i, 4),
		.node = rows_get(r, i, 5),
		.since = rows_get(r, i, 6),
		.pod_namespace = rows_get(r, i, 7),
		.pod_name = rows_get(r, i, 8),
		.here = is_true(r, i, 9),
		.this_boot = is_true(r, i, 10),
		.earlier = is_true(r, i, 11),
		.mine = is_true(r, i, 12) };
	snprintf(address, sizeof(address), "%s/%s", rows_get(r, i, 1), rows_get(r, i, 2));
	return ip_parse(address, &h->ip);
}

static int read_holdings(struct attempt *at, struct holdings *out, struct err *e)
{
	const struct rows *r = &at->rows;

	*out = (struct holdings){ .rows = calloc(r->n + 1, sizeof(*out->rows)), .n = r->n };
	if (!out->rows)
		return err_set(e, CNI_IO, "out of memory");
	for (size_t i = 0; i < r->n; i++) {
		if (!read_holding(r, i, &out->rows[i])) {
			holdings_free(out);
			return err_set(e, CNI_AGAIN, "the database answered what is no allocation");
		}
	}
	out->memory = at->rows.cells; /* changes hands */
	at->rows = (struct rows){ 0 };
	return 0;
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
	rc = judged(&at, e);
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
	rc = judged(&at, e);
	if (rc == STORE_DONE) {
		*confirmed = at.rows.n;
		note_new_stamps(inserted, &at.rows);
		rc = refuse_hidden_warnings(&at.rows, e);
	}
	attempt_free(&at);
	return rc;
}

/* TAKE and GC answer with rows of two kinds, which column 0 tells apart. */
static bool row_is(const struct rows *r, size_t row, const char *kind)
{
	const char *v = rows_get(r, row, 0);

	return v && strcmp(v, kind) == 0;
}

/* TAKE's new rows. */
static void note_taken(void *inserted, const struct rows *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (row_is(r, i, "new") && rows_get(r, i, 1))
			text_item(inserted, ",", rows_get(r, i, 1));
}

static size_t count_rows(const struct rows *r, const char *kind)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		n += row_is(r, i, kind);
	return n;
}

/* Where a statement says what it has released. -1: it does not say. */
struct columns {
	int ip, pod, interface, boot_id;
};

static const char *cell(const struct rows *r, size_t row, int column)
{
	const char *v = column < 0 ? NULL : rows_get(r, row, (size_t)column);

	return v || column < 0 ? v : "";
}

static int read_releases(
	struct attempt *at, const char *kind, struct columns c, struct releases *out, struct err *e)
{
	const struct rows *r = &at->rows;

	*out = (struct releases){ .rows = calloc(r->n + 1, sizeof(*out->rows)) };
	if (!out->rows)
		return err_set(e, CNI_IO, "out of memory");
	out->hides_warnings = hides_warnings(r);
	for (size_t i = 0; i < r->n; i++) {
		if (kind && row_is(r, i, "twin")) {
			out->twin_pod = cell(r, i, 1);
			out->twin_interface = cell(r, i, 2);
			out->twin_count = cell(r, i, 3);
		}
		if (kind && !row_is(r, i, kind))
			continue;
		out->rows[out->n++] = (struct release){ .ip = cell(r, i, c.ip),
			.pod = cell(r, i, c.pod),
			.interface = cell(r, i, c.interface),
			.boot_id = cell(r, i, c.boot_id) };
	}
	out->memory = at->rows.cells; /* changes hands */
	at->rows = (struct rows){ 0 };
	return 0;
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
	rc = judged_insert(&at, e);
	if (rc == STORE_DONE) {
		note_taken(inserted, &at.rows);
		rc = all_recorded(count_rows(&at.rows, "new"), c, e);
	}
	if (rc == STORE_DONE)
		rc = refuse_hidden_warnings(&at.rows, e);
	if (rc == STORE_DONE)
		rc = read_releases(&at, "gone", (struct columns){ 1, 2, 3, 4 }, out, e);
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
	rc = judged(&at, e);
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
	rc = judged(&at, e);
	if (rc == STORE_DONE)
		rc = read_releases(&at, NULL, (struct columns){ 0, -1, -1, -1 }, out, e);
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
	rc = judged(&at, e);
	if (rc == STORE_DONE)
		rc = read_releases(&at, "gone", (struct columns){ 3, 1, 2, -1 }, out, e);
	attempt_free(&at);
	return rc;
}

static int number(const struct rows *r, size_t column)
{
	const char *v = rows_get(r, 0, column);
	long n = v ? strtol(v, NULL, 10) : -1;

	return n >= 0 && n <= INT_MAX ? (int)n : -1;
}

static int db_status(void *context, const struct limit *l, struct store_status *out, struct err *e)
{
	struct database *db = context;
	struct attempt at;
	int rc;

	again_run(&db->again, sql_text[SQL_STATUS], NULL, 0, l, NULL, NULL, &at);
	rc = judged(&at, e);
	if (rc == STORE_DONE)
		*out = (struct store_status){ .read_only = is_true(&at.rows, 0, 0),
			.version = number(&at.rows, 1),
			.works_with = number(&at.rows, 2),
			.may_write = is_true(&at.rows, 0, 3),
			.hides_warnings = hides_warnings(&at.rows) };
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

void holdings_free(struct holdings *h)
{
	free(h->rows);
	free(h->memory);
	*h = (struct holdings){ 0 };
}

void releases_free(struct releases *r)
{
	free(r->rows);
	free(r->memory);
	*r = (struct releases){ 0 };
}
