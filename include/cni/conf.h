/* The network configuration: what every plugin demands of it, whatever the verb. */
#ifndef CNI_CONF_H
#define CNI_CONF_H

#include <cjson/cJSON.h>

#include "cni/cni.h"

struct conf {
	cJSON *object;       /* owned */
	const char *version; /* its cniVersion where that is known and supported, else NULL */
};

/*
 * Parses and checks the call's input for the verb; fills in the call's conf, version and network.
 * What was found out before an error stays in *out, which is the caller's in any case (conf_free).
 * CNI_DECODING_FAILURE, CNI_INVALID_NETWORK_CONFIG or CNI_INCOMPATIBLE_VERSION.
 */
int conf_read(const struct cni_verb *verb, struct cni_call *call, struct conf *out, struct err *e);

void conf_free(struct conf *c);

#endif
