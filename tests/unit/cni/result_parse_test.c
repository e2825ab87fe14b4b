/* Results of other plugins, in every version. Needs nothing. */
#include "unit.h"

#include <limits.h>
#include <stdlib.h>

#include "cni/result.h"

static int parse(const char *text, enum cni_version v, struct result *r, struct err *e)
{
	cJSON *object = json_of(text);
	int result = result_parse(object, v, CNI_IO_FAILURE, r, e);

	return result;
}

static void assert_ip(const struct address *ip, const char *address, const char *gateway,
		      int interface)
{
	char buf[IP_TEXT];

	assert_string_equal(ip_text(&ip->ip, true, buf), address);
	assert_string_equal(ip_text(&ip->gateway, true, buf), gateway);
	assert_int_equal(ip->interface, interface);
}

static void assert_json(const cJSON *value, const char *text)
{
	char *printed = value ? cJSON_PrintUnformatted(value) : NULL;

	if (text)
		assert_string_equal(printed, text);
	else
		assert_null(value);
}

TEST(the_newest)
{
	struct result r;
	struct err e = { 0 };

	assert_int_equal(
		parse("{\"cniVersion\":\"1.1.0\",\"unknown\":[1],"
		      "\"interfaces\":[{\"name\":\"eth0\",\"mac\":\"m\",\"sandbox\":\"/ns\","
		      "\"mtu\":9000}],"
		      "\"ips\":[{\"address\":\"10.0.0.5/24\",\"gateway\":\"10.0.0.1\","
		      "\"interface\":0},"
		      "{\"address\":\"FD00:0::5/64\",\"interface\":null,\"gateway\":\"\"}],"
		      "\"routes\":[{\"dst\":\"0.0.0.0/0\"},"
		      "{\"dst\":\"fd01::/16\",\"gw\":\"fd00::1\",\"mtu\":1400}],"
		      "\"dns\":{\"nameservers\":[\"10.0.0.1\"],\"domain\":\"d\",\"search\":[],"
		      "\"options\":[\"o\"]}}",
		      CNI_1_1_0, &r, &e),
		0);
	assert_int_equal(r.ips.n, 2);
	assert_ip(&r.ips.list[0], "10.0.0.5/24", "10.0.0.1", 0);
	assert_ip(&r.ips.list[1], "fd00::5/64", "", -1);
	assert_json(r.interfaces,
		    "[{\"name\":\"eth0\",\"mac\":\"m\",\"sandbox\":\"/ns\",\"mtu\":9000}]");
	assert_json(r.routes, "[{\"dst\":\"0.0.0.0/0\"},"
			      "{\"dst\":\"fd01::/16\",\"gw\":\"fd00::1\",\"mtu\":1400}]");
	assert_json(r.dns, "{\"nameservers\":[\"10.0.0.1\"],\"domain\":\"d\",\"search\":[],"
			   "\"options\":[\"o\"]}");
}

TEST(with_a_family_beside_the_address)
{
	struct result r;
	struct err e = { 0 };

	assert_int_equal(parse("{\"cniVersion\":\"0.4.0\",\"ips\":[{\"version\":\"4\","
			       "\"address\":\"10.0.0.5/24\"}],\"dns\":{}}",
			       CNI_0_4_0, &r, &e),
			 0);
	assert_int_equal(r.ips.n, 1);
	assert_ip(&r.ips.list[0], "10.0.0.5/24", "", -1);
	assert_null(r.dns);
}

TEST(the_oldest)
{
	struct result r;
	struct err e = { 0 };

	assert_int_equal(parse("{\"cniVersion\":\"0.2.0\",\"ip4\":{\"ip\":\"10.0.0.5/24\","
			       "\"gateway\":\"10.0.0.1\",\"routes\":[{\"dst\":\"0.0.0.0/0\"}]},"
			       "\"ip6\":{\"ip\":\"fd00::5/64\",\"routes\":[{\"dst\":\"::/0\","
			       "\"gw\":\"fd00::1\"}]},\"dns\":{\"domain\":\"d\"}}",
			       CNI_0_2_0, &r, &e),
			 0);
	assert_int_equal(r.ips.n, 2);
	assert_ip(&r.ips.list[0], "10.0.0.5/24", "10.0.0.1", -1);
	assert_ip(&r.ips.list[1], "fd00::5/64", "", -1);
	assert_json(r.routes, "[{\"dst\":\"0.0.0.0/0\"},{\"dst\":\"::/0\",\"gw\":\"fd00::1\"}]");
	assert_json(r.dns, "{\"domain\":\"d\"}");
}

