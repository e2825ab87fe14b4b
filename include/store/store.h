/*
 * The allocations, as a table of functions. Failures that may pass are tried again below it, and
 * what a verb does is decided above it. Verbs are tested with a table of functions that work in
 * memory.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/deadline.h"
#include "base/err.h"
#include "base/ip.h"

/* Who this host is. */
struct node {
	const char *name;
	const char *host_id;    /* the machine id; "" where the configuration gives the name */
	const char *machine_id; /* the machine id in any case; "" where it is not known */
	const char *machine;    /* what a copy of the disk does not share; "" where not known */
	const char *boot_id;    /* "" where it is not known: only DEL goes on without it */
	double began;           /* when this life of the host began: seconds of CLOCK_BOOTTIME */
	/* Seconds since then, as of now. Never negative. */
	double (*uptime)(const struct node *node);
};

/* Who holds addresses. */
struct attachment {
	const char *network;
	const struct node *node;
	const char *pod, *interface;
};

/* Addresses in which a free one is looked for. */
struct search {
	struct ip first, last; /* with the prefix length of their range */
	int position;          /* which address of the reservation it is to be, from 1 */
};

/* In the order in which to look; what belongs to one position stands together. It starts as { 0 }.
 */
struct searches {
	struct search *list;
	size_t n;
};

/* What an attachment asks for, and what is recorded with it. */
struct reservation {
	struct attachment by;
	const struct addresses *addresses; /* each with a prefix length, no host twice */
	/* Where to look for the addresses that were not asked for by name. NULL: all were. */
	const struct searches *searches;
	const char *pod_namespace, *pod_name, *pod_uid; /* may be NULL */
	int64_t started; /* monotonic_now() when the call began: what is recorded since is no older
			    sandbox of this pod */
};

/*
 * Rows, by their ids or by their row versions ("id@xmin"). A row version names a row as it was
 * written: once somebody has confirmed the row, it is no longer that one. It starts as { 0 }.
 */
struct row_ids {
	const char **list;
	size_t n;
};

void row_ids_add(struct row_ids *ids, const char *id);

/* One row, as it looks to who asks. */
struct allocation {
	const char *id;
	struct ip ip;
	const char *pod, *interface, *node, *host_id, *since;
	const char *pod_namespace, *pod_name; /* may be NULL */
	bool same_node;                       /* recorded by this node */
	bool this_boot;                       /* and with this boot's id */
	bool previous_boot;                   /* of another boot id, and older than this boot */
	bool other_machine; /* of another boot and of another machine, both known: another host has
			       this node's name */
	bool same_pod;      /* an older sandbox of the pod that asks, on this node */
	bool own;           /* held by the attachment that asks, and not other_machine */
	bool left_by_pod; /* left by the pod that asks: in an earlier boot, or by its older sandbox
			   */
	int position;     /* `pick`, `find_free`: which address of the reservation; 0: none */
};

/* It starts as { 0 }. */
struct allocations {
	struct allocation *rows;
	size_t n;
};

void allocations_add(struct allocations *all, const struct allocation *row);

/* One address that a statement has released. */
struct released {
	const char *ip, *pod, *interface, *boot_id; /* NULL where the statement does not say */
	const char *pod_namespace, *pod_name;       /* may be NULL */
};

/* Rows that stay, though somebody should know of them: how many, and the youngest. */
struct staying {
	size_t n;
	const char *pod, *interface, *node, *host_id, *since; /* NULL where DEL does not say */
};

