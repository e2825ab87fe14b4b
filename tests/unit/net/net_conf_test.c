/* What the net plugin accepts in a configuration. Needs nothing. */
#include <stdio.h>

#include "make_call.h"
#include "net/conf.h"

static struct made_call made;
static struct net_conf conf;
static struct err error;

/* Reads a configuration for a verb; the error's code, 0: none. `conf` holds until the next one. */
static enum cni_code read_for(const char *command, const char *text)
{
	drop_call(&made);
	error = (struct err){ 0 };
	net_conf_read(make_call(&made, command, text, "/"), &conf, &error);
	return error.code;
}

static enum cni_code read_conf(const char *text)
{
	return read_for("ADD", text);
}

static int forget(void **state __attribute__((unused)))
{
	drop_call(&made);
	return 0;
}

TEST(the_ipam_plugin_must_be_named)
{
	assert_int_equal(read_conf("{}"), CNI_INVALID_NETWORK_CONFIG);
	assert_non_null(strstr(error.msg, "no \"ipam\" in the configuration"));
	assert_int_equal(read_conf("{\"ipam\": null}"), CNI_INVALID_NETWORK_CONFIG);
	assert_int_equal(read_conf("{\"ipam\": []}"), CNI_INVALID_NETWORK_CONFIG);
	assert_string_equal(error.msg, "\"ipam\" must be an object");
	assert_int_equal(read_conf("{\"ipam\": \"x\"}"), CNI_INVALID_NETWORK_CONFIG);
	assert_int_equal(read_conf("{\"ipam\": {}}"), CNI_INVALID_NETWORK_CONFIG);
	assert_non_null(strstr(error.msg, "no \"type\" in ipam"));
	assert_int_equal(read_conf("{\"ipam\": {\"type\": \"\"}}"), CNI_INVALID_NETWORK_CONFIG);
	assert_int_equal(read_conf("{\"ipam\": {\"type\": 1}}"), CNI_INVALID_NETWORK_CONFIG);
	assert_int_equal(read_conf("{\"ipam\": {\"Type\": \"x\"}}"), CNI_INVALID_NETWORK_CONFIG);
	assert_int_equal(read_conf("{\"ipam\": {\"type\": \"x\"}}"), 0);
	assert_string_equal(conf.type, "x");
}

TEST(every_known_key_passes)
{
	assert_int_equal(
		read_conf(
			"{\"cniVersion\":\"1.1.0\",\"cniVersions\":[\"1.1.0\"],\"name\":\"n\","
			"\"type\":\"status-cni\",\"capabilities\":{\"ips\":true},"
			"\"runtimeConfig\":{\"ips\":[]},\"args\":{\"cni\":{}},\"prevResult\":{},"
			"\"ipam\":{\"type\":\"x\",\"any\":1},\"ipMasq\":true,"
			"\"dns\":{\"nameservers\":[],\"domain\":\"d\",\"search\":[],\"options\":[]}"
			","
			"\"disableCheck\":false,\"disableGC\":true,\"loadOnlyInlinedPlugins\":true,"
			"\"chained\":false,\"cni.dev/valid-attachments\":[],\"cni.dev/x\":1}"),
		0);
}

TEST(an_unknown_key_is_named_with_its_value)
{
	assert_int_equal(read_conf("{\"bridge\":\"br0\",\"ipam\":{\"type\":\"x\"}}"),
			 CNI_UNSUPPORTED_FIELD);
	assert_string_equal(error.msg, "unsupported field \"bridge\": \"br0\"");
	assert_int_equal(read_conf("{\"dns\":{\"server\":5},\"ipam\":{\"type\":\"x\"}}"),
			 CNI_UNSUPPORTED_FIELD);
	assert_string_equal(error.msg, "unsupported field \"server\" in dns: 5");
	assert_int_equal(read_conf("{\"Chained\":true,\"ipam\":{\"type\":\"x\"}}"),
			 CNI_UNSUPPORTED_FIELD);
	assert_int_equal(read_conf("{\"cni.devil\":1,\"ipam\":{\"type\":\"x\"}}"),
			 CNI_UNSUPPORTED_FIELD);
}

