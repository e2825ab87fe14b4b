/* The allocations in memory of fake_store.h. */
#include "fake_store.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

static void copy(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from ? from : "");
}

#define COPY(to, from) copy(to, sizeof(to), from)

/* Records a row without looking at the others. */
static struct fake_row *add(struct fake *f, const struct attachment *by, const struct ip *ip,
			    double age)
{
	struct fake_row *r = &f->rows[f->n++];

	assert_true(f->n <= COUNT(f->rows));
	*r = (struct fake_row){ .ip = *ip, .age = age };
	COPY(r->network, by->network);
	COPY(r->node, by->node->name);
	COPY(r->host_id, by->node->host_id);
	COPY(r->pod, by->pod);
	COPY(r->interface, by->interface);
	COPY(r->boot_id, by->node->boot_id);
	COPY(r->machine, by->node->machine);
	snprintf(r->id, sizeof(r->id), "%d", ++f->last_id);
	return r;
}

struct fake_row *fake_holds(struct fake *f, const char *whose, const char *address,
			    const char *boot_id, double age)
{
	char part[4][64];
	struct node node = { .name = part[1], .boot_id = boot_id };
	struct attachment by = {
		.network = part[0], .node = &node, .pod = part[2], .interface = part[3]
	};
	struct ip ip;

	assert_int_equal(sscanf(whose, "%63[^/]/%63[^/]/%63[^/]/%63[^/]", part[0], part[1], part[2],
				part[3]),
			 4);
	assert_true(ip_parse(address, &ip));
	return add(f, &by, &ip, age);
}

void fake_drop(struct fake *f, size_t i)
{
	memmove(&f->rows[i], &f->rows[i + 1], (f->n - i - 1) * sizeof(f->rows[0]));
	f->n--;
}

const char *fake_says(const struct fake *f)
{
	struct strbuf says = { 0 };
	char ip[IP_TEXT];

	for (size_t i = 0; i < f->n; i++)
		strbuf_addf(&says, "%s%s:%s", i ? " " : "", f->rows[i].pod,
			    ip_text(&f->rows[i].ip, true, ip));
	return strbuf_str(&says);
}

int fake_called(struct fake *f, const char *function, struct err *e)
{
	strbuf_join(&f->calls, " ", function);
	if (f->meanwhile)
		f->meanwhile(f, function);
	if (f->fails && strcmp(f->fails, function) == 0)
		return err_set(e, CNI_TRY_AGAIN_LATER, "no %s", function);
	return 0;
}

/* ---- what the statements decide ---- */

static bool is_of_node(const struct fake_row *r, const struct node *node)
{
	return strcmp(r->node, node->name) == 0 && strcmp(r->host_id, node->host_id) == 0;
}

static bool is_of_other_boot(const struct fake_row *r, const struct node *node)
{
	return strcmp(r->boot_id, node->boot_id) != 0;
}

/* Of two machines, both known? */
static bool is_of_other_machine(const struct fake_row *r, const struct node *node)
{
	return r->machine[0] && node->machine[0] && strcmp(r->machine, node->machine) != 0;
}

static bool is_earlier(const struct fake_row *r, const struct node *node)
{
	return is_of_other_boot(r, node) && r->age > node->uptime(node) &&
	       !is_of_other_machine(r, node);
}

static bool is_clones(const struct fake_row *r, const struct node *node)
{
	return is_of_other_boot(r, node) && is_of_other_machine(r, node);
}

/* What the constraint of the table compares. */
static bool is_same_attachment(const struct fake_row *r, const struct attachment *a)
{
	return strcmp(r->network, a->network) == 0 && is_of_node(r, a->node) &&
	       strcmp(r->pod, a->pod) == 0 && strcmp(r->interface, a->interface) == 0;
}

static bool is_own(const struct fake_row *r, const struct attachment *a)
{
	return is_same_attachment(r, a) && !is_clones(r, a->node);
}

