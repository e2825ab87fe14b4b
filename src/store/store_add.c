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

/* The addresses of $3, sorted by host, so that two callers lock in one order. */
#define WANTED \
	"pg_catalog.unnest($3::pg_catalog.inet[]) WITH ORDINALITY AS w(ip, n) " \
	"WHERE " GUARD "ORDER BY pg_catalog.host(w.ip)::pg_catalog.inet "

/* ---- INSERT ---- */

/* $1 pod, $2 interface, $3 addresses, $4 network, $5 node, $6 host id, $7 boot id, $8 to $10 the pod's
 * namespace, name and uid, $11 machine. */
static const char INSERT[] =
	INTO("w.ip", "w.n")
	"FROM " WANTED
	"RETURNING " ROW_VERSION ", " WARNINGS;

/* The same with $3 one address: nearly every call, and half the work in a new server process. */
static const char INSERT_ONE[] =
	INTO("$3::pg_catalog.inet", "1")
	"WHERE " GUARD
	"RETURNING " ROW_VERSION ", " WARNINGS;

/*
 * The first try of a pick. A place that is taken is nothing special there: it is no row instead of an error,
 * which would leave lines in the server's log and a dead row. Any other violation stays an error.
 */
static const char INSERT_ONE_IF_FREE[] =
	INTO("$3::pg_catalog.inet", "1")
	"WHERE " GUARD
	"ON CONFLICT (network, (pg_catalog.host(ip)::pg_catalog.inet)) DO NOTHING "
	"RETURNING " ROW_VERSION ", " WARNINGS;

/* The same for several: all or none. $12 the hosts of $3. */
static const char INSERT_IF_FREE[] =
	INTO("w.ip", "w.n")
	"FROM pg_catalog.unnest($3::pg_catalog.inet[]) WITH ORDINALITY AS w(ip, n) "
	"WHERE " GUARD "AND NOT EXISTS (SELECT FROM public.ips AS q"
	" WHERE q.network = $4 AND pg_catalog.host(q.ip)::pg_catalog.inet = ANY ($12::pg_catalog.inet[])) "
	"ORDER BY pg_catalog.host(w.ip)::pg_catalog.inet "
	"RETURNING " ROW_VERSION ", " WARNINGS;

/* clang-format on */

/* $1 to $11 of INSERT and TAKE_OVER. */
void insert_values(const struct reservation *c, const char **v)
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
	v[10] = or_empty(node->machine);
}

int database_insert(void *db, const struct reservation *c, const struct deadline *d,
		    struct row_ids *inserted, struct err *e)
{
	const char *v[INSERT_VALUES + 1];
	struct statement s = { INSERT, v, INSERT_VALUES };
	struct rows rows;
	char ip[IP_TEXT];

	insert_values(c, v);
	if (c->addresses->n == 1) {
		s.sql = c->searches ? INSERT_ONE_IF_FREE : INSERT_ONE;
		v[2] = ip_text(&c->addresses->list[0].ip, true, ip);
	} else if (c->searches) {
		s.sql = INSERT_IF_FREE;
		s.n = INSERT_VALUES + 1;
		v[INSERT_VALUES] = ip_array(c, false);
	}
	return database_record(db, &s, d, c, inserted, NULL, &rows, e);
}

/* ---- FIND: who holds the addresses, and what the attachment holds ---- */

/* clang-format off */

/* What the pod that asks has left in the network: in an earlier boot under its name, or by an older sandbox. */
#define LEFT_BY_POD \
	"node = $3 AND host_id = $4 AND interface = $6 AND (" \
	EARLIER("$7", "$8", "$9") " AND pod_name = $13 AND COALESCE(pod_namespace, '') = COALESCE($12, '')" \
	" OR " SAME_POD("$14", "$6", "$5", "$11", "$9") ")"

/* $1 network, $2 addresses, $3 node, $4 host id, $5 pod, $6 interface, $7 boot id, $8 uptime, $9 machine, $10 the
 * pod's uid, $11 seconds since the call began, $12 to $14 the pod's namespace, name and uid where something is
 * picked: then what the pod has left counts too. It writes, since errors are said on its word; where it must
 * not, `said` is NULL. There is a row in any case. */
