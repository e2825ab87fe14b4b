/*
 * The statements of ADD and CHECK, each with the function that runs it.
 *
 * In all of them: tables and functions are named with their schema, and operators have operands of
 * exactly the types that pg_catalog has an operator for, so that no search_path changes what they
 * mean. A statement that may wait locks rows in one order, so that two callers do not wait for each
 * other.
 */
#include "base/memory.h"
#include "store/database.h"

/* SQL is laid out by hand. */
/* clang-format off */

/* A row as it was written: whoever confirms it later changes xmin, and then it is not this call's to
 * release. */
#define ROW_VERSION "pg_catalog.concat(id, '@', xmin) AS row_version"

#define INTO(ip, position) \
	"INSERT INTO public.ips (pod_id, interface, ip, network, node, host_id, boot_id," \
	" pod_namespace, pod_name, pod_uid, position) " \
	"SELECT $1, $2, " ip ", $4, $5, $6, $7, $8, $9, $10, " position " "

/* The addresses of $3, sorted by host, so that two callers lock in one order. */
#define WANTED \
	"pg_catalog.unnest($3::pg_catalog.inet[]) WITH ORDINALITY AS w(ip, n) " \
	"WHERE " GUARD "ORDER BY pg_catalog.host(w.ip)::pg_catalog.inet "

/* ---- INSERT ---- */

/* $1 pod, $2 interface, $3 addresses, $4 network, $5 node, $6 host id, $7 boot id, $8 to $10 the pod's
 * namespace, name and uid. */
static const char INSERT[] =
	INTO("w.ip", "w.n")
	"FROM " WANTED
	"RETURNING " ROW_VERSION ", " WARNINGS;

/* The same with $3 one address: nearly every call, and half the work in a new server process. */
static const char INSERT_ONE[] =
	INTO("$3::pg_catalog.inet", "1")
	"WHERE " GUARD
	"RETURNING " ROW_VERSION ", " WARNINGS;

/* clang-format on */

#define INSERT_VALUES 10

/* $1 to $10 of INSERT and TAKE_OVER. */
static void insert_values(const struct reservation *c, const char **v)
{
	const struct node *node = c->by.node;

	v[0] = c->by.pod;
	v[1] = c->by.interface;
	v[2] = ip_array(c, true);
	v[3] = c->by.network;
	v[4] = node->name;
	v[5] = node->host_id;
	v[6] = node->boot_id;
	v[7] = c->pod_namespace;
	v[8] = c->pod_name;
	v[9] = c->pod_uid;
}

int database_insert(void *db, const struct reservation *c, const struct deadline *d,
		    struct row_ids *inserted, struct err *e)
{
	const char *v[INSERT_VALUES];
	struct statement s = { INSERT, v, INSERT_VALUES };
	struct rows rows;
	char ip[IP_TEXT];

	insert_values(c, v);
	if (c->addresses->n == 1) {
		s.sql = INSERT_ONE;
		v[2] = ip_text(&c->addresses->list[0].ip, true, ip);
	}
	return database_record(db, &s, d, c->addresses->n, inserted, &rows, e);
}

/* ---- FIND: who holds the addresses, and what the attachment holds ---- */

/* clang-format off */

/* $1 network, $2 addresses, $3 node, $4 host id, $5 pod, $6 interface, $7 boot id, $8 uptime. */
static const char FIND[] =
	"SELECT id, pg_catalog.host(ip) AS ip, pg_catalog.masklen(ip) AS prefix,"
	" pod_id, interface, node, created_on AS since, pod_namespace, pod_name,"
	" node = $3 AND host_id = $4 AS same_node,"
	" boot_id = $7 AS this_boot,"
	" " EARLIER("$7", "$8") " AS previous_boot,"
	" node = $3 AND host_id = $4 AND pod_id = $5 AND interface = $6 AS own "
	"FROM public.ips "
	"WHERE " GUARD "AND network = $1"
	" AND (pg_catalog.host(ip)::pg_catalog.inet = ANY ($2::pg_catalog.inet[])"
	" OR node = $3 AND host_id = $4 AND pod_id = $5 AND interface = $6) "
	"ORDER BY position, id";

/* clang-format on */

