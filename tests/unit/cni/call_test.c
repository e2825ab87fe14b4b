/* From the outside to a checked call. Needs memfd_create and 64 MiB of memory. */
#include "unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/sys.h"
#include "cni/call.h"

/* ---- environment ---- */

TEST(variables)
{
	char *env[] = { "A=1", "AB=2", "EMPTY=", "A=later", "EQUALS=a=b", NULL };
	struct sys w = { .env = env };

	assert_string_equal(sys_env(&w, "A"), "1");
	assert_string_equal(sys_env(&w, "AB"), "2");
	assert_string_equal(sys_env(&w, "EMPTY"), "");
	assert_string_equal(sys_env(&w, "EQUALS"), "a=b");
	assert_null(sys_env(&w, "B"));
	w.env = NULL;
	assert_null(sys_env(&w, "A"));
}

#define ADD (CNI_REQUIRES_ATTACHMENT | CNI_REQUIRES_NETNS)
#define DEL CNI_REQUIRES_ATTACHMENT
#define GC 0

#define ID "CNI_CONTAINERID=pod-a"
#define NS "CNI_NETNS=/var/run/netns/a"
#define IF "CNI_IFNAME=eth0"
#define PATH "CNI_PATH=/opt/cni/bin"

TEST(everything)
{
	char *env[] = { ID, NS, IF, PATH, "CNI_ARGS=A=1", NULL };
	struct sys w = { .env = env };
	struct log log = { .err = -1, .file = -1 };
	struct cni_call call = { .log = &log };
	struct err e = { 0 };

	assert_int_equal(env_read(&w, ADD, &call, &e), 0);
	assert_string_equal(call.container, "pod-a");
	assert_string_equal(call.netns, "/var/run/netns/a");
	assert_string_equal(call.ifname, "eth0");
	assert_string_equal(call.path, "/opt/cni/bin");
	assert_string_equal(cni_arg(&call, "A"), "1");
}

TEST(what_is_not_needed_may_be_absent_or_odd)
{
	char *del[] = { ID, "CNI_NETNS=", IF, PATH, NULL };
	char *gc[] = { "CNI_CONTAINERID=a b", "CNI_IFNAME=much too long for an interface", PATH,
		       NULL };
	struct sys w = { .env = del };
	struct log log = { .err = -1, .file = -1 };
	struct cni_call call = { .log = &log };
	struct err e = { 0 };

	assert_int_equal(env_read(&w, DEL, &call, &e), 0);
	assert_string_equal(call.netns, "");
	assert_int_equal(call.args.n, 0);
	w.env = gc;
	assert_int_equal(env_read(&w, GC, &call, &e), 0);
}

