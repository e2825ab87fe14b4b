/* The net plugin's verbs. Started as the network's "type", it runs the IPAM plugin of ipam.type. */
#include "base/sys.h"
#include "cni/cni.h"
#include "net/net.h"

#include <unistd.h>

static const struct cni_verb verbs[] = {
	{ "ADD", CNI_REQUIRES_ATTACHMENT | CNI_REQUIRES_NETNS, CNI_0_1_0, DEFAULT_TIMEOUT,
	  net_add },
	{ "DEL", CNI_REQUIRES_ATTACHMENT, CNI_0_1_0, DEFAULT_TIMEOUT, net_pass_on_unless_chained },
	{ "CHECK", CNI_REQUIRES_ATTACHMENT | CNI_REQUIRES_NETNS, CNI_0_4_0, DEFAULT_TIMEOUT,
	  net_pass_on_unless_chained },
	{ "STATUS", 0, CNI_1_1_0, DEFAULT_STATUS_TIMEOUT, net_pass_on },
	{ "GC", 0, CNI_1_1_0, DEFAULT_GC_TIMEOUT, net_pass_on },
	{ 0 },
};

static const struct cni_plugin plugin = {
	.name = NET_PLUGIN,
	.about = "CNI net plugin that takes its addresses from an IPAM plugin and passes on every "
		 "verb",
	.verbs = verbs,
};

int main(int argc, char **argv)
{
	const struct sys sys = { .env = environ, .in = 0, .out = 1, .err = 2, .sysroot = "" };

	return cni_main(&plugin, argc, argv, &sys);
}