TEST(nothing_in_it)
{
	static const char *const t[] = {
		"{}", "{\"cniVersion\":\"\"}",
		"{\"ips\":[],\"routes\":[],\"interfaces\":[],\"dns\":{}}",
		"{\"cniVersion\":null,\"ips\":null,\"routes\":null,\"interfaces\":null,\"dns\":"
		"null,"
		"\"ip4\":null}"
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		for (int v = 0; v < CNI_VERSIONS; v++) {
			struct result r;
			struct err e = { 0 };

			assert_int_equal(parse(t[i], (enum cni_version)v, &r, &e), 0);
			assert_int_equal(r.ips.n, 0);
			assert_null(r.interfaces);
			assert_null(r.routes);
			assert_null(r.dns);
		}
	}
}

TEST(ipv4_in_ipv6_is_ipv4)
{
	struct result r;
	struct err e = { 0 };

	assert_int_equal(parse("{\"ips\":[{\"address\":\"::ffff:10.0.0.5/120\","
			       "\"gateway\":\"::ffff:10.0.0.1\"},"
			       "{\"address\":\"::ffff:10.0.0.5/64\"}]}",
			       CNI_1_0_0, &r, &e),
			 0);
	assert_ip(&r.ips.list[0], "10.0.0.5/24", "10.0.0.1", -1);
	assert_ip(&r.ips.list[1], "::ffff:10.0.0.5/64", "", -1); /* no prefix of an IPv4 address */
}

TEST(an_index_into_nothing_stays_one)
{
	struct result r;
	struct err e = { 0 };

	assert_int_equal(parse("{\"interfaces\":[{\"name\":\"a\"}],"
			       "\"ips\":[{\"address\":\"10.0.0.5/24\",\"interface\":1},"
			       "{\"address\":\"10.0.0.6/24\",\"interface\":-1}]}",
			       CNI_1_0_0, &r, &e),
			 0);
	assert_int_equal(r.ips.list[0].interface, 1);
	assert_int_equal(r.ips.list[1].interface, INT_MAX);
}

