/* What comes from outside. Needs nothing. */
#include "unit.h"

#include "base/sys.h"

TEST(variables)
{
	char *env[] = { "A=1", "AB=2", "EMPTY=", "A=later", "EQUALS=a=b", NULL };
	struct sys w = { .env = env };

	assert_string_equal(sys_env(&w, "A"), "1");
	assert_string_equal(sys_env(&w, "AB"), "2");
	assert_string_equal(sys_env(&w, "EMPTY"), "");
	assert_string_equal(sys_env(&w, "EQUALS"), "a=b");
	assert_null(sys_env(&w, "B"));
	w.env = NULL;
	assert_null(sys_env(&w, "A"));
}
