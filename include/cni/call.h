/* The steps from the outside to a checked call, and from its answer to the outside. */
#ifndef CNI_CALL_H
#define CNI_CALL_H

#include "cni/cni.h"

/*
 * The parameters that come as environment variables (CNI specification, section 2): fills in the
 * call's command, container, netns, ifname, args and path ("" where absent). What the verb requires
 * (enum cni_requires) and is missing or invalid is CNI_INVALID_ENVIRONMENT, which names all of it.
 * From then on every line of the call's log says which pod and which trace the call belongs to.
 */
int env_read(const struct sys *sys, unsigned requires, struct cni_call *call, struct err *e);

/* CNI_ARGS: "K=V;K=V". `=` may stand in a value, values may be empty, empty pairs do not count. */
void args_split(const char *text, struct cni_args *out);

#define STDIN_MAX (32UL * 1024 * 1024) /* bytes */

/*
 * Reads stdin to its end into the call's input. More than STDIN_MAX bytes: CNI_DECODING_FAILURE; a
 * read that fails: CNI_IO_FAILURE; no end within the call's deadline: CNI_TRY_AGAIN_LATER.
 */
int stdin_read(int fd, struct cni_call *call, struct err *e);

/*
 * Parses and checks the network configuration, as every verb wants it; fills in the call's conf,
 * version (for the error too, as soon as it is known) and network. CNI_DECODING_FAILURE,
 * CNI_INVALID_NETWORK_CONFIG or CNI_INCOMPATIBLE_VERSION.
 */
int conf_read(const struct cni_verb *verb, struct cni_call *call, struct err *e);

/* ---- output.c: what a plugin prints ---- */

/*
 * Prints what a verb has answered, and rolls it back if that fails or if nobody waits for the
 * answer any more. An answer that cannot be printed is logged. Returns the exit status.
 */
int send_reply(const struct cni_call *call, const struct cni_reply *reply);

/* Prints the error object (CNI specification, section "Error"). Returns the exit status. */
int send_error(const struct cni_call *call, const struct err *e);

char *error_json(const struct err *e, enum cni_version version);

/* The answer to CNI_COMMAND=VERSION (CNI specification, section 2 "VERSION"). */
char *versions_json(void);

/* One line with the plugin's version and the protocol's versions. Returns the exit status. */
int print_about(const struct cni_plugin *plugin, int fd);

/* --version and --help on `out`, anything else an error on `err`. Returns the exit status. */
int print_option(const struct cni_plugin *plugin, const char *option, int out, int err);

#endif
