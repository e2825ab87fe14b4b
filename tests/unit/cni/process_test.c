/* What a plugin does to its own process, in a child that then ends. Needs nothing. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/process.h"

/* The number of the first check in a child that failed, 0: none. _exit: nothing of cmocka runs
 * there. */
static int in_child(int (*checks)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(checks());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int closed_descriptors_fail(void)
{
	char c;

	for (int fd = 0; fd < 3; fd++)
		close(fd);
	if (harden_process() < 3)
		return 1;
	if (read(0, &c, 1) != -1 || errno != EBADF)
		return 2;
	if (write(1, "x", 1) != -1 || errno != EBADF)
		return 3;
	if (write(2, "x", 1) != 1)
		return 4;
	return 0;
}

static int open_ones_stay(void)
{
	int p[2];
	char c;

	if (pipe(p) < 0 || dup2(p[0], 0) < 0 || dup2(p[1], 1) < 0)
		return 1;
	harden_process();
	return write(1, "x", 1) == 1 && read(0, &c, 1) == 1 ? 0 : 2;
}

static int no_secrets_in_cores(void)
{
	struct rlimit core;

	harden_process();
	if (prctl(PR_GET_DUMPABLE) != 0)
		return 1;
	getrlimit(RLIMIT_CORE, &core);
	return core.rlim_cur == 0 ? 0 : 2;
}

static int a_reader_that_is_gone_is_an_error(void)
{
	struct sigaction now;
	int p[2];

	harden_process();
	if (pipe(p) < 0 || close(p[0]) < 0)
		return 1;
	if (write(p[1], "x", 1) != -1 || errno != EPIPE)
		return 2;
	/* A handler, which a child does not inherit as it would SIG_IGN. */
	sigaction(SIGPIPE, NULL, &now);
	return now.sa_handler != SIG_IGN && now.sa_handler != SIG_DFL ? 0 : 3;
}

TEST(closed_descriptors)
{
	assert_int_equal(in_child(closed_descriptors_fail), 0);
	assert_int_equal(in_child(open_ones_stay), 0);
}

TEST(secrets)
{
	assert_int_equal(in_child(no_secrets_in_cores), 0);
}

TEST(broken_pipes)
{
	assert_int_equal(in_child(a_reader_that_is_gone_is_an_error), 0);
}
