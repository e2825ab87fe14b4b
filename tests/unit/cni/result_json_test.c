/* Results as JSON in each version, read and printed. Needs nothing. */
#include "unit.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "cni/result.h"

/* ---- reading ---- */

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
		assert_string_equal(printed, J(text));
	else
		assert_null(value);
}

TEST(the_newest)
{
	struct result r;
	struct err e = { 0 };

	assert_int_equal(parse("{'cniVersion':'1.1.0','unknown':[1],'interfaces':[{'name':'eth0','"
			       "mac':'m','sandbox':'/ns','mtu':9000}],'ips':[{'address':'10.0.0.5/"
			       "24','gateway':'10.0.0.1','interface':0},{'address':'FD00:0::5/"
			       "64','interface':null,'gateway':''}],'routes':[{'dst':'0.0.0.0/"
			       "0'},{'dst':'fd01::/"
			       "16','gw':'fd00::1','mtu':1400}],'dns':{'nameservers':['10.0.0.1'],'"
			       "domain':'d','search':[],'options':['o']}}",
			       CNI_1_1_0, &r, &e),
			 0);
	assert_int_equal(r.ips.n, 2);
	assert_ip(&r.ips.list[0], "10.0.0.5/24", "10.0.0.1", 0);
	assert_ip(&r.ips.list[1], "fd00::5/64", "", -1);
	assert_json(r.interfaces, "[{'name':'eth0','mac':'m','sandbox':'/ns','mtu':9000}]");
	assert_json(r.routes,
		    "[{'dst':'0.0.0.0/0'},{'dst':'fd01::/16','gw':'fd00::1','mtu':1400}]");
	assert_json(r.dns, "{'nameservers':['10.0.0.1'],'domain':'d','search':[],'options':['o']}");
}

