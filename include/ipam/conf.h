/* The `ipam` object of the configuration. */
#ifndef IPAM_CONF_H
#define IPAM_CONF_H

#include "cni/cni.h"
#include "cni/result.h"
#include "ipam/range.h"
#include "store/store.h"

struct ipam_conf {
	const cJSON *ipam;      /* the object itself: the store reads libpq's keywords */
	const cJSON *addresses; /* borrowed from the call; NULL where absent */
	struct result answers;  /* routes and dns */
	struct ranges ranges;
	const char *node; /* borrowed; NULL where absent */
	double grace;     /* gcGracePeriod, seconds */
	double timeout;   /* seconds; 0: the verb's default */
	enum log_level log_level;
	const char *log_file; /* borrowed; NULL where absent */
};

/*
 * Reads what the call's verb needs: DEL and GC take no notice of `ranges`, `routes` and `dns`. Of
 * unknown keys DEL only warns. CNI_UNSUPPORTED_FIELD for an unknown key, CNI_INVALID_NETWORK_CONFIG
 * for a wrong value.
 */
int ipam_conf_read(const struct cni_call *call, struct ipam_conf *out, struct err *e);
void ipam_conf_free(struct ipam_conf *c);

#endif
