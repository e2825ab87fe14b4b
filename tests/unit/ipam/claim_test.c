/* How an attachment comes to its addresses. Needs nothing. */
#include "fake_store.h"

#include "ipam/claim.h"

#define THIS "boot-2" /* this host's boot id */
#define UPTIME 100.0  /* and for how long it is up */
#define LONG_AGO 1000.0
#define JUST_NOW 1.0

struct claimed {
	int code; /* 0: done */
	struct err e;
	struct grant grant;
};

static double uptime(const struct node *node)
{
	(void)node;
	return UPTIME;
}

/* pod-a (eth0) on node-1 claims addresses, separated by blanks. claimed_free when done. */
static void claim(struct fake *f, const char *addresses, struct claimed *out)
{
	struct store s = fake_store(f);
	struct deadline l = deadline_in(10);
	struct log log = { .level = LOG_INFO, .err = -1, .file = -1 };
	struct ip ips[4];
	const struct node node = { "node-1", "", THIS, uptime };
	struct reservation c = { .by = { "net", &node, "pod-a", "eth0" }, .ips = ips };
	char copy[128], *rest = copy, *one;

	snprintf(copy, sizeof(copy), "%s", addresses);
	while ((one = strsep(&rest, " ")))
		assert_true(ip_parse(one, &ips[c.n_ips++]));
	*out = (struct claimed){ 0 };
	if (reserve(&s, &c, &log, &l, &out->grant, &out->e) != 0)
		out->code = (int)out->e.code;
	else
		assert_int_equal(out->e.code, 0);
}

static void claimed_free(struct claimed *c)
{
	grant_free(&c->grant);
}

/* The granted addresses. */
static const char *granted(const struct claimed *c)
{
	static char says[256];
	char ip[IP_TEXT];
	size_t len = 0;

	says[0] = '\0';
	for (size_t i = 0; i < c->grant.n; i++)
		len += (size_t)snprintf(says + len, sizeof(says) - len, "%s%s", i ? " " : "",
					ip_text(&c->grant.ips[i], true, ip));
	return says;
}

TEST(a_new_attachment_needs_one_insert)
{
	struct fake f = { 0 };
	struct claimed c;

	claim(&f, "10.0.0.5/24 fd00::5/64", &c);
	assert_int_equal(c.code, 0);
	assert_string_equal(granted(&c), "10.0.0.5/24 fd00::5/64");
	assert_int_equal(c.grant.inserted.n, 2);
	assert_string_equal(c.grant.inserted.list[0], "1");
	assert_string_equal(c.grant.inserted.list[1], "2");
	assert_string_equal(strbuf_str(&f.calls), "insert");
	assert_string_equal(fake_says(&f), "pod-a:10.0.0.5/24 pod-a:fd00::5/64");
	claimed_free(&c);
	fake_free(&f);
}

/* One round of decisions: what is held, what is asked for, and what comes of it. */
struct round {
	const char *whose, *held, *boot_id;
	double age;
	const char *asked;
	int code;
	const char *calls, *after;
};

static void play(const struct round *r)
{
	struct fake f = { 0 };
	struct claimed c;

	fake_holds(&f, r->whose, r->held, r->boot_id, r->age);
	claim(&f, r->asked, &c);
	assert_int_equal(c.code, r->code);
	assert_string_equal(strbuf_str(&f.calls), r->calls);
	assert_string_equal(fake_says(&f), r->after);
	claimed_free(&c);
	fake_free(&f);
}

#define MINE "net/node-1/pod-a/eth0"
#define ITS_OTHER "net/node-1/pod-a/eth1"
#define NEIGHBOUR "net/node-1/pod-b/eth0"
#define FAR "net/node-2/pod-b/eth0"
#define ASKED "10.0.0.5/24"

