#include "store/sql.h"

#include "store/store.h"

/* SQL is laid out as SQL. */
/* clang-format off */

/* Where the server may hide warnings, an unreplicated commit looks like a good one: who writes asks along. */
#define WARNS "pg_catalog.current_setting('client_min_messages')"

/* Operators are looked up along search_path too. So qualified they all bind equally, from left to right. */
#define OP(o) " OPERATOR(pg_catalog." o ") "
#define EQ OP("=")
#define NE OP("<>")
#define LT OP("<")
#define GT OP(">")
#define GE OP(">=")

/* A schema that does not work with this build is a division by zero, before anything else happens. */
#define TEXT_OF(x) #x
#define NUMBER(x) TEXT_OF(x)
#define GUARD \
	"1" OP("/") "(EXISTS (SELECT FROM public.ips_schema WHERE version" GE NUMBER(STORE_SCHEMA) ")" \
	" AND NOT EXISTS (SELECT FROM public.ips_schema WHERE works_with" GT NUMBER(STORE_SCHEMA) \
	"))::pg_catalog.int4" EQ "1 "

/* So many seconds ago. A row that is older, and of another boot id, is of an earlier boot. */
#define AGO(seconds) \
	"(pg_catalog.now()" OP("-") "pg_catalog.make_interval(secs => " seconds "::pg_catalog.float8))"

/* A row as it was written. Who confirms it later changes xmin, and then it is not ours to release. */
#define STAMP "pg_catalog.concat(id, '@', xmin)"

#define INTO(ip, position) \
	"INSERT INTO public.ips (pod_id, interface, ip, network, node, host_id, boot_id," \
	" pod_namespace, pod_name, pod_uid, position) " \
	"SELECT $1, $2, " ip ", $4, $5, $6, $7, $8, $9, $10, " position " "
#define INTO_ALL INTO("w.ip", "w.n")

/* Sorted by host, so that two callers lock in one order. */
#define WANTED \
	"pg_catalog.unnest($3::pg_catalog.inet[]) WITH ORDINALITY AS w(ip, n) " \
	"WHERE " GUARD "ORDER BY pg_catalog.host(w.ip)::pg_catalog.inet "

