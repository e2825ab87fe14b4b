/* ADD and STATUS with range sets: what is picked, and in which order a set is filled. Needs
 * nothing. */
#include "run_verb.h"

#include <stdio.h>

#include "base/memory.h"
#include "ipam/pick.h"

#define OLD "boot-1"
#define LONG_AGO 1e9

#define SMALL "'ranges':[[{'subnet':'10.0.0.0/29'}]]" /* .2 to .6 */
#define ONE "'ranges':[[{'subnet':'10.0.0.0/30'}]]"   /* .2 */
#define TWO_SETS "'ranges':[[{'subnet':'fd00::/126'}],[{'subnet':'10.0.0.0/29'}]]"
#define POD "K8S_POD_NAMESPACE=ns;K8S_POD_NAME=web"

static const char *calls(const struct verb *v)
{
	return strbuf_str(&v->fake.calls);
}

static void add(struct verb *v, const char *ipam, const char *args)
{
	verb_run(v, ipam_add, "ADD", "", ipam, args);
}

static void status(struct verb *v, const char *ipam)
{
	v->fake.status = (struct store_status){ .may_write = true,
						.version = STORE_SCHEMA,
						.works_with = STORE_SCHEMA };
	verb_run(v, ipam_status, "STATUS", "", ipam, "");
}

/* The place that the pod looks at first, without prefix length. */
static const char *first_place(const char *ranges)
{
	struct verb v = { 0 };
	char *text = mem_new(IP_TEXT);

	add(&v, ranges, POD);
	assert_string_equal(calls(&v), "open insert");
	ip_text(&v.fake.rows[0].ip, false, text);
	verb_end(&v);
	return text;
}

/* Lets a pod of that name have left an address in an earlier boot. */
static void left(struct verb *v, const char *whose, const char *address, const char *pod_name)
{
	struct fake_row *r = fake_holds(&v->fake, whose, address, OLD, LONG_AGO);

	snprintf(r->pod_namespace, sizeof(r->pod_namespace), "ns");
	snprintf(r->pod_name, sizeof(r->pod_name), "%s", pod_name);
}

static void holds(struct verb *v, const char *address)
{
	fake_holds(&v->fake, "net/node-2/other/eth0", mem_printf("%s/29", address), VERB_BOOT, 0);
}

/* Others hold all five of SMALL but one. */
static void hold_all_but(struct verb *v, const char *address)
{
	for (int i = 2; i < 7; i++) {
		const char *ip = mem_printf("10.0.0.%d", i);

		if (strcmp(ip, address) != 0)
			holds(v, ip);
	}
}

static bool has(const struct verb *v, const char *row)
{
	return strstr(mem_printf(" %s ", fake_says(&v->fake)), mem_printf(" %s ", row));
}

/* An address of SMALL that is not this one. */
static const char *another(const char *address)
{
	return strcmp(address, "10.0.0.2") == 0 ? "10.0.0.3" : "10.0.0.2";
}

TEST(one_of_each_set_in_their_order)
{
	struct verb v = { 0 };

	add(&v, TWO_SETS, "IP=10.0.0.4");
	assert_int_equal(v.rc, 0);
	assert_string_equal(calls(&v), "open insert");
	assert_true(strstr(v.reply.json, "\"address\":\"fd00::") <
		    strstr(v.reply.json, "{\"address\":\"10.0.0.4/29\",\"gateway\":\"10.0.0.1\"}"));
	assert_non_null(strstr(v.reply.json, "/126\",\"gateway\":\"fd00::1\"}"));
	assert_int_equal(v.fake.n, 2);
	verb_end(&v);
}

TEST(a_taken_place_needs_a_search)
{
	struct verb v = { 0 };

	holds(&v, first_place(SMALL));
	add(&v, SMALL, POD);
	assert_string_equal(calls(&v), "open insert pick");
	assert_int_equal(v.rc, 0);
	verb_end(&v);
}

