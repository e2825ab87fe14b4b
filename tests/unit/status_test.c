/* STATUS of the IPAM plugin. Needs nothing. */
#include "verb.h"

#define GOOD                                                                                       \
	{                                                                                          \
		.may_write = true, .version = STORE_SCHEMA, .works_with = STORE_SCHEMA             \
	}

static void each_reason(void **state)
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
			"the database's schema has version 0, this build needs 1: run "
			"sql/migrate.sh" },
		{ { .may_write = true,
			  .version = STORE_SCHEMA + 1,
			  .works_with = STORE_SCHEMA + 1 },
			"the database's schema works with builds for schema 2 and later, this one "
			"is for 1: install newer plugins" },
		{ { .version = STORE_SCHEMA, .works_with = STORE_SCHEMA },
			"the role may not write to the table ips: run sql/provision.sh" },
		{ { .may_write = true,
			  .version = STORE_SCHEMA,
			  .works_with = STORE_SCHEMA,
			  .hides_warnings = true },
			"the server hides warnings: set client_min_messages to warning or lower" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		struct verb v = { 0 };

		v.fake.status = t[i].status;
		verb_run(&v, ipam_status, "STATUS", "", "", "");
		assert_int_equal(v.rc, t[i].msg[0] ? -1 : 0);
		assert_err(&v.e, t[i].msg[0] ? CNI_NOT_READY : 0, t[i].msg, "");
		assert_null(v.answer.json);
		assert_string_equal(text_get(&v.fake.calls), "open status close");
		verb_end(&v);
	}
}

static void a_store_that_fails(void **state)
{
	struct verb v = { 0 };

	(void)state;
	v.fake.fails = "status";
	verb_run(&v, ipam_status, "STATUS", "", "", "");
	assert_err(&v.e, CNI_AGAIN, "no status", "");
	verb_end(&v);
}

static void addresses_are_not_read(void **state)
{
	struct verb v = { .fake.status = GOOD };

	(void)state;
	verb_run(&v, ipam_status, "STATUS", "\"runtimeConfig\":7,\"args\":7",
		"\"addresses\":[{\"address\":\"x\"}]", "nonsense");
	assert_int_equal(v.rc, 0);
	verb_end(&v);
}

static void no_host_no_add(void **state)
{
	struct verb v = { .fake.status = GOOD };

	(void)state;
	verb_run(&v, ipam_status, "STATUS", "", "", "");
	v.m.world.root = "/nonexistent";
	assert_int_equal(ipam_status(&v.m.call, &v.answer, &v.e), -1);
	assert_int_equal(v.e.code, CNI_IO);
	verb_end(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_reason),
		cmocka_unit_test(a_store_that_fails),
		cmocka_unit_test(addresses_are_not_read),
		cmocka_unit_test(no_host_no_add),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
