/*
 * The IPAM plugin: finding it, running it, judging what it answered. (CNI specification, section 4
 * "Delegated plugin execution procedure")
 */
#ifndef NET_DELEGATE_H
#define NET_DELEGATE_H

#include <cjson/cJSON.h>
#include <stdint.h>

#include "base/err.h"
#include "base/process.h"
#include "cni/cni.h"
#include "cni/result.h"

struct delegate {
	const struct cni_call *call;
	const char *path; /* its executable */
	double seconds;   /* its time; it is killed a second later */
	int64_t end;      /* when that second is over (monotonic_now()); 0: it was never started */
};

/* What it answered. */
struct delegate_reply {
	char *error;  /* its error object, byte for byte; NULL: it succeeded */
	double code;  /* that error's code */
	cJSON *value; /* its output as JSON; NULL: it wrote nothing, or no JSON */
};

/*
 * Searches the directories of CNI_PATH, in their order, for a regular executable file of the name
 * `type`. Empty entries are skipped: they never mean the working directory. Returns NULL with
 * CNI_INVALID_NETWORK_CONFIG if there is none, if the name has a '/', or if it is this very plugin.
 */
struct delegate *delegate_find(const struct cni_call *call, const char *type, double seconds,
			       struct err *e);

/* Runs it with our stdin, environment and stderr, and judges it, see delegate_outcome().
 * CNI_IO_FAILURE too if it could not be started: then d->end is 0. */
int delegate_run(struct delegate *d, struct delegate_reply *out, struct err *e);

/*
 * Runs it again with DEL, after its ADD was of no use. It gets what is left of its time, but at
 * least a second, and nothing ends it earlier. A failure is only logged: nobody is left to whom it
 * could be returned.
 */
void delegate_rollback(void *delegate, struct log *log);

/*
 * What its exit and its output mean: a success, or a failure that comes with an error object.
 * Anything else is an error of ours: CNI_TRY_AGAIN_LATER if it was killed at its deadline or
 * because nobody waits for us any more, else CNI_IO_FAILURE. Then only out->code is set, if its
 * output has one.
 */
int delegate_outcome(const char *path, const struct child_outcome *outcome,
		     struct delegate_reply *out, struct err *e);

/* The result in the reply to a successful ADD. CNI_IO_FAILURE if it is no result of version `v` or
 * has no address. Its interfaces are dropped: an IPAM plugin makes none. */
int delegate_result(const char *path, const struct delegate_reply *success, enum cni_version v,
		    struct result *out, struct err *e);

#endif
