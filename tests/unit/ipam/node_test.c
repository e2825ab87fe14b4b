/* Who this host is. Needs nothing. */
#include "unit.h"

#include <stdio.h>
#include <time.h>

#include "base/memory.h"
#include "ipam/ipam.h"
#include "tmpdir.h"

#define ID "0123456789abcdef0123456789ABCDEF"
#define BOOT "01234567-89ab-cdef-0123-456789abcdef"
#define UUID "4C4C4544-0042-3510-8052-B4C04F4E4D32"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define PRODUCT_UUID "/sys/class/dmi/id/product_uuid"
#define SERIAL_NUMBER "/proc/device-tree/serial-number"

static void put(struct tmpdir *root, const char *path, const char *text)
{
	tmpdir_put(root, path + 1, text);
}

static int read_node(struct tmpdir *root, const char *configured, struct node *out, struct err *e)
{
	const struct sys sys = { .in = -1, .out = -1, .err = -1, .sysroot = root->dir };

	*e = (struct err){ 0 };
	return node_read(&sys, configured, true, out, e);
}

/* The node of a host that has what every host has. */
static struct node node_of(struct tmpdir *root)
{
	struct node node;
	struct err e;

	put(root, "/etc/machine-id", ID "\n");
	put(root, BOOT_ID, BOOT "\n");
	assert_int_equal(read_node(root, NULL, &node, &e), 0);
	return node;
}

/* ---- name and machine id ---- */

TEST_IN_DIR(a_name_and_a_machine_id)
{
	struct node node = node_of(*state);
	char name[256];

	assert_int_equal(gethostname(name, sizeof(name)), 0);
	assert_string_equal(node.name, name);
	assert_string_equal(node.host_id, ID);
	assert_string_equal(node.machine_id, ID);
}

TEST_IN_DIR(a_configured_node_needs_no_machine_id)
{
	struct node node;
	struct err e;

	put(*state, BOOT_ID, BOOT "\n");
	assert_int_equal(read_node(*state, "node-1", &node, &e), 0);
	assert_string_equal(node.name, "node-1");
	assert_string_equal(node.host_id, "");
	assert_string_equal(node.machine_id, "");
	put(*state, "/etc/machine-id", ID "\n");
	assert_int_equal(read_node(*state, "node-1", &node, &e), 0);
	assert_string_equal(node.host_id, "");
	assert_string_equal(node.machine_id, ID);
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

	put(*state, BOOT_ID, BOOT "\n");
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct node node;
		struct err e;

		if (bad[i])
			put(*state, "/etc/machine-id", bad[i]);
		assert_int_equal(read_node(*state, NULL, &node, &e), -1);
		assert_err(
			&e, CNI_INVALID_NETWORK_CONFIG,
			"/etc/machine-id has no 32 hex digits: make one (systemd-machine-id-setup "
			"or dbus-uuidgen --ensure=/etc/machine-id), or say who this host is with "
			"\"node\" in the ipam object",
			"");
	}
}

/* systemd binds /run/machine-id over a file that it cannot write, and makes a new one at each boot.
 */
TEST_IN_DIR(a_machine_id_of_this_boot_asks_for_a_node)
{
	struct tmpdir *root = *state;
	struct node node;
	struct err e;
	const char *etc = mem_printf("%s/etc/machine-id", root->dir);

	put(root, BOOT_ID, BOOT "\n");
	put(root, "/run/machine-id", ID "\n");
	put(root, "/etc/machine-id", ID "\n");
	assert_int_equal(read_node(root, NULL, &node, &e), 0); /* two files */
	assert_int_equal(unlink(etc), 0);
	assert_int_equal(link(tmpdir_path(root, "run/machine-id"), etc), 0);
	assert_int_equal(read_node(root, NULL, &node, &e), -1);
	assert_err(&e, CNI_INVALID_NETWORK_CONFIG,
		   "/etc/machine-id is /run/machine-id, which is made anew at each boot: say who "
		   "this host is with \"node\" in the ipam object",
		   "");
	assert_int_equal(read_node(root, "node-1", &node, &e), 0);
	assert_string_equal(node.machine_id, "");
}

/* ---- the machine ---- */

TEST_IN_DIR(a_machine_is_known_by_its_firmware)
{
	struct node upper, lower, other;

	put(*state, PRODUCT_UUID, UUID "\n");
	upper = node_of(*state);
	assert_int_equal(strlen(upper.machine), 32);
	put(*state, PRODUCT_UUID, "4c4c4544-0042-3510-8052-b4c04f4e4d32\n");
	lower = node_of(*state);
	assert_string_equal(upper.machine, lower.machine);
	put(*state, PRODUCT_UUID, "4c4c4544-0042-3510-8052-b4c04f4e4d33\n");
	other = node_of(*state);
	assert_string_not_equal(upper.machine, other.machine);
	assert_null(strstr(upper.machine, "4544")); /* a hash */
}

