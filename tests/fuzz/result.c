/* A delegate's answer and results of every version under a fuzzer. Needs clang's libFuzzer. */
#include "fuzz.h"

#include "base/json.h"
#include "cni/result.h"
#include "net/net.h"

static char *print(const struct result *r, enum cni_version v)
{
	char *text = result_print(r, v);

	MUST(text);
	return text;
}

/* What was printed is read and printed the same again. */
static void print_and_read(const struct result *r, enum cni_version v)
{
	char *text = print(r, v);
	char *again;
	cJSON *object = NULL;
	struct result read;
	struct err e = { 0 };

	MUST(json_parse(text, strlen(text), &object, &e) == 0);
	MUST(result_parse(object, v, CNI_IO_FAILURE, &read, &e) == 0);
	again = print(&read, v);
	MUST(strcmp(text, again) == 0);
}

static void fuzz_version(const cJSON *object, enum cni_version v)
{
	struct result r;
	struct err e = { 0 };
	int result = result_parse(object, v, CNI_INVALID_NETWORK_CONFIG, &r, &e);

	must_explain(result, &e);
	if (result < 0)
		return;
	print_and_read(&r, v);
}

static void fuzz_reply(const char *text, size_t size, int status)
{
	struct child_outcome outcome = {
		.end = CHILD_EXITED, .status = status, .output = (char *)text, .len = size
	};
	struct delegate_reply reply;
	struct result r;
	struct err e = { 0 };
	int result = delegate_outcome("/opt/cni/bin/x", &outcome, &reply, &e);

	must_explain(result, &e);
	if (result < 0)
		return;
	if (!reply.error) {
		result = delegate_result("/opt/cni/bin/x", &reply, CNI_NEWEST, &r, &e);
		must_explain(result, &e);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_begin();
	char *text = text_of(data, size);
	cJSON *object = NULL;
	struct err e = { 0 };

	if (json_parse(text, size, &object, &e) == 0) {
		for (int v = 0; v < CNI_VERSIONS; v++)
			fuzz_version(object, (enum cni_version)v);
	}
	fuzz_reply(text, size, 0);
	fuzz_reply(text, size, 1);
	return 0;
}
