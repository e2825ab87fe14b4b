/* The ipam object. Needs nothing. */
#include "unit.h"

#include <stdio.h>

#include "base/text.h"
#include "ipam/conf.h"
#include "make_call.h"
#include "tmpdir.h"

struct read {
	struct made_call m;
	struct ipam_conf conf;
	struct err e;
	int rc;
};

/* Reads a configuration whose ipam object has these keys. read_end when done. */
static void read_begin(struct read *r, const char *command, const char *keys)
{
	struct strbuf conf = { 0 };

	*r = (struct read){ 0 };
	strbuf_addf(&conf, "{\"ipam\":{%s}}", keys);
	make_call(&r->m, command, strbuf_str(&conf), "/bin");
	r->rc = ipam_conf_read(&r->m.call, &r->conf, &r->e);
	strbuf_free(&conf);
}

static void read_end(struct read *r)
{
	if (r->rc == 0)
		ipam_conf_free(&r->conf);
	drop_call(&r->m);
}

TEST(nothing_but_an_object)
{
	struct read r;

	read_begin(&r, "ADD", "");
	assert_int_equal(r.rc, 0);
	assert_null(r.conf.node);
	assert_null(r.conf.log_file);
	assert_int_equal(r.conf.log_level, LOG_INFO);
	assert_true(r.conf.timeout == 0 && r.conf.grace == 0);
	assert_int_equal(r.conf.ranges.n, 0);
	read_end(&r);
}

static const char *const verbs[] = { "ADD", "CHECK", "STATUS", "GC", "DEL" };

TEST(everything)
{
	struct read r;

	read_begin(
		&r, "ADD",
		"\"type\":\"ipam-status-cni\",\"host\":\"db1,db2\",\"port\":5432,\"user\":\"u\","
		"\"password\":\"p,= '\",\"dbname\":\"d\",\"sslmode\":\"require\",\"keepalives\":0,"
		"\"tcp_user_timeout\":2000,\"service\":\"s\","
		"\"addresses\":[{\"address\":\"10.0.0.5/24\",\"gateway\":\"10.0.0.1\"}],"
		"\"routes\":[{\"dst\":\"0.0.0.0/0\",\"gw\":\"10.0.0.1\",\"mtu\":1400,\"advmss\":1,"
		"\"priority\":1,\"table\":1,\"scope\":0}],"
		"\"dns\":{\"nameservers\":[\"10.0.0.2\"],\"domain\":\"d\",\"search\":[\"s\"],"
		"\"options\":[\"o\"]},"
		"\"ranges\":[[{\"subnet\":\"10.0.0.0/24\",\"rangeStart\":\"10.0.0.2\","
		"\"rangeEnd\":\"10.0.0.9\",\"gateway\":\"10.0.0.1\"}]],"
		"\"node\":\"n\",\"gcGracePeriod\":1.5,\"timeout\":0.25,\"logLevel\":\"debug\","
		"\"logFile\":\"/f\"");
	assert_int_equal(r.rc, 0);
	assert_int_equal(r.conf.ranges.n, 1);
	assert_int_equal(cJSON_GetArraySize(r.conf.addresses), 1);
	assert_string_equal(r.conf.node, "n");
	assert_string_equal(r.conf.log_file, "/f");
	assert_int_equal(r.conf.log_level, LOG_DEBUG);
	assert_true(r.conf.timeout == 0.25 && r.conf.grace == 1.5);
	read_end(&r);
}

