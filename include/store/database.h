/* What the statements of the store have in common: pieces of SQL, and how one is run. Only
 * src/store/store*.c includes this. */
#ifndef STORE_DATABASE_H
#define STORE_DATABASE_H

#include "store/retry.h"
#include "store/store.h"

struct database {
	struct db_hosts hosts;
	struct connection connection;
	struct retry retry;
	/* Seconds as parameters, written anew for each try: since this life of the host began, and
	 * since the call did. See use_clocks. */
	char uptime[32], since[32];
	const struct node *node;
	int64_t started;
};

/* ---- pieces of SQL ---- */

/*
 * The first condition of each statement that decides. A schema that does not work with this build
 * makes it a division by zero, before anything else happens: SQLSTATE 22012, which nothing else of
 * ours can raise. `version` is what the schema has, `works_with` the oldest build that it allows.
 */
/* clang-format off */
#define GUARD \
	"1 / (EXISTS (SELECT FROM public.ips_schema WHERE version >= " NUMBER(STORE_SCHEMA) ")" \
	" AND NOT EXISTS (SELECT FROM public.ips_schema WHERE works_with > " NUMBER(STORE_SCHEMA) \
	"))::pg_catalog.int4 = 1 "
/* clang-format on */
#define GUARD_SQLSTATE "22012"
#define NUMBER(macro) TEXT_OF(macro)
#define TEXT_OF(x) #x

/*
 * A server that hides warnings makes a commit that was not replicated look like a good one. So each
 * statement that writes also says this, in its column `warnings`.
 */
#define WARNINGS "pg_catalog.current_setting('client_min_messages') AS warnings"

/* A row as it was written: whoever confirms it later changes xmin, and then it is not this call's
 * to release. */
#define ROW_VERSION "pg_catalog.concat(id, '@', xmin) AS row_version"

/* So many seconds ago, by the server's clock. */
#define AGO(seconds)                                                                               \
	"pg_catalog.now() - pg_catalog.make_interval(secs => " seconds "::pg_catalog.float8)"

/*
 * Whose life a row is of. Here, and in the two below, the arguments are what this host is: its boot
 * id, the seconds since its life began, its machine. "" is a machine that is not known.
 *
 * A row that an earlier life of this host has left: of another boot id, older than this life, and
 * not of another machine.
 */
#define EARLIER(boot_id, uptime, machine)                                                          \
	"boot_id <> " boot_id " AND created_on < " AGO(uptime) " AND " SAME_MACHINE(machine)
#define SAME_MACHINE(m) "(machine = " m " OR machine = '' OR " m " = '')"

/* A row of another host that has this one's name: of another boot and of another machine. */
#define OTHER_MACHINE(boot_id, m)                                                                  \
	"boot_id <> " boot_id " AND machine <> " m " AND machine <> '' AND " m " <> ''"

/* A row of the same pod's older sandbox: of another container, and recorded before this call began,
 * `since` seconds ago. */
#define SAME_POD(uid, interface, pod, since, machine)                                              \
	"pod_uid = " uid " AND " uid " <> '' AND interface = " interface " AND pod_id <> " pod     \
	" AND created_on < " AGO(since) " AND " SAME_MACHINE(machine)

/*
 * A write that changes nothing. A statement on whose word something is said to a caller has it,
 * whatever else it finds: an old primary that nobody follows any more can answer a read, but such a
 * commit waits for its standby for ever. It needs no right. On a standby it fails with a SQLSTATE
 * that says nothing (XX000), and a server that is only told to be read-only executes it.
 */
#define WRITE                                                                                      \
	"pg_catalog.pg_logical_emit_message(true, 'ipam-status-cni', ''::pg_catalog.text)"         \
	"::pg_catalog.text"

/* clang-format off */
/* How each statement that records begins: see insert_values. */
#define INTO(ip, position) \
	"INSERT INTO public.ips (pod_id, interface, ip, network, node, host_id, boot_id," \
	" pod_namespace, pod_name, pod_uid, machine, position) " \
	"SELECT $1, $2, " ip ", $4, $5, $6, $7, $8, $9, $10, $11, " position " "

/* clang-format on */

/* Is the server a standby, or told to be read-only? */
#define READ_ONLY                                                                                  \
	"(pg_catalog.pg_is_in_recovery()"                                                          \
	" OR pg_catalog.current_setting('transaction_read_only')::pg_catalog.bool)"