static const struct {
	enum cni_version v;
	const char *text, *msg;
} bad[] = {
	{ CNI_1_1_0, "[]", "it is not an object" },
	{ CNI_1_1_0, "{\"cniVersion\":1}", "\"cniVersion\" must be a string" },
	{ CNI_1_1_0, "{\"cniVersion\":\"1.0.0\"}", "\"cniVersion\" is \"1.0.0\", not \"1.1.0\"" },
	{ CNI_1_1_0, "{\"ips\":{}}", "\"ips\" must be a list of objects" },
	{ CNI_1_1_0, "{\"ips\":[null]}", "\"ips\" must be a list of objects" },
	{ CNI_1_1_0, "{\"ips\":[{}]}", "ips: \"address\" must be a string with an address" },
	{ CNI_1_1_0, "{\"ips\":[{\"address\":5}]}", "\"ips[0].address\" must be a string" },
	{ CNI_1_1_0, "{\"ips\":[{\"address\":\"10.0.0.5\"}]}",
	  "ips: invalid CIDR address in \"address\": \"10.0.0.5\"" },
	{ CNI_1_1_0, "{\"ips\":[{\"address\":\"garbage/24\"}]}",
	  "ips: invalid CIDR address in \"address\": \"garbage/24\"" },
	{ CNI_1_1_0, "{\"ips\":[{\"address\":\"10.0.0.5/24\",\"gateway\":\"10.0.0.1/24\"}]}",
	  "ips: invalid IP address in \"gateway\": \"10.0.0.1/24\"" },
	{ CNI_1_1_0, "{\"ips\":[{\"address\":\"10.0.0.5/24\",\"gateway\":\"x\"}]}",
	  "ips: invalid IP address in \"gateway\": \"x\"" },
	{ CNI_1_1_0, "{\"ips\":[{\"address\":\"10.0.0.5/24\",\"gateway\":1}]}",
	  "\"ips[0].gateway\" must be a string" },
	{ CNI_1_1_0, "{\"ips\":[{\"address\":\"10.0.0.5/24\",\"interface\":\"0\"}]}",
	  "\"ips[0].interface\" must be a whole number" },
	{ CNI_1_1_0, "{\"ips\":[{\"address\":\"10.0.0.5/24\",\"interface\":0.5}]}",
	  "\"ips[0].interface\" must be a whole number" },
	{ CNI_1_1_0, "{\"ips\":[{\"address\":\"10.0.0.5/24\",\"interface\":1e10}]}",
	  "ips: \"interface\" is not a whole number of 32 bits" },
	{ CNI_1_1_0, "{\"interfaces\":\"eth0\"}", "\"interfaces\" must be a list of objects" },
	{ CNI_1_1_0, "{\"interfaces\":[\"eth0\"]}", "\"interfaces\" must be a list of objects" },
	{ CNI_1_1_0, "{\"interfaces\":[{\"name\":1}]}", "\"interfaces[0].name\" must be a string" },
	{ CNI_1_1_0, "{\"interfaces\":[{\"mac\":1}]}", "\"interfaces[0].mac\" must be a string" },
	{ CNI_1_1_0, "{\"interfaces\":[{\"sandbox\":1}]}",
	  "\"interfaces[0].sandbox\" must be a string" },
	{ CNI_1_1_0, "{\"routes\":[1]}", "\"routes\" must be a list of objects" },
	{ CNI_1_1_0, "{\"routes\":[{}]}", "routes: \"dst\" must be a string with an address" },
	{ CNI_1_1_0, "{\"routes\":[{\"dst\":\"default\"}]}",
	  "routes: invalid CIDR address in \"dst\": \"default\"" },
	{ CNI_1_1_0, "{\"routes\":[{\"dst\":\"0.0.0.0/0\",\"gw\":\"x\"}]}",
	  "routes: invalid IP address in \"gw\": \"x\"" },
	{ CNI_1_1_0, "{\"dns\":[]}", "\"dns\" must be an object" },
	{ CNI_1_1_0, "{\"dns\":{\"nameservers\":\"1.1.1.1\"}}",
	  "\"dns.nameservers\" must be a list of strings" },
	{ CNI_1_1_0, "{\"dns\":{\"search\":[1]}}", "\"dns.search\" must be a list of strings" },
	{ CNI_1_1_0, "{\"dns\":{\"options\":[null]}}",
	  "\"dns.options\" must be a list of strings" },
	{ CNI_1_1_0, "{\"dns\":{\"domain\":[]}}", "\"dns.domain\" must be a string" },
	{ CNI_0_2_0, "{\"ip4\":[]}", "\"ip4\" must be an object" },
	{ CNI_0_2_0, "{\"ip4\":{}}", "ip4: \"ip\" must be a string with an address" },
	{ CNI_0_2_0, "{\"ip4\":{\"ip\":\"fd00::5/64\"}}",
	  "ip4: \"fd00::5/64\" is not of that family" },
	{ CNI_0_1_0, "{\"ip6\":{\"ip\":\"10.0.0.5/24\"}}",
	  "ip6: \"10.0.0.5/24\" is not of that family" },
	{ CNI_0_1_0, "{\"ip6\":{\"ip\":\"fd00::5/64\",\"routes\":[{\"dst\":\"x\"}]}}",
	  "ip6: routes: invalid CIDR address in \"dst\": \"x\"" },
};

TEST(refused)
{
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct result r = { 0 };
		struct err e = { 0 };

		assert_int_equal(parse(bad[i].text, bad[i].v, &r, &e), -1);
		assert_err(&e, CNI_IO_FAILURE, bad[i].msg, "");
		assert_null(r.ips.list);
	}
}
