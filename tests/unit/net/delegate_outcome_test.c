/* What a delegate's end and its output come to. Needs nothing. */
#include "unit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "net/judge.h"

#define RESULT "{\"cniVersion\":\"1.1.0\",\"ips\":[{\"address\":\"10.0.0.5/24\",\"interface\":7}]}"
#define ERROR "{\"cniVersion\":\"1.1.0\",\"code\":100,\"msg\":\"held\",\"details\":\"\"}"

/* One judgement: `code` is 0 for a success, the error object's, or minus that of an error of ours.
 */
struct row {
	enum child_end end;
	int status;
	const char *output;
	int code;
	const char *words;
};

static const struct row rows[] = {
	{ CHILD_EXITED, 0, RESULT, 0, "" },
	{ CHILD_EXITED, 0, "", 0, "" },
	{ CHILD_EXITED, 0, "rubbish", 0, "" },
	{ CHILD_EXITED, 1, ERROR, 100, "" },
	{ CHILD_EXITED, 1, " \n" ERROR "\n\n", 100, "" },
	{ CHILD_EXITED, 77, ERROR, 100, "" },
	{ CHILD_EXITED, 1, "{\"code\":0,\"msg\":\"\"}", 0, "" },
	{ CHILD_EXITED, 1, "{\"code\":4294967295,\"msg\":\"m\",\"details\":null}", -1, "" },
	{ CHILD_SIGNALED, SIGABRT, ERROR, 100, "" },
	{ CHILD_EXITED, 0, ERROR, -CNI_IO_FAILURE, "error object with exit status 0" },
	{ CHILD_EXITED, 1, RESULT, -CNI_IO_FAILURE,
	  "ended with exit status 1 and without an error object" },
	{ CHILD_EXITED, 1, "", -CNI_IO_FAILURE, "exit status 1" },
	{ CHILD_EXITED, 127, "rubbish", -CNI_IO_FAILURE, "exit status 127" },
	{ CHILD_EXITED, 1, ERROR ERROR, -CNI_IO_FAILURE, "without an error object" },
	{ CHILD_EXITED, 1, ERROR "x", -CNI_IO_FAILURE, "without an error object" },
	{ CHILD_EXITED, 1, "[" ERROR "]", -CNI_IO_FAILURE, "without an error object" },
	{ CHILD_EXITED, 1, "{\"msg\":\"m\"}", -CNI_IO_FAILURE, "without an error object" },
	{ CHILD_EXITED, 1, "{\"code\":11}", -CNI_IO_FAILURE, "without an error object" },
	{ CHILD_EXITED, 1, "{\"code\":\"11\",\"msg\":\"m\"}", -CNI_IO_FAILURE,
	  "without an error object" },
	{ CHILD_EXITED, 1, "{\"code\":-1,\"msg\":\"m\"}", -CNI_IO_FAILURE,
	  "without an error object" },
	{ CHILD_EXITED, 1, "{\"code\":1.5,\"msg\":\"m\"}", -CNI_IO_FAILURE,
	  "without an error object" },
	{ CHILD_EXITED, 1, "{\"code\":1e99,\"msg\":\"m\"}", -CNI_IO_FAILURE,
	  "without an error object" },
	{ CHILD_EXITED, 1, "{\"code\":7,\"msg\":{}}", -CNI_IO_FAILURE, "without an error object" },
	{ CHILD_EXITED, 1, "{\"code\":7,\"msg\":\"m\",\"details\":[]}", -CNI_IO_FAILURE,
	  "without an error" },
	{ CHILD_EXITED, 1, "{\"Code\":7,\"msg\":\"m\"}", -CNI_IO_FAILURE,
	  "without an error object" },
	{ CHILD_EXITED, 1, "{\"code\":7,\"msg\":\"\xff\"}", -CNI_IO_FAILURE,
	  "without an error object" },
	{ CHILD_SIGNALED, SIGSEGV, "", -CNI_IO_FAILURE, "ended by signal 11 (Segmentation fault)" },
	{ CHILD_SIGNALED, SIGKILL, RESULT, -CNI_IO_FAILURE, "ended by signal 9" },
	{ CHILD_OUTPUT_TOO_LONG, 0, RESULT, -CNI_IO_FAILURE, "its answer is too long" },
	{ CHILD_TIMED_OUT, 0, ERROR, -CNI_TRY_AGAIN_LATER, "its time was over" },
	{ CHILD_CANCELLED, 0, ERROR, -CNI_TRY_AGAIN_LATER, "nobody waits for the answer any more" },
};

