/*
 * A store in PostgreSQL: what its statements (store_add.c, store_free.c, store_pick.c) have in
 * common. A statement is run until its outcome is final, and what that means is said in words here.
 */
#include "store/store.h"

#ifdef __GLIBC__
#include <nss.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "store/connect.h"
#include "store/database.h"

/* ---- what a statement came to ---- */

static int why_failed(const struct query_result *q, struct err *e)
{
	if (q->outcome == QUERY_BAD_PARAMS)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "invalid database parameters in ipam: %s", q->text);
	if (q->ended == WAIT_CANCELLED)
		return err_set(e, CNI_TRY_AGAIN_LATER, "given up: %s", wait_reason(WAIT_CANCELLED));
	if (q->outcome == QUERY_NOT_SENT && q->sqlstate[0])
		return err_set(e, CNI_TRY_AGAIN_LATER, "the database refuses the connection: %s",
			       q->text);
	if (q->outcome == QUERY_NOT_SENT)
		return err_set(e, CNI_TRY_AGAIN_LATER, "database unreachable: %s", q->text);
	if (q->outcome != QUERY_REJECTED)
		return err_set(e, CNI_TRY_AGAIN_LATER,
			       "the database has not confirmed, the outcome is unknown: %s",
			       q->text);
	if (strcmp(q->sqlstate, GUARD_SQLSTATE) == 0)
		return err_set(e, CNI_TRY_AGAIN_LATER,
			       "the database's schema does not work with this build (schema %d): "
			       "run sql/migrate.sh, or install the plugins that belong to it",
			       STORE_SCHEMA);
	if (strcmp(q->constraint, "ips_pkey") == 0) {
		err_set(e, CNI_TRY_AGAIN_LATER,
			"the database hands out ids that are taken: the sequence of ips.id is "
			"behind its rows");
		return err_details(e, "run sql/migrate.sh, which sets it right");
	}
	err_set(e, CNI_TRY_AGAIN_LATER, "the database refused: %s", q->text);
	if (strcmp(q->sqlstate, "42P01") == 0 || strcmp(q->sqlstate, "42703") == 0)
		err_details(e,
			    "SQLSTATE %s: the schema is missing or older than this build: run "
			    "sql/migrate.sh",
			    q->sqlstate);
	else if (strcmp(q->sqlstate, "42501") == 0)
		err_details(e, "SQLSTATE 42501: the role lacks a right: run sql/provision.sh");
	else if (q->constraint[0])
		err_details(e, "SQLSTATE %s (%s)", q->sqlstate, q->constraint);
	else if (q->sqlstate[0])
		err_details(e, "SQLSTATE %s", q->sqlstate);
	return STORE_FAILED;
}

static int failed(const struct database *db, const struct query_result *q, struct err *e)
{
	const struct query_result *given_up = &db->retry.given_up;
	struct err earlier;

	why_failed(q, e);
	if (given_up->text[0] && strcmp(given_up->text, q->text) != 0) {
		why_failed(given_up, &earlier);
		err_details(e, "a host that was given up: %s", earlier.msg);
		err_details(e, "%s", earlier.details);
	}
	return STORE_FAILED;
}

void use_clocks(struct database *db, const struct node *node, int64_t started)
{
	db->node = node;
	db->started = started;
}

/* Called before each try: tries may be seconds apart, and by the clocks of the first one, what was
 * recorded in the first seconds of this life would count as left by an earlier one. */
static void read_clocks(void *context)
{
	struct database *db = context;
	double since = (double)(monotonic_now() - db->started) / 1e9;

	snprintf(db->uptime, sizeof(db->uptime), "%.3f",
		 db->node && db->node->uptime ? db->node->uptime(db->node) : 0);
	snprintf(db->since, sizeof(db->since), "%.3f", since);
}

static void run(struct database *db, const struct statement *s, const struct deadline *d,
		rows_fn *note, void *context, struct query_result *out)
{
	struct statement timed = *s;

	timed.refresh = read_clocks;
	timed.context = db;
	retry_run(&db->retry, &timed, d, note, context, out);
	if (out->outcome == QUERY_OK && note)
		note(context, &out->rows);
}

int database_run(struct database *db, const struct statement *s, const struct deadline *d,
		 rows_fn *note, void *context, struct rows *rows, struct err *e)
{
	struct query_result q;

	run(db, s, d, note, context, &q);
	*rows = q.rows;
	return q.outcome == QUERY_OK ? STORE_DONE : failed(db, &q, e);
}

static size_t count_recorded(const struct rows *r)
{
	size_t recorded = 0;

	for (size_t i = 0; i < r->n; i++)
		recorded += rows_get(r, i, "row_version") != NULL;
	return recorded;
}

