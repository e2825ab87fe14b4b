/* What comes from outside. Needs nothing. */
#include "unit.h"

#include "base/world.h"

static void variables(void **state)
{
	char *env[] = { "A=1", "AB=2", "EMPTY=", "A=later", "EQUALS=a=b", NULL };
	struct world w = { .env = env };

	(void)state;
	assert_string_equal(world_env(&w, "A"), "1");
	assert_string_equal(world_env(&w, "AB"), "2");
	assert_string_equal(world_env(&w, "EMPTY"), "");
	assert_string_equal(world_env(&w, "EQUALS"), "a=b");
	assert_null(world_env(&w, "B"));
	w.env = NULL;
	assert_null(world_env(&w, "A"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(variables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
