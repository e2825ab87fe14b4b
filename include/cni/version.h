/* The released versions of the CNI protocol. */
#ifndef CNI_VERSION_H
#define CNI_VERSION_H

#include <stdbool.h>

enum cni_version {
	CNI_0_1_0,
	CNI_0_2_0,
	CNI_0_3_0,
	CNI_0_3_1,
	CNI_0_4_0,
	CNI_1_0_0,
	CNI_1_1_0,
	CNI_VERSIONS,
	CNI_NEWEST = CNI_VERSIONS - 1
};

/* "1.1.0" */
const char *cni_version_text(enum cni_version v);

/* The version of that text; NULL and "" are 0.1.0, as in the reference library. false: there is
 * none. */
bool cni_version_of(const char *text, enum cni_version *out);

#endif