static const char FIND[] =
	"WITH seen AS MATERIALIZED ("
	"SELECT id, position, pg_catalog.host(ip) AS ip, pg_catalog.masklen(ip) AS prefix,"
	" pod_id, interface, node, host_id, LEAST(created_on, held_since) AS since, pod_namespace, pod_name,"
	" node = $3 AND host_id = $4 AS same_node,"
	" boot_id = $7 AS this_boot,"
	" " EARLIER("$7", "$8", "$9") " AS previous_boot,"
	" " OTHER_MACHINE("$7", "$9") " AS other_machine,"
	" node = $3 AND host_id = $4 AND " SAME_POD("$10", "$6", "$5", "$11", "$9") " AS same_pod,"
	" node = $3 AND host_id = $4 AND pod_id = $5 AND interface = $6"
	" AND NOT (" OTHER_MACHINE("$7", "$9") ") AS own,"
	" " LEFT_BY_POD " AS left_by_pod "
	"FROM public.ips "
	"WHERE " GUARD "AND network = $1"
	" AND (pg_catalog.host(ip)::pg_catalog.inet = ANY ($2::pg_catalog.inet[])"
	" OR node = $3 AND host_id = $4 AND pod_id = $5 AND interface = $6"
	" OR " LEFT_BY_POD ")"
	") "
	"SELECT w.said, seen.* "
	"FROM (SELECT CASE WHEN " READ_ONLY " THEN NULL ELSE " WRITE " END AS said) AS w "
	"LEFT JOIN seen ON true "
	"ORDER BY seen.position, seen.id";

/* clang-format on */

/* False where the schema would not allow such a row. */
static bool read_allocation(const struct rows *r, size_t i, struct allocation *out)
{
	const char *ip = rows_get(r, i, "ip"), *prefix = rows_get(r, i, "prefix");

	*out = (struct allocation){ .id = rows_get(r, i, "id"),
				    .pod = rows_get(r, i, "pod_id"),
				    .interface = rows_get(r, i, "interface"),
				    .node = rows_get(r, i, "node"),
				    .host_id = rows_get(r, i, "host_id"),
				    .since = rows_get(r, i, "since"),
				    .pod_namespace = rows_get(r, i, "pod_namespace"),
				    .pod_name = rows_get(r, i, "pod_name"),
				    .same_node = cell_is_true(r, i, "same_node"),
				    .this_boot = cell_is_true(r, i, "this_boot"),
				    .previous_boot = cell_is_true(r, i, "previous_boot"),
				    .other_machine = cell_is_true(r, i, "other_machine"),
				    .same_pod = cell_is_true(r, i, "same_pod"),
				    .own = cell_is_true(r, i, "own"),
				    .left_by_pod = cell_is_true(r, i, "left_by_pod") };
	return ip && prefix && out->id && out->pod && out->interface && out->node && out->host_id &&
	       out->since && ip_parse(mem_printf("%s/%s", ip, prefix), &out->ip);
}

int database_find(void *context, const struct reservation *c, const struct deadline *d,
		  struct allocations *out, struct err *e)
{
	struct database *db = context;
	const struct node *node = c->by.node;
	const bool picks = c->searches != NULL;
	const char *const v[] = { c->by.network,
				  ip_array(c, false),
				  node->name,
				  node->host_id,
				  c->by.pod,
				  c->by.interface,
				  node->boot_id,
				  db->uptime,
				  or_empty(node->machine),
				  c->pod_uid,
				  db->since,
				  picks ? c->pod_namespace : NULL,
				  picks ? c->pod_name : NULL,
				  picks ? c->pod_uid : NULL };
	const struct statement s = { FIND, v, sizeof(v) / sizeof(*v) };
	struct rows r;

