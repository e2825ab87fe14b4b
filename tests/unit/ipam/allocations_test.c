/* The cases of tests/fixtures/allocations.txt on the allocations in memory. Needs nothing. */
#include "run_verb.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

/* Who may hold something, as fake_holds() wants it. */
static const struct who {
	const char *name, *whose;
} whos[] = {
	{ "own", "net/node-1/pod-a/eth0" },         { "eth1", "net/node-1/pod-a/eth1" },
	{ "neighbour", "net/node-1/pod-b/eth0" },   { "far", "net/node-2/pod-b/eth0" },
	{ "elsewhere", "other/node-2/pod-b/eth0" },
};

static const struct life {
	const char *name, *boot_id;
	double age;
} lives[] = {
	{ "now", VERB_BOOT, 0 },
	{ "long", VERB_BOOT, 1e9 },
	{ "young", "another-boot", 0 },
	{ "old", "another-boot", 1e9 },
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

/* WHO:LIFE:ADDRESS */
static void hold(struct verb *v, char *part)
{
	const char *name = strsep(&part, ":"), *life = strsep(&part, ":");

	for (size_t i = 0; i < COUNT(whos); i++)
		for (size_t j = 0; j < COUNT(lives); j++)
			if (strcmp(whos[i].name, name) == 0 && strcmp(lives[j].name, life) == 0) {
				fake_holds(&v->fake, whos[i].whose, part, lives[j].boot_id,
					   lives[j].age);
				return;
			}
	fail_msg("nobody is called %s, or no life %s", name, life);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* All rows: WHO=ADDRESS, sorted. */
static const char *after(const struct fake *f)
{
	const char *rows[COUNT(f->rows)] = { NULL };
	struct strbuf all = { 0 };

	for (size_t i = 0; i < f->n; i++) {
		const struct fake_row *r = &f->rows[i];
		const char *whose =
			mem_printf("%s/%s/%s/%s", r->network, r->node, r->pod, r->interface);
		char ip[IP_TEXT];

		for (size_t j = 0; j < COUNT(whos); j++)
			if (strcmp(whos[j].whose, whose) == 0)
				rows[i] = mem_printf("%s=%s", whos[j].name,
						     ip_text(&r->ip, true, ip));
		assert_non_null(rows[i]);
	}
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
	struct verb v = { 0 };

	each(l->recorded, hold, &v);
	if (strcmp(l->verb, "ADD") == 0)
		verb_run(&v, ipam_add, "ADD", "", "", mem_printf("IP=%s", l->asked));
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
	assert_true(n > 30);
}