static struct child_outcome outcome(enum child_end end, int status, const char *output)
{
	return (struct child_outcome){
		.end = end, .status = status, .output = (char *)output, .len = strlen(output)
	};
}

TEST(each_end_has_its_judgement)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct child_outcome o = outcome(r->end, r->status, r->output);
		struct delegate_reply v = { 0 };
		struct err e = { 0 };
		int failed = delegate_outcome("/opt/ipam", &o, &v, &e);

		print_message("# row %zu\n", i);
		assert_int_equal(failed, r->code < -1 ? -1 : 0);
		if (failed) {
			assert_int_equal(e.code, -r->code);
			assert_non_null(strstr(e.msg, r->words));
			assert_non_null(strstr(e.msg, "/opt/ipam"));
			assert_null(strstr(e.details, "rubbish"));
		} else if (r->status) {
			assert_string_equal(v.error, r->output);
			assert_true(r->code < 0 || v.code == r->code);
		} else {
			assert_null(v.error);
		}
		delegate_reply_free(&v);
	}
}

TEST(the_code_is_known_however_it_ended)
{
	struct child_outcome o = outcome(CHILD_TIMED_OUT, 0, "{\"msg\":\"m\", \"code\" : 101 }");
	struct delegate_reply v = { 0 };
	struct err e = { 0 };

	assert_int_equal(delegate_outcome("/opt/ipam", &o, &v, &e), -1);
	assert_true(v.code == CNI_ALLOCATION_MISMATCH);
}

/* The message that a success with this output gets in version 1.1.0, "" where it is a result. */
static const char *result_of(const char *output)
{
	static struct err e;
	struct child_outcome o = outcome(CHILD_EXITED, 0, output);
	struct delegate_reply v = { 0 };
	struct result r;

	e = (struct err){ 0 };
	assert_int_equal(delegate_outcome("/opt/ipam", &o, &v, &e), 0);
	if (delegate_result("/opt/ipam", &v, CNI_1_1_0, &r, &e) < 0)
		assert_int_equal(e.code, CNI_IO_FAILURE);
	else
		result_free(&r);
	delegate_reply_free(&v);
	return e.msg;
}

TEST(what_is_no_result_is_an_error)
{
	assert_string_equal(result_of(RESULT), "");
	assert_string_equal(result_of(""),
			    "/opt/ipam ended with success, but its answer is no result");
	assert_non_null(strstr(result_of("rubbish"), "no result"));
	assert_non_null(strstr(result_of("[]"), "no result"));
	assert_non_null(strstr(result_of(RESULT RESULT), "no result"));
	assert_string_equal(result_of("{\"cniVersion\":\"1.1.0\",\"ips\":[]}"),
			    "the answer of /opt/ipam has no address");
	assert_non_null(strstr(result_of("{}"), "has no address"));
	assert_non_null(strstr(
		result_of("{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"10.0.0.5/24\"}]}"),
		"the answer of /opt/ipam: "));
	assert_non_null(strstr(
		result_of("{\"cniVersion\":\"9.9.9\",\"ips\":[{\"address\":\"10.0.0.5/24\"}]}"),
		"9.9.9"));
	assert_non_null(
		strstr(result_of("{\"ips\":[{\"address\":\"10.0.0.5/99\"}]}"), "10.0.0.5/99"));
}

TEST(an_index_and_an_interface_are_dropped)
{
	struct child_outcome o = outcome(
		CHILD_EXITED, 0,
		"{\"interfaces\":[{\"name\":\"eth0\"}],"
		"\"ips\":[{\"address\":\"10.0.0.5/24\",\"interface\":0},{\"address\":\"fd00::5/"
		"64\"}]}");
	struct delegate_reply v = { 0 };
	struct result r;
	struct err e = { 0 };

	assert_int_equal(delegate_outcome("/opt/ipam", &o, &v, &e), 0);
	assert_int_equal(delegate_result("/opt/ipam", &v, CNI_1_1_0, &r, &e), 0);
	assert_int_equal(r.n_ips, 2);
	assert_int_equal(r.ips[0].interface, -1);
	assert_int_equal(r.ips[1].interface, -1);
	assert_null(r.interfaces);
	result_free(&r);
	delegate_reply_free(&v);
}
