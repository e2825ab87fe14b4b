/* `resolvConf`, as the upstream host-local plugin has it. */
#ifndef IPAM_RESOLV_CONF_H
#define IPAM_RESOLV_CONF_H

#include <cjson/cJSON.h>

#include "base/err.h"

/*
 * Reads a file in the form of resolv.conf(5) into a `dns` object of a result: nameservers, search
 * and options collect over all lines, of several domains the last counts. What cannot be read, is
 * not a plain file or is longer than a megabyte is CNI_INVALID_NETWORK_CONFIG.
 */
int resolv_conf_read(const char *path, cJSON **dns, struct err *e);

#endif