/* An older sandbox of the pod that asks. */
static bool is_same_pod(const struct fake_row *r, const struct reservation *c)
{
	double since = (double)(monotonic_now() - c->started) / 1e9;

	return c->pod_uid && strcmp(r->pod_uid, c->pod_uid) == 0 && is_of_node(r, c->by.node) &&
	       strcmp(r->interface, c->by.interface) == 0 && strcmp(r->pod, c->by.pod) != 0 &&
	       !is_of_other_machine(r, c->by.node) && r->age > since;
}

static bool is_asked_for(const struct fake_row *r, const struct reservation *c)
{
	return strcmp(r->network, c->by.network) == 0 && addresses_find(c->addresses, &r->ip);
}

static bool is_listed(const struct row_ids *ids, const char *id)
{
	for (size_t i = 0; i < ids->n; i++)
		if (strcmp(ids->list[i], id) == 0)
			return true;
	return false;
}

static bool is_left_by_pod(const struct fake_row *r, const struct reservation *c)
{
	const struct attachment *a = &c->by;
	const char *name = c->pod_name, *namespace = c->pod_namespace, *uid = c->pod_uid;

	if (!c->searches || strcmp(r->network, a->network) != 0 ||
	    strcmp(r->node, a->node->name) != 0 || strcmp(r->interface, a->interface) != 0)
		return false;
	return (is_earlier(r, a->node) && name && strcmp(r->pod_name, name) == 0 &&
		strcmp(r->pod_namespace, namespace ? namespace : "") == 0) ||
	       (uid && strcmp(r->pod_uid, uid) == 0 && strcmp(r->pod, a->pod) != 0);
}

/* The first address of the searches for a position that nobody holds. */
static bool first_free(const struct fake *f, const char *network, const struct searches *s,
		       int position, struct ip *out)
{
	for (size_t i = 0; i < s->n; i++) {
		bool taken = false;

		*out = s->list[i].first;
		for (;; *out = ip_next(out)) {
			taken = false;
			for (size_t k = 0; k < f->n; k++)
				taken |= strcmp(f->rows[k].network, network) == 0 &&
					 ip_same_host(&f->rows[k].ip, out);
			if (!taken || ip_same_host(out, &s->list[i].last))
				break;
		}
		if (!taken && s->list[i].position == position)
			return true;
	}
	return false;
}

static bool was_found(const struct allocations *all, const char *id)
{
	for (size_t i = 0; i < all->n; i++)
		if (strcmp(all->rows[i].id, id) == 0)
			return true;
	return false;
}

/* All of them or none: STORE_CONFLICT where one is taken, or the attachment holds something. */
static int record(struct fake *f, const struct reservation *c, struct row_ids *inserted)
{
	for (size_t i = 0; i < f->n; i++)
		if (is_same_attachment(&f->rows[i], &c->by) || is_asked_for(&f->rows[i], c))
			return c->searches ? STORE_NOTHING : STORE_CONFLICT;
	for (size_t i = 0; i < c->addresses->n; i++) {
		struct fake_row *r = add(f, &c->by, &c->addresses->list[i].ip, 0);

		COPY(r->pod_namespace, c->pod_namespace);
		COPY(r->pod_name, c->pod_name);
		COPY(r->pod_uid, c->pod_uid);
		row_ids_add(inserted, mem_strdup(r->id));
	}
	return STORE_DONE;
}

/* Moves row i into the released ones. */
static void release_row(struct fake *f, size_t i, struct released_rows *out)
{
	struct released *one = &out->rows[out->n++];
	const struct fake_row *r = &f->rows[i];
	char ip[IP_TEXT];

	*one = (struct released){ .ip = mem_strdup(ip_text(&r->ip, false, ip)),
				  .pod = mem_strdup(r->pod),
				  .interface = mem_strdup(r->interface),
				  .boot_id = mem_strdup(r->boot_id),
				  .pod_namespace =
					  r->pod_namespace[0] ? mem_strdup(r->pod_namespace) : NULL,
				  .pod_name = r->pod_name[0] ? mem_strdup(r->pod_name) : NULL };
	fake_drop(f, i);
}

static struct released_rows released(const struct fake *f)
{
	return (struct released_rows){ .rows = mem_new(sizeof(f->rows)),
				       .hides_warnings = f->hides_warnings };
}

