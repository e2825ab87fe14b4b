/* The verbs of the IPAM plugin, and what they share. */
#ifndef IPAM_IPAM_H
#define IPAM_IPAM_H

#include "cni/cni.h"
#include "ipam/conf.h"
#include "store/store.h"

/* What every verb needs first: the configuration, this host, the store. */
struct ipam {
	struct ipam_conf conf;
	struct node node;
	struct store store;
};

/*
 * Who this host is: `configured` if it is not NULL, otherwise the host name together with the
 * machine id. Without a machine id CNI_INVALID_NETWORK_CONFIG, which asks for a "node" in the
 * configuration.
 */
int node_identity(const struct sys *sys, const char *configured, struct node *out, struct err *e);

/* The boot id and the uptime. Without a boot id CNI_IO_FAILURE: a guess would free addresses that
 * are in use. */
int node_boot(const struct sys *sys, struct node *out, struct err *e);

enum ipam_needs { IPAM_NEEDS_NODE = 1, IPAM_NEEDS_BOOT = 2 };

/*
 * Reads the configuration, sets the call's log and deadline by it, logs that the verb was invoked,
 * learns who this host is as far as `needs` (enum ipam_needs) says, opens the store. On failure
 * nothing is left to close.
 */
int ipam_open(const struct cni_call *call, unsigned needs, struct ipam *out, struct err *e);
void ipam_close(struct ipam *i);

/* The attachment of the call. Borrows from both. */
struct attachment ipam_attachment(const struct cni_call *call, const struct ipam *i);

/* Seconds that a release gets after the deadline or after everybody has gone. */
#define IPAM_RELEASE_SECONDS 0.3

cni_verb_run ipam_add, ipam_del, ipam_check, ipam_gc, ipam_status;

#endif
