/* Who this host is, and since when it is up. */
#ifndef IPAM_HOST_H
#define IPAM_HOST_H

#include "base/err.h"
#include "base/world.h"

struct host {
	char node[256];
	char host_id[33]; /* the machine id; "" where the node is configured */
	char boot_id[37];
	double uptime; /* seconds since boot */
};

/*
 * `node` is what the configuration says, NULL where it is silent: then the host name together with
 * the machine id counts. No machine id is CNI_CONFIG that asks for a node.
 */
int host_identity(const struct world *w, const char *node, struct host *out, struct err *e);

/* The boot id and the uptime; no boot id is CNI_IO, for a guess would free live addresses. */
int host_boot(const struct world *w, struct host *out, struct err *e);

#endif