TEST_IN_DIR(firmware_that_does_not_know_its_machine)
{
	static const char *const bad[] = { "00000000-0000-0000-0000-000000000000\n",
					   "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF\n", "\n", "" };

	put(*state, SERIAL_NUMBER, "10000000a1b2c3d4");
	for (size_t i = 0; i < COUNT(bad); i++) {
		put(*state, PRODUCT_UUID, bad[i]);
		assert_string_equal(node_of(*state).machine, "");
	}
}

TEST_IN_DIR(a_device_tree_where_there_is_no_dmi)
{
	put(*state, SERIAL_NUMBER, "10000000a1b2c3d4");
	assert_int_equal(strlen(node_of(*state).machine), 32);
}

/* Then the device tree does not count: another user would find another machine. */
TEST_IN_DIR(firmware_that_may_not_be_read)
{
	put(*state, SERIAL_NUMBER, "10000000a1b2c3d4");
	put(*state, PRODUCT_UUID "/x", ""); /* a folder, which root cannot read either */
	assert_string_equal(node_of(*state).machine, "");
}

TEST_IN_DIR(no_firmware_at_all)
{
	assert_string_equal(node_of(*state).machine, "");
}

/* ---- the life ---- */

static double boottime(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Process 1 with that name began so many seconds after the kernel. */
static void put_process_1(struct tmpdir *root, const char *name, double seconds)
{
	put(root, "/proc/1/stat",
	    mem_printf("1 (%s) S 0 1 1 0 -1 4194560 21352 3 97 1 15 51 1 2 20 0 1 0 %.0f 1736704 "
		       "417 18446744073709551615 1 1 0\n",
		       name, seconds * (double)sysconf(_SC_CLK_TCK)));
}

TEST_IN_DIR(boot_id_and_uptime)
{
	struct node node = node_of(*state);
	double up = node.uptime(&node);

	assert_string_equal(node.boot_id, BOOT);
	assert_true(up > 0 && up <= boottime() && up > boottime() - 10);
}

TEST_IN_DIR(a_life_begins_with_process_1)
{
	static const char *const names[] = { "systemd", "a) b (c", "" };
	double began = boottime() - 5;

	for (size_t i = 0; i < COUNT(names); i++) {
		struct node node;

		put_process_1(*state, names[i], began);
		node = node_of(*state);
		assert_true(node.uptime(&node) > 4.9 && node.uptime(&node) < 15);
	}
}

TEST_IN_DIR(a_process_1_that_says_nothing)
{
	struct tmpdir *root = *state;
	struct node node;

	put_process_1(root, "init", boottime() + 1000); /* as in a time namespace */
	node = node_of(root);
	assert_true(node.uptime(&node) > boottime() - 10);
	put_process_1(root, "init", -1000);
	node = node_of(root);
	assert_true(node.uptime(&node) > boottime() - 10);
	put(root, "/proc/1/stat", "1 (init) S 0 1\n");
	node = node_of(root);
	assert_true(node.uptime(&node) > boottime() - 10);
}

TEST_IN_DIR(an_uptime_is_read_anew_and_never_negative)
{
	struct node node = node_of(*state);
	double before = node.uptime(&node);

	usleep(20000);
	assert_true(node.uptime(&node) >= before + 0.02);
	node.began = boottime() + 1000;
	assert_true(node.uptime(&node) == 0);
}

TEST_IN_DIR(no_boot_id_is_never_a_guess)
{
	static const char *const bad[] = { "",
					   "\n",
					   "unknown\n",
					   (BOOT "0\n"),
					   "01234567-89ab-cdef-0123-456789abcde\n",
					   "01234567-89ab-cdef-0123-456789abcdeg\n" };
	struct tmpdir *root = *state;
	const struct sys sys = { .sysroot = root->dir };
	struct node node;
	struct err e;

	assert_int_equal(read_node(root, "node-1", &node, &e), -1);
	assert_err(&e, CNI_IO_FAILURE, "no boot id: " BOOT_ID ": No such file or directory", "");
	for (size_t i = 0; i < COUNT(bad); i++) {
		put(root, BOOT_ID, bad[i]);
		assert_int_equal(read_node(root, "node-1", &node, &e), -1);
		assert_err(&e, CNI_IO_FAILURE, "no boot id: " BOOT_ID " does not hold one", "");
	}
	e = (struct err){ 0 };
	assert_int_equal(node_read(&sys, "node-1", false, &node, &e), 0);
	assert_int_equal(e.code, 0);
	assert_string_equal(node.boot_id, "");
}

TEST(the_kernels_own)
{
	struct sys sys = { .sysroot = "" };
	struct node node;
	struct err e = { 0 };

	assert_int_equal(node_read(&sys, "node-1", true, &node, &e), 0);
	assert_int_equal(strlen(node.boot_id), 36);
	assert_true(node.uptime(&node) > 0);
}
