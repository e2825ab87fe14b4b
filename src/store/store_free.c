/* The statements of DEL, GC and STATUS, each with the function that runs it. What store_add.c says
 * of names and operators holds here too. */
#include <limits.h>
#include <stdlib.h>

#include "base/memory.h"
#include "store/database.h"

/* ---- DEL ---- */

/* clang-format off */

/* $1 network, $2 node, $3 host id, $4 pod, $5 interface. The empty pair is all that a table of the Go
 * demo knew of its hosts. */
static const char DEL[] =
	"DELETE FROM public.ips "
	"WHERE " GUARD "AND network = $1 AND pod_id = $4 AND interface = $5"
	" AND (node = $2 AND host_id = $3 OR node = '' AND host_id = '') "
	"RETURNING 'gone' AS kind, pg_catalog.host(ip) AS ip, " WARNINGS;

/* clang-format on */

int database_del(void *db, const struct attachment *a, const struct deadline *d,
		 struct released_rows *out, struct err *e)
{
	const char *const v[] = { a->network, a->node->name, a->node->host_id, a->pod,
				  a->interface };
	const struct statement s = { DEL, v, sizeof(v) / sizeof(*v) };
	struct rows r;

	*out = (struct released_rows){ 0 };
	if (database_run(db, &s, d, NULL, NULL, &r, e) < 0)
		return STORE_FAILED;
	note_released(out, &r);
	return STORE_DONE;
}

/* ---- GC ---- */

/* clang-format off */

/*
 * $1 network, $2 node, $3 host id, $4 the valid attachments as JSON, $5 boot id, $6 uptime, $7 grace. A NULL
 * among the valid ones would make NOT IN free nothing: the caller has validated them. The second kind of row
 * tells of another host that has the node's name.
 */
static const char GC[] =
	"WITH gone AS ("
	"DELETE FROM public.ips "
	"WHERE " GUARD "AND network = $1 AND node = $2 AND host_id = $3"
	" AND (boot_id = $5 OR " EARLIER("$5", "$6") ")"
	" AND ($7::pg_catalog.float8 = 0::pg_catalog.float8 OR created_on < " AGO("$7") ")"
	" AND (pod_id, interface) NOT IN ("
	"SELECT v.\"containerID\", v.ifname "
	"FROM pg_catalog.json_to_recordset($4::pg_catalog.json)"
	" AS v(\"containerID\" pg_catalog.text, ifname pg_catalog.text)) "
	"RETURNING pod_id, interface, pg_catalog.host(ip) AS ip"
	") "
	"SELECT 'gone' AS kind, pod_id, interface, ip, NULL AS count, " WARNINGS " FROM gone "
	"UNION ALL "
	"SELECT 'duplicate', pg_catalog.min(pod_id), pg_catalog.min(interface), NULL,"
	" pg_catalog.count(*)::pg_catalog.text, " WARNINGS " "
	"FROM public.ips "
	"WHERE network = $1 AND node = $2 AND host_id = $3 AND boot_id <> $5 AND NOT (" EARLIER("$5", "$6") ") "
	"HAVING pg_catalog.count(*) > 0";

/* clang-format on */

static void note_duplicate_node(struct released_rows *out, const struct rows *r)
{
	for (size_t i = 0; i < r->n; i++) {
		if (!row_is(r, i, "duplicate"))
			continue;
		out->duplicate_node_pod = rows_get(r, i, "pod_id");
		out->duplicate_node_interface = rows_get(r, i, "interface");
		out->duplicate_node_count = rows_get(r, i, "count");
	}
}

int database_gc(void *db, const struct gc_request *g, const struct deadline *d,
		struct released_rows *out, struct err *e)
{
	const struct node *node = g->node;
	const char *const v[] = { g->network,       node->name,    node->host_id,
				  g->valid,         node->boot_id, seconds(node->uptime(node)),
				  seconds(g->grace) };
	const struct statement s = { GC, v, sizeof(v) / sizeof(*v) };
	struct rows r;

	*out = (struct released_rows){ 0 };
	if (database_run(db, &s, d, NULL, NULL, &r, e) < 0)
		return STORE_FAILED;
	note_released(out, &r);
	note_duplicate_node(out, &r);
	return STORE_DONE;
}

/* ---- STATUS ---- */

/* clang-format off */

/* A row for each migration: aggregates would cost a new server process a quarter of the whole. */
static const char STATUS[] =
	"SELECT pg_catalog.pg_is_in_recovery()"
	" OR pg_catalog.current_setting('transaction_read_only')::pg_catalog.bool AS read_only,"
	" version, works_with,"
	" pg_catalog.has_table_privilege('public.ips', 'SELECT')"
	" AND pg_catalog.has_table_privilege('public.ips', 'INSERT')"
	" AND pg_catalog.has_table_privilege('public.ips', 'DELETE')"
	" AND pg_catalog.has_column_privilege('public.ips', 'boot_id', 'UPDATE')"
	" AND pg_catalog.has_column_privilege('public.ips', 'created_on', 'UPDATE') AS may_write, "
	WARNINGS " "
	"FROM public.ips_schema";

/* clang-format on */

/* The highest number in a column; -1 where there is none. */
static int highest(const struct rows *r, const char *column)
{
	int most = -1;

	for (size_t i = 0; i < r->n; i++) {
		const char *v = rows_get(r, i, column);
		long n = v ? strtol(v, NULL, 10) : -1;

		if (n > most && n <= INT_MAX)
			most = (int)n;
	}
	return most;
}

int database_status(void *db, const struct deadline *d, struct store_status *out, struct err *e)
{
	const struct statement s = { STATUS, NULL, 0 };
	struct rows r;

	if (database_run(db, &s, d, NULL, NULL, &r, e) < 0)
		return STORE_FAILED;
	*out = (struct store_status){ .read_only = cell_is_true(&r, 0, "read_only"),
				      .version = highest(&r, "version"),
				      .works_with = highest(&r, "works_with"),
				      .may_write = cell_is_true(&r, 0, "may_write"),
				      .hides_warnings = hides_warnings(&r) };
	return STORE_DONE;
}

const struct sql sql_free[] = {
	{ "DEL", DEL },
	{ "GC", GC },
	{ "STATUS", STATUS },
	{ NULL, NULL },
};
