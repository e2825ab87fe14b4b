/* The neutral result. Needs nothing. */
#include "unit.h"

#include "cni/result.h"

static void add(struct result *r, const char *text)
{
	struct result_ip ip = { .interface = -1 };

	assert_true(ip_parse(text, &ip.address));
	assert_int_equal(result_add_ip(r, &ip), 0);
}

TEST(addresses_are_added_at_the_end)
{
	struct result r = { 0 };
	char buf[IP_TEXT];

	add(&r, "10.0.0.1/24");
	add(&r, "fd00::1/64");
	add(&r, "10.0.0.2/24");
	assert_int_equal(r.n_ips, 3);
	assert_string_equal(ip_text(&r.ips[0].address, true, buf), "10.0.0.1/24");
	assert_string_equal(ip_text(&r.ips[2].address, true, buf), "10.0.0.2/24");
	result_free(&r);
	assert_int_equal(r.n_ips, 0);
	assert_null(r.ips);
	result_free(&r);
}

TEST(one_a_family_up_to_0_2_0)
{
	static const char details[] =
		"set \"cniVersion\" to 0.3.1 or later, or ask for one of each family";
	struct result r = { 0 };
	struct err e = { 0 };

	add(&r, "10.0.0.1/24");
	add(&r, "fd00::1/64");
	assert_int_equal(result_check_capacity(&r, CNI_0_1_0, &e), 0);
	add(&r, "fd00::2/64");
	assert_int_equal(result_check_capacity(&r, CNI_0_2_0, &e), -1);
	assert_err(&e, CNI_INVALID_NETWORK_CONFIG,
		   "protocol version 0.2.0 has room for one IPv6 address, not for 2", details);
	add(&r, "10.0.0.2/24");
	add(&r, "10.0.0.3/24");
	assert_int_equal(result_check_capacity(&r, CNI_0_1_0, &e), -1);
	assert_err(&e, CNI_INVALID_NETWORK_CONFIG,
		   "protocol version 0.1.0 has room for one IPv4 address, not for 3", details);
	assert_int_equal(result_check_capacity(&r, CNI_0_3_0, &e), 0);
	assert_int_equal(result_check_capacity(&r, CNI_NEWEST, &e), 0);
	result_free(&r);
}
