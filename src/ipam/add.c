/*
 * ADD: how an attachment gets its addresses.
 *
 * An insert that succeeds is all that a new attachment needs. Only if it conflicts with something,
 * the store is asked who holds what (`find`), and `decide` says what that means. `confirm` and
 * `take_over` change only rows that were found: if somebody else changes these rows in between,
 * `confirm` misses some of them and `take_over` conflicts, and the next round begins with `find`.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cni/result.h"
#include "ipam/pick.h"

/* How many rounds there are before ADD gives up. */
#define ROUNDS 5

/* What ADD needs from its first step until its answer is out. */
struct add {
	const struct cni_call *call;
	const struct deadline *deadline;
	struct ipam ipam;
	const struct store *store;
	struct addresses asked; /* by name */
	struct plan plan;
	struct allocations free; /* what the last pick has found */
	struct reservation reservation;
	struct addresses recorded; /* as they stand in the table, with the gateways of this call */
	struct row_ids inserted;   /* by this call, as far as it knows */
};

/* ---- the decisions ---- */

enum situation {
	HOLDS_SAME,    /* the attachment holds what it asks for */
	HOLDS_OTHER,   /* it holds something else, recorded in this boot */
	HELD_BY_OTHER, /* another attachment holds one of the addresses */
	TAKE_OVER /* what is in the way was left by an earlier boot of this node, or by an older
		     sandbox of this pod */
};

/* May the holder of the row be alive? */
static bool is_current(const struct allocation *row)
{
	return !(row->same_node && row->previous_boot) && !row->same_pod;
}

/* Does the attachment hold something of each set from which it would pick? */
static bool holds_each_set(const struct plan *p, const struct allocations *all)
{
	for (size_t i = 0; i < p->n_picks; i++) {
		bool holds = false;

		for (size_t k = 0; k < all->n; k++) {
			const struct range *in = ranges_holding(p->ranges, &all->rows[k].ip);

			holds |= all->rows[k].own && in && in->set == p->picks[i].set;
		}
		if (!holds)
			return false;
	}
	return true;
}

/* Does somebody else's row keep the attachment from being recorded? It holds an address that is
 * asked for, or it is what a copy of this host has recorded for a container of that name. */
static bool is_in_the_way(const struct add *a, const struct allocation *row)
{
	const struct attachment *by = &a->reservation.by;

	return addresses_find(&a->asked, &row->ip) ||
	       (row->same_node && row->other_machine && strcmp(row->pod, by->pod) == 0 &&
		strcmp(row->interface, by->interface) == 0);
}

/*
 * *foreign is the row that HELD_BY_OTHER is about. Without range sets an attachment holds the same
 * only if it holds nothing else; with sets it may hold what was picked, whatever the ranges say
 * now. Left by an earlier boot, that must be of each set.
 */
static enum situation decide(const struct add *a, const struct allocations *all,
			     const struct allocation **foreign)
{
	size_t own = 0, own_and_asked = 0;
	bool own_is_current = false, same;

	*foreign = NULL;
	for (size_t i = 0; i < all->n; i++) {
		const struct allocation *row = &all->rows[i];

		if (row->own) {
			own++;
			own_and_asked += addresses_find(&a->asked, &row->ip) != NULL;
			own_is_current |= is_current(row);
		} else if (is_current(row) && !*foreign && is_in_the_way(a, row)) {
			*foreign = row;
		}
	}
	same = own > 0 && own_and_asked == a->asked.n;
	if (a->ipam.conf.ranges.n_sets == 0)
		same &= own == own_and_asked;
	else if (!own_is_current)
		same &= holds_each_set(&a->plan, all);
	if (same)
		return HOLDS_SAME;
	if (own_is_current)
		return HOLDS_OTHER;
	return *foreign ? HELD_BY_OTHER : TAKE_OVER;
}

