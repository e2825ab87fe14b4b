#include "cni/conf.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"

static int parse(const struct cni_call *call, struct conf *out, struct err *e)
{
	if (json_parse(call->input, call->input_len, &out->object, e) < 0) {
		err_wrap(e, "error unmarshall network config");
		if (call->input_len == 0)
			err_details(e,
				    "stdin is empty: the network configuration is expected there");
		return -1;
	}
	if (!cJSON_IsObject(out->object))
		return err_set(e, CNI_DECODING_FAILURE,
			       "error unmarshall network config: it is not a JSON object");
	return 0;
}

static int check_name(const cJSON *object, const char **name, struct err *e)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	static const char all[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	const cJSON *value = json_get(object, "name");
	const char *text = cJSON_GetStringValue(value);

	if (value && !text)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "invalid network name: it is not a string");
	if (!text || !*text)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG, "missing network name");
	if (!strchr(letters, text[0]) || text[strspn(text, all)]) {
		err_set(e, CNI_INVALID_NETWORK_CONFIG, "invalid characters found in network name");
		return err_details(e, "%.200s", text);
	}
	*name = text;
	return 0;
}

static int not_supported(const char *version, struct err *e)
{
	char list[128] = "";
	size_t len = 0;

	for (int v = 0; v < CNI_VERSIONS && len < sizeof(list); v++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s\"%s\"", v ? " " : "",
					cni_version_text((enum cni_version)v));
	err_set(e, CNI_INCOMPATIBLE_VERSION, "incompatible CNI versions");
	return err_details(e, "config is \"%.100s\", plugin supports [%s]", version, list);
}

static int check_version(const struct cni_verb *verb, const cJSON *value, enum cni_version *v,
			 struct err *e)
{
	const char *text = cJSON_GetStringValue(value);

	if (value && !text)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "invalid cniVersion: it is not a string");
	if (!cni_version_of(text, v))
		return not_supported(text, e);
	if (*v < verb->min_version) {
		err_set(e, CNI_INCOMPATIBLE_VERSION, "config version does not allow %s",
			verb->name);
		return err_details(e, "%s needs \"cniVersion\" %s or later, config is %s",
				   verb->name, cni_version_text(verb->min_version),
				   cni_version_text(*v));
	}
	return 0;
}

int conf_read(const struct cni_verb *verb, struct cni_call *call, struct conf *out, struct err *e)
{
	const cJSON *version;
	enum cni_version v;

	if (parse(call, out, e) < 0)
		return -1;
	version = json_get(out->object, "cniVersion");
	/* The errors that follow are said in this version already. */
	if ((!version || cJSON_IsString(version)) &&
	    cni_version_of(cJSON_GetStringValue(version), &v))
		out->version = cni_version_text(v);
	call->conf = out->object;
	if (check_name(out->object, &call->network, e) < 0)
		return -1;
	return check_version(verb, version, &call->version, e);
}

void conf_free(struct conf *c)
{
	cJSON_Delete(c->object);
	*c = (struct conf){ 0 };
}
