/*
 * The statements that look for a free address, each with the function that runs it. What
 * store_add.c says of names and operators holds here too.
 *
 * Nothing is locked and nothing is counted: what looks free may be somebody's a moment later, and
 * then the INSERT of the same statement is a unique violation.
 */
#include <stdlib.h>

#include "base/memory.h"
#include "store/database.h"

/* clang-format off */

/* An address without its prefix length. (An inet with another one is another value.) */
#define HOST(ip) "pg_catalog.host(" ip ")::pg_catalog.inet"

/* Spans with their numbers, in the order in which to look. (unnest with several arguments takes no
 * schema's name, ROWS FROM is the same.) */
#define SPANS(positions, first, last, bits) \
	"ROWS FROM (pg_catalog.unnest(" positions "::pg_catalog.int2[]), pg_catalog.unnest(" first "::pg_catalog.inet[])," \
	" pg_catalog.unnest(" last "::pg_catalog.inet[]), pg_catalog.unnest(" bits "::pg_catalog.int4[]))" \
	" WITH ORDINALITY AS s(position, first, last, bits, n)"

/*
 * For each of the positions `wanted` the first free address of its spans: the span's first one, or the one
 * behind the first row that has no neighbour. The rows are read in the order of an index and only as far as
 * that; `limit` may bound how many of a span are read. There is no address behind the last one of a span,
 * and "+ 1" could overflow there.
 */
#define FREE(wanted, positions, first, last, bits, network, limit) \
	"SELECT t.position, pg_catalog.set_masklen(f.ip, f.bits) AS ip " \
	"FROM pg_catalog.unnest(" wanted "::pg_catalog.int2[]) AS t(position) " \
	"CROSS JOIN LATERAL (" \
	"SELECT c.ip, s.bits FROM " SPANS(positions, first, last, bits) " " \
	"CROSS JOIN LATERAL (" \
	"(SELECT s.first AS ip" \
	" WHERE NOT EXISTS (SELECT FROM public.ips AS q WHERE q.network = " network " AND " HOST("q.ip") " = s.first)) " \
	"UNION ALL " \
	"(SELECT g.ip + 1::pg_catalog.int8" \
	" FROM (SELECT " HOST("p.ip") " AS ip, pg_catalog.lead(" HOST("p.ip") ") OVER (ORDER BY " HOST("p.ip") ") AS next" \
	" FROM public.ips AS p" \
	" WHERE p.network = " network " AND " HOST("p.ip") " >= s.first AND " HOST("p.ip") " <= s.last" limit ") AS g" \
	" WHERE (g.next IS NULL OR g.next <> g.ip + 1::pg_catalog.int8) AND g.ip < s.last" \
	" LIMIT 1) " \
	"LIMIT 1) AS c " \
	"WHERE s.position = t.position " \
	"ORDER BY s.n " \
	"LIMIT 1) AS f "

/* ---- PICK ---- */

/*
 * $1 to $11 as INSERT, but $3 only what is asked for by name, $12 its positions, $13 whether this is the
 * first round, $14 the positions to pick, $15 to $18 the spans.
 *
 * All or none: rows are inserted only if each set has a free address; otherwise the answer is what is free in the
 * others. In the first round nothing is searched where this pod has left something, or holds something (position
 * 0): FIND looks at that. The condition may say yes more often than is taken over, never less often.
 */
