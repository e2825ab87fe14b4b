/* What the net plugin reads of the network configuration. */
#ifndef NET_CONF_H
#define NET_CONF_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "base/err.h"
#include "cni/cni.h"

/* All of it borrowed from the call. */
struct net_conf {
	const char *type; /* the IPAM plugin's name */
	double timeout;   /* ipam.timeout in seconds; 0: none, or none that is valid */
	bool chained;     /* a net plugin before us in the list has the addresses */
	const cJSON *dns; /* our own, where it says anything; else NULL */
};

/*
 * CNI_UNSUPPORTED_FIELD for a key that nobody knows (a warning on DEL), CNI_INVALID_NETWORK_CONFIG
 * for a value of the wrong type and for a missing IPAM plugin. Of `ipam` only `type` and `timeout`
 * are looked at: the rest, and a timeout that is not valid, are the IPAM plugin's.
 */
int net_conf_read(const struct cni_call *call, struct net_conf *out, struct err *e);

#endif
