/* A result's form in each version. Needs nothing. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "cni/result.h"

/* One result with everything in it, read from the newest form. */
static struct result full(void)
{
	static const char text[] =
		"{\"interfaces\":[{\"name\":\"eth0\",\"mac\":\"m\",\"sandbox\":\"/ns\"}],"
		"\"ips\":[{\"address\":\"10.0.0.5/24\",\"gateway\":\"10.0.0.1\",\"interface\":0},"
		"{\"address\":\"fd00::5/64\"}],"
		"\"routes\":[{\"dst\":\"::/0\",\"gw\":\"fd00::1\",\"mtu\":1400},"
		"{\"dst\":\"0.0.0.0/0\"},{\"dst\":\"10.1.0.0/16\",\"gw\":\"10.0.0.2\"}],"
		"\"dns\":{\"nameservers\":[\"10.0.0.1\"]}}";
	cJSON *object = json_of(text);
	struct result r;
	struct err e = { 0 };

	assert_int_equal(result_parse(object, CNI_1_1_0, CNI_IO_FAILURE, &r, &e), 0);
	return r;
}

#define INTERFACES "\"interfaces\":[{\"name\":\"eth0\",\"mac\":\"m\",\"sandbox\":\"/ns\"}],"
#define ROUTES                                                                                     \
	"\"routes\":[{\"dst\":\"::/0\",\"gw\":\"fd00::1\",\"mtu\":1400},{\"dst\":\"0.0.0.0/0\"},"  \
	"{\"dst\":\"10.1.0.0/16\",\"gw\":\"10.0.0.2\"}],"
#define DNS "\"dns\":{\"nameservers\":[\"10.0.0.1\"]}}"

#define UP_TO_0_2_0                                                                                \
	"\"ip4\":{\"ip\":\"10.0.0.5/24\",\"gateway\":\"10.0.0.1\",\"routes\":["                    \
	"{\"dst\":\"0.0.0.0/0\"},{\"dst\":\"10.1.0.0/16\",\"gw\":\"10.0.0.2\"}]},"                 \
	"\"ip6\":{\"ip\":\"fd00::5/64\",\"routes\":[{\"dst\":\"::/0\",\"gw\":\"fd00::1\"}]}," DNS
#define UP_TO_0_4_0                                                                                \
	INTERFACES "\"ips\":[{\"version\":\"4\",\"interface\":0,\"address\":\"10.0.0.5/24\","      \
		   "\"gateway\":\"10.0.0.1\"},{\"version\":\"6\",\"address\":\"fd00::5/"           \
		   "64\"}]," ROUTES DNS
#define FROM_1_0_0                                                                                 \
	INTERFACES "\"ips\":[{\"interface\":0,\"address\":\"10.0.0.5/24\","                        \
		   "\"gateway\":\"10.0.0.1\"},{\"address\":\"fd00::5/64\"}]," ROUTES DNS

TEST(each_version)
{
	static const char *const forms[CNI_VERSIONS] = {
		"{\"cniVersion\":\"0.1.0\"," UP_TO_0_2_0, "{\"cniVersion\":\"0.2.0\"," UP_TO_0_2_0,
		"{\"cniVersion\":\"0.3.0\"," UP_TO_0_4_0, "{\"cniVersion\":\"0.3.1\"," UP_TO_0_4_0,
		"{\"cniVersion\":\"0.4.0\"," UP_TO_0_4_0, "{\"cniVersion\":\"1.0.0\"," FROM_1_0_0,
		"{\"cniVersion\":\"1.1.0\"," FROM_1_0_0,
	};
	struct result r = full();

	for (int v = 0; v < CNI_VERSIONS; v++) {
		char *text = result_print(&r, (enum cni_version)v);

		assert_string_equal(text, forms[v]);
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

		snprintf(expected, sizeof(expected), "{\"cniVersion\":\"%s\"}",
			 cni_version_text((enum cni_version)v));
		assert_string_equal(text, expected);
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