/* ---- running a statement ---- */

/* From now on db->uptime and db->since are the seconds that this node has been up and since that
 * moment (of monotonic_now). */
void use_clocks(struct database *db, const struct node *node, int64_t started);

/*
 * Runs it until that is final. A row whose column `said` is NULL is a read-only server's: then the
 * next host is asked. STORE_DONE with what it answered in *rows, or STORE_FAILED with the
 * error. `note` (or NULL) gets all rows that the server said to have written, those of tries that
 * were not confirmed too.
 */
int database_run(struct database *db, const struct statement *s, const struct deadline *d,
		 rows_fn *note, void *context, struct rows *rows, struct err *e);

/*
 * The same for what records a reservation: its row_version is added to *inserted, and the rows
 * that gave way to *released (or NULL). STORE_CONFLICT where somebody holds one of the addresses,
 * or the attachment something else; STORE_NOTHING where the reservation has searches, nothing was
 * to give way and nothing was recorded; STORE_FAILED where the server has recorded fewer, or hides
 * warnings.
 */
int database_record(struct database *db, const struct statement *s, const struct deadline *d,
		    const struct reservation *c, struct row_ids *inserted,
		    struct released_rows *released, struct rows *rows, struct err *e);

/* Does the server hide warnings? */
bool hides_warnings(const struct rows *r);

/* STORE_FAILED where it does. */
int refuse_hidden_warnings(const struct rows *r, struct err *e);

/* Is that cell true? */
bool cell_is_true(const struct rows *r, size_t row, const char *column);

/* Adds the row_version of each row that has one. */
void note_inserted(void *inserted, const struct rows *r);

/* Statements that answer with rows of several kinds say which in the column `kind`. */
bool row_is(const struct rows *r, size_t row, const char *kind);

/* Adds the rows of the kind "gone" to a struct released_rows, and notes what those of other kinds
 * say about rows that stay. */
void note_released(void *released, const struct rows *r);

/* Lists as PostgreSQL reads arrays, and a number of seconds. */
const char *ip_array(const struct reservation *c, bool with_prefix);
const char *id_array(const struct row_ids *ids);
const char *or_empty(const char *text); /* "" for NULL */
const char *seconds(double s);

#define INSERT_VALUES 11

/* $1 to $11 of each statement that inserts. */
void insert_values(const struct reservation *c, const char **v);

/* The statements' functions: see struct store. */
int database_insert(void *db, const struct reservation *, const struct deadline *,
		    struct row_ids *inserted, struct err *);
int database_pick(void *db, const struct reservation *, bool first, const struct deadline *,
		  struct row_ids *inserted, struct allocations *picked, struct err *);
int database_find_free(void *db, const struct reservation *, const struct searches *, size_t wanted,
		       const struct deadline *, struct allocations *out, struct err *);
int database_find_holder(void *db, const char *network, const struct searches *,
			 const struct deadline *, struct holder *out, struct err *);
int database_find_full(void *db, const struct attachment *, const struct searches *,
		       const char *const *sizes, size_t n_sizes, const struct deadline *,
		       struct allocations *out, struct err *);
int database_find(void *context, const struct reservation *, const struct deadline *,
		  struct allocations *out, struct err *);
int database_confirm(void *db, const struct reservation *, const struct row_ids *held,
		     const struct deadline *, struct row_ids *inserted, size_t *confirmed,
		     struct err *);
int database_take_over(void *context, const struct reservation *, const struct allocations *stale,
		       const struct deadline *, struct row_ids *inserted, struct released_rows *,
		       struct err *);
int database_release(void *db, const struct attachment *, const struct row_ids *inserted,
		     const struct deadline *, struct err *);
int database_del(void *db, const struct attachment *, const struct deadline *,
		 struct released_rows *, struct err *);
int database_gc(void *context, const struct gc_request *, const struct deadline *,
		struct released_rows *, struct err *);
int database_status(void *db, const struct deadline *, struct store_status *, struct err *);

/* Their texts, for tests that prepare each one: name and SQL; ends with NULL. */
struct sql {
	const char *name, *text;
};
extern const struct sql sql_add[], sql_free[], sql_pick[];

#endif
