/* Is CNI_NETNS the namespace that we are in ourselves? Needs /proc. */
#include <stdio.h>

#include "make_call.h"
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

TEST(our_own_namespace_is_refused)
{
	assert_int_equal(check("/proc/self/ns/net", ""), CNI_INVALID_NETNS);
	assert_int_equal(check("/proc/thread-self/ns/net", ""), CNI_INVALID_NETNS);
}

TEST(an_override_allows_it)
{
	assert_int_equal(check("/proc/self/ns/net", "1"), 0);
	assert_int_equal(check("/proc/self/ns/net", "true"), 0);
	assert_int_equal(check("/proc/self/ns/net", "TrUe"), 0);
}

TEST(nothing_else_allows_it)
{
	assert_int_equal(check("/proc/self/ns/net", "0"), CNI_INVALID_NETNS);
	assert_int_equal(check("/proc/self/ns/net", "yes"), CNI_INVALID_NETNS);
	assert_int_equal(check("/proc/self/ns/net", "11"), CNI_INVALID_NETNS);
	assert_int_equal(check("/proc/self/ns/net", "true "), CNI_INVALID_NETNS);
}

TEST(another_namespace_is_fine)
{
	assert_int_equal(check("/proc/self/ns/mnt", ""), 0);
	assert_int_equal(check("/dev/null", ""), 0);
}

TEST(what_is_no_path_is_not_judged)
{
	assert_int_equal(check("/no/such/netns", ""), 0);
	assert_int_equal(check("vm-17", ""), 0);
}
