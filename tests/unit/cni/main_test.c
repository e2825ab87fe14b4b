/* An invocation from its first to its last step, in this process. Needs memfd_create. */
#include "memory_fds.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/memory.h"
#include "cni/cni.h"

/* ---- a plugin for tests: the network name selects what its verb does ---- */

static int verb(const struct cni_call *call, struct cni_reply *answer, struct err *e)
{
	char text[256];

	cni_log_invoked(call);
	if (strcmp(call->network, "fails") == 0) {
		err_set(e, CNI_TRY_AGAIN_LATER, "no database");
		return err_details(e, "start it");
	}
	if (strcmp(call->network, "misses") == 0) {
		err_set(e, CNI_TRY_AGAIN_LATER, "host Not Found, not found");
		return err_details(e, "file not found");
	}
	if (strcmp(call->network, "refuses") == 0)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG, "no address");
	if (strcmp(call->network, "silent") == 0)
		return 0;
	if (strcmp(call->network, "passes-on") == 0)
		answer->is_error = true;
	snprintf(text, sizeof(text), "%s %s %s A=%s v%d %zu", call->container, call->netns,
		 call->ifname, cni_arg(call, "A"), call->version, call->input_len);
	answer->json = mem_strdup(text);
	return 0;
}

static const struct cni_verb verbs[] = {
	{ "ADD", CNI_REQUIRES_ATTACHMENT | CNI_REQUIRES_NETNS, CNI_0_1_0, 10, verb },
	{ "DEL", CNI_REQUIRES_ATTACHMENT, CNI_0_1_0, 0.05, verb },
	{ "STATUS", 0, CNI_1_1_0, 0.05, verb },
	{ 0 },
};

static const struct cni_plugin plugin = { "test-cni", "tests things", verbs };

static char *const env_add[] = { "CNI_COMMAND=ADD",
				 "CNI_CONTAINERID=pod-a",
				 "CNI_NETNS=/ns",
				 "CNI_IFNAME=eth0",
				 "CNI_PATH=/bin",
				 "CNI_ARGS=A=1",
				 NULL };
static char *const env_del[] = { "CNI_COMMAND=DEL", "CNI_CONTAINERID=pod-a", "CNI_IFNAME=eth0",
				 "CNI_PATH=/bin", NULL };
static char *const env_status[] = { "CNI_COMMAND=STATUS",
				    "CNI_CONTAINERID=", "CNI_IFNAME=", "CNI_PATH=/bin", NULL };

/* ---- what comes out ---- */

static char out[65536], err[65536];

static int run(char *const *env, const char *input)
{
	struct sys w = sys_in_memory(env, input);
	int status = cni_run(&plugin, &w, -1);

	text_in(w.out, out, sizeof(out));
	text_in(w.err, err, sizeof(err));
	close_sys(&w);
	return status;
}

static void assert_logged(const char *words)
{
	if (!strstr(err, words))
		fail_msg("not logged: %s\nlogged: %s", words, err);
}

TEST(success)
{
	assert_int_equal(run(env_add, "{'name':'net','cniVersion':'0.4.0'}"), 0);
	assert_string_equal(out, "pod-a /ns eth0 A=1 v4 35\n");
	assert_logged(" [info] INVOKED ADD network=net container=pod-a interface=eth0\n");
	assert_int_equal(run(env_del, "{'name':'silent'}"), 0);
	assert_string_equal(out, "");
	assert_int_equal(run(env_status, "{'name':'silent','cniVersion':'1.1.0'}"), 0);
	assert_string_equal(out, "");
	assert_logged(" [info] INVOKED STATUS network=silent\n");
}

TEST(every_line_names_the_pod_and_the_trace)
{
	char *env[] = { "CNI_COMMAND=ADD",
			"CNI_CONTAINERID=pod-a",
			"CNI_NETNS=/ns",
			"CNI_IFNAME=eth0",
			"CNI_PATH=/bin",
			"CNI_ARGS=K8S_POD_NAMESPACE=default;K8S_POD_NAME=a1",
			"TRACEPARENT=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
			NULL };

	assert_int_equal(run(env, "{'name':'fails'}"), 1);
	assert_logged(" [info] INVOKED ADD network=fails container=pod-a interface=eth0 "
		      "pod=default/a1 trace=4bf92f3577b34da6a3ce929d0e0e4736\n");
	assert_logged(" [error] ADD: no database; start it "
		      "pod=default/a1 trace=4bf92f3577b34da6a3ce929d0e0e4736\n");
	env[3] = "CNI_IFNAME=a/b"; /* what is wrong with the call itself too */
	assert_int_equal(run(env, "{'name':'fails'}"), 1);
	assert_logged("whitespace) pod=default/a1 trace=4bf92f3577b34da6a3ce929d0e0e4736\n");
}

