/* The statements of DEL, GC and STATUS, each with the function that runs it. What store_add.c says
 * of names and operators holds here too. */
#include <limits.h>
#include <stdlib.h>

#include "base/memory.h"
#include "store/database.h"

/* ---- DEL ---- */

/* Finds what this machine recorded under another name. NULL finds nothing: where the machine is not
 * known, its rows cannot be told from another's. */
static const char *id_of_machine(const struct node *node)
{
	return *or_empty(node->machine_id) && *or_empty(node->machine) ? node->machine_id : NULL;
}

/* clang-format off */

/*
 * $1 network, $2 node, $3 host id, $4 pod, $5 interface, $6 machine id or NULL, $7 boot id, $8 machine.
 *
 * The empty pair is all that a table of the Go demo knew of its hosts. What this machine recorded under another
 * name goes too. What a copy of this host's disk recorded for its own container of that name stays.
 */
#define DELETE_ATTACHMENT \
	"DELETE FROM public.ips " \
	"WHERE " GUARD "AND network = $1 AND pod_id = $4 AND interface = $5" \
	" AND (node = $2 AND host_id = $3 AND NOT (" OTHER_MACHINE("$7", "$8") ")" \
	" OR node = '' AND host_id = ''" \
	" OR host_id = $6 AND machine = $8) "

static const char DEL[] =
	DELETE_ATTACHMENT
	"RETURNING 'gone' AS kind, pg_catalog.host(ip) AS ip, pod_id, interface, pod_namespace, pod_name, " WARNINGS;

/* Follows where that found nothing. It tries once more, since another server may answer now, says what stays, and writes. */
static const char DEL_NOTHING[] =
	"WITH gone AS ("
	DELETE_ATTACHMENT
	"RETURNING ip, pod_id, interface, pod_namespace, pod_name"
	") "
	"SELECT 'gone' AS kind, pg_catalog.host(ip) AS ip, pod_id, interface, pod_namespace, pod_name,"
	" NULL AS warnings FROM gone "
	"UNION ALL "
	"SELECT 'duplicate', NULL, NULL, NULL, NULL, NULL, NULL "
	"FROM public.ips "
	"WHERE network = $1 AND node = $2 AND host_id = $3 AND pod_id = $4 AND interface = $5"
	" AND " OTHER_MACHINE("$7", "$8") " "
	"UNION ALL "
	"SELECT 'said', " WRITE ", NULL, NULL, NULL, NULL, " WARNINGS;

/* clang-format on */

/* A release is its own proof: most calls end with it, in two thirds of the time of the other. */
int database_del(void *db, const struct attachment *a, const struct deadline *d,
		 struct released_rows *out, struct err *e)
{
	const struct node *node = a->node;
	const char *const v[] = {
		a->network,   node->name,          node->host_id,           a->pod,
		a->interface, id_of_machine(node), or_empty(node->boot_id), or_empty(node->machine)
	};
	struct statement s = { DEL, v, sizeof(v) / sizeof(*v) };
	struct rows r;

	*out = (struct released_rows){ 0 };
	if (database_run(db, &s, d, note_released, out, &r, e) < 0)
		return STORE_FAILED;
	if (r.n > 0)
		return STORE_DONE;
	s.sql = DEL_NOTHING;
	return database_run(db, &s, d, note_released, out, &r, e);
}

/* ---- GC ---- */

/* clang-format off */

/*
 * $1 network, $2 node, $3 host id, $4 the valid attachments as JSON, $5 boot id, $6 uptime, $7 grace, $8 machine
 * id or NULL, $9 machine. A NULL among the valid ones would make NOT IN free nothing: the caller has validated them.
 *
 * Rows that stay and should be known of are answered too: of this machine under another name, of this node's name
 * with another machine id, of another host that has this node's name. They are found in one look and counted by
 * the caller: aggregates would cost a new server process a sixth of the whole.
 */
