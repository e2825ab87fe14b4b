/* libpq's keywords in a configuration, and its hosts. Needs nothing. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/deadline.h"
#include "base/memory.h"
#include "store/params.h"
#include "store/store.h"
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
	if (db_hosts_session_attrs(t))
		strbuf_addf(out, " target_session_attrs=%s", db_hosts_session_attrs(t));
}

struct given {
	const char *ipam; /* the object, as J writes it */
	const char *said;
};

static void check(const struct given *g)
{
	struct db_hosts t;
	struct strbuf said = { 0 };
	struct err e = { 0 };

	if (db_hosts_read(json_of(J(g->ipam)), "a name", &t, &e) < 0) {
		strbuf_addf(&said, "%d: %s", (int)e.code, e.msg);
	} else {
		assert_string_equal(t.keys[0], "fallback_application_name");
		assert_string_equal(t.values[0], "a name");
		assert_string_equal(t.keys[1], "client_encoding");
		assert_string_equal(t.values[1], "UTF8");
		assert_null(t.keys[t.n_others]);
		describe(&t, &said);
	}
	assert_string_equal(strbuf_str(&said), g->said);
}

#define DEFAULTS " user=cni dbname=ipam"

TEST(hosts_and_defaults)
{
	static const struct given t[] = {
		{ "{}", "-/-/-" DEFAULTS },
		{ "{'host':'','port':'','user':''}", "-/-/-" DEFAULTS " user=" },
		{ "{'host':'db','user':'me','sslmode':'require'}",
		  "db/-/-" DEFAULTS " user=me sslmode=require" },
		{ "{'host':'/run/postgresql','port':'6432'}", "/run/postgresql/-/6432" DEFAULTS },
		{ "{'hostaddr':'10.0.0.1,10.0.0.2'}",
		  "-/10.0.0.1/- -/10.0.0.2/-" DEFAULTS " target_session_attrs=read-write" },
		{ "{'host':'a,b,c','port':'1,2,3','hostaddr':'10.0.0.1,,10.0.0.3'}",
		  "a/10.0.0.1/1 b//2 c/10.0.0.3/3" DEFAULTS " target_session_attrs=read-write" },
		{ "{'host':'a,b','port':'1'}",
		  "a/-/1 b/-/1" DEFAULTS " target_session_attrs=read-write" },
		{ "{'host':'a,'}", "a/-/- /-/-" DEFAULTS " target_session_attrs=read-write" },
		{ "{'host':'a,b','target_session_attrs':'any'}",
		  "a/-/- b/-/-" DEFAULTS " target_session_attrs=any" },
		{ "{'host':'a,b','target_session_attrs':'standby'}",
		  "a/-/- b/-/-" DEFAULTS " target_session_attrs=standby" },
		{ "{'host':'a','target_session_attrs':'primary'}",
		  "a/-/-" DEFAULTS " target_session_attrs=primary" },
	};

	for (size_t i = 0; i < COUNT(t); i++)
		check(&t[i]);
}

TEST(lists_that_do_not_fit)
{
	static const struct given t[] = {
		{ "{'host':'a,b','hostaddr':'10.0.0.1'}",
		  "7: ipam: 2 hosts, but 1 hostaddrs: give one for each" },
		{ "{'host':'a,b','port':'1,2,3'}",
		  "7: ipam: 3 ports for 2 hosts: give one port, or one for each host" },
		{ "{'port':'1,2'}",
		  "7: ipam: 2 ports for 1 hosts: give one port, or one for each host" },
		{ "{'connect_timeout':'soon'}", "7: ipam.connect_timeout must be whole seconds" },
		{ "{'connect_timeout':'1.5'}", "7: ipam.connect_timeout must be whole seconds" },
	};

	for (size_t i = 0; i < COUNT(t); i++)
		check(&t[i]);
}

#define PORTS "ipam.port must be 1 to 65535, or one such number for each host, separated by commas"

