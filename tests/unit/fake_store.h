/* Allocations in memory: a struct store that decides as the statements do. */
#ifndef TESTS_UNIT_FAKE_STORE_H
#define TESTS_UNIT_FAKE_STORE_H

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"
#include "store/store.h"

struct fake_row {
	char network[64], node[64], pod[64], interface[16], boot_id[64], pod_name[64];
	struct ip ip;
	double age; /* seconds since it was recorded */
	char id[16];
};

struct fake {
	struct fake_row rows[16];
	size_t n;
	int last_id;
	struct strbuf calls;  /* which functions were called: "insert look" */
	const char *fails;    /* one that fails, or NULL */
	const char *doubtful; /* one that fails after it has recorded, or NULL */
	bool hides_warnings;  /* what del and gc say of the server */
	char valid[256];      /* GC's list as it came */
	double grace;         /* and its grace */
	struct store_status status;
	/* Called before each function, with how many calls there were: for what others do
	 * meanwhile. */
	void (*meanwhile)(struct fake *f, const char *function);
};

static inline void fake_copy(char *to, size_t size, const char *from)
{
	size_t len = from ? strnlen(from, size - 1) : 0;

	if (len > 0)
		memcpy(to, from, len);
	to[len] = '\0';
}

/* Records a row without looking at the others. */
static inline struct fake_row *fake_add(struct fake *f, const struct attachment *by,
					const struct ip *ip, double age)
{
	struct fake_row *r = &f->rows[f->n++];

	assert_true(f->n <= COUNT(f->rows));
	*r = (struct fake_row){ .ip = *ip, .age = age };
	fake_copy(r->network, sizeof(r->network), by->network);
	fake_copy(r->node, sizeof(r->node), by->node->name);
	fake_copy(r->pod, sizeof(r->pod), by->pod);
	fake_copy(r->interface, sizeof(r->interface), by->interface);
	fake_copy(r->boot_id, sizeof(r->boot_id), by->node->boot_id);
	snprintf(r->id, sizeof(r->id), "%d", ++f->last_id);
	return r;
}

/* The same, from texts: whose it is ("network/node/pod/interface") and its address. */
static inline struct fake_row *fake_holds(struct fake *f, const char *whose, const char *address,
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
	return fake_add(f, &by, &ip, age);
}

static inline void fake_drop(struct fake *f, size_t i)
{
	memmove(&f->rows[i], &f->rows[i + 1], (f->n - i - 1) * sizeof(f->rows[0]));
	f->n--;
}

/* All rows, as "pod:address pod:address". */
static inline const char *fake_says(const struct fake *f)
{
	static char says[1024];
	char ip[IP_TEXT];
	size_t len = 0;

	says[0] = '\0';
	for (size_t i = 0; i < f->n; i++)
		len += (size_t)snprintf(says + len, sizeof(says) - len, "%s%s:%s", i ? " " : "",
					f->rows[i].pod, ip_text(&f->rows[i].ip, true, ip));
	return says;
}

/* ---- the functions of a store ---- */

static inline int fake_called(struct fake *f, const char *function, struct err *e)
{
	strbuf_join(&f->calls, " ", function);
	if (f->meanwhile)
		f->meanwhile(f, function);
	if (f->fails && strcmp(f->fails, function) == 0)
		return err_set(e, CNI_TRY_AGAIN_LATER, "no %s", function);
	return 0;
}

static inline bool fake_mine(const struct fake_row *r, const struct attachment *a)
{
	return strcmp(r->network, a->network) == 0 && strcmp(r->node, a->node->name) == 0 &&
	       strcmp(r->pod, a->pod) == 0 && strcmp(r->interface, a->interface) == 0;
}

static inline bool fake_asked(const struct fake_row *r, const struct reservation *c)
{
	for (size_t i = 0; i < c->n_ips; i++)
		if (strcmp(r->network, c->by.network) == 0 && ip_same_host(&r->ip, &c->ips[i]))
			return true;
	return false;
}

