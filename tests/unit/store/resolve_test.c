/* Names to addresses. Needs nothing: getaddrinfo answers what a table says (--wrap). */
#include "fake_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "memory_fds.h"
#include "store/connect.h"

TEST(what_is_a_name)
{
	static const struct {
		const char *host;
		bool name;
	} t[] = {
		{ NULL, false },
		{ "", false },
		{ "/run/postgresql", false },
		{ "@abstract", false },
		{ "10.0.0.1", false },
		{ "fd00::1", false },
		{ "db", true },
		{ "db.example.org", true },
		{ "10.0.0", true },
		{ "10.0.0.1.example.org", true },
	};

	for (size_t i = 0; i < COUNT(t); i++)
		assert_int_equal(resolve_needed(t[i].host), t[i].name);
}

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
		       struct addrinfo **out);
void __wrap_freeaddrinfo(struct addrinfo *all);

static struct addrinfo *an_address(const char *text, struct addrinfo *next)
{
	struct addrinfo *a = calloc(1, sizeof(*a));
	struct sockaddr_in *in = calloc(1, sizeof(*in));

	in->sin_family = AF_INET;
	assert_int_equal(inet_pton(AF_INET, text, &in->sin_addr), 1);
	a->ai_family = AF_INET;
	a->ai_addr = (struct sockaddr *)in;
	a->ai_addrlen = sizeof(*in);
	a->ai_next = next;
	return a;
}

/* Runs in the process that asks. */
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
		       struct addrinfo **out)
{
	static int asked;

	(void)service;
	(void)hints;
	asked++;
	*out = NULL;
	if (strcmp(host, "slow") == 0)
		sleep(60);
	if (strcmp(host, "dies") == 0)
		raise(SIGKILL);
	if (strcmp(host, "silent") == 0)
		_exit(0);
	if (strcmp(host, "unknown") == 0)
		return EAI_NONAME;
	if (strcmp(host, "busy") == 0 || (strcmp(host, "later") == 0 && asked == 1))
		return EAI_AGAIN;
	if (strcmp(host, "short") == 0 && asked == 1)
		return EAI_MEMORY;
	*out = an_address("10.0.0.1", NULL);
	if (strcmp(host, "two") == 0)
		*out = an_address("10.0.0.2", *out);
	if (strcmp(host, "many") == 0 || strcmp(host, "crowd") == 0)
		for (int i = 1; i < (strcmp(host, "many") == 0 ? RESOLVE_MAX : 100); i++)
			*out = an_address(mem_printf("10.0.0.%d", i + 1), *out);
	return 0;
}

void __wrap_freeaddrinfo(struct addrinfo *all)
{
	(void)all;
}

int __wrap_epoll_create1(int flags);
int __real_epoll_create1(int flags);
int __wrap_pipe2(int ends[2], int flags);
int __real_pipe2(int ends[2], int flags);

/* So often there is no descriptor left. */
static int no_epoll, no_pipe;

int __wrap_epoll_create1(int flags)
{
	errno = EMFILE;
	return no_epoll-- > 0 ? -1 : __real_epoll_create1(flags);
}

int __wrap_pipe2(int ends[2], int flags)
{
	errno = EMFILE;
	return no_pipe-- > 0 ? -1 : __real_pipe2(ends, flags);
}

static struct db_hosts asked(const char *list)
{
	struct db_hosts hosts = hosts_of("{'host':'%s','port':7}", list);

	hosts_ask(&hosts);
	return hosts;
}

