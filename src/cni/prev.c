#include "cni/prev.h"

#include "base/json.h"

int prev_result(const struct cni_call *call, struct result *out, struct err *e)
{
	const cJSON *prev = json_get(call->conf, "prevResult");
	const char *named = json_string(prev, "cniVersion");
	enum cni_version v = call->version;

	if (!prev)
		return 0;
	if (named && *named && !cni_version_of(named, &v)) {
		err_set(e, CNI_CONFIG, "unsupported CNI result version \"%.100s\"", named);
		return err_wrap(e, "could not parse prevResult");
	}
	if (result_parse(prev, v, CNI_CONFIG, out, e) < 0)
		return err_wrap(e, "could not parse prevResult");
	return 1;
}