static int holds_other(const struct allocations *all, const struct reservation *r, struct err *e)
{
	struct strbuf held = { 0 }, asked = { 0 };
	char text[IP_TEXT];

	for (size_t i = 0; i < all->n; i++)
		if (all->rows[i].own)
			strbuf_join(&held, ", ", ip_text(&all->rows[i].ip, true, text));
	for (size_t i = 0; i < r->addresses->n; i++)
		strbuf_join(&asked, ", ", ip_text(&r->addresses->list[i].ip, true, text));
	err_set(e, CNI_ALLOCATION_MISMATCH, "the attachment \"%s\" (%s) holds %s already",
		r->by.pod, r->by.interface, strbuf_str(&held));
	return err_details(e, "it asked for %s: DEL releases what it holds", strbuf_str(&asked));
}

/* What to do about the holder; "" where nobody has to do anything. */
static const char *advice(const struct allocation *row, const struct node *node)
{
	if (row->same_node && row->other_machine)
		return mem_printf("another machine recorded it under the same name: two hosts "
				  "share the name \"%s\"; give each a \"node\" of its own (if the "
				  "hardware was replaced: sql/admin/forget-node.sh --machine)",
				  node->name);
	if (row->same_node && !row->this_boot)
		return mem_printf(
			"recorded under another boot id, but after this host was started: two "
			"hosts share the name \"%s\"; give each a \"node\" of its own",
			node->name);
	if (row->same_node)
		return "";
	if (!row->node[0])
		return "recorded before hosts were: a DEL of that container and interface releases "
		       "it";
	if (strcmp(row->node, node->name) == 0)
		return mem_printf("that host has the name of this one and another machine id: if "
				  "this host was installed anew, sql/admin/forget-node.sh "
				  "--host-id \"%s\" \"%s\" releases what it held before",
				  row->host_id, row->node);
	return mem_printf("if that node is gone for good, sql/admin/forget-node.sh \"%s\" releases "
			  "what it holds",
			  row->node);
}

static int held_by_other(const struct allocation *row, const struct reservation *r, struct err *e)
{
	char text[IP_TEXT];

	err_set(e, CNI_ADDRESS_IN_USE, "address %s is held by %s", ip_text(&row->ip, false, text),
		holder_text(row));
	return err_details(e, "%s", advice(row, r->by.node));
}

/* ---- the steps ---- */

/* Notes an address as recorded, with the gateway that the call or its range gives it. */
static void note_recorded(struct add *a, const struct ip *ip)
{
	const struct address *asked = addresses_find(&a->asked, ip);
	const struct range *in = ranges_holding(&a->ipam.conf.ranges, ip);
	struct address one = { .ip = *ip, .interface = -1 };

	if (asked)
		one.gateway = asked->gateway;
	else if (in)
		one.gateway = in->gateway;
	addresses_add(&a->recorded, &one);
}

static int confirm(struct add *a, const struct allocations *all, struct err *e)
{
	const struct reservation *r = &a->reservation;
	struct row_ids held = { 0 };
	size_t confirmed = 0;
	int rc;

	for (size_t i = 0; i < all->n; i++)
		if (all->rows[i].own)
			row_ids_add(&held, all->rows[i].id);
	rc = a->store->confirm(a->store->context, r, &held, a->deadline, &a->inserted, &confirmed,
			       e);
	if (rc != STORE_DONE)
		return rc;
	if (confirmed != held.n)
		return STORE_CONFLICT; /* some rows are gone */
	log_line(a->call->log, LOG_INFO, "\"%s-%s\" holds what it asks for already", r->by.pod,
		 r->by.interface);
	for (size_t i = 0; i < all->n; i++)
		if (all->rows[i].own)
			note_recorded(a, &all->rows[i].ip);
	return STORE_DONE;
}

static int take_over(struct add *a, const struct allocations *stale, struct err *e)
{
	struct released_rows gone = { 0 };
	int rc = a->store->take_over(a->store->context, &a->reservation, stale, a->deadline,
				     &a->inserted, &gone, e);

	for (size_t i = 0; i < gone.n; i++) {
		const struct released *one = &gone.rows[i];
		bool this_boot = strcmp(one->boot_id, a->reservation.by.node->boot_id) == 0;

		log_line(a->call->log, LOG_INFO,
			 "successfully deleted the existing allocation for \"%s-%s\": %s%s, left "
			 "by %s",
			 one->pod, one->interface, one->ip,
			 in_brackets(pod_text(one->pod_namespace, one->pod_name)),
			 this_boot ? "an older sandbox of the same pod"
				   : mem_printf("boot %s of this node", one->boot_id));
	}
	if (rc == STORE_DONE)
		a->recorded = a->plan.addresses;
	return rc;
}