TEST(all_that_is_missing_is_named)
{
	static const struct {
		const char *env[5];
		unsigned needs;
		const char *msg;
	} t[] = {
		{ { NULL },
		  ADD,
		  "required env variables [CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH] "
		  "missing" },
		{ { NULL },
		  DEL,
		  "required env variables [CNI_CONTAINERID,CNI_IFNAME,CNI_PATH] missing" },
		{ { NULL }, GC, "required env variables [CNI_PATH] missing" },
		{ { "CNI_CONTAINERID=", "CNI_NETNS=", IF, PATH },
		  ADD,
		  "required env variables [CNI_CONTAINERID,CNI_NETNS] missing" },
		{ { ID, IF, PATH }, ADD, "required env variables [CNI_NETNS] missing" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct sys w = { .env = (char *const *)t[i].env };
		struct log log = { .err = -1, .file = -1 };
		struct cni_call call = { .log = &log };
		struct err e = { 0 };

		assert_int_equal(env_read(&w, t[i].needs, &call, &e), -1);
		assert_err(&e, CNI_INVALID_ENVIRONMENT, t[i].msg, "");
	}
}

TEST(container_ids)
{
	static const struct {
		const char *id;
		bool valid;
	} t[] = {
		{ "CNI_CONTAINERID=a", true },
		{ "CNI_CONTAINERID=0", true },
		{ "CNI_CONTAINERID=default-0123_ABC.x-", true },
		{ "CNI_CONTAINERID=-a", false },
		{ "CNI_CONTAINERID=.a", false },
		{ "CNI_CONTAINERID=_a", false },
		{ "CNI_CONTAINERID=a b", false },
		{ "CNI_CONTAINERID=a/b", false },
		{ "CNI_CONTAINERID=a\n", false },
		{ "CNI_CONTAINERID=caf\xc3\xa9", false },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		const char *env[] = { t[i].id, NS, IF, PATH, NULL };
		struct sys w = { .env = (char *const *)env };
		struct log log = { .err = -1, .file = -1 };
		struct cni_call call = { .log = &log };
		struct err e = { 0 };

		assert_int_equal(env_read(&w, DEL, &call, &e), t[i].valid ? 0 : -1);
		if (!t[i].valid)
			assert_string_equal(e.msg, "invalid characters in containerID");
	}
}

TEST(interface_names)
{
	static const char characters[] = "interface name contains / or : or whitespace characters";
	static const struct {
		const char *name, *msg;
	} t[] = {
		{ "CNI_IFNAME=fifteen-letters", NULL },
		{ "CNI_IFNAME=...", NULL },
		{ "CNI_IFNAME=caf\xc3\xa9", NULL },
		{ "CNI_IFNAME=sixteen--letters", "interface name is too long" },
		{ "CNI_IFNAME=.", "interface name is . or .." },
		{ "CNI_IFNAME=..", "interface name is . or .." },
		{ "CNI_IFNAME=a/b", characters },
		{ "CNI_IFNAME=a:b", characters },
		{ "CNI_IFNAME=a b", characters },
		{ "CNI_IFNAME=a\tb", characters },
		{ "CNI_IFNAME=a\xc2\xa0", characters },
		{ "CNI_IFNAME=a\xe3\x80\x80", characters },
		{ "CNI_IFNAME=a\xff", "interface name is not valid UTF-8" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		const char *env[] = { ID, NS, t[i].name, PATH, NULL };
		struct sys w = { .env = (char *const *)env };
		struct log log = { .err = -1, .file = -1 };
		struct cni_call call = { .log = &log };
		struct err e = { 0 };

		assert_int_equal(env_read(&w, ADD, &call, &e), t[i].msg ? -1 : 0);
		if (t[i].msg)
			assert_string_equal(e.msg, t[i].msg);
	}
}

TEST(all_that_is_invalid_is_named)
{
	char *invalid[] = { "CNI_CONTAINERID=a b", NS, "CNI_IFNAME=a/b", PATH, NULL };
	char *both[] = { "CNI_CONTAINERID=a b", IF, NULL };
	struct sys w = { .env = invalid };
	struct log log = { .err = -1, .file = -1 };
	struct cni_call call = { .log = &log };
	struct err e = { 0 };

	assert_int_equal(env_read(&w, ADD, &call, &e), -1);
	assert_err(
		&e, CNI_INVALID_ENVIRONMENT,
		"invalid characters in containerID; "
		"interface name contains / or : or whitespace characters",
		"CNI_CONTAINERID is \"a b\" (a letter or digit, then letters, digits, _ . or -); "
		"CNI_IFNAME is \"a/b\" (less than 16 characters, no / or : or whitespace)");
	w.env = both;
	assert_int_equal(env_read(&w, ADD, &call, &e), -1);
	assert_err(&e, CNI_INVALID_ENVIRONMENT,
		   "required env variables [CNI_NETNS,CNI_PATH] missing",
		   "invalid characters in containerID: CNI_CONTAINERID is \"a b\" "
		   "(a letter or digit, then letters, digits, _ . or -)");
}

/* ---- CNI_ARGS ---- */

/* "key->value|" for each pair. */
static void split(const char *text, struct cni_call *call, char *pairs)
{
	args_split(text, &call->args);
	*pairs = '\0';
	for (size_t i = 0; i < call->args.n; i++)
		sprintf(pairs + strlen(pairs), "%s->%s|", call->args.list[i].key,
			call->args.list[i].value);
}

TEST(pairs)
{
	static const struct {
		const char *args, *pairs;
	} t[] = {
		{ "", "" },
		{ ";;", "" },
		{ "A=1", "A->1|" },
		{ "B=2;A=1", "B->2|A->1|" },
		{ ";A=1;;B=2;", "A->1|B->2|" },
		{ "A=1;A=2", "A->1|A->2|" },
		{ "A=", "A->|" },
		{ "=x", "->x|" },
		{ "A=b=c==", "A->b=c==|" },
		{ "IgnoreUnknown=1;K8S_POD_NAME=a b", "IgnoreUnknown->1|K8S_POD_NAME->a b|" },
		{ "A=caf\xc3\xa9", "A->caf\xc3\xa9|" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		char text[256];
		struct cni_call call;
		struct err e = { 0 };

		split(t[i].args, &call, text);
		assert_int_equal(cni_args_check(&call, &e), 0);
		assert_string_equal(text, t[i].pairs);
		assert_int_equal(e.code, 0);
	}
}

TEST(no_pairs)
{
	static const char shape[] = "CNI_ARGS is KEY=VALUE pairs separated by semicolons";
	static const struct {
		const char *args, *msg, *details;
	} t[] = {
		{ "A", "ARGS: invalid pair \"A\"", shape },
		{ "A=1;B\n;C=2", "ARGS: invalid pair \"B \"", shape },
		{ " ", "ARGS: invalid pair \" \"", shape },
		{ "A=\xff", "ARGS: CNI_ARGS is not valid UTF-8", "" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		char text[256];
		struct cni_call call;
		struct err e = { 0 };

		split(t[i].args, &call, text);
		assert_int_equal(cni_args_check(&call, &e), -1);
		assert_err(&e, CNI_INVALID_ENVIRONMENT, t[i].msg, t[i].details);
	}
}

TEST(of_a_repeated_key_the_last_counts)
{
	struct cni_call call = { 0 };

	args_split("A=1;B=;A=2", &call.args);
	assert_string_equal(cni_arg(&call, "A"), "2");
	assert_null(cni_arg(&call, "B"));
	assert_null(cni_arg(&call, "a"));
	args_split("", &call.args);
	assert_null(cni_arg(&call, "A"));
}

/* ---- stdin ---- */

/* A file in memory of that many bytes, at its beginning. */
static int file_of(size_t len)
{
	int fd = memfd_create("input", 0);
	char *zeros = calloc(1, len + 1);

	assert_int_equal(write(fd, zeros, len), len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	free(zeros);
	return fd;
}

static int read_in(int fd, double seconds, size_t *len, struct err *e)
{
	struct deadline l = deadline_in(seconds);
	struct cni_call call = { .deadline = &l };
	int result = stdin_read(fd, &call, e);

	assert_int_equal(!!call.input, result == 0);
	if (result == 0)
		*len = call.input_len;
	mem_free_all();
	return result;
}

TEST(stdin_of_all_lengths)
{
	static const size_t stdin_of_all_lengths[] = {
		0, 1, 65535, 65536, 65537, 200000, STDIN_MAX
	};

	for (size_t i = 0; i < COUNT(stdin_of_all_lengths); i++) {
		int fd = file_of(stdin_of_all_lengths[i]);
		struct err e = { 0 };
		size_t len = 7;

		assert_int_equal(read_in(fd, 60, &len, &e), 0);
		assert_int_equal(len, stdin_of_all_lengths[i]);
		close(fd);
	}
}

struct writer {
	int fd;
	size_t len;
	useconds_t pause;
};

static void *write_and_close(void *context)
{
	struct writer *w = context;
	char piece[4096] = { 0 };

	while (w->len > 0) {
		ssize_t n = write(w->fd, piece, w->len < sizeof(piece) ? w->len : sizeof(piece));

		if (n < 0)
			break;
		w->len -= (size_t)n;
		if (w->pause)
			usleep(w->pause);
	}
	close(w->fd);
	return NULL;
}

static int read_pipe(size_t bytes, useconds_t pause, double seconds, size_t *len, struct err *e)
{
	struct writer w = { .len = bytes, .pause = pause };
	pthread_t writer;
	int p[2];
	int result;

	assert_int_equal(pipe(p), 0);
	w.fd = p[1];
	assert_int_equal(pthread_create(&writer, NULL, write_and_close, &w), 0);
	result = read_in(p[0], seconds, len, e);
	close(p[0]);
	pthread_join(writer, NULL);
	return result;
}

TEST(a_pipe_as_stdin)
{
	struct err e = { 0 };
	size_t len = 0;

	assert_int_equal(read_pipe(1000000, 0, 60, &len, &e), 0);
	assert_int_equal(len, 1000000);
	assert_int_equal(read_pipe(STDIN_MAX, 0, 60, &len, &e), 0);
	assert_int_equal(len, STDIN_MAX);
}

TEST(stdin_that_is_too_long)
{
	static const char msg[] = "error unmarshall network config: stdin is longer than 32 MiB";
	int fd = file_of(STDIN_MAX + 1);
	struct err e = { 0 };
	size_t len = 0;

	assert_int_equal(read_in(fd, 60, &len, &e), -1);
	assert_err(&e, CNI_DECODING_FAILURE, msg, "");
	close(fd);
	memset(&e, 0, sizeof(e));
	assert_int_equal(read_pipe(STDIN_MAX + 1, 0, 60, &len, &e), -1);
	assert_err(&e, CNI_DECODING_FAILURE, msg, "");
}

TEST(stdin_without_end)
{
	static const char details[] = "stdin did not end: close it after the network configuration";
	struct err e = { 0 };
	size_t len = 0;
	int p[2];

	assert_int_equal(pipe(p), 0);
	assert_int_equal(write(p[1], "{}", 2), 2);
	assert_int_equal(read_in(p[0], 0.05, &len, &e), -1);
	assert_err(&e, CNI_TRY_AGAIN_LATER, "error reading from stdin: the deadline has passed",
		   details);
	memset(&e, 0, sizeof(e));
	assert_int_equal(write(p[1], "{}", 2), 2);
	close(p[1]);
	assert_int_equal(read_in(p[0], 0, &len, &e), -1); /* there is an end, but no time */
	assert_err(&e, CNI_TRY_AGAIN_LATER, "error reading from stdin: the deadline has passed",
		   details);
	close(p[0]);
	/* A byte now and then does not draw it out. */
	memset(&e, 0, sizeof(e));
	assert_int_equal(read_pipe(4096UL * 1000, 1000, 0.05, &len, &e), -1);
	assert_err(&e, CNI_TRY_AGAIN_LATER, "error reading from stdin: the deadline has passed",
		   details);
}

TEST(nobody_waits_any_more)
{
	struct deadline l = deadline_in(10);
	struct err e = { 0 };
	struct cni_call call = { .deadline = &l };
	int in[2], out[2];

	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	close(out[0]);
	l.stdout_fd = out[1];
	assert_int_equal(stdin_read(in[0], &call, &e), -1);
	assert_err(&e, CNI_TRY_AGAIN_LATER,
		   "error reading from stdin: nobody waits for the answer any more", "");
	close(in[0]);
	close(in[1]);
	close(out[1]);
}

TEST(stdin_that_fails)
{
	int dir = open("/", O_RDONLY);
	int closed = open("/dev/null", O_WRONLY);
	struct err e = { 0 };
	size_t len = 0;

	assert_int_equal(read_in(dir, 10, &len, &e), -1);
	assert_err(&e, CNI_IO_FAILURE, "error reading from stdin: Is a directory", "");
	assert_int_equal(read_in(closed, 10, &len, &e), -1);
	assert_err(&e, CNI_IO_FAILURE, "error reading from stdin: Bad file descriptor", "");
	close(dir);
	close(closed);
	assert_int_equal(read_in(closed, 10, &len, &e), -1);
	assert_err(&e, CNI_IO_FAILURE, "error reading from stdin: Bad file descriptor", "");
}

TEST(a_nonblocking_stdin_is_waited_for)
{
	struct writer w = { .len = 10 };
	struct err e = { 0 };
	pthread_t writer;
	size_t len = 0;
	int p[2];

	assert_int_equal(pipe2(p, O_NONBLOCK), 0);
	w.fd = p[1];
	assert_int_equal(pthread_create(&writer, NULL, write_and_close, &w), 0);
	assert_int_equal(read_in(p[0], 10, &len, &e), 0);
	assert_int_equal(len, 10);
	pthread_join(writer, NULL);
	close(p[0]);
}

/* ---- network configuration ---- */

static const struct cni_verb add = { .name = "ADD", .min_version = CNI_0_1_0 };
static const struct cni_verb check = { .name = "CHECK", .min_version = CNI_0_4_0 };
static const struct cni_verb gc = { .name = "GC", .min_version = CNI_1_1_0 };

static int read_conf(const struct cni_verb *verb, const char *text, struct cni_call *call,
		     struct err *e)
{
	*call = (struct cni_call){ .input = J(text),
				   .input_len = strlen(text),
				   .version = CNI_NEWEST };
	*e = (struct err){ 0 };
	return conf_read(verb, call, e);
}

TEST(good_configurations)
{
	static const struct {
		const struct cni_verb *verb;
		const char *text, *network;
		enum cni_version version;
	} t[] = {
		{ &add, "{'name':'net','cniVersion':'1.1.0'}", "net", CNI_1_1_0 },
		{ &add, "{'name':'0_a.B-c'}", "0_a.B-c", CNI_0_1_0 },
		{ &add, "{'name':'net','cniVersion':''}", "net", CNI_0_1_0 },
		{ &add, "{'name':'net','cniVersion':null}", "net", CNI_0_1_0 },
		{ &add, "{'name':'a','name':'b','cniVersion':'0.3.1'}", "b", CNI_0_3_1 },
		{ &check, "{'name':'net','cniVersion':'0.4.0'}", "net", CNI_0_4_0 },
		{ &gc, "{'name':'net','cniVersion':'1.1.0'}", "net", CNI_1_1_0 },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct cni_call call;
		struct err e;

		assert_int_equal(read_conf(t[i].verb, t[i].text, &call, &e), 0);
		assert_string_equal(call.network, t[i].network);
		assert_int_equal(call.version, t[i].version);
		assert_true(cJSON_IsObject(call.conf));
	}
}

#define SUPPORTED "plugin supports ['0.1.0' '0.2.0' '0.3.0' '0.3.1' '0.4.0' '1.0.0' '1.1.0']"

static const struct {
	const struct cni_verb *verb;
	const char *text;
	int code;
	const char *msg, *details, *version;
} bad[] = {
	{ &add, "", 6, "error unmarshall network config: unexpected end of JSON input",
	  "stdin is empty: the network configuration is expected there", "1.1.0" },
	{ &add, "{", 6, "error unmarshall network config: unexpected end of JSON input", "",
	  "1.1.0" },
	{ &add, "{} {}", 6,
	  "error unmarshall network config: invalid character '{' at line 1, column 4", "",
	  "1.1.0" },
	{ &add, "[]", 6, "error unmarshall network config: it is not a JSON object", "", "1.1.0" },
	{ &add, "null", 6, "error unmarshall network config: it is not a JSON object", "",
	  "1.1.0" },
	{ &add, "{}", 7, "missing network name", "", "0.1.0" },
	{ &add, "{'name':'','cniVersion':'0.4.0'}", 7, "missing network name", "", "0.4.0" },
	{ &add, "{'name':null}", 7, "missing network name", "", "0.1.0" },
	{ &add, "{'Name':'net'}", 7, "missing network name", "", "0.1.0" },
	{ &add, "{'name':1}", 7, "invalid network name: it is not a string", "", "0.1.0" },
	{ &add, "{'name':'a b'}", 7, "invalid characters found in network name", "a b", "0.1.0" },
	{ &add, "{'name':'-a'}", 7, "invalid characters found in network name", "-a", "0.1.0" },
	{ &add, "{'name':'a\\u0000b'}", 7, "invalid characters found in network name",
	  "a\xef\xbf\xbd"
	  "b",
	  "0.1.0" },
	{ &add, "{'name':'n','cniVersion':11}", 7, "invalid cniVersion: it is not a string", "",
	  "1.1.0" },
	{ &add, "{'name':'n','cniVersion':'1.2.0'}", 1, "incompatible CNI versions",
	  "config is '1.2.0', " SUPPORTED, "1.1.0" },
	{ &check, "{'name':'n','cniVersion':'0.3.1'}", 1, "config version does not allow CHECK",
	  "CHECK needs 'cniVersion' 0.4.0 or later, config is 0.3.1", "0.3.1" },
	{ &gc, "{'name':'n','cniVersion':'1.0.0'}", 1, "config version does not allow GC",
	  "GC needs 'cniVersion' 1.1.0 or later, config is 1.0.0", "1.0.0" },
	{ &gc, "{'name':'n'}", 1, "config version does not allow GC",
	  "GC needs 'cniVersion' 1.1.0 or later, config is 0.1.0", "0.1.0" },
};

TEST(refused_configurations)
{
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct cni_call call;
		struct err e;

		assert_int_equal(read_conf(bad[i].verb, bad[i].text, &call, &e), -1);
		assert_err(&e, bad[i].code, bad[i].msg, J(bad[i].details));
		assert_string_equal(cni_version_text(call.version), bad[i].version);
	}
}

/* ---- what log lines end with ---- */

TEST(the_pod_and_the_trace_end_every_log_line)
{
	static const char trace[] = "TRACEPARENT=00-4bf92f3577b34da6a3ce929d0e0e4736-"
				    "00f067aa0ba902b7-01";
	static const struct {
		const char *args, *trace, *suffix;
	} t[] = {
		{ "CNI_ARGS=", NULL, "" },
		{ "CNI_ARGS=K8S_POD_NAMESPACE=default", NULL, "" },
		{ "CNI_ARGS=K8S_POD_NAMESPACE=default;K8S_POD_NAME=", NULL, "" },
		{ "CNI_ARGS=K8S_POD_NAMESPACE=default;K8S_POD_NAME=a1", NULL, " pod=default/a1" },
		{ "CNI_ARGS=K8S_POD_NAME=a1", NULL, " pod=a1" },
		{ "CNI_ARGS=K8S_POD_NAMESPACE=;K8S_POD_NAME=a1", NULL, " pod=a1" },
		{ "CNI_ARGS=K8S_POD_NAME=a1", trace,
		  " pod=a1 trace=4bf92f3577b34da6a3ce929d0e0e4736" },
		{ "CNI_ARGS=", trace, " trace=4bf92f3577b34da6a3ce929d0e0e4736" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		const char *env[] = { PATH, t[i].args, t[i].trace, NULL };
		struct sys sys = { .env = (char *const *)env };
		struct log log = { .err = -1, .file = -1 };
		struct cni_call call = { .log = &log };
		struct err e = { 0 };

		assert_int_equal(env_read(&sys, GC, &call, &e), 0);
		assert_string_equal(log.suffix, t[i].suffix);
	}
}

TEST(trace_contexts)
{
#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
	static const struct {
		const char *traceparent, *trace;
	} t[] = {
		{ "00-" TRACE "-00f067aa0ba902b7-01", TRACE },
		{ "00-" TRACE "-00f067aa0ba902b7-00", TRACE },
		{ "cc-" TRACE "-00f067aa0ba902b7-01", TRACE },
		{ "cc-" TRACE "-00f067aa0ba902b7-01-what-comes", TRACE },
		{ "", "" },
		{ "00", "" },
		{ "00-" TRACE "-00f067aa0ba902b7", "" },
		{ "00-" TRACE "-00f067aa0ba902b7-0", "" },
		{ "00-" TRACE "-00f067aa0ba902b7-01-more", "" },
		{ "cc-" TRACE "-00f067aa0ba902b7-01.more", "" },
		{ "ff-" TRACE "-00f067aa0ba902b7-01", "" },
		{ "00_" TRACE "-00f067aa0ba902b7-01", "" },
		{ "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", "" },
		{ "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "" },
		{ "00-" TRACE "-0000000000000000-01", "" },
		{ " 00-" TRACE "-00f067aa0ba902b7-01", "" },
		{ "00-" TRACE "-00f067aa0ba902b7-01 ", "" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		char variable[128];
		const char *env[] = { PATH, variable, NULL };
		struct sys sys = { .env = (char *const *)env };
		struct log log = { .err = -1, .file = -1 };
		struct cni_call call = { .log = &log };
		struct err e = { 0 };

		snprintf(variable, sizeof(variable), "TRACEPARENT=%s", t[i].traceparent);
		assert_int_equal(env_read(&sys, GC, &call, &e), 0);
		assert_string_equal(call.trace, t[i].trace);
	}
}
