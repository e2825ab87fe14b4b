/* The parameters that come as environment variables (CNI specification, section 2). */
#ifndef CNI_ENV_H
#define CNI_ENV_H

#include "cni/cni.h"

/*
 * Fills in the call's command, container, netns, ifname, args and path ("" where absent). What the
 * verb needs (enum cni_requires) and is missing or invalid: CNI_INVALID_ENVIRONMENT, naming all of
 * it.
 */
int env_read(const struct sys *w, unsigned needs, struct cni_call *call, struct err *e);

#endif
