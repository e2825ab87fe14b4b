/* What a plugin says about itself. */
#ifndef CNI_ABOUT_H
#define CNI_ABOUT_H

#include "cni/cni.h"

/* The answer to CNI_COMMAND=VERSION (CNI specification, section 2 "VERSION"); owned, NULL without
 * memory. */
char *about_versions(void);

/* One line with version and protocol versions. Returns the exit status. */
int about_plugin(const struct cni_plugin *plugin, int fd);

/* --version and --help on `out`, anything else an error on `err`. Returns the exit status. */
int about_option(const struct cni_plugin *plugin, const char *option, int out, int err);

#endif