/* ---- the functions of a store ---- */

static int fake_insert(void *context, const struct reservation *c,
		       const struct deadline *d __attribute__((unused)), struct row_ids *inserted,
		       struct err *e)
{
	struct fake *f = context;
	int rc = fake_called(f, "insert", e);

	if (rc == 0)
		rc = record(f, c, inserted);
	if (rc == STORE_DONE && f->doubtful && strcmp(f->doubtful, "insert") == 0)
		return err_set(e, CNI_TRY_AGAIN_LATER, "insert is in doubt");
	return rc;
}

static void add_found(struct allocations *out, int position, const char *id, const struct ip *ip)
{
	out->rows[out->n++] =
		(struct allocation){ .position = position, .id = mem_strdup(id), .ip = *ip };
}

/* Positions begin to count where the list of searches does; there is one of each set. */
static int fake_pick(void *context, const struct reservation *c, bool first,
		     const struct deadline *d __attribute__((unused)), struct row_ids *inserted,
		     struct allocations *picked, struct err *e)
{
	struct addresses all = *c->addresses;
	struct reservation with = *c;
	struct fake *f = context;
	bool full = false;
	struct ip ip;

	*picked = (struct allocations){ .rows = mem_new(COUNT(f->rows) * sizeof(*picked->rows)) };
	if (fake_called(f, "pick", e) < 0)
		return STORE_FAILED;
	for (size_t i = 0; first && i < f->n; i++)
		if (is_own(&f->rows[i], &c->by) || is_left_by_pod(&f->rows[i], c))
			return STORE_CONFLICT;
	all.list = mem_new(all.n * sizeof(*all.list));
	memcpy(all.list, c->addresses->list, all.n * sizeof(*all.list));
	with.addresses = &all;
	for (size_t i = 0; i < c->searches->n; i++) {
		int position = c->searches->list[i].position;

		if (i > 0 && position == c->searches->list[i - 1].position)
			continue;
		if (!first_free(f, c->by.network, c->searches, position, &ip)) {
			full = true;
			continue;
		}
		all.list[position - 1].ip = ip;
		add_found(picked, position, "", &ip);
	}
	return full ? STORE_NOTHING : record(f, &with, inserted);
}

static void add_stale(const struct fake *f, const struct attachment *a, struct allocations *out)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct fake_row *r = &f->rows[i];

		if (strcmp(r->network, a->network) == 0 && strcmp(r->node, a->node->name) == 0 &&
		    is_earlier(r, a->node))
			add_found(out, 0, r->id, &r->ip);
	}
}

static int fake_find_free(void *context, const struct reservation *c, const struct searches *s,
			  size_t wanted, const struct deadline *d __attribute__((unused)),
			  struct allocations *out, struct err *e)
{
	struct fake *f = context;
	struct ip ip;

	if (fake_called(f, s->n > 0 ? "find_free" : "find_left", e) < 0)
		return STORE_FAILED;
	*out = (struct allocations){ .rows = mem_new(2 * COUNT(f->rows) * sizeof(*out->rows)) };
	for (size_t i = 0; i < s->n; i++)
		if ((i == 0 || s->list[i].position != s->list[i - 1].position) &&
		    first_free(f, c->by.network, s, s->list[i].position, &ip))
			add_found(out, s->list[i].position, "", &ip);
	if (out->n < wanted)
		add_stale(f, &c->by, out);
	return STORE_DONE;
}

static int fake_find_holder(void *context, const char *network __attribute__((unused)),
			    const struct searches *s,
			    const struct deadline *d __attribute__((unused)), struct holder *out,
			    struct err *e)
{
	struct fake *f = context;
	struct ip ip;

	if (fake_called(f, "find_holder", e) < 0)
		return STORE_FAILED;
	*out = (struct holder){ .node = f->rows[0].node,
				.host_id = "",
				.count = "3",
				.youngest = "yesterday",
				.total = first_free(f, network, s, 1, &ip) ? "0" : "99999" };
	return STORE_DONE;
}

