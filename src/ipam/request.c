#include "ipam/request.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/sys.h"
#include "ipam/usable.h"

#define ANNOTATIONS "io.kubernetes.cri.pod-annotations"
#define ANNOTATION "ipam-status-cni/ips"

/* A position in the table is a smallint. */
#define MOST 32767

const struct request_ip *request_find(const struct request *r, const struct ip *ip)
{
	for (size_t i = 0; i < r->n; i++)
		if (ip_same_host(&r->ips[i].ip, ip))
			return &r->ips[i];
	return NULL;
}

void request_free(struct request *r)
{
	free(r->ips);
	*r = (struct request){ 0 };
}

static int add(struct request *r, const struct request_ip *new, struct err *e)
{
	struct request_ip *list;

	if (r->n >= MOST)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "more than %d addresses for one attachment", MOST);
	if ((r->n & (r->n - 1)) == 0) { /* grows at powers of two */
		list = realloc(r->ips, (r->n ? r->n * 2 : 1) * sizeof(*list));
		if (!list)
			return err_set(e, CNI_IO_FAILURE, "out of memory");
		r->ips = list;
	}
	r->ips[r->n++] = *new;
	return 0;
}

static int read_address(const char *text, const char *where, struct ip *out, struct err *e)
{
	if (ip_parse(text, out))
		return 0;
	return err_set(e, CNI_INVALID_NETWORK_CONFIG,
		       "%s: \"%s\" is not an IP address with or without a prefix length, such as "
		       "10.0.0.5/24",
		       where, text);
}

static int add_text(struct request *r, const char *text, const char *where, struct err *e)
{
	struct request_ip new = { 0 };

	if (read_address(text, where, &new.ip, e) < 0)
		return -1;
	return add(r, &new, e);
}

/* ---- lists of strings ---- */

/* An object below an object; NULL where there is none. What is there and of another type is an
 * error. */
static int get_object(const cJSON *in, const char *key, const cJSON **out, struct err *e)
{
	*out = json_get(in, key);
	if (*out && !cJSON_IsObject(*out))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG, "%s is not an object", key);
	return 0;
}

static int read_list(const cJSON *list, const char *where, struct request *r, struct err *e)
{
	const cJSON *item;

	if (list && !cJSON_IsArray(list))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG, "%s is not a list", where);
	cJSON_ArrayForEach(item, list)
	{
		if (!cJSON_IsString(item))
			return err_set(e, CNI_INVALID_NETWORK_CONFIG, "%s: an item is not a string",
				       where);
		if (add_text(r, item->valuestring, where, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- strings separated by commas ---- */

/* Calls `item` for each part that is not blank. Blanks around a part are ignored. */
static int each_part(const char *list, const char *where,
		     int (*item)(struct request *, const char *, const char *, struct err *),
		     struct request *r, struct err *e)
{
	cleanup_free char *copy = strdup(list);
	char *rest = copy, *part;

	if (!copy)
		return err_set(e, CNI_IO_FAILURE, "out of memory");
	while ((part = strsep(&rest, ","))) {
		size_t len;

		part += strspn(part, " \t\r\n");
		len = strlen(part);
		while (len && strchr(" \t\r\n", part[len - 1]))
			part[--len] = '\0';
		if (len && item(r, part, where, e) < 0)
			return -1;
	}
	return 0;
}

/* GATEWAY goes to every address whose prefix holds it. */
static int add_gateway(struct request *r, const char *text, const char *where, struct err *e)
{
	struct ip gateway;

	if (!ip_parse(text, &gateway) || gateway.prefix >= 0)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "%s: \"%s\" is not an IP address without a prefix length", where,
			       text);
	for (size_t i = 0; i < r->n; i++)
		if (r->ips[i].ip.family == gateway.family && ip_in(&gateway, &r->ips[i].ip))
			r->ips[i].gateway = gateway;
	return 0;
}

/* ---- the sources ---- */

static int from_annotation(const struct cni_call *call, const cJSON *runtime, struct request *r,
			   struct err *e)
{
	const cJSON *capabilities, *annotations, *ips;

	if (get_object(call->conf, "capabilities", &capabilities, e) < 0)
		return -1;
	if (!cJSON_IsTrue(json_get(capabilities, ANNOTATIONS)))
		return 0;
	if (get_object(runtime, ANNOTATIONS, &annotations, e) < 0)
		return -1;
	ips = json_get(annotations, ANNOTATION);
	if (ips && !cJSON_IsString(ips))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "the pod annotation " ANNOTATION " is not a string");
	return ips ? each_part(ips->valuestring, "pod annotation " ANNOTATION, add_text, r, e) : 0;
}

static int from_runtime(const struct cni_call *call, struct request *r, struct err *e)
{
	const cJSON *runtime;

	if (get_object(call->conf, "runtimeConfig", &runtime, e) < 0 ||
	    read_list(json_get(runtime, "ips"), "runtimeConfig.ips", r, e) < 0)
		return -1;
	return r->n > 0 ? 0 : from_annotation(call, runtime, r, e);
}

static int from_args(const struct cni_call *call, struct request *r, struct err *e)
{
	const cJSON *args, *cni;

	if (get_object(call->conf, "args", &args, e) < 0 || get_object(args, "cni", &cni, e) < 0)
		return -1;
	return read_list(json_get(cni, "ips"), "args.cni.ips", r, e);
}

static int read_gateway(const cJSON *json, struct ip *out, struct err *e)
{
	const cJSON *value = json_get(json, "gateway");

	if (!value || (cJSON_IsString(value) && !value->valuestring[0]))
		return 0;
	if (!cJSON_IsString(value) || !ip_parse(value->valuestring, out) || out->prefix >= 0)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "ipam.addresses: gateway \"%s\" is not an IP address",
			       cJSON_IsString(value) ? value->valuestring : "");
	return 0;
}

