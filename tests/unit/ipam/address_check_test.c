/* Which addresses can be given out. Needs nothing. */
#include "unit.h"

#include <stdio.h>

#include "ipam/usable.h"

#define RANGES                                                                                     \
	"[[{\"subnet\":\"10.0.0.0/24\"}],[{\"subnet\":\"fd00::/64\",\"gateway\":\"fd00::fe\"}]]"

/* What becomes of an address and a gateway, as "address gateway"; the error's message on failure.
 */
static const char *use(const char *ranges_json, const char *address, const char *gateway)
{
	static char said[1200];
	struct ranges ranges = { 0 };
	struct ip ip, gw = { 0 };
	struct err e = { 0 };
	char a[IP_TEXT], b[IP_TEXT];
	cJSON *json = ranges_json ? json_of(ranges_json) : NULL;

	assert_int_equal(ranges_read(json, &ranges, &e), 0);
	assert_true(ip_parse(address, &ip));
	if (gateway)
		assert_true(ip_parse(gateway, &gw));
	if (address_check(&ranges, &ip, &gw, &e) == 0)
		snprintf(said, sizeof(said), "%s %s", ip_text(&ip, true, a), ip_text(&gw, true, b));
	else
		snprintf(said, sizeof(said), "%d: %s", (int)e.code, e.msg);
	ranges_free(&ranges);
	cJSON_Delete(json);
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
		{ RANGES, "10.0.0.5/16", NULL, "10.0.0.5/16 10.0.0.1" },
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
		  "7: 10.0.0.5 has no prefix length: write it as 10.0.0.5/24 or the like, "
		  "or add a range that holds it to ipam.ranges" },
		{ NULL, "fd00::5", NULL,
		  "7: fd00::5 has no prefix length: write it as fd00::5/64 or the like, "
		  "or add a range that holds it to ipam.ranges" },
		{ NULL, "10.0.0.5/24", "fd00::1",
		  "7: 10.0.0.5/24 has a gateway of another family: fd00::1" },
		{ RANGES, "10.0.1.5/24", NULL, "7: 10.0.1.5/24 is outside of all ipam.ranges" },
		{ RANGES, "10.0.1.5", NULL, "7: 10.0.1.5 is outside of all ipam.ranges" },
		{ RANGES, "10.0.0.1", NULL, "7: 10.0.0.1 is the gateway of its range" },
		{ RANGES, "fd00::fe/64", NULL, "7: fd00::fe/64 is the gateway of its range" },
		{ RANGES, "10.0.0.127/25", NULL,
		  "7: 10.0.0.127/25 is the broadcast address of its prefix" },
		{ "[[{\"subnet\":\"10.0.0.0/24\",\"rangeEnd\":\"10.0.0.255\"}]]", "10.0.0.255",
		  NULL, "7: 10.0.0.255/24 is the broadcast address of its prefix" },
	};

	for (size_t i = 0; i < COUNT(t); i++)
		assert_string_equal(use(t[i].ranges, t[i].address, t[i].gateway), t[i].said);
}