static int fake_find_full(void *context, const struct attachment *a, const struct searches *s,
			  const char *const *sizes __attribute__((unused)),
			  size_t n_sizes __attribute__((unused)),
			  const struct deadline *d __attribute__((unused)), struct allocations *out,
			  struct err *e)
{
	struct fake *f = context;
	struct ip ip;

	if (fake_called(f, "find_full", e) < 0)
		return STORE_FAILED;
	*out = (struct allocations){ .rows = mem_new(2 * COUNT(f->rows) * sizeof(*out->rows)) };
	for (size_t i = 0; i < s->n; i++)
		if ((i == 0 || s->list[i].position != s->list[i - 1].position) &&
		    !first_free(f, a->network, s, s->list[i].position, &ip))
			add_found(out, s->list[i].position, "", &ip);
	if (out->n > 0)
		add_stale(f, a, out);
	return STORE_DONE;
}

static int fake_find(void *context, const struct reservation *c,
		     const struct deadline *d __attribute__((unused)), struct allocations *out,
		     struct err *e)
{
	struct fake *f = context;
	const struct node *node = c->by.node;

	if (fake_called(f, "find", e) < 0)
		return STORE_FAILED;
	*out = (struct allocations){ .rows = mem_new(COUNT(f->rows) * sizeof(*out->rows)) };
	for (size_t i = 0; i < f->n; i++) {
		struct fake_row *r = &f->rows[i];

		if (!is_same_attachment(r, &c->by) && !is_asked_for(r, c) && !is_left_by_pod(r, c))
			continue;
		out->rows[out->n++] = (struct allocation){
			.id = mem_strdup(r->id),
			.ip = r->ip,
			.pod = mem_strdup(r->pod),
			.interface = mem_strdup(r->interface),
			.node = mem_strdup(r->node),
			.host_id = mem_strdup(r->host_id),
			.since = "yesterday",
			.pod_namespace = r->pod_namespace[0] ? mem_strdup(r->pod_namespace) : NULL,
			.pod_name = r->pod_name[0] ? mem_strdup(r->pod_name) : NULL,
			.same_node = is_of_node(r, node),
			.this_boot = !is_of_other_boot(r, node),
			.previous_boot = is_earlier(r, node),
			.other_machine = is_clones(r, node),
			.same_pod = is_same_pod(r, c),
			.own = is_own(r, &c->by),
			.left_by_pod = is_left_by_pod(r, c)
		};
	}
	return STORE_DONE;
}

static int fake_confirm(void *context, const struct reservation *c, const struct row_ids *held,
			const struct deadline *d __attribute__((unused)),
			struct row_ids *inserted __attribute__((unused)), size_t *confirmed,
			struct err *e)
{
	struct fake *f = context;

	if (fake_called(f, "confirm", e) < 0)
		return STORE_FAILED;
	*confirmed = 0;
	for (size_t i = 0; i < f->n; i++) {
		struct fake_row *r = &f->rows[i];

		if (!is_listed(held, r->id) || !is_own(r, &c->by))
			continue;
		COPY(r->boot_id, c->by.node->boot_id);
		r->age = 0;
		(*confirmed)++;
	}
	return STORE_DONE;
}

static int fake_take_over(void *context, const struct reservation *c,
			  const struct allocations *stale,
			  const struct deadline *d __attribute__((unused)),
			  struct row_ids *inserted, struct released_rows *out, struct err *e)
{
	struct fake *f = context;
	struct fake before;
	int rc;

	if (fake_called(f, "take_over", e) < 0)
		return STORE_FAILED;
	before = *f;
	*out = released(f);
	for (size_t i = f->n; i-- > 0;)
		if (was_found(stale, f->rows[i].id) && is_of_node(&f->rows[i], c->by.node) &&
		    (is_earlier(&f->rows[i], c->by.node) || is_same_pod(&f->rows[i], c)))
			release_row(f, i, out);
	rc = record(f, c, inserted);
	if (rc != STORE_DONE) {
		*f = before; /* all or nothing */
		out->n = 0;
	}
	return rc;
}

