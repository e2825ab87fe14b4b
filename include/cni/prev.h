/* prevResult: what the plugins before this one in the list have answered. */
#ifndef CNI_PREV_H
#define CNI_PREV_H

#include <stdbool.h>

#include "cni/cni.h"
#include "cni/result.h"

/*
 * The call's prevResult, in the version that it names (else the configuration's). 1: there is one,
 * *out is the caller's; 0: there is none; -1: CNI_INVALID_NETWORK_CONFIG, also for an index into
 * nothing.
 */
int prev_result(const struct cni_call *call, struct result *out, struct err *e);

#endif
