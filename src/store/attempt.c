#include "store/attempt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "store/connect.h"

/* What a given-up statement gets at most for being cancelled and for saying what became of it. */
#define DRAIN_SECONDS 0.2
#define CANCEL_SLICE 0.005 /* between two looks at whether the cancel has ended */

/* What the results of one statement said, in the order in which they came. */
struct answer {
	PGresult *good; /* the last success */
	PGresult *bad;  /* the first error */
	bool warned;
};

static void note_warning(void *answer, const PGresult *notice)
{
	const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);

	if (!severity) /* a pooler's, which has no translations */
		severity = PQresultErrorField(notice, PG_DIAG_SEVERITY);
	if (answer && severity && strcmp(severity, "WARNING") == 0)
		((struct answer *)answer)->warned = true;
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

/* PQcancel blocks without deadline, so a child process does it, for as long as we let it live. */
static pid_t start_cancel(PGconn *conn)
{
	char nobody[256];
	PGcancel *c = PQgetCancel(conn);
	pid_t pid = c ? fork() : -1;

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(PQcancel(c, nobody, sizeof(nobody)) ? 0 : 1);
	}
	PQfreeCancel(c);
	return pid;
}

/* Lets it end by itself while there is time: the statement's answer comes before the cancel's own,
 * and PgBouncer 1.18 dies of a client that hangs up in between. */
static void end_cancel(pid_t pid, const struct deadline *l)
{
	pid_t ended;

	while ((ended = waitpid(pid, NULL, WNOHANG)) == 0 && deadline_left(l) > 0) {
		struct deadline moment = deadline_sub(l, CANCEL_SLICE);

		deadline_wait(&moment, -1, 0);
	}
	if (ended != 0)
		return;
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* Cancels, and hears what became of the statement. */
static enum wait_result give_up(PGconn *conn, struct answer *a)
{
	struct deadline l = deadline_in(DRAIN_SECONDS);
	pid_t pid = start_cancel(conn);
	enum wait_result ready = drain(conn, &l, a);

	if (pid > 0)
		end_cancel(pid, &l);
	return ready;
}

static int copy_rows(const PGresult *r, struct rows *out)
{
	size_t n = (size_t)PQntuples(r), columns = (size_t)PQnfields(r), bytes = 0;
	char *text;

	for (size_t i = 0; i < n * columns; i++)
		bytes += (size_t)PQgetlength(r, (int)(i / columns), (int)(i % columns)) + 1;
	out->cells = malloc(n * columns * sizeof(*out->cells) + bytes + 1);
	if (!out->cells)
		return -1;
	out->n = n;
	out->columns = columns;
	text = (char *)(out->cells + n * columns);
	for (size_t i = 0; i < n * columns; i++) {
		int row = (int)(i / columns), column = (int)(i % columns);
		size_t len = (size_t)PQgetlength(r, row, column);

		out->cells[i] = PQgetisnull(r, row, column) ? NULL : text;
		memcpy(text, PQgetvalue(r, row, column), len);
		text[len] = '\0';
		text += len + 1;
	}
	return 0;
}

static void refused(const struct answer *a, PGconn *conn, struct query_result *out)
{
	const char *state = a->bad ? PQresultErrorField(a->bad, PG_DIAG_SQLSTATE) : NULL;
	const char *words = a->bad ? PQresultErrorField(a->bad, PG_DIAG_MESSAGE_PRIMARY) : NULL;

	note_error_text(words ? words : PQerrorMessage(conn), out);
	if (!out->text[0])
		snprintf(out->text, sizeof(out->text), "the answer is none to this statement");
	if (state)
		snprintf(out->sqlstate, sizeof(out->sqlstate), "%s", state);
	out->outcome = QUERY_UNKNOWN;
	/* 40003: the server itself does not know. */
	if (state && PQstatus(conn) == CONNECTION_OK && strcmp(state, "40003") != 0)
		out->outcome = QUERY_REJECTED;
}

/* The one place that decides whether something counts as acknowledged. */
static void judge(const struct answer *a, PGconn *conn, bool cancelled, enum wait_result read,
		  struct query_result *out)
{
	if (read != WAIT_READY) {
		out->outcome = QUERY_UNKNOWN;
		snprintf(out->text, sizeof(out->text), "no answer from the database: %s",
			 wait_reason(out->ended));
	} else if (a->bad || !a->good || PQstatus(conn) != CONNECTION_OK) {
		refused(a, conn, out);
	} else {
		out->outcome = a->warned || cancelled ? QUERY_UNCONFIRMED : QUERY_OK;
		if (out->outcome == QUERY_UNCONFIRMED)
			snprintf(out->text, sizeof(out->text), "%s",
				 cancelled
					 ? "the database was too slow, the statement was cancelled"
					 : "the database warned that the commit may not be "
					   "replicated");
		if (copy_rows(a->good, &out->rows) < 0) {
			out->outcome = QUERY_UNKNOWN;
			snprintf(out->text, sizeof(out->text), "out of memory");
		}
	}
}

static void run(PGconn *conn, const char *sql, const char *const *values, int n,
		const struct deadline *l, struct query_result *out)
{
	struct answer a = { 0 };
	bool cancelled = false;
	enum wait_result read = WAIT_READY;

	PQsetNoticeReceiver(conn, note_warning, &a);
	if (PQsetnonblocking(conn, 1) == 0 &&
	    PQsendQueryParams(conn, sql, n, NULL, values, NULL, NULL, 0)) {
		read = flush(conn, l);
		if (read == WAIT_READY)
			read = drain(conn, l, &a);
	}
	out->ended = read;
	if (read != WAIT_READY) {
		cancelled = true;
		read = give_up(conn, &a);
	}
	judge(&a, conn, cancelled, read, out);
	PQsetNoticeReceiver(conn, note_warning, NULL);
	PQclear(a.good);
	PQclear(a.bad);
}

void query_run(struct connection *link, const struct db_hosts *targets, size_t target,
	       double connect_seconds, const char *sql, const char *const *values, int n,
	       const struct deadline *deadline, struct query_result *out)
{
	*out = (struct query_result){ 0 };
	if (link->conn && link->target != target)
		connection_close(link);
	if (!link->conn) {
		struct deadline l = deadline_sub(deadline, connect_seconds);

		link->conn = connect_to(targets, target, &l, out);
		link->target = target;
	}
	if (!link->conn)
		return;
	run(link->conn, sql, values, n, deadline, out);
	if (out->outcome != QUERY_OK && out->outcome != QUERY_REJECTED)
		connection_close(link);
}

const char *rows_get(const struct rows *r, size_t row, size_t column)
{
	return row < r->n && column < r->columns ? r->cells[row * r->columns + column] : NULL;
}

void query_free(struct query_result *a)
{
	free(a->rows.cells);
	a->rows = (struct rows){ 0 };
}

void connection_close(struct connection *link)
{
	PQfinish(link->conn);
	link->conn = NULL;
}
