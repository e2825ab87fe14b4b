/* The net plugin: it hands the IPAM plugin what it got, and answers with what that answers. */
#include "base/world.h"
#include "cni/cni.h"
#include "net/net.h"

#include <unistd.h>

static const struct cni_verb verbs[] = {
	{ "ADD", CNI_REQUIRES_ATTACHMENT | CNI_REQUIRES_NETNS, CNI_0_1_0, NET_SECONDS, net_add },
	{ "DEL", CNI_REQUIRES_ATTACHMENT, CNI_0_1_0, NET_SECONDS, net_del },
	{ "CHECK", CNI_REQUIRES_ATTACHMENT | CNI_REQUIRES_NETNS, CNI_0_4_0, NET_SECONDS,
	  net_check },
	{ "STATUS", 0, CNI_1_1_0, NET_STATUS_SECONDS, net_status },
	{ "GC", 0, CNI_1_1_0, NET_GC_SECONDS, net_gc },
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
