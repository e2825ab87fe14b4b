/* What an ADD with range sets asks for: addresses by name, and picks. */
#ifndef IPAM_PICK_H
#define IPAM_PICK_H

#include "ipam/ipam.h"
#include "ipam/pool.h"

/* A set from which an address is picked. */
struct pick {
	size_t set;
	int position;    /* of its address in the plan, from 1 */
	struct ip first; /* the first place that the caller looks at */
	bool open;       /* `plan_settle` has decided nothing for it */
};

/* The plan of an ADD. */
struct plan {
	struct addresses addresses; /* in the order of the sets; of each pick what is decided */
	struct pick *picks;
	size_t n_picks;
	struct searches searches; /* where to look in this round */
	size_t place;             /* where the next round begins */
	const struct ranges *ranges;
	struct pools pools;
	struct sequence sequence;
};

/* What may be picked: never a gateway that the call names, wherever. */
struct pools pools_of_call(const struct cni_call *call, const struct ipam_conf *conf);

/*
 * Puts the addresses that are asked for in the order of the sets. Each set of which something may
 * be picked and nothing is asked for gets a pick, which begins with the caller's first place.
 * Without sets the plan is what is asked for.
 */
struct plan plan_of(const struct cni_call *call, const struct ipam *i, const struct reservation *r,
		    const struct addresses *asked);

/* Begins anew: decides that each pick is at its first place. */
void plan_first_places(struct plan *p);

/* Sets the searches of one more round. */
void plan_next_round(struct plan *p);

/* The searches of those picks that are open, from the first place on. */
struct searches plan_open_searches(const struct plan *p);

/* Decides that this is the address at a position. */
void plan_decide(struct plan *p, int position, const struct ip *ip);

/*
 * Decides what can be decided from the rows that were found: the first place if it is free, else
 * what this pod has left in the set. Such rows are added to *stale. Returns how many
 * picks stay open.
 */
size_t plan_settle(struct plan *p, const struct allocations *found, struct allocations *stale);

/* The same for open picks from `find_free`: a free address, else what others have left in an
 * earlier boot of this node. Returns a pick that stays open, or NULL. */
const struct pick *plan_settle_open(struct plan *p, const struct allocations *found,
				    struct allocations *stale);

/* Sets `code` with the words for a set that is full. Always returns -1. */
int set_is_full(const struct pools *pools, size_t set, enum cni_code code, struct err *e);

#endif
