/* STATUS: could an ADD succeed now? It looks, and writes nothing. */
#include <sys/random.h>

#include "base/memory.h"
#include "ipam/pick.h"

/* Why no ADD can succeed now, as far as can be seen without writing; NULL: one could. */
static const char *why_not_ready(const struct store_status *s)
{
	if (s->read_only)
		return "the database is read-only: a standby?";
	if (s->version < 0)
		return "the database's schema has no version: run sql/migrate.sh";
	if (s->version < STORE_SCHEMA)
		return mem_printf("the database's schema has version %d, this build needs %d: run "
				  "sql/migrate.sh",
				  s->version, STORE_SCHEMA);
	if (s->works_with > STORE_SCHEMA)
		return mem_printf("the database's schema works with builds for schema %d and "
				  "later, this one is for %d: install newer plugins",
				  s->works_with, STORE_SCHEMA);
	if (!s->may_write)
		return "the role may not write to the table ips: run sql/provision.sh";
	if (s->hides_warnings)
		return "the server hides warnings: set client_min_messages to warning or lower";
	return NULL;
}

/* Is what an earlier boot of this node has left room in the set? */
static bool has_left_over(const struct pools *pools, size_t set, const struct allocations *found)
{
	for (size_t i = 0; i < found->n; i++)
		if (found->rows[i].position == 0 && pools_hold(pools, set, &found->rows[i].ip))
			return true;
	return false;
}

/* Is there room in every set from which something may be picked? Each look begins at another place:
 * runs of addresses that were given one after the other are at the beginning of a set. */
static int check_room(const struct cni_call *call, const struct ipam *i, struct err *e)
{
	const struct ranges *ranges = &i->conf.ranges;
	const struct pools pools = pools_of_call(call, &i->conf);
	struct sequence anywhere = { .step = 1 };
	const char **sizes = mem_new(ranges->n_sets * sizeof(*sizes));
	size_t n_sizes = 0;
	struct searches all = { 0 };
	struct allocations found;

	if (getrandom(&anywhere.start, sizeof(anywhere.start), GRND_NONBLOCK) < 0)
		anywhere.start = (ip_number)monotonic_now();
	for (size_t set = 0; set < ranges->n_sets; set++) {
		size_t before = all.n;

		pools_search(&pools, set, &anywhere, 0, false, (int)set + 1, &all);
		if (all.n > before)
			sizes[n_sizes++] =
				ip_number_text(pools_size(&pools, set), mem_new(IP_NUMBER_TEXT));
	}
	if (all.n == 0)
		return 0;
	if (i->store.find_full(i->store.context, &i->by, &all, sizes, n_sizes, call->deadline,
			       &found, e) != STORE_DONE)
		return -1;
	for (size_t k = 0; k < found.n; k++) {
		size_t set = (size_t)found.rows[k].position - 1;

		if (found.rows[k].position > 0 && !has_left_over(&pools, set, &found))
			return set_is_full(&pools, set, CNI_PLUGIN_NOT_AVAILABLE, e);
	}
	return 0;
}

int ipam_status(const struct cni_call *call, struct cni_reply *out, struct err *e)
{
	cleanup_ipam struct ipam i = { 0 };
	struct store_status s;
	const char *why;

	(void)out;
	if (ipam_open(call, &i, e) < 0 ||
	    i.store.status(i.store.context, call->deadline, &s, e) != STORE_DONE)
		return -1;
	why = why_not_ready(&s);
	if (why)
		return err_set(e, CNI_PLUGIN_NOT_AVAILABLE, "%s", why);
	return i.conf.status_ignores_ranges ? 0 : check_room(call, &i, e);
}