static const char GC[] =
	"WITH gone AS ("
	"DELETE FROM public.ips "
	"WHERE " GUARD "AND network = $1 AND node = $2 AND host_id = $3"
	" AND (boot_id = $5 OR " EARLIER("$5", "$6", "$9") ")"
	" AND ($7::pg_catalog.float8 = 0::pg_catalog.float8 OR created_on < " AGO("$7") ")"
	" AND (pod_id, interface) NOT IN ("
	"SELECT v.\"containerID\", v.ifname "
	"FROM pg_catalog.json_to_recordset($4::pg_catalog.json)"
	" AS v(\"containerID\" pg_catalog.text, ifname pg_catalog.text)) "
	"RETURNING pod_id, interface, ip, pod_namespace, pod_name"
	") "
	"SELECT 'gone' AS kind, pod_id, interface, pg_catalog.host(ip) AS ip, pod_namespace, pod_name,"
	" NULL AS node, NULL AS host_id, NULL AS since, NULL AS epoch, NULL AS warnings FROM gone "
	"UNION ALL "
	"SELECT CASE WHEN node <> $2 THEN 'renamed' WHEN host_id <> $3 THEN 'reinstalled' ELSE 'duplicate' END,"
	" pod_id, interface, NULL, NULL, NULL, node, host_id, created_on::pg_catalog.text,"
	" pg_catalog.date_part('epoch'::pg_catalog.text, created_on)::pg_catalog.text, NULL "
	"FROM public.ips "
	"WHERE network = $1 AND (node = $2 OR host_id = $8 AND machine = $9)"
	" AND (node <> $2 OR host_id <> $3 OR boot_id <> $5 AND NOT (" EARLIER("$5", "$6", "$9") ")) "
	"UNION ALL "
	"SELECT 'said', NULL, NULL, " WRITE ", NULL, NULL, NULL, NULL, NULL, NULL, " WARNINGS;

/* clang-format on */

int database_gc(void *context, const struct gc_request *g, const struct deadline *d,
		struct released_rows *out, struct err *e)
{
	struct database *db = context;
	const struct node *node = g->node;
	const char *const v[] = { g->network,        node->name,          node->host_id,
				  g->valid,          node->boot_id,       db->uptime,
				  seconds(g->grace), id_of_machine(node), or_empty(node->machine) };
	const struct statement s = { GC, v, sizeof(v) / sizeof(*v) };
	struct rows r;

	*out = (struct released_rows){ 0 };
	use_clocks(db, node, 0);
	return database_run(db, &s, d, note_released, out, &r, e);
}

/* ---- STATUS ---- */

/* clang-format off */

/* A row for each migration: aggregates would cost a new server process a quarter of the whole. Columns of
 * migration 2 exist only where that was run. */
static const char STATUS[] =
	"SELECT " READ_ONLY " AS read_only, version, works_with,"
	" pg_catalog.has_table_privilege('public.ips', 'SELECT')"
	" AND pg_catalog.has_table_privilege('public.ips', 'INSERT')"
	" AND pg_catalog.has_table_privilege('public.ips', 'DELETE')"
	" AND pg_catalog.has_column_privilege('public.ips', 'boot_id', 'UPDATE')"
	" AND pg_catalog.has_column_privilege('public.ips', 'created_on', 'UPDATE')"
	" AND pg_catalog.has_column_privilege('public.ips', 'position', 'UPDATE')"
	" AND CASE WHEN version >= 2 THEN pg_catalog.has_column_privilege('public.ips', 'machine', 'UPDATE')"
	" ELSE true END AS may_write, "
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

static bool all_true(const struct rows *r, const char *column)
{
	bool all = r->n > 0;

	for (size_t i = 0; i < r->n; i++)
		all &= cell_is_true(r, i, column);
	return all;
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
				      .may_write = all_true(&r, "may_write"),
				      .hides_warnings = hides_warnings(&r) };
	return STORE_DONE;
}

const struct sql sql_free[] = {
	{ "DEL", DEL }, { "DEL_NOTHING", DEL_NOTHING }, { "GC", GC }, { "STATUS", STATUS },
	{ NULL, NULL },
};
