#include "cni/answer.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/put.h"
#include "base/scope.h"
#include "base/text.h"

#define GRACE 1.0 /* seconds for an answer when the time is over */

/* What the verb's end leaves for printing; watchers that have ended the verb must not end this. */
static struct deadline time_to_print(const struct deadline *l)
{
	struct deadline print = deadline_in(GRACE);

	if (l->end > print.end)
		print.end = l->end;
	return print;
}

/* Some file systems say only at close that a write has failed. Without a descriptor for it nobody
 * can ask, and what has been written stays. */
static int close_error(int fd)
{
	int copy = dup(fd);

	return copy < 0 ? 0 : close(copy);
}

/* Writes text and its end in one piece, which wakes the reader once, and asks whether that has
 * arrived. */
static int print(const struct cni_call *call, const char *text, const char *end)
{
	struct deadline l = time_to_print(call->deadline);
	cleanup_strbuf struct strbuf all = { 0 };
	int out = call->sys->out;

	strbuf_addf(&all, "%s%s", text, end);
	if (all.failed || write_all(&l, out, all.s, all.len) < 0 || close_error(out) < 0) {
		log_line(call->log, LOG_ERROR, "%s: cannot write the answer to stdout: %s",
			 call->command, strerror(errno));
		return -1;
	}
	return 0;
}

int send_error(const struct cni_call *call, const struct err *e, const char *version)
{
	cleanup_free char *text = err_json(e, version);

	arm_watchdog(0, -1, NULL); /* two answers are none */
	log_line(call->log, LOG_ERROR, "%s: %s%s%s", call->command, e->msg, *e->details ? "; " : "",
		 e->details);
	if (text)
		print(call, text, "\n");
	return 1;
}

/* An answer that nobody waits for would be lost in a pipe that nobody reads to its end. */
static int abandoned(const struct cni_call *call)
{
	struct err e;

	if (deadline_check(call->deadline) != WAIT_CANCELLED)
		return 0;
	err_set(&e, CNI_TRY_AGAIN_LATER, "%s", wait_reason(WAIT_CANCELLED));
	send_error(call, &e, cni_version_text(call->version));
	return -1;
}

static int print_or_undo(const struct cni_call *call, const struct cni_reply *answer)
{
	if (!answer->json)
		return 0;
	if (answer->is_error) {
		print(call, answer->json, ""); /* passed on byte for byte */
		return 1;
	}
	if (abandoned(call) == 0 && print(call, answer->json, "\n") == 0)
		return 0;
	if (answer->rollback)
		answer->rollback(answer->context, call->log);
	return 1;
}

int send_reply(const struct cni_call *call, struct cni_reply *answer)
{
	int status;

	arm_watchdog(0, -1, NULL); /* printing and undoing have ends of their own */
	status = print_or_undo(call, answer);

	if (answer->destroy)
		answer->destroy(answer->context);
	return status;
}
