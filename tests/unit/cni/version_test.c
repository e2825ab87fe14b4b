/* Protocol versions. Needs nothing. */
#include "unit.h"

#include "cni/cni.h"

TEST(texts_and_back)
{
	static const char *const texts[] = { "0.1.0", "0.2.0", "0.3.0", "0.3.1",
					     "0.4.0", "1.0.0", "1.1.0" };

	assert_int_equal(COUNT(texts), CNI_VERSIONS);
	for (size_t i = 0; i < COUNT(texts); i++) {
		enum cni_version v;

		assert_true(cni_version_of(texts[i], &v));
		assert_int_equal(v, i);
		assert_string_equal(cni_version_text(v), texts[i]);
	}
	assert_string_equal(cni_version_text(CNI_NEWEST), "1.1.0");
}

TEST(none_is_the_oldest)
{
	enum cni_version v = CNI_NEWEST;

	assert_true(cni_version_of(NULL, &v));
	assert_int_equal(v, CNI_0_1_0);
	v = CNI_NEWEST;
	assert_true(cni_version_of("", &v));
	assert_int_equal(v, CNI_0_1_0);
}

TEST(unknown)
{
	static const char *const texts[] = { "1.2.0",  "0.3",       "1.1",   "1.1.0 ", " 1.1.0",
					     "v1.1.0", "1.1.0-rc1", "0.0.0", "x" };
	enum cni_version v = CNI_0_4_0;

	for (size_t i = 0; i < COUNT(texts); i++) {
		assert_false(cni_version_of(texts[i], &v));
		assert_int_equal(v, CNI_0_4_0);
	}
}
