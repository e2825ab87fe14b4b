/*
 * An INSERT that succeeds is all that a new attachment needs. Only when it meets somebody, LOOK
 * tells who, and the rows that it saw are the only ones that CONFIRM or TAKE touch: whoever changes
 * them in between makes those fail or find fewer rows, and then LOOK comes again.
 */
#include "ipam/claim.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define ROUNDS 5

enum situation {
	HOLDS_SAME,    /* it holds what it asks for */
	HOLDS_OTHER,   /* it holds something else, of this boot */
	HELD_BY_OTHER, /* somebody else holds one of the addresses */
	TAKE_OVER      /* whoever is in the way is of an earlier boot of this node */
};

static bool is_asked_for(const struct reservation *c, const struct ip *ip)
{
	for (size_t i = 0; i < c->n_ips; i++)
		if (ip_same_host(&c->ips[i], ip))
			return true;
	return false;
}

/* Is it in the way for good? */
static bool is_current(const struct allocation *h)
{
	return !(h->same_node && h->previous_boot);
}

/* *foreign is the row that a HELD_BY_OTHER is about. */
static enum situation decide(const struct allocations *all, const struct reservation *c,
			     const struct allocation **foreign)
{
	size_t mine = 0, asked_for = 0;
	bool mine_alive = false;

	*foreign = NULL;
	for (size_t i = 0; i < all->n; i++) {
		const struct allocation *h = &all->rows[i];

		if (h->own) {
			mine++;
			asked_for += is_asked_for(c, &h->ip);
			mine_alive |= is_current(h);
		} else if (is_current(h) && !*foreign) {
			*foreign = h;
		}
	}
	if (mine > 0 && mine == asked_for && mine == c->n_ips)
		return HOLDS_SAME;
	if (mine_alive)
		return HOLDS_OTHER;
	return *foreign ? HELD_BY_OTHER : TAKE_OVER;
}

static int holds_other(const struct allocations *all, const struct reservation *c, struct err *e)
{
	cleanup_strbuf struct strbuf has = { 0 }, wants = { 0 };
	char text[IP_TEXT];

	for (size_t i = 0; i < all->n; i++)
		if (all->rows[i].own)
			strbuf_join(&has, ", ", ip_text(&all->rows[i].ip, true, text));
	for (size_t i = 0; i < c->n_ips; i++)
		strbuf_join(&wants, ", ", ip_text(&c->ips[i], true, text));
	err_set(e, CNI_ALLOCATION_MISMATCH, "the attachment \"%s\" (%s) holds %s already",
		c->by.pod, c->by.interface, strbuf_str(&has));
	return err_details(e, "it asked for %s: DEL releases what it holds", strbuf_str(&wants));
}

/* CNI_ADDRESS_IN_USE with everything that is known of the holder; `c` says who asks. */
static int held(const struct allocation *h, const struct reservation *c, struct err *e)
{
	char text[IP_TEXT];

	err_set(e, CNI_ADDRESS_IN_USE, "address %s is held by \"%s\" (%s) on node \"%s\" since %s",
		ip_text(&h->ip, false, text), h->pod, h->interface, h->node, h->since);
	if (h->same_node && !h->this_boot)
		return err_details(
			e,
			"recorded under another boot id, but after this host was started: two "
			"hosts share the name \"%s\"; give each a \"node\" of its own",
			c->by.node->name);
	if (!h->node[0])
		return err_details(
			e, "recorded before hosts were: a DEL of that container and interface "
			   "releases it");
	if (h->pod_name)
		return err_details(e, "pod %s%s%s", h->pod_namespace ? h->pod_namespace : "",
				   h->pod_namespace ? "/" : "", h->pod_name);
	return STORE_FAILED;
}

/* The ids of the rows that are mine, or (`mine` false) of all. */
static void list_ids(const struct allocations *all, bool mine, struct row_ids *out)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->rows[i].own || !mine)
			row_ids_add(out, all->rows[i].id);
}

