#include "cni/process.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/limit.h"

/*
 * A closed descriptor's number would go to the next thing opened, the database's socket for one.
 * What stands in for stdin cannot be read, and for stdout not be written, so that both fail as
 * closed ones do.
 */
static void fill_closed(void)
{
	static const int modes[] = { O_WRONLY, O_RDONLY, O_WRONLY };

	for (int fd = 0; fd < 3; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) < 0 &&
		    open("/", O_RDONLY) < 0)
			return;
	}
}

static void on_pipe(int signal)
{
	(void)signal;
}

int harden_process(void)
{
	/* Not SIG_IGN: a child would inherit that. */
	struct sigaction pipe_gone = { .sa_handler = on_pipe, .sa_flags = SA_RESTART };
	struct rlimit none = { 0, 0 };

	fill_closed();
	sigemptyset(&pipe_gone.sa_mask);
	sigaction(SIGPIPE, &pipe_gone, NULL);
	prctl(PR_SET_DUMPABLE, 0);
	setrlimit(RLIMIT_CORE, &none);
	return catch_signals();
}