/* ---- picking ---- */

/* Searches and inserts in one statement, each time from another place: two who have lost a race
 * against each other do not meet again at the next gap. */
static int pick(struct add *a, struct err *e)
{
	bool first = a->plan.place == 0;
	int rc;

	plan_next_round(&a->plan);
	rc = a->store->pick(a->store->context, &a->reservation, first, a->deadline, &a->inserted,
			    &a->free, e);
	if (rc != STORE_DONE)
		return rc;
	for (size_t i = 0; i < a->free.n; i++)
		plan_decide(&a->plan, a->free.rows[i].position, &a->free.rows[i].ip);
	a->recorded = a->plan.addresses;
	return STORE_DONE;
}

/* CNI_SET_FULL, unless there is room after all: then it is picked. */
static int full(struct add *a, size_t set, struct err *e)
{
	const struct node *node = a->reservation.by.node;
	struct searches all = { 0 };
	struct holder most = { 0 };
	bool our_name;

	pools_search(&a->plan.pools, set, &a->plan.sequence, 0, false, 1, &all);
	if (a->store->find_holder(a->store->context, a->reservation.by.network, &all, a->deadline,
				  &most, e) != STORE_DONE)
		return STORE_FAILED;
	if (!most.total || strtoull(most.total, NULL, 10) < pools_size(&a->plan.pools, set))
		return pick(a, e);
	our_name = strcmp(most.node, node->name) == 0 && most.host_id[0];
	set_is_full(&a->plan.pools, set, CNI_SET_FULL, e);
	return err_details(
		e,
		"node \"%s\"%s%s%s holds %s of them, the youngest since %s; GC frees what dead "
		"containers hold, sql/admin/forget-node.sh what a node holds that is gone for good",
		most.node, our_name ? " (machine id " : "", our_name ? most.host_id : "",
		our_name ? ")" : "", most.count, most.youngest);
}

/* Decides the picks that `find` has left open. Where the last attempt was a pick that found no
 * room, it has searched every set: none is read again. */
static int settle_open(struct add *a, size_t open, int last, struct allocations *stale,
		       struct err *e)
{
	struct searches searches = { 0 };
	struct allocations found = { 0 }, more;
	const struct pick *still_open;

	if (last == STORE_NOTHING)
		found = a->free;
	else
		searches = plan_open_searches(&a->plan);
	if (a->store->find_free(a->store->context, &a->reservation, &searches, open, a->deadline,
				&more, e) != STORE_DONE)
		return STORE_FAILED;
	for (size_t i = 0; i < more.n; i++)
		allocations_add(&found, &more.rows[i]);
	still_open = plan_settle_open(&a->plan, &found, stale);
	if (still_open)
		return full(a, still_open->set, e);
	return stale->n > 0 ? take_over(a, stale, e) : pick(a, e);
}

/* Takes over whatever is in the way and what is left of this pod; picks what is open. `last` is
 * what the last attempt has come to. */
static int take_over_or_pick(struct add *a, const struct allocations *all, int last, struct err *e)
{
	struct allocations stale = { 0 };
	size_t open;

	for (size_t i = 0; i < all->n; i++)
		if (all->rows[i].own || addresses_find(&a->asked, &all->rows[i].ip))
			allocations_add(&stale, &all->rows[i]);
	open = plan_settle(&a->plan, all, &stale);
	if (open > 0 && (stale.n > 0 || last == STORE_NOTHING))
		return settle_open(a, open, last, &stale, e);
	if (stale.n > 0 || a->plan.n_picks == 0)
		return take_over(a, &stale, e);
	return pick(a, e);
}

/* One round. STORE_CONFLICT or STORE_NOTHING: what was found has changed meanwhile. */
static int find_and_act(struct add *a, int last, struct err *e)
{
	struct allocations all = { 0 };
	const struct allocation *foreign;
	int rc;

	plan_first_places(&a->plan);
	rc = a->store->find(a->store->context, &a->reservation, a->deadline, &all, e);
	if (rc != STORE_DONE)
		return rc;
	switch (decide(a, &all, &foreign)) {
	case HOLDS_SAME: return confirm(a, &all, e);
	case HOLDS_OTHER: return holds_other(&all, &a->reservation, e);
	case HELD_BY_OTHER: return held_by_other(foreign, &a->reservation, e);
	case TAKE_OVER: break;
	}
	return take_over_or_pick(a, &all, last, e);
}

