#include "cni/version.h"

#include <string.h>

static const char *const texts[CNI_VERSIONS] = { "0.1.0", "0.2.0", "0.3.0", "0.3.1",
						 "0.4.0", "1.0.0", "1.1.0" };

const char *cni_version_text(enum cni_version v)
{
	return texts[v];
}

bool cni_version_of(const char *text, enum cni_version *out)
{
	if (!text || !*text) {
		*out = CNI_0_1_0;
		return true;
	}
	for (int v = 0; v < CNI_VERSIONS; v++) {
		if (strcmp(texts[v], text) == 0) {
			*out = (enum cni_version)v;
			return true;
		}
	}
	return false;
}
