/* Which addresses an attachment asks for. */
#ifndef IPAM_REQUEST_H
#define IPAM_REQUEST_H

#include "cni/cni.h"
#include "ipam/conf.h"

struct request_ip {
	struct ip ip;      /* with its prefix length */
	struct ip gateway; /* family 0: none */
};

struct request {
	struct request_ip *ips; /* owned; no host twice */
	size_t n;
};

/*
 * Reads all sources in their order: runtimeConfig.ips, else the pod's annotation, else
 * args.cni.ips, else CNI_ARGS IP and GATEWAY with ipam.addresses. An address that cannot be given
 * out is CNI_INVALID_NETWORK_CONFIG, as is more than one of a family up to 0.2.0. Asking for
 * nothing is a request with n 0.
 */
int request_read(const struct cni_call *call, const struct ipam_conf *conf, struct request *out,
		 struct err *e);
void request_free(struct request *r);

/* What the request says of an address, prefix lengths aside; NULL: nothing. */
const struct request_ip *request_find(const struct request *r, const struct ip *ip);

#endif
