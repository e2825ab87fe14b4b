/* The IPAM plugin: every allocation is a row in PostgreSQL. */
#include "ipam/ipam.h"

static const struct cni_verb verbs[] = {
	{ "ADD", CNI_REQUIRES_ATTACHMENT | CNI_REQUIRES_NETNS, CNI_0_1_0, DEFAULT_TIMEOUT,
	  ipam_add },
	{ "DEL", CNI_REQUIRES_ATTACHMENT, CNI_0_1_0, DEFAULT_TIMEOUT, ipam_del },
	{ "CHECK", CNI_REQUIRES_ATTACHMENT | CNI_REQUIRES_NETNS, CNI_0_4_0, DEFAULT_TIMEOUT,
	  ipam_check },
	{ "STATUS", 0, CNI_1_1_0, DEFAULT_STATUS_TIMEOUT, ipam_status },
	{ "GC", 0, CNI_1_1_0, DEFAULT_GC_TIMEOUT, ipam_gc },
	{ 0 },
};

static const struct ipam_setup setup = { .open_store = store_open };

static const struct cni_plugin plugin = {
	.name = "ipam-status-cni",
	.about = "CNI IPAM plugin that records addresses in PostgreSQL",
	.verbs = verbs,
	.setup = &setup,
};

int main(int argc, char **argv, char **env)
{
	const struct sys sys = { .env = env, .in = 0, .out = 1, .err = 2, .sysroot = "" };

	return cni_main(&plugin, argc, argv, &sys);
}
