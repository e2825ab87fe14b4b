/* STATUS of the IPAM plugin. Needs nothing. */
#include "run_verb.h"

#define GOOD                                                                                       \
	{                                                                                          \
		.may_write = true, .version = STORE_SCHEMA, .works_with = STORE_SCHEMA             \
	}

#define TEXT_OF(x) #x
#define NUMBER(x) TEXT_OF(x)

TEST(each_reason)
{
	static const struct {
		struct store_status status;
		const char *msg; /* "": ready */
	} t[] = {
		{ GOOD, "" },
		{ { .may_write = true, .version = STORE_SCHEMA + 7, .works_with = STORE_SCHEMA },
		  "" },
		{ { .read_only = true,
		    .may_write = true,
		    .version = STORE_SCHEMA,
		    .works_with = STORE_SCHEMA },
		  "the database is read-only: a standby?" },
		{ { .may_write = true, .version = -1, .works_with = -1 },
		  "the database's schema has no version: run sql/migrate.sh" },
		{ { .may_write = true, .version = 0, .works_with = 0 },
		  "the database's schema has version 0, this build needs " NUMBER(
			  STORE_SCHEMA) ": run sql/migrate.sh" },
		{ { .may_write = true, .version = 99, .works_with = 99 },
		  "the database's schema works with builds for schema 99 and later, this one is "
		  "for " NUMBER(STORE_SCHEMA) ": install newer plugins" },
		{ { .version = STORE_SCHEMA, .works_with = STORE_SCHEMA },
		  "the role may not write to the table ips: run sql/provision.sh" },
		{ { .may_write = true,
		    .version = STORE_SCHEMA,
		    .works_with = STORE_SCHEMA,
		    .hides_warnings = true },
		  "the server hides warnings: set client_min_messages to warning or lower" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct verb v = { 0 };

		v.fake.status = t[i].status;
		verb_run(&v, ipam_status, "STATUS", "", "", "");
		assert_int_equal(v.rc, t[i].msg[0] ? -1 : 0);
		assert_err(&v.e, t[i].msg[0] ? CNI_PLUGIN_NOT_AVAILABLE : 0, t[i].msg, "");
		assert_null(v.reply.json);
		assert_string_equal(strbuf_str(&v.fake.calls), "open status close");
		verb_end(&v);
	}
}

TEST(a_store_that_fails)
{
	struct verb v = { 0 };

	v.fake.fails = "status";
	verb_run(&v, ipam_status, "STATUS", "", "", "");
	assert_err(&v.e, CNI_TRY_AGAIN_LATER, "no status", "");
	verb_end(&v);
}

TEST(addresses_are_not_read)
{
	struct verb v = { .fake.status = GOOD };

	verb_run(&v, ipam_status, "STATUS", "'runtimeConfig':7,'args':7",
		 "'addresses':[{'address':'x'}]", "nonsense");
	assert_int_equal(v.rc, 0);
	verb_end(&v);
}

TEST(no_host_no_add)
{
	struct verb v = { .fake.status = GOOD };

	verb_run(&v, ipam_status, "STATUS", "", "", "");
	v.m.sys.sysroot = "/nonexistent";
	verb_run_again(&v, ipam_status);
	assert_int_equal(v.rc, -1);
	assert_int_equal(v.e.code, CNI_IO_FAILURE);
	verb_end(&v);
}