static const char PICK[] =
	"WITH own AS MATERIALIZED ("
	"SELECT EXISTS (SELECT FROM public.ips AS o"
	" WHERE $13::pg_catalog.bool AND o.network = $4 AND o.node = $5 AND o.host_id = $6 AND o.interface = $2"
	" AND (o.pod_id = $1"
	" OR o.boot_id <> $7 AND o.pod_name = $9 AND COALESCE(o.pod_namespace, '') = COALESCE($8, '')"
	" OR $10 <> '' AND o.pod_uid = $10)) AS exist"
	"), free AS MATERIALIZED ("
	FREE("$14", "$15", "$16", "$17", "$18", "$4", "")
	"WHERE " GUARD "AND NOT (SELECT exist FROM own)"
	"), new AS ("
	INTO("w.ip", "w.position")
	"FROM (SELECT a.ip, a.position"
	" FROM ROWS FROM (pg_catalog.unnest($3::pg_catalog.inet[]), pg_catalog.unnest($12::pg_catalog.int2[])) AS a(ip, position)"
	" UNION ALL SELECT ip, position FROM free) AS w "
	"WHERE (SELECT pg_catalog.count(*) FROM free) = pg_catalog.cardinality($14::pg_catalog.int2[]) "
	"ORDER BY " HOST("w.ip") " "
	"RETURNING " ROW_VERSION ", position, ip"
	") "
	"SELECT row_version, position, pg_catalog.host(ip) AS ip, pg_catalog.masklen(ip) AS prefix, " WARNINGS " FROM new "
	"UNION ALL "
	"SELECT NULL, position, pg_catalog.host(ip), pg_catalog.masklen(ip), NULL FROM free"
	" WHERE NOT EXISTS (SELECT FROM new) "
	"UNION ALL "
	"SELECT NULL, 0, NULL, NULL, NULL FROM own WHERE exist";

/* ---- FIND_FREE: the same without inserting, and what this node has left ---- */

/*
 * $1 network, $2 node, $3 host id, $4 boot id, $5 uptime, $6 machine, $7 the positions, $8 to $11 the spans, $12 how
 * many positions are wanted. What is free comes first, then what is left, the oldest first. It writes as FIND does,
 * since a set is said to be full on its word.
 */
static const char FIND_FREE[] =
	"WITH free AS MATERIALIZED ("
	FREE("$7", "$8", "$9", "$10", "$11", "$1", "")
	"WHERE " GUARD
	"), stale AS MATERIALIZED ("
	"SELECT id, ip, created_on FROM public.ips "
	"WHERE network = $1 AND node = $2 AND host_id = $3 AND " EARLIER("$4", "$5", "$6")
	" AND (SELECT pg_catalog.count(*) FROM free) < $12::pg_catalog.int8"
	"), found (id, position, ip, prefix, since) AS MATERIALIZED ("
	"SELECT NULL, position, pg_catalog.host(ip), pg_catalog.masklen(ip), NULL FROM free "
	"UNION ALL "
	"SELECT id, 0, pg_catalog.host(ip), pg_catalog.masklen(ip), created_on FROM stale"
	") "
	"SELECT w.said, found.* "
	"FROM (SELECT CASE WHEN " READ_ONLY " THEN NULL ELSE " WRITE " END AS said) AS w "
	"LEFT JOIN found ON true "
	"ORDER BY found.since NULLS FIRST, found.id";

/* ---- FIND_HOLDER ---- */

/* $1 network, $2 to $5 the spans. It writes, since what it says of the holder is said to the caller. */
static const char FIND_HOLDER[] =
	"WITH most AS MATERIALIZED ("
	"SELECT p.node, p.host_id, pg_catalog.count(*) AS count, pg_catalog.max(p.created_on) AS youngest,"
	" pg_catalog.sum(pg_catalog.count(*)) OVER () AS total "
	"FROM " SPANS("$2", "$3", "$4", "$5") " "
	"JOIN public.ips AS p ON p.network = $1 AND " HOST("p.ip") " >= s.first AND " HOST("p.ip") " <= s.last "
	"WHERE " GUARD
	"GROUP BY p.node, p.host_id "
	"ORDER BY pg_catalog.count(*) DESC, p.node, p.host_id LIMIT 1"
	") "
	"SELECT w.said, most.* "
	"FROM (SELECT CASE WHEN " READ_ONLY " THEN NULL ELSE " WRITE " END AS said) AS w "
	"LEFT JOIN most ON true";

/* ---- FIND_FULL: STATUS ---- */

/*
 * $1 to $11 as FIND_FREE, $12 how many addresses there are for each position.
 *
 * Many nodes ask every few seconds. So only a part of a set is searched, and where no address is free in it the
 * rows are counted, which takes a fifth of the time of a search.
 */
