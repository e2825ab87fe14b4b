#include "ipam/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/scope.h"

#define HEX "0123456789abcdefABCDEF"

/* The first line of a small file. */
static int read_line(const struct sys *w, const char *path, char *buf, size_t size)
{
	char full[512];
	ssize_t n;

	snprintf(full, sizeof(full), "%s%s", w->sysroot, path);
	cleanup_close int fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -1;
	n = read(fd, buf, size - 1);
	if (n < 0)
		return -1;
	buf[n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return 0;
}

static int machine_id(const struct sys *w, char out[33])
{
	char line[64];

	if (read_line(w, "/etc/machine-id", line, sizeof(line)) < 0 || strlen(line) != 32 ||
	    strspn(line, HEX) != 32)
		return -1;
	snprintf(out, 33, "%.32s", line);
	return 0;
}

int node_identity(const struct sys *w, const char *node, struct node *out, struct err *e)
{
	out->host_id[0] = '\0';
	if (node) {
		snprintf(out->name, sizeof(out->name), "%s", node);
		return 0;
	}
	if (gethostname(out->name, sizeof(out->name)) < 0 || !out->name[0])
		return err_set(
			e, CNI_INVALID_NETWORK_CONFIG,
			"this host has no name: say who it is with \"node\" in the ipam object");
	out->name[sizeof(out->name) - 1] = '\0';
	if (machine_id(w, out->host_id) < 0)
		return err_set(
			e, CNI_INVALID_NETWORK_CONFIG,
			"/etc/machine-id has no 32 hex digits: make one (systemd-machine-id-setup "
			"or dbus-uuidgen --ensure=/etc/machine-id), or say who this host is with "
			"\"node\" in the ipam object");
	return 0;
}

static bool is_boot_id(const char *s)
{
	return strlen(s) == 36 && strspn(s, HEX "-") == 36;
}

int node_boot(const struct sys *w, struct node *out, struct err *e)
{
	static const char path[] = "/proc/sys/kernel/random/boot_id";
	char line[64];
	struct timespec up;

	if (read_line(w, path, line, sizeof(line)) < 0)
		return err_set(e, CNI_IO_FAILURE, "no boot id: %s: %s", path, strerror(errno));
	if (!is_boot_id(line))
		return err_set(e, CNI_IO_FAILURE, "no boot id: %s does not hold one", path);
	snprintf(out->boot_id, sizeof(out->boot_id), "%.36s", line);
	if (clock_gettime(CLOCK_BOOTTIME, &up) < 0)
		return err_set(e, CNI_IO_FAILURE, "no uptime: %s", strerror(errno));
	out->uptime = (double)up.tv_sec + (double)up.tv_nsec / 1e9;
	return 0;
}
