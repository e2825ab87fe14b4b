/* Is CNI_NETNS the namespace that we are in ourselves? Needs /proc. */
#include <stdio.h>

#include "call.h"
#include "net/netns.h"

/* The code for that CNI_NETNS and CNI_NETNS_OVERRIDE, 0: none. */
static enum cni_code check(const char *netns, const char *override)
{
	char variable[64];
	struct made_call m;
	struct err e = { 0 };

	make_call(&m, "ADD", "{}", "/");
	snprintf(variable, sizeof(variable), "CNI_NETNS_OVERRIDE=%s", override);
	m.env[2] = variable;
	m.call.netns = netns;
	netns_check(&m.call, &e);
	drop_call(&m);
	return e.code;
}

static void our_own_namespace_is_refused(void **state)
{
	(void)state;
	assert_int_equal(check("/proc/self/ns/net", ""), CNI_NETNS);
	assert_int_equal(check("/proc/thread-self/ns/net", ""), CNI_NETNS);
}

static void an_override_allows_it(void **state)
{
	(void)state;
	assert_int_equal(check("/proc/self/ns/net", "1"), 0);
	assert_int_equal(check("/proc/self/ns/net", "true"), 0);
	assert_int_equal(check("/proc/self/ns/net", "TrUe"), 0);
}

static void nothing_else_allows_it(void **state)
{
	(void)state;
	assert_int_equal(check("/proc/self/ns/net", "0"), CNI_NETNS);
	assert_int_equal(check("/proc/self/ns/net", "yes"), CNI_NETNS);
	assert_int_equal(check("/proc/self/ns/net", "11"), CNI_NETNS);
	assert_int_equal(check("/proc/self/ns/net", "true "), CNI_NETNS);
}

static void another_namespace_is_fine(void **state)
{
	(void)state;
	assert_int_equal(check("/proc/self/ns/mnt", ""), 0);
	assert_int_equal(check("/dev/null", ""), 0);
}

static void what_is_no_path_is_not_judged(void **state)
{
	(void)state;
	assert_int_equal(check("/no/such/netns", ""), 0);
	assert_int_equal(check("vm-17", ""), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_own_namespace_is_refused),
		cmocka_unit_test(an_override_allows_it),
		cmocka_unit_test(nothing_else_allows_it),
		cmocka_unit_test(another_namespace_is_fine),
		cmocka_unit_test(what_is_no_path_is_not_judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
