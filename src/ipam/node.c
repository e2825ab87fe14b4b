/*
 * Who this host is. Its name alone is not enough, since names are copied, so the machine id stands
 * beside it. The boot id says whether a row was recorded in this life of the host: what was
 * recorded in an earlier one belongs to containers that are gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/sys.h"
#include "ipam/ipam.h"

#define HEX "0123456789abcdefABCDEF"

/* The first line of a small file; NULL (errno is set) where it cannot be read. */
static const char *read_line(const struct sys *sys, const char *path)
{
	char full[512], line[512];
	ssize_t n;

	snprintf(full, sizeof(full), "%s%s", sys->sysroot, path);
	cleanup_close int fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return NULL;
	n = read(fd, line, sizeof(line) - 1);
	if (n < 0)
		return NULL;
	line[n] = '\0';
	return mem_strndup(line, strcspn(line, "\n"));
}

int node_identity(const struct sys *sys, const char *configured, struct node *out, struct err *e)
{
	char name[256];

	out->host_id = "";
	out->name = configured;
	if (configured)
		return 0;
	if (gethostname(name, sizeof(name)) < 0 || !name[0])
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "this host has no name: say who it is with \"node\" in the ipam "
			       "object");
	out->name = mem_strndup(name, sizeof(name) - 1);
	out->host_id = read_line(sys, "/etc/machine-id");
	if (!out->host_id || strlen(out->host_id) != 32 || strspn(out->host_id, HEX) != 32)
		return err_set(
			e, CNI_INVALID_NETWORK_CONFIG,
			"/etc/machine-id has no 32 hex digits: make one "
			"(systemd-machine-id-setup or dbus-uuidgen "
			"--ensure=/etc/machine-id), or say who this host is with \"node\" in "
			"the ipam object");
	return 0;
}

/* CLOCK_BOOTTIME counts while the host is suspended, too. */
static double uptime(const struct node *node)
{
	struct timespec up = { 0 };

	(void)node;
	clock_gettime(CLOCK_BOOTTIME, &up);
	return (double)up.tv_sec + (double)up.tv_nsec / 1e9;
}

int node_boot(const struct sys *sys, struct node *out, struct err *e)
{
	static const char path[] = "/proc/sys/kernel/random/boot_id";
	const char *line = read_line(sys, path);

	if (!line)
		return err_set(e, CNI_IO_FAILURE, "no boot id: %s: %s", path, strerror(errno));
	if (strlen(line) != 36 || strspn(line, HEX "-") != 36)
		return err_set(e, CNI_IO_FAILURE, "no boot id: %s does not hold one", path);
	out->boot_id = line;
	out->uptime = uptime;
	return 0;
}
