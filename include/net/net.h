/* The net plugin's verbs. It makes no interface: what it answers comes from the IPAM plugin. */
#ifndef NET_NET_H
#define NET_NET_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "base/err.h"
#include "cni/cni.h"

#define NET_PLUGIN "status-cni"
#define IPAM_PLUGIN "ipam-status-cni"

cni_verb_run net_add;

/* Every other verb: the IPAM plugin's answer is the answer. DEL and CHECK are about an attachment,
 * which with "chained" is that of the net plugin before us: then they do nothing. */
cni_verb_run net_pass_on, net_pass_on_unless_chained;

/* What the net plugin reads of the network configuration. */
struct net_conf {
	const char *type; /* the IPAM plugin's name */
	double seconds;   /* how long it may take: ipam.timeout, or the verb's default */
	bool chained;     /* a net plugin before us in the list has the addresses */
	const cJSON *dns; /* our own; NULL if it says nothing */
};

/*
 * CNI_UNSUPPORTED_FIELD for an unknown key (a warning on DEL), CNI_INVALID_NETWORK_CONFIG for a
 * value of the wrong type and for a missing IPAM plugin. Of `ipam` only `type` and `timeout` are
 * looked at: the rest, and a timeout that is not valid, are for the IPAM plugin to judge.
 */
int net_conf_read(const struct cni_call *call, struct net_conf *out, struct err *e);

#endif
