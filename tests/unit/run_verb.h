/* A verb of the IPAM plugin, run on allocations in memory. */
#ifndef TESTS_UNIT_RUN_VERB_H
#define TESTS_UNIT_RUN_VERB_H

#include "fake_store.h"
#include "ipam/ipam.h"
#include "make_call.h"
#include "tmpdir.h"

struct verb {
	struct fake fake; /* the store that the verb opens */
	bool has_machine; /* this host has VERB_ID, and a firmware that knows VERB_MACHINE */
	struct made_call m;
	void *dir; /* a struct tmpdir: the root of the host, and the log */
	struct cni_reply reply;
	struct err e;
	int rc;
	char log[8192]; /* what it has logged */
};

/* This host's boot id. */
#define VERB_BOOT "01234567-89ab-cdef-0123-456789abcdef"

/* Its machine id and, as it is recorded, its machine, if it has them. */
#define VERB_ID "0123456789abcdef0123456789abcdef"
#define VERB_MACHINE "28468dede2702b51c84cdfa4ddc29c13"

/*
 * Runs it as container pod-a on node "node-1". `conf` is the configuration without its braces and
 * without "ipam", `ipam` that object's keys without "node"; both have ' for ". verb_end when done.
 */
void verb_run(struct verb *v, cni_verb_run *run, const char *command, const char *conf,
	      const char *ipam, const char *args);

/* Runs it once more, with the same call. */
void verb_run_again(struct verb *v, cni_verb_run *run);

/* Did it log these words? */
bool verb_logged(const struct verb *v, const char *words);

/* Lets the caller find out that the answer cannot be printed. */
void verb_rollback(struct verb *v);

void verb_end(struct verb *v);

#endif
