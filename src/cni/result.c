/* The versions of the protocol, how many addresses fit into one, and prevResult. */
#include "cni/result.h"

#include <string.h>

#include "base/memory.h"

/* ---- versions ---- */

static const char *const versions[CNI_VERSIONS] = { "0.1.0", "0.2.0", "0.3.0", "0.3.1",
						    "0.4.0", "1.0.0", "1.1.0" };

const char *cni_version_text(enum cni_version v)
{
	return versions[v];
}

bool cni_version_of(const char *text, enum cni_version *out)
{
	if (!text || !*text) {
		*out = CNI_0_1_0;
		return true;
	}
	for (int v = 0; v < CNI_VERSIONS; v++) {
		if (strcmp(versions[v], text) == 0) {
			*out = (enum cni_version)v;
			return true;
		}
	}
	return false;
}

const char *cni_versions(const char *separator)
{
	struct strbuf all = { 0 };

	for (int v = 0; v < CNI_VERSIONS; v++)
		strbuf_join(&all, separator, versions[v]);
	return strbuf_str(&all);
}

/* ---- the result ---- */

int result_check_capacity(const struct addresses *ips, enum cni_version v, struct err *e)
{
	if (v >= CNI_0_3_0 ||
	    (addresses_of_family(ips, 4) <= 1 && addresses_of_family(ips, 6) <= 1))
		return 0;
	err_set(e, CNI_INVALID_NETWORK_CONFIG,
		"CNI version %s does not support more than 1 address per family",
		cni_version_text(v));
	return err_details(e,
			   "set \"cniVersion\" to 0.3.1 or later, or ask for one of each family");
}

/* ---- prevResult ---- */

int prev_result(const struct cni_call *call, struct result *out, struct err *e)
{
	const cJSON *prev = json_get(call->conf, "prevResult");
	const char *named = json_string(prev, "cniVersion");
	enum cni_version v = call->version;
	struct result r;

	if (!prev)
		return 0;
	if (named && *named && !cni_version_of(named, &v))
		return err_set(
			e, CNI_INVALID_NETWORK_CONFIG,
			"could not parse prevResult: unsupported CNI result version \"%.100s\"",
			named);
	if (result_parse(prev, v, CNI_INVALID_NETWORK_CONFIG, &r, e) < 0)
		return err_wrap(e, "could not parse prevResult");
	*out = r;
	return 1;
}
