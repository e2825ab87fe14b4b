/* The cases of tests/fixtures/allocations.txt on the allocations in memory. Needs nothing. */
#include "run_verb.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

#define OTHER_MACHINE "another-machine"

/* Who may hold something. */
static const struct who {
	const char *name, *network, *node, *host_id, *pod, *interface;
	const char *machine, *uid; /* NULL: as the life says; none */
} whos[] = {
	{ "own", "net", "node-1", "", "pod-a", "eth0", NULL, NULL },
	{ "eth1", "net", "node-1", "", "pod-a", "eth1", NULL, NULL },
	{ "neighbour", "net", "node-1", "", "pod-b", "eth0", NULL, NULL },
	{ "far", "net", "node-2", "", "pod-b", "eth0", NULL, NULL },
	{ "elsewhere", "other", "node-2", "", "pod-b", "eth0", NULL, NULL },
	{ "sandbox", "net", "node-1", "", "pod-c", "eth0", NULL, "uid-1" },
	{ "godemo", "net", "", "", "pod-a", "eth0", NULL, NULL },
	{ "renamed", "net", "old-name", VERB_ID, "pod-a", "eth0", VERB_MACHINE, NULL },
	{ "alias", "net", "old-name", VERB_ID, "pod-b", "eth0", VERB_MACHINE, NULL },
	{ "image", "net", "old-name", VERB_ID, "pod-a", "eth0", OTHER_MACHINE, NULL },
	{ "before", "net", "node-1", "another-id", "pod-b", "eth0", NULL, NULL },
};

static const struct life {
	const char *name, *boot_id, *machine;
	double age;
} lives[] = {
	{ "now", VERB_BOOT, "", 1 },
	{ "long", VERB_BOOT, "", 1e9 },
	{ "moved", VERB_BOOT, OTHER_MACHINE, 1 },
	{ "young", "another-boot", "", 0 },
	{ "old", "another-boot", "", 1e9 },
	{ "same", "another-boot", VERB_MACHINE, 1e9 },
	{ "other", "another-boot", OTHER_MACHINE, 1e9 },
};

struct line {
	char verb[8], recorded[256], asked[256], calls[64], after[256];
	int code;
};

/* Calls `item` for each part of a list, "-" for an empty one. */
static void each(const char *list, void (*item)(struct verb *v, char *part), struct verb *v)
{
	char *rest = mem_strdup(strcmp(list, "-") == 0 ? "" : list), *part;

	while ((part = strsep(&rest, ",")))
		if (*part)
			item(v, part);
}

#define COPY(to, from) snprintf(to, sizeof(to), "%s", from)

static const struct who *who_is(const char *name)
{
	for (size_t i = 0; i < COUNT(whos); i++)
		if (strcmp(whos[i].name, name) == 0)
			return &whos[i];
	fail_msg("nobody is called %s", name);
	return NULL;
}

static const struct life *life_of(const char *name)
{
	for (size_t i = 0; i < COUNT(lives); i++)
		if (strcmp(lives[i].name, name) == 0)
			return &lives[i];
	fail_msg("no life is called %s", name);
	return NULL;
}

/* WHO:LIFE:ADDRESS */
static void hold(struct verb *v, char *part)
{
	const struct who *who = who_is(strsep(&part, ":"));
	const struct life *life = life_of(strsep(&part, ":"));
	struct fake_row *r =
		fake_holds(&v->fake, "network/node/pod/interface", part, life->boot_id, life->age);

	COPY(r->network, who->network);
	COPY(r->node, who->node);
	COPY(r->host_id, who->host_id);
	COPY(r->pod, who->pod);
	COPY(r->interface, who->interface);
	COPY(r->machine, who->machine ? who->machine : life->machine);
	COPY(r->pod_uid, who->uid ? who->uid : "");
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *name_of(const struct fake_row *r)
{
	for (size_t i = 0; i < COUNT(whos); i++) {
		const struct who *who = &whos[i];

		if (strcmp(who->network, r->network) == 0 && strcmp(who->node, r->node) == 0 &&
		    strcmp(who->host_id, r->host_id) == 0 && strcmp(who->pod, r->pod) == 0 &&
		    strcmp(who->interface, r->interface) == 0 &&
		    (!who->machine || strcmp(who->machine, r->machine) == 0))
			return who->name;
	}
	fail_msg("nobody is %s/%s/%s/%s", r->network, r->node, r->pod, r->interface);
	return NULL;
}

/* All rows: WHO=ADDRESS, sorted. */
static const char *after(const struct fake *f)
{
	const char *rows[COUNT(f->rows)] = { NULL };
	struct strbuf all = { 0 };
	char ip[IP_TEXT];

	for (size_t i = 0; i < f->n; i++)
		rows[i] = mem_printf("%s=%s", name_of(&f->rows[i]),
				     ip_text(&f->rows[i].ip, true, ip));
	qsort(rows, f->n, sizeof(rows[0]), by_text);
	for (size_t i = 0; i < f->n; i++)
		strbuf_join(&all, ",", rows[i]);
	return all.len ? strbuf_str(&all) : "-";
}

/* "open insert find close" becomes "insert,find". */
static const char *calls(const struct fake *f)
{
	struct strbuf all = { 0 };
	char *rest = mem_strdup(strbuf_str(&f->calls)), *one;

	while ((one = strsep(&rest, " ")))
		if (strcmp(one, "open") != 0 && strcmp(one, "close") != 0)
			strbuf_join(&all, ",", one);
	return strbuf_str(&all);
}

static void play(const struct line *l)
{
	struct verb v = { .has_machine = true };

	each(l->recorded, hold, &v);
	if (strcmp(l->verb, "ADD") == 0)
		verb_run(&v, ipam_add, "ADD", "", "",
			 mem_printf("IP=%s;K8S_POD_UID=uid-1", l->asked));
	else if (strcmp(l->verb, "DEL") == 0)
		verb_run(&v, ipam_del, "DEL", "", "", "");
	else if (strcmp(l->asked, "own") == 0)
		verb_run(&v, ipam_gc, "GC",
			 "'cni.dev/valid-attachments':[{'containerID':'pod-a','ifname':'eth0'}]",
			 "", "");
	else
		verb_run(&v, ipam_gc, "GC", "", "", "");
	if ((int)v.e.code != l->code || strcmp(after(&v.fake), l->after) != 0 ||
	    strcmp(calls(&v.fake), l->calls) != 0)
		fail_msg("%s %s, asked %s: %d %s, calls %s, after %s", l->verb, l->recorded,
			 l->asked, (int)v.e.code, v.e.msg, calls(&v.fake), after(&v.fake));
	verb_end(&v);
}

TEST(each_line)
{
	FILE *f = fopen("tests/fixtures/allocations.txt", "r"); /* we run in the top folder */
	char text[1024];
	size_t n = 0;

	assert_non_null(f);
	while (fgets(text, sizeof(text), f)) {
		struct line l = { 0 };

		if (strchr("#\n", text[0]))
			continue;
		assert_int_equal(sscanf(text, "%7s %255s %255s %d %63s %255s", l.verb, l.recorded,
					l.asked, &l.code, l.calls, l.after),
				 6);
		play(&l);
		n++;
	}
	fclose(f);
	assert_true(n > 50);
}
