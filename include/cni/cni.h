/* A CNI plugin is a table of verbs; cni_main does everything around them. */
#ifndef CNI_CNI_H
#define CNI_CNI_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/deadline.h"
#include "base/err.h"
#include "base/log.h"
#include "base/sys.h"

/* The released versions of the CNI protocol. */
enum cni_version {
	CNI_0_1_0,
	CNI_0_2_0,
	CNI_0_3_0,
	CNI_0_3_1,
	CNI_0_4_0,
	CNI_1_0_0,
	CNI_1_1_0,
	CNI_VERSIONS,
	CNI_NEWEST = CNI_VERSIONS - 1
};

/* "1.1.0" */
const char *cni_version_text(enum cni_version v);

/* The version of that text; NULL and "" are 0.1.0, as in the reference library. false: there is
 * none. */
bool cni_version_of(const char *text, enum cni_version *out);

/* All of them, "0.1.0" first. */
const char *cni_versions(const char *separator);

/* CNI_ARGS, split into its pairs. */
struct cni_args {
	struct cni_pair {
		const char *key, *value;
	} * list;
	size_t n;
	struct err invalid; /* code 0: every pair has a `=` */
};

/* One invocation, checked: environment and stdin say what they must (CNI specification, section 2
 * "Parameters"). Everything in it stays valid until the process ends. */
struct cni_call {
	const struct sys *sys;
	struct deadline *deadline; /* the verb's default timeout from the start of the process; a
				      verb that has read a timeout of its own may set another end */
	int64_t started;           /* monotonic_now() at the start of the process */
	struct log *log;           /* info, stderr only, until the verb says otherwise */
	double default_timeout;    /* the verb's, seconds */
	const char *command;
	const char *container, *netns, *ifname, *path; /* "" where absent */
	struct cni_args args;
	const char *trace; /* the trace id of TRACEPARENT; "" where there is none */
	const char *input; /* stdin's bytes */
	size_t input_len;
	const cJSON *conf;        /* stdin as an object */
	enum cni_version version; /* the newest until the configuration's is known */
	const char *network;      /* the configuration's name */
	const void *setup;        /* as in struct cni_plugin */
};

/* The value of a key in CNI_ARGS, of a repeated key the last; NULL where absent or empty. */
const char *cni_arg(const struct cni_call *call, const char *key);

/* The pod as CNI_ARGS names it, "namespace/name" or "name"; "" where it names none. */
const char *cni_pod(const struct cni_call *call);

/* CNI_INVALID_ENVIRONMENT where CNI_ARGS has a pair without `=` or is not valid UTF-8. For verbs
 * that use CNI_ARGS: the others take no notice of it. */
int cni_args_check(const struct cni_call *call, struct err *e);

/* The line at level info that says what was asked for. The plugin that does the work logs it, once
 * its log is set up. */
void cni_log_invoked(const struct cni_call *call);

/* Arms the watchdog (base/deadline.h): after `seconds` the process ends with an error object.
 * Printing disarms it. */
void watch_call(const struct cni_call *call, double seconds);

/* What a verb answers. */
struct cni_reply {
	char *json;    /* NULL: nothing to print */
	bool is_error; /* json is another plugin's error object, printed byte for byte: exit 1 */
	/* What to do if json cannot be written to stdout; may be NULL. */
	void (*rollback)(void *context, struct log *log);
	void *context;
};

/* Returns 0 and a reply, or -1 and an error. A verb prints nothing. */
typedef int cni_verb_run(const struct cni_call *call, struct cni_reply *reply, struct err *e);

enum cni_requires {
	CNI_REQUIRES_ATTACHMENT = 1, /* container and ifname */
	CNI_REQUIRES_NETNS = 2
};

struct cni_verb {
	const char *name;  /* NULL ends the table */
	unsigned requires; /* enum cni_requires; CNI_PATH is always required */
	enum cni_version min_version;
	double default_timeout; /* seconds */
	cni_verb_run *run;
};

struct cni_plugin {
	const char *name;  /* "ipam-status-cni" */
	const char *about; /* what it is, one line without its version */
	const struct cni_verb *verbs;
	const void *setup; /* what main() hands to the verbs, in cni_call; may be NULL */
};

/* main() of a plugin: returns the exit status. */
int cni_main(const struct cni_plugin *plugin, int argc, char **argv, const struct sys *sys);

/* The same without --help and --version and without changing the process. `signal_fd`: as in
 * struct deadline. */
int cni_run(const struct cni_plugin *plugin, const struct sys *sys, int signal_fd);

#endif
