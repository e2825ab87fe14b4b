/* Strict JSON under a fuzzer. Needs clang's libFuzzer. */
#include "fuzz.h"

#include "base/json.h"

static char *print(const cJSON *value)
{
	char *text = cJSON_PrintUnformatted(value);

	MUST(text);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_begin();
	cJSON *value = NULL, *again = NULL;
	struct err e = { 0 };
	int result = json_parse((const char *)data, size, &value, &e);

	must_explain(result, &e);
	if (result == 0) {
		char *first = print(value), *second;

		MUST(json_parse(first, strlen(first), &again, &e) == 0);
		second = print(again);
		MUST(strcmp(first, second) == 0);
	}
	return 0;
}
