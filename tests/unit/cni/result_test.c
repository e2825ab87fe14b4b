/* The neutral result. Needs nothing. */
#include "unit.h"

#include "cni/result.h"

static void add(struct result *r, const char *text)
{
	struct address ip = { .interface = -1 };

	assert_true(ip_parse(text, &ip.ip));
	result_add_ip(r, &ip);
}

TEST(addresses_are_added_at_the_end)
{
	struct result r = { 0 };
	char buf[IP_TEXT];

	add(&r, "10.0.0.1/24");
	add(&r, "fd00::1/64");
	add(&r, "10.0.0.2/24");
	assert_int_equal(r.ips.n, 3);
	assert_string_equal(ip_text(&r.ips.list[0].ip, true, buf), "10.0.0.1/24");
	assert_string_equal(ip_text(&r.ips.list[2].ip, true, buf), "10.0.0.2/24");
}

TEST(one_a_family_up_to_0_2_0)
{
	static const char details[] =
		"set \"cniVersion\" to 0.3.1 or later, or ask for one of each family";
	struct result r = { 0 };
	struct err e = { 0 };

	add(&r, "10.0.0.1/24");
	add(&r, "fd00::1/64");
	assert_int_equal(result_check_capacity(&r.ips, CNI_0_1_0, &e), 0);
	add(&r, "fd00::2/64");
	assert_int_equal(result_check_capacity(&r.ips, CNI_0_2_0, &e), -1);
	assert_err(&e, CNI_INVALID_NETWORK_CONFIG,
		   "CNI version 0.2.0 does not support more than 1 address per family", details);
	add(&r, "10.0.0.2/24");
	add(&r, "10.0.0.3/24");
	assert_int_equal(result_check_capacity(&r.ips, CNI_0_1_0, &e), -1);
	assert_err(&e, CNI_INVALID_NETWORK_CONFIG,
		   "CNI version 0.1.0 does not support more than 1 address per family", details);
	assert_int_equal(result_check_capacity(&r.ips, CNI_0_3_0, &e), 0);
	assert_int_equal(result_check_capacity(&r.ips, CNI_NEWEST, &e), 0);
}
