/* An invocation as a verb gets it. */
#ifndef TESTS_UNIT_CALL_H
#define TESTS_UNIT_CALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cni/cni.h"

struct made_call {
	struct cni_call call;
	struct world world;
	struct limit limit;
	struct log log;
	char *env[8];
	char command[64];
	cJSON *conf;
};

/* A call with that verb and configuration; `path` is CNI_PATH. It stays where it is: the call
 * points into it. */
static inline const struct cni_call *make_call(
	struct made_call *m, const char *command, const char *conf, const char *path)
{
	static char none[] = "CNI_NETNS_OVERRIDE=";
	static char bin[] = "PATH=/usr/bin:/bin";
	struct err e = { 0 };

	*m = (struct made_call){ .limit = limit_in(10),
		.log = { .level = LOG_INFO, .err = -1, .file = -1 } };
	assert_int_equal(json_parse(conf, strlen(conf), &m->conf, &e), 0);
	snprintf(m->command, sizeof(m->command), "CNI_COMMAND=%s", command);
	m->env[0] = bin;
	m->env[1] = m->command;
	m->env[2] = none;
	m->world = (struct world){ .env = m->env, .in = 0, .out = 1, .err = 2, .root = "" };
	m->call = (struct cni_call){ .world = &m->world,
		.limit = &m->limit,
		.started = limit_now(),
		.log = &m->log,
		.command = command,
		.container = "pod1",
		.netns = "/no/such/netns",
		.ifname = "eth0",
		.args = "",
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