TEST(an_unknown_key_is_named_with_its_value)
{
	static const struct {
		const char *keys, *msg;
	} t[] = {
		{ "\"hots\":\"db\"", "unsupported field \"hots\" in ipam: \"db\"" },
		{ "\"Host\":\"db\"", "unsupported field \"Host\" in ipam: \"db\"" },
		{ "\"Password\":\"hush\"",
		  "unsupported field \"Password\" in ipam: (not shown: it may be a secret)" },
		{ "\"x\":{\"password\":\"hush\"}", "unsupported field \"x\" in ipam: an object" },
		{ "\"addresses\":[{\"address\":\"10.0.0.5/24\",\"gw\":\"10.0.0.1\"}]",
		  "unsupported field \"gw\" in ipam.addresses: \"10.0.0.1\"" },
		{ "\"ranges\":[[{\"subnet\":\"10.0.0.0/24\",\"start\":7}]]",
		  "unsupported field \"start\" in ipam.ranges: 7" },
		{ "\"routes\":[{\"dst\":\"0.0.0.0/0\",\"metric\":1}]",
		  "unsupported field \"metric\" in ipam.routes: 1" },
		{ "\"dns\":{\"servers\":[]}", "unsupported field \"servers\" in ipam.dns: a list" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		for (size_t v = 0; v < COUNT(verbs); v++) {
			struct read r;

			read_begin(&r, verbs[v], t[i].keys);
			if (strcmp(verbs[v], "DEL") == 0) {
				assert_int_equal(r.rc, 0);
			} else {
				assert_int_equal(r.rc, -1);
				assert_int_equal(r.e.code, CNI_UNSUPPORTED_FIELD);
				assert_string_equal(r.e.msg, t[i].msg);
			}
			read_end(&r);
		}
	}
}

#define TIMEOUT "ipam.timeout must be a number of seconds, above 0 and up to 3600"
#define GRACE "ipam.gcGracePeriod must be a number of seconds, 0 or more and up to 1000000000"
#define LEVEL "ipam.logLevel must be error, warning, info or debug, not \"loud\""

TEST(wrong_values)
{
	static const struct {
		const char *keys, *msg;
	} t[] = {
		{ "\"node\":\"\"", "ipam.node must be a string that is not empty" },
		{ "\"node\":7", "ipam.node must be a string that is not empty" },
		{ "\"logFile\":{}", "ipam.logFile must be a string that is not empty" },
		{ "\"logLevel\":7", "ipam.logLevel must be a string that is not empty" },
		{ "\"logLevel\":\"loud\"", LEVEL },
		{ "\"timeout\":0", TIMEOUT },
		{ "\"timeout\":-1", TIMEOUT },
		{ "\"timeout\":3600.1", TIMEOUT },
		{ "\"timeout\":\"10\"", TIMEOUT },
		{ "\"gcGracePeriod\":-0.1", GRACE },
		{ "\"gcGracePeriod\":1e400", GRACE },
		{ "\"gcGracePeriod\":true", GRACE },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		for (size_t v = 0; v < COUNT(verbs); v++) {
			struct read r;

			read_begin(&r, verbs[v], t[i].keys);
			assert_int_equal(r.rc, -1);
			assert_err(&r.e, CNI_INVALID_NETWORK_CONFIG, t[i].msg, "");
			read_end(&r);
		}
	}
}

TEST(a_node_of_255_bytes)
{
	struct strbuf keys = { 0 };
	struct read r;

	strbuf_addf(&keys, "\"node\":\"%0255d\"", 0);
	read_begin(&r, "DEL", strbuf_str(&keys));
	assert_int_equal(r.rc, 0);
	read_end(&r);
	keys.len = 0;
	strbuf_addf(&keys, "\"node\":\"%0256d\"", 0);
	read_begin(&r, "DEL", strbuf_str(&keys));
	assert_err(&r.e, CNI_INVALID_NETWORK_CONFIG, "ipam.node must not be longer than 255 bytes",
		   "");
	read_end(&r);
	strbuf_free(&keys);
}

TEST(whoever_only_releases_needs_no_answers)
{
	static const char *const keys[] = { "\"ranges\":7", "\"routes\":7", "\"dns\":7",
					    "\"routes\":[{\"dst\":\"x\"}]",
					    "\"dns\":{\"search\":7}" };

	for (size_t i = 0; i < COUNT(keys); i++) {
		for (size_t v = 0; v < COUNT(verbs); v++) {
			bool needs = strcmp(verbs[v], "DEL") != 0 && strcmp(verbs[v], "GC") != 0;
			struct read r;

			read_begin(&r, verbs[v], keys[i]);
			assert_int_equal(r.rc, needs ? -1 : 0);
			assert_int_equal(r.e.code, needs ? CNI_INVALID_NETWORK_CONFIG : 0);
			read_end(&r);
		}
	}
}

TEST(no_ipam_object)
{
	static const char *const confs[] = { "{}", "{\"ipam\":null}", "{\"ipam\":[]}",
					     "{\"ipam\":\"x\"}" };

	for (size_t i = 0; i < COUNT(confs); i++) {
		struct made_call m;
		struct ipam_conf conf;
		struct err e = { 0 };

		make_call(&m, "DEL", confs[i], "/bin");
		assert_int_equal(ipam_conf_read(&m.call, &conf, &e), -1);
		assert_err(&e, CNI_INVALID_NETWORK_CONFIG,
			   "the configuration needs an \"ipam\" object", "");
		drop_call(&m);
	}
}
