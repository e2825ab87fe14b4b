#include "net/find.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/scope.h"
#include "base/text.h"
#include "net/net.h"

static bool is_executable(const char *path, struct stat *st)
{
	return stat(path, st) == 0 && S_ISREG(st->st_mode) && access(path, X_OK) == 0;
}

/* A link to this program, or a copy under another name in the same place, would run itself for
 * ever. */
static bool is_this_program(const struct stat *st)
{
	struct stat own;

	return stat("/proc/self/exe", &own) == 0 && own.st_dev == st->st_dev &&
	       own.st_ino == st->st_ino;
}

static int refuse_itself(const char *type, struct err *e)
{
	return err_set(
		e, CNI_INVALID_NETWORK_CONFIG,
		"\"type\" in ipam is \"%s\", the net plugin itself: it must be an IPAM plugin",
		type);
}

/* The path of `type` in the directory of `len` characters; NULL: not there. */
static char *look_in(const char *dir, size_t len, const char *type, struct stat *st)
{
	char *path;

	if (asprintf(&path, "%.*s/%s", (int)len, dir, type) < 0)
		return NULL;
	if (is_executable(path, st))
		return path;
	free(path);
	return NULL;
}

int delegate_find(const struct cni_call *call, const char *type, char **path, struct err *e)
{
	cleanup_strbuf struct strbuf searched = { 0 };
	struct stat st;

	if (strchr(type, '/'))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "\"type\" in ipam is \"%s\": it must be a name without '/'", type);
	if (strcmp(type, NET_PLUGIN) == 0)
		return refuse_itself(type, e);
	for (const char *dir = call->path; *dir;) {
		size_t len = strcspn(dir, ":");
		char *found = len ? look_in(dir, len, type, &st) : NULL;

		if (found && is_this_program(&st)) {
			free(found);
			return refuse_itself(type, e);
		}
		if (found) {
			*path = found;
			return 0;
		}
		if (len)
			strbuf_addf(&searched, "%s%.*s", searched.len ? ", " : "", (int)len, dir);
		dir += len + (dir[len] == ':');
	}
	err_set(e, CNI_INVALID_NETWORK_CONFIG, "failed to find plugin \"%s\" in path [%s]", type,
		strbuf_str(&searched));
	return err_details(e, "put the executable into one of these directories, or correct "
			      "CNI_PATH or \"type\" in ipam");
}