TEST(the_first_place_comes_before_what_this_pod_left)
{
	struct verb v = { 0 };
	const char *first = first_place(SMALL);

	left(&v, "net/node-1/old/eth0", mem_printf("%s/29", another(first)), "web");
	add(&v, SMALL, POD);
	assert_string_equal(calls(&v), "open insert");
	assert_true(has(&v, mem_printf("pod-a:%s/29", first)));
	verb_end(&v);
}

TEST(what_this_pod_left_comes_before_a_free_address)
{
	struct verb v = { 0 };
	const char *first = first_place(SMALL), *mine = another(first);

	holds(&v, first);
	left(&v, "net/node-1/old/eth0", mem_printf("%s/29", mine), "web");
	add(&v, SMALL, POD);
	assert_string_equal(calls(&v), "open insert pick find take_over");
	assert_true(has(&v, mem_printf("pod-a:%s/29", mine)));
	assert_int_equal(v.fake.n, 2);
	verb_end(&v);
}

TEST(of_what_this_pod_left_the_first_place_comes_first)
{
	struct verb v = { 0 };
	const char *first = first_place(SMALL), *other = another(first);

	left(&v, "net/node-1/old/eth0", mem_printf("%s/29", other), "web");
	left(&v, "net/node-1/older/eth0", mem_printf("%s/29", first), "web");
	add(&v, SMALL, POD);
	assert_string_equal(fake_says(&v.fake), mem_printf("old:%s/29 pod-a:%s/29", other, first));
	verb_end(&v);
}

TEST(a_free_address_comes_before_what_others_left)
{
	struct verb v = { 0 };
	const char *first = first_place(SMALL), *free = another(first);

	hold_all_but(&v, free);
	for (size_t i = 0; i < v.fake.n; i++) {
		snprintf(v.fake.rows[i].node, sizeof(v.fake.rows[i].node), "node-1");
		snprintf(v.fake.rows[i].boot_id, sizeof(v.fake.rows[i].boot_id), OLD);
		v.fake.rows[i].age = LONG_AGO;
	}
	add(&v, SMALL, POD);
	assert_string_equal(calls(&v), "open insert pick");
	assert_true(has(&v, mem_printf("pod-a:%s/29", free)));
	assert_int_equal(v.fake.n, 5);
	verb_end(&v);
}

TEST(then_what_others_left_in_an_earlier_boot_of_this_node)
{
	struct verb v = { 0 };

	hold_all_but(&v, "10.0.0.4");
	left(&v, "net/node-1/other/eth0", "10.0.0.4/29", "db");
	add(&v, SMALL, POD);
	assert_string_equal(calls(&v), "open insert pick find find_left take_over");
	assert_true(has(&v, "pod-a:10.0.0.4/29"));
	assert_int_equal(v.fake.n, 5);
	verb_end(&v);
}

TEST(but_not_of_another_node_and_not_what_is_outside_of_the_set)
{
	struct verb v = { 0 };

	hold_all_but(&v, "10.0.0.4");
	left(&v, "net/node-2/other/eth0", "10.0.0.4/29", "db");
	left(&v, "net/node-1/other/eth0", "10.0.9.4/29", "db");
	add(&v, SMALL, POD);
	assert_string_equal(calls(&v), "open insert pick find find_left find_holder close");
	assert_err(&v.e, CNI_SET_FULL,
		   "no address is left in the range set 10.0.0.0/29: all 5 of its addresses are "
		   "held",
		   "node \"node-2\" holds 3 of them, the youngest since yesterday; GC frees what "
		   "dead containers hold, sql/admin/forget-node.sh what a node holds that is gone "
		   "for good");
	verb_end(&v);
}

TEST(nothing_of_others_is_taken_while_there_is_room_whatever_this_pod_left_elsewhere)
{
	struct verb v = { 0 };
	const char *first = first_place(SMALL), *theirs = another(first);

	holds(&v, first);
	left(&v, "net/node-1/old/eth0", "10.9.0.9/24", "web");
	left(&v, "net/node-1/other/eth0", mem_printf("%s/29", theirs), "db");
	add(&v, SMALL, POD);
	assert_string_equal(calls(&v), "open insert pick find pick");
	assert_true(has(&v, mem_printf("other:%s/29", theirs)));
	assert_int_equal(v.fake.n, 4);
	verb_end(&v);
}

