/* main() of each unit test program, and what unit.h declares. */
#include "unit.h"

#include <signal.h>
#include <stdlib.h>

#include "base/memory.h"

static struct CMUnitTest tests[128];
static size_t n_tests;
static CMFixtureFunction group_setup, group_teardown;

void unit_add(const struct CMUnitTest *test)
{
	if (n_tests == COUNT(tests))
		abort();
	tests[n_tests++] = *test;
}

void unit_group(CMFixtureFunction setup, CMFixtureFunction teardown)
{
	group_setup = setup;
	group_teardown = teardown;
}

bool emulated(void)
{
	return getenv("EMULATED") != NULL;
}

int main(int argc, char **argv)
{
	(void)argc;
	mem_for_cjson();          /* as in the plugins */
	signal(SIGPIPE, SIG_IGN); /* a reader that is gone is an error, as in the plugins */
	return _cmocka_run_group_tests(argv[0], tests, n_tests, group_setup, group_teardown);
}

void assert_err(const struct err *e, int code, const char *msg, const char *details)
{
	assert_string_equal(e->msg, msg);
	assert_string_equal(e->details, details);
	assert_int_equal(e->code, code);
}

const char *J(const char *text)
{
	char *json = mem_strdup(text);

	for (char *c = strchr(json, '\''); c; c = strchr(c, '\''))
		*c = '"';
	return json;
}

cJSON *json_of(const char *text)
{
	cJSON *value = NULL;
	struct err e = { 0 };

	text = J(text);
	if (json_parse(text, strlen(text), &value, &e) < 0)
		fail_msg("%s: %s", text, e.msg);
	return value;
}