/* False where the schema would not allow such a row. */
static bool read_allocation(const struct rows *r, size_t i, struct allocation *out)
{
	const char *ip = rows_get(r, i, "ip"), *prefix = rows_get(r, i, "prefix");

	*out = (struct allocation){ .id = rows_get(r, i, "id"),
				    .pod = rows_get(r, i, "pod_id"),
				    .interface = rows_get(r, i, "interface"),
				    .node = rows_get(r, i, "node"),
				    .since = rows_get(r, i, "since"),
				    .pod_namespace = rows_get(r, i, "pod_namespace"),
				    .pod_name = rows_get(r, i, "pod_name"),
				    .same_node = cell_is_true(r, i, "same_node"),
				    .this_boot = cell_is_true(r, i, "this_boot"),
				    .previous_boot = cell_is_true(r, i, "previous_boot"),
				    .own = cell_is_true(r, i, "own") };
	return ip && prefix && out->id && out->pod && out->interface && out->node && out->since &&
	       ip_parse(mem_printf("%s/%s", ip, prefix), &out->ip);
}

int database_find(void *db, const struct reservation *c, const struct deadline *d,
		  struct allocations *out, struct err *e)
{
	const struct node *node = c->by.node;
	const char *const v[] = { c->by.network, ip_array(c, false),
				  node->name,    node->host_id,
				  c->by.pod,     c->by.interface,
				  node->boot_id, seconds(node->uptime(node)) };
	const struct statement s = { FIND, v, sizeof(v) / sizeof(*v) };
	struct rows r;

	*out = (struct allocations){ 0 };
	if (database_run(db, &s, d, NULL, NULL, &r, e) < 0)
		return STORE_FAILED;
	out->rows = mem_new(r.n * sizeof(*out->rows));
	for (; out->n < r.n; out->n++)
		if (!read_allocation(&r, out->n, &out->rows[out->n]))
			return err_set(e, CNI_TRY_AGAIN_LATER,
				       "the database returned a row that is not a valid "
				       "allocation");
	return STORE_DONE;
}

/* ---- CONFIRM: the attachment holds what it asks for already ---- */

/* clang-format off */

/* $1 ids that FIND returned, $2 boot id, $3 pod, $4 interface. */
static const char CONFIRM[] =
	"UPDATE public.ips SET boot_id = $2, created_on = pg_catalog.now() "
	"WHERE " GUARD "AND id = ANY ($1::pg_catalog.int8[]) AND pod_id = $3 AND interface = $4 "
	"RETURNING " ROW_VERSION ", " WARNINGS;

/* clang-format on */

/* What this process has inserted and confirmed now has new row versions. */
static void note_confirmed(void *inserted, const struct rows *r)
{
	struct row_ids *ids = inserted;

	if (!ids->n || !r->n)
		return;
	ids->n = 0;
	note_inserted(ids, r);
}

int database_confirm(void *db, const struct reservation *c, const struct row_ids *held,
		     const struct deadline *d, struct row_ids *inserted, size_t *confirmed,
		     struct err *e)
{
	const char *const v[] = { id_array(held), c->by.node->boot_id, c->by.pod, c->by.interface };
	const struct statement s = { CONFIRM, v, sizeof(v) / sizeof(*v) };
	struct rows r;

	if (database_run(db, &s, d, note_confirmed, inserted, &r, e) < 0)
		return STORE_FAILED;
	*confirmed = r.n;
	return refuse_hidden_warnings(&r, e);
}

/* ---- TAKE_OVER: whoever is in the way is of an earlier boot of this node ---- */

/* clang-format off */

/*
 * $1 to $10 as INSERT, $11 ids that FIND returned, $12 uptime.
 *
 * Counting makes the DELETE end before the INSERT begins. If a holder is alive, the INSERT is a unique
 * violation, and everything is undone with it. What else an old attachment holds stays its own, but one of
 * its rows needs position 1 again, since without one the attachment could get a second set. So all that it
 * holds is locked first, in one order; what is gone by then is no candidate, for two callers may take from
 * one attachment at once.
 */
