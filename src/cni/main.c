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
static void status_code(const struct cni_verb *verb, struct err *e)
{
	if (strcmp(verb->name, "STATUS") != 0)
		return;
	switch (e->code) {
	case CNI_INCOMPATIBLE:
	case CNI_UNSUPPORTED_FIELD:
	case CNI_ENV:
	case CNI_DECODE:
	case CNI_CONFIG: return;
	default: e->code = CNI_NOT_READY;
	}
}

/* containerd takes "not found" in an error of DEL for success, and the address would leak. Whose
 * words they are does not matter: libpq's too. */
static void unlike_success(const struct cni_verb *verb, struct err *e)
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
	struct conf *conf, struct cni_answer *answer, struct err *e)
{
	if (env_read(call->world, verb->needs, call, e) < 0 ||
		input_read(call->world->in, call->limit, input, &call->input_len, e) < 0)
		return -1;
	call->input = *input;
	if (conf_read(verb, call, conf, e) < 0)
		return -1;
	return verb->run(call, answer, e);
}

static int run_verb(const struct cni_verb *verb, struct cni_call *call)
{
	struct conf conf = { 0 };
	struct cni_answer answer = { 0 };
	struct err e = { 0 };
	char *input = NULL;
	int status;

	if (do_verb(verb, call, &input, &conf, &answer, &e) == 0) {
		status = answer_print(call, &answer);
	} else {
		status_code(verb, &e);
		unlike_success(verb, &e);
		status = answer_error(call, &e, conf.version);
	}
	conf_free(&conf);
	free(input);
	return status;
}

static int run_version(const struct cni_call *call)
{
	struct cni_answer answer = { .json = about_versions() };
	struct err e;

	if (answer.json)
		return answer_print(call, &answer);
	err_set(&e, CNI_IO, "out of memory");
	return answer_error(call, &e, NULL);
}

/* `told`: as in struct limit. */
static int run(const struct cni_plugin *plugin, const struct world *world, int told)
{
	const char *command = world_env(world, "CNI_COMMAND");
	const struct cni_verb *verb = command ? find_verb(plugin, command) : NULL;
	struct log log = { .level = LOG_INFO, .err = world->err, .file = -1 };
	struct limit limit = limit_in(verb ? verb->seconds : 0);
	struct cni_call call = { .world = world,
		.limit = &limit,
		.started = limit_now(),
		.log = &log,
		.command = command,
		.version = CNI_NEWEST };
	struct err e;
	int status;

	if (!command || !*command)
		return about_plugin(plugin, world->err);
	limit.reader = world->out;
	limit.told = told;
	if (verb) {
		status = run_verb(verb, &call);
	} else if (strcmp(command, "VERSION") == 0) {
		status = run_version(&call);
	} else {
		err_set(&e, CNI_ENV, "unknown CNI_COMMAND: %.100s", command);
		status = answer_error(&call, &e, NULL);
	}
	log_close(&log);
	return status;
}

int cni_run(const struct cni_plugin *plugin, const struct world *world)
{
	return run(plugin, world, -1);
}

int cni_main(const struct cni_plugin *plugin, int argc, char **argv, const struct world *world)
{
	int told = process_prepare();

	if (argc > 1)
		return about_option(plugin, argv[1], world->out, world->err);
	return run(plugin, world, told);
}