TEST(one_set_is_full_of_what_others_left_and_the_other_is_not_searched_again)
{
	struct verb v = { 0 };

	fake_holds(&v.fake, "net/node-2/other/eth0", "fd00::2/126", VERB_BOOT, 0);
	hold_all_but(&v, "10.0.0.4");
	left(&v, "net/node-1/other/eth0", "10.0.0.4/29", "db");
	add(&v, TWO_SETS, POD);
	assert_string_equal(calls(&v), "open insert pick find find_left take_over");
	assert_true(has(&v, "pod-a:fd00::3/126") && has(&v, "pod-a:10.0.0.4/29"));
	assert_int_equal(v.fake.n, 7);
	verb_end(&v);
}

static void take_it_first(struct fake *f, const char *function)
{
	static int times;

	if (strcmp(function, "find_holder") == 0 && times++ == 0)
		fake_drop(f, 0);
}

TEST(a_set_that_is_not_full_any_more_is_picked_from)
{
	struct verb v = { 0 };

	hold_all_but(&v, "");
	v.fake.meanwhile = take_it_first;
	add(&v, SMALL, POD);
	assert_string_equal(calls(&v), "open insert pick find find_left find_holder pick");
	assert_int_equal(v.rc, 0);
	verb_end(&v);
}

TEST(one_full_set_of_two_is_enough_to_refuse)
{
	struct verb v = { 0 };

	hold_all_but(&v, "");
	add(&v, TWO_SETS, POD);
	assert_int_equal(v.e.code, CNI_SET_FULL);
	assert_null(strstr(v.e.msg, "fd00"));
	assert_int_equal(v.fake.n, 5);
	verb_end(&v);
}

TEST(the_same_attachment_gets_what_it_holds)
{
	struct verb v = { 0 };

	fake_holds(&v.fake, "net/node-1/pod-a/eth0", "10.9.0.9/24", VERB_BOOT, 5);
	add(&v, SMALL, POD);
	assert_string_equal(calls(&v), "open insert pick find confirm");
	assert_string_equal(fake_says(&v.fake), "pod-a:10.9.0.9/24");
	verb_end(&v);
}

TEST(unless_it_asks_for_something_else_by_name)
{
	struct verb v = { 0 };

	fake_holds(&v.fake, "net/node-1/pod-a/eth0", "10.0.0.3/29", VERB_BOOT, 5);
	add(&v, SMALL, "IP=10.0.0.4;" POD);
	assert_int_equal(v.e.code, CNI_ALLOCATION_MISMATCH);
	verb_end(&v);
}

TEST(of_an_earlier_boot_and_none_of_a_set_it_is_picked_anew)
{
	struct verb v = { 0 };

	fake_holds(&v.fake, "net/node-1/pod-a/eth0", "10.0.0.3/29", OLD, LONG_AGO);
	add(&v, TWO_SETS, POD);
	assert_int_equal(v.rc, 0);
	assert_int_equal(v.fake.n, 2);
	assert_string_equal(calls(&v), "open insert pick find take_over");
	verb_end(&v);
}

/* Without a name, too: there is room, but what it holds comes before that. */
TEST(of_an_earlier_boot_it_keeps_what_it_holds_where_the_first_place_is_taken)
{
	struct verb v = { 0 };
	char first[IP_TEXT];

	add(&v, TWO_SETS, "");
	ip_text(&v.fake.rows[1].ip, false, first);
	verb_end(&v);
	v = (struct verb){ 0 };
	holds(&v, first);
	fake_holds(&v.fake, "net/node-1/pod-a/eth0", mem_printf("%s/29", another(first)), OLD,
		   LONG_AGO);
	add(&v, TWO_SETS, "");
	assert_int_equal(v.rc, 0);
	assert_true(has(&v, mem_printf("pod-a:%s/29", another(first))));
	assert_int_equal(v.fake.n, 3);
	verb_end(&v);
}