TEST(a_malformed_trace_is_a_debug_line)
{
	static const char line[] = "[debug] TRACEPARENT is malformed and ignored: \"00-x\"\n";
	char *env[] = { "TRACEPARENT=00-x", NULL };
	struct sys sys = sys_in_memory(env, "");
	struct log log = { .level = LOG_DEBUG, .err = sys.err, .file = -1 };
	const struct cni_call call = { .sys = &sys,
				       .log = &log,
				       .command = "STATUS",
				       .network = "net",
				       .container = "",
				       .ifname = "",
				       .trace = "" };

	cni_log_invoked(&call);
	text_in(sys.err, err, sizeof(err));
	assert_logged(line);
	log.level = LOG_INFO;
	cni_log_invoked(&call);
	text_in(sys.err, err, sizeof(err));
	assert_null(strstr(strstr(err, line) + 1, line));
	close_sys(&sys);
}

TEST(a_failing_verb)
{
	assert_int_equal(run(env_add, "{'name':'fails','cniVersion':'1.0.0'}"), 1);
	assert_string_equal(
		out,
		J("{'cniVersion':'1.0.0','code':11,'msg':'no database','details':'start it'}\n"));
	assert_logged(" [error] ADD: no database; start it\n");
	assert_int_equal(run(env_add, "{'name':'passes-on'}"), 1);
	assert_string_equal(out, "pod-a /ns eth0 A=1 v0 20"); /* byte for byte */
}

TEST(del_never_says_not_found)
{
	assert_int_equal(run(env_del, "{'name':'misses'}"), 1);
	assert_string_equal(out, J("{'cniVersion':'0.1.0','code':11,'msg':'host not there, not "
				   "there','details':'file not there'}\n"));
	assert_int_equal(run(env_add, "{'name':'misses'}"), 1);
	assert_non_null(strstr(out, "host Not Found, not found"));
}

TEST(status_has_one_code)
{
	assert_int_equal(run(env_status, "{'name':'fails','cniVersion':'1.1.0'}"), 1);
	assert_string_equal(
		out,
		J("{'cniVersion':'1.1.0','code':50,'msg':'no database','details':'start it'}\n"));
	assert_int_equal(run(env_status, "{'name':'refuses','cniVersion':'1.1.0'}"), 1);
	assert_string_equal(out,
			    J("{'cniVersion':'1.1.0','code':7,'msg':'no address','details':''}\n"));
	assert_int_equal(run(env_status, "{"), 1);
	assert_non_null(strstr(out, J("'code':6,")));
	assert_int_equal(run(env_status, "{'name':'n','cniVersion':'1.0.0'}"), 1);
	assert_non_null(strstr(out, J("'code':1,")));
}

TEST(version_does_not_read_stdin)
{
	char *env[] = { "CNI_COMMAND=VERSION", "CNI_CONTAINERID=a b", NULL };
	struct sys w = sys_in_memory(env, "");
	int p[2];

	close(w.in);
	assert_int_equal(pipe(p), 0); /* nobody writes into it, nobody closes it */
	w.in = p[0];
	assert_int_equal(cni_run(&plugin, &w, -1), 0);
	assert_string_equal(text_in(w.out, out, sizeof(out)),
			    J("{'cniVersion':'1.1.0','supportedVersions':['0.1.0','0.2.0','0.3.0','"
			      "0.3.1','0.4.0','1.0.0','1.1.0']}\n"));
	close_sys(&w);
	close(p[1]);
}

TEST(no_command)
{
	char *empty[] = { "CNI_COMMAND=", NULL };
	char *absent[] = { NULL };

	assert_int_equal(run(empty, ""), 0);
	assert_string_equal(out, "");
	assert_logged("test-cni " VERSION
		      ": tests things; CNI protocol versions supported: 0.1.0,");
	assert_ptr_equal(strchr(err, '\n'), err + strlen(err) - 1);
	assert_int_equal(run(absent, ""), 0);
	assert_string_equal(out, "");
}

TEST(a_command_that_there_is_not)
{
	char *env[] = { "CNI_COMMAND=add", NULL };

	assert_int_equal(run(env, ""), 1);
	assert_string_equal(out, J("{'cniVersion':'1.1.0','code':4,'msg':'unknown CNI_COMMAND: "
				   "add','details':''}\n"));
}

