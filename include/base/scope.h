/* Release by scope: `cleanup_free char *text = …;` frees it on every way out. */
#ifndef BASE_SCOPE_H
#define BASE_SCOPE_H

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <unistd.h>

static inline void scope_free(void *p)
{
	free(*(void **)p);
}

static inline void scope_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void scope_json(cJSON **j)
{
	cJSON_Delete(*j);
}

/* Takes a descriptor out of its scope, for somebody else to close. */
static inline int steal_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#define cleanup_free __attribute__((cleanup(scope_free)))
#define cleanup_close __attribute__((cleanup(scope_close)))
#define cleanup_json __attribute__((cleanup(scope_json)))

#endif
