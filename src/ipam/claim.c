/*
 * An INSERT that succeeds is all that a new attachment needs. Only when it meets somebody, LOOK
 * tells who, and the rows that it saw are the only ones that CONFIRM or TAKE touch: whoever changes
 * them in between makes those fail or find fewer rows, and then LOOK comes again.
 */
#include "ipam/claim.h"

#include <stdlib.h>
#include <string.h>

#define ROUNDS 5

enum verdict {
	VERDICT_MINE,  /* it holds what it asks for */
	VERDICT_OTHER, /* it holds something else, of this boot */
	VERDICT_HELD,  /* somebody else holds one of the addresses */
	VERDICT_FREE   /* whoever is in the way is of an earlier boot of this node */
};

static bool is_asked_for(const struct claim *c, const struct ip *ip)
{
	for (size_t i = 0; i < c->n_ips; i++)
		if (ip_same_host(&c->ips[i], ip))
			return true;
	return false;
}

/* Is it in the way for good? */
static bool is_alive(const struct holding *h)
{
	return !(h->here && h->earlier);
}

/* *foreign is the row that a VERDICT_HELD is about. */
static enum verdict decide(
	const struct holdings *all, const struct claim *c, const struct holding **foreign)
{
	size_t mine = 0, asked_for = 0;
	bool mine_alive = false;

	*foreign = NULL;
	for (size_t i = 0; i < all->n; i++) {
		const struct holding *h = &all->rows[i];

		if (h->mine) {
			mine++;
			asked_for += is_asked_for(c, &h->ip);
			mine_alive |= is_alive(h);
		} else if (is_alive(h) && !*foreign) {
			*foreign = h;
		}
	}
	if (mine > 0 && mine == asked_for && mine == c->n_ips)
		return VERDICT_MINE;
	if (mine_alive)
		return VERDICT_OTHER;
	return *foreign ? VERDICT_HELD : VERDICT_FREE;
}

static int holds_other(const struct holdings *all, const struct claim *c, struct err *e)
{
	scoped_text struct text has = { 0 }, wants = { 0 };
	char text[IP_TEXT];

	for (size_t i = 0; i < all->n; i++)
		if (all->rows[i].mine)
			text_item(&has, ", ", ip_text(&all->rows[i].ip, true, text));
	for (size_t i = 0; i < c->n_ips; i++)
		text_item(&wants, ", ", ip_text(&c->ips[i], true, text));
	err_set(e, CNI_HOLDS_OTHER, "the attachment \"%s\" (%s) holds %s already", c->by.pod,
		c->by.interface, text_get(&has));
	return err_details(e, "it asked for %s: DEL releases what it holds", text_get(&wants));
}

/* CNI_HELD with everything that is known of the holder; `c` says who asks. */
static int held(const struct holding *h, const struct claim *c, struct err *e)
{
	char text[IP_TEXT];

	err_set(e, CNI_HELD, "address %s is held by \"%s\" (%s) on node \"%s\" since %s",
		ip_text(&h->ip, false, text), h->pod, h->interface, h->node, h->since);
	if (h->here && !h->this_boot)
		return err_details(e,
			"recorded under another boot id, but after this host was started: two "
			"hosts share the name \"%s\"; give each a \"node\" of its own",
			c->by.node);
	if (!h->node[0])
		return err_details(e,
			"recorded before hosts were: a DEL of that container and interface "
			"releases it");
	if (h->pod_name)
		return err_details(e, "pod %s%s%s", h->pod_namespace ? h->pod_namespace : "",
			h->pod_namespace ? "/" : "", h->pod_name);
	return STORE_FAILED;
}

/* The ids of the rows that are mine, or (`mine` false) of all. */
static void list_ids(const struct holdings *all, bool mine, struct text *out)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->rows[i].mine || !mine)
			text_item(out, ",", all->rows[i].id);
}

