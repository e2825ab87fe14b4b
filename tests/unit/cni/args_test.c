/* CNI_ARGS. Needs nothing. */
#include "unit.h"

#include <stdio.h>

#include "cni/cni.h"

/* Appends "key->value|". */
static void note(void *context, const char *key, const char *value)
{
	char *text = context;

	sprintf(text + strlen(text), "%s->%s|", key, value);
}

TEST(pairs)
{
	static const struct {
		const char *args, *pairs;
	} t[] = {
		{ "", "" },
		{ ";;", "" },
		{ "A=1", "A->1|" },
		{ "B=2;A=1", "B->2|A->1|" },
		{ ";A=1;;B=2;", "A->1|B->2|" },
		{ "A=1;A=2", "A->1|A->2|" },
		{ "A=", "A->|" },
		{ "=x", "->x|" },
		{ "A=b=c==", "A->b=c==|" },
		{ "IgnoreUnknown=1;K8S_POD_NAME=a b", "IgnoreUnknown->1|K8S_POD_NAME->a b|" },
		{ "A=caf\xc3\xa9", "A->caf\xc3\xa9|" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		char text[256] = "";
		struct err e = { 0 };

		assert_int_equal(cni_args(t[i].args, note, text, &e), 0);
		assert_string_equal(text, t[i].pairs);
		assert_int_equal(e.code, 0);
	}
}

TEST(refused)
{
	static const char shape[] = "CNI_ARGS is KEY=VALUE pairs separated by semicolons";
	static const struct {
		const char *args, *msg, *details;
	} t[] = {
		{ "A", "ARGS: invalid pair \"A\"", shape },
		{ "A=1;B\n;C=2", "ARGS: invalid pair \"B \"", shape },
		{ " ", "ARGS: invalid pair \" \"", shape },
		{ "A=\xff", "ARGS: CNI_ARGS is not valid UTF-8", "" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		char text[256] = "";
		struct err e = { 0 };

		assert_int_equal(cni_args(t[i].args, note, text, &e), -1);
		assert_err(&e, CNI_INVALID_ENVIRONMENT, t[i].msg, t[i].details);
	}
}