static int grant_ips(struct grant *g, const struct ip *ips, size_t n, struct err *e)
{
	g->ips = malloc((n + 1) * sizeof(*ips));
	if (!g->ips)
		return err_set(e, CNI_IO_FAILURE, "out of memory");
	memcpy(g->ips, ips, n * sizeof(*ips));
	g->n = n;
	return STORE_DONE;
}

static int grant_held(struct grant *g, const struct allocations *all, struct err *e)
{
	g->ips = calloc(all->n + 1, sizeof(*g->ips));
	if (!g->ips)
		return err_set(e, CNI_IO_FAILURE, "out of memory");
	for (size_t i = 0; i < all->n; i++)
		if (all->rows[i].own)
			g->ips[g->n++] = all->rows[i].ip;
	return STORE_DONE;
}

static int confirm(const struct store *s, const struct reservation *c,
		   const struct allocations *all, struct log *log, const struct deadline *deadline,
		   struct grant *out, struct err *e)
{
	struct row_ids ids = { 0 };
	size_t confirmed = 0;
	int rc;

	list_ids(all, true, &ids);
	rc = s->confirm(s->context, c, &ids, deadline, &out->inserted, &confirmed, e);
	if (rc != STORE_DONE)
		return rc;
	if (confirmed != c->n_ips)
		return STORE_CONFLICT; /* some went away in between */
	log_line(log, LOG_INFO, "\"%s-%s\" holds what it asks for already", c->by.pod,
		 c->by.interface);
	return grant_held(out, all, e);
}

static int take(const struct store *s, const struct reservation *c, const struct allocations *all,
		struct log *log, const struct deadline *deadline, struct grant *out, struct err *e)
{
	struct row_ids ids = { 0 };
	struct released_rows gone = { 0 };
	int rc;

	list_ids(all, false, &ids);
	rc = s->take_over(s->context, c, &ids, deadline, &out->inserted, &gone, e);
	for (size_t i = 0; i < gone.n; i++)
		log_line(log, LOG_INFO,
			 "successfully deleted the existing allocation for \"%s-%s\": %s, left by "
			 "boot %s of this node",
			 gone.rows[i].pod, gone.rows[i].interface, gone.rows[i].ip,
			 gone.rows[i].boot_id);
	return rc == STORE_DONE ? grant_ips(out, c->ips, c->n_ips, e) : rc;
}

/* One round: looks, decides, acts. STORE_CONFLICT: what was seen has changed, look again. */
static int look_and_act(const struct store *s, const struct reservation *c, struct log *log,
			const struct deadline *deadline, struct grant *out, struct err *e)
{
	struct allocations all = { 0 };
	const struct allocation *foreign;
	int rc = s->find(s->context, c, deadline, &all, e);

	if (rc != STORE_DONE)
		return rc;
	switch (decide(&all, c, &foreign)) {
	case HOLDS_SAME: rc = confirm(s, c, &all, log, deadline, out, e); break;
	case HOLDS_OTHER: rc = holds_other(&all, c, e); break;
	case HELD_BY_OTHER: rc = held(foreign, c, e); break;
	case TAKE_OVER: rc = take(s, c, &all, log, deadline, out, e); break;
	}
	return rc;
}

int reserve(const struct store *s, const struct reservation *c, struct log *log,
	    const struct deadline *deadline, struct grant *out, struct err *e)
{
	int rc;

	*out = (struct grant){ 0 };
	rc = s->insert(s->context, c, deadline, &out->inserted, e);
	if (rc == STORE_DONE)
		return grant_ips(out, c->ips, c->n_ips, e);
	for (int round = 0; rc == STORE_CONFLICT && round < ROUNDS; round++)
		rc = look_and_act(s, c, log, deadline, out, e);
	if (rc == STORE_CONFLICT)
		return err_set(e, CNI_TRY_AGAIN_LATER,
			       "the addresses change hands faster than they can be looked at");
	return rc;
}

void grant_free(struct grant *g)
{
	free(g->ips);
	*g = (struct grant){ 0 };
}