static int grant_ips(struct grant *g, const struct ip *ips, size_t n, struct err *e)
{
	g->ips = malloc((n + 1) * sizeof(*ips));
	if (!g->ips)
		return err_set(e, CNI_IO, "out of memory");
	memcpy(g->ips, ips, n * sizeof(*ips));
	g->n = n;
	return STORE_DONE;
}

static int grant_held(struct grant *g, const struct holdings *all, struct err *e)
{
	g->ips = calloc(all->n + 1, sizeof(*g->ips));
	if (!g->ips)
		return err_set(e, CNI_IO, "out of memory");
	for (size_t i = 0; i < all->n; i++)
		if (all->rows[i].mine)
			g->ips[g->n++] = all->rows[i].ip;
	return STORE_DONE;
}

static int confirm(const struct store *s, const struct claim *c, const struct holdings *all,
	struct log *log, const struct limit *limit, struct grant *out, struct err *e)
{
	scoped_text struct text ids = { 0 };
	size_t confirmed = 0;
	int rc;

	list_ids(all, true, &ids);
	rc = s->confirm(s->context, c, text_get(&ids), limit, &out->inserted, &confirmed, e);
	if (rc != STORE_DONE)
		return rc;
	if (confirmed != c->n_ips)
		return STORE_TAKEN; /* some went away in between */
	log_line(log, LOG_INFO, "\"%s-%s\" holds what it asks for already", c->by.pod,
		c->by.interface);
	return grant_held(out, all, e);
}

static int take(const struct store *s, const struct claim *c, const struct holdings *all,
	struct log *log, const struct limit *limit, struct grant *out, struct err *e)
{
	scoped_text struct text ids = { 0 };
	struct releases gone = { 0 };
	int rc;

	list_ids(all, false, &ids);
	rc = s->take(s->context, c, text_get(&ids), limit, &out->inserted, &gone, e);
	for (size_t i = 0; i < gone.n; i++)
		log_line(log, LOG_INFO,
			"successfully deleted the existing allocation for \"%s-%s\": %s, left by "
			"boot %s of this node",
			gone.rows[i].pod, gone.rows[i].interface, gone.rows[i].ip,
			gone.rows[i].boot_id);
	releases_free(&gone);
	return rc == STORE_DONE ? grant_ips(out, c->ips, c->n_ips, e) : rc;
}

/* One round: looks, decides, acts. STORE_TAKEN: what was seen has changed, look again. */
static int look_and_act(const struct store *s, const struct claim *c, struct log *log,
	const struct limit *limit, struct grant *out, struct err *e)
{
	struct holdings all = { 0 };
	const struct holding *foreign;
	int rc = s->look(s->context, c, limit, &all, e);

	if (rc != STORE_DONE)
		return rc;
	switch (decide(&all, c, &foreign)) {
	case VERDICT_MINE: rc = confirm(s, c, &all, log, limit, out, e); break;
	case VERDICT_OTHER: rc = holds_other(&all, c, e); break;
	case VERDICT_HELD: rc = held(foreign, c, e); break;
	case VERDICT_FREE: rc = take(s, c, &all, log, limit, out, e); break;
	}
	holdings_free(&all);
	return rc;
}

int claim_run(const struct store *s, const struct claim *c, struct log *log,
	const struct limit *limit, struct grant *out, struct err *e)
{
	int rc;

	*out = (struct grant){ 0 };
	rc = s->insert(s->context, c, limit, &out->inserted, e);
	if (rc == STORE_DONE)
		return grant_ips(out, c->ips, c->n_ips, e);
	for (int round = 0; rc == STORE_TAKEN && round < ROUNDS; round++)
		rc = look_and_act(s, c, log, limit, out, e);
	if (rc == STORE_TAKEN)
		return err_set(e, CNI_AGAIN,
			"the addresses change hands faster than they can be looked at");
	return rc;
}

void grant_free(struct grant *g)
{
	free(g->ips);
	text_free(&g->inserted);
	*g = (struct grant){ 0 };
}
