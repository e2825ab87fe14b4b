/* An invocation as a verb gets it. */
#ifndef TESTS_UNIT_MAKE_CALL_H
#define TESTS_UNIT_MAKE_CALL_H

#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cni/call.h"

struct made_call {
	struct cni_call call;
	struct sys sys;
	struct deadline deadline;
	struct log log;
	char *env[8];
	char command[64];
	cJSON *conf;
};

/* A call with that verb and configuration; `path` is CNI_PATH. It stays where it is: the call
 * points into it. */
static inline const struct cni_call *make_call(struct made_call *m, const char *command,
					       const char *conf, const char *path)
{
	static char none[] = "CNI_NETNS_OVERRIDE=";
	static char bin[] = "PATH=/usr/bin:/bin";
	struct err e = { 0 };

	*m = (struct made_call){ .deadline = deadline_in(10),
				 .log = { .level = LOG_INFO, .err = -1, .file = -1 } };
	assert_int_equal(json_parse(conf, strlen(conf), &m->conf, &e), 0);
	snprintf(m->command, sizeof(m->command), "CNI_COMMAND=%s", command);
	m->env[0] = bin;
	m->env[1] = m->command;
	m->env[2] = none;
	m->sys = (struct sys){ .env = m->env, .in = 0, .out = 1, .err = 2, .sysroot = "" };
	m->call = (struct cni_call){ .sys = &m->sys,
				     .deadline = &m->deadline,
				     .started = monotonic_now(),
				     .log = &m->log,
				     .default_timeout = 10,
				     .command = command,
				     .container = "pod1",
				     .netns = "/no/such/netns",
				     .ifname = "eth0",
				     .trace = "",
				     .path = path,
				     .input = conf,
				     .input_len = strlen(conf),
				     .conf = m->conf,
				     .version = CNI_NEWEST,
				     .network = "net" };
	return &m->call;
}

static inline void drop_call(struct made_call *m)
{
	cJSON_Delete(m->conf);
}

#endif