static const char FIND_FULL[] =
	"WITH free AS MATERIALIZED ("
	FREE("$7", "$8", "$9", "$10", "$11", "$1", " LIMIT 1000")
	"WHERE " GUARD
	"), crowded AS MATERIALIZED ("
	"SELECT t.position "
	"FROM ROWS FROM (pg_catalog.unnest($7::pg_catalog.int2[]), pg_catalog.unnest($12::pg_catalog.numeric[])) AS t(position, size) "
	"WHERE CASE WHEN EXISTS (SELECT FROM free WHERE free.position = t.position) THEN false "
	"ELSE (SELECT pg_catalog.count(*) FROM " SPANS("$8", "$9", "$10", "$11") " "
	"JOIN public.ips AS p ON p.network = $1 AND " HOST("p.ip") " >= s.first AND " HOST("p.ip") " <= s.last "
	"WHERE s.position = t.position)::pg_catalog.numeric >= t.size END"
	"), stale AS MATERIALIZED ("
	"SELECT id, ip FROM public.ips "
	"WHERE EXISTS (SELECT FROM crowded)"
	" AND network = $1 AND node = $2 AND host_id = $3 AND " EARLIER("$4", "$5", "$6")
	") "
	"SELECT NULL AS id, position, NULL AS ip, NULL AS prefix FROM crowded "
	"UNION ALL "
	"SELECT id, 0, pg_catalog.host(ip), pg_catalog.masklen(ip) FROM stale";

/* clang-format on */

/* ---- parameters ---- */

/* Searches as the four arrays of SPANS, and the positions in them. */
struct arrays {
	const char *wanted, *positions, *first, *last, *bits;
};

static const char *as_array(struct strbuf *list)
{
	return mem_printf("{%s}", strbuf_str(list));
}

static struct arrays arrays_of(const struct searches *s)
{
	struct strbuf wanted = { 0 }, positions = { 0 }, first = { 0 }, last = { 0 }, bits = { 0 };
	char text[IP_TEXT];

	for (size_t i = 0; i < s->n; i++) {
		const struct search *one = &s->list[i];
		const char *position = mem_printf("%d", one->position);

		if (i == 0 || one->position != s->list[i - 1].position)
			strbuf_join(&wanted, ",", position);
		strbuf_join(&positions, ",", position);
		strbuf_join(&first, ",", ip_text(&one->first, false, text));
		strbuf_join(&last, ",", ip_text(&one->last, false, text));
		strbuf_join(&bits, ",", mem_printf("%d", one->first.prefix));
	}
	return (struct arrays){ as_array(&wanted), as_array(&positions), as_array(&first),
				as_array(&last), as_array(&bits) };
}

static bool is_searched(const struct searches *s, size_t position)
{
	for (size_t i = 0; i < s->n; i++)
		if ((size_t)s->list[i].position == position)
			return true;
	return false;
}

/* What is asked for by name, and the positions of that. */
static void named_arrays(const struct reservation *c, const char **ips, const char **positions)
{
	struct strbuf all = { 0 }, at = { 0 };
	char text[IP_TEXT];

	for (size_t i = 0; i < c->addresses->n; i++) {
		if (is_searched(c->searches, i + 1))
			continue;
		strbuf_join(&all, ",", ip_text(&c->addresses->list[i].ip, true, text));
		strbuf_join(&at, ",", mem_printf("%zu", i + 1));
	}
	*ips = as_array(&all);
	*positions = as_array(&at);
}

/* ---- the functions ---- */

static int read_found(const struct rows *r, struct allocations *out, struct err *e)
{
	*out = (struct allocations){ .rows = mem_new(r->n * sizeof(*out->rows)) };
	for (size_t i = 0; i < r->n; i++) {
		const char *ip = rows_get(r, i, "ip"), *position = rows_get(r, i, "position");
		struct allocation *one;

		if (!position) /* nothing was found, but the statement wrote */
			continue;
		one = &out->rows[out->n++];
		one->id = rows_get(r, i, "id");
		one->position = (int)strtol(position, NULL, 10);
		if (ip && !ip_parse(mem_printf("%s/%s", ip, rows_get(r, i, "prefix")), &one->ip))
			return err_set(e, CNI_TRY_AGAIN_LATER,
				       "the database returned a row that is not a valid "
				       "allocation");
	}
	return STORE_DONE;
}

