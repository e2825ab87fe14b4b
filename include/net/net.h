/* The net plugin's verbs. It makes no interface: what it answers comes from the IPAM plugin. */
#ifndef NET_NET_H
#define NET_NET_H

#include "cni/cni.h"

#define NET_PLUGIN "status-cni"

/* Default times, for foreign IPAM plugins too. */
#define NET_SECONDS 10.0
#define NET_STATUS_SECONDS 2.0
#define NET_GC_SECONDS 25.0

cni_verb_run net_add, net_del, net_check, net_status, net_gc;

#endif
