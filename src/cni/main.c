/*
 * An invocation from its first to its last step: environment, stdin, configuration, verb, answer.
 * Nothing below it prints or exits, and each step leaves its error in one place.
 */
#include <stdlib.h>
#include <string.h>

#include "cni/about.h"
#include "cni/answer.h"
#include "cni/cni.h"
#include "cni/conf.h"
#include "cni/env.h"
#include "cni/input.h"
#include "cni/process.h"

static const struct cni_verb *find_verb(const struct cni_plugin *plugin, const char *name)
{
	for (const struct cni_verb *verb = plugin->verbs; verb->name; verb++) {
		if (strcmp(verb->name, name) == 0)
			return verb;
	}
	return NULL;
}

void cni_log_invoked(const struct cni_call *call)
{
	bool attachment = *call->container || *call->ifname;

	log_line(call->log, LOG_INFO, "INVOKED %s network=%s%s%s%s%s", call->command, call->network,
		 attachment ? " container=" : "", call->container, attachment ? " interface=" : "",
		 call->ifname);
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

/* containerd takes "not found" in an error of DEL for success, and the address would leak. Whose
 * words they are does not matter: libpq's too. */
static void hide_not_found(const struct cni_verb *verb, struct err *e)
{
	static const char words[] = "not there"; /* of the same length */
	char *const texts[] = { e->msg, e->details };
	char *at;

	if (strcmp(verb->name, "DEL") != 0)
		return;
	for (size_t i = 0; i < 2; i++) {
		while ((at = strcasestr(texts[i], "not found")))
			memcpy(at, words, sizeof(words) - 1);
	}
}

/* Environment, stdin and configuration into `call`, then the verb. */
static int do_verb(const struct cni_verb *verb, struct cni_call *call, char **input,
		   struct conf *conf, struct cni_reply *answer, struct err *e)
{
	if (env_read(call->sys, verb->requires, call, e) < 0 ||
	    read_stdin(call->sys->in, call->deadline, input, &call->input_len, e) < 0)
		return -1;
	call->input = *input;
	if (conf_read(verb, call, conf, e) < 0)
		return -1;
	return verb->run(call, answer, e);
}

static int run_verb(const struct cni_verb *verb, struct cni_call *call)
{
	struct conf conf = { 0 };
	struct cni_reply answer = { 0 };
	struct err e = { 0 };
	char *input = NULL;
	int status;

	if (do_verb(verb, call, &input, &conf, &answer, &e) == 0) {
		status = send_reply(call, &answer);
	} else {
		to_status_error(verb, &e);
		hide_not_found(verb, &e);
		status = send_error(call, &e, conf.version);
	}
	conf_free(&conf);
	free(input);
	return status;
}

static int run_version(const struct cni_call *call)
{
	struct cni_reply answer = { .json = about_versions() };
	struct err e;

	if (answer.json)
		return send_reply(call, &answer);
	err_set(&e, CNI_IO_FAILURE, "out of memory");
	return send_error(call, &e, NULL);
}

/* `signal_fd`: as in struct deadline. */
static int run(const struct cni_plugin *plugin, const struct sys *sys, int signal_fd)
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
				 .version = CNI_NEWEST };
	struct err e;
	int status;

	if (!command || !*command)
		return about_plugin(plugin, sys->err);
	deadline.stdout_fd = sys->out;
	deadline.signal_fd = signal_fd;
	if (verb) {
		status = run_verb(verb, &call);
	} else if (strcmp(command, "VERSION") == 0) {
		status = run_version(&call);
	} else {
		err_set(&e, CNI_INVALID_ENVIRONMENT, "unknown CNI_COMMAND: %.100s", command);
		status = send_error(&call, &e, NULL);
	}
	log_close(&log);
	return status;
}

int cni_run(const struct cni_plugin *plugin, const struct sys *sys)
{
	return run(plugin, sys, -1);
}

int cni_main(const struct cni_plugin *plugin, int argc, char **argv, const struct sys *sys)
{
	int signal_fd = harden_process();

	if (argc > 1)
		return about_option(plugin, argv[1], sys->out, sys->err);
	return run(plugin, sys, signal_fd);
}
