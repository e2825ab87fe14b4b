/*
 * From the outside to a checked call: environment variables, CNI_ARGS, stdin, and what every
 * network configuration must have.
 */
#include "cni/call.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/memory.h"

#define IFNAME_MAX 15 /* the kernel's IFNAMSIZ less the NUL */
#define STDIN_ROOM (64UL * 1024)

/* Names of networks and containers: a letter or digit, then letters, digits, _ . or -. */
static bool is_name(const char *text)
{
	static const char all[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	return text[strspn(text, all)] == '\0' && !strchr("_.-", text[0]);
}

/* ---- environment ---- */

struct variable {
	const char *name;
	const char **value;
	bool required;
	/* What is wrong with a value, in the reference library's words; NULL: nothing. */
	const char *(*check)(const char *value);
	const char *rule; /* what check demands */
};

static const char *check_container(const char *value)
{
	return is_name(value) ? NULL : "invalid characters in containerID";
}

/* Is the character Unicode's white space (property White_Space)? */
static bool is_space(const char *c, size_t len)
{
	static const char spaces[] =
		" \t\n\v\f\r\xc2\x85\u00a0\u1680\u2000\u2001\u2002\u2003\u2004"
		"\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000";

	return memmem(spaces, sizeof(spaces) - 1, c, len);
}

static const char *check_ifname(const char *value)
{
	size_t len;

	if (strlen(value) > IFNAME_MAX)
		return "interface name is too long";
	if (strcmp(value, ".") == 0 || strcmp(value, "..") == 0)
		return "interface name is . or ..";
	if (!utf8_valid(value))
		return "interface name is not valid UTF-8";
	for (; *value; value += len) {
		len = utf8_char(value, strlen(value));
		if (*value == '/' || *value == ':' || is_space(value, len))
			return "interface name contains / or : or whitespace characters";
	}
	return NULL;
}

/* The trace id of a TRACEPARENT as W3C Trace Context defines it (version, trace, parent, flags); ""
 * where it is malformed. */
static const char *trace_id(const char *traceparent)
{
	static const char hex[] = "0123456789abcdef";
	static const char shape[] = "vv-tttttttttttttttttttttttttttttttt-pppppppppppppppp-ff";
	const size_t len = sizeof(shape) - 1;

	for (size_t i = 0; i < len; i++) {
		char c = traceparent[i];

		if (!c || (shape[i] == '-' ? c != '-' : !strchr(hex, c)))
			return "";
	}
	/* Version ff and ids of zeros are invalid; only later versions may be longer. */
	if (strncmp(traceparent, "ff", 2) == 0 || strspn(traceparent + 3, "0") >= 32 ||
	    strspn(traceparent + 36, "0") >= 16)
		return "";
	if (traceparent[len] && (traceparent[len] != '-' || strncmp(traceparent, "00", 2) == 0))
		return "";
	return mem_strndup(traceparent + 3, 32);
}

/* What every log line of the call ends with. */
static const char *log_suffix(const struct cni_call *call)
{
	const char *pod = cni_pod(call);

	return mem_printf("%s%s%s%s", *pod ? " pod=" : "", pod, *call->trace ? " trace=" : "",
			  call->trace);
}

int env_read(const struct sys *sys, unsigned requires, struct cni_call *call, struct err *e)
{
	const bool attachment = requires & CNI_REQUIRES_ATTACHMENT;
	const char *args, *traceparent;
	const struct variable vars[] = {
		{ "CNI_CONTAINERID", &call->container, attachment, check_container,
		  "a letter or digit, then letters, digits, _ . or -" },
		{ "CNI_NETNS", &call->netns, requires & CNI_REQUIRES_NETNS, NULL, NULL },
		{ "CNI_IFNAME", &call->ifname, attachment, check_ifname,
		  "less than 16 characters, no / or : or whitespace" },
		{ "CNI_ARGS", &args, false, NULL, NULL },
		{ "CNI_PATH", &call->path, true, NULL, NULL },
		{ "TRACEPARENT", &traceparent, false, NULL, NULL },
		{ 0 },
	};
	struct strbuf missing = { 0 }, invalid = { 0 }, rules = { 0 };

	for (const struct variable *v = vars; v->name; v++) {
		const char *value = sys_env(sys, v->name), *wrong = NULL;

		*v->value = value ? value : "";
		if (v->required && !**v->value)
			strbuf_join(&missing, ",", v->name);
		else if (v->required && v->check)
			wrong = v->check(*v->value);
		if (!wrong)
			continue;
		strbuf_join(&invalid, "; ", wrong);
		strbuf_join(&rules, "; ",
			    mem_printf("%s is \"%.100s\" (%s)", v->name, value, v->rule));
	}
	args_split(args, &call->args);
	call->trace = trace_id(traceparent);
	call->log->suffix = log_suffix(call);
	if (missing.len) {
		err_set(e, CNI_INVALID_ENVIRONMENT, "required env variables [%s] missing",
			missing.s);
		return invalid.len ? err_details(e, "%s: %s", invalid.s, rules.s) : -1;
	}
	if (!invalid.len)
		return 0;
	err_set(e, CNI_INVALID_ENVIRONMENT, "%s", invalid.s);
	return err_details(e, "%s", rules.s);
}

/* ---- CNI_ARGS ---- */

void args_split(const char *text, struct cni_args *out)
{
	char *rest = mem_strdup(text);
	char *pair;

	*out = (struct cni_args){ 0 };
	if (!utf8_valid(text)) {
		err_set(&out->invalid, CNI_INVALID_ENVIRONMENT,
			"ARGS: CNI_ARGS is not valid UTF-8");
		return;
	}
	while ((pair = strsep(&rest, ";"))) {
		char *equals = strchr(pair, '=');

		if (!*pair)
			continue;
		if (!equals) {
			err_set(&out->invalid, CNI_INVALID_ENVIRONMENT,
				"ARGS: invalid pair \"%.200s\"", pair);
			err_details(&out->invalid,
				    "CNI_ARGS is KEY=VALUE pairs separated by semicolons");
			return;
		}
		*equals = '\0';
		out->list = mem_grow_list(out->list, out->n, sizeof(*out->list));
		out->list[out->n].key = pair;
		out->list[out->n++].value = equals + 1;
	}
}

const char *cni_arg(const struct cni_call *call, const char *key)
{
	const char *found = NULL;

	for (size_t i = 0; i < call->args.n; i++)
		if (strcmp(call->args.list[i].key, key) == 0)
			found = call->args.list[i].value;
	return found && *found ? found : NULL;
}

const char *cni_pod(const struct cni_call *call)
{
	const char *name = cni_arg(call, "K8S_POD_NAME");
	const char *namespace = cni_arg(call, "K8S_POD_NAMESPACE");

	if (!name)
		return "";
	return namespace ? mem_printf("%s/%s", namespace, name) : name;
}

int cni_args_check(const struct cni_call *call, struct err *e)
{
	if (!call->args.invalid.code)
		return 0;
	*e = call->args.invalid;
	return -1;
}

/* ---- stdin ---- */

/* Reads once. 1: there may be more, 0: that was the end. */
static int read_some(int fd, const struct deadline *d, char *to, size_t room, size_t *len,
		     struct err *e)
{
	enum wait_result r = deadline_wait(d, fd, POLLIN);
	ssize_t n;

	/* Check the clock too: a writer of one byte at a time must not extend the deadline. */
	if (r == WAIT_READY && deadline_left(d) <= 0)
		r = WAIT_TIMEOUT;
	if (r != WAIT_READY) {
		err_set(e, CNI_TRY_AGAIN_LATER, "error reading from stdin: %s", wait_reason(r));
		if (r == WAIT_TIMEOUT)
			err_details(e,
				    "stdin did not end: close it after the network configuration");
		return -1;
	}
	n = read(fd, to, room);
	if (n < 0 && errno != EINTR && errno != EAGAIN)
		return err_set(e, CNI_IO_FAILURE, "error reading from stdin: %s", strerror(errno));
	if (n > 0)
		*len += (size_t)n;
	return n != 0;
}

int stdin_read(int fd, struct cni_call *call, struct err *e)
{
	struct stat st;
	bool sized = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;
	/* One byte more than a file has, or than may come, finds the end. */
	size_t most = STDIN_MAX + 1, room = sized ? (size_t)st.st_size + 1 : STDIN_ROOM;
	char *text = NULL;
	size_t len = 0, had = 0;
	int more = 1;

	while (more) {
		if (len == had) {
			room = room < most ? room : most;
			text = mem_grow(text, had, room);
			had = room;
			room *= 2;
		}
		more = read_some(fd, call->deadline, text + len, had - len, &len, e);
		if (more < 0)
			return -1;
		if (len > STDIN_MAX)
			return err_set(
				e, CNI_DECODING_FAILURE,
				"error unmarshall network config: stdin is longer than %lu MiB",
				STDIN_MAX >> 20);
	}
	call->input = text;
	call->input_len = len;
	return 0;
}

/* ---- network configuration ---- */

static int parse_conf(const struct cni_call *call, cJSON **out, struct err *e)
{
	if (json_parse(call->input, call->input_len, out, e) < 0) {
		err_wrap(e, "error unmarshall network config");
		if (call->input_len == 0)
			err_details(e,
				    "stdin is empty: the network configuration is expected there");
		return -1;
	}
	if (!cJSON_IsObject(*out))
		return err_set(e, CNI_DECODING_FAILURE,
			       "error unmarshall network config: it is not a JSON object");
	return 0;
}

static int check_network(const cJSON *conf, const char **name, struct err *e)
{
	const cJSON *value = json_get(conf, "name");
	const char *text = cJSON_GetStringValue(value);

	if (value && !text)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "invalid network name: it is not a string");
	if (!text || !*text)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG, "missing network name");
	if (!is_name(text)) {
		err_set(e, CNI_INVALID_NETWORK_CONFIG, "invalid characters found in network name");
		return err_details(e, "%.200s", text);
	}
	*name = text;
	return 0;
}

