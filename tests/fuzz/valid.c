/* GC's list of valid attachments under a fuzzer. Needs clang's libFuzzer. */
#include "fuzz.h"

#include "base/json.h"
#include "ipam/ipam.h"

/* Each entry has its two strings and nothing else. */
static void must_be_strict(const cJSON *list)
{
	const cJSON *entry;

	MUST(cJSON_IsArray(list));
	cJSON_ArrayForEach(entry, list) {
		MUST(cJSON_GetArraySize(entry) == 2);
		MUST(json_string(entry, "containerID") && json_string(entry, "ifname"));
	}
}

/* What is sent reads as what was validated: nothing in it can be read in another way. */
static void must_read_the_same(const char *list)
{
	size_t len = strlen(list);
	cJSON *conf = cJSON_CreateObject(), *read = NULL;
	const char *again = NULL;
	struct err e = { 0 };

	MUST(json_parse(list, len, &read, &e) == 0);
	must_be_strict(read);
	MUST(cJSON_AddItemToObject(conf, "cni.dev/valid-attachments", read));
	MUST(valid_attachments_read(conf, &again, &e) == 0);
	MUST(strcmp(list, again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_begin();
	cJSON *conf = NULL;
	const char *list = NULL;
	struct err e = { 0 };
	int result;

	if (json_parse((const char *)data, size, &conf, &e) < 0)
		return 0;
	if (cJSON_IsObject(conf)) { /* what a configuration always is */
		result = valid_attachments_read(conf, &list, &e);
		must_explain(result, &e);
		if (result == 0)
			must_read_the_same(list);
	}
	return 0;
}