TEST(with_a_family_beside_the_address)
{
	struct result r;
	struct err e = { 0 };

	assert_int_equal(parse("{'cniVersion':'0.4.0','ips':[{'version':'4','address':'10.0.0.5/"
			       "24'}],'dns':{}}",
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

	assert_int_equal(parse("{'cniVersion':'0.2.0','ip4':{'ip':'10.0.0.5/"
			       "24','gateway':'10.0.0.1','routes':[{'dst':'0.0.0.0/"
			       "0'}]},'ip6':{'ip':'fd00::5/64','routes':[{'dst':'::/"
			       "0','gw':'fd00::1'}]},'dns':{'domain':'d'}}",
			       CNI_0_2_0, &r, &e),
			 0);
	assert_int_equal(r.ips.n, 2);
	assert_ip(&r.ips.list[0], "10.0.0.5/24", "10.0.0.1", -1);
	assert_ip(&r.ips.list[1], "fd00::5/64", "", -1);
	assert_json(r.routes, "[{'dst':'0.0.0.0/0'},{'dst':'::/0','gw':'fd00::1'}]");
	assert_json(r.dns, "{'domain':'d'}");
}

TEST(nothing_in_it)
{
	static const char *const t[] = { "{}", "{'cniVersion':''}",
					 "{'ips':[],'routes':[],'interfaces':[],'dns':{}}",
					 "{'cniVersion':null,'ips':null,'routes':null,'interfaces':"
					 "null,'dns':null,'ip4':null}" };

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

	assert_int_equal(
		parse("{'ips':[{'address':'::ffff:10.0.0.5/"
		      "120','gateway':'::ffff:10.0.0.1'},{'address':'::ffff:10.0.0.5/64'}]}",
		      CNI_1_0_0, &r, &e),
		0);
	assert_ip(&r.ips.list[0], "10.0.0.5/24", "10.0.0.1", -1);
	assert_ip(&r.ips.list[1], "::ffff:10.0.0.5/64", "", -1); /* no prefix of an IPv4 address */
}

TEST(an_index_into_nothing_stays_one)
{
	struct result r;
	struct err e = { 0 };

	assert_int_equal(parse("{'interfaces':[{'name':'a'}],'ips':[{'address':'10.0.0.5/"
			       "24','interface':1},{'address':'10.0.0.6/24','interface':-1}]}",
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
	{ CNI_1_1_0, "{'cniVersion':1}", "'cniVersion' must be a string" },
	{ CNI_1_1_0, "{'cniVersion':'1.0.0'}", "'cniVersion' is '1.0.0', not '1.1.0'" },
	{ CNI_1_1_0, "{'ips':{}}", "'ips' must be a list of objects" },
	{ CNI_1_1_0, "{'ips':[null]}", "'ips' must be a list of objects" },
	{ CNI_1_1_0, "{'ips':[{}]}", "ips: 'address' must be a string with an address" },
	{ CNI_1_1_0, "{'ips':[{'address':5}]}", "'ips[0].address' must be a string" },
	{ CNI_1_1_0, "{'ips':[{'address':'10.0.0.5'}]}",
	  "ips: invalid CIDR address in 'address': '10.0.0.5'" },
	{ CNI_1_1_0, "{'ips':[{'address':'garbage/24'}]}",
	  "ips: invalid CIDR address in 'address': 'garbage/24'" },
	{ CNI_1_1_0, "{'ips':[{'address':'10.0.0.5/24','gateway':'10.0.0.1/24'}]}",
	  "ips: invalid IP address in 'gateway': '10.0.0.1/24'" },
	{ CNI_1_1_0, "{'ips':[{'address':'10.0.0.5/24','gateway':'x'}]}",
	  "ips: invalid IP address in 'gateway': 'x'" },
	{ CNI_1_1_0, "{'ips':[{'address':'10.0.0.5/24','gateway':1}]}",
	  "'ips[0].gateway' must be a string" },
	{ CNI_1_1_0, "{'ips':[{'address':'10.0.0.5/24','interface':'0'}]}",
	  "'ips[0].interface' must be a whole number" },
	{ CNI_1_1_0, "{'ips':[{'address':'10.0.0.5/24','interface':0.5}]}",
	  "'ips[0].interface' must be a whole number" },
	{ CNI_1_1_0, "{'ips':[{'address':'10.0.0.5/24','interface':1e10}]}",
	  "ips: 'interface' is not a whole number of 32 bits" },
	{ CNI_1_1_0, "{'interfaces':'eth0'}", "'interfaces' must be a list of objects" },
	{ CNI_1_1_0, "{'interfaces':['eth0']}", "'interfaces' must be a list of objects" },
	{ CNI_1_1_0, "{'interfaces':[{'name':1}]}", "'interfaces[0].name' must be a string" },
	{ CNI_1_1_0, "{'interfaces':[{'mac':1}]}", "'interfaces[0].mac' must be a string" },
	{ CNI_1_1_0, "{'interfaces':[{'sandbox':1}]}", "'interfaces[0].sandbox' must be a string" },
	{ CNI_1_1_0, "{'routes':[1]}", "'routes' must be a list of objects" },
	{ CNI_1_1_0, "{'routes':[{}]}", "routes: 'dst' must be a string with an address" },
	{ CNI_1_1_0, "{'routes':[{'dst':'default'}]}",
	  "routes: invalid CIDR address in 'dst': 'default'" },
	{ CNI_1_1_0, "{'routes':[{'dst':'0.0.0.0/0','gw':'x'}]}",
	  "routes: invalid IP address in 'gw': 'x'" },
	{ CNI_1_1_0, "{'dns':[]}", "'dns' must be an object" },
	{ CNI_1_1_0, "{'dns':{'nameservers':'1.1.1.1'}}",
	  "'dns.nameservers' must be a list of strings" },
	{ CNI_1_1_0, "{'dns':{'search':[1]}}", "'dns.search' must be a list of strings" },
	{ CNI_1_1_0, "{'dns':{'options':[null]}}", "'dns.options' must be a list of strings" },
	{ CNI_1_1_0, "{'dns':{'domain':[]}}", "'dns.domain' must be a string" },
	{ CNI_0_2_0, "{'ip4':[]}", "'ip4' must be an object" },
	{ CNI_0_2_0, "{'ip4':{}}", "ip4: 'ip' must be a string with an address" },
	{ CNI_0_2_0, "{'ip4':{'ip':'fd00::5/64'}}", "ip4: 'fd00::5/64' is not of that family" },
	{ CNI_0_1_0, "{'ip6':{'ip':'10.0.0.5/24'}}", "ip6: '10.0.0.5/24' is not of that family" },
	{ CNI_0_1_0, "{'ip6':{'ip':'fd00::5/64','routes':[{'dst':'x'}]}}",
	  "ip6: routes: invalid CIDR address in 'dst': 'x'" },
};

TEST(refused)
{
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct result r = { 0 };
		struct err e = { 0 };

		assert_int_equal(parse(bad[i].text, bad[i].v, &r, &e), -1);
		assert_err(&e, CNI_IO_FAILURE, J(bad[i].msg), "");
		assert_null(r.ips.list);
	}
}

/* ---- printing ---- */

/* One result with everything in it, read from the newest form. */
static struct result full(void)
{
	static const char text[] =
		"{'interfaces':[{'name':'eth0','mac':'m','sandbox':'/"
		"ns'}],'ips':[{'address':'10.0.0.5/"
		"24','gateway':'10.0.0.1','interface':0},{'address':'fd00::5/"
		"64'}],'routes':[{'dst':'::/0','gw':'fd00::1','mtu':1400},{'dst':'0.0.0.0/"
		"0'},{'dst':'10.1.0.0/16','gw':'10.0.0.2'}],'dns':{'nameservers':['10.0.0.1']}}";
	cJSON *object = json_of(text);
	struct result r;
	struct err e = { 0 };

	assert_int_equal(result_parse(object, CNI_1_1_0, CNI_IO_FAILURE, &r, &e), 0);
	return r;
}

#define INTERFACES "'interfaces':[{'name':'eth0','mac':'m','sandbox':'/ns'}],"
#define ROUTES                                                                                     \
	"'routes':[{'dst':'::/0','gw':'fd00::1','mtu':1400},{'dst':'0.0.0.0/0'},"                  \
	"{'dst':'10.1.0.0/16','gw':'10.0.0.2'}],"
#define DNS "'dns':{'nameservers':['10.0.0.1']}}"

#define UP_TO_0_2_0                                                                                \
	"'ip4':{'ip':'10.0.0.5/24','gateway':'10.0.0.1','routes':["                                \
	"{'dst':'0.0.0.0/0'},{'dst':'10.1.0.0/16','gw':'10.0.0.2'}]},"                             \
	"'ip6':{'ip':'fd00::5/64','routes':[{'dst':'::/0','gw':'fd00::1'}]}," DNS
#define UP_TO_0_4_0                                                                                \
	INTERFACES "'ips':[{'version':'4','interface':0,'address':'10.0.0.5/24',"                  \
		   "'gateway':'10.0.0.1'},{'version':'6','address':'fd00::5/"                      \
		   "64'}]," ROUTES DNS
#define FROM_1_0_0                                                                                 \
	INTERFACES "'ips':[{'interface':0,'address':'10.0.0.5/24',"                                \
		   "'gateway':'10.0.0.1'},{'address':'fd00::5/64'}]," ROUTES DNS

TEST(each_version)
{
	static const char *const forms[CNI_VERSIONS] = {
		"{'cniVersion':'0.1.0'," UP_TO_0_2_0, "{'cniVersion':'0.2.0'," UP_TO_0_2_0,
		"{'cniVersion':'0.3.0'," UP_TO_0_4_0, "{'cniVersion':'0.3.1'," UP_TO_0_4_0,
		"{'cniVersion':'0.4.0'," UP_TO_0_4_0, "{'cniVersion':'1.0.0'," FROM_1_0_0,
		"{'cniVersion':'1.1.0'," FROM_1_0_0,
	};
	struct result r = full();

	for (int v = 0; v < CNI_VERSIONS; v++) {
		char *text = result_print(&r, (enum cni_version)v);

		assert_string_equal(text, J(forms[v]));
	}
}

TEST(printed_and_read_again_it_is_the_same)
{
	struct result r = full();

	for (int v = 0; v < CNI_VERSIONS; v++) {
		char *text = result_print(&r, (enum cni_version)v);
		cJSON *object = json_of(text);
		struct result again;
		struct err e = { 0 };
		char *text_again;

		assert_int_equal(
			result_parse(object, (enum cni_version)v, CNI_IO_FAILURE, &again, &e), 0);
		text_again = result_print(&again, (enum cni_version)v);
		assert_string_equal(text_again, text);
	}
}

TEST(an_empty_one)
{
	struct result r = { 0 };

	for (int v = 0; v < CNI_VERSIONS; v++) {
		char *text = result_print(&r, (enum cni_version)v);
		char expected[64];

		snprintf(expected, sizeof(expected), "{'cniVersion':'%s'}",
			 cni_version_text((enum cni_version)v));
		assert_string_equal(text, J(expected));
	}
}

TEST(routes_without_an_address_of_their_family)
{
	struct result r = full();
	char *text;

	r.ips.n = 1;
	text = result_print(&r, CNI_0_2_0);
	assert_null(strstr(text, "ip6"));
	assert_null(strstr(text, "::/0"));
}