TEST(a_value_that_may_be_secret_is_not_shown)
{
	assert_int_equal(read_conf("{\"dbPassword\":\"hidden\",\"ipam\":{\"type\":\"x\"}}"),
			 CNI_UNSUPPORTED_FIELD);
	assert_null(strstr(error.msg, "hidden"));
	assert_int_equal(read_conf("{\"db\":{\"a\":\"hidden\"},\"ipam\":{\"type\":\"x\"}}"),
			 CNI_UNSUPPORTED_FIELD);
	assert_null(strstr(error.msg, "hidden"));
}

TEST(an_unknown_key_is_an_error_for_every_verb_but_del)
{
	static const char *const verbs[] = { "ADD", "CHECK", "STATUS", "GC" };
	const char *text = "{\"typo\":1,\"dns\":{\"typo\":1},\"ipam\":{\"type\":\"x\"}}";

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		assert_int_equal(read_for(verbs[i], text), CNI_UNSUPPORTED_FIELD);
	assert_int_equal(read_for("DEL", text), 0);
	assert_string_equal(conf.type, "x");
}

TEST(a_value_of_the_wrong_type_is_an_error)
{
	static const char *const texts[] = {
		"\"chained\":1",
		"\"chained\":\"true\"",
		"\"chained\":{}",
		"\"dns\":[]",
		"\"dns\":\"10.0.0.1\"",
		"\"dns\":{\"domain\":1}",
		"\"dns\":{\"nameservers\":\"10.0.0.1\"}",
		"\"dns\":{\"search\":[1]}",
		"\"dns\":{\"options\":{}}",
	};
	char text[128];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		snprintf(text, sizeof(text), "{%s,\"ipam\":{\"type\":\"x\"}}", texts[i]);
		print_message("# %s\n", text);
		assert_int_equal(read_conf(text), CNI_INVALID_NETWORK_CONFIG);
	}
	assert_int_equal(read_conf("{\"chained\":null,\"dns\":null,\"ipam\":{\"type\":\"x\"}}"), 0);
	assert_false(conf.chained);
}

TEST(dns_keeps_no_pod_from_being_removed)
{
	assert_int_equal(read_for("DEL", "{\"dns\":5,\"ipam\":{\"type\":\"x\"}}"), 0);
	assert_int_equal(read_for("DEL", "{\"chained\":5,\"ipam\":{\"type\":\"x\"}}"),
			 CNI_INVALID_NETWORK_CONFIG);
}

TEST(an_empty_dns_says_nothing)
{
	assert_int_equal(read_conf("{\"dns\":{},\"ipam\":{\"type\":\"x\"}}"), 0);
	assert_null(conf.dns);
	assert_int_equal(read_conf("{\"dns\":{\"domain\":\"d\"},\"ipam\":{\"type\":\"x\"}}"), 0);
	assert_non_null(conf.dns);
}

/* The timeout that is read from this JSON value. */
static double timeout_of(const char *value)
{
	char text[128];

	snprintf(text, sizeof(text), "{\"ipam\":{\"type\":\"x\",\"timeout\":%s}}", value);
	assert_int_equal(read_conf(text), 0);
	return conf.timeout;
}

TEST(only_a_valid_timeout_counts)
{
	assert_true(timeout_of("0.25") == 0.25);
	assert_true(timeout_of("3600") == 3600);
	assert_true(timeout_of("3600.1") == 0);
	assert_true(timeout_of("0") == 0);
	assert_true(timeout_of("-1") == 0);
	assert_true(timeout_of("\"5\"") == 0);
	assert_true(timeout_of("null") == 0);
	assert_true(timeout_of("1e999") == 0);
}

TEST_GROUP(NULL, forget)
