#include "net/netns.h"

#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static bool is_meant(const struct sys *w)
{
	const char *override = sys_env(w, "CNI_NETNS_OVERRIDE");

	return override && (strcmp(override, "1") == 0 || strcasecmp(override, "true") == 0);
}

int netns_check(const struct cni_call *call, struct err *e)
{
	struct stat own, named;

	if (is_meant(call->sys) || stat(call->netns, &named) < 0 ||
	    stat("/proc/self/ns/net", &own) < 0)
		return 0;
	if (own.st_dev != named.st_dev || own.st_ino != named.st_ino)
		return 0;
	err_set(e, CNI_INVALID_NETNS,
		"plugin's netns and netns from CNI_NETNS should not be the same");
	return err_details(e, "CNI_NETNS_OVERRIDE=1 allows it");
}
