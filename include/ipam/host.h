/* Who this host is, and since when it is up. */
#ifndef IPAM_HOST_H
#define IPAM_HOST_H

#include "base/err.h"
#include "base/world.h"

struct node {
	char name[256];
	char host_id[33]; /* the machine id; "" where the node is configured */
	char boot_id[37];
	double uptime; /* seconds since boot */
};

/*
 * `node` is what the configuration says, NULL where it is silent: then the host name together with
 * the machine id counts. No machine id is CNI_INVALID_NETWORK_CONFIG that asks for a node.
 */
int node_identity(const struct sys *w, const char *node, struct node *out, struct err *e);

/* The boot id and the uptime; no boot id is CNI_IO_FAILURE, for a guess would free live addresses.
 */
int node_boot(const struct sys *w, struct node *out, struct err *e);

#endif
