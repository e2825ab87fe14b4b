/* The network namespace that the call names. */
#ifndef NET_NETNS_H
#define NET_NETNS_H

#include "base/err.h"
#include "cni/cni.h"

/*
 * CNI_NETNS where the call names the namespace that this process is in: a runtime's mistake, unless
 * CNI_NETNS_OVERRIDE says that it is meant. What is no path to a namespace is not judged: nothing
 * here enters it, and the specification calls it a reference to the container's isolation domain.
 */
int netns_check(const struct cni_call *call, struct err *e);

#endif
