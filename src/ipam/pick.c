/*
 * The plan of an ADD with range sets. A set is filled in this order: the first place that the
 * caller looks at, if it is free; what this very pod has left in the set; any free address; what
 * others have left in earlier boots of this node. So after a reboot a pod gets its address again,
 * and nobody takes what a neighbour has left while there is room.
 */
#include "ipam/pick.h"

#include "base/memory.h"

#define PLACES_A_ROUND 5

static void add_named(struct plan *p, const struct addresses *asked, size_t set)
{
	for (size_t i = 0; i < asked->n; i++) {
		const struct range *in = ranges_holding(p->ranges, &asked->list[i].ip);

		if (in && in->set == set)
			addresses_add(&p->addresses, &asked->list[i]);
	}
}

static void add_pick(struct plan *p, size_t set, const struct ip *first)
{
	struct address none = { .interface = -1 };

	addresses_add(&p->addresses, &none);
	p->picks[p->n_picks++] =
		(struct pick){ .set = set, .position = (int)p->addresses.n, .first = *first };
}

struct pools pools_of_call(const struct cni_call *call, const struct ipam_conf *conf)
{
	struct addresses gateways = request_gateways(call, conf);

	return pools_of(&conf->ranges, &gateways);
}

struct plan plan_of(const struct cni_call *call, const struct ipam *i, const struct reservation *r,
		    const struct addresses *asked)
{
	struct plan p = { .ranges = &i->conf.ranges };
	size_t n_sets = p.ranges->n_sets;
	struct ip first;

	if (n_sets == 0) {
		p.addresses = *asked;
		return p;
	}
	p.pools = pools_of_call(call, &i->conf);
	p.picks = mem_new(n_sets * sizeof(*p.picks));
	p.sequence = sequence_of(r->by.interface, r->pod_namespace, r->pod_name, r->by.node->name,
				 r->by.pod);
	for (size_t set = 0; set < n_sets; set++) {
		size_t before = p.addresses.n;

		add_named(&p, asked, set);
		if (p.addresses.n == before &&
		    pools_first_place(&p.pools, set, &p.sequence, &first))
			add_pick(&p, set, &first);
	}
	plan_first_places(&p);
	return p;
}

void plan_first_places(struct plan *p)
{
	for (size_t i = 0; i < p->n_picks; i++)
		plan_decide(p, p->picks[i].position, &p->picks[i].first);
}

static struct searches searches_from(const struct plan *p, size_t place, bool only_open)
{
	struct searches out = { 0 };

	for (size_t i = 0; i < p->n_picks; i++)
		if (p->picks[i].open || !only_open)
			pools_search(&p->pools, p->picks[i].set, &p->sequence, place, true,
				     p->picks[i].position, &out);
	return out;
}

void plan_next_round(struct plan *p)
{
	p->searches = searches_from(p, p->place, false);
	p->place += PLACES_A_ROUND;
}

struct searches plan_open_searches(const struct plan *p)
{
	return searches_from(p, 0, true);
}

void plan_decide(struct plan *p, int position, const struct ip *ip)
{
	struct address *to = &p->addresses.list[position - 1];
	const struct range *in = ranges_holding(p->ranges, ip);

	to->ip = *ip;
	if (in) {
		to->ip.prefix = in->subnet.prefix;
		to->gateway = in->gateway;
	}
}

/* May the pick have what this row holds? */
static bool is_offer(const struct plan *p, const struct pick *pick, const struct allocation *row)
{
	return (row->left_by_pod || (row->own && row->previous_boot)) &&
	       pools_hold(&p->pools, pick->set, &row->ip);
}

static void settle(struct plan *p, struct pick *pick, const struct allocations *found,
		   struct allocations *stale)
{
	const struct allocation *offer = NULL;
	bool first_is_free = true;

	for (size_t i = 0; i < found->n; i++) {
		const struct allocation *row = &found->rows[i];
		bool first = ip_same_host(&row->ip, &pick->first);

		first_is_free &= !first;
		if (is_offer(p, pick, row) && (!offer || first))
			offer = row;
	}
	pick->open = !first_is_free && !offer;
	if (first_is_free)
		plan_decide(p, pick->position, &pick->first);
	else if (offer)
		plan_decide(p, pick->position, &offer->ip);
	if (!first_is_free && offer)
		allocations_add(stale, offer);
}

size_t plan_settle(struct plan *p, const struct allocations *found, struct allocations *stale)
{
	size_t open = 0;

	for (size_t i = 0; i < p->n_picks; i++) {
		settle(p, &p->picks[i], found, stale);
		open += p->picks[i].open;
	}
	return open;
}

const struct pick *plan_settle_open(struct plan *p, const struct allocations *found,
				    struct allocations *stale)
{
	for (size_t i = 0; i < p->n_picks; i++) {
		struct pick *pick = &p->picks[i];

		for (size_t k = 0; pick->open && k < found->n; k++) {
			const struct allocation *row = &found->rows[k];

			if (row->position != pick->position &&
			    (row->position != 0 || !pools_hold(&p->pools, pick->set, &row->ip)))
				continue;
			plan_decide(p, pick->position, &row->ip);
			pick->open = false;
			if (row->position == 0)
				allocations_add(stale, row);
		}
		if (pick->open)
			return pick;
	}
	return NULL;
}

int set_is_full(const struct pools *pools, size_t set, enum cni_code code, struct err *e)
{
	char size[IP_NUMBER_TEXT];

	return err_set(
		e, code, "no address is left in the range set %s: all %s of its addresses are held",
		ranges_set_text(pools->ranges, set), ip_number_text(pools_size(pools, set), size));
}
