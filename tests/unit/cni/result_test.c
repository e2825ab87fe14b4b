/* Versions, the neutral result, prevResult. Needs nothing. */
#include "unit.h"

#include "cni/cni.h"
#include "cni/result.h"

/* ---- versions ---- */

TEST(texts_and_back)
{
	static const char *const texts[] = { "0.1.0", "0.2.0", "0.3.0", "0.3.1",
					     "0.4.0", "1.0.0", "1.1.0" };

	assert_int_equal(COUNT(texts), CNI_VERSIONS);
	for (size_t i = 0; i < COUNT(texts); i++) {
		enum cni_version v;

		assert_true(cni_version_of(texts[i], &v));
		assert_int_equal(v, i);
		assert_string_equal(cni_version_text(v), texts[i]);
	}
	assert_string_equal(cni_version_text(CNI_NEWEST), "1.1.0");
}

TEST(none_is_the_oldest)
{
	enum cni_version v = CNI_NEWEST;

	assert_true(cni_version_of(NULL, &v));
	assert_int_equal(v, CNI_0_1_0);
	v = CNI_NEWEST;
	assert_true(cni_version_of("", &v));
	assert_int_equal(v, CNI_0_1_0);
}

TEST(unknown_versions)
{
	static const char *const texts[] = { "1.2.0",  "0.3",       "1.1",   "1.1.0 ", " 1.1.0",
					     "v1.1.0", "1.1.0-rc1", "0.0.0", "x" };
	enum cni_version v = CNI_0_4_0;

	for (size_t i = 0; i < COUNT(texts); i++) {
		assert_false(cni_version_of(texts[i], &v));
		assert_int_equal(v, CNI_0_4_0);
	}
}

TEST(all_of_them)
{
	assert_string_equal(cni_versions(" "), "0.1.0 0.2.0 0.3.0 0.3.1 0.4.0 1.0.0 1.1.0");
}

/* ---- the result ---- */

static void add(struct result *r, const char *text)
{
	struct address ip = { .interface = -1 };

	assert_true(ip_parse(text, &ip.ip));
	addresses_add(&r->ips, &ip);
}

TEST(addresses_are_added_at_the_end)
{
	struct result r = { 0 };
	char buf[IP_TEXT];

	add(&r, "10.0.0.1/24");
	add(&r, "fd00::1/64");
	add(&r, "10.0.0.2/24");
	assert_int_equal(r.ips.n, 3);
	assert_string_equal(ip_text(&r.ips.list[0].ip, true, buf), "10.0.0.1/24");
	assert_string_equal(ip_text(&r.ips.list[2].ip, true, buf), "10.0.0.2/24");
}

TEST(one_a_family_up_to_0_2_0)
{
	static const char details[] =
		"set 'cniVersion' to 0.3.1 or later, or ask for one of each family";
	struct result r = { 0 };
	struct err e = { 0 };

	add(&r, "10.0.0.1/24");
	add(&r, "fd00::1/64");
	assert_int_equal(result_check_capacity(&r.ips, CNI_0_1_0, &e), 0);
	add(&r, "fd00::2/64");
	assert_int_equal(result_check_capacity(&r.ips, CNI_0_2_0, &e), -1);
	assert_err(&e, CNI_INVALID_NETWORK_CONFIG,
		   "CNI version 0.2.0 does not support more than 1 address per family", J(details));
	add(&r, "10.0.0.2/24");
	add(&r, "10.0.0.3/24");
	assert_int_equal(result_check_capacity(&r.ips, CNI_0_1_0, &e), -1);
	assert_err(&e, CNI_INVALID_NETWORK_CONFIG,
		   "CNI version 0.1.0 does not support more than 1 address per family", J(details));
	assert_int_equal(result_check_capacity(&r.ips, CNI_0_3_0, &e), 0);
	assert_int_equal(result_check_capacity(&r.ips, CNI_NEWEST, &e), 0);
}

/* ---- prevResult ---- */

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
		{ CNI_1_1_0, "{'prevResult':{'cniVersion':'1.1.0','interfaces':[{}],'ips':[{'"
			     "address':'10.0.0.5/24','interface':0}]}}" },
		{ CNI_0_4_0, "{'prevResult':{'ips':[{'version':'4','address':'10.0.0.5/24'}]}}" },
		{ CNI_0_1_0, "{'prevResult':{'cniVersion':'','ip4':{'ip':'10.0.0.5/24'}}}" },
		/* an index that is out of range is for the caller to judge */
		{ CNI_1_1_0, "{'prevResult':{'ips':[{'address':'10.0.0.5/24','interface':0}]}}" },
		/* another version than the configuration's: it says so itself */
		{ CNI_1_1_0, "{'prevResult':{'cniVersion':'0.2.0','ip4':{'ip':'10.0.0.5/24'}}}" },
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
	assert_int_equal(prev("{'prevResult':null}", CNI_1_1_0, &r, &e), 0);
	assert_int_equal(r.ips.n, 7);
}

TEST(refused_prev_results)
{
	static const struct {
		const char *conf, *msg;
	} t[] = {
		{ "{'prevResult':[]}", "could not parse prevResult: it is not an object" },
		{ "{'prevResult':{'cniVersion':'9.9.9'}}",
		  "could not parse prevResult: unsupported CNI result version '9.9.9'" },
		{ "{'prevResult':{'cniVersion':1}}",
		  "could not parse prevResult: 'cniVersion' must be a string" },
		{ "{'prevResult':{'ips':[{'address':'x'}]}}",
		  "could not parse prevResult: ips: invalid CIDR address in 'address': 'x'" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct result r = { .ips.n = 7 };
		struct err e = { 0 };

		assert_int_equal(prev(t[i].conf, CNI_1_1_0, &r, &e), -1);
		assert_err(&e, CNI_INVALID_NETWORK_CONFIG, J(t[i].msg), "");
		assert_int_equal(r.ips.n, 7);
	}
}
