/* Who this host is. Needs nothing. */
#include "unit.h"

#include <time.h>

#include "ipam/ipam.h"
#include "tmpdir.h"

#define ID "0123456789abcdef0123456789ABCDEF"
#define BOOT "01234567-89ab-cdef-0123-456789abcdef"

static struct sys world_of(struct tmpdir *b)
{
	return (struct sys){ .in = -1, .out = -1, .err = -1, .sysroot = b->dir };
}

static void write_below(struct tmpdir *b, const char *folder, const char *name, const char *text)
{
	char path[64] = "";

	for (const char *p = folder; p; p = strchr(p + 1, '/')) {
		size_t len = strcspn(p + 1, "/") + 1;

		strncat(path, p, len);
		mkdir(tmpdir_path(b, path + 1), 0700);
	}
	snprintf(path, sizeof(path), "%s/%s", folder + 1, name);
	tmpdir_write(b, path, text, 0600);
}

TEST_IN_DIR(a_name_and_a_machine_id)
{
	struct tmpdir *b = *state;
	struct sys w = world_of(b);
	struct node h;
	struct err e = { 0 };
	char name[256];

	write_below(b, "/etc", "machine-id", ID "\n");
	assert_int_equal(node_identity(&w, NULL, &h, &e), 0);
	assert_int_equal(gethostname(name, sizeof(name)), 0);
	assert_string_equal(h.name, name);
	assert_string_equal(h.host_id, ID);
}

TEST_IN_DIR(a_configured_node_needs_nothing_else)
{
	struct sys w = world_of(*state);
	struct node h;
	struct err e = { 0 };

	write_below(*state, "/etc", "machine-id", ID "\n");
	assert_int_equal(node_identity(&w, "node-1", &h, &e), 0);
	assert_string_equal(h.name, "node-1");
	assert_string_equal(h.host_id, "");
}

TEST_IN_DIR(no_machine_id_asks_for_a_node)
{
	static const char *const bad[] = { NULL,
					   "",
					   "\n",
					   "uninitialized\n",
					   "0123456789abcdef\n",
					   ID "0\n",
					   "\n" ID,
					   "0123456789abcdef0123456789abcdeg\n",
					   "01234567-89ab-cdef-0123-456789ab\n",
					   ID " \n" };
	struct tmpdir *b = *state;
	struct sys w = world_of(b);

	for (size_t i = 0; i < COUNT(bad); i++) {
		struct node h;
		struct err e = { 0 };

		if (bad[i])
			write_below(b, "/etc", "machine-id", bad[i]);
		assert_int_equal(node_identity(&w, NULL, &h, &e), -1);
		assert_err(
			&e, CNI_INVALID_NETWORK_CONFIG,
			"/etc/machine-id has no 32 hex digits: make one (systemd-machine-id-setup "
			"or dbus-uuidgen --ensure=/etc/machine-id), or say who this host is with "
			"\"node\" in the ipam object",
			"");
	}
}

TEST_IN_DIR(boot_id_and_uptime)
{
	struct tmpdir *b = *state;
	struct sys w = world_of(b);
	struct node h;
	struct err e = { 0 };
	struct timespec up;

	write_below(b, "/proc/sys/kernel/random", "boot_id", BOOT "\n");
	assert_int_equal(node_boot(&w, &h, &e), 0);
	assert_string_equal(h.boot_id, BOOT);
	clock_gettime(CLOCK_BOOTTIME, &up);
	assert_true(h.uptime(&h) > 0 && h.uptime(&h) <= (double)up.tv_sec + 1);
	assert_true(h.uptime(&h) >= (double)up.tv_sec - 10);
}

TEST_IN_DIR(no_boot_id_is_never_a_guess)
{
	static const char *const bad[] = { "",
					   "\n",
					   "unknown\n",
					   (BOOT "0\n"),
					   "01234567-89ab-cdef-0123-456789abcde\n",
					   "01234567-89ab-cdef-0123-456789abcdeg\n" };
	static const char path[] = "/proc/sys/kernel/random/boot_id";
	struct tmpdir *b = *state;
	struct sys w = world_of(b);
	struct node h;
	struct err e = { 0 };
	char msg[256];

	assert_int_equal(node_boot(&w, &h, &e), -1);
	snprintf(msg, sizeof(msg), "no boot id: %s: No such file or directory", path);
	assert_err(&e, CNI_IO_FAILURE, msg, "");
	snprintf(msg, sizeof(msg), "no boot id: %s does not hold one", path);
	for (size_t i = 0; i < COUNT(bad); i++) {
		write_below(b, "/proc/sys/kernel/random", "boot_id", bad[i]);
		assert_int_equal(node_boot(&w, &h, &e), -1);
		assert_err(&e, CNI_IO_FAILURE, msg, "");
	}
}

TEST(the_kernels_own)
{
	struct sys w = { .sysroot = "" };
	struct node h;
	struct err e = { 0 };

	assert_int_equal(node_boot(&w, &h, &e), 0);
	assert_int_equal(strlen(h.boot_id), 36);
}