int database_pick(void *db, const struct reservation *c, bool first, const struct deadline *d,
		  struct row_ids *inserted, struct allocations *picked, struct err *e)
{
	const struct arrays in = arrays_of(c->searches);
	const char *v[INSERT_VALUES + 7];
	const struct statement s = { PICK, v, INSERT_VALUES + 7 };
	struct rows r;
	int rc;

	insert_values(c, v);
	named_arrays(c, &v[2], &v[INSERT_VALUES]);
	v[INSERT_VALUES + 1] = first ? "t" : "f";
	v[INSERT_VALUES + 2] = in.wanted;
	v[INSERT_VALUES + 3] = in.positions;
	v[INSERT_VALUES + 4] = in.first;
	v[INSERT_VALUES + 5] = in.last;
	v[INSERT_VALUES + 6] = in.bits;
	rc = database_record(db, &s, d, c, inserted, NULL, &r, e);
	if (rc != STORE_DONE && rc != STORE_NOTHING)
		return rc;
	if (read_found(&r, picked, e) < 0)
		return STORE_FAILED;
	return picked->n > 0 && picked->rows[0].position == 0 ? STORE_CONFLICT : rc;
}

/* FIND_FREE and FIND_FULL: `last` is $12. */
static int find(struct database *db, const char *sql, const struct attachment *a,
		const struct searches *searches, const char *last, const struct deadline *d,
		struct allocations *out, struct err *e)
{
	const struct node *node = a->node;
	const struct arrays in = arrays_of(searches);
	const char *const v[] = { a->network,    node->name,   node->host_id,
				  node->boot_id, db->uptime,   or_empty(node->machine),
				  in.wanted,     in.positions, in.first,
				  in.last,       in.bits,      last };
	const struct statement s = { sql, v, sizeof(v) / sizeof(*v) };
	struct rows r;

	use_clocks(db, node, 0);
	if (database_run(db, &s, d, NULL, NULL, &r, e) < 0)
		return STORE_FAILED;
	return read_found(&r, out, e);
}

int database_find_free(void *db, const struct reservation *c, const struct searches *searches,
		       size_t wanted, const struct deadline *d, struct allocations *out,
		       struct err *e)
{
	return find(db, FIND_FREE, &c->by, searches, mem_printf("%zu", wanted), d, out, e);
}

int database_find_full(void *db, const struct attachment *a, const struct searches *searches,
		       const char *const *sizes, size_t n_sizes, const struct deadline *d,
		       struct allocations *out, struct err *e)
{
	struct strbuf all = { 0 };

	for (size_t i = 0; i < n_sizes; i++)
		strbuf_join(&all, ",", sizes[i]);
	return find(db, FIND_FULL, a, searches, as_array(&all), d, out, e);
}

int database_find_holder(void *db, const char *network, const struct searches *searches,
			 const struct deadline *d, struct holder *out, struct err *e)
{
	const struct arrays in = arrays_of(searches);
	const char *const v[] = { network, in.positions, in.first, in.last, in.bits };
	const struct statement s = { FIND_HOLDER, v, sizeof(v) / sizeof(*v) };
	struct rows r;

	if (database_run(db, &s, d, NULL, NULL, &r, e) < 0)
		return STORE_FAILED;
	*out = (struct holder){ .node = rows_get(&r, 0, "node"),
				.host_id = rows_get(&r, 0, "host_id"),
				.count = rows_get(&r, 0, "count"),
				.youngest = rows_get(&r, 0, "youngest"),
				.total = rows_get(&r, 0, "total") };
	return STORE_DONE;
}

const struct sql sql_pick[] = {
	{ "PICK", PICK },
	{ "FIND_FREE", FIND_FREE },
	{ "FIND_HOLDER", FIND_HOLDER },
	{ "FIND_FULL", FIND_FULL },
	{ NULL, NULL },
};