TEST(decisions)
{
	static const struct round t[] = {
		/* the same set again: confirmed, whatever boot it is of */
		{ MINE, ASKED, THIS, JUST_NOW, ASKED, 0, "insert look confirm",
		  "pod-a:10.0.0.5/24" },
		{ MINE, ASKED, "boot-1", LONG_AGO, ASKED, 0, "insert look confirm",
		  "pod-a:10.0.0.5/24" },
		{ MINE, "10.0.0.5/16", THIS, JUST_NOW, ASKED, 0, "insert look confirm",
		  "pod-a:10.0.0.5/16" },
		/* another set: refused, unless it is of an earlier boot */
		{ MINE, "10.0.0.6/24", THIS, JUST_NOW, ASKED, CNI_ALLOCATION_MISMATCH,
		  "insert look", "pod-a:10.0.0.6/24" },
		{ MINE, ASKED, THIS, JUST_NOW, ASKED " fd00::5/64", CNI_ALLOCATION_MISMATCH,
		  "insert look", "pod-a:10.0.0.5/24" },
		{ MINE, "10.0.0.6/24", "boot-1", JUST_NOW, ASKED, CNI_ALLOCATION_MISMATCH,
		  "insert look", "pod-a:10.0.0.6/24" },
		{ MINE, "10.0.0.6/24", "boot-1", LONG_AGO, ASKED, 0, "insert look take",
		  "pod-a:10.0.0.5/24" },
		/* somebody else's: refused, unless it is this node's and of an earlier boot */
		{ NEIGHBOUR, ASKED, THIS, JUST_NOW, ASKED, CNI_ADDRESS_IN_USE, "insert look",
		  "pod-b:10.0.0.5/24" },
		{ ITS_OTHER, ASKED, THIS, JUST_NOW, ASKED, CNI_ADDRESS_IN_USE, "insert look",
		  "pod-a:10.0.0.5/24" },
		{ NEIGHBOUR, "10.0.0.5/8", "boot-1", JUST_NOW, ASKED, CNI_ADDRESS_IN_USE,
		  "insert look", "pod-b:10.0.0.5/8" },
		{ NEIGHBOUR, ASKED, THIS, LONG_AGO, ASKED, CNI_ADDRESS_IN_USE, "insert look",
		  "pod-b:10.0.0.5/24" },
		{ FAR, ASKED, "boot-1", LONG_AGO, ASKED, CNI_ADDRESS_IN_USE, "insert look",
		  "pod-b:10.0.0.5/24" },
		{ NEIGHBOUR, ASKED, "boot-1", LONG_AGO, ASKED, 0, "insert look take",
		  "pod-a:10.0.0.5/24" },
		/* another network's, and other addresses, do not matter */
		{ "other/node-2/pod-b/eth0", ASKED, THIS, JUST_NOW, ASKED, 0, "insert",
		  "pod-b:10.0.0.5/24 pod-a:10.0.0.5/24" },
		{ FAR, "10.0.0.6/24", THIS, JUST_NOW, ASKED, 0, "insert",
		  "pod-b:10.0.0.6/24 pod-a:10.0.0.5/24" },
	};

	for (size_t i = 0; i < COUNT(t); i++)
		play(&t[i]);
}

TEST(a_part_of_what_it_holds_is_another_set)
{
	struct fake f = { 0 };
	struct claimed c;

	fake_holds(&f, MINE, ASKED, THIS, JUST_NOW);
	fake_holds(&f, MINE, "fd00::5/64", THIS, JUST_NOW);
	claim(&f, ASKED, &c);
	assert_int_equal(c.code, CNI_ALLOCATION_MISMATCH);
	assert_string_equal(fake_says(&f), "pod-a:10.0.0.5/24 pod-a:fd00::5/64");
	claimed_free(&c);
	fake_free(&f);
}

TEST(recorded_prefix_lengths_come_back)
{
	struct fake f = { 0 };
	struct claimed c;

	fake_holds(&f, MINE, "10.0.0.5/16", THIS, JUST_NOW);
	claim(&f, ASKED, &c);
	assert_string_equal(granted(&c), "10.0.0.5/16");
	assert_int_equal(c.grant.inserted.n, 0); /* nothing to release */
	claimed_free(&c);
	fake_free(&f);
}

TEST(what_it_holds_comes_before_what_others_hold)
{
	struct fake f = { 0 };
	struct claimed c;

	fake_holds(&f, FAR, ASKED, THIS, JUST_NOW);
	fake_holds(&f, MINE, "10.0.0.6/24", THIS, JUST_NOW);
	claim(&f, ASKED " 10.0.0.7/24", &c);
	assert_int_equal(c.code, CNI_ALLOCATION_MISMATCH);
	assert_err(&c.e, CNI_ALLOCATION_MISMATCH,
		   "the attachment \"pod-a\" (eth0) holds 10.0.0.6/24 already",
		   "it asked for 10.0.0.5/24, 10.0.0.7/24: DEL releases what it holds");
	claimed_free(&c);
	fake_free(&f);
}

TEST(one_that_is_alive_keeps_all_of_them)
{
	struct fake f = { 0 };
	struct claimed c;

	fake_holds(&f, NEIGHBOUR, ASKED, "boot-1", LONG_AGO);
	fake_holds(&f, FAR, "10.0.0.6/24", "boot-9", LONG_AGO);
	claim(&f, ASKED " 10.0.0.6/24", &c);
	assert_int_equal(c.code, CNI_ADDRESS_IN_USE);
	assert_string_equal(fake_says(&f), "pod-b:10.0.0.5/24 pod-b:10.0.0.6/24");
	claimed_free(&c);
	fake_free(&f);
}

TEST(a_holder_is_named)
{
	struct fake f = { 0 };
	struct claimed c;
	struct fake_row *r = fake_holds(&f, FAR, ASKED, THIS, JUST_NOW);

	fake_copy(r->pod_name, sizeof(r->pod_name), "web");
	claim(&f, ASKED, &c);
	assert_err(
		&c.e, CNI_ADDRESS_IN_USE,
		"address 10.0.0.5 is held by \"pod-b\" (eth0) on node \"node-2\" since yesterday",
		"pod web");
	claimed_free(&c);
	fake_free(&f);
}