/* A trigger or a rule can silently drop rows. */
static int all_recorded(size_t recorded, size_t n, struct err *e)
{
	if (recorded == n)
		return STORE_DONE;
	err_set(e, CNI_TRY_AGAIN_LATER, "the database recorded %zu of %zu addresses", recorded, n);
	return err_details(e, "is there a trigger or a rule on the table ips?");
}

/* These two indexes say who holds an address and what an attachment holds. Looking at the rows does
 * not help with any other (a sequence that is behind its rows, for one). */
static bool is_conflict(const struct query_result *q)
{
	return q->outcome == QUERY_REJECTED && strcmp(q->sqlstate, "23505") == 0 &&
	       (strcmp(q->constraint, "ips_one_holder") == 0 ||
		strcmp(q->constraint, "ips_attachment") == 0);
}

struct recorded {
	struct row_ids *inserted;
	struct released_rows *released;
};

static void note_recorded(void *context, const struct rows *r)
{
	const struct recorded *to = context;

	note_inserted(to->inserted, r);
	if (to->released)
		note_released(to->released, r);
}

int database_record(struct database *db, const struct statement *s, const struct deadline *d,
		    const struct reservation *c, struct row_ids *inserted,
		    struct released_rows *released, struct rows *rows, struct err *e)
{
	struct recorded to = { inserted, released };
	struct query_result q;
	size_t recorded;

	run(db, s, d, note_recorded, &to, &q);
	*rows = q.rows;
	if (is_conflict(&q))
		return STORE_CONFLICT;
	if (q.outcome != QUERY_OK)
		return failed(db, &q, e);
	recorded = count_recorded(rows);
	if (c->searches && !released && recorded == 0)
		return STORE_NOTHING;
	if (all_recorded(recorded, c->addresses->n, e) < 0)
		return STORE_FAILED;
	return refuse_hidden_warnings(rows, e);
}

bool hides_warnings(const struct rows *r)
{
	const char *level = rows_get(r, r->n - 1, "warnings");

	return level && (strcmp(level, "error") == 0 || strcmp(level, "fatal") == 0 ||
			 strcmp(level, "panic") == 0);
}

int refuse_hidden_warnings(const struct rows *r, struct err *e)
{
	if (!hides_warnings(r))
		return STORE_DONE;
	err_set(e, CNI_TRY_AGAIN_LATER,
		"the server hides warnings (client_min_messages), so nobody could tell a commit "
		"that was not replicated");
	return err_details(
		e, "set client_min_messages to warning or lower for this role and database");
}

bool cell_is_true(const struct rows *r, size_t row, const char *column)
{
	const char *v = rows_get(r, row, column);

	return v && v[0] == 't';
}

/* ---- lists ---- */

void allocations_add(struct allocations *all, const struct allocation *row)
{
	all->rows = mem_grow(all->rows, all->n * sizeof(*row), (all->n + 1) * sizeof(*row));
	all->rows[all->n++] = *row;
}

void row_ids_add(struct row_ids *ids, const char *id)
{
	ids->list = mem_grow_list(ids->list, ids->n, sizeof(*ids->list));
	ids->list[ids->n++] = id;
}

void note_inserted(void *inserted, const struct rows *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (rows_get(r, i, "row_version"))
			row_ids_add(inserted, rows_get(r, i, "row_version"));
}

bool row_is(const struct rows *r, size_t row, const char *kind)
{
	const char *v = rows_get(r, row, "kind");

	return v && strcmp(v, kind) == 0;
}

const char *or_empty(const char *text)
{
	return text ? text : "";
}

static void note_what_stays(const char *kind, const struct rows *r, struct staying *out)
{
	double youngest = 0;

	*out = (struct staying){ 0 };
	for (size_t i = 0; i < r->n; i++) {
		double recorded;

		if (!row_is(r, i, kind))
			continue;
		out->n++;
		recorded = strtod(or_empty(rows_get(r, i, "epoch")), NULL);
		if (out->n > 1 && recorded <= youngest)
			continue;
		youngest = recorded;
		out->pod = rows_get(r, i, "pod_id");
		out->interface = rows_get(r, i, "interface");
		out->node = rows_get(r, i, "node");
		out->host_id = rows_get(r, i, "host_id");
		out->since = rows_get(r, i, "since");
	}
}

void note_released(void *released, const struct rows *r)
{
	struct released_rows *out = released;

	out->rows = mem_grow(out->rows, out->n * sizeof(*out->rows),
			     (out->n + r->n) * sizeof(*out->rows));
	for (size_t i = 0; i < r->n; i++)
		if (row_is(r, i, "gone"))
			out->rows[out->n++] =
				(struct released){ .ip = or_empty(rows_get(r, i, "ip")),
						   .pod = rows_get(r, i, "pod_id"),
						   .interface = rows_get(r, i, "interface"),
						   .boot_id = rows_get(r, i, "boot_id"),
						   .pod_namespace = rows_get(r, i, "pod_namespace"),
						   .pod_name = rows_get(r, i, "pod_name") };
	note_what_stays("duplicate", r, &out->duplicate);
	note_what_stays("renamed", r, &out->renamed);
	note_what_stays("reinstalled", r, &out->reinstalled);
	out->hides_warnings |= hides_warnings(r);
}

