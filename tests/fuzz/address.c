/* Addresses under a fuzzer. Needs clang's libFuzzer. */
#include "fuzz.h"

#include "base/ip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_begin();
	char *text = text_of(data, size);
	char canonical[IP_TEXT];
	struct ip ip, again, net, last;

	if (ip_parse(text, &ip)) {
		ip_text(&ip, true, canonical);
		MUST(ip_parse(canonical, &again));
		MUST(memcmp(&ip, &again, sizeof(ip)) == 0);
		net = ip_network(&ip);
		last = ip_last(&ip);
		MUST(ip_in(&ip, &net) && ip_in(&net, &ip) && ip_in(&last, &ip));
		MUST(ip_compare(&net, &ip) <= 0 && ip_compare(&ip, &last) <= 0);
	}
	return 0;
}
