#include "net/delegate.h"

#include <stdlib.h>
#include <string.h>

#include "base/child.h"
#include "base/json.h"
#include "base/scope.h"
#include "net/find.h"

#define ANSWER_MOST (1024UL * 1024)
#define GRACE_SECONDS 1.0 /* it may know its own end: this is for those that do not */
#define UNDO_SECONDS 1.0  /* at least */

struct delegate *delegate_make(const struct cni_call *call, const char *type, double seconds,
			       struct err *e)
{
	struct delegate *d = calloc(1, sizeof(*d));

	if (!d) {
		err_set(e, CNI_IO_FAILURE, "out of memory");
		return NULL;
	}
	*d = (struct delegate){ .call = call, .seconds = seconds };
	if (delegate_find(call, type, &d->path, e) < 0) {
		delegate_free(d);
		return NULL;
	}
	return d;
}

void delegate_free(void *delegate)
{
	struct delegate *d = delegate;

	if (d)
		free(d->path);
	free(d);
}

static struct child as_called(const struct delegate *d)
{
	return (struct child){
		.path = d->path,
		.env = d->call->sys->env,
		.input = d->call->input,
		.input_len = d->call->input_len,
		.err = d->call->sys->err,
		.most = ANSWER_MOST,
		.seconds = d->seconds + GRACE_SECONDS,
		.watch = d->call->deadline,
	};
}

static int run(const struct child *child, struct delegate_reply *out, int64_t *started,
	       struct err *e)
{
	struct child_outcome outcome;

	if (child_run(child, &outcome, e) < 0)
		return -1;
	cleanup_free char *output = outcome.output;

	(void)output;
	*started = outcome.started;
	return delegate_outcome(child->path, &outcome, out, e);
}

int delegate_run(struct delegate *d, struct delegate_reply *out, struct err *e)
{
	const struct child child = as_called(d);
	int64_t started = 0;
	int done = run(&child, out, &started, e);

	d->end = started ? started + (int64_t)(child.seconds * 1e9) : 0;
	return done;
}

/* The environment with another verb; the list is the caller's, what it points to is not. NULL: no
 * memory. */
static char **with_command(char *const *env, char *command)
{
	size_t n = 0;
	char **copy;

	while (env[n])
		n++;
	copy = calloc(n + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < n; i++)
		copy[i] =
			strncmp(env[i], "CNI_COMMAND=", strlen("CNI_COMMAND=")) ? env[i] : command;
	return copy;
}

void delegate_rollback(const struct delegate *d, struct log *log)
{
	const struct deadline nobody = { .stdout_fd = -1, .signal_fd = -1 };
	const struct deadline left = { .end = d->end };
	char command[] = "CNI_COMMAND=DEL";
	cleanup_free char **env = with_command(d->call->sys->env, command);
	struct child child = as_called(d);
	struct delegate_reply v = { 0 };
	struct err e = { 0 };
	int64_t started;

	if (!env) {
		log_line(log, LOG_ERROR, "no memory for the DEL after the failed ADD");
		return;
	}
	child.env = env;
	child.watch = &nobody;
	child.seconds = deadline_left(&left) > UNDO_SECONDS ? deadline_left(&left) : UNDO_SECONDS;
	if (run(&child, &v, &started, &e) < 0)
		log_line(log, LOG_ERROR, "the DEL after the failed ADD failed too: %s", e.msg);
	else if (v.error)
		log_line(log, LOG_ERROR, "the DEL after the failed ADD failed too: %s",
			 json_string(v.value, "msg"));
	delegate_reply_free(&v);
}