const char *ip_array(const struct reservation *c, bool with_prefix)
{
	struct strbuf all = { 0 };
	char text[IP_TEXT];

	for (size_t i = 0; i < c->addresses->n; i++)
		strbuf_join(&all, ",", ip_text(&c->addresses->list[i].ip, with_prefix, text));
	return mem_printf("{%s}", strbuf_str(&all));
}

const char *id_array(const struct row_ids *ids)
{
	struct strbuf all = { 0 };

	for (size_t i = 0; i < ids->n; i++)
		strbuf_join(&all, ",", ids->list[i]);
	return mem_printf("{%s}", strbuf_str(&all));
}

const char *seconds(double s)
{
	return mem_printf("%.3f", s);
}

/* ---- opening and closing ---- */

static bool has_column(const struct rows *r, const char *name)
{
	for (size_t i = 0; i < r->columns; i++)
		if (strcmp(r->names[i], name) == 0)
			return true;
	return false;
}

static void query(void *context, size_t host, double connect_seconds, const struct statement *s,
		  const struct deadline *deadline, struct query_result *out)
{
	struct database *db = context;

	query_run(&db->connection, &db->hosts, host, connect_seconds, s, deadline, out);
	if (out->outcome == QUERY_OK && has_column(&out->rows, "said") &&
	    !rows_get(&out->rows, 0, "said")) {
		out->outcome = QUERY_REJECTED;
		snprintf(out->sqlstate, sizeof(out->sqlstate), "25006");
		snprintf(out->text, sizeof(out->text), "the server is read-only");
	}
}

static size_t known(void *context, size_t besides, const struct deadline *d)
{
	struct database *db = context;

	if (!db->hosts.names)
		hosts_ask(&db->hosts);
	return hosts_known(&db->hosts, besides, d);
}

static void database_close(void *context)
{
	struct database *db = context;

	connection_close(&db->connection);
	hosts_end(&db->hosts);
}

/* A shared libpq may be older than the one that was built with. Up to version 14 it asks the system
 * for the caller's home directory and not HOME: files in there would decide which database is used.
 */
static int check_libpq(struct err *e)
{
	if (PQlibVersion() >= 150000)
		return 0;
	return err_set(e, CNI_TRY_AGAIN_LATER,
		       "the libpq of this system is version %d, and 15 or newer is needed",
		       PQlibVersion() / 10000);
}

/*
 * Forgets PG* variables, the caller's home directory, and what steers the resolver or OpenSSL. The
 * time zone stays, for the log. A service file has to exist, or libpq does not look into the
 * system-wide one. The host's file for OpenSSL may name modules: see use_no_modules.
 */
static void set_environment(void)
{
	const char *zone = getenv("TZ");
	const char *kept = zone ? mem_strdup(zone) : NULL;

	clearenv();
	if (kept)
		setenv("TZ", kept, 1);
	setenv("HOME", "/nonexistent", 1);
	setenv("PGSERVICEFILE", "/dev/null", 1);
	setenv("OPENSSL_CONF", "/dev/null", 1);
}

/*
 * Names come from files and DNS only. The host's nsswitch.conf may name modules, and the
 * self-contained executable would load them together with the host's C library: it crashes in there
 * where that is another version. Users are looked up by libpq, for a service's file.
 */
static void use_no_modules(void)
{
#ifdef __GLIBC__
	__nss_configure_lookup("hosts", "files dns");
	__nss_configure_lookup("passwd", "files");
#endif
}

int store_open(const cJSON *ipam, const char *application_name, struct log *log, struct store *out,
	       struct err *e)
{
	struct database *db = mem_new(sizeof(*db));

	set_environment();
	use_no_modules();
	if (check_libpq(e) < 0 || db_hosts_read(ipam, application_name, &db->hosts, e) < 0)
		return -1;
	db->hosts.log = log;
	db->retry = (struct retry){ .query = query,
				    .known = known,
				    .context = db,
				    .connect_timeout = db->hosts.connect_timeout,
				    .log = log };
	*out = (struct store){ .context = db,
			       .insert = database_insert,
			       .pick = database_pick,
			       .find_free = database_find_free,
			       .find_holder = database_find_holder,
			       .find = database_find,
			       .confirm = database_confirm,
			       .take_over = database_take_over,
			       .release = database_release,
			       .del = database_del,
			       .gc = database_gc,
			       .status = database_status,
			       .find_full = database_find_full,
			       .close = database_close };
	return 0;
}
