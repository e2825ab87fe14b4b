/*
 * What counts as acknowledged is decided in this file, and it is harder than "the server said
 * success":
 *
 * - CommandComplete comes before the commit has waited for its standby. So results are read until
 *   there are none, and only then the statement is done.
 * - A wait for the standby that is cancelled, by us or by an administrator, ends with success and a
 *   WARNING. So a success with that warning, or after we have cancelled, is not one. Its words are
 *   translated, but the function in the server that it comes from is sent with it. Other warnings
 *   are about other things (transaction ids that run out, a collation's version) and do not count.
 * - On a hung server a statement has no answer at all. So it is cancelled at the deadline, and what
 *   it says within a moment is still heard.
 */
#include "store/query.h"

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/memory.h"
#include "base/process.h"
#include "store/connect.h"

/* What the results of one statement said, in the order in which they came. */
struct answer {
	PGresult *good; /* the last success */
	PGresult *bad;  /* the first error */
	bool not_replicated;
};

#define WAITS_FOR_STANDBY "SyncRepWaitForLSN"

static void note_warning(void *answer, const PGresult *notice)
{
	const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
	const char *function = PQresultErrorField(notice, PG_DIAG_SOURCE_FUNCTION);

	if (!severity) /* a pooler sends no other */
		severity = PQresultErrorField(notice, PG_DIAG_SEVERITY);
	if (answer && severity && strcmp(severity, "WARNING") == 0 && function &&
	    strcmp(function, WAITS_FOR_STANDBY) == 0)
		((struct answer *)answer)->not_replicated = true;
}

static void keep(struct answer *a, PGresult *r)
{
	ExecStatusType s = PQresultStatus(r);

	if (s == PGRES_TUPLES_OK || s == PGRES_COMMAND_OK) {
		PQclear(a->good);
		a->good = r;
	} else if (!a->bad) {
		a->bad = r;
	} else {
		PQclear(r);
	}
}

static enum wait_result flush(PGconn *conn, const struct deadline *l)
{
	while (PQflush(conn) > 0) {
		enum wait_result r = connect_wait(conn, l, POLLIN | POLLOUT);

		if (r != WAIT_READY)
			return r;
		if (!PQconsumeInput(conn))
			break;
	}
	return WAIT_READY;
}

/* Reads results until there are none: a success counts only when nothing comes behind it, for the
 * commit waits for its standby after the command has said that it is complete. */
static enum wait_result drain(PGconn *conn, const struct deadline *l, struct answer *a)
{
	for (;;) {
		PGresult *r;

		while (PQisBusy(conn)) {
			enum wait_result ready = connect_wait(conn, l, POLLIN);

			if (ready != WAIT_READY)
				return ready;
			if (!PQconsumeInput(conn))
				break;
		}
		r = PQgetResult(conn);
		if (!r)
			return WAIT_READY;
		keep(a, r);
		if (deadline_left(l) <= 0) /* there may be no end of them */
			return WAIT_TIMEOUT;
	}
}

/* Runs in a child process: PQcancel blocks without a limit. */
static void cancel(void *cancel, int reply_fd)
{
	char words[256];

	(void)reply_fd;
	PQcancel(cancel, words, sizeof(words));
}

/*
 * Cancels, and reads what became of the statement. The child is given time to end by itself: the
 * statement's answer comes before the cancel's own, and PgBouncer 1.18 crashes when a client hangs
 * up in between.
 */
static enum wait_result give_up(PGconn *conn, struct answer *a)
{
	struct deadline d = deadline_in(CANCEL_SECONDS);
	struct process_call child;
	struct err e;
	PGcancel *c = PQgetCancel(conn);
	bool started = c && process_call_start(cancel, c, &child, &e) == 0;
	enum wait_result ready = drain(conn, &d, a);

	if (started)
		process_call_end(&child, &d);
	PQfreeCancel(c);
	return ready;
}

static struct rows copy_rows(const PGresult *r)
{
	struct rows out = { .n = (size_t)PQntuples(r), .columns = (size_t)PQnfields(r) };
	const char **cell;