static int check_conf_version(const struct cni_verb *verb, const cJSON *value, enum cni_version *v,
			      struct err *e)
{
	const char *text = cJSON_GetStringValue(value);

	if (value && !text)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "invalid cniVersion: it is not a string");
	if (!cni_version_of(text, v)) {
		err_set(e, CNI_INCOMPATIBLE_VERSION, "incompatible CNI versions");
		return err_details(e, "config is \"%.100s\", plugin supports [\"%s\"]", text,
				   cni_versions("\" \""));
	}
	if (*v < verb->min_version) {
		err_set(e, CNI_INCOMPATIBLE_VERSION, "config version does not allow %s",
			verb->name);
		return err_details(e, "%s needs \"cniVersion\" %s or later, config is %s",
				   verb->name, cni_version_text(verb->min_version),
				   cni_version_text(*v));
	}
	return 0;
}

int conf_read(const struct cni_verb *verb, struct cni_call *call, struct err *e)
{
	const cJSON *version;
	cJSON *conf;

	if (parse_conf(call, &conf, e) < 0)
		return -1;
	call->conf = conf;
	version = json_get(conf, "cniVersion");
	if (!version || cJSON_IsString(version))
		cni_version_of(cJSON_GetStringValue(version), &call->version);
	if (check_network(conf, &call->network, e) < 0)
		return -1;
	return check_conf_version(verb, version, &call->version, e);
}
