/* resolv.conf under a fuzzer. Needs clang's libFuzzer. */
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "cni/result.h"
#include "ipam/ipam.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cJSON *dns = NULL, *object;
	struct result result;
	struct err e = { 0 };
	char path[64];
	int fd = memfd_create("resolv.conf", MFD_CLOEXEC);

	fuzz_begin();
	MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	MUST(resolv_conf_read(path, &dns, &e) == 0);
	close(fd);
	object = cJSON_CreateObject();
	cJSON_AddItemToObject(object, "dns", dns);
	MUST(result_parse(object, CNI_NEWEST, CNI_INVALID_NETWORK_CONFIG, &result, &e) == 0);
	return 0;
}
