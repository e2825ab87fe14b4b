/* prevResult. Needs nothing. */
#include "unit.h"

#include "cni/result.h"

static int prev(const char *conf, enum cni_version v, struct result *r, struct err *e)
{
	cJSON *object = json_of(conf);
	struct cni_call call = { .conf = object, .version = v };
	int result = prev_result(&call, r, e);

	return result;
}

TEST(there_is_one)
{
	static const struct {
		enum cni_version v;
		const char *conf;
	} t[] = {
		{ CNI_1_1_0, "{\"prevResult\":{\"cniVersion\":\"1.1.0\",\"interfaces\":[{}],"
			     "\"ips\":[{\"address\":\"10.0.0.5/24\",\"interface\":0}]}}" },
		{ CNI_0_4_0, "{\"prevResult\":{\"ips\":[{\"version\":\"4\","
			     "\"address\":\"10.0.0.5/24\"}]}}" },
		{ CNI_0_1_0, "{\"prevResult\":{\"cniVersion\":\"\","
			     "\"ip4\":{\"ip\":\"10.0.0.5/24\"}}}" },
		/* an index that is out of range is for the caller to judge */
		{ CNI_1_1_0,
		  "{\"prevResult\":{\"ips\":[{\"address\":\"10.0.0.5/24\",\"interface\":0}]}}" },
		/* another version than the configuration's: it says so itself */
		{ CNI_1_1_0, "{\"prevResult\":{\"cniVersion\":\"0.2.0\","
			     "\"ip4\":{\"ip\":\"10.0.0.5/24\"}}}" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct result r;
		struct err e = { 0 };
		char buf[IP_TEXT];

		assert_int_equal(prev(t[i].conf, t[i].v, &r, &e), 1);
		assert_int_equal(r.ips.n, 1);
		assert_string_equal(ip_text(&r.ips.list[0].ip, true, buf), "10.0.0.5/24");
	}
}

TEST(there_is_none)
{
	struct result r = { .ips.n = 7 };
	struct err e = { 0 };

	assert_int_equal(prev("{}", CNI_1_1_0, &r, &e), 0);
	assert_int_equal(prev("{\"prevResult\":null}", CNI_1_1_0, &r, &e), 0);
	assert_int_equal(r.ips.n, 7);
}

TEST(refused)
{
	static const struct {
		const char *conf, *msg;
	} t[] = {
		{ "{\"prevResult\":[]}", "could not parse prevResult: it is not an object" },
		{ "{\"prevResult\":{\"cniVersion\":\"9.9.9\"}}",
		  "could not parse prevResult: unsupported CNI result version \"9.9.9\"" },
		{ "{\"prevResult\":{\"cniVersion\":1}}",
		  "could not parse prevResult: \"cniVersion\" must be a string" },
		{ "{\"prevResult\":{\"ips\":[{\"address\":\"x\"}]}}",
		  "could not parse prevResult: ips: "
		  "invalid CIDR address in \"address\": \"x\"" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct result r = { .ips.n = 7 };
		struct err e = { 0 };

		assert_int_equal(prev(t[i].conf, CNI_1_1_0, &r, &e), -1);
		assert_err(&e, CNI_INVALID_NETWORK_CONFIG, t[i].msg, "");
		assert_int_equal(r.ips.n, 7);
	}
}
