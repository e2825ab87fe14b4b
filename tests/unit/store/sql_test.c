/* The statements, as far as no server is needed. Needs nothing. */
#include "unit.h"

#include <ctype.h>

#include "store/sql.h"

static const int parameters[SQLS] = {
	[SQL_INSERT] = 10, [SQL_INSERT_ONE] = 10, [SQL_LOOK] = 8,
	[SQL_CONFIRM] = 4, [SQL_TAKE] = 12,       [SQL_RELEASE] = 3,
	[SQL_DEL] = 5,     [SQL_GC] = 7,          [SQL_STATUS] = 0,
};

/* The highest $n. */
static int highest(const char *sql)
{
	int most = 0;

	for (const char *p = strchr(sql, '$'); p; p = strchr(p + 1, '$')) {
		int n = 0;

		for (const char *d = p + 1; isdigit((unsigned char)*d); d++)
			n = n * 10 + (*d - '0');
		most = n > most ? n : most;
	}
	return most;
}

TEST(parameters_are_as_many_as_the_store_sends)
{
	for (int i = 0; i < SQLS; i++) {
		assert_non_null(sql_text[i]);
		assert_int_equal(highest(sql_text[i]), parameters[i]);
	}
}

/* The table is never named without its schema, whatever the search_path is. */
TEST(tables_are_qualified)
{
	static const char *const before[] = { "FROM ips", "INTO ips", "UPDATE ips", "JOIN ips" };

	for (int i = 0; i < SQLS; i++) {
		assert_non_null(strstr(sql_text[i], "public.ips"));
		for (size_t b = 0; b < COUNT(before); b++)
			assert_null(strstr(sql_text[i], before[b]));
	}
}

/* Each statement that decides refuses to work on a schema that this build does not know. */
TEST(the_schema_is_asked_along)
{
	static const int deciding[] = { SQL_INSERT, SQL_INSERT_ONE, SQL_LOOK, SQL_CONFIRM,
					SQL_TAKE,   SQL_DEL,        SQL_GC };

	for (size_t i = 0; i < COUNT(deciding); i++) {
		assert_non_null(strstr(sql_text[deciding[i]],
				       "(EXISTS (SELECT FROM public.ips_schema WHERE version"));
		assert_non_null(
			strstr(sql_text[deciding[i]],
			       "NOT EXISTS (SELECT FROM public.ips_schema WHERE works_with"));
	}
}
