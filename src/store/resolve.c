/* Names of hosts to addresses. getaddrinfo blocks and no poll reaches it, so a child process asks.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/process.h"
#include "store/connect.h"

bool resolve_needed(const char *host)
{
	unsigned char ip[16];

	return host && host[0] && host[0] != '/' && host[0] != '@' &&
	       inet_pton(AF_INET, host, ip) != 1 && inet_pton(AF_INET6, host, ip) != 1;
}

/* What the child says. It is smaller than a pipe's buffer. */
struct answer {
	int status; /* of getaddrinfo */
	int n;
	char text[RESOLVE_MAX][RESOLVE_TEXT];
};

/* Runs in the child. */
static void ask(void *host, int reply_fd)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *all = NULL;
	struct answer r = { .status = getaddrinfo(host, NULL, &hints, &all) };
	ssize_t written;

	for (const struct addrinfo *a = all; a && r.n < RESOLVE_MAX; a = a->ai_next)
		if (getnameinfo(a->ai_addr, a->ai_addrlen, r.text[r.n], RESOLVE_TEXT, NULL, 0,
				NI_NUMERICHOST) == 0)
			r.n++;
	if (all)
		freeaddrinfo(all);
	written = write(reply_fd, &r, sizeof(r));
	(void)written; /* an answer that is not whole is an error to who reads it */
}

static int reply(const char *host, const struct answer *r, enum wait_result ready, size_t got,
		 struct err *e)
{
	const char *why = NULL;

	if (ready != WAIT_READY)
		why = wait_reason(ready);
	else if (got == sizeof(*r) && (r->status != 0 || r->n == 0))
		why = gai_strerror(r->status ? r->status : EAI_NONAME);
	else if (got == sizeof(*r))
		return r->n;
	return err_set(e, CNI_TRY_AGAIN_LATER,
		       "could not translate host name \"%s\" to an address%s%s", host,
		       why ? ": " : "", why ? why : "");
}

int resolve(const char *host, const struct deadline *d, char out[RESOLVE_MAX][RESOLVE_TEXT],
	    struct err *e)
{
	struct answer r = { 0 };
	struct process_call asking;
	enum wait_result ready;
	size_t got = 0;

	if (process_call_start(ask, (void *)host, &asking, e) < 0)
		return -1;
	ready = deadline_check(d);
	if (ready == WAIT_READY)
		ready = process_call_read(&asking, d, &r, sizeof(r), &got);
	process_call_end(&asking, NULL);
	memcpy(out, r.text, sizeof(r.text));
	return reply(host, &r, ready, got, e);
}
