/* Ranges as host-local has them, and which addresses can be given out. Needs nothing. */
#include <stdio.h>

#include "unit.h"

#include "base/memory.h"
#include "ipam/range.h"

/* Reads the value of `ranges`. */
static int read_ranges(cJSON *json, struct ranges *out, struct err *e)
{
	cJSON *conf = cJSON_CreateObject(), *ipam = cJSON_AddObjectToObject(conf, "ipam");

	cJSON_AddItemReferenceToObject(ipam, "ranges", json);
	return ranges_read(conf, out, e);
}

static int read(const char *json, struct ranges *out, struct err *e)
{
	return read_ranges(json_of(J(json)), out, e);
}

TEST(the_defaults_are_host_locals)
{
	static const struct {
		const char *json, *start, *end, *gateway;
	} t[] = {
		{ "[[{'subnet':'10.0.0.0/24'}]]", "10.0.0.1", "10.0.0.254", "10.0.0.1" },
		{ "[[{'subnet':'10.0.0.4/30'}]]", "10.0.0.5", "10.0.0.6", "10.0.0.5" },
		{ "[[{'subnet':'0.0.0.0/0'}]]", "0.0.0.1", "255.255.255.254", "0.0.0.1" },
		{ "[[{'subnet':'fd00::/64'}]]", "fd00::1", "fd00::ffff:ffff:ffff:ffff", "fd00::1" },
		{ "[[{'subnet':'fd00::/126'}]]", "fd00::1", "fd00::3", "fd00::1" },
		{ "[[{'subnet':'10.0.0.0/"
		  "24','rangeStart':'10.0.0.5','rangeEnd':'10.0.0.5','gateway':'192.168.0.1'}]]",
		  "10.0.0.5", "10.0.0.5", "192.168.0.1" },
		{ "[[{'subnet':'10.0.0.0/24','gateway':'fd00::1'}]]", "10.0.0.1", "10.0.0.254",
		  "fd00::1" },
		{ "[[{'subnet':'fd00::/64','gateway':'10.0.0.1'}]]", "fd00::1",
		  "fd00::ffff:ffff:ffff:ffff", "10.0.0.1" },
		{ "[[{'subnet':'8000::/1','rangeStart':'8000::'}]]",
		  "8000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "8000::1" },
		{ "[[{'subnet':'10.0.0.0/24','rangeStart':'','rangeEnd':null,'gateway':''}]]",
		  "10.0.0.1", "10.0.0.254", "10.0.0.1" },
		{ "[[{'subnet':'10.0.0.0/24','rangeStart':'10.0.0.0','rangeEnd':'10.0.0.255'}]]",
		  "10.0.0.0", "10.0.0.255", "10.0.0.1" },
	};
	char text[IP_TEXT];

	for (size_t i = 0; i < COUNT(t); i++) {
		struct ranges r = { 0 };
		struct err e = { 0 };

		assert_int_equal(read(t[i].json, &r, &e), 0);
		assert_int_equal(r.n, 1);
		assert_string_equal(ip_text(&r.list[0].start, true, text), t[i].start);
		assert_string_equal(ip_text(&r.list[0].end, true, text), t[i].end);
		assert_string_equal(ip_text(&r.list[0].gateway, true, text), t[i].gateway);
	}
}

#define SUBNET "'subnet':'10.0.0.0/24'"

TEST(what_is_refused)
{
	static const char set[] = "ipam.ranges: a list of lists of ranges is needed: "
				  "[[{\"subnet\":\"10.10.0.0/16\"}]]";
	static const struct {
		const char *json, *msg;
	} t[] = {
		{ "{}", "ipam.ranges is not a list" },
		{ "\"10.0.0.0/24\"", "ipam.ranges is not a list" },
		{ "[{" SUBNET "}]", set },
		{ "[[]]", set },
		{ "[null]", set },
		{ "[[null]]", "ipam.ranges: a range is an object with a subnet" },
		{ "[['10.0.0.0/24']]", "ipam.ranges: a range is an object with a subnet" },
		{ "[[{}]]",
		  "ipam.ranges: a range needs a subnet such as \"10.10.0.0/16\", not \"\"" },
		{ "[[{'subnet':7}]]",
		  "ipam.ranges: a range needs a subnet such as \"10.10.0.0/16\", not \"\"" },
		{ "[[{'subnet':'10.0.0.0'}]]", "ipam.ranges: a range needs a subnet such as "
					       "\"10.10.0.0/16\", not \"10.0.0.0\"" },
		{ "[[{'subnet':'10.0.0.0/31'}]]",
		  "ipam.ranges: network 10.0.0.0/31 is too small to allocate from" },
		{ "[[{'subnet':'10.0.0.1/32'}]]",
		  "ipam.ranges: network 10.0.0.1/32 is too small to allocate from" },
		{ "[[{'subnet':'fd00::/127'}]]",
		  "ipam.ranges: network fd00::/127 is too small to allocate from" },
		{ "[[{'subnet':'10.0.0.1/24'}]]", "ipam.ranges: network 10.0.0.1/24 has host bits "
						  "set: the network address is 10.0.0.0/24" },
		{ "[[{" SUBNET ",'rangeStart':'x'}]]",
		  "ipam.ranges: rangeStart is not an IP address: \"x\"" },
		{ "[[{" SUBNET ",'rangeEnd':7}]]",
		  "ipam.ranges: rangeEnd is not an IP address: \"\"" },
		{ "[[{" SUBNET ",'gateway':'10.0.0.1/24'}]]",
		  "ipam.ranges: gateway is not an IP address: \"10.0.0.1/24\"" },
		{ "[[{" SUBNET ",'gateway':'ff02::1'}]]",
		  "ipam.ranges: gateway ff02::1 of 10.0.0.0/24 is a multicast address" },
		{ "[[{" SUBNET ",'gateway':'10.0.0.255'}]]",
		  "ipam.ranges: gateway 10.0.0.255 of 10.0.0.0/24 is the broadcast address of its "
		  "prefix" },
		{ "[[{" SUBNET ",'gateway':'127.0.0.1'}]]",
		  "ipam.ranges: gateway 127.0.0.1 of 10.0.0.0/24 is a loopback address" },
		{ "[[{" SUBNET ",'rangeStart':'10.0.1.1'}]]",
		  "ipam.ranges: rangeStart 10.0.1.1 is not in network 10.0.0.0/24" },
		{ "[[{" SUBNET ",'rangeStart':'fd00::1'}]]",
		  "ipam.ranges: rangeStart fd00::1 is not in network 10.0.0.0/24" },
		{ "[[{" SUBNET ",'rangeEnd':'10.0.1.1'}]]",
		  "ipam.ranges: rangeEnd 10.0.1.1 is not in network 10.0.0.0/24" },
		{ "[[{" SUBNET ",'rangeEnd':'fd00::1'}]]",
		  "ipam.ranges: rangeEnd fd00::1 is not in network 10.0.0.0/24" },
		{ "[[{" SUBNET ",'rangeStart':'10.0.0.9','rangeEnd':'10.0.0.8'}]]",
		  "ipam.ranges: rangeEnd 10.0.0.8 is not in network 10.0.0.0/24 behind "
		  "rangeStart" },
		{ "[[{" SUBNET "},{'subnet':'fd00::/64'}]]",
		  "ipam.ranges: 10.0.0.0/24 and fd00::/64 in one set: mixed address families" },
		{ "[[{" SUBNET "}],[{'subnet':'10.0.0.128/25'}]]",
		  "the ranges of 10.0.0.0/24 and 10.0.0.128/25 overlap" },
		{ "[[{'subnet':'10.0.0.128/25'}],[{" SUBNET "}]]",
		  "the ranges of 10.0.0.0/24 and 10.0.0.128/25 overlap" },
		{ "[[{'subnet':'fd00::/64'}],[{" SUBNET
		  ",'rangeStart':'10.0.0.9','rangeEnd':'10.0.0."
		  "9'}],[{'subnet':'10.0.0.8/29'}]]",
		  "the ranges of 10.0.0.0/24 and 10.0.0.8/29 overlap" },
		{ "[[{'subnet':'::/0','gateway':'fd00::1'}]]",
		  "ipam.ranges: a set of more than 2^127 addresses" },
		{ "[[{'subnet':'8000::/1','rangeStart':'8000::'},{'subnet':'fd00::/64'}]]",
		  "ipam.ranges: a set of more than 2^127 addresses" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct ranges r = { 0 };
		struct err e = { 0 };

		assert_int_equal(read(t[i].json, &r, &e), -1);
		assert_err(&e, CNI_INVALID_NETWORK_CONFIG, t[i].msg, "");
	}
}

TEST(parts_of_one_subnet_and_two_families)
{
	static const char json[] =
		"[[{" SUBNET ",'rangeStart':'10.0.0.10','rangeEnd':'10.0.0.19'},{" SUBNET
		",'rangeStart':'10.0.0.30'}],[{'subnet':'fd00::/64'}]]";
	static const struct {
		const char *ip;
		int range; /* -1: none */
	} t[] = {
		{ "10.0.0.9", -1 },   { "10.0.0.10", 0 },      { "10.0.0.19/8", 0 },
		{ "10.0.0.20", -1 },  { "10.0.0.30", 1 },      { "10.0.0.254", 1 },
		{ "10.0.0.255", -1 }, { "10.0.1.10", -1 },     { "fd00::", -1 },
		{ "fd00::1", 2 },     { "fd00:0:0:1::1", -1 },
	};
	struct ranges r = { 0 };
	struct err e = { 0 };

	assert_int_equal(read(json, &r, &e), 0);
	assert_int_equal(r.n, 3);
	for (size_t i = 0; i < COUNT(t); i++) {
		struct ip ip;
		const struct range *in;

		assert_true(ip_parse(t[i].ip, &ip));
		in = ranges_holding(&r, &ip);
		assert_int_equal(in ? in - r.list : -1, t[i].range);
	}
}

TEST(no_ranges)
{
	struct ranges r = { 0 };
	struct err e = { 0 };
	struct ip ip;

	assert_int_equal(ranges_read(json_of("{}"), &r, &e), 0);
	assert_int_equal(r.n, 0);
	assert_int_equal(read("[]", &r, &e), 0);
	assert_int_equal(r.n, 0);
	assert_true(ip_parse("10.0.0.1", &ip));
	assert_null(ranges_holding(&r, &ip));
}

TEST(not_any_number_of_them)
{
	cJSON *sets = cJSON_CreateArray();
	struct ranges r = { 0 };
	struct err e = { 0 };
	char subnet[IP_TEXT];

	for (int i = 0; i < 4097; i++) {
		cJSON *set = cJSON_CreateArray(), *range = cJSON_CreateObject();

		snprintf(subnet, sizeof(subnet), "10.%d.%d.0/24", i / 256, i % 256);
		cJSON_AddStringToObject(range, "subnet", subnet);
		cJSON_AddItemToArray(set, range);
		cJSON_AddItemToArray(sets, set);
	}
	assert_int_equal(read_ranges(sets, &r, &e), -1);
	assert_int_equal(e.code, CNI_INVALID_NETWORK_CONFIG);
	assert_string_equal(e.msg, "ipam.ranges: more than 4096 ranges");
	cJSON_DeleteItemFromArray(sets, 0);
	assert_int_equal(read_ranges(sets, &r, &e), 0);
	assert_int_equal(r.n, 4096);
}

/* What is excluded of the only range, as "first-last first-last"; the error's message on failure.
 */
static const char *excluded(const char *list)
{
	static char said[1200];
	struct ranges r = { 0 };
	struct err e = { 0 };
	char a[IP_TEXT], b[IP_TEXT];
	int len = 0;

	if (read(mem_printf("[[{%s,'rangeStart':'10.0.0.9','exclude':%s}]]", SUBNET, list), &r,
		 &e) < 0) {
		assert_int_equal(e.code, CNI_INVALID_NETWORK_CONFIG);
		return mem_strdup(e.msg);
	}
	said[0] = '\0';
	for (size_t i = 0; i < r.list[0].n_excluded; i++)
		len += snprintf(said + len, sizeof(said) - (size_t)len, "%s%s-%s", i ? " " : "",
				ip_text(&r.list[0].excluded[i].first, false, a),
				ip_text(&r.list[0].excluded[i].last, false, b));
	return said;
}

/* It must lie within the subnet; where the range begins and ends does not matter. */
TEST(what_is_excluded)
{
	static const struct {
		const char *list, *said;
	} t[] = {
		{ "null", "" },
		{ "[]", "" },
		{ "['10.0.0.4']", "10.0.0.4-10.0.0.4" },
		{ "['10.0.0.4/32']", "10.0.0.4-10.0.0.4" },
		{ "['10.0.0.4/30']", "10.0.0.4-10.0.0.7" },
		{ "['10.0.0.0/24']", "10.0.0.0-10.0.0.255" },
		{ "['10.0.0.3-10.0.0.5']", "10.0.0.3-10.0.0.5" },
		{ "['10.0.0.5-10.0.0.5']", "10.0.0.5-10.0.0.5" },
		{ "['10.0.0.0-10.0.0.255']", "10.0.0.0-10.0.0.255" },
		{ "['10.0.0.9','10.0.0.4/31','10.0.0.4']",
		  "10.0.0.9-10.0.0.9 10.0.0.4-10.0.0.5 10.0.0.4-10.0.0.4" },
	};
	static const char *const wrong[] = {
		"",
		"x",
		"10.0.1.0",
		"10.0.0.0/23",
		"10.0.0.5/30",
		"10.0.0.4/33",
		"10.0.0.5-10.0.0.4",
		"9.255.255.255-10.0.0.4",
		"10.0.0.250-10.0.1.0",
		"10.0.0.4-",
		"-10.0.0.4",
		"10.0.0.4/32-10.0.0.5",
		"10.0.0.4-10.0.0.5/32",
		"10.0.0.4 - 10.0.0.5",
		"10.0.0.4-10.0.0.5-10.0.0.6",
		"10.0.0.4-fd00::1",
		"fd00::1",
		"::/0",
	};

	for (size_t i = 0; i < COUNT(t); i++)
		assert_string_equal(excluded(t[i].list), t[i].said);
	for (size_t i = 0; i < COUNT(wrong); i++)
		assert_string_equal(
			excluded(mem_printf("['10.0.0.4','%s']", wrong[i])),
			mem_printf("ipam.ranges: exclude: \"%s\" is not an address, a prefix "
				   "without host bits or first-last within 10.0.0.0/24",
				   wrong[i]));
	assert_string_equal(excluded("'10.0.0.4'"), "ipam.ranges: exclude is not a list");
	assert_string_equal(
		excluded("[7]"),
		"ipam.ranges: exclude: \"\" is not an address, a prefix without host bits "
		"or first-last within 10.0.0.0/24");
}

TEST(v6_is_excluded_likewise)
{
	static const char json[] =
		"[[{'subnet':'fd00::/64','exclude':['fd00::/112','fd00::1:2-fd00::1:5']}]]";
	struct ranges r = { 0 };
	struct err e = { 0 };
	char text[IP_TEXT];

	assert_int_equal(read(json, &r, &e), 0);
	assert_string_equal(ip_text(&r.list[0].excluded[0].last, false, text), "fd00::ffff");
	assert_string_equal(ip_text(&r.list[0].excluded[1].last, false, text), "fd00::1:5");
}

/* All sets of a configuration without its braces, as "set:start-end>gateway-excluded"; the error's
 * message on failure. */
static const char *sets_of(const char *conf)
{
	struct ranges r = { 0 };
	struct err e = { 0 };
	char a[IP_TEXT], b[IP_TEXT], c[IP_TEXT];
	const char *said = "";

	if (ranges_read(json_of(mem_printf("{%s}", conf)), &r, &e) < 0) {
		assert_int_equal(e.code, CNI_INVALID_NETWORK_CONFIG);
		return mem_strdup(e.msg);
	}
	for (size_t i = 0; i < r.n; i++)
		said = mem_printf("%s%s%zu:%s-%s>%s-%zu", said, i ? " " : "", r.list[i].set,
				  ip_text(&r.list[i].start, false, a),
				  ip_text(&r.list[i].end, false, b),
				  ip_text(&r.list[i].gateway, false, c), r.list[i].n_excluded);
	return said;
}

TEST(host_locals_older_form)
{
	static const struct {
		const char *ipam, *said;
	} t[] = {
		{ SUBNET, "0:10.0.0.1-10.0.0.254>10.0.0.1-0" },
		{ SUBNET ",'rangeStart':'10.0.0.5','rangeEnd':'10.0.0.9','gateway':'169.254.1.1',"
			 "'exclude':['10.0.0.7']",
		  "0:10.0.0.5-10.0.0.9>169.254.1.1-1" },
		{ SUBNET ",'gateway':'fd00::1'", "0:10.0.0.1-10.0.0.254>fd00::1-0" },
		{ SUBNET ",'rangeStart':'','rangeEnd':'','gateway':''",
		  "0:10.0.0.1-10.0.0.254>10.0.0.1-0" },
		{ "'ranges':[[{'subnet':'fd00::/126'}]]," SUBNET,
		  "0:10.0.0.1-10.0.0.254>10.0.0.1-0 1:fd00::1-fd00::3>fd00::1-0" },
		{ "'ranges':[[{'subnet':'fd00::/126'}]],'rangeStart':'','gateway':null",
		  "0:fd00::1-fd00::3>fd00::1-0" },
		{ "'ranges':[[{'subnet':'10.0.0.8/29'}]]," SUBNET,
		  "the ranges of 10.0.0.0/24 and 10.0.0.8/29 overlap" },
		{ "'subnet':'10.0.0.1/24'",
		  "ipam: network 10.0.0.1/24 has host bits set: the network "
		  "address is 10.0.0.0/24" },
		{ "'subnet':''",
		  "ipam: a range needs a subnet such as \"10.10.0.0/16\", not \"\"" },
		{ "'subnet':'::/0','gateway':'fd00::1'",
		  "ipam: a set of more than 2^127 addresses" },
		{ "'rangeStart':'10.0.0.5'", "ipam.rangeStart stands there without ipam.subnet" },
		{ "'rangeEnd':'10.0.0.5'", "ipam.rangeEnd stands there without ipam.subnet" },
		{ "'gateway':'10.0.0.5','ranges':[[{" SUBNET "}]]",
		  "ipam.gateway stands there without ipam.subnet" },
		{ "'exclude':[]", "ipam.exclude stands there without ipam.subnet" },
	};

	for (size_t i = 0; i < COUNT(t); i++)
		assert_string_equal(sets_of(mem_printf("'ipam':{%s}", t[i].ipam)), t[i].said);
}

TEST(what_the_runtime_sends_comes_first)
{
	assert_string_equal(sets_of("'runtimeConfig':{'ipRanges':[[{'subnet':'10.1.0.0/30'}]]},"
				    "'ipam':{'subnet':'10.2.0.0/30','ranges':[[{'subnet':'10.3.0.0/"
				    "30'},{'subnet':'10.4.0.0/30'}]]}"),
			    "0:10.1.0.1-10.1.0.2>10.1.0.1-0 1:10.2.0.1-10.2.0.2>10.2.0.1-0 "
			    "2:10.3.0.1-10.3.0.2>10.3.0.1-0 2:10.4.0.1-10.4.0.2>10.4.0.1-0");
	assert_string_equal(sets_of("'runtimeConfig':{'ipRanges':[[{'subnet':'x'}]]},'ipam':{}"),
			    "runtimeConfig.ipRanges: a range needs a subnet such as "
			    "\"10.10.0.0/16\", not \"x\"");
}

/* ---- a single address ---- */

#define RANGES "[[{'subnet':'10.0.0.0/24'}],[{'subnet':'fd00::/64','gateway':'fd00::fe'}]]"

/* What becomes of an address and a gateway, as "address gateway"; the error's message on failure.
 */
static const char *use(const char *ranges_json, const char *address, const char *gateway)
{
	static char said[1200];
	struct ranges ranges = { 0 };
	struct address one = { 0 };
	struct err e = { 0 };
	char a[IP_TEXT], b[IP_TEXT];

	if (ranges_json)
		assert_int_equal(read(ranges_json, &ranges, &e), 0);
	assert_true(ip_parse(address, &one.ip));
	if (gateway)
		assert_true(ip_parse(gateway, &one.gateway));
	if (address_check(&ranges, &one, &e) == 0 && gateway_check(&one.gateway, &one.ip, &e) == 0)
		snprintf(said, sizeof(said), "%s %s", ip_text(&one.ip, true, a),
			 ip_text(&one.gateway, true, b));
	else
		snprintf(said, sizeof(said), "%d: %s", (int)e.code, e.msg);
	return said;
}

TEST(what_can_be_given_out)
{
	static const struct {
		const char *ranges, *address, *gateway, *said;
	} t[] = {
		{ NULL, "10.0.0.5/24", NULL, "10.0.0.5/24 " },
		{ NULL, "10.0.0.5/24", "192.168.7.7", "10.0.0.5/24 192.168.7.7" },
		{ NULL, "10.0.0.0/31", NULL, "10.0.0.0/31 " },
		{ NULL, "10.0.0.1/31", NULL, "10.0.0.1/31 " },
		{ NULL, "10.0.0.255/32", NULL, "10.0.0.255/32 " },
		{ NULL, "10.0.0.1/0", NULL, "10.0.0.1/0 " },
		{ NULL, "169.254.1.1/16", NULL, "169.254.1.1/16 " },
		{ NULL, "fd00::/64", NULL, "fd00::/64 " },
		{ NULL, "fd00::ffff:ffff:ffff:ffff/64", NULL, "fd00::ffff:ffff:ffff:ffff/64 " },
		{ NULL, "fe80::1/64", NULL, "fe80::1/64 " },
		{ RANGES, "10.0.0.5", NULL, "10.0.0.5/24 10.0.0.1" },
		{ RANGES, "10.0.0.5/24", NULL, "10.0.0.5/24 10.0.0.1" },
		{ NULL, "10.0.0.5/24", "169.254.1.1", "10.0.0.5/24 169.254.1.1" },
		{ NULL, "10.0.0.5/24", "fd00::1", "10.0.0.5/24 fd00::1" },
		{ NULL, "fd00::5/64", "10.0.0.1", "fd00::5/64 10.0.0.1" },
		{ NULL, "10.0.0.5/31", "10.0.0.4", "10.0.0.5/31 10.0.0.4" },
		{ NULL, "10.0.0.5/24", "10.0.1.0", "10.0.0.5/24 10.0.1.0" },
		{ NULL, "fd00::5/64", "fd00::", "fd00::5/64 fd00::" },
		{ RANGES, "10.0.0.5", "10.0.0.9", "10.0.0.5/24 10.0.0.9" },
		{ RANGES, "fd00::5", NULL, "fd00::5/64 fd00::fe" },
	};

	for (size_t i = 0; i < COUNT(t); i++)
		assert_string_equal(use(t[i].ranges, t[i].address, t[i].gateway), t[i].said);
}

TEST(what_cannot)
{
	static const char mapped[] =
		"7: ::ffff:10.0.0.1/120 is an IPv4-mapped address: write the IPv4 address";
	static const struct {
		const char *ranges, *address, *gateway, *said;
	} t[] = {
		{ NULL, "0.0.0.0/24", NULL, "7: 0.0.0.0/24 is the unspecified address" },
		{ NULL, "::/64", NULL, "7: ::/64 is the unspecified address" },
		{ NULL, "127.9.0.1/8", NULL, "7: 127.9.0.1/8 is a loopback address" },
		{ NULL, "::1/128", NULL, "7: ::1/128 is a loopback address" },
		{ NULL, "224.0.0.1/24", NULL, "7: 224.0.0.1/24 is a multicast address" },
		{ NULL, "239.255.255.255/32", NULL,
		  "7: 239.255.255.255/32 is a multicast address" },
		{ NULL, "ff02::1/64", NULL, "7: ff02::1/64 is a multicast address" },
		{ NULL, "::ffff:10.0.0.1/120", NULL, mapped },
		{ NULL, "10.0.0.0/24", NULL,
		  "7: 10.0.0.0/24 is the network address of its prefix" },
		{ NULL, "10.0.0.255/24", NULL,
		  "7: 10.0.0.255/24 is the broadcast address of its prefix" },
		{ NULL, "10.0.0.3/30", NULL,
		  "7: 10.0.0.3/30 is the broadcast address of its prefix" },
		{ NULL, "10.0.0.5", NULL,
		  "7: 10.0.0.5 has no prefix length: write it as 10.0.0.5/24 or the like, or add a "
		  "range that holds it to ipam.ranges" },
		{ NULL, "fd00::5", NULL,
		  "7: fd00::5 has no prefix length: write it as fd00::5/64 or the like, or add a "
		  "range that holds it to ipam.ranges" },
		{ NULL, "10.0.0.5/24", "ff02::1",
		  "7: the gateway ff02::1 of 10.0.0.5/24 is a multicast address" },
		{ RANGES, "10.0.1.5/24", NULL, "7: 10.0.1.5/24 is outside of all ipam.ranges" },
		{ RANGES, "10.0.1.5", NULL, "7: 10.0.1.5 is outside of all ipam.ranges" },
		{ RANGES, "10.0.0.1", NULL, "7: 10.0.0.1 is the gateway of its range" },
		{ RANGES, "fd00::fe/64", NULL, "7: fd00::fe/64 is the gateway of its range" },
		{ RANGES, "10.0.0.127/25", NULL,
		  "7: 10.0.0.127/25 has another prefix length than its range, which is in "
		  "10.0.0.0/24" },
		{ RANGES, "10.0.0.5/8", NULL,
		  "7: 10.0.0.5/8 has another prefix length than its range, which is in "
		  "10.0.0.0/24" },
		{ NULL, "10.0.0.5/24", "10.0.0.5",
		  "7: the gateway 10.0.0.5 of 10.0.0.5/24 is the address itself" },
		{ NULL, "10.0.0.5/24", "10.0.0.0",
		  "7: the gateway 10.0.0.0 of 10.0.0.5/24 is the network address of its prefix" },
		{ NULL, "10.0.0.5/24", "10.0.0.255",
		  "7: the gateway 10.0.0.255 of 10.0.0.5/24 is the broadcast address of its "
		  "prefix" },
		{ NULL, "10.0.0.5/24", "0.0.0.0",
		  "7: the gateway 0.0.0.0 of 10.0.0.5/24 is the unspecified address" },
		{ NULL, "10.0.0.5/24", "127.0.0.1",
		  "7: the gateway 127.0.0.1 of 10.0.0.5/24 is a loopback address" },
		{ NULL, "10.0.0.5/24", "224.0.0.1",
		  "7: the gateway 224.0.0.1 of 10.0.0.5/24 is a multicast address" },
		{ NULL, "fd00::5/64", "::ffff:10.0.0.1",
		  "7: the gateway ::ffff:10.0.0.1 of fd00::5/64 is an IPv4-mapped address: write "
		  "the IPv4 address" },
		{ "[[{'subnet':'10.0.0.0/24','rangeEnd':'10.0.0.255'}]]", "10.0.0.255", NULL,
		  "7: 10.0.0.255/24 is the broadcast address of its prefix" },
	};

	for (size_t i = 0; i < COUNT(t); i++)
		assert_string_equal(use(t[i].ranges, t[i].address, t[i].gateway), t[i].said);
}
