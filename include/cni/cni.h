/* A CNI plugin is a table of verbs; cni_main does everything around them. */
#ifndef CNI_CNI_H
#define CNI_CNI_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/limit.h"
#include "base/log.h"
#include "base/world.h"
#include "cni/version.h"

/* One invocation, checked: environment and stdin say what they must (CNI specification, section 2
 * "Parameters"). Everything is borrowed from cni_main and valid until the process ends. */
struct cni_call {
	const struct sys *sys;
	struct deadline *deadline; /* the verb's default time from the start of the process; a verb
				that has read a timeout of its own may set another end */
	int64_t started;           /* monotonic_now() at the start of the process */
	struct log *log;           /* info, stderr only, until the verb says otherwise */
	double default_timeout;    /* the verb's, seconds */
	const char *command;
	const char *container, *netns, *ifname, *args, *path; /* "" where absent */
	const char *input;                                    /* stdin's bytes */
	size_t input_len;
	const cJSON *conf; /* stdin as an object */
	enum cni_version version;
	const char *network; /* the configuration's name */
};

/* What a verb answers. */
struct cni_reply {
	char *json;    /* owned; NULL: nothing to print */
	bool is_error; /* json is an error object, passed on as it came: exit 1 */
	/* What to do if json cannot be written to stdout; may be NULL. */
	void (*rollback)(void *context, struct log *log);
	void (*destroy)(void *context); /* frees the context, always called last; may be NULL */
	void *context;
};

/* Returns 0 and an answer, or -1 and an error. Sets nothing else. */
typedef int cni_verb_run(const struct cni_call *call, struct cni_reply *answer, struct err *e);

enum cni_requires {
	CNI_REQUIRES_ATTACHMENT = 1 /* container and ifname */,
	CNI_REQUIRES_NETNS = 2
};

struct cni_verb {
	const char *name;  /* NULL ends the table */
	unsigned requires; /* enum cni_requires; CNI_PATH is needed always */
	enum cni_version min_version;
	double default_timeout; /* default time */
	cni_verb_run *run;
};

struct cni_plugin {
	const char *name;  /* "ipam-status-cni" */
	const char *about; /* what it is, one line without its version */
	const struct cni_verb *verbs;
};

/* main() of a plugin: returns the exit status. */
int cni_main(const struct cni_plugin *plugin, int argc, char **argv, const struct sys *sys);

/* The same without --help and --version and without touching the process: for tests. */
int cni_run(const struct cni_plugin *plugin, const struct sys *sys);

/* The line at level info that says what was asked for. The plugin that does the work logs it, once
 * its log is set up. */
void cni_log_invoked(const struct cni_call *call);

/*
 * CNI_ARGS: "K=V;K=V". Calls `pair` for each with key and value, in their order; `=` may stand
 * inside a value, values may be empty, empty pairs are passed over. A pair without `=` and invalid
 * UTF-8: CNI_INVALID_ENVIRONMENT.
 */
int cni_args(const char *args, void (*pair)(void *context, const char *key, const char *value),
	     void *context, struct err *e);

#endif
