#include "store/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sys.h"

/* What the child says: a status of getaddrinfo, and addresses. Smaller than a pipe's buffer. */
struct reply {
	int status;
	int n;
	char text[RESOLVE_MAX][RESOLVE_TEXT];
};

bool resolve_needed(const char *host)
{
	unsigned char ip[16];

	return host && host[0] && host[0] != '/' && host[0] != '@' &&
	       inet_pton(AF_INET, host, ip) != 1 && inet_pton(AF_INET6, host, ip) != 1;
}

static void ask(const char *host, struct reply *r)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *all = NULL;

	r->status = getaddrinfo(host, NULL, &hints, &all);
	for (const struct addrinfo *a = all; a && r->n < RESOLVE_MAX; a = a->ai_next)
		if (getnameinfo(a->ai_addr, a->ai_addrlen, r->text[r->n], RESOLVE_TEXT, NULL, 0,
				NI_NUMERICHOST) == 0)
			r->n++;
	if (all)
		freeaddrinfo(all);
}

static void child(int out, const char *host)
{
	struct reply r = { 0 };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	ask(host, &r);
	_exit(write(out, &r, sizeof(r)) == (ssize_t)sizeof(r) ? 0 : 1);
}

static int judge(const char *host, const struct reply *r, enum wait_result ready, ssize_t got,
		 struct err *e)
{
	if (ready != WAIT_READY)
		return err_set(e, CNI_TRY_AGAIN_LATER,
			       "could not translate host name \"%s\" to an address: %s", host,
			       wait_reason(ready));
	if (got != (ssize_t)sizeof(*r))
		return err_set(e, CNI_TRY_AGAIN_LATER,
			       "could not translate host name \"%s\" to an address", host);
	if (r->status != 0 || r->n == 0)
		return err_set(e, CNI_TRY_AGAIN_LATER,
			       "could not translate host name \"%s\" to an address: %s", host,
			       gai_strerror(r->status ? r->status : EAI_NONAME));
	return r->n;
}

int resolve(const char *host, const struct deadline *l, char out[RESOLVE_MAX][RESOLVE_TEXT],
	    struct err *e)
{
	struct reply r = { 0 };
	enum wait_result ready;
	ssize_t got = 0;
	int p[2];
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_set(e, CNI_IO_FAILURE, "pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0)
		child(p[1], host);
	close(p[1]);
	cleanup_close int in = p[0];
	if (pid < 0)
		return err_set(e, CNI_IO_FAILURE, "fork: %s", strerror(errno));
	ready = deadline_wait(l, in, POLLIN);
	if (ready == WAIT_READY)
		got = read(in, &r, sizeof(r));
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	memcpy(out, r.text, sizeof(r.text));
	return judge(host, &r, ready, got, e);
}
