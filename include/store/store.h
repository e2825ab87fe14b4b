/*
 * The allocations, as a table of functions: above it nobody tries again, below it nobody decides.
 * Verbs are tested with an in-memory one.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/deadline.h"
#include "base/err.h"
#include "base/ip.h"
#include "base/text.h"

/* Who this host is. */
struct node {
	const char *name;
	const char *host_id; /* the machine id; "" where the configuration gives the name */
	const char *boot_id; /* NULL where the verb does not need it */
	double (*uptime)(const struct node *node); /* seconds since this boot, as of now */
};

/* Who holds addresses. */
struct attachment {
	const char *network;
	const struct node *node;
	const char *pod, *interface;
};

/* What an attachment asks for, and what is recorded with it. All borrowed. */
struct reservation {
	struct attachment by;
	const struct ip *ips; /* each with a prefix length, no host twice */
	size_t n_ips;
	const char *pod_namespace, *pod_name, *pod_uid; /* may be NULL */
};

/* One row, as LOOK judges it. The strings are owned by struct allocations. */
struct allocation {
	const char *id;
	struct ip ip;
	const char *pod, *interface, *node, *since;
	const char *pod_namespace, *pod_name; /* may be NULL */
	bool same_node;                       /* recorded by this node */
	bool this_boot;                       /* and with this boot's id */
	bool previous_boot;                   /* of another boot id, and older than this boot */
	bool own;                             /* held by the attachment that asks */
};

struct allocations {
	struct allocation *rows; /* owned */
	size_t n;
	void *memory; /* owned: what the strings stand in */
};

/* One address that a statement has released. */
struct released {
	const char *ip, *pod, *interface, *boot_id; /* NULL where the statement does not say */
};

struct released_rows {
	struct released *rows; /* owned */
	size_t n;
	void *memory;
	bool hides_warnings; /* the server's client_min_messages is above warning */
	/* GC: rows of another boot id that are younger than this boot, and one of them */
	const char *duplicate_node_count, *duplicate_node_pod, *duplicate_node_interface;
};

struct gc_request {
	const char *network;
	const struct node *node;
	double grace;      /* seconds */
	const char *valid; /* JSON list of {"containerID","ifname"} */
};

struct store_status {
	bool read_only, may_write, hides_warnings;
	int version, works_with; /* of the schema; -1: none is recorded */
};

enum { STORE_FAILED = -1, STORE_DONE = 0, STORE_CONFLICT = 1 };

/*
 * Every function returns STORE_DONE only where the server said success without a warning and
 * nothing was cancelled; STORE_FAILED sets the error (CNI_TRY_AGAIN_LATER;
 * CNI_INVALID_NETWORK_CONFIG where libpq does not accept the parameters). STORE_CONFLICT is a
 * unique violation: nothing was recorded, look who holds it.
 *
 * `inserted` collects the rows that this process has inserted as far as it knows, also when the
 * function fails: what is to be released when the answer cannot be given. It is for `release` to
 * read: a row that somebody else has confirmed since does not count any more.
 */
struct store {
	void *context;
	int (*insert)(void *context, const struct reservation *, const struct deadline *,
		      struct strbuf *inserted, struct err *);
	/* Rows that hold one of the addresses or are held by the attachment. */
	int (*look)(void *context, const struct reservation *, const struct deadline *,
		    struct allocations *out, struct err *);
	/* Writes to the rows `held` ("1,2,3"), so that the commit waits for a standby; says how
	 * many. */
	int (*confirm)(void *context, const struct reservation *, const char *held,
		       const struct deadline *, struct strbuf *inserted, size_t *confirmed,
		       struct err *);
	/* Releases those of `stale` that are still of an earlier boot, and inserts, in one
	 * statement. */
	int (*take)(void *context, const struct reservation *, const char *stale,
		    const struct deadline *, struct strbuf *inserted, struct released_rows *out,
		    struct err *);
	/* Releases what this process has inserted. */
	int (*release)(void *context, const struct attachment *, const char *inserted,
		       const struct deadline *, struct err *);
	int (*del)(void *context, const struct attachment *, const struct deadline *,
		   struct released_rows *out, struct err *);
	int (*gc)(void *context, const struct gc_request *, const struct deadline *,
		  struct released_rows *out, struct err *);
	int (*status)(void *context, const struct deadline *, struct store_status *out,
		      struct err *);
	void (*close)(void *context);
};

/* One keyword of libpq and its value; owned by whoever made it. */
struct param {
	const char *key;
	const char *value;
};

/* Is this one of libpq's connection keywords? */
bool store_keyword(const char *key);

/*
 * A store in PostgreSQL. `params` are borrowed until it is closed. Connects only when something is
 * asked. Hosts, addresses and ports that do not fit together are CNI_INVALID_NETWORK_CONFIG. Clears
 * the process's environment, so that no inherited variable changes which database is used.
 */
struct log;
int store_open(const struct param *params, size_t n, struct log *log, struct store *out,
	       struct err *e);

void allocations_free(struct allocations *h);
void released_rows_free(struct released_rows *r);

/* The schema version that this build was written for: the number of its migration. */
#define STORE_SCHEMA 1

#endif