	*out = (struct allocations){ 0 };
	use_clocks(db, node, c->started);
	if (database_run(db, &s, d, NULL, NULL, &r, e) < 0)
		return STORE_FAILED;
	if (r.n == 1 && !rows_get(&r, 0, "id") && !rows_get(&r, 0, "pod_id")) /* none was found */
		return STORE_DONE;
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

/*
 * $1 ids that FIND returned, $2 boot id, $3 network, $4 node, $5 host id, $6 pod, $7 interface, $8 machine.
 *
 * All or none: the rows are locked first, and written only if all of them are there. Since when the address is
 * held (held_since) stays as it is. The ids alone would not do, here and in the statements below: after a
 * failover that lost rows they are handed out again.
 */
static const char CONFIRM[] =
	"WITH held AS MATERIALIZED ("
	"SELECT id FROM public.ips "
	"WHERE " GUARD "AND id = ANY ($1::pg_catalog.int8[]) AND network = $3 AND node = $4 AND host_id = $5"
	" AND pod_id = $6 AND interface = $7 AND NOT (" OTHER_MACHINE("$2", "$8") ") "
	"ORDER BY id FOR UPDATE"
	") "
	"UPDATE public.ips SET boot_id = $2, machine = $8, created_on = pg_catalog.now() "
	"WHERE id IN (SELECT id FROM held)"
	" AND (SELECT pg_catalog.count(*) FROM held) = pg_catalog.cardinality($1::pg_catalog.int8[]) "
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
	const struct node *node = c->by.node;
	const char *const v[] = { id_array(held),  node->boot_id,          c->by.network,
				  node->name,      node->host_id,          c->by.pod,
				  c->by.interface, or_empty(node->machine) };
	const struct statement s = { CONFIRM, v, sizeof(v) / sizeof(*v) };
	struct rows r;

	if (database_run(db, &s, d, note_confirmed, inserted, &r, e) < 0)
		return STORE_FAILED;
	*confirmed = r.n;
	return refuse_hidden_warnings(&r, e);
}

/* ---- TAKE_OVER: an earlier boot of this node, or an older sandbox of this pod, is in the way ----
 */

/* clang-format off */

/*
 * $1 to $11 as INSERT, $12 ids that FIND returned and $13 their addresses, $14 uptime, $15 seconds since the call
 * began.
 *
 * Counting makes the DELETE end before the INSERT begins. If a holder is alive, the INSERT is a unique
 * violation, and everything is undone with it. What else an old attachment holds stays its own, but one of
 * its rows needs position 1 again, since without one the attachment could get a second set. That is an UPDATE:
 * whoever waits for the row (DEL, GC) then goes on with the new version, and would miss it after DELETE and
 * INSERT. All that an old attachment holds is locked first, in one order; what is gone by then is no candidate,
 * for two callers may take from one attachment at once. (LATERAL and OFFSET 0: without statistics the planner
 * would read all that the node holds, for each row that it holds.)
 */
static const char TAKE_OVER[] =
	"WITH locked (row_id, pod, ifname, place) AS MATERIALIZED ("
	"SELECT o.id, o.pod_id, o.interface, o.position "
	"FROM (SELECT DISTINCT pod_id, interface "
	"FROM pg_catalog.unnest($12::pg_catalog.int8[]) AS found(id) "
	"CROSS JOIN LATERAL (SELECT pod_id, interface FROM public.ips WHERE id = found.id OFFSET 0) AS r "
	"ORDER BY pod_id, interface) AS old "
	"CROSS JOIN LATERAL (SELECT id, pod_id, interface, position FROM public.ips"
	" WHERE network = $4 AND node = $5 AND host_id = $6 AND pod_id = old.pod_id AND interface = old.interface"
	" ORDER BY id FOR UPDATE) AS o"
	"), gone AS ("
	"DELETE FROM public.ips USING locked "
	"WHERE id = row_id AND id = ANY ($12::pg_catalog.int8[])"
	" AND pg_catalog.host(ip)::pg_catalog.inet = ANY ($13::pg_catalog.inet[])"
	" AND (" EARLIER("$7", "$14", "$11") " OR " SAME_POD("$10", "$2", "$1", "$15", "$11") ") "
	"RETURNING ips.*"
	"), first_again AS ("
	"UPDATE public.ips SET position = 1 "
	"FROM (SELECT DISTINCT ON (o.pod, o.ifname) o.row_id "
	"FROM locked AS o JOIN gone ON o.pod = gone.pod_id AND o.ifname = gone.interface "
	"WHERE gone.position = 1 AND o.place <> 1 AND o.row_id <> ALL ($12::pg_catalog.int8[]) "
	"ORDER BY o.pod, o.ifname, o.place) AS next "
	"WHERE id = next.row_id"
	"), new AS ("
	INTO("w.ip", "w.n")
	"FROM (SELECT pg_catalog.count(*) FROM gone) AS g CROSS JOIN " WANTED
	"RETURNING " ROW_VERSION
	") "
	"SELECT 'gone' AS kind, pg_catalog.host(ip) AS ip, pod_id, interface, boot_id, pod_namespace, pod_name,"
	" NULL AS row_version, " WARNINGS " FROM gone "
	"UNION ALL "
	"SELECT 'new', NULL, NULL, NULL, NULL, NULL, NULL, row_version, " WARNINGS " FROM new";

