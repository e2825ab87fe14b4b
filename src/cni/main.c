/*
 * An invocation from its first to its last step: environment, stdin, configuration, verb, answer.
 * Each step leaves its error here, and this file hands it to output.c.
 */
#include <string.h>

#include "base/memory.h"
#include "base/process.h"
#include "cni/call.h"
#include "cni/cni.h"

/* What is printed when there is no memory left: it cannot be made then. */
static const char out_of_memory[] =
	"{\"cniVersion\":\"1.1.0\",\"code\":11,\"msg\":\"out of memory\",\"details\":\"\"}\n";

static const struct cni_verb *find_verb(const struct cni_plugin *plugin, const char *name)
{
	for (const struct cni_verb *verb = plugin->verbs; verb->name; verb++)
		if (strcmp(verb->name, name) == 0)
			return verb;
	return NULL;
}

void cni_log_invoked(const struct cni_call *call)
{
	const char *traceparent = sys_env(call->sys, "TRACEPARENT");
	bool attachment = *call->container || *call->ifname;

	log_line(call->log, LOG_INFO, "INVOKED %s network=%s%s%s%s%s", call->command, call->network,
		 attachment ? " container=" : "", call->container, attachment ? " interface=" : "",
		 call->ifname);
	if (traceparent && *traceparent && !*call->trace)
		log_line(call->log, LOG_DEBUG, "TRACEPARENT is malformed and ignored: \"%.100s\"",
			 traceparent);
}

/* STATUS has one code for everything but what is wrong with the call itself. */
static void to_status_error(const struct cni_verb *verb, struct err *e)
{
	if (strcmp(verb->name, "STATUS") != 0)
		return;
	switch (e->code) {
	case CNI_INCOMPATIBLE_VERSION:
	case CNI_UNSUPPORTED_FIELD:
	case CNI_INVALID_ENVIRONMENT:
	case CNI_DECODING_FAILURE:
	case CNI_INVALID_NETWORK_CONFIG: return;
	default: e->code = CNI_PLUGIN_NOT_AVAILABLE;
	}
}

/* containerd takes "not found" in an error of DEL for success, and the address would leak. This
 * includes texts that come from libpq. */
static void hide_not_found(const struct cni_verb *verb, struct err *e)
{
	static const char words[] = "not there"; /* of the same length */
	char *at;

	if (strcmp(verb->name, "DEL") != 0)
		return;
	while ((at = strcasestr(e->msg, "not found")) || (at = strcasestr(e->details, "not found")))
		memcpy(at, words, sizeof(words) - 1);
}

static int run_verb(const struct cni_verb *verb, struct cni_call *call)
{
	struct cni_reply reply = { 0 };
	struct err e = { 0 };

	watch_call(call, verb->default_timeout + WATCHDOG_SECONDS);
	if (env_read(call->sys, verb->requires, call, &e) == 0 &&
	    stdin_read(call->sys->in, call, &e) == 0 && conf_read(verb, call, &e) == 0 &&
	    verb->run(call, &reply, &e) == 0)
		return send_reply(call, &reply);
	to_status_error(verb, &e);
	hide_not_found(verb, &e);
	return send_error(call, &e);
}

int cni_run(const struct cni_plugin *plugin, const struct sys *sys, int signal_fd)
{
	const char *command = sys_env(sys, "CNI_COMMAND");
	const struct cni_verb *verb = command ? find_verb(plugin, command) : NULL;
	struct log log = { .level = LOG_INFO, .err = sys->err, .file = -1 };
	double seconds = verb ? verb->default_timeout : 0;
	struct deadline deadline = deadline_in(seconds);
	struct cni_call call = { .sys = sys,
				 .deadline = &deadline,
				 .started = monotonic_now(),
				 .log = &log,
				 .default_timeout = seconds,
				 .command = command,
				 .setup = plugin->setup,
				 .version = CNI_NEWEST };
	struct err e;
	int status;

	if (!command || !*command)
		return print_about(plugin, sys->err);
	mem_set_last_words(sys->out, out_of_memory);
	deadline.stdout_fd = sys->out;
	deadline.signal_fd = signal_fd;
	if (verb) {
		status = run_verb(verb, &call);
	} else if (strcmp(command, "VERSION") == 0) {
		status = send_reply(&call, &(struct cni_reply){ .json = versions_json() });
	} else {
		err_set(&e, CNI_INVALID_ENVIRONMENT, "unknown CNI_COMMAND: %.100s", command);
		status = send_error(&call, &e);
	}
	log_close(&log);
	return status;
}

int cni_main(const struct cni_plugin *plugin, int argc, char **argv, const struct sys *sys)
{
	int signal_fd = harden_process();

	mem_for_cjson();
	if (argc > 1)
		return print_option(plugin, argv[1], sys->out, sys->err);
	return cni_run(plugin, sys, signal_fd);
}
