/* CNI_ARGS. Needs nothing. */
#include "unit.h"

#include <stdio.h>

#include "cni/call.h"

/* "key->value|" for each pair. */
static void split(const char *text, struct cni_call *call, char *pairs)
{
	args_split(text, &call->args);
	*pairs = '\0';
	for (size_t i = 0; i < call->args.n; i++)
		sprintf(pairs + strlen(pairs), "%s->%s|", call->args.list[i].key,
			call->args.list[i].value);
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
		char text[256];
		struct cni_call call;
		struct err e = { 0 };

		split(t[i].args, &call, text);
		assert_int_equal(cni_args_check(&call, &e), 0);
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
		char text[256];
		struct cni_call call;
		struct err e = { 0 };

		split(t[i].args, &call, text);
		assert_int_equal(cni_args_check(&call, &e), -1);
		assert_err(&e, CNI_INVALID_ENVIRONMENT, t[i].msg, t[i].details);
	}
}

TEST(of_a_repeated_key_the_last_counts)
{
	struct cni_call call;

	args_split("A=1;B=;A=2", &call.args);
	assert_string_equal(cni_arg(&call, "A"), "2");
	assert_string_equal(cni_arg(&call, "B"), "");
	assert_null(cni_arg(&call, "a"));
	args_split("", &call.args);
	assert_null(cni_arg(&call, "A"));
}