/* One set is decided: this pod has left something there, and it has room besides. The other one is
 * searched alone, and what others have left in it is seen. */
TEST(what_is_decided_of_one_set_does_not_hide_what_is_left_in_a_full_one)
{
	static const char sets[] = "'ranges':[[{'subnet':'fd00::/64'}],[{'subnet':'10.0.0.0/29'}]]";
	struct verb v = { 0 };

	fake_holds(&v.fake, "net/node-2/other/eth0", mem_printf("%s/64", first_place(sets)),
		   VERB_BOOT, 0);
	left(&v, "net/node-1/old/eth0", "fd00::9/64", "web");
	hold_all_but(&v, "10.0.0.4");
	left(&v, "net/node-1/other/eth0", "10.0.0.4/29", "db");
	add(&v, sets, POD);
	assert_string_equal(calls(&v), "open insert pick find find_free take_over");
	assert_true(has(&v, "pod-a:fd00::9/64") && has(&v, "pod-a:10.0.0.4/29"));
	verb_end(&v);
}

TEST(a_set_of_which_nothing_may_be_picked_only_bounds)
{
	static const char ipam[] =
		"'ranges':[[{'subnet':'10.0.0.0/29','exclude':['10.0.0.0/29']}]]";
	struct verb v = { 0 };

	add(&v, ipam, POD);
	assert_int_equal(v.e.code, CNI_INVALID_NETWORK_CONFIG);
	verb_end(&v);
	add(&v, ipam, "IP=10.0.0.3");
	assert_int_equal(v.rc, 0);
	verb_end(&v);
}

TEST(gateways_that_the_call_names_are_not_picked)
{
	struct verb v = { 0 };

	add(&v, ONE, "GATEWAY=10.0.0.2,10.0.0.9");
	assert_int_equal(v.e.code, CNI_INVALID_NETWORK_CONFIG);
	verb_end(&v);
	add(&v,
	    "'ranges':[[{'subnet':'10.0.0.0/30'}],[{'subnet':'10.1.0.0/30','gateway':'10.0.0.2'}]]",
	    "");
	assert_int_equal(v.fake.n, 1);
	assert_int_equal(v.fake.rows[0].ip.bytes[1], 1);
	verb_end(&v);
	v = (struct verb){ 0 };
	add(&v,
	    "'ranges':[[{'subnet':'10.0.0.0/30'}],[{'subnet':'fd00::/64'}]],"
	    "'addresses':[{'address':'fd00::5/64','gateway':'10.0.0.2'}]",
	    "");
	assert_string_equal(fake_says(&v.fake), "pod-a:fd00::5/64");
	verb_end(&v);
	v = (struct verb){ 0 };
	add(&v, ONE ",'routes':[{'dst':'0.0.0.0/0','gw':'10.0.0.2'}]", "");
	assert_err(&v.e, CNI_INVALID_NETWORK_CONFIG, "no address was asked for", v.e.details);
	verb_end(&v);
}

TEST(status_says_which_set_is_full)
{
	struct verb v = { 0 };

	status(&v, SMALL);
	assert_int_equal(v.rc, 0);
	assert_string_equal(calls(&v), "open status find_full close");
	verb_end(&v);
	v = (struct verb){ 0 };
	hold_all_but(&v, "10.0.0.4");
	left(&v, "net/node-1/other/eth0", "10.0.0.4/29", "db");
	status(&v, SMALL);
	assert_int_equal(v.rc, 0);
	verb_end(&v);
	v = (struct verb){ 0 };
	hold_all_but(&v, "");
	status(&v, TWO_SETS);
	assert_err(&v.e, CNI_PLUGIN_NOT_AVAILABLE,
		   "no address is left in the range set 10.0.0.0/29: all 5 of its addresses are "
		   "held",
		   "");
	verb_end(&v);
	v = (struct verb){ 0 };
	hold_all_but(&v, "");
	status(&v, SMALL ",'statusIgnoresRanges':true");
	assert_int_equal(v.rc, 0);
	assert_string_equal(calls(&v), "open status close");
	verb_end(&v);
}
