/* A program as a child where vfork is no more than fork, as under qemu-user. Needs /bin/true. */
#include "unit.h"

#include <unistd.h>

#define vfork fork
#include "../../../src/base/process.c" /* NOLINT(bugprone-suspicious-include) */

static struct child child_of(const char *path, const struct deadline *watchers)
{
	static char *const env[] = { NULL };

	return (struct child){ .path = path,
			       .env = env,
			       .input = "",
			       .stderr_fd = 2,
			       .output_max = 1024,
			       .seconds = 10,
			       .watchers = watchers };
}

TEST(a_program_that_cannot_be_run_is_an_error)
{
	static const char *const paths[] = { "/no/such/program", "/etc/passwd", "/" };
	const struct deadline nobody = { .stdout_fd = -1, .signal_fd = -1 };

	for (size_t i = 0; i < COUNT(paths); i++) {
		struct child c = child_of(paths[i], &nobody);
		struct child_outcome o;
		struct err e = { 0 };

		assert_int_equal(child_run(&c, &o, &e), -1);
		assert_int_equal(e.code, CNI_IO_FAILURE);
		assert_int_equal(waitpid(-1, NULL, 0), -1); /* nobody is left */
	}
}

TEST(a_program_runs)
{
	const struct deadline nobody = { .stdout_fd = -1, .signal_fd = -1 };
	struct child c = child_of("/bin/true", &nobody);
	struct child_outcome o;
	struct err e = { 0 };

	assert_int_equal(child_run(&c, &o, &e), 0);
	assert_int_equal(o.end, CHILD_EXITED);
	assert_int_equal(o.status, 0);
}