	out.names = mem_new((out.columns + 1) * sizeof(*out.names));
	for (size_t i = 0; i < out.columns; i++)
		out.names[i] = mem_strdup(PQfname(r, (int)i));
	out.cells = cell = mem_new((out.n * out.columns + 1) * sizeof(*out.cells));
	for (int row = 0; row < PQntuples(r); row++)
		for (int column = 0; column < PQnfields(r); column++, cell++)
			if (!PQgetisnull(r, row, column))
				*cell = mem_strdup(PQgetvalue(r, row, column));
	return out;
}

static void refused(const struct answer *a, PGconn *conn, struct query_result *out)
{
	const char *state = a->bad ? PQresultErrorField(a->bad, PG_DIAG_SQLSTATE) : NULL;
	const char *words = a->bad ? PQresultErrorField(a->bad, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	const char *constraint =
		a->bad ? PQresultErrorField(a->bad, PG_DIAG_CONSTRAINT_NAME) : NULL;

	note_error_text(words ? words : PQerrorMessage(conn), out);
	if (!out->text[0])
		snprintf(out->text, sizeof(out->text), "unexpected reply to this statement");
	if (state)
		snprintf(out->sqlstate, sizeof(out->sqlstate), "%s", state);
	if (constraint)
		snprintf(out->constraint, sizeof(out->constraint), "%s", constraint);
	out->outcome = QUERY_UNKNOWN;
	/* 40003: the server itself does not know. */
	if (state && PQstatus(conn) == CONNECTION_OK && strcmp(state, "40003") != 0)
		out->outcome = QUERY_REJECTED;
}

static void decide(const struct answer *a, PGconn *conn, bool cancelled, enum wait_result read,
		   struct query_result *out)
{
	if (read != WAIT_READY) {
		out->outcome = QUERY_UNKNOWN;
		snprintf(out->text, sizeof(out->text), "no answer from the database: %s",
			 wait_reason(out->ended));
	} else if (a->bad || !a->good || PQstatus(conn) != CONNECTION_OK) {
		refused(a, conn, out);
	} else {
		out->outcome = a->not_replicated || cancelled ? QUERY_UNCONFIRMED : QUERY_OK;
		out->rows = copy_rows(a->good);
		if (cancelled)
			snprintf(out->text, sizeof(out->text),
				 "the database was too slow, the statement was cancelled");
		else if (a->not_replicated)
			snprintf(out->text, sizeof(out->text),
				 "the database warned that the commit may not be replicated");
	}
}

static void run(PGconn *conn, const struct statement *s, const struct deadline *d,
		struct query_result *out)
{
	struct answer a = { 0 };
	bool cancelled = false;
	enum wait_result read = WAIT_READY;

	PQsetNoticeReceiver(conn, note_warning, &a);
	if (s->refresh)
		s->refresh(s->context);
	if (PQsetnonblocking(conn, 1) == 0 &&
	    PQsendQueryParams(conn, s->sql, s->n, NULL, s->values, NULL, NULL, 0)) {
		read = flush(conn, d);
		if (read == WAIT_READY)
			read = drain(conn, d, &a);
	}
	out->ended = read;
	if (read != WAIT_READY) {
		cancelled = true;
		read = give_up(conn, &a);
	}
	decide(&a, conn, cancelled, read, out);
	PQsetNoticeReceiver(conn, note_warning, NULL);
	PQclear(a.good);
	PQclear(a.bad);
}

void query_run(struct connection *c, const struct db_hosts *hosts, size_t host,
	       double connect_seconds, const struct statement *s, const struct deadline *deadline,
	       struct query_result *out)
{
	*out = (struct query_result){ 0 };
	if (c->conn && c->host != host)
		connection_close(c);
	if (!c->conn) {
		struct deadline d = deadline_sub(deadline, connect_seconds);

		c->conn = connect_to(hosts, host, &d, out);
		c->host = host;
	}
	if (!c->conn)
		return;
	run(c->conn, s, deadline, out);
	if (out->outcome != QUERY_OK && out->outcome != QUERY_REJECTED)
		connection_close(c);
}

void connection_close(struct connection *c)
{
	PQfinish(c->conn);
	c->conn = NULL;
}

const char *rows_get(const struct rows *r, size_t row, const char *column)
{
	if (row >= r->n)
		return NULL;
	for (size_t i = 0; i < r->columns; i++)
		if (strcmp(r->names[i], column) == 0)
			return r->cells[row * r->columns + i];
	return NULL;
}
