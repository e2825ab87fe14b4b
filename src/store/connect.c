/*
 * Connecting without blocking: libpq's own functions for that have no deadline, and cannot be told
 * that nobody waits any more.
 */
#include "store/connect.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/memory.h"

/* What a server says to a wrong password. Where none is given, libpq itself ends the login, and
 * trying again is as useless. */
#define NO_PASSWORD "28P01"

/* "…FATAL:  28P01: password…": where the five characters stand, or NULL. */
static const char *find_sqlstate(const char *words)
{
	for (const char *p = strstr(words, ":  "); p; p = strstr(p + 1, ":  "))
		if (strspn(p + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 &&
		    strncmp(p + 8, ": ", 2) == 0)
			return p + 3;
	return NULL;
}

void note_error_text(const char *words, struct query_result *out)
{
	int line = (int)strcspn(words, "\n");
	const char *state;

	snprintf(out->text, sizeof(out->text), "%.*s", line, words);
	state = find_sqlstate(out->text);
	if (state) {
		char *at = out->text + (state - out->text);

		snprintf(out->sqlstate, sizeof(out->sqlstate), "%.5s", state);
		memmove(at, at + 7, strlen(at + 7) + 1);
	}
	sanitize_line(out->text);
}

/* The keywords that lead to one host: libpq takes two arrays that end with NULL. */
struct keywords {
	const char **keys, **values;
};

static struct keywords keywords_for(const struct db_hosts *t, const char *host,
				    const char *hostaddr, const char *port)
{
	const char *const own_keys[] = { "host", "hostaddr", "port", "target_session_attrs" };
	const char *const own_values[] = { host, hostaddr, port, db_hosts_session_attrs(t) };
	size_t n = t->n_others;
	struct keywords k = { mem_new((n + 5) * sizeof(*k.keys)),
			      mem_new((n + 5) * sizeof(*k.values)) };

	memcpy(k.keys, t->keys, n * sizeof(*k.keys));
	memcpy(k.values, t->values, n * sizeof(*k.values));
	memcpy(k.keys + n, own_keys, sizeof(own_keys));
	memcpy(k.values + n, own_values, sizeof(own_values));
	return k;
}

/*
 * libpq has one status for parameters that it refuses and for a host that it cannot reach. A second
 * look at the same parameters tells them apart, with a host that is nowhere, whatever a service
 * says of it.
 */
static bool parameters_are_invalid(const struct db_hosts *t, const struct db_host *to)
{
	struct keywords k = keywords_for(t, "/nonexistent", "nowhere", to->port);

	return PQpingParams(k.keys, k.values, 0) == PQPING_NO_ATTEMPT;
}

/* Some values libpq reads only while it connects, such as "keepalives". It has no status for a
 * wrong one, only these words, which are the same in every version since 12. */
static bool is_bad_value(const PGconn *conn)
{
	return strstr(PQerrorMessage(conn), "\" for connection option \"");
}

static void quiet(void *nobody, const PGresult *notice)
{
	(void)nobody;
	(void)notice;
}

enum wait_result connect_wait(PGconn *conn, const struct deadline *deadline, short events)
{
	enum wait_result r = deadline_wait(deadline, PQsocket(conn), events);

	return r == WAIT_READY && deadline_left(deadline) <= 0 ? WAIT_TIMEOUT : r;
}

/* Drives the handshake to its end. */
static PostgresPollingStatusType handshake(PGconn *conn, const struct deadline *l,
					   enum wait_result *ended)
{
	PostgresPollingStatusType s = PGRES_POLLING_WRITING;

	while (s == PGRES_POLLING_READING || s == PGRES_POLLING_WRITING) {
		*ended = connect_wait(conn, l, s == PGRES_POLLING_READING ? POLLIN : POLLOUT);
		if (*ended != WAIT_READY)
			return PGRES_POLLING_FAILED;
		s = PQconnectPoll(conn);
	}
	return s;
}

static void note_failure(PGconn *conn, const struct db_host *to, struct query_result *out)
{
	const char *where = to->host ? to->host : to->hostaddr ? to->hostaddr : "the local socket";

	if (out->ended != WAIT_READY)
		snprintf(out->text, sizeof(out->text), "connection to \"%s\" failed: %s", where,
			 wait_reason(out->ended));
	else
		note_error_text(PQerrorMessage(conn), out);
	if (PQconnectionNeedsPassword(conn) && !out->sqlstate[0])
		memcpy(out->sqlstate, NO_PASSWORD, sizeof(NO_PASSWORD));
}

PGconn *connect_to(const struct db_hosts *hosts, size_t host, const struct deadline *d,
		   struct query_result *out)
{
	const struct db_host *to = &hosts->list[host];
	struct keywords k;
	PGconn *conn;

	*out = (struct query_result){ .outcome = QUERY_NOT_SENT };
	if (host >= hosts->n) { /* its name is not known */
		out->ended = deadline_check(d);
		snprintf(out->text, sizeof(out->text), "%s", hosts->unknown_name);
		return NULL;
	}
	k = keywords_for(hosts, to->host, to->hostaddr, to->port);
	conn = PQconnectStartParams(k.keys, k.values, 0);
	if (!conn)
		mem_failed();
	PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
	PQsetNoticeReceiver(conn, quiet, NULL);
	if (PQstatus(conn) == CONNECTION_BAD) {
		if (is_bad_value(conn) || parameters_are_invalid(hosts, to))
			out->outcome = QUERY_BAD_PARAMS;
	} else if (handshake(conn, d, &out->ended) == PGRES_POLLING_OK) {
		return conn;
	}
	note_failure(conn, to, out);
	PQfinish(conn);
	return NULL;
}
