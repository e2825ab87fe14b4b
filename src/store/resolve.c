/*
 * Names of hosts to addresses. getaddrinfo blocks and no poll reaches it, so child processes ask,
 * one for each name and all at the same time. A name is asked for once, with all the time that the
 * call has: where the first of two name servers is dead, the answer takes 5 seconds, and whoever
 * asks anew begins with the dead one again. Meanwhile the hosts that are known are tried.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/process.h"
#include "store/connect.h"

/* Seconds until a name server that cannot answer now is asked again, and until a child process that
 * could not be started is. */
#define ASK_AGAIN 1
#define START_AGAIN 0.1

struct name {
	struct db_host host;
	struct process_call asking;
	enum { DONE, TO_ASK, ASKING } state;
};

struct names {
	struct name *list;
	size_t n;
	size_t n_open; /* without a final answer yet */
	int epoll;     /* readable when one of them has an answer */
};

/* What a child says. A pipe takes it in one piece. */
struct answer {
	int status; /* of getaddrinfo */
	int n;
	int left_off;
	char text[RESOLVE_MAX][64];
};
_Static_assert(sizeof(struct answer) <= PIPE_BUF, "a pipe takes it in one piece");

bool resolve_needed(const char *host)
{
	unsigned char ip[16];

	return host && host[0] && host[0] != '/' && host[0] != '@' &&
	       inet_pton(AF_INET, host, ip) != 1 && inet_pton(AF_INET6, host, ip) != 1;
}

static struct answer ask_once(const char *host)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *all = NULL;
	struct answer a = { .status = getaddrinfo(host, NULL, &hints, &all) };

	for (const struct addrinfo *i = all; i; i = i->ai_next)
		if (a.n == RESOLVE_MAX)
			a.left_off++;
		else if (getnameinfo(i->ai_addr, i->ai_addrlen, a.text[a.n], sizeof(a.text[a.n]),
				     NULL, 0, NI_NUMERICHOST) == 0)
			a.n++;
	if (all)
		freeaddrinfo(all);
	return a;
}

/* No name server that can answer, or something that the system is short of. */
static bool may_pass(int status)
{
	return status == EAI_AGAIN || status == EAI_MEMORY || status == EAI_SYSTEM;
}

/* Runs in the child, which is killed when the call ends. */
static void ask(void *host, int reply_fd)
{
	for (;;) {
		struct answer a = ask_once(host);

		if (write(reply_fd, &a, sizeof(a)) != (ssize_t)sizeof(a) || !may_pass(a.status))
			return;
		sleep(ASK_AGAIN);
	}
}

static void note_failure(struct db_hosts *hosts, const char *name, const char *why)
{
	snprintf(hosts->unknown_name, sizeof(hosts->unknown_name),
		 "could not translate host name \"%.150s\" to an address: %.100s", name, why);
}

static void start(struct db_hosts *hosts, struct name *name)
{
	struct names *names = hosts->names;
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = name };
	struct err e;

	if (names->epoll < 0)
		names->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (names->epoll < 0) {
		note_failure(hosts, name->host.host, strerror(errno));
	} else if (process_call_start(ask, (void *)name->host.host, &name->asking, &e) < 0) {
		note_failure(hosts, name->host.host, e.msg);
	} else {
		name->state = ASKING;
		epoll_ctl(names->epoll, EPOLL_CTL_ADD, name->asking.reply_fd, &event);
	}
}

/* false: not all, since the system is short of processes or descriptors. */
static bool start_all(struct db_hosts *hosts)
{
	struct names *names = hosts->names;
	bool all = true;

	for (size_t i = 0; i < names->n; i++) {
		if (names->list[i].state == TO_ASK)
			start(hosts, &names->list[i]);
		all &= names->list[i].state != TO_ASK;
	}
	return all;
}

/* A name that is there several times, with other ports, is asked for once. */
static const struct name *first_of(const struct names *names, const char *host)
{
	const struct name *name = names->list;

	while (strcmp(name->host.host, host) != 0)
		name++;
	return name;
}