/* No child is left. */
static void end(struct db_hosts *hosts)
{
	hosts_end(hosts);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

TEST(each_address_of_a_name_is_a_host)
{
	struct db_hosts hosts = asked("two");
	struct deadline l = deadline_in(10);

	assert_int_equal(hosts_known(&hosts, 0, &l), 2);
	assert_string_equal(hosts.list[0].host, "two");
	assert_string_equal(hosts.list[0].hostaddr, "10.0.0.2");
	assert_string_equal(hosts.list[0].port, "7");
	assert_string_equal(hosts.list[1].hostaddr, "10.0.0.1");
	assert_string_equal(db_hosts_session_attrs(&hosts), "read-write");
	end(&hosts);
}

TEST(of_too_many_addresses_some_are_used_and_it_is_said)
{
	static const char *const names[] = { "many", "crowd" };
	struct log log = { .level = LOG_WARNING, .err = memory(""), .file = -1 };
	char said[256];

	for (size_t i = 0; i < COUNT(names); i++) {
		struct db_hosts hosts = asked(names[i]);
		struct deadline l = deadline_in(10);

		hosts.log = &log;
		text_in(log.err, said, sizeof(said));
		assert_string_equal(said, ""); /* "many" are not too many */
		assert_int_equal(hosts_known(&hosts, 0, &l), RESOLVE_MAX);
		assert_string_equal(hosts.list[RESOLVE_MAX - 1].hostaddr,
				    i ? "10.0.0.39" : "10.0.0.1");
		end(&hosts);
	}
	text_in(log.err, said, sizeof(said));
	assert_non_null(strstr(said, "\"crowd\" has 100 addresses, of which 62 are used\n"));
	close(log.err);
}

TEST(one_address_is_one_host)
{
	struct db_hosts hosts = asked("one");
	struct deadline l = deadline_in(10);

	assert_int_equal(hosts_known(&hosts, 0, &l), 1);
	assert_null(db_hosts_session_attrs(&hosts));
	end(&hosts);
	hosts = asked("slow,one"); /* there is another one, though it is not known yet */
	assert_int_equal(hosts_known(&hosts, 0, &l), 1);
	assert_string_equal(db_hosts_session_attrs(&hosts), "read-write");
	end(&hosts);
}

TEST(all_names_are_asked_for_at_the_same_time)
{
	struct db_hosts hosts = asked("slow,10.9.9.9,unknown,/run/x,one,slow,two");
	struct deadline l = deadline_in(10), moment;

	assert_int_equal(hosts.n, 2); /* what needs no asking is there at once */
	assert_string_equal(hosts.list[0].host, "10.9.9.9");
	assert_string_equal(hosts.list[1].host, "/run/x");
	assert_true(hosts_known(&hosts, 0, &l) >= 2);
	assert_true(hosts_known(&hosts, 2, &l) > 2);
	assert_int_equal(hosts_known(&hosts, 4, &l), 5); /* one, two */
	assert_true(deadline_left(&l) > 5);
	moment = deadline_in(0.05);
	assert_int_equal(hosts_known(&hosts, 5, &moment), 5); /* slow */
	end(&hosts);
}

TEST(a_name_that_is_there_twice_is_asked_for_once_and_is_two_hosts)
{
	struct db_hosts hosts = hosts_of("{'host':'one,slow,one','port':'7,8,9'}");
	struct deadline l = deadline_in(10);

	hosts_ask(&hosts);
	assert_int_equal(hosts_known(&hosts, 0, &l), 2);
	assert_string_equal(hosts.list[0].port, "7");
	assert_string_equal(hosts.list[1].port, "9");
	assert_string_equal(hosts.list[1].hostaddr, "10.0.0.1");
	end(&hosts);
}

struct failing {
	const char *host, *why;
};

static void fails(const struct failing *f, const struct deadline *l)
{
	struct db_hosts hosts = asked(f->host);
	char words[256];

	assert_int_equal(hosts_known(&hosts, 0, l), 0);
	snprintf(words, sizeof(words), "could not translate host name \"%s\" to an address: %s",
		 f->host, f->why);
	assert_string_equal(hosts.unknown_name, words);
	end(&hosts);
}

TEST(names_without_an_address)
{
	static const struct failing t[] = {
		{ "unknown", "Name or service not known" },
		{ "dies", "the process that asked was ended by signal 9 (Killed)" },
		{ "silent", "the process that asked gave no answer" },
	};
	struct deadline l = deadline_in(10);

	for (size_t i = 0; i < COUNT(t); i++)
		fails(&t[i], &l);
	assert_true(deadline_left(&l) > 5);
}

TEST(names_that_are_given_up)
{
	static const struct failing slow = { "slow", "the deadline has passed" },
				    busy = { "busy", "Temporary failure in name resolution" };
	struct deadline a = deadline_in(0.05), b = deadline_in(0.5);

	fails(&slow, &a);
	fails(&busy, &b);
}

TEST(a_name_server_that_cannot_answer_now_is_asked_again)
{
	static const char *const names[] = { "later", "short" };

	for (size_t i = 0; i < COUNT(names); i++) {
		struct db_hosts hosts = asked(names[i]);
		struct deadline l = deadline_in(10);

		assert_int_equal(hosts_known(&hosts, 0, &l), 1);
		assert_true(deadline_left(&l) < 9.5);
		end(&hosts);
	}
}

TEST(what_could_not_be_started_is_started_later)
{
	struct deadline l = deadline_in(10), moment = deadline_in(0.3);
	struct db_hosts hosts;

	for (int n = 1; n < 4; n++) {
		no_epoll = n == 1 ? 0 : 2;
		no_pipe = n;
		hosts = asked("two,10.9.9.9,one");
		assert_true(hosts_known(&hosts, 0, &l) > 0); /* without waiting */
		assert_int_equal(hosts_known(&hosts, 3, &l), 4);
		end(&hosts);
	}
	assert_true(deadline_left(&l) > 5);
	no_pipe = 1000;
	hosts = asked("one");
	assert_int_equal(hosts_known(&hosts, 0, &moment), 0);
	assert_string_equal(hosts.unknown_name,
			    "could not translate host name \"one\" to an address: "
			    "pipe: Too many open files");
	end(&hosts);
	no_pipe = 0;
}

TEST(nobody_waits)
{
	static const struct failing slow = { "slow", "nobody waits for the answer any more" };
	struct deadline l = deadline_in(10);
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	l.stdout_fd = ends[1];
	fails(&slow, &l);
	assert_true(deadline_left(&l) > 5);
	close(ends[1]);
}