static const char TAKE_OVER[] =
	"WITH locked AS ("
	"SELECT o.id, o.node, o.host_id, o.pod_id, o.interface, o.position "
	"FROM public.ips AS o JOIN ("
	"SELECT DISTINCT node, host_id, pod_id, interface FROM public.ips "
	"WHERE id = ANY ($11::pg_catalog.int8[])) AS old"
	" ON o.node = old.node AND o.host_id = old.host_id"
	" AND o.pod_id = old.pod_id AND o.interface = old.interface "
	"WHERE o.network = $4 "
	"ORDER BY o.id FOR UPDATE OF o"
	"), gone AS ("
	"DELETE FROM public.ips USING locked "
	"WHERE ips.id = locked.id AND ips.id = ANY ($11::pg_catalog.int8[]) AND " EARLIER("$7", "$12") " "
	"RETURNING ips.*"
	"), next AS ("
	"DELETE FROM public.ips USING ("
	"SELECT DISTINCT ON (o.node, o.host_id, o.pod_id, o.interface) o.id AS its "
	"FROM locked AS o JOIN gone"
	" ON o.node = gone.node AND o.host_id = gone.host_id"
	" AND o.pod_id = gone.pod_id AND o.interface = gone.interface "
	"WHERE gone.position = 1 AND o.position <> 1 AND o.id <> ALL ($11::pg_catalog.int8[]) "
	"ORDER BY o.node, o.host_id, o.pod_id, o.interface, o.position) AS left_over "
	"WHERE id = left_over.its "
	"RETURNING ips.*"
	"), first AS ("
	"INSERT INTO public.ips (id, pod_id, interface, ip, created_on, network, node, host_id,"
	" boot_id, pod_namespace, pod_name, pod_uid, position) "
	"SELECT id, pod_id, interface, ip, created_on, network, node, host_id,"
	" boot_id, pod_namespace, pod_name, pod_uid, 1 FROM next"
	"), new AS ("
	INTO("w.ip", "w.n")
	"FROM (SELECT pg_catalog.count(*) FROM gone) AS g CROSS JOIN " WANTED
	"RETURNING " ROW_VERSION
	") "
	"SELECT 'gone' AS kind, pg_catalog.host(ip) AS ip, pod_id, interface, boot_id, NULL AS row_version, " WARNINGS " FROM gone "
	"UNION ALL "
	"SELECT 'new', NULL, NULL, NULL, NULL, row_version, " WARNINGS " FROM new";

/* clang-format on */

int database_take_over(void *db, const struct reservation *c, const struct allocations *stale,
		       const struct deadline *d, struct row_ids *inserted,
		       struct released_rows *out, struct err *e)
{
	const char *v[INSERT_VALUES + 2];
	const struct statement s = { TAKE_OVER, v, INSERT_VALUES + 2 };
	struct row_ids ids = { 0 };
	struct rows r;
	int rc;

	insert_values(c, v);
	for (size_t i = 0; i < stale->n; i++)
		row_ids_add(&ids, stale->rows[i].id);
	v[INSERT_VALUES] = id_array(&ids);
	v[INSERT_VALUES + 1] = seconds(c->by.node->uptime(c->by.node));
	rc = database_record(db, &s, d, c->addresses->n, inserted, &r, e);
	if (rc == STORE_DONE)
		note_released(out, &r);
	return rc;
}

/* ---- RELEASE: the answer of an ADD could not be given ---- */

/* clang-format off */

/* $1 row versions, $2 pod, $3 interface. */
static const char RELEASE[] =
	"DELETE FROM public.ips USING pg_catalog.unnest($1::pg_catalog.text[]) AS w(row_version) "
	"WHERE id = pg_catalog.split_part(w.row_version, '@', 1)::pg_catalog.int8"
	" AND pg_catalog.concat(id, '@', xmin) = w.row_version AND pod_id = $2 AND interface = $3";

/* clang-format on */

int database_release(void *db, const struct attachment *a, const struct row_ids *inserted,
		     const struct deadline *d, struct err *e)
{
	const char *const v[] = { id_array(inserted), a->pod, a->interface };
	const struct statement s = { RELEASE, v, sizeof(v) / sizeof(*v) };
	struct rows r;

	return database_run(db, &s, d, NULL, NULL, &r, e);
}

const struct sql sql_add[] = {
	{ "INSERT", INSERT },   { "INSERT_ONE", INSERT_ONE }, { "FIND", FIND },
	{ "CONFIRM", CONFIRM }, { "TAKE_OVER", TAKE_OVER },   { "RELEASE", RELEASE },
	{ NULL, NULL },
};
