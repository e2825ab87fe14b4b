/* Where the IPAM plugin's executable is. (CNI specification, section 4) */
#ifndef NET_FIND_H
#define NET_FIND_H

#include "base/err.h"
#include "cni/cni.h"

/*
 * Searches the directories of CNI_PATH, in their order, for a regular executable file of the name
 * `type`. Empty entries are passed over: they never mean the working directory. *path is the
 * caller's. CNI_INVALID_NETWORK_CONFIG: there is none, the name has a '/', or it is this very
 * plugin.
 */
int delegate_find(const struct cni_call *call, const char *type, char **path, struct err *e);

#endif
