/* What a plugin prints: answers, error objects, and what it says about itself. */
#ifndef CNI_OUTPUT_H
#define CNI_OUTPUT_H

#include "cni/cni.h"

/*
 * Prints what a verb has answered, and rolls it back if that fails or if nobody waits for the
 * answer any more. An answer that cannot be printed is logged. Returns the exit status.
 */
int send_reply(const struct cni_call *call, const struct cni_reply *reply);

/* Prints the error object (CNI specification, section "Error"). Returns the exit status. */
int send_error(const struct cni_call *call, const struct err *e);

char *error_json(const struct err *e, enum cni_version version);

/* Arms the watchdog (base/deadline.h): after `seconds` the process ends with an error object.
 * Printing disarms it. */
void watch_call(const struct cni_call *call, double seconds);

/* The answer to CNI_COMMAND=VERSION (CNI specification, section 2 "VERSION"). */
char *versions_json(void);

/* One line with the plugin's version and the protocol's versions. Returns the exit status. */
int print_about(const struct cni_plugin *plugin, int fd);

/* --version and --help on `out`, anything else an error on `err`. Returns the exit status. */
int print_option(const struct cni_plugin *plugin, const char *option, int out, int err);

#endif
