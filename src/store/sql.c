#include "store/sql.h"

#include "store/store.h"

/* SQL is laid out as SQL. */
/* clang-format off */

/* Where the server may hide warnings, an unreplicated commit looks like a good one: who writes asks along. */
#define WARNS "pg_catalog.current_setting('client_min_messages')"

/* A schema that does not work with this build is a division by zero, before anything else happens. */
#define TEXT_OF(x) #x
#define NUMBER(x) TEXT_OF(x)
#define GUARD \
	"0 < (SELECT 1 / coalesce(pg_catalog.max(version) >= " NUMBER(STORE_SCHEMA) \
	" AND pg_catalog.max(works_with) <= " NUMBER(STORE_SCHEMA) ", false)::pg_catalog.int4" \
	" FROM public.ips_schema) "

/* So many seconds ago. A row that is older, and of another boot id, is of an earlier boot. */
#define AGO(seconds) \
	"pg_catalog.now() - pg_catalog.make_interval(secs => " seconds "::pg_catalog.float8)"

/* A row as it was written. Who confirms it later changes that, and then it is not ours to release. */
#define STAMP \
	"pg_catalog.concat(id, '@'," \
	" (pg_catalog.date_part('epoch', created_on) * 1000000)::pg_catalog.int8)"

#define INTO \
	"INSERT INTO public.ips (pod_id, interface, ip, network, node, host_id, boot_id," \
	" pod_namespace, pod_name, pod_uid, position) " \
	"SELECT $1, $2, w.ip, $4, $5, $6, $7, $8, $9, $10, w.n "

/* Sorted by host, so that two callers lock in one order. */
#define WANTED \
	"pg_catalog.unnest($3::pg_catalog.inet[]) WITH ORDINALITY AS w(ip, n) " \
	"WHERE " GUARD "ORDER BY pg_catalog.host(w.ip)::pg_catalog.inet "

