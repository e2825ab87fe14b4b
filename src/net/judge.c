#include "net/judge.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

/* As the reference library reads it, so that no client loses the message: `code` a number without
 * sign or fraction, `msg` and `details` strings. */
static bool is_error_object(const cJSON *value)
{
	const cJSON *code = json_get_raw(value, "code");
	const cJSON *details = json_get(value, "details");

	return cJSON_IsNumber(code) && code->valuedouble >= 0 && code->valuedouble <= UINT32_MAX &&
	       code->valuedouble == (double)(uint32_t)code->valuedouble &&
	       json_string(value, "msg") && (!details || cJSON_IsString(details));
}

static void say_end(const struct child_outcome *outcome, char *buf, size_t size)
{
	if (outcome->end == CHILD_SIGNALED)
		snprintf(buf, size, "was ended by signal %d (%s)", outcome->status,
			 strsignal(outcome->status));
	else
		snprintf(buf, size, "ended with exit status %d", outcome->status);
}

/* What it wrote may hold anything: only its length is told. */
static int fail(const char *path, const struct child_outcome *outcome, struct err *e)
{
	char end[128];

	say_end(outcome, end, sizeof(end));
	err_set(e, CNI_IO_FAILURE, "%s %s and without an error object", path, end);
	return err_details(e, "%zu bytes on its stdout; see its messages on stderr", outcome->len);
}

static int judge_end(const char *path, const struct child_outcome *outcome, struct err *e)
{
	switch (outcome->end) {
	case CHILD_OUTPUT_TOO_LONG:
		return err_set(e, CNI_IO_FAILURE,
			       "%s was killed: its answer is too long (%zu bytes so far)", path,
			       outcome->len);
	case CHILD_TIMED_OUT:
		err_set(e, CNI_TRY_AGAIN_LATER, "%s was killed: its time was over", path);
		return err_details(e, "\"timeout\" in ipam sets that time");
	case CHILD_CANCELLED:
		return err_set(e, CNI_TRY_AGAIN_LATER, "%s was ended: %s", path,
			       wait_reason(WAIT_CANCELLED));
	case CHILD_EXITED:
	case CHILD_SIGNALED: break;
	}
	return 0;
}

/* Is there an error object exactly where the end says failure? */
static int judge_words(const char *path, const struct child_outcome *outcome, bool explained,
		       struct err *e)
{
	bool success = outcome->end == CHILD_EXITED && outcome->status == 0;

	if (success && explained)
		return err_set(e, CNI_IO_FAILURE, "%s answered an error object with exit status 0",
			       path);
	return success || explained ? 0 : fail(path, outcome, e);
}

int delegate_outcome(const char *path, const struct child_outcome *outcome,
		     struct delegate_reply *out, struct err *e)
{
	struct delegate_reply v = { 0 };
	struct err no_json;
	bool explained = false;

	if (outcome->len && json_parse(outcome->output, outcome->len, &v.value, &no_json) == 0)
		explained = is_error_object(v.value);
	if (explained)
		v.code = json_get_raw(v.value, "code")->valuedouble;
	out->code = v.code;
	if (judge_end(path, outcome, e) < 0 || judge_words(path, outcome, explained, e) < 0) {
		delegate_reply_free(&v);
		return -1;
	}
	if (explained)
		v.error = strndup(outcome->output, outcome->len);
	if (explained && !v.error) {
		delegate_reply_free(&v);
		return err_set(e, CNI_IO_FAILURE, "out of memory");
	}
	*out = v;
	return 0;
}

int delegate_result(const char *path, const struct delegate_reply *success, enum cni_version v,
		    struct result *out, struct err *e)
{
	struct result r;

	if (!cJSON_IsObject(success->value))
		return err_set(e, CNI_IO_FAILURE,
			       "%s ended with success, but its answer is no result", path);
	if (result_parse(success->value, v, CNI_IO_FAILURE, &r, e) < 0)
		return err_wrap(e, "the answer of %s", path);
	if (!r.n_ips) {
		result_free(&r);
		return err_set(e, CNI_IO_FAILURE, "the answer of %s has no address", path);
	}
	cJSON_Delete(r.interfaces);
	r.interfaces = NULL;
	for (size_t i = 0; i < r.n_ips; i++)
		r.ips[i].interface = -1;
	*out = r;
	return 0;
}

void delegate_reply_free(struct delegate_reply *v)
{
	free(v->error);
	cJSON_Delete(v->value);
	*v = (struct delegate_reply){ 0 };
}
