/* The net plugin. It makes no interface: what it answers comes from the IPAM plugin. */
#ifndef NET_NET_H
#define NET_NET_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/process.h"
#include "cni/cni.h"
#include "cni/result.h"

#define NET_PLUGIN "status-cni"
#define IPAM_PLUGIN "ipam-status-cni"

cni_verb_run net_add;

/* Every other verb: the IPAM plugin's answer is the answer. DEL and CHECK are about an attachment,
 * which with "chained" is that of the net plugin before us: then they do nothing. */
cni_verb_run net_pass_on, net_pass_on_unless_chained;

/* What the net plugin reads of the network configuration. */
struct net_conf {
	const char *type; /* the IPAM plugin's name */
	double seconds;   /* how long it may take: ipam.timeout, or the verb's default */
	bool chained;     /* a net plugin before us in the list has the addresses */
	const cJSON *dns; /* our own; NULL if it says nothing */
};

/*
 * CNI_UNSUPPORTED_FIELD for an unknown key (a warning on DEL), CNI_INVALID_NETWORK_CONFIG for a
 * value of the wrong type and for a missing IPAM plugin. Of `ipam` only `type` and `timeout` are
 * looked at: the rest, and a timeout that is not valid, are for the IPAM plugin to judge.
 */
int net_conf_read(const struct cni_call *call, struct net_conf *out, struct err *e);

/* ---- the IPAM plugin (CNI specification, section 4 "Delegated plugin execution procedure") ----
 */

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
 * because nobody waits for us any more, else CNI_IO_FAILURE. Then out->error is NULL, whatever its
 * output says.
 */
int delegate_outcome(const char *path, const struct child_outcome *outcome,
		     struct delegate_reply *out, struct err *e);

/* The result in the reply to a successful ADD. CNI_IO_FAILURE if it is no result of version `v` or
 * has no address. Its interfaces are dropped: an IPAM plugin makes none. */
int delegate_result(const char *path, const struct delegate_reply *success, enum cni_version v,
		    struct result *out, struct err *e);

#endif