/* clang-format on */

int database_take_over(void *context, const struct reservation *c, const struct allocations *stale,
		       const struct deadline *d, struct row_ids *inserted,
		       struct released_rows *out, struct err *e)
{
	struct database *db = context;
	const char *v[INSERT_VALUES + 4];
	const struct statement s = { TAKE_OVER, v, INSERT_VALUES + 4 };
	struct row_ids ids = { 0 }, hosts = { 0 };
	struct rows r;

	insert_values(c, v);
	for (size_t i = 0; i < stale->n; i++) {
		char ip[IP_TEXT];

		row_ids_add(&ids, stale->rows[i].id);
		row_ids_add(&hosts, mem_strdup(ip_text(&stale->rows[i].ip, false, ip)));
	}
	v[INSERT_VALUES] = id_array(&ids);
	v[INSERT_VALUES + 1] = id_array(&hosts);
	v[INSERT_VALUES + 2] = db->uptime;
	v[INSERT_VALUES + 3] = db->since;
	use_clocks(db, c->by.node, c->started);
	return database_record(db, &s, d, c, inserted, out, &r, e);
}

/* ---- RELEASE: the answer of an ADD could not be given ---- */

/* clang-format off */

/* $1 row versions, $2 network, $3 node, $4 host id, $5 pod, $6 interface. */
static const char RELEASE[] =
	"WITH gone AS ("
	"DELETE FROM public.ips USING pg_catalog.unnest($1::pg_catalog.text[]) AS w(row_version) "
	"WHERE id = pg_catalog.split_part(w.row_version, '@', 1)::pg_catalog.int8"
	" AND pg_catalog.concat(id, '@', xmin) = w.row_version"
	" AND network = $2 AND node = $3 AND host_id = $4 AND pod_id = $5 AND interface = $6 "
	"RETURNING id"
	") "
	"SELECT 'gone' AS kind, id::pg_catalog.text FROM gone "
	"UNION ALL "
	"SELECT 'said', " WRITE;

/* clang-format on */

int database_release(void *db, const struct attachment *a, const struct row_ids *inserted,
		     const struct deadline *d, struct err *e)
{
	const char *const v[] = { id_array(inserted), a->network, a->node->name,
				  a->node->host_id,   a->pod,     a->interface };
	const struct statement s = { RELEASE, v, sizeof(v) / sizeof(*v) };
	struct rows r;

	return database_run(db, &s, d, NULL, NULL, &r, e);
}

const struct sql sql_add[] = {
	{ "INSERT", INSERT },
	{ "INSERT_ONE_IF_FREE", INSERT_ONE_IF_FREE },
	{ "INSERT_IF_FREE", INSERT_IF_FREE },
	{ "INSERT_ONE", INSERT_ONE },
	{ "FIND", FIND },
	{ "CONFIRM", CONFIRM },
	{ "TAKE_OVER", TAKE_OVER },
	{ "RELEASE", RELEASE },
	{ NULL, NULL },
};