const char *const sql_text[SQLS] = {
	/* $1 pod, $2 interface, $3 addresses, $4 network, $5 node, $6 host id, $7 boot id,
	 * $8 to $10 the pod's namespace, name and uid */
	[SQL_INSERT] =
		INTO "FROM " WANTED
		"RETURNING " STAMP ", " WARNS,

	/* $1 network, $2 addresses, $3 node, $4 host id, $5 pod, $6 interface, $7 boot id, $8 uptime */
	[SQL_LOOK] =
		"SELECT id, pg_catalog.host(ip), pg_catalog.masklen(ip), pod_id, interface, node,"
		" created_on, pod_namespace, pod_name,"
		" node = $3 AND host_id = $4 AS here,"
		" boot_id = $7 AS this_boot,"
		" boot_id <> $7 AND created_on < " AGO("$8") " AS earlier,"
		" node = $3 AND host_id = $4 AND pod_id = $5 AND interface = $6 AS mine "
		"FROM public.ips "
		"WHERE " GUARD "AND network = $1"
		" AND (pg_catalog.host(ip)::pg_catalog.inet = ANY ($2::pg_catalog.inet[])"
		" OR node = $3 AND host_id = $4 AND pod_id = $5 AND interface = $6) "
		"ORDER BY position, id",

	/* $1 ids that LOOK judged, $2 boot id, $3 pod, $4 interface */
	[SQL_CONFIRM] =
		"UPDATE public.ips SET boot_id = $2, created_on = pg_catalog.now() "
		"WHERE " GUARD "AND id = ANY ($1::pg_catalog.int8[])"
		" AND pod_id = $3 AND interface = $4 "
		"RETURNING " STAMP ", " WARNS,

	/* $1 to $10 as INSERT, $11 ids that LOOK judged, $12 uptime. Counting makes the DELETE end
	 * before the INSERT begins; if a holder is alive, that is a unique violation, and all is undone
	 * with it. What else an old attachment holds stays its own, and gets a first again: without one
	 * it could get a second set. */
	[SQL_TAKE] =
		"WITH gone AS ("
		"DELETE FROM public.ips "
		"WHERE id = ANY ($11::pg_catalog.int8[]) AND network = $4 AND boot_id <> $7"
		" AND created_on < " AGO("$12") " "
		"RETURNING *"
		"), next AS ("
		"DELETE FROM public.ips USING ("
		"SELECT DISTINCT ON (o.node, o.host_id, o.pod_id, o.interface) o.id AS its "
		"FROM public.ips AS o JOIN gone USING (network, node, host_id, pod_id, interface) "
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
		INTO "FROM (SELECT pg_catalog.count(*) FROM gone) AS g CROSS JOIN " WANTED
		"RETURNING " STAMP " AS stamp"
		") "
		"SELECT 'gone', pg_catalog.host(ip), pod_id, interface, boot_id, " WARNS " FROM gone "
		"UNION ALL "
		"SELECT 'new', stamp, NULL, NULL, NULL, " WARNS " FROM new",

	/* $1 stamps, $2 pod, $3 interface */
	[SQL_RELEASE] =
		"DELETE FROM public.ips USING pg_catalog.unnest($1::pg_catalog.text[]) AS w(stamp) "
		"WHERE id = pg_catalog.split_part(w.stamp, '@', 1)::pg_catalog.int8"
		" AND " STAMP " = w.stamp AND pod_id = $2 AND interface = $3",

	/* $1 network, $2 node, $3 host id, $4 pod, $5 interface. The empty pair is all that a table of
	 * the Go demo knew of its hosts. */
	[SQL_DEL] =
		"DELETE FROM public.ips "
		"WHERE " GUARD "AND network = $1 AND pod_id = $4 AND interface = $5"
		" AND (node, host_id) IN (($2, $3), ('', '')) "
		"RETURNING pg_catalog.host(ip), " WARNS,

	/* $1 network, $2 node, $3 host id, $4 the valid attachments as JSON, $5 boot id, $6 uptime,
	 * $7 grace. A NULL among the valid ones would make NOT IN free nothing: the caller has
	 * validated them. */
	[SQL_GC] =
		"WITH gone AS ("
		"DELETE FROM public.ips "
		"WHERE " GUARD "AND network = $1 AND node = $2 AND host_id = $3"
		" AND (boot_id = $5 OR created_on < " AGO("$6") ")"
		" AND ($7::pg_catalog.float8 = 0 OR created_on < " AGO("$7") ")"
		" AND (pod_id, interface) NOT IN ("
		"SELECT v.\"containerID\", v.ifname "
		"FROM pg_catalog.json_to_recordset($4::pg_catalog.json)"
		" AS v(\"containerID\" pg_catalog.text, ifname pg_catalog.text)) "
		"RETURNING pod_id, interface, pg_catalog.host(ip) AS ip"
		") "
		"SELECT 'gone', pod_id, interface, ip, " WARNS " FROM gone "
		"UNION ALL "
		"SELECT 'twin', pg_catalog.min(pod_id), pg_catalog.min(interface),"
		" pg_catalog.count(*)::pg_catalog.text, " WARNS " "
		"FROM public.ips "
		"WHERE network = $1 AND node = $2 AND host_id = $3 AND boot_id <> $5"
		" AND created_on >= " AGO("$6") " "
		"HAVING pg_catalog.count(*) > 0",

	[SQL_STATUS] =
		"SELECT pg_catalog.pg_is_in_recovery()"
		" OR pg_catalog.current_setting('transaction_read_only')::pg_catalog.bool,"
		" (SELECT pg_catalog.max(version) FROM public.ips_schema),"
		" (SELECT pg_catalog.max(works_with) FROM public.ips_schema),"
		" pg_catalog.has_table_privilege('public.ips', 'SELECT')"
		" AND pg_catalog.has_table_privilege('public.ips', 'INSERT')"
		" AND pg_catalog.has_table_privilege('public.ips', 'DELETE')"
		" AND pg_catalog.has_column_privilege('public.ips', 'boot_id', 'UPDATE')"
		" AND pg_catalog.has_column_privilege('public.ips', 'created_on', 'UPDATE'), " WARNS,
};
