/* What every network configuration must have. Needs nothing. */
#include "unit.h"

#include "cni/call.h"

static const struct cni_verb add = { .name = "ADD", .min_version = CNI_0_1_0 };
static const struct cni_verb check = { .name = "CHECK", .min_version = CNI_0_4_0 };
static const struct cni_verb gc = { .name = "GC", .min_version = CNI_1_1_0 };

static int read_conf(const struct cni_verb *verb, const char *text, struct cni_call *call,
		     const char **error_version, struct err *e)
{
	*call = (struct cni_call){ .input = text, .input_len = strlen(text) };
	*error_version = NULL;
	*e = (struct err){ 0 };
	return conf_read(verb, call, error_version, e);
}

TEST(good)
{
	static const struct {
		const struct cni_verb *verb;
		const char *text, *network;
		enum cni_version version;
	} t[] = {
		{ &add, "{\"name\":\"net\",\"cniVersion\":\"1.1.0\"}", "net", CNI_1_1_0 },
		{ &add, "{\"name\":\"0_a.B-c\"}", "0_a.B-c", CNI_0_1_0 },
		{ &add, "{\"name\":\"net\",\"cniVersion\":\"\"}", "net", CNI_0_1_0 },
		{ &add, "{\"name\":\"net\",\"cniVersion\":null}", "net", CNI_0_1_0 },
		{ &add, "{\"name\":\"a\",\"name\":\"b\",\"cniVersion\":\"0.3.1\"}", "b",
		  CNI_0_3_1 },
		{ &check, "{\"name\":\"net\",\"cniVersion\":\"0.4.0\"}", "net", CNI_0_4_0 },
		{ &gc, "{\"name\":\"net\",\"cniVersion\":\"1.1.0\"}", "net", CNI_1_1_0 },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct cni_call call;
		const char *error_version;
		struct err e;

		assert_int_equal(read_conf(t[i].verb, t[i].text, &call, &error_version, &e), 0);
		assert_string_equal(call.network, t[i].network);
		assert_int_equal(call.version, t[i].version);
		assert_true(cJSON_IsObject(call.conf));
		assert_string_equal(error_version, cni_version_text(t[i].version));
	}
}

#define SUPPORTED                                                                                  \
	"plugin supports [\"0.1.0\" \"0.2.0\" \"0.3.0\" \"0.3.1\" \"0.4.0\" \"1.0.0\" \"1.1.0\"]"

static const struct {
	const struct cni_verb *verb;
	const char *text;
	int code;
	const char *msg, *details, *version;
} bad[] = {
	{ &add, "", 6, "error unmarshall network config: unexpected end of JSON input",
	  "stdin is empty: the network configuration is expected there", NULL },
	{ &add, "{", 6, "error unmarshall network config: unexpected end of JSON input", "", NULL },
	{ &add, "{} {}", 6,
	  "error unmarshall network config: invalid character '{' at line 1, column "
	  "4",
	  "", NULL },
	{ &add, "[]", 6, "error unmarshall network config: it is not a JSON object", "", NULL },
	{ &add, "null", 6, "error unmarshall network config: it is not a JSON object", "", NULL },
	{ &add, "{}", 7, "missing network name", "", "0.1.0" },
	{ &add, "{\"name\":\"\",\"cniVersion\":\"0.4.0\"}", 7, "missing network name", "",
	  "0.4.0" },
	{ &add, "{\"name\":null}", 7, "missing network name", "", "0.1.0" },
	{ &add, "{\"Name\":\"net\"}", 7, "missing network name", "", "0.1.0" },
	{ &add, "{\"name\":1}", 7, "invalid network name: it is not a string", "", "0.1.0" },
	{ &add, "{\"name\":\"a b\"}", 7, "invalid characters found in network name", "a b",
	  "0.1.0" },
	{ &add, "{\"name\":\"-a\"}", 7, "invalid characters found in network name", "-a", "0.1.0" },
	{ &add, "{\"name\":\"a\\u0000b\"}", 7, "invalid characters found in network name",
	  "a\xef\xbf\xbd"
	  "b",
	  "0.1.0" },
	{ &add, "{\"name\":\"n\",\"cniVersion\":11}", 7, "invalid cniVersion: it is not a string",
	  "", NULL },
	{ &add, "{\"name\":\"n\",\"cniVersion\":\"1.2.0\"}", 1, "incompatible CNI versions",
	  "config is \"1.2.0\", " SUPPORTED, NULL },
	{ &check, "{\"name\":\"n\",\"cniVersion\":\"0.3.1\"}", 1,
	  "config version does not allow CHECK",
	  "CHECK needs \"cniVersion\" 0.4.0 or later, config is 0.3.1", "0.3.1" },
	{ &gc, "{\"name\":\"n\",\"cniVersion\":\"1.0.0\"}", 1, "config version does not allow GC",
	  "GC needs \"cniVersion\" 1.1.0 or later, config is 1.0.0", "1.0.0" },
	{ &gc, "{\"name\":\"n\"}", 1, "config version does not allow GC",
	  "GC needs \"cniVersion\" 1.1.0 or later, config is 0.1.0", "0.1.0" },
};

TEST(refused)
{
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct cni_call call;
		const char *error_version;
		struct err e;

		assert_int_equal(read_conf(bad[i].verb, bad[i].text, &call, &error_version, &e),
				 -1);
		assert_err(&e, bad[i].code, bad[i].msg, bad[i].details);
		if (bad[i].version)
			assert_string_equal(error_version, bad[i].version);
		else
			assert_null(error_version);
	}
}