TEST(wrong_values)
{
	static const struct given t[] = {
		{ "{'port':0}", "7: " PORTS },
		{ "{'port':65536}", "7: " PORTS },
		{ "{'port':-1}", "7: " PORTS },
		{ "{'port':'http'}", "7: " PORTS },
		{ "{'port':'5432,'}", "7: " PORTS },
		{ "{'port':'5432,x'}", "7: " PORTS },
		{ "{'port':'5432 '}", "7: " PORTS },
		{ "{'port':'99999999999999999999'}", "7: " PORTS },
		{ "{'port':5432.5}", "7: ipam.port must be a string or a whole number" },
		{ "{'port':1e400}", "7: ipam.port must be a string or a whole number" },
		{ "{'keepalives':true}", "7: ipam.keepalives must be a string or a whole number" },
		{ "{'host':['a']}", "7: ipam.host must be a string or a whole number" },
		{ "{'dbname':'postgres://u:p@h/d'}",
		  "7: ipam.dbname is a connection string: give host, port, user, password and "
		  "dbname a key each" },
		{ "{'dbname':'host=h password=p'}",
		  "7: ipam.dbname is a connection string: give host, port, user, password and "
		  "dbname a key each" },
		{ "{'host':'postgres://u:p@h/d'}",
		  "7: ipam.host is a connection string: give host, port, user, password and "
		  "dbname a key each" },
		{ "{'hostaddr':'tcp://10.0.0.1'}",
		  "7: ipam.hostaddr is a connection string: give host, port, user, password and "
		  "dbname a key each" },
	};

	for (size_t i = 0; i < COUNT(t); i++)
		check(&t[i]);
}

/* What may hold a password is never repeated. */
TEST(connection_strings)
{
	static const char *const keys[] = { "host", "hostaddr", "dbname", "service", "user" };
	static const char *const values[] = { "postgres://u:S3CRET@h/d",
					      "host=h password = S3CRET",
					      "password=S3CRET",
					      "a S3CRET",
					      "a\\tS3CRET",
					      "tcp://S3CRET" };

	for (size_t k = 0; k < COUNT(keys); k++) {
		for (size_t v = 0; v < COUNT(values); v++) {
			const char *ipam = mem_printf("{'%s':'%s'}", keys[k], values[v]);
			struct db_hosts t;
			struct err e = { 0 };

			assert_int_equal(db_hosts_read(json_of(J(ipam)), "a name", &t, &e), -1);
			assert_err(&e, CNI_INVALID_NETWORK_CONFIG,
				   mem_printf("ipam.%s is a connection string: give host, port, "
					      "user, password and dbname a key each",
					      keys[k]),
				   "");
		}
	}
}

TEST(values_go_to_libpq_as_they_are)
{
	static const struct given t[] = {
		{ "{'type':'x','host':'db1','port':5432,'user':'u','password':'p,= ','dbname':'d',"
		  "'sslmode':'require','keepalives':0,'tcp_user_timeout':2000,'node':'n'}",
		  "db1/-/5432" DEFAULTS
		  " user=u password=p,=  dbname=d sslmode=require keepalives=0"
		  " tcp_user_timeout=2000" },
		/* of a repeated keyword the last counts */
		{ "{'host':'a','user':'b','host':'c','user':null,'dbname':''}",
		  "c/-/-" DEFAULTS " user= dbname=" },
	};

	for (size_t i = 0; i < COUNT(t); i++)
		check(&t[i]);
}

static void check_passfile(const char *path, const char *wrong)
{
	struct db_hosts t;
	struct err e = { 0 };
	const char *ipam = J(mem_printf("{'passfile':'%s'}", path));

	assert_int_equal(db_hosts_read(json_of(ipam), "a name", &t, &e), wrong ? -1 : 0);
	if (wrong)
		assert_err(&e, CNI_INVALID_NETWORK_CONFIG,
			   mem_printf("ipam.passfile %s%s", path, wrong), "");
}

/* libpq would go on without it, and the server would say that the password is wrong. */
TEST_IN_DIR(a_password_file_that_libpq_would_pass_over)
{
	struct tmpdir *b = *state;

	check_passfile(tmpdir_path(b, "none"), ": No such file or directory");
	check_passfile(b->dir, " is not a plain file");
	check_passfile(tmpdir_write(b, "open", "*:*:*:*:x\n", 0640),
		       " can be read by others: make it its owner's alone (chmod 600)");
	check_passfile(tmpdir_write(b, "own", "*:*:*:*:x\n", 0600), NULL);
}

