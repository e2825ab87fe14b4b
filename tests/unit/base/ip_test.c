/* Addresses. Needs nothing. */
#include "unit.h"

#include "base/ip.h"

static struct ip ip_of(const char *text)
{
	struct ip ip;

	if (!ip_parse(text, &ip))
		fail_msg("%s does not parse", text);
	return ip;
}

TEST(canonical_text)
{
	static const struct {
		const char *from, *with, *without;
	} t[] = {
		{ "10.0.0.1", "10.0.0.1", "10.0.0.1" },
		{ "10.0.0.1/24", "10.0.0.1/24", "10.0.0.1" },
		{ "0.0.0.0/0", "0.0.0.0/0", "0.0.0.0" },
		{ "255.255.255.255/32", "255.255.255.255/32", "255.255.255.255" },
		{ "FD00:0:0::1/64", "fd00::1/64", "fd00::1" },
		{ "::/0", "::/0", "::" },
		{ "::ffff:10.0.0.1/128", "::ffff:10.0.0.1/128", "::ffff:10.0.0.1" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128",
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128",
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	};
	char buf[IP_TEXT];
	struct ip none = { 0 };

	for (size_t i = 0; i < COUNT(t); i++) {
		struct ip ip = ip_of(t[i].from);

		assert_string_equal(ip_text(&ip, true, buf), t[i].with);
		assert_string_equal(ip_text(&ip, false, buf), t[i].without);
	}
	assert_string_equal(ip_text(&none, true, buf), "");
}

TEST(refused)
{
	static const char *const t[] = {
		"",
		"/",
		"/24",
		"10.0.0",
		"10.0.0.1.2",
		"10.0.0.256",
		"010.0.0.1",
		"10.0.0.01",
		" 10.0.0.1",
		"10.0.0.1 ",
		"10.0.0.1/",
		"10.0.0.1/33",
		"10.0.0.1/-1",
		"10.0.0.1/+1",
		"10.0.0.1/024",
		"10.0.0.1/00",
		"10.0.0.1/24/24",
		"10.0.0.1/2a",
		"10.0.0.1/99999999999",
		"fd00::1/129",
		"fe80::1%eth0",
		"fd00:::1",
		"fd00::1::2",
		"[fd00::1]",
		"garbage",
		"0x0a000001",
		"10.1",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
	};
	struct ip ip;

	for (size_t i = 0; i < COUNT(t); i++) {
		if (ip_parse(t[i], &ip))
			fail_msg("%s parses", t[i]);
	}
}

TEST(networks)
{
	static const struct {
		const char *ip, *network, *last;
	} t[] = {
		{ "10.1.2.3/24", "10.1.2.0", "10.1.2.255" },
		{ "10.1.2.3/22", "10.1.0.0", "10.1.3.255" },
		{ "10.1.2.3/0", "0.0.0.0", "255.255.255.255" },
		{ "10.1.2.3/32", "10.1.2.3", "10.1.2.3" },
		{ "10.1.2.3", "10.1.2.3", "10.1.2.3" },
		{ "fd00::1:2/65", "fd00::", "fd00::7fff:ffff:ffff:ffff" },
	};
	char buf[IP_TEXT];

	for (size_t i = 0; i < COUNT(t); i++) {
		struct ip ip = ip_of(t[i].ip);
		struct ip network = ip_network(&ip);
		struct ip last = ip_last(&ip);

		assert_string_equal(ip_text(&network, false, buf), t[i].network);
		assert_string_equal(ip_text(&last, false, buf), t[i].last);
		assert_int_equal(network.prefix, ip.prefix);
	}
}

TEST(within)
{
	static const struct {
		const char *host, *net;
		bool in;
	} t[] = {
		{ "10.0.0.0", "10.0.0.77/24", true }, { "10.0.0.255", "10.0.0.0/24", true },
		{ "10.0.1.0", "10.0.0.0/24", false }, { "9.255.255.255", "10.0.0.0/24", false },
		{ "10.0.0.1", "10.0.0.1", true },     { "10.0.0.2", "10.0.0.1", false },
		{ "fd00::1", "0.0.0.0/0", false },    { "10.0.0.1", "::/0", false },
		{ "fd00::ffff", "fd00::/112", true }, { "fd00::1:0", "fd00::/112", false },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct ip host = ip_of(t[i].host);
		struct ip net = ip_of(t[i].net);

		assert_int_equal(ip_in(&host, &net), t[i].in);
	}
}

TEST(order_and_next)
{
	struct ip a = ip_of("10.0.0.255/24");
	struct ip b = ip_next(&a);
	struct ip c = ip_of("10.0.1.0/16");
	struct ip last = ip_of("255.255.255.255");
	struct ip first = ip_next(&last);
	struct ip six = ip_of("fd00::ffff:ffff");
	char buf[IP_TEXT];

	assert_string_equal(ip_text(&b, true, buf), "10.0.1.0/24");
	assert_true(ip_compare(&a, &b) < 0);
	assert_true(ip_compare(&b, &a) > 0);
	assert_true(ip_same_host(&b, &c));
	assert_false(ip_same_host(&a, &b));
	assert_string_equal(ip_text(&first, false, buf), "0.0.0.0");
	six = ip_next(&six);
	assert_string_equal(ip_text(&six, false, buf), "fd00::1:0:0");
	assert_false(ip_same_host(&six, &a));
	assert_int_equal(ip_bits(&a), 32);
	assert_int_equal(ip_bits(&six), 128);
}

TEST(lists)
{
	static const char *const texts[] = { "10.0.0.1/24", "fd00::1/64", "10.0.0.2/24",
					     "10.0.0.3/24", "fd00::2/64" };
	struct addresses all = { 0 };
	struct ip host = ip_of("10.0.0.2");

	assert_null(addresses_find(&all, &host));
	for (size_t i = 0; i < COUNT(texts); i++)
		addresses_add(&all,
			      &(struct address){ .ip = ip_of(texts[i]), .interface = (int)i });
	assert_int_equal(all.n, COUNT(texts));
	for (size_t i = 0; i < COUNT(texts); i++)
		assert_int_equal(all.list[i].interface, i);
	assert_ptr_equal(addresses_find(&all, &host), &all.list[2]); /* whatever its prefix */
	host = ip_of("10.0.0.9");
	assert_null(addresses_find(&all, &host));
	assert_int_equal(addresses_of_family(&all, 4), 3);
	assert_int_equal(addresses_of_family(&all, 6), 2);
}
