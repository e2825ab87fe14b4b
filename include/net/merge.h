/* What the net plugin answers to ADD: prevResult's and the IPAM plugin's together. */
#ifndef NET_MERGE_H
#define NET_MERGE_H

#include "cni/cni.h"
#include "cni/result.h"

/*
 * Adds `ours` to what `base` has, which all stays. Where one of base's interfaces is that of the
 * call (name and sandbox), our addresses get its index. `dns`, where there is one, replaces that of
 * `ours`. -1 only without memory: CNI_IO_FAILURE.
 */
int merge_results(struct result *base, const struct result *ours, const struct cni_call *call,
		  const cJSON *dns, struct err *e);

#endif