/* What may be the secret itself is never repeated, and libpq would. */
TEST_IN_DIR(a_secret_where_a_file_is_meant)
{
	static const char *const keys[] = { "passfile", "sslcert", "sslkey" };
	static const char *const values[] = { "S3CRET",
					      "*:*:ipam:cni:S3CRET",
					      "/run/postgresql:5432:ipam:cni:S3CRET",
					      "/9j4S3CRET==",
					      "/S3 CRET",
					      "tcp://S3CRET",
					      "pkcs11:S3CRET",
					      "-----BEGIN KEY-----\\nS3CRET" };
	const char *there = tmpdir_write(*state, "CN=a b:c", "x", 0600);

	for (size_t k = 0; k < COUNT(keys); k++) {
		struct db_hosts t;
		struct err e = { 0 };

		for (size_t v = 0; v < COUNT(values); v++) {
			const char *ipam = J(mem_printf("{'%s':'%s'}", keys[k], values[v]));

			assert_int_equal(db_hosts_read(json_of(ipam), "a name", &t, &e), -1);
			assert_err(
				&e, CNI_INVALID_NETWORK_CONFIG,
				mem_printf("ipam.%s must be the absolute path of a file", keys[k]),
				"");
		}
		assert_int_equal(
			db_hosts_read(json_of(J(mem_printf("{'%s':'%s'}", keys[k], there))),
				      "a name", &t, &e),
			0);
	}
	check(&(struct given){ "{'sslcert':'/none/a.crt','sslkey':''}",
			       "-/-/-" DEFAULTS " sslcert=/none/a.crt sslkey=" });
}

TEST(any_number_of_keys_in_bounded_time)
{
	struct strbuf keys = { 0 };
	struct deadline l = deadline_in(20);
	struct db_hosts t;
	struct err e = { 0 };

	for (int i = 0; i < 20000; i++)
		strbuf_addf(&keys, "%s'user':'%d','k%d':1", i ? "," : "{", i, i);
	strbuf_addf(&keys, "}");
	assert_int_equal(db_hosts_read(json_of(J(strbuf_str(&keys))), "a name", &t, &e), 0);
	assert_string_equal(t.values[t.n_others - 1], "19999");
	assert_true(deadline_left(&l) > 0);
}

TEST(a_time_for_connecting)
{
	struct db_hosts t;
	struct err e = { 0 };

	assert_int_equal(db_hosts_read(json_of(J("{'connect_timeout':3}")), "a name", &t, &e), 0);
	assert_true(t.connect_timeout == 3);
	assert_int_equal(db_hosts_read(json_of(J("{'connect_timeout':''}")), "a name", &t, &e), 0);
	assert_true(t.connect_timeout == 0);
}

static const char services[] = "[one]\nhost=db1,db2\nport=7000,7001\nuser=him\n"
			       "[two]\nhost=db3\ntarget_session_attrs=standby\n"
			       "[three]\nhost=a,b\ntarget_session_attrs=standby\n";

TEST_WITH(a_service_has_hosts_too, tmpdir_open, tmpdir_close)
{
	static const struct given t[] = {
		/* no user, no dbname: the service's, or libpq's own */
		{ "{'service':'one'}",
		  "db1/-/7000 db2/-/7001 service=one target_session_attrs=read-write" },
		{ "{'service':'one','host':'x,y'}",
		  "x/-/7000 y/-/7001 service=one target_session_attrs=read-write" },
		{ "{'service':'one','target_session_attrs':'any'}",
		  "db1/-/7000 db2/-/7001 service=one target_session_attrs=any" },
		{ "{'service':'two'}", "db3/-/5432 service=two target_session_attrs=standby" },
		{ "{'service':'three'}",
		  "a/-/5432 b/-/5432 service=three target_session_attrs=standby" },
		/* one that is not there is libpq's to report */
		{ "{'service':'none'}", "-/-/5432 service=none" },
	};
	struct tmpdir *b = *state;

	setenv("PGSERVICEFILE", tmpdir_write(b, "services", services, 0600), 1);
	for (size_t i = 0; i < COUNT(t); i++)
		check(&t[i]);
	unsetenv("PGSERVICEFILE");
	assert_null(getenv("PGSERVICE"));
}