static int from_conf(const cJSON *addresses, struct request *r, struct err *e)
{
	const cJSON *item;

	if (addresses && !cJSON_IsArray(addresses))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG, "ipam.addresses is not a list");
	cJSON_ArrayForEach(item, addresses)
	{
		const char *text = json_string(item, "address");
		struct request_ip new = { 0 };

		if (!text)
			return err_set(
				e, CNI_INVALID_NETWORK_CONFIG,
				"ipam.addresses: an item is not an object with an \"address\" "
				"string");
		if (read_address(text, "ipam.addresses", &new.ip, e) < 0 ||
		    read_gateway(item, &new.gateway, e) < 0 || add(r, &new, e) < 0)
			return -1;
	}
	return 0;
}

/* Says in *env_counts whether CNI_ARGS' IP and GATEWAY do: nothing of what comes before them was
 * there. */
static int read_sources(const struct cni_call *call, const struct ipam_conf *conf,
			struct request *r, bool *env_counts, struct err *e)
{
	const char *ip = cni_arg(call, "IP");

	if (from_runtime(call, r, e) < 0 || (r->n == 0 && from_args(call, r, e) < 0))
		return -1;
	*env_counts = r->n == 0;
	if (!*env_counts)
		return 0;
	if (from_conf(conf->addresses, r, e) < 0)
		return -1;
	return ip ? each_part(ip, "CNI_ARGS IP", add_text, r, e) : 0;
}

/* Equal addresses are asked for once. */
static int unite(struct request *r, struct err *e)
{
	size_t kept = 0;
	char a[IP_TEXT], b[IP_TEXT];

	for (size_t i = 0; i < r->n; i++) {
		struct request before = { r->ips, kept };
		struct request_ip *same = (struct request_ip *)request_find(&before, &r->ips[i].ip);

		if (same && same->ip.prefix != r->ips[i].ip.prefix)
			return err_set(e, CNI_INVALID_NETWORK_CONFIG,
				       "%s and %s are one address with two prefix lengths",
				       ip_text(&same->ip, true, a),
				       ip_text(&r->ips[i].ip, true, b));
		if (same && !same->gateway.family)
			same->gateway = r->ips[i].gateway;
		if (!same)
			r->ips[kept++] = r->ips[i];
	}
	r->n = kept;
	return 0;
}

static int read_all(const struct cni_call *call, const struct ipam_conf *conf, struct request *r,
		    struct err *e)
{
	const char *gateway = cni_arg(call, "GATEWAY");
	struct addresses all = { 0 };
	bool env_counts;

	if (read_sources(call, conf, r, &env_counts, e) < 0)
		return -1;
	for (size_t i = 0; i < r->n; i++)
		if (address_check(&conf->ranges, &r->ips[i].ip, &r->ips[i].gateway, e) < 0)
			return -1;
	if (env_counts && gateway && each_part(gateway, "CNI_ARGS GATEWAY", add_gateway, r, e) < 0)
		return -1;
	if (unite(r, e) < 0)
		return -1;
	for (size_t i = 0; i < r->n; i++)
		addresses_add(&all, &(struct address){ .ip = r->ips[i].ip });
	return result_check_capacity(&all, call->version, e);
}

int request_read(const struct cni_call *call, const struct ipam_conf *conf, struct request *out,
		 struct err *e)
{
	struct request r = { 0 };
	int rc = cni_args_check(call, e);

	if (rc == 0)
		rc = read_all(call, conf, &r, e);
	if (rc < 0)
		request_free(&r);
	else
		*out = r;
	return rc;
}
