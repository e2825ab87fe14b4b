/* The verbs of the IPAM plugin, and what they share. */
#ifndef IPAM_IPAM_H
#define IPAM_IPAM_H

#include "cni/cni.h"
#include "ipam/conf.h"
#include "ipam/host.h"
#include "store/store.h"

/* What every verb needs first: the configuration, this host, the store. */
struct ipam {
	struct ipam_conf conf;
	struct node node;
	struct store store;
};

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