struct released_rows {
	struct released *rows;
	size_t n;
	bool hides_warnings; /* the server's client_min_messages is above warning */
	/* DEL and GC: rows under this node's name that another host may have recorded. */
	struct staying duplicate;
	/* GC: rows of this machine under another name. */
	struct staying renamed;
	/* GC: rows under this node's name with another machine id. */
	struct staying reinstalled;
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

/* Who holds most of a set, and how many addresses of it are held at all. */
struct holder {
	const char *node, *host_id, *count, *youngest, *total; /* NULL: nobody holds anything */
};

enum { STORE_FAILED = -1, STORE_DONE = 0, STORE_CONFLICT = 1, STORE_NOTHING = 2 };

/*
 * Each function returns STORE_DONE only where the server said success, the commit did not complain
 * that it was not replicated, and nothing was cancelled. STORE_FAILED sets the error:
 * CNI_TRY_AGAIN_LATER, or CNI_INVALID_NETWORK_CONFIG where libpq does not accept the parameters.
 * STORE_CONFLICT: somebody holds one of the addresses, or the attachment holds others; nothing was
 * recorded, `find` tells who it is.
 *
 * `inserted` collects the versions of all rows that this process has inserted as far as it knows,
 * also when the function fails. It is what `release` takes when the answer cannot be given.
 */
struct store {
	void *context;
	int (*insert)(void *context, const struct reservation *, const struct deadline *,
		      struct row_ids *inserted, struct err *);
	/*
	 * Finds the first free address for each position of the searches and inserts everything in
	 * one statement; *picked has what was found. STORE_NOTHING: no room for those positions
	 * that *picked has not. STORE_CONFLICT, with `first` set, also where the pod holds or has
	 * left something: then nothing was searched.
	 */
	int (*pick)(void *context, const struct reservation *, bool first, const struct deadline *,
		    struct row_ids *inserted, struct allocations *picked, struct err *);
	/*
	 * For `wanted` positions: the first free address of each position of the searches, and if
	 * these are fewer, also what earlier boots of this node have left, the oldest first
	 * (position 0).
	 */
	int (*find_free)(void *context, const struct reservation *, const struct searches *,
			 size_t wanted, const struct deadline *, struct allocations *out,
			 struct err *);
	/* Who holds most of the addresses in the searches. */
	int (*find_holder)(void *context, const char *network, const struct searches *,
			   const struct deadline *, struct holder *out, struct err *);
	/*
	 * Finds the rows that hold one of the addresses or that the attachment holds; with
	 * searches, also what this pod has left in the network.
	 */
	int (*find)(void *context, const struct reservation *, const struct deadline *,
		    struct allocations *out, struct err *);
	/* Writes this boot's id to the rows `held`, so that the commit waits for a standby;
	 * *confirmed says how many there were. */
	int (*confirm)(void *context, const struct reservation *, const struct row_ids *held,
		       const struct deadline *, struct row_ids *inserted, size_t *confirmed,
		       struct err *);
	/* Releases those of the rows `stale` (as `find` gave them) that are still of an earlier
	 * boot, or of an older sandbox of this pod, and inserts, in one statement. */
	int (*take_over)(void *context, const struct reservation *, const struct allocations *stale,
			 const struct deadline *, struct row_ids *inserted,
			 struct released_rows *out, struct err *);
	/* Releases what this process has inserted. */
	int (*release)(void *context, const struct attachment *, const struct row_ids *inserted,
		       const struct deadline *, struct err *);
	int (*del)(void *context, const struct attachment *, const struct deadline *,
		   struct released_rows *out, struct err *);
	int (*gc)(void *context, const struct gc_request *, const struct deadline *,
		  struct released_rows *out, struct err *);
	int (*status)(void *context, const struct deadline *, struct store_status *out,
		      struct err *);
	/*
	 * Writes nothing. The positions of the searches in which no address is free (only position
	 * is set); and if there are such positions, what earlier boots of this node have left
	 * (position 0). `sizes` are how many addresses there are, one for each position in the
	 * order of the searches.
	 */
	int (*find_full)(void *context, const struct attachment *, const struct searches *,
			 const char *const *sizes, size_t n_sizes, const struct deadline *,
			 struct allocations *out, struct err *);
	void (*close)(void *context);
};

struct log;

/*
 * Opens a store in the database that the ipam object names, by libpq's keywords; connects only when
 * something is asked. `application_name` is what the server calls the connections, unless the
 * object says it. CNI_INVALID_NETWORK_CONFIG for values that cannot be meant. Clears the process's
 * environment, so that no inherited variable changes which database is used.
 */
typedef int store_open_fn(const cJSON *ipam, const char *application_name, struct log *log,
			  struct store *out, struct err *e);
store_open_fn store_open;

/* Is this one of libpq's connection keywords? */
bool store_keyword(const char *key);

/* The schema version that this build was written for: the number of its migration. */
#define STORE_SCHEMA 2

#endif
