/* stdin's configuration, for every verb and both plugins, under a fuzzer. Needs clang's libFuzzer.
 */
#include "fuzz.h"

#include "cni/call.h"
#include "cni/result.h"
#include "ipam/pick.h"
#include "net/net.h"

static const struct cni_verb verbs[] = {
	{ "ADD", 0, CNI_0_1_0, 1, NULL },
	{ "DEL", 0, CNI_0_1_0, 1, NULL },
	{ "GC", 0, CNI_1_1_0, 1, NULL },
};

static void fuzz_net(const struct cni_call *call)
{
	struct net_conf conf;
	struct err e = { 0 };

	must_explain(net_conf_read(call, &conf, &e), &e);
}

/* Whatever is picked may be picked, and each address is searched once on the long way round. */
static void fuzz_pools(const struct cni_call *call, const struct ipam_conf *conf)
{
	const struct pools pools = pools_of_call(call, conf);
	const struct sequence who = sequence_of("eth0", "ns", "pod", "node", "container");

	for (size_t set = 0; set < conf->ranges.n_sets; set++) {
		struct searches all = { 0 };
		ip_number sum = 0;
		struct ip first;
		bool any = pools_first_place(&pools, set, &who, &first);

		MUST(any == (pools_size(&pools, set) > 0));
		MUST(!any || pools_hold(&pools, set, &first));
		pools_search(&pools, set, &who, 0, false, 1, &all);
		for (size_t i = 0; i < all.n; i++) {
			const struct search *s = &all.list[i];

			MUST(pools_hold(&pools, set, &s->first) &&
			     pools_hold(&pools, set, &s->last));
			sum += ip_to_number(&s->last) - ip_to_number(&s->first) + 1;
		}
		MUST(sum == pools_size(&pools, set));
	}
}

static void fuzz_ipam(const struct cni_call *call)
{
	struct ipam_conf conf;
	struct addresses asked;
	struct err e = { 0 };
	int result = ipam_conf_read(call, &conf, &e);

	must_explain(result, &e);
	if (result < 0)
		return;
	must_explain(request_read(call, &conf, &asked, &e), &e);
	fuzz_pools(call, &conf);
}

static void fuzz_prev(const struct cni_call *call)
{
	struct result prev;
	struct err e = { 0 };

	must_explain(prev_result(call, &prev, &e), &e);
}

static void fuzz_valid(const struct cni_call *call)
{
	struct err e = { 0 };
	const char *list = NULL;
	int result = valid_attachments_read(call->conf, &list, &e);

	must_explain(result, &e);
	if (result == 0) {
		cJSON *again = cJSON_Parse(list);

		MUST(cJSON_IsArray(again));
	}
}

static void fuzz_verb(const struct cni_verb *verb, const uint8_t *data, size_t size)
{
	struct log log = { .level = LOG_DEBUG, .err = -1, .file = -1 };
	struct sys sys = { .in = -1, .out = -1, .err = -1, .sysroot = "/nonexistent" };
	struct deadline deadline = deadline_in(10);
	struct cni_call call = { .sys = &sys,
				 .deadline = &deadline,
				 .log = &log,
				 .command = verb->name,
				 .container = "pod-a",
				 .netns = "",
				 .ifname = "eth0",
				 .path = "/nonexistent",
				 .input = (const char *)data,
				 .input_len = size };
	struct err e = { 0 };
	int result = conf_read(verb, &call, &e);

	must_explain(result, &e);
	if (result == 0) {
		fuzz_net(&call);
		fuzz_ipam(&call);
		fuzz_prev(&call);
		fuzz_valid(&call);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_begin();
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		fuzz_verb(&verbs[i], data, size);
	return 0;
}