/* Records all addresses or none. Picks are tried as long as there is time. */
static int reserve(struct add *a, struct err *e)
{
	int rc = a->store->insert(a->store->context, &a->reservation, a->deadline, &a->inserted, e);

	if (rc == STORE_DONE)
		a->recorded = a->plan.addresses;
	else if (rc > 0 && a->plan.n_picks > 0)
		rc = pick(a, e);
	for (int round = 0; rc > 0 && (round < ROUNDS || a->plan.n_picks > 0); round++)
		rc = find_and_act(a, rc, e);
	if (rc > 0)
		return err_set(e, CNI_TRY_AGAIN_LATER,
			       "the addresses change hands faster than they can be looked at");
	return rc;
}

/* ---- the verb ---- */

static int read_request(struct add *a, struct err *e)
{
	const struct cni_call *call = a->call;

	if (request_read(call, &a->ipam.conf, &a->asked, e) < 0)
		return -1;
	a->reservation = (struct reservation){ .by = a->ipam.by,
					       .addresses = &a->plan.addresses,
					       .pod_namespace = cni_arg(call, "K8S_POD_NAMESPACE"),
					       .pod_name = cni_arg(call, "K8S_POD_NAME"),
					       .pod_uid = cni_arg(call, "K8S_POD_UID"),
					       .started = call->started };
	a->plan = plan_of(call, &a->ipam, &a->reservation, &a->asked);
	if (a->plan.n_picks > 0)
		a->reservation.searches = &a->plan.searches;
	if (a->plan.addresses.n > 0)
		return result_check_capacity(&a->plan.addresses, call->version, e);
	err_set(e, CNI_INVALID_NETWORK_CONFIG, "no address was asked for");
	return err_details(
		e, "ask with CNI_ARGS IP=10.0.0.5/24, with runtimeConfig.ips (capability \"ips\"), "
		   "the pod annotation ipam-status-cni/ips (capability "
		   "\"io.kubernetes.cri.pod-annotations\"), args.cni.ips, or ipam.addresses; "
		   "without asking, one is picked from each set of ipam.ranges");
}

/* Releases what this call has inserted, even if the deadline has passed. */
static void release(void *context, struct log *log)
{
	struct add *a = context;
	const struct attachment *by = &a->reservation.by;
	struct deadline deadline = deadline_in(RELEASE_SECONDS);
	struct err e = { 0 };

	if (!a->inserted.n)
		return;
	if (a->store->release(a->store->context, by, &a->inserted, &deadline, &e) == STORE_DONE)
		log_line(log, LOG_INFO,
			 "successfully deleted the existing allocation for \"%s-%s\": ADD could "
			 "not be answered",
			 by->pod, by->interface);
	else
		log_line(log, LOG_WARNING, "what this ADD has recorded stays until DEL or GC: %s",
			 e.msg);
}

int ipam_add(const struct cni_call *call, struct cni_reply *out, struct err *e)
{
	struct add *a = mem_new(sizeof(*a));
	struct result result;
	char text[IP_TEXT];

	*a = (struct add){ .call = call, .deadline = call->deadline, .store = &a->ipam.store };
	if (ipam_open(call, &a->ipam, e) < 0)
		return -1;
	if (read_request(a, e) < 0 || reserve(a, e) != STORE_DONE) {
		release(a, call->log);
		ipam_close(&a->ipam);
		return -1;
	}
	for (size_t i = 0; a->inserted.n && i < a->recorded.n; i++)
		log_line(call->log, LOG_INFO, "recorded %s for \"%s-%s\"",
			 ip_text(&a->recorded.list[i].ip, true, text), call->container,
			 call->ifname);
	result = a->ipam.conf.answer;
	result.ips = a->recorded;
	*out = (struct cni_reply){ .json = result_print(&result, call->version),
				   .rollback = release,
				   .context = a };
	return 0;
}
