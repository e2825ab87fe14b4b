/* Which addresses an attachment asks for. */
#ifndef IPAM_REQUEST_H
#define IPAM_REQUEST_H

#include "ipam/ipam.h"

/*
 * For each family the first source that names an address of it decides: runtimeConfig.ips, the
 * pod's annotation, args.cni.ips, CNI_ARGS IP together with ipam.addresses. Each address has a
 * prefix length, and none is there twice; without any, *out is empty. CNI_INVALID_NETWORK_CONFIG
 * for an address that cannot be given out, and for more than one of a family up to 0.2.0;
 * CNI_INVALID_ENVIRONMENT where CNI_ARGS are malformed.
 */
int request_read(const struct cni_call *call, const struct ipam_conf *conf, struct addresses *out,
		 struct err *e);

/* All gateways that the call names, for an address or a route, used or not. */
struct addresses request_gateways(const struct cni_call *call, const struct ipam_conf *conf);

#endif
