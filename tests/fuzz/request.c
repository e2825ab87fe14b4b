/*
 * What is asked for, from a configuration and CNI_ARGS (the input's last line), under a fuzzer.
 * Needs clang's libFuzzer.
 */
#include "fuzz.h"

#include "base/json.h"
#include "cni/call.h"
#include "ipam/ipam.h"

/* Ranges begin before they end, inside of their subnet, and hold their ends. */
static void must_be_ranges(const struct ranges *ranges)
{
	for (size_t i = 0; i < ranges->n; i++) {
		const struct range *r = &ranges->list[i];

		MUST(ip_in(&r->start, &r->subnet) && ip_in(&r->end, &r->subnet));
		MUST(ip_compare(&r->start, &r->end) <= 0);
		MUST(ranges_holding(ranges, &r->start) == r &&
		     ranges_holding(ranges, &r->end) == r);
		MUST(r->gateway.family == r->subnet.family);
	}
}

/* Each address can be given out as it is, is of a range where there are any, and is there once. */
static void must_be_usable(const struct addresses *all, const struct ranges *ranges)
{
	for (size_t i = 0; i < all->n; i++) {
		struct address copy = all->list[i];
		struct err e = { 0 };

		MUST(copy.ip.prefix >= 0 && copy.ip.prefix <= ip_bits(&copy.ip));
		MUST(addresses_find(all, &copy.ip) == &all->list[i]);
		MUST(ranges->n == 0 || ranges_holding(ranges, &copy.ip));
		MUST(address_check(ranges, &copy, &e) == 0);
		MUST(memcmp(&copy, &all->list[i], sizeof(copy)) == 0);
		MUST(gateway_check(&copy.gateway, &copy.ip, &e) == 0);
	}
}

static void ask(struct cni_call *call)
{
	struct ipam_conf conf;
	struct addresses asked;
	struct err e = { 0 };
	int result = ipam_conf_read(call, &conf, &e);

	must_explain(result, &e);
	if (result < 0)
		return;
	must_be_ranges(&conf.ranges);
	result = request_read(call, &conf, &asked, &e);
	must_explain(result, &e);
	if (result == 0)
		must_be_usable(&asked, &conf.ranges);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_begin();
	char *text = text_of(data, size);
	char *line = strrchr(text, '\n');
	struct log log = { .level = LOG_ERROR, .err = -1, .file = -1 };
	cJSON *conf = NULL;
	struct cni_call call = { .log = &log,
				 .command = "ADD",
				 .version = size % 2 ? CNI_0_2_0 : CNI_NEWEST,
				 .network = "ipam-status" };
	struct err e = { 0 };

	args_split(line ? line + 1 : "", &call.args);
	if (json_parse(text, line ? (size_t)(line - text) : strlen(text), &conf, &e) == 0) {
		call.conf = conf;
		ask(&call);
	}
	return 0;
}
