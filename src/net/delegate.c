/*
 * Running the IPAM plugin, in the order in which it happens: find its executable, run it (and again
 * with DEL, if its ADD was of no use), judge its exit and its output.
 */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/memory.h"
#include "net/net.h"

#define OUTPUT_MAX (1024UL * 1024)

/* ---- find ---- */

static bool is_executable(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static int refuse(const char *type, const char *why, struct err *e)
{
	return err_set(e, CNI_INVALID_NETWORK_CONFIG, "\"type\" in ipam is \"%s\"%s", type, why);
}

static int refuse_itself(const char *type, struct err *e)
{
	return refuse(type, ", the net plugin itself: it must be an IPAM plugin", e);
}

/* The path of the executable in the first directory that has it. */
static int search(const char *dirs, const char *type, const char **path, struct err *e)
{
	struct strbuf searched = { 0 };

	for (const char *dir = dirs; *dir; dir += *dir == ':') {
		size_t len = strcspn(dir, ":");
		const char *name = mem_strndup(dir, len);

		dir += len;
		if (!len)
			continue;
		*path = mem_printf("%s/%s", name, type);
		/* A link to this program, or to it under another name, would run itself for ever.
		 */
		if (is_executable(*path))
			return same_file(*path, "/proc/self/exe") ? refuse_itself(type, e) : 0;
		strbuf_join(&searched, ", ", name);
	}
	err_set(e, CNI_INVALID_NETWORK_CONFIG, "failed to find plugin \"%s\" in path [%s]", type,
		strbuf_str(&searched));
	return err_details(e, "put the executable into one of these directories, or correct "
			      "CNI_PATH or \"type\" in ipam");
}

struct delegate *delegate_find(const struct cni_call *call, const char *type, double seconds,
			       struct err *e)
{
	struct delegate *d = mem_new(sizeof(*d));

	*d = (struct delegate){ .call = call, .seconds = seconds };
	if (strchr(type, '/'))
		refuse(type, ": it must be a name without '/'", e);
	else if (strcmp(type, NET_PLUGIN) == 0)
		refuse_itself(type, e);
	else if (search(call->path, type, &d->path, e) == 0)
		return d;
	return NULL;
}

/* ---- run ---- */

static int run(const struct delegate *d, char *const *env, const struct deadline *watchers,
	       double seconds, struct child_outcome *outcome, struct err *e)
{
	const struct child child = {
		.path = d->path,
		.env = env,
		.input = d->call->input,
		.input_len = d->call->input_len,
		.stderr_fd = d->call->sys->err,
		.output_max = OUTPUT_MAX,
		.seconds = seconds,
		/* So that a DEL which waits for a standby cancels its statement. */
		.term_seconds = watchers == d->call->deadline ? 0 : ROLLBACK_TERM_SECONDS,
		.watchers = watchers,
	};

	/* child_run keeps its times, unless the executable's file system hangs. */
	watch_call(d->call,
		   seconds + BUSY_SECONDS + TERM_SECONDS + REAP_SECONDS + WATCHDOG_SECONDS);
	return child_run(&child, outcome, e);
}

int delegate_run(struct delegate *d, struct delegate_reply *out, struct err *e)
{
	const double seconds = d->seconds + DELEGATE_GRACE_SECONDS;
	struct child_outcome outcome;

	if (run(d, d->call->sys->env, d->call->deadline, seconds, &outcome, e) < 0)
		return -1;
	d->end = outcome.started + (int64_t)(seconds * 1e9);
	return delegate_outcome(d->path, &outcome, out, e);
}

/* The environment with DEL as the verb. */
static char **env_for_del(char *const *env)
{
	static char del[] = "CNI_COMMAND=DEL";
	char **copy = NULL;
	size_t n = 0;

	do {
		copy = mem_grow_list(copy, n, sizeof(*copy));
		copy[n] = env[n];
		if (env[n] && strncmp(env[n], del, strlen("CNI_COMMAND=")) == 0)
			copy[n] = del;
	} while (env[n++]);
	return copy;
}

void delegate_rollback(void *delegate, struct log *log)
{
	const struct delegate *d = delegate;
	const struct deadline nobody = { .stdout_fd = -1, .signal_fd = -1 };
	double left = deadline_left(&(struct deadline){ .end = d->end });
	struct child_outcome outcome;
	struct delegate_reply reply = { 0 };
	struct err e = { 0 };
	const char *why = NULL;

	left = left > ROLLBACK_SECONDS ? left : ROLLBACK_SECONDS;
	if (run(d, env_for_del(d->call->sys->env), &nobody, left, &outcome, &e) < 0 ||
	    delegate_outcome(d->path, &outcome, &reply, &e) < 0)
		why = e.msg;
	else if (reply.error)
		why = json_string(reply.value, "msg");
	if (why)
		log_line(log, LOG_ERROR, "the DEL after the failed ADD failed too: %s", why);
}

/* ---- judge ---- */

/* As the reference library reads it, so that no client loses the message: `code` is a number
 * without sign or fraction, `msg` and `details` are strings. */
static bool is_error_object(const cJSON *value)
{
	const cJSON *code = json_get_raw(value, "code");
	const cJSON *details = json_get(value, "details");

	return cJSON_IsNumber(code) && code->valuedouble >= 0 && code->valuedouble <= UINT32_MAX &&
	       code->valuedouble == (double)(uint32_t)code->valuedouble &&
	       json_string(value, "msg") && (!details || cJSON_IsString(details));
}

/* `explained`: its output is an error object. Other output may hold anything, a secret too: only
 * its length is told. */
static int judge(const char *path, const struct child_outcome *o, bool explained, struct err *e)
{
	switch (o->end) {
	case CHILD_OUTPUT_TOO_LONG:
		return err_set(e, CNI_IO_FAILURE,
			       "%s was killed: its answer is too long (%zu bytes so far)", path,
			       o->len);
	case CHILD_TIMED_OUT:
		err_set(e, CNI_TRY_AGAIN_LATER, "%s was killed: its time was over", path);
		return err_details(e, "\"timeout\" in ipam sets that time");
	case CHILD_CANCELLED:
		return err_set(e, CNI_TRY_AGAIN_LATER, "%s was ended: %s", path,
			       wait_reason(WAIT_CANCELLED));
	case CHILD_EXITED:
		if (o->status == 0 && explained)
			return err_set(e, CNI_IO_FAILURE,
				       "%s answered an error object with exit status 0", path);
		if (o->status == 0 || explained)
			return 0;
		err_set(e, CNI_IO_FAILURE, "%s ended with exit status %d, without an error object",
			path, o->status);
		break;
	case CHILD_SIGNALED:
		if (explained)
			return 0;
		err_set(e, CNI_IO_FAILURE,
			"%s was ended by signal %d (%s), without an error object", path, o->status,
			strsignal(o->status));
	}
	return err_details(e, "%zu bytes on its stdout; see its messages on stderr", o->len);
}

int delegate_outcome(const char *path, const struct child_outcome *outcome,
		     struct delegate_reply *out, struct err *e)
{
	struct err no_json;
	bool explained = false;

	*out = (struct delegate_reply){ 0 };
	if (outcome->len && json_parse(outcome->output, outcome->len, &out->value, &no_json) == 0)
		explained = is_error_object(out->value);
	if (explained)
		out->code = json_get_raw(out->value, "code")->valuedouble;
	if (judge(path, outcome, explained, e) < 0)
		return -1;
	out->error = explained ? outcome->output : NULL;
	return 0;
}

int delegate_result(const char *path, const struct delegate_reply *success, enum cni_version v,
		    struct result *out, struct err *e)
{
	if (!cJSON_IsObject(success->value))
		return err_set(e, CNI_IO_FAILURE,
			       "%s ended with success, but its answer is no result", path);
	if (result_parse(success->value, v, CNI_IO_FAILURE, out, e) < 0)
		return err_wrap(e, "the answer of %s", path);
	if (!out->ips.n)
		return err_set(e, CNI_IO_FAILURE, "the answer of %s has no address", path);
	out->interfaces = NULL;
	for (size_t i = 0; i < out->ips.n; i++)
		out->ips.list[i].interface = -1;
	return 0;
}
