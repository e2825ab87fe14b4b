/* Protocol versions. Needs nothing. */
#include "unit.h"

#include "cni/version.h"

static void texts_and_back(void **state)
{
	static const char *const texts[] = { "0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0",
		"1.1.0" };

	(void)state;
	assert_int_equal(COUNT(texts), CNI_VERSIONS);
	for (size_t i = 0; i < COUNT(texts); i++) {
		enum cni_version v;

		assert_true(cni_version_of(texts[i], &v));
		assert_int_equal(v, i);
		assert_string_equal(cni_version_text(v), texts[i]);
	}
	assert_string_equal(cni_version_text(CNI_NEWEST), "1.1.0");
}

static void none_is_the_oldest(void **state)
{
	enum cni_version v = CNI_NEWEST;

	(void)state;
	assert_true(cni_version_of(NULL, &v));
	assert_int_equal(v, CNI_0_1_0);
	v = CNI_NEWEST;
	assert_true(cni_version_of("", &v));
	assert_int_equal(v, CNI_0_1_0);
}

static void unknown(void **state)
{
	static const char *const texts[] = { "1.2.0", "0.3", "1.1", "1.1.0 ", " 1.1.0", "v1.1.0",
		"1.1.0-rc1", "0.0.0", "x" };
	enum cni_version v = CNI_0_4_0;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		assert_false(cni_version_of(texts[i], &v));
		assert_int_equal(v, CNI_0_4_0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_and_back),
		cmocka_unit_test(none_is_the_oldest),
		cmocka_unit_test(unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
