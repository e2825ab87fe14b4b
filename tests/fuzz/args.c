/* CNI_ARGS, and the request read from it, under a fuzzer. Needs clang's libFuzzer. */
#include "fuzz.h"

#include "cni/call.h"
#include "ipam/ipam.h"

static const char conf_text[] =
	"{\"ipam\":{\"ranges\":[[{\"subnet\":\"10.10.0.0/24\"}],[{\"subnet\":\"fd00:10::/64\"}]]}}";

static void read_request(struct cni_call *call)
{
	struct ipam_conf conf;
	struct addresses asked;
	struct err e = { 0 };
	int result;

	MUST(ipam_conf_read(call, &conf, &e) == 0);
	result = request_read(call, &conf, &asked, &e);
	must_explain(result, &e);
	for (size_t i = 0; i < asked.n; i++)
		MUST(asked.list[i].ip.family && asked.list[i].ip.prefix >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_begin();
	char *text = text_of(data, size);
	struct log log = { .level = LOG_DEBUG, .err = -1, .file = -1 };
	struct sys sys = { .in = -1, .out = -1, .err = -1, .sysroot = "/nonexistent" };
	struct deadline deadline = deadline_in(10);
	cJSON *object = cJSON_Parse(conf_text);
	struct cni_call call = { .sys = &sys,
				 .deadline = &deadline,
				 .log = &log,
				 .command = "ADD",
				 .container = "pod-a",
				 .netns = "/var/run/netns/pod-a",
				 .ifname = "eth0",
				 .path = "/nonexistent",
				 .conf = object,
				 .version = CNI_NEWEST,
				 .network = "ipam-status" };
	struct err e = { 0 };
	size_t bytes = 0;

	args_split(text, &call.args);
	must_explain(cni_args_check(&call, &e), &e);
	for (size_t i = 0; i < call.args.n; i++)
		bytes += strlen(call.args.list[i].key) + 1 + strlen(call.args.list[i].value);
	MUST(bytes <= strlen(text));
	read_request(&call);
	return 0;
}
