/* Ranges as host-local has them. Needs nothing. */
#include <stdio.h>

#include "unit.h"

#include "ipam/range.h"

static int read(const char *json, struct ranges *out, struct err *e)
{
	cJSON *value = json_of(json);
	int rc = ranges_read(value, out, e);

	cJSON_Delete(value);
	return rc;
}

TEST(the_defaults_are_host_locals)
{
	static const struct {
		const char *json, *start, *end, *gateway;
	} t[] = {
		{ "[[{\"subnet\":\"10.0.0.0/24\"}]]", "10.0.0.1", "10.0.0.254", "10.0.0.1" },
		{ "[[{\"subnet\":\"10.0.0.4/30\"}]]", "10.0.0.5", "10.0.0.6", "10.0.0.5" },
		{ "[[{\"subnet\":\"0.0.0.0/0\"}]]", "0.0.0.1", "255.255.255.254", "0.0.0.1" },
		{ "[[{\"subnet\":\"fd00::/64\"}]]", "fd00::1", "fd00::ffff:ffff:ffff:ffff",
		  "fd00::1" },
		{ "[[{\"subnet\":\"fd00::/126\"}]]", "fd00::1", "fd00::3", "fd00::1" },
		{ "[[{\"subnet\":\"10.0.0.0/24\",\"rangeStart\":\"10.0.0.5\","
		  "\"rangeEnd\":\"10.0.0.5\",\"gateway\":\"192.168.0.1\"}]]",
		  "10.0.0.5", "10.0.0.5", "192.168.0.1" },
		{ "[[{\"subnet\":\"10.0.0.0/24\",\"rangeStart\":\"\",\"rangeEnd\":null,"
		  "\"gateway\":\"\"}]]",
		  "10.0.0.1", "10.0.0.254", "10.0.0.1" },
		{ "[[{\"subnet\":\"10.0.0.0/24\",\"rangeStart\":\"10.0.0.0\","
		  "\"rangeEnd\":\"10.0.0.255\"}]]",
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
		ranges_free(&r);
	}
}

#define SUBNET "\"subnet\":\"10.0.0.0/24\""

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
		{ "[[\"10.0.0.0/24\"]]", "ipam.ranges: a range is an object with a subnet" },
		{ "[[{}]]",
		  "ipam.ranges: a range needs a subnet such as \"10.10.0.0/16\", not \"\"" },
		{ "[[{\"subnet\":7}]]",
		  "ipam.ranges: a range needs a subnet such as \"10.10.0.0/16\", not \"\"" },
		{ "[[{\"subnet\":\"10.0.0.0\"}]]",
		  "ipam.ranges: a range needs a subnet such as \"10.10.0.0/16\", "
		  "not \"10.0.0.0\"" },
		{ "[[{\"subnet\":\"10.0.0.0/31\"}]]",
		  "ipam.ranges: network 10.0.0.0/31 is too small to allocate from" },
		{ "[[{\"subnet\":\"10.0.0.1/32\"}]]",
		  "ipam.ranges: network 10.0.0.1/32 is too small to allocate from" },
		{ "[[{\"subnet\":\"fd00::/127\"}]]",
		  "ipam.ranges: network fd00::/127 is too small to allocate from" },
		{ "[[{\"subnet\":\"10.0.0.1/24\"}]]",
		  "ipam.ranges: network 10.0.0.1/24 has host bits set: the network address "
		  "is 10.0.0.0/24" },
		{ "[[{" SUBNET ",\"rangeStart\":\"x\"}]]",
		  "ipam.ranges: rangeStart is not an IP address: \"x\"" },
		{ "[[{" SUBNET ",\"rangeEnd\":7}]]",
		  "ipam.ranges: rangeEnd is not an IP address: \"\"" },
		{ "[[{" SUBNET ",\"gateway\":\"10.0.0.1/24\"}]]",
		  "ipam.ranges: gateway is not an IP address: \"10.0.0.1/24\"" },
		{ "[[{" SUBNET ",\"gateway\":\"fd00::1\"}]]",
		  "ipam.ranges: gateway fd00::1 is of another family than 10.0.0.0/24" },
		{ "[[{" SUBNET ",\"rangeStart\":\"10.0.1.1\"}]]",
		  "ipam.ranges: rangeStart 10.0.1.1 is not in network 10.0.0.0/24" },
		{ "[[{" SUBNET ",\"rangeStart\":\"fd00::1\"}]]",
		  "ipam.ranges: rangeStart fd00::1 is not in network 10.0.0.0/24" },
		{ "[[{" SUBNET ",\"rangeEnd\":\"10.0.1.1\"}]]",
		  "ipam.ranges: rangeEnd 10.0.1.1 is not in network 10.0.0.0/24" },
		{ "[[{" SUBNET ",\"rangeEnd\":\"fd00::1\"}]]",
		  "ipam.ranges: rangeEnd fd00::1 is not in network 10.0.0.0/24" },
		{ "[[{" SUBNET ",\"rangeStart\":\"10.0.0.9\",\"rangeEnd\":\"10.0.0.8\"}]]",
		  "ipam.ranges: rangeEnd 10.0.0.8 is not in network 10.0.0.0/24 behind "
		  "rangeStart" },
		{ "[[{" SUBNET "},{\"subnet\":\"fd00::/64\"}]]",
		  "ipam.ranges: 10.0.0.0/24 and fd00::/64 in one set: mixed address "
		  "families" },
		{ "[[{" SUBNET "}],[{\"subnet\":\"10.0.0.128/25\"}]]",
		  "ipam.ranges: 10.0.0.0/24 and 10.0.0.128/25 overlap" },
		{ "[[{\"subnet\":\"10.0.0.128/25\"}],[{" SUBNET "}]]",
		  "ipam.ranges: 10.0.0.128/25 and 10.0.0.0/24 overlap" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct ranges r = { 0 };
		struct err e = { 0 };

		assert_int_equal(read(t[i].json, &r, &e), -1);
		assert_err(&e, CNI_INVALID_NETWORK_CONFIG, t[i].msg, "");
		assert_null(r.list);
	}
}

TEST(parts_of_one_subnet_and_two_families)
{
	static const char json[] = "[[{" SUBNET ",\"rangeStart\":\"10.0.0.10\",\"rangeEnd\":"
				   "\"10.0.0.19\"},{" SUBNET ",\"rangeStart\":\"10.0.0.30\"}],"
				   "[{\"subnet\":\"fd00::/64\"}]]";
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
	ranges_free(&r);
}

TEST(no_ranges)
{
	struct ranges r = { 0 };
	struct err e = { 0 };
	struct ip ip;

	assert_int_equal(ranges_read(NULL, &r, &e), 0);
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
	assert_int_equal(ranges_read(sets, &r, &e), -1);
	assert_int_equal(e.code, CNI_INVALID_NETWORK_CONFIG);
	assert_string_equal(e.msg, "ipam.ranges: more than 4096 ranges");
	cJSON_DeleteItemFromArray(sets, 0);
	assert_int_equal(ranges_read(sets, &r, &e), 0);
	assert_int_equal(r.n, 4096);
	ranges_free(&r);
	cJSON_Delete(sets);
}
