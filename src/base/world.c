#include "base/world.h"

#include <stddef.h>
#include <string.h>

const char *sys_env(const struct sys *w, const char *name)
{
	size_t len = strlen(name);

	for (char *const *entry = w->env; entry && *entry; entry++) {
		if (strncmp(*entry, name, len) == 0 && (*entry)[len] == '=')
			return *entry + len + 1;
	}
	return NULL;
}