TEST(a_holder_that_the_go_demo_recorded)
{
	struct fake f = { 0 };
	struct claimed c;

	fake_copy(fake_holds(&f, FAR, ASKED, THIS, JUST_NOW)->node, 1, "");
	claim(&f, ASKED, &c);
	assert_err(&c.e, CNI_ADDRESS_IN_USE,
		   "address 10.0.0.5 is held by \"pod-b\" (eth0) on node \"\" since yesterday",
		   "recorded before hosts were: a DEL of that container and interface releases it");
	claimed_free(&c);
	fake_free(&f);
}

TEST(two_hosts_with_one_name)
{
	struct fake f = { 0 };
	struct claimed c;

	fake_holds(&f, NEIGHBOUR, ASKED, "boot-1", JUST_NOW);
	claim(&f, ASKED, &c);
	assert_err(
		&c.e, CNI_ADDRESS_IN_USE,
		"address 10.0.0.5 is held by \"pod-b\" (eth0) on node \"node-1\" since yesterday",
		"recorded under another boot id, but after this host was started: two hosts share "
		"the name \"node-1\"; give each a \"node\" of its own");
	claimed_free(&c);
	fake_free(&f);
}

/* The holder goes away between INSERT and LOOK. */
static void lets_go(struct fake *f, const char *function)
{
	if (strcmp(function, "look") == 0 && f->n == 1)
		fake_drop(f, 0);
}

TEST(a_holder_that_went_away)
{
	struct fake f = { .meanwhile = lets_go };
	struct claimed c;

	fake_holds(&f, FAR, ASKED, THIS, JUST_NOW);
	claim(&f, ASKED, &c);
	assert_int_equal(c.code, 0);
	assert_string_equal(strbuf_str(&f.calls), "insert look take");
	assert_string_equal(fake_says(&f), "pod-a:10.0.0.5/24");
	claimed_free(&c);
	fake_free(&f);
}

/* A row that LOOK judged stale is confirmed by its owner before TAKE. */
static void comes_back(struct fake *f, const char *function)
{
	if (strcmp(function, "take") == 0)
		f->rows[0].age = 0;
}

TEST(a_row_that_changed_since_look_is_not_taken)
{
	struct fake f = { .meanwhile = comes_back };
	struct claimed c;

	fake_holds(&f, NEIGHBOUR, ASKED, "boot-1", LONG_AGO);
	claim(&f, ASKED, &c);
	assert_int_equal(c.code, CNI_ADDRESS_IN_USE);
	assert_string_equal(strbuf_str(&f.calls), "insert look take look");
	assert_string_equal(fake_says(&f), "pod-b:10.0.0.5/24");
	claimed_free(&c);
	fake_free(&f);
}

/* GC frees what LOOK saw before CONFIRM has written. */
static void is_collected(struct fake *f, const char *function)
{
	if (strcmp(function, "confirm") == 0 && f->n == 2)
		fake_drop(f, 0);
}

TEST(a_set_that_lost_a_row_is_not_confirmed)
{
	struct fake f = { .meanwhile = is_collected };
	struct claimed c;

	fake_holds(&f, MINE, ASKED, THIS, JUST_NOW);
	fake_holds(&f, MINE, "10.0.0.6/24", THIS, JUST_NOW);
	claim(&f, ASKED " 10.0.0.6/24", &c);
	assert_int_equal(c.code, CNI_ALLOCATION_MISMATCH);
	assert_string_equal(strbuf_str(&f.calls), "insert look confirm look");
	claimed_free(&c);
	fake_free(&f);
}

/* Whenever we look, nobody is there; whenever we take, somebody is. */
static void flickers(struct fake *f, const char *function)
{
	if (strcmp(function, "look") == 0)
		f->n = 0;
	else
		f->n = 1;
}

TEST(no_rest_is_an_error_after_five_rounds)
{
	struct fake f = { .meanwhile = flickers };
	struct claimed c;

	fake_holds(&f, FAR, ASKED, THIS, JUST_NOW);
	claim(&f, ASKED, &c);
	assert_err(&c.e, CNI_TRY_AGAIN_LATER,
		   "the addresses change hands faster than they can be looked at", "");
	assert_string_equal(strbuf_str(&f.calls),
			    "insert look take look take look take look take look take");
	claimed_free(&c);
	fake_free(&f);
}

TEST(a_store_that_fails)
{
	static const struct {
		const char *fails, *whose, *boot_id, *msg;
	} t[] = {
		{ "insert", FAR, THIS, "no insert" },
		{ "look", FAR, THIS, "no look" },
		{ "confirm", MINE, THIS, "no confirm" },
		{ "take", NEIGHBOUR, "boot-1", "no take" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct fake f = { .fails = t[i].fails };
		struct claimed c;

		fake_holds(&f, t[i].whose, ASKED, t[i].boot_id, LONG_AGO);
		claim(&f, ASKED, &c);
		assert_err(&c.e, CNI_TRY_AGAIN_LATER, t[i].msg, "");
		assert_int_equal(f.n, 1);
		claimed_free(&c);
		fake_free(&f);
	}
}