const char *const sql_text[SQLS] = {
	/* $1 pod, $2 interface, $3 addresses, $4 network, $5 node, $6 host id, $7 boot id,
	 * $8 to $10 the pod's namespace, name and uid */
	[SQL_INSERT] =
		INTO_ALL "FROM " WANTED
		"RETURNING " STAMP ", " WARNS,

	/* The same with $3 one address: nearly every call, and half the work in a new server process. */
	[SQL_INSERT_ONE] =
		INTO("$3::pg_catalog.inet", "1") "WHERE " GUARD
		"RETURNING " STAMP ", " WARNS,

	/* $1 network, $2 addresses, $3 node, $4 host id, $5 pod, $6 interface, $7 boot id, $8 uptime */
	[SQL_LOOK] =
		"SELECT id, pg_catalog.host(ip), pg_catalog.masklen(ip), pod_id, interface, node,"
		" created_on, pod_namespace, pod_name,"
		" node" EQ "$3 AND host_id" EQ "$4 AS here,"
		" boot_id" EQ "$7 AS this_boot,"
		" boot_id" NE "$7 AND created_on" LT AGO("$8") " AS earlier,"
		" node" EQ "$3 AND host_id" EQ "$4 AND pod_id" EQ "$5 AND interface" EQ "$6 AS mine "
		"FROM public.ips "
		"WHERE " GUARD "AND network" EQ "$1"
		" AND (pg_catalog.host(ip)::pg_catalog.inet" EQ "ANY ($2::pg_catalog.inet[])"
		" OR node" EQ "$3 AND host_id" EQ "$4 AND pod_id" EQ "$5 AND interface" EQ "$6) "
		"ORDER BY position, id",

	/* $1 ids that LOOK judged, $2 boot id, $3 pod, $4 interface */
	[SQL_CONFIRM] =
		"UPDATE public.ips SET boot_id = $2, created_on = pg_catalog.now() "
		"WHERE " GUARD "AND id" EQ "ANY ($1::pg_catalog.int8[])"
		" AND pod_id" EQ "$3 AND interface" EQ "$4 "
		"RETURNING " STAMP ", " WARNS,

	/* $1 to $10 as INSERT, $11 ids that LOOK judged, $12 uptime. Counting makes the DELETE end
	 * before the INSERT begins; if a holder is alive, that is a unique violation, and all is undone
	 * with it. What else an old attachment holds stays its own, and gets a first again: without one
	 * it could get a second set. All that it holds is locked first, in one order, and what is gone
	 * by then is no candidate: two may take from one attachment at once. */
	[SQL_TAKE] =
		"WITH locked AS ("
		"SELECT o.id, o.node, o.host_id, o.pod_id, o.interface, o.position "
		"FROM public.ips AS o JOIN ("
		"SELECT DISTINCT node, host_id, pod_id, interface FROM public.ips "
		"WHERE id" EQ "ANY ($11::pg_catalog.int8[])) AS old"
		" ON o.node" EQ "old.node AND o.host_id" EQ "old.host_id"
		" AND o.pod_id" EQ "old.pod_id AND o.interface" EQ "old.interface "
		"WHERE o.network" EQ "$4 "
		"ORDER BY o.id FOR UPDATE OF o"
		"), gone AS ("
		"DELETE FROM public.ips USING locked "
		"WHERE ips.id" EQ "locked.id AND ips.id" EQ "ANY ($11::pg_catalog.int8[])"
		" AND ips.boot_id" NE "$7 AND ips.created_on" LT AGO("$12") " "
		"RETURNING ips.*"
		"), next AS ("
		"DELETE FROM public.ips USING ("
		"SELECT DISTINCT ON (o.node, o.host_id, o.pod_id, o.interface) o.id AS its "
		"FROM locked AS o JOIN gone"
		" ON o.node" EQ "gone.node AND o.host_id" EQ "gone.host_id"
		" AND o.pod_id" EQ "gone.pod_id AND o.interface" EQ "gone.interface "
		"WHERE gone.position" EQ "1 AND o.position" NE "1 AND o.id" NE "ALL ($11::pg_catalog.int8[]) "
		"ORDER BY o.node, o.host_id, o.pod_id, o.interface, o.position) AS left_over "
		"WHERE id" EQ "left_over.its "
		"RETURNING ips.*"
		"), first AS ("
		"INSERT INTO public.ips (id, pod_id, interface, ip, created_on, network, node, host_id,"
		" boot_id, pod_namespace, pod_name, pod_uid, position) "
		"SELECT id, pod_id, interface, ip, created_on, network, node, host_id,"
		" boot_id, pod_namespace, pod_name, pod_uid, 1 FROM next"
		"), new AS ("
		INTO_ALL "FROM (SELECT pg_catalog.count(*) FROM gone) AS g CROSS JOIN " WANTED
		"RETURNING " STAMP " AS stamp"
		") "
		"SELECT 'gone', pg_catalog.host(ip), pod_id, interface, boot_id, " WARNS " FROM gone "
		"UNION ALL "
		"SELECT 'new', stamp, NULL, NULL, NULL, " WARNS " FROM new",

	/* $1 stamps, $2 pod, $3 interface */
	[SQL_RELEASE] =
		"DELETE FROM public.ips USING pg_catalog.unnest($1::pg_catalog.text[]) AS w(stamp) "
		"WHERE id" EQ "pg_catalog.split_part(w.stamp, '@', 1)::pg_catalog.int8"
		" AND " STAMP EQ "w.stamp AND pod_id" EQ "$2 AND interface" EQ "$3",

	/* $1 network, $2 node, $3 host id, $4 pod, $5 interface. The empty pair is all that a table of
	 * the Go demo knew of its hosts. */
	[SQL_DEL] =
		"DELETE FROM public.ips "
		"WHERE " GUARD "AND network" EQ "$1 AND pod_id" EQ "$4 AND interface" EQ "$5"
		" AND (node" EQ "$2 AND host_id" EQ "$3 OR node" EQ "'' AND host_id" EQ "'') "
		"RETURNING pg_catalog.host(ip), " WARNS,

	/* $1 network, $2 node, $3 host id, $4 the valid attachments as JSON, $5 boot id, $6 uptime,
	 * $7 grace. A NULL among the valid ones would make NOT IN free nothing: the caller has
	 * validated them. */
	[SQL_GC] =
		"WITH gone AS ("
		"DELETE FROM public.ips "
		"WHERE " GUARD "AND network" EQ "$1 AND node" EQ "$2 AND host_id" EQ "$3"
		" AND (boot_id" EQ "$5 OR created_on" LT AGO("$6") ")"
		" AND ($7::pg_catalog.float8" EQ "0 OR created_on" LT AGO("$7") ")"
		" AND NOT (pod_id, interface)" EQ "ANY ("
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
		"WHERE network" EQ "$1 AND node" EQ "$2 AND host_id" EQ "$3 AND boot_id" NE "$5"
		" AND created_on" GE AGO("$6") " "
		"HAVING pg_catalog.count(*)" GT "0",

	/* A row for each migration: aggregates would cost a new server process a quarter of the whole. */
	[SQL_STATUS] =
		"SELECT pg_catalog.pg_is_in_recovery()"
		" OR pg_catalog.current_setting('transaction_read_only')::pg_catalog.bool,"
		" version, works_with,"
		" pg_catalog.has_table_privilege('public.ips', 'SELECT')"
		" AND pg_catalog.has_table_privilege('public.ips', 'INSERT')"
		" AND pg_catalog.has_table_privilege('public.ips', 'DELETE')"
		" AND pg_catalog.has_column_privilege('public.ips', 'boot_id', 'UPDATE')"
		" AND pg_catalog.has_column_privilege('public.ips', 'created_on', 'UPDATE'), " WARNS " "
		"FROM public.ips_schema",
};
