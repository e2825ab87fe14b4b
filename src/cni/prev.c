#include "cni/prev.h"

#include "base/json.h"

/* An index into nothing would go into our answer and end runtimes that follow it. */
static int check_indexes(const struct result *r, struct err *e)
{
	int n = cJSON_GetArraySize(r->interfaces);

	for (size_t i = 0; i < r->n_ips; i++) {
		if (r->ips[i].interface >= n)
			return err_set(e, CNI_INVALID_NETWORK_CONFIG,
				       "the \"interface\" of ips[%zu] is an index into nothing "
				       "(interfaces: %d)",
				       i, n);
	}
	return 0;
}

/* Reads it in the version that it names. */
static int parse(const cJSON *prev, enum cni_version v, struct result *out, struct err *e)
{
	const char *named = json_string(prev, "cniVersion");

	if (named && *named && !cni_version_of(named, &v))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "unsupported CNI result version \"%.100s\"", named);
	if (result_parse(prev, v, CNI_INVALID_NETWORK_CONFIG, out, e) < 0)
		return -1;
	if (check_indexes(out, e) < 0) {
		result_free(out);
		return -1;
	}
	return 0;
}

int prev_result(const struct cni_call *call, struct result *out, struct err *e)
{
	const cJSON *prev = json_get(call->conf, "prevResult");
	struct result r;

	if (!prev)
		return 0;
	if (parse(prev, call->version, &r, e) < 0)
		return err_wrap(e, "could not parse prevResult");
	*out = r;
	return 1;
}