TEST(the_environment_is_checked_before_stdin_is_read)
{
	char *env[] = { "CNI_COMMAND=ADD", NULL };
	struct sys w = sys_in_memory(env, "");
	int p[2];

	close(w.in);
	assert_int_equal(pipe(p), 0);
	w.in = p[0];
	assert_int_equal(cni_run(&plugin, &w, -1), 1);
	assert_string_equal(
		text_in(w.out, out, sizeof(out)),
		J("{'cniVersion':'1.1.0','code':4,'msg':'required env variables "
		  "[CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH] missing','details':''}\n"));
	close_sys(&w);
	close(p[1]);
}

TEST(stdin_that_does_not_end)
{
	static const struct {
		char *const *env;
		const char *code;
	} t[] = { { env_del, "'code':11," }, { env_status, "'code':50," } };
	int p[2];

	for (size_t i = 0; i < COUNT(t); i++) {
		struct sys w = sys_in_memory(t[i].env, "");

		close(w.in);
		assert_int_equal(pipe(p), 0);
		w.in = p[0];
		assert_int_equal(cni_run(&plugin, &w, -1), 1);
		text_in(w.out, out, sizeof(out));
		assert_non_null(strstr(out, J(t[i].code)));
		assert_non_null(strstr(out, "error reading from stdin: the deadline has passed"));
		close_sys(&w);
		close(p[1]);
	}
}

TEST(nobody_reads_stdout)
{
	struct sys w = sys_in_memory(env_add, "{'name':'net'}");
	int p[2];

	assert_int_equal(pipe(p), 0);
	close(p[0]);
	close(w.out);
	w.out = p[1];
	assert_int_equal(cni_run(&plugin, &w, -1), 1);
	text_in(w.err, err, sizeof(err));
	assert_logged("ADD: cannot write the answer to stdout: Broken pipe");
	close_sys(&w);
}

TEST(nobody_reads_stdout_while_stdin_is_read)
{
	struct sys w = sys_in_memory(env_add, "");
	int64_t start = monotonic_now();
	int in[2], gone[2];

	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(gone), 0);
	close(gone[0]);
	close(w.in);
	close(w.out);
	w.in = in[0];
	w.out = gone[1];
	assert_int_equal(cni_run(&plugin, &w, -1), 1);
	assert_true(monotonic_now() - start < 5 * INT64_C(1000000000));
	text_in(w.err, err, sizeof(err));
	assert_logged("ADD: error reading from stdin: nobody waits for the answer any more\n");
	close_sys(&w);
	close(in[1]);
}

TEST(options_come_first)
{
	char *argv[] = { "test-cni", "--version", NULL };
	struct sys w = sys_in_memory(env_add, "");

	assert_int_equal(cni_main(&plugin, 2, argv, &w), 0);
	text_in(w.out, out, sizeof(out));
	assert_non_null(strstr(out, "test-cni " VERSION " (" BUILD_LINK " build)\n"));
	close_sys(&w);
	w = sys_in_memory(env_del, "{'name':'silent'}");
	assert_int_equal(cni_main(&plugin, 1, argv, &w), 0);
	assert_string_equal(text_in(w.out, out, sizeof(out)), "");
	close_sys(&w);
	prctl(PR_SET_DUMPABLE, 1); /* a leak checker needs it */
}

/* ---- no memory ---- */

/* Runs the plugin in a child that finds no memory after so many pieces. Returns the status. */
static int run_without_memory(const struct sys *w, size_t pieces)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		mem_fail_after(pieces);
		_exit(cni_run(&plugin, w, -1));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Whichever piece cannot be had, the answer is the prepared error, whole and alone. */
TEST(without_memory_there_is_one_prepared_error)
{
	char *const *const envs[] = { env_add, env_del, env_status };
	size_t pieces = 0;

	for (size_t i = 0; i < COUNT(envs); i++) {
		int status = 1;

		for (pieces = 0; status != 0; pieces++) {
			struct sys w =
				sys_in_memory(envs[i], "{'name':'net','cniVersion':'1.1.0'}");

			status = run_without_memory(&w, pieces);
			text_in(w.out, out, sizeof(out));
			close_sys(&w);
			if (status != 0)
				assert_string_equal(out,
						    J("{'cniVersion':'1.1.0','code':11,'msg':'out "
						      "of memory','details':''}\n"));
		}
		assert_true(pieces > 5);
	}
}