static inline bool fake_earlier(const struct fake_row *r, const struct node *node)
{
	return strcmp(r->boot_id, node->boot_id) != 0 && r->age > node->uptime(node);
}

static inline bool fake_listed(const struct row_ids *ids, const char *id)
{
	for (size_t i = 0; i < ids->n; i++)
		if (strcmp(ids->list[i], id) == 0)
			return true;
	return false;
}

static inline int fake_record(struct fake *f, const struct reservation *c, struct row_ids *inserted)
{
	for (size_t i = 0; i < f->n; i++)
		if (fake_mine(&f->rows[i], &c->by) || fake_asked(&f->rows[i], c))
			return STORE_CONFLICT;
	for (size_t i = 0; i < c->n_ips; i++) {
		struct fake_row *r = fake_add(f, &c->by, &c->ips[i], 0);

		fake_copy(r->pod_name, sizeof(r->pod_name), c->pod_name);
		row_ids_add(inserted, mem_strdup(r->id));
	}
	return STORE_DONE;
}

static inline int fake_insert(void *context, const struct reservation *c, const struct deadline *l,
			      struct row_ids *inserted, struct err *e)
{
	struct fake *f = context;
	int rc = fake_called(f, "insert", e);

	(void)l;
	if (rc == 0)
		rc = fake_record(f, c, inserted);
	if (rc == STORE_DONE && f->doubtful && strcmp(f->doubtful, "insert") == 0)
		return err_set(e, CNI_TRY_AGAIN_LATER, "insert is in doubt");
	return rc;
}

static inline struct allocation fake_holding(const struct fake_row *r, const struct reservation *c)
{
	return (struct allocation){ .id = r->id,
				    .ip = r->ip,
				    .pod = r->pod,
				    .interface = r->interface,
				    .node = r->node,
				    .since = "yesterday",
				    .pod_name = r->pod_name[0] ? r->pod_name : NULL,
				    .same_node = strcmp(r->node, c->by.node->name) == 0,
				    .this_boot = strcmp(r->boot_id, c->by.node->boot_id) == 0,
				    .previous_boot = fake_earlier(r, c->by.node),
				    .own = fake_mine(r, &c->by) };
}

static inline int fake_look(void *context, const struct reservation *c, const struct deadline *l,
			    struct allocations *out, struct err *e)
{
	struct fake *f = context;
	struct fake_row *copy;

	(void)l;
	if (fake_called(f, "look", e) < 0)
		return STORE_FAILED;
	copy = mem_new(sizeof(f->rows));
	*out = (struct allocations){ .rows = mem_new(COUNT(f->rows) * sizeof(*out->rows)) };
	memcpy(copy, f->rows, sizeof(f->rows));
	for (size_t i = 0; i < f->n; i++)
		if (fake_mine(&copy[i], &c->by) || fake_asked(&copy[i], c))
			out->rows[out->n++] = fake_holding(&copy[i], c);
	return STORE_DONE;
}

static inline int fake_confirm(void *context, const struct reservation *c,
			       const struct row_ids *held, const struct deadline *l,
			       struct row_ids *inserted, size_t *confirmed, struct err *e)
{
	struct fake *f = context;

	(void)l;
	(void)inserted;
	if (fake_called(f, "confirm", e) < 0)
		return STORE_FAILED;
	*confirmed = 0;
	for (size_t i = 0; i < f->n; i++) {
		struct fake_row *r = &f->rows[i];

		if (!fake_listed(held, r->id) || !fake_mine(r, &c->by))
			continue;
		fake_copy(r->boot_id, sizeof(r->boot_id), c->by.node->boot_id);
		r->age = 0;
		(*confirmed)++;
	}
	return STORE_DONE;
}

/* Moves row i into the released ones. */
static inline void fake_release_row(struct fake *f, size_t i, struct released_rows *out)
{
	struct fake_row *r = mem_new(sizeof(*r));
	char ip[IP_TEXT];

	*r = f->rows[i];
	out->rows[out->n++] = (struct released){ .ip = mem_strdup(ip_text(&r->ip, false, ip)),
						 .pod = r->pod,
						 .interface = r->interface,
						 .boot_id = r->boot_id };
	fake_drop(f, i);
}