static int fake_release(void *context, const struct attachment *a, const struct row_ids *inserted,
			const struct deadline *d __attribute__((unused)), struct err *e)
{
	struct fake *f = context;

	if (fake_called(f, "release", e) < 0)
		return STORE_FAILED;
	for (size_t i = f->n; i-- > 0;)
		if (is_listed(inserted, f->rows[i].id) && is_own(&f->rows[i], a))
			fake_drop(f, i);
	return STORE_DONE;
}

/* This machine's, by its machine id and its firmware, whatever name it had. */
static bool is_of_machine(const struct fake_row *r, const struct node *node)
{
	return node->machine_id[0] && node->machine[0] &&
	       strcmp(r->host_id, node->machine_id) == 0 && strcmp(r->machine, node->machine) == 0;
}

static void note_staying(struct staying *to, const struct fake_row *r)
{
	*to = (struct staying){ .n = to->n + 1,
				.pod = mem_strdup(r->pod),
				.interface = mem_strdup(r->interface),
				.node = mem_strdup(r->node),
				.host_id = mem_strdup(r->host_id),
				.since = "yesterday" };
}

static int fake_del(void *context, const struct attachment *a,
		    const struct deadline *d __attribute__((unused)), struct released_rows *out,
		    struct err *e)
{
	struct fake *f = context;

	if (fake_called(f, "del", e) < 0)
		return STORE_FAILED;
	*out = released(f);
	for (size_t i = f->n; i-- > 0;) {
		const struct fake_row *r = &f->rows[i];

		if (strcmp(r->network, a->network) != 0 || strcmp(r->pod, a->pod) != 0 ||
		    strcmp(r->interface, a->interface) != 0)
			continue;
		if (is_same_attachment(r, a) && is_clones(r, a->node))
			note_staying(&out->duplicate, r);
		else if (is_of_node(r, a->node) || (!r->node[0] && !r->host_id[0]) ||
			 is_of_machine(r, a->node))
			release_row(f, i, out);
	}
	return STORE_DONE;
}

/* Is the attachment in GC's list, which is JSON without blanks? */
static bool is_valid(const char *list, const struct fake_row *r)
{
	return strstr(list, mem_printf("{\"containerID\":\"%s\",\"ifname\":\"%s\"}", r->pod,
				       r->interface));
}

static int fake_gc(void *context, const struct gc_request *g,
		   const struct deadline *d __attribute__((unused)), struct released_rows *out,
		   struct err *e)
{
	struct fake *f = context;

	COPY(f->valid, g->valid);
	f->gc_grace = g->grace;
	if (fake_called(f, "gc", e) < 0)
		return STORE_FAILED;
	*out = released(f);
	for (size_t i = f->n; i-- > 0;) {
		const struct fake_row *r = &f->rows[i];

		if (strcmp(r->network, g->network) != 0)
			continue;
		if (!is_of_node(r, g->node)) {
			if (strcmp(r->node, g->node->name) == 0)
				note_staying(&out->reinstalled, r);
			else if (is_of_machine(r, g->node))
				note_staying(&out->renamed, r);
			continue;
		}
		if (is_of_other_boot(r, g->node) && !is_earlier(r, g->node)) {
			note_staying(&out->duplicate, r);
		} else if (!is_valid(g->valid, r) && (g->grace <= 0 || r->age > g->grace)) {
			release_row(f, i, out);
		}
	}
	return STORE_DONE;
}

static int fake_status(void *context, const struct deadline *d __attribute__((unused)),
		       struct store_status *out, struct err *e)
{
	struct fake *f = context;

	*out = f->status;
	return fake_called(f, "status", e);
}

static void fake_close(void *context)
{
	strbuf_join(&((struct fake *)context)->calls, " ", "close");
}

struct store fake_store(struct fake *f)
{
	return (struct store){ .context = f,
			       .insert = fake_insert,
			       .pick = fake_pick,
			       .find_free = fake_find_free,
			       .find_holder = fake_find_holder,
			       .find_full = fake_find_full,
			       .find = fake_find,
			       .confirm = fake_confirm,
			       .take_over = fake_take_over,
			       .release = fake_release,
			       .del = fake_del,
			       .gc = fake_gc,
			       .status = fake_status,
			       .close = fake_close };
}
