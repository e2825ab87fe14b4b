/* GC's list of valid attachments. */
#ifndef IPAM_VALID_H
#define IPAM_VALID_H

#include <cjson/cJSON.h>

#include "base/err.h"

/*
 * The list of `cni.dev/valid-attachments` (where that key is absent, `cni.dev/attachments`),
 * written anew: what was validated is what is sent. null and no key at all are an empty list.
 * Anything that could be read in two ways is CNI_INVALID_NETWORK_CONFIG: a list of another type, an
 * entry without the two strings, a repeated key, a character that stands for one that could not be
 * read. The text is the caller's.
 */
int valid_attachments_read(const cJSON *conf, char **out, struct err *e);

#endif
