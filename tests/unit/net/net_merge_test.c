/* prevResult's part and the IPAM plugin's in one answer. Needs nothing. */
#include <stdio.h>
#include <stdlib.h>

#include "make_call.h"
#include "net/merge.h"

static struct result result_of(const char *text)
{
	struct result r = { 0 };
	struct err e = { 0 };
	cJSON *json;

	assert_int_equal(json_parse(text, strlen(text), &json, &e), 0);
	assert_int_equal(result_parse(json, CNI_1_1_0, CNI_INVALID_NETWORK_CONFIG, &r, &e), 0);
	cJSON_Delete(json);
	return r;
}

/* Merges and compares as JSON values. `dns` NULL: the net plugin has none. */
static void assert_merged(const char *prev, const char *ours, const char *dns, const char *expected)
{
	struct made_call m;
	const struct cni_call *call = make_call(&m, "ADD", dns ? dns : "{}", "/");
	struct result base = result_of(prev), added = result_of(ours);
	struct err e = { 0 };

	assert_int_equal(merge_results(&base, &added, call, dns ? call->conf : NULL, &e), 0);
	char *text = result_print(&base, CNI_1_1_0);
	cJSON *got = cJSON_Parse(text), *wanted = cJSON_Parse(expected);

	assert_non_null(wanted);
	cJSON_DeleteItemFromObject(got, "cniVersion");
	if (!cJSON_Compare(got, wanted, true))
		fail_msg("got %s, expected %s", text, expected);
	cJSON_Delete(got);
	cJSON_Delete(wanted);
	free(text);
	result_free(&base);
	result_free(&added);
	drop_call(&m);
}

TEST(without_a_prev_result_ours_is_all)
{
	assert_merged("{}",
		      "{\"ips\":[{\"address\":\"10.0.0.5/24\",\"gateway\":\"10.0.0.1\"}],"
		      "\"routes\":[{\"dst\":\"0.0.0.0/0\"}],\"dns\":{\"domain\":\"d\"}}",
		      NULL,
		      "{\"ips\":[{\"address\":\"10.0.0.5/24\",\"gateway\":\"10.0.0.1\"}],"
		      "\"routes\":[{\"dst\":\"0.0.0.0/0\"}],\"dns\":{\"domain\":\"d\"}}");
}

TEST(what_was_there_stays_and_ours_is_added)
{
	assert_merged(
		"{\"interfaces\":[{\"name\":\"br0\",\"mac\":\"00:00:5e:00:53:01\"}],"
		"\"ips\":[{\"address\":\"10.0.0.5/24\",\"interface\":0}],"
		"\"routes\":[{\"dst\":\"0.0.0.0/0\",\"gw\":\"10.0.0.1\"}]}",
		"{\"ips\":[{\"address\":\"fd00::5/64\"}],\"routes\":[{\"dst\":\"::/0\"}]}", NULL,
		"{\"interfaces\":[{\"name\":\"br0\",\"mac\":\"00:00:5e:00:53:01\"}],"
		"\"ips\":[{\"address\":\"10.0.0.5/24\",\"interface\":0},{\"address\":\"fd00::5/"
		"64\"}],"
		"\"routes\":[{\"dst\":\"0.0.0.0/0\",\"gw\":\"10.0.0.1\"},{\"dst\":\"::/0\"}]}");
}

TEST(our_addresses_get_the_index_of_our_interface)
{
	assert_merged("{\"interfaces\":[{\"name\":\"eth0\"},"
		      "{\"name\":\"eth0\",\"sandbox\":\"/other\"},"
		      "{\"name\":\"eth1\",\"sandbox\":\"/no/such/netns\"},"
		      "{\"name\":\"eth0\",\"sandbox\":\"/no/such/netns\"}]}",
		      "{\"ips\":[{\"address\":\"10.0.0.5/24\"}]}", NULL,
		      "{\"interfaces\":[{\"name\":\"eth0\"},"
		      "{\"name\":\"eth0\",\"sandbox\":\"/other\"},"
		      "{\"name\":\"eth1\",\"sandbox\":\"/no/such/netns\"},"
		      "{\"name\":\"eth0\",\"sandbox\":\"/no/such/netns\"}],"
		      "\"ips\":[{\"address\":\"10.0.0.5/24\",\"interface\":3}]}");
}

TEST(another_sandboxs_interface_is_not_ours)
{
	assert_merged("{\"interfaces\":[{\"name\":\"eth0\",\"sandbox\":\"/other\"}]}",
		      "{\"ips\":[{\"address\":\"10.0.0.5/24\"}]}", NULL,
		      "{\"interfaces\":[{\"name\":\"eth0\",\"sandbox\":\"/other\"}],"
		      "\"ips\":[{\"address\":\"10.0.0.5/24\"}]}");
}

TEST(the_net_plugins_own_dns_replaces_the_ipam_plugins)
{
	assert_merged("{}",
		      "{\"ips\":[{\"address\":\"10.0.0.5/24\"}],"
		      "\"dns\":{\"domain\":\"ipam\",\"nameservers\":[\"10.0.0.2\"]}}",
		      "{\"nameservers\":[\"10.0.0.3\"]}",
		      "{\"ips\":[{\"address\":\"10.0.0.5/"
		      "24\"}],\"dns\":{\"nameservers\":[\"10.0.0.3\"]}}");
}

TEST(dns_is_added_to_what_was_there)
{
	assert_merged(
		"{\"dns\":{\"domain\":\"a\",\"nameservers\":[\"10.0.0.2\",\"10.0.0.3\"]}}",
		"{\"ips\":[{\"address\":\"10.0.0.5/24\"}],\"dns\":{\"domain\":\"b\","
		"\"nameservers\":[\"10.0.0.3\",\"10.0.0.4\"],\"search\":[\"c\"]}}",
		NULL,
		"{\"ips\":[{\"address\":\"10.0.0.5/24\"}],\"dns\":{\"domain\":\"a\","
		"\"nameservers\":[\"10.0.0.2\",\"10.0.0.3\",\"10.0.0.4\"],\"search\":[\"c\"]}}");
}
