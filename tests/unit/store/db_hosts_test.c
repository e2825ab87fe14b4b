/* The hosts of a configuration. Needs nothing. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "store/targets.h"
#include "tmpdir.h"

TEST(libpqs_keywords)
{
	static const struct {
		const char *key;
		bool known;
	} t[] = {
		{ "host", true },
		{ "hostaddr", true },
		{ "port", true },
		{ "password", true },
		{ "passfile", true },
		{ "service", true },
		{ "sslmode", true },
		{ "target_session_attrs", true },
		{ "keepalives_idle", true },
		{ "Host", false },
		{ "hosts", false },
		{ "", false },
		{ "type", false },
		{ "node", false },
		{ "timeout", false },
	};

	for (size_t i = 0; i < COUNT(t); i++)
		assert_int_equal(store_keyword(t[i].key), t[i].known);
}

/* The hosts as "host/hostaddr/port …", then the other keywords as " key=value …". */
static void describe(const struct db_hosts *t, struct strbuf *out)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct db_host *to = &t->list[i];

		strbuf_addf(out, "%s%s/%s/%s", i ? " " : "", to->host ? to->host : "-",
			    to->hostaddr ? to->hostaddr : "-", to->port ? to->port : "-");
	}
	for (size_t i = 2; i < t->n_others; i++) /* the first two are always the same */
		strbuf_addf(out, " %s=%s", t->keys[i], t->values[i]);
}

struct given {
	struct param params[5]; /* up to a key that is NULL */
	const char *said;
};

static void check(const struct given *g)
{
	struct db_hosts t = { 0 };
	struct strbuf said = { 0 };
	struct err e = { 0 };
	size_t n = 0;

	while (n < COUNT(g->params) && g->params[n].key)
		n++;
	if (db_hosts_read(g->params, n, &t, &e) < 0) {
		strbuf_addf(&said, "%d: %s", (int)e.code, e.msg);
	} else {
		assert_string_equal(t.keys[0], "fallback_application_name");
		assert_string_equal(t.values[0], "ipam-status-cni");
		assert_string_equal(t.keys[1], "client_encoding");
		assert_string_equal(t.values[1], "UTF8");
		assert_null(t.keys[t.n_others]);
		describe(&t, &said);
		db_hosts_free(&t);
	}
	assert_string_equal(strbuf_str(&said), g->said);
	strbuf_free(&said);
}

#define DEFAULTS " user=cni dbname=ipam"

TEST(hosts_and_defaults)
{
	static const struct given t[] = {
		{ { { 0 } }, "-/-/-" DEFAULTS },
		{ { { "host", "" }, { "port", "" }, { "user", "" } }, "-/-/-" DEFAULTS " user=" },
		{ { { "host", "db" }, { "user", "me" }, { "sslmode", "require" } },
		  "db/-/-" DEFAULTS " user=me sslmode=require" },
		{ { { "host", "/run/postgresql" }, { "port", "6432" } },
		  "/run/postgresql/-/6432" DEFAULTS },
		{ { { "hostaddr", "10.0.0.1,10.0.0.2" } },
		  "-/10.0.0.1/- -/10.0.0.2/-" DEFAULTS " target_session_attrs=read-write" },
		{ { { "host", "a,b,c" },
		    { "port", "1,2,3" },
		    { "hostaddr", "10.0.0.1,,10.0.0.3" } },
		  "a/10.0.0.1/1 b//2 c/10.0.0.3/3" DEFAULTS " target_session_attrs=read-write" },
		{ { { "host", "a,b" }, { "port", "1" } },
		  "a/-/1 b/-/1" DEFAULTS " target_session_attrs=read-write" },
		{ { { "host", "a," } }, "a/-/- /-/-" DEFAULTS " target_session_attrs=read-write" },
		{ { { "host", "a,b" }, { "target_session_attrs", "any" } },
		  "a/-/- b/-/-" DEFAULTS " target_session_attrs=any" },
		{ { { "host", "a,b" }, { "target_session_attrs", "standby" } },
		  "a/-/- b/-/-" DEFAULTS " target_session_attrs=standby" },
		{ { { "host", "a" }, { "target_session_attrs", "primary" } },
		  "a/-/-" DEFAULTS " target_session_attrs=primary" },
	};

	for (size_t i = 0; i < COUNT(t); i++)
		check(&t[i]);
}

TEST(lists_that_do_not_fit)
{
	static const struct given t[] = {
		{ { { "host", "a,b" }, { "hostaddr", "10.0.0.1" } },
		  "7: ipam: 2 hosts, but 1 hostaddrs: give one for each" },
		{ { { "host", "a,b" }, { "port", "1,2,3" } },
		  "7: ipam: 3 ports for 2 hosts: give one port, or one for each host" },
		{ { { "port", "1,2" } },
		  "7: ipam: 2 ports for 1 hosts: give one port, or one for each host" },
		{ { { "connect_timeout", "soon" } },
		  "7: ipam.connect_timeout must be whole seconds" },
		{ { { "connect_timeout", "1.5" } },
		  "7: ipam.connect_timeout must be whole seconds" },
	};

	for (size_t i = 0; i < COUNT(t); i++)
		check(&t[i]);
}

TEST(a_time_for_connecting)
{
	struct param p = { "connect_timeout", "3" };
	struct db_hosts t;
	struct err e = { 0 };

	assert_int_equal(db_hosts_read(&p, 1, &t, &e), 0);
	assert_true(t.connect_timeout == 3);
	db_hosts_free(&t);
	p.value = "";
	assert_int_equal(db_hosts_read(&p, 1, &t, &e), 0);
	assert_true(t.connect_timeout == 0);
	db_hosts_free(&t);
}

static const char services[] = "[one]\nhost=db1,db2\nport=7000,7001\nuser=him\n"
			       "[two]\nhost=db3\ntarget_session_attrs=standby\n"
			       "[three]\nhost=a,b\ntarget_session_attrs=standby\n";

TEST_WITH(a_service_has_hosts_too, tmpdir_open, tmpdir_close)
{
	static const struct given t[] = {
		/* no user, no dbname: the service's, or libpq's own */
		{ { { "service", "one" } },
		  "db1/-/7000 db2/-/7001 target_session_attrs=read-write service=one" },
		{ { { "service", "one" }, { "host", "x,y" } },
		  "x/-/7000 y/-/7001 target_session_attrs=read-write service=one" },
		{ { { "service", "one" }, { "target_session_attrs", "any" } },
		  "db1/-/7000 db2/-/7001 target_session_attrs=any service=one" },
		{ { { "service", "two" } }, "db3/-/5432 target_session_attrs=standby service=two" },
		{ { { "service", "three" } },
		  "a/-/5432 b/-/5432 target_session_attrs=standby service=three" },
		/* one that is not there is libpq's to report */
		{ { { "service", "none" } }, "-/-/5432 target_session_attrs=any service=none" },
	};
	struct tmpdir *b = *state;

	setenv("PGSERVICEFILE", tmpdir_write(b, "services", services, 0600), 1);
	for (size_t i = 0; i < COUNT(t); i++)
		check(&t[i]);
	unsetenv("PGSERVICEFILE");
	assert_null(getenv("PGSERVICE"));
}
