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

static const char *param(const struct read *r, const char *key)
{
	for (size_t i = 0; i < r->conf.n_params; i++)
		if (strcmp(r->conf.params[i].key, key) == 0)
			return r->conf.params[i].value;
	return NULL;
}

TEST(nothing_but_an_object)
{
	struct read r;

	read_begin(&r, "ADD", "");
	assert_int_equal(r.rc, 0);
	assert_int_equal(r.conf.n_params, 0);
	assert_null(r.conf.node);
	assert_null(r.conf.log_file);
	assert_int_equal(r.conf.log_level, LOG_INFO);
	assert_true(r.conf.timeout == 0 && r.conf.grace == 0);
	assert_int_equal(r.conf.ranges.n, 0);
	read_end(&r);
}

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
	assert_string_equal(param(&r, "host"), "db1,db2");
	assert_string_equal(param(&r, "port"), "5432");
	assert_string_equal(param(&r, "password"), "p,= '");
	assert_string_equal(param(&r, "keepalives"), "0");
	assert_string_equal(param(&r, "tcp_user_timeout"), "2000");
	assert_int_equal(r.conf.n_params, 9);
	assert_int_equal(r.conf.ranges.n, 1);
	assert_int_equal(cJSON_GetArraySize(r.conf.addresses), 1);
	assert_string_equal(r.conf.node, "n");
	assert_string_equal(r.conf.log_file, "/f");
	assert_int_equal(r.conf.log_level, LOG_DEBUG);
	assert_true(r.conf.timeout == 0.25 && r.conf.grace == 1.5);
	read_end(&r);
}

TEST(of_a_repeated_keyword_the_last_counts)
{
	struct read r;

	read_begin(&r, "ADD",
		   "\"host\":\"a\",\"user\":\"b\",\"host\":\"c\",\"user\":null,\"dbname\":\"\"");
	assert_int_equal(r.rc, 0);
	assert_int_equal(r.conf.n_params, 3);
	assert_string_equal(param(&r, "host"), "c");
	assert_string_equal(param(&r, "user"), "");
	assert_string_equal(param(&r, "dbname"), "");
	read_end(&r);
}

static const char *const verbs[] = { "ADD", "CHECK", "STATUS", "GC", "DEL" };

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

#define PORTS "ipam.port must be 1 to 65535, or one such number for each host, separated by commas"
#define TIMEOUT "ipam.timeout must be a number of seconds, above 0 and up to 3600"
#define GRACE "ipam.gcGracePeriod must be a number of seconds, 0 or more and up to 1000000000"
#define LEVEL "ipam.logLevel must be error, warning, info or debug, not \"loud\""

TEST(wrong_values)
{
	static const struct {
		const char *keys, *msg;
	} t[] = {
		{ "\"port\":0", PORTS },
		{ "\"port\":65536", PORTS },
		{ "\"port\":-1", PORTS },
		{ "\"port\":\"http\"", PORTS },
		{ "\"port\":\"5432,\"", PORTS },
		{ "\"port\":\"5432,x\"", PORTS },
		{ "\"port\":\"5432 \"", PORTS },
		{ "\"port\":\"99999999999999999999\"", PORTS },
		{ "\"port\":5432.5", "ipam.port must be a string or a whole number" },
		{ "\"port\":1e400", "ipam.port must be a string or a whole number" },
		{ "\"keepalives\":true", "ipam.keepalives must be a string or a whole number" },
		{ "\"host\":[\"a\"]", "ipam.host must be a string or a whole number" },
		{ "\"dbname\":\"postgres://u:p@h/d\"",
		  "ipam.dbname is a connection string: give host, port, user, password and "
		  "dbname a key each" },
		{ "\"dbname\":\"host=h password=p\"",
		  "ipam.dbname is a connection string: give host, port, user, password and "
		  "dbname a key each" },
		{ "\"host\":\"postgres://u:p@h/d\"",
		  "ipam.host is a connection string: give host, port, user, password and "
		  "dbname a key each" },
		{ "\"hostaddr\":\"tcp://10.0.0.1\"",
		  "ipam.hostaddr is a connection string: give host, port, user, password and "
		  "dbname a key each" },
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

static void check_passfile(const char *path, const char *wrong)
{
	struct strbuf keys = { 0 }, msg = { 0 };
	struct read r;

	strbuf_addf(&keys, "\"passfile\":\"%s\"", path);
	read_begin(&r, "DEL", strbuf_str(&keys));
	assert_int_equal(r.rc, wrong ? -1 : 0);
	if (wrong) {
		strbuf_addf(&msg, "ipam.passfile %s%s", path, wrong);
		assert_err(&r.e, CNI_INVALID_NETWORK_CONFIG, strbuf_str(&msg), "");
	}
	read_end(&r);
	strbuf_free(&keys);
	strbuf_free(&msg);
}

/* libpq would go on without it, and the server would say that the password is wrong. */
TEST_WITH(a_password_file_that_libpq_would_pass_over, tmpdir_open, tmpdir_close)
{
	struct tmpdir *b = *state;

	check_passfile(tmpdir_path(b, "none"), ": No such file or directory");
	check_passfile(b->dir, " is not a plain file");
	check_passfile(tmpdir_write(b, "open", "*:*:*:*:x\n", 0640),
		       " can be read by others: make it its owner's alone (chmod 600)");
	check_passfile(tmpdir_write(b, "own", "*:*:*:*:x\n", 0600), NULL);
}

TEST(any_number_of_keys_in_bounded_time)
{
	struct strbuf keys = { 0 };
	struct deadline l = deadline_in(20);
	struct read r;

	for (int i = 0; i < 20000; i++)
		strbuf_addf(&keys, "%s\"user\":\"%d\",\"k%d\":1", i ? "," : "", i, i);
	read_begin(&r, "DEL", strbuf_str(&keys));
	assert_int_equal(r.rc, 0);
	assert_int_equal(r.conf.n_params, 1);
	assert_string_equal(param(&r, "user"), "19999");
	assert_true(deadline_left(&l) > 0);
	read_end(&r);
	strbuf_free(&keys);
}