static inline struct released_rows fake_releases(const struct fake *f)
{
	return (struct released_rows){ .rows = mem_new(COUNT(f->rows) * sizeof(struct released)),
				       .hides_warnings = f->hides_warnings };
}

static inline int fake_take(void *context, const struct reservation *c, const struct row_ids *stale,
			    const struct deadline *l, struct row_ids *inserted,
			    struct released_rows *out, struct err *e)
{
	struct fake *f = context;
	struct fake before;
	int rc;

	(void)l;
	if (fake_called(f, "take", e) < 0)
		return STORE_FAILED;
	before = *f;
	*out = fake_releases(f);
	for (size_t i = f->n; i-- > 0;)
		if (fake_listed(stale, f->rows[i].id) && fake_earlier(&f->rows[i], c->by.node))
			fake_release_row(f, i, out);
	rc = fake_record(f, c, inserted);
	if (rc != STORE_DONE) {
		*f = before; /* all or nothing */
		*out = (struct released_rows){ 0 };
	}
	return rc;
}

static inline int fake_release(void *context, const struct attachment *a,
			       const struct row_ids *inserted, const struct deadline *l,
			       struct err *e)
{
	struct fake *f = context;

	(void)l;
	if (fake_called(f, "release", e) < 0)
		return STORE_FAILED;
	for (size_t i = f->n; i-- > 0;)
		if (fake_listed(inserted, f->rows[i].id) && fake_mine(&f->rows[i], a))
			fake_drop(f, i);
	return STORE_DONE;
}

static inline int fake_del(void *context, const struct attachment *a, const struct deadline *l,
			   struct released_rows *out, struct err *e)
{
	struct fake *f = context;

	(void)l;
	if (fake_called(f, "del", e) < 0)
		return STORE_FAILED;
	*out = fake_releases(f);
	for (size_t i = f->n; i-- > 0;)
		if (fake_mine(&f->rows[i], a))
			fake_release_row(f, i, out);
	return STORE_DONE;
}

/* Releases every row of the node; what is valid is the statement's part, and tested there. */
static inline int fake_gc(void *context, const struct gc_request *g, const struct deadline *l,
			  struct released_rows *out, struct err *e)
{
	struct fake *f = context;

	(void)l;
	fake_copy(f->valid, sizeof(f->valid), g->valid);
	f->grace = g->grace;
	if (fake_called(f, "gc", e) < 0)
		return STORE_FAILED;
	*out = fake_releases(f);
	for (size_t i = f->n; i-- > 0;)
		if (strcmp(f->rows[i].node, g->node->name) == 0) {
			if (strcmp(f->rows[i].boot_id, g->node->boot_id) == 0 ||
			    fake_earlier(&f->rows[i], g->node))
				fake_release_row(f, i, out);
			else
				out->duplicate_node_count = "1", out->duplicate_node_pod = "pod-t",
				out->duplicate_node_interface = "eth0";
		}
	return STORE_DONE;
}

static inline int fake_status(void *context, const struct deadline *l, struct store_status *out,
			      struct err *e)
{
	struct fake *f = context;

	(void)l;
	*out = f->status;
	return fake_called(f, "status", e);
}

static inline void fake_close(void *context)
{
	strbuf_join(&((struct fake *)context)->calls, " ", "close");
}

static inline struct store fake_store(struct fake *f)
{
	return (struct store){ .context = f,
			       .insert = fake_insert,
			       .find = fake_look,
			       .confirm = fake_confirm,
			       .take_over = fake_take,
			       .release = fake_release,
			       .del = fake_del,
			       .gc = fake_gc,
			       .status = fake_status,
			       .close = fake_close };
}

static inline void fake_free(struct fake *f)
{
	strbuf_free(&f->calls);
}

#endif
