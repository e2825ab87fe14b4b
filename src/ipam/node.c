/*
 * Who this host is.
 *
 * A host's name alone is not enough, since names are copied, so the machine id stands beside it. A
 * copy of the disk has both; what it does not have is the hardware (`machine`). The boot id says
 * whether a row was recorded in this life of the host: what is left of an earlier one belongs to
 * containers that are gone. A system container starts anew without its kernel, so that the boot id
 * changes while CLOCK_BOOTTIME goes on; hence a life begins with the kernel or with process 1,
 * whichever is later.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/sys.h"
#include "ipam/ipam.h"

#define HEX "0123456789abcdefABCDEF"

static const char *path_of(const struct sys *sys, const char *path)
{
	return mem_printf("%s%s", sys->sysroot, path);
}

/* The first line of a small file; NULL (errno is set) where it cannot be read. */
static char *read_line(const struct sys *sys, const char *path)
{
	char line[1024];
	ssize_t n;

	cleanup_close int fd =
		open(path_of(sys, path), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return NULL;
	n = read(fd, line, sizeof(line) - 1);
	if (n < 0)
		return NULL;
	line[n] = '\0';
	return mem_strndup(line, strcspn(line, "\n"));
}

/* ---- the name and the machine id ---- */

/* 32 hex digits; "" where there are none. */
static const char *read_machine_id(const struct sys *sys)
{
	const char *line = read_line(sys, "/etc/machine-id");

	return line && strlen(line) == 32 && strspn(line, HEX) == 32 ? line : "";
}

/* ---- the machine ---- */

static const char *hash_of(const char *text)
{
	uint8_t hash[SHA256_BYTES];
	char hex[33];

	sha256_texts((const char *const[]){ text, NULL }, hash);
	for (size_t i = 0; i < 16; i++)
		snprintf(hex + 2 * i, 3, "%02x", hash[i]);
	return mem_strdup(hex);
}

/* A file of the firmware may be there for root alone. Then the machine is not known, rather than
 * known by something else. */
static const char *read_machine(const struct sys *sys)
{
	char *text = read_line(sys, "/sys/class/dmi/id/product_uuid");

	if (!text && errno == ENOENT)
		text = read_line(sys, "/proc/device-tree/serial-number");
	if (!text)
		return "";
	for (char *c = text; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	/* Firmware that does not know it says all zeros or all F. */
	if (strspn(text, "0- ") == strlen(text) || strspn(text, "f- ") == strlen(text))
		return "";
	return hash_of(text);
}

/* ---- the life ---- */

static double boottime(void)
{
	struct timespec t = { 0 };

	clock_gettime(CLOCK_BOOTTIME, &t); /* it counts while the host is suspended, too */
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* When process 1 began, in seconds of CLOCK_BOOTTIME; 0 where that cannot be read. In a time
 * namespace it may seem to lie outside of the time since boot: then it says nothing. */
static double process_1_began(const struct sys *sys)
{
	static const int start = 22 - 2; /* the field's number (proc(5)), counted behind the name */
	const char *field = read_line(sys, "/proc/1/stat");
	double seconds;
	char *end;

	field = field ? strrchr(field, ')') : NULL; /* the name may hold blanks and brackets */
	for (int i = 0; field && i < start; i++)
		field = strchr(field + 1, ' ');
	if (!field)
		return 0;
	seconds = strtod(field, &end) / (double)sysconf(_SC_CLK_TCK);
	return end > field && seconds > 0 && seconds <= boottime() ? seconds : 0;
}

static double uptime(const struct node *node)
{
	double seconds = boottime() - node->began;

	return seconds > 0 ? seconds : 0;
}

static int read_boot_id(const struct sys *sys, struct node *out, struct err *e)
{
	static const char path[] = "/proc/sys/kernel/random/boot_id";
	const char *line = read_line(sys, path);

	if (!line)
		return err_set(e, CNI_IO_FAILURE, "no boot id: %s: %s", path, strerror(errno));
	if (strlen(line) != 36 || strspn(line, HEX "-") != 36)
		return err_set(e, CNI_IO_FAILURE, "no boot id: %s does not hold one", path);
	out->boot_id = line;
	return 0;
}

int node_read(const struct sys *sys, const char *configured, bool need_boot, struct node *out,
	      struct err *e)
{
	char name[256] = "";
	/* systemd makes the machine id anew at each boot where it is one file under both paths. */
	bool transient =
		same_file(path_of(sys, "/etc/machine-id"), path_of(sys, "/run/machine-id"));
	const char *why = NULL;

	*out = (struct node){ .host_id = "", .boot_id = "", .uptime = uptime };
	out->machine_id = transient ? "" : read_machine_id(sys);
	out->machine = read_machine(sys);
	out->began = process_1_began(sys);
	if (read_boot_id(sys, out, e) < 0) {
		if (need_boot)
			return -1;
		*e = (struct err){ 0 };
	}
	if (configured) {
		out->name = configured;
		return 0;
	}
	if (gethostname(name, sizeof(name) - 1) < 0 || !name[0])
		why = "this host has no name:";
	else if (transient)
		why = "/etc/machine-id is /run/machine-id, which is made anew at each boot:";
	else if (!out->machine_id[0])
		why = "/etc/machine-id has no 32 hex digits: make one (systemd-machine-id-setup or "
		      "dbus-uuidgen --ensure=/etc/machine-id), or";
	if (why)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "%s say who this host is with \"node\" in the ipam object", why);
	out->name = mem_strdup(name);
	out->host_id = out->machine_id;
	return 0;
}