void hosts_ask(struct db_hosts *hosts)
{
	struct names *names = mem_new(sizeof(*names));
	size_t kept = 0;

	*names = (struct names){ .list = mem_new(hosts->n * sizeof(*names->list)), .epoll = -1 };
	hosts->names = names;
	for (size_t i = 0; i < hosts->n; i++) {
		const struct db_host *h = &hosts->list[i];
		struct name *name = &names->list[names->n];

		if ((h->hostaddr && h->hostaddr[0]) || !resolve_needed(h->host)) {
			hosts->list[kept++] = *h;
			continue;
		}
		names->n++;
		name->host = *h;
		if (first_of(names, h->host) == name) {
			name->state = TO_ASK;
			names->n_open++;
		}
	}
	hosts->n = kept;
}

static void add_host(struct db_hosts *hosts, const struct db_host *name, const char *address)
{
	hosts->list = mem_grow(hosts->list, hosts->n * sizeof(*hosts->list),
			       (hosts->n + 1) * sizeof(*hosts->list));
	hosts->list[hosts->n] = *name;
	hosts->list[hosts->n++].hostaddr = mem_strdup(address);
}

/* Children that were started later hold the pipe too, so that closing it is not enough. */
static int end(struct names *names, struct name *name)
{
	epoll_ctl(names->epoll, EPOLL_CTL_DEL, name->asking.reply_fd, NULL);
	name->state = DONE;
	names->n_open--;
	return process_call_end(&name->asking, NULL);
}

/* An answer is there, or the child has ended without one. */
static void take_answer(struct db_hosts *hosts, struct name *name)
{
	const char *host = name->host.host;
	struct answer a = { 0 };
	bool whole = read(name->asking.reply_fd, &a, sizeof(a)) == (ssize_t)sizeof(a);
	int status;

	if (whole && may_pass(a.status)) { /* the child asks again */
		note_failure(hosts, host, gai_strerror(a.status));
		return;
	}
	status = end(hosts->names, name);
	if (!whole && WIFSIGNALED(status))
		note_failure(hosts, host,
			     mem_printf("the process that asked was ended by signal %d (%s)",
					WTERMSIG(status), strsignal(WTERMSIG(status))));
	else if (!whole)
		note_failure(hosts, host, "the process that asked gave no answer");
	else if (a.status != 0 || a.n == 0)
		note_failure(hosts, host, gai_strerror(a.status ? a.status : EAI_NONAME));
	if (a.left_off)
		log_line(hosts->log, LOG_WARNING, "\"%s\" has %d addresses, of which %d are used",
			 host, a.n + a.left_off, a.n);
	for (size_t n = 0; n < hosts->names->n; n++)
		for (int i = 0; i < a.n; i++)
			if (strcmp(hosts->names->list[n].host.host, host) == 0)
				add_host(hosts, &hosts->names->list[n].host, a.text[i]);
}

size_t hosts_known(struct db_hosts *hosts, size_t besides, const struct deadline *d)
{
	struct names *names = hosts->names;
	struct epoll_event event;

	while (names->n_open) {
		bool all = start_all(hosts), enough = hosts->n > besides;
		double most = enough ? 0 : all ? deadline_left(d) : START_AGAIN;
		struct deadline turn = deadline_sub(d, most);
		enum wait_result ready = deadline_wait(&turn, names->epoll, POLLIN);

		if (ready == WAIT_READY && epoll_wait(names->epoll, &event, 1, 0) == 1) {
			take_answer(hosts, event.data.ptr);
			continue;
		}
		ready = deadline_check(d);
		if (ready != WAIT_READY && hosts->n == 0 && !hosts->unknown_name[0])
			note_failure(hosts, names->list[0].host.host, wait_reason(ready));
		if (ready != WAIT_READY || enough)
			break;
	}
	return hosts->n;
}

void hosts_end(struct db_hosts *hosts)
{
	struct names *names = hosts->names;

	for (size_t i = 0; names && i < names->n; i++)
		if (names->list[i].state == ASKING)
			end(names, &names->list[i]);
	if (names && names->epoll >= 0)
		close(names->epoll);
	hosts->names = NULL;
}
