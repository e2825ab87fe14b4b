/* The server of fake_server.h: one thread, one connection at a time. */
#include "fake_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- messages ---- */

struct message {
	char bytes[2048];
	size_t len;
};

static void message_add(struct message *m, const void *bytes, size_t len)
{
	memcpy(m->bytes + m->len, bytes, len);
	m->len += len;
}

static void message_text(struct message *m, const char *text)
{
	message_add(m, text, strlen(text) + 1);
}

static void message_int(struct message *m, size_t bytes, uint32_t n)
{
	uint32_t big = htonl(n << (8 * (4 - bytes)));

	message_add(m, &big, bytes);
}

static bool server_send(int fd, const void *bytes, size_t len)
{
	return send(fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static bool server_say(int fd, char type, const struct message *body)
{
	uint32_t len = htonl((uint32_t)body->len + 4);
	struct message all = { { type }, 1 };

	message_add(&all, &len, 4);
	message_add(&all, body->bytes, body->len);
	return server_send(fd, all.bytes, all.len);
}

static bool server_say_text(int fd, char type, const char *text)
{
	struct message m = { .len = 0 };

	message_text(&m, text);
	return server_say(fd, type, &m);
}

static bool server_say_nothing(int fd, char type)
{
	return server_say(fd, type, &(struct message){ .len = 0 });
}

/* An error or a notice. `now` says whether it carries the severity that is not translated. `more`
 * is
 * "", or an error's constraint, or the function of the server that a notice comes from. */
static bool server_report(int fd, char type, const char *severity, const char *sqlstate,
			  const char *more, bool now)
{
	struct message m = { .len = 0 };

	message_add(&m, "S", 1);
	message_text(&m, severity);
	if (now) {
		message_add(&m, "V", 1);
		message_text(&m, severity);
	}
	message_add(&m, "C", 1);
	message_text(&m, sqlstate);
	message_add(&m, "M", 1);
	message_text(&m, "words of the server\nin two lines");
	if (more[0]) {
		message_add(&m, type == 'E' ? "n" : "R", 1);
		message_text(&m, more);
	}
	message_add(&m, "", 1);
	return server_say(fd, type, &m);
}

static bool server_welcome(int fd)
{
	struct message ok = { .len = 0 };

	message_int(&ok, 4, 0);
	return server_say(fd, 'R', &ok);
}

static bool server_hello(int fd)
{
	struct message key = { .len = 0 };

	message_int(&key, 4, 7);
	message_int(&key, 4, 7);
	return server_welcome(fd) && server_say(fd, 'K', &key) &&
	       server_say(fd, 'Z', &(struct message){ "I", 1 });
}

static bool server_columns(int fd, const char *names)
{
	struct message m = { .len = 2 };
	char copy[512], *rest = copy, *name;
	uint16_t n = 0;

	snprintf(copy, sizeof(copy), "%s", names);
	for (; (name = strsep(&rest, ",")); n++) {
		message_text(&m, name);
		message_int(&m, 4, 0);
		message_int(&m, 2, 0);
		message_int(&m, 4, 25); /* text */
		message_int(&m, 2, 0xffff);
		message_int(&m, 4, 0xffffffff);
		message_int(&m, 2, 0);
	}
	n = htons(n);
	memcpy(m.bytes, &n, 2);
	return server_say(fd, 'T', &m);
}

static bool server_row(int fd, const char *cells)
{
	struct message m = { .len = 2 };
	char copy[512], *rest = copy, *cell;
	uint16_t n = 0;

	snprintf(copy, sizeof(copy), "%s", cells);
	for (; (cell = strsep(&rest, ",")); n++) {
		bool null = strcmp(cell, "~") == 0;

		message_int(&m, 4, null ? 0xffffffff : (uint32_t)strlen(cell));
		if (!null)
			message_add(&m, cell, strlen(cell));
	}
	n = htons(n);
	memcpy(m.bytes, &n, 2);
	return server_say(fd, 'D', &m);
}

static bool server_copy(int fd)
{
	struct message m = { .len = 0 };

	message_int(&m, 1, 0);
	message_int(&m, 2, 0);
	return server_say(fd, 'G', &m);
}

/* ---- what the client says ---- */

static bool server_read(int fd, void *to, size_t len)
{
	return recv(fd, to, len, MSG_WAITALL) == (ssize_t)len;
}

static bool server_skip(int fd, size_t len)
{
	char bytes[256];

	for (size_t n; len > 0; len -= n) {
		n = len < sizeof(bytes) ? len : sizeof(bytes);
		if (!server_read(fd, bytes, n))
			return false;
	}
	return true;
}

/* Reads messages up to the one that ends a statement. */
static bool server_await_statement(struct server *s, int fd)
{
	char type = 0;
	uint32_t len;

	while (type != 'S') {
		if (!server_read(fd, &type, 1) || !server_read(fd, &len, 4) ||
		    !server_skip(fd, ntohl(len) - 4))
			return false;
	}
	s->statements++;
	return true;
}

/* Accepts a connection that wants in; answers the others. -1: the server is to end. */
static int server_accept(struct server *s, bool for_cancel)
{
	for (;;) {
		int fd = accept(s->listener, NULL, NULL);
		uint32_t start[2];

		if (fd < 0)
			return -1;
		while (server_read(fd, start, 8) && ntohl(start[0]) == 8) /* TLS or GSS? */
			server_send(fd, "N", 1);
		if (ntohl(start[1]) == 80877102) {
			s->cancels++;
			close(fd);
			if (for_cancel)
				return 0;
			continue;
		}
		if (ntohl(start[1]) == 196608 && server_skip(fd, ntohl(start[0]) - 8))
			return fd;
		close(fd);
	}
}

/* ---- scripts ---- */

/* Faster than a client can read. */
static bool server_flood(int fd)
{
	struct message words = { .len = 0 }, notice = { "N", 1 };
	static char many[1 << 16];
	size_t len = 0;

	message_add(&words, "SNOTICE\0VNOTICE\0C00000\0Mx\0", 27);
	message_int(&notice, 4, (uint32_t)words.len + 4);
	message_add(&notice, words.bytes, words.len);
	for (; len + notice.len <= sizeof(many); len += notice.len)
		memcpy(many + len, notice.bytes, notice.len);
	while (send(fd, many, len, MSG_NOSIGNAL | MSG_WAITALL) == (ssize_t)len)
		;
	return false;
}

static bool server_word(struct server *s, int fd, const char *word, char *rest)
{
	static const struct {
		const char *word, *severity;
		char type;
		bool now;
	} reports[] = {
		{ "notice", "NOTICE", 'N', true },        { "warning", "WARNING", 'N', true },
		{ "error", "ERROR", 'E', true },          { "fatal", "FATAL", 'E', true },
		{ "old-warning", "WARNING", 'N', false }, { "old-fatal", "FATAL", 'E', false }
	};

	for (size_t i = 0; i < COUNT(reports); i++) {
		const char *sqlstate;

		if (strcmp(word, reports[i].word) != 0)
			continue;
		sqlstate = strsep(&rest, ":");
		return server_report(fd, reports[i].type, reports[i].severity, sqlstate,
				     rest ? rest : "", reports[i].now);
	}
	if (strcmp(word, "hello") == 0)
		return server_hello(fd);
	if (strcmp(word, "welcome") == 0)
		return server_welcome(fd);
	if (strcmp(word, "query") == 0)
		return server_await_statement(s, fd);
	if (strcmp(word, "parsed") == 0)
		return server_say_nothing(fd, '1') && server_say_nothing(fd, '2');
	if (strcmp(word, "columns") == 0)
		return server_say_nothing(fd, '1') && server_say_nothing(fd, '2') &&
		       server_columns(fd, rest);
	if (strcmp(word, "row") == 0)
		return server_row(fd, rest);
	if (strcmp(word, "done") == 0)
		return server_say_text(fd, 'C', "INSERT 0 1");
	if (strcmp(word, "idle") == 0)
		return server_say(fd, 'Z', &(struct message){ "I", 1 });
	if (strcmp(word, "empty") == 0)
		return server_say_nothing(fd, 'I');
	if (strcmp(word, "cancelled") == 0)
		return server_accept(s, true) == 0;
	if (strcmp(word, "copy") == 0)
		return server_copy(fd);
	if (strcmp(word, "garbage") == 0)
		return server_send(fd, "garbage, and more of it", 23);
	if (strcmp(word, "half") == 0)
		return server_send(fd, "D\0\0\1\0x", 6);
	if (strcmp(word, "flood") == 0)
		return server_flood(fd);
	return false; /* close */
}

static void server_play(struct server *s, int fd, const char *script)
{
	char copy[2048], *rest = copy, *word, none[1] = "", last[64];

	snprintf(copy, sizeof(copy), "%s", script);
	while ((word = strsep(&rest, " "))) {
		char *colon = strchr(word, ':');

		if (!*word)
			continue;
		if (colon)
			*colon++ = '\0';
		if (!server_word(s, fd, word, colon ? colon : none))
			return;
	}
	while (recv(fd, last, sizeof(last), 0) > 0)
		;
}

static void *server_run(void *server)
{
	struct server *s = server;
	int fd;

	while ((fd = server_accept(s, false)) >= 0) {
		size_t at = (size_t)s->connections++;

		server_play(s, fd, s->scripts[at < s->n ? at : s->n - 1]);
		close(fd);
	}
	return NULL;
}

void server_start(struct server *s, const char *const *scripts, size_t n)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);

	*s = (struct server){ .scripts = scripts, .n = n };
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->listener, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(s->listener, 8), 0);
	assert_int_equal(getsockname(s->listener, (struct sockaddr *)&at, &len), 0);
	snprintf(s->port, sizeof(s->port), "%u", ntohs(at.sin_port));
	assert_int_equal(pthread_create(&s->thread, NULL, server_run, s), 0);
}

void server_stop(struct server *s)
{
	shutdown(s->listener, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->listener);
}

struct db_hosts hosts_of(const char *fmt, ...)
{
	struct db_hosts hosts;
	struct err e = { 0 };
	char json[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(json, sizeof(json), fmt, args);
	va_end(args);
	if (db_hosts_read(json_of(J(json)), "a name", &hosts, &e) < 0)
		fail_msg("%s: %s", json, e.msg);
	return hosts;
}
