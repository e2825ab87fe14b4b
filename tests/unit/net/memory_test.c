/* Whichever allocation of the net plugin fails, it ends with the error that was prepared. Needs
 * /bin/sh. */
#include "memory_fds.h"
#include "tmpdir.h"

#include <sys/wait.h>

#include "base/memory.h"
#include "cni/cni.h"
#include "net/net.h"

static const struct cni_verb verbs[] = {
	{ "ADD", CNI_REQUIRES_ATTACHMENT | CNI_REQUIRES_NETNS, CNI_0_1_0, 10, net_add },
	{ "DEL", CNI_REQUIRES_ATTACHMENT, CNI_0_1_0, 10, net_pass_on_unless_chained },
	{ 0 },
};

static const struct cni_plugin plugin = { .name = NET_PLUGIN, .verbs = verbs };

static const char conf[] =
	"{'cniVersion':'1.1.0','name':'net','ipam':{'type':'ipam'},'dns':{'search':['x']},"
	"'prevResult':{'cniVersion':'1.1.0','ips':[{'address':'fd00::5/64'}]}}";

/* Runs the plugin in a child process that has so many pieces of memory. */
static int run(const struct sys *sys, size_t pieces)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		mem_fail_after(pieces);
		_exit(cni_run(&plugin, sys, -1));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Gives the plugin one piece more each time, until it succeeds. */
static void each_allocation(struct tmpdir *dir, const char *verb)
{
	char command[32], path[96], out[512];
	char *env[] = { command, "CNI_CONTAINERID=pod-a",   "CNI_IFNAME=eth0",    "CNI_NETNS=/ns",
			path,    "CNI_ARGS=K8S_POD_NAME=a", "PATH=/usr/bin:/bin", NULL };
	int status = 1;
	size_t pieces = 0;

	snprintf(command, sizeof(command), "CNI_COMMAND=%s", verb);
	snprintf(path, sizeof(path), "CNI_PATH=%s", dir->dir);
	for (; status != 0; pieces++) {
		struct sys sys = sys_in_memory(env, conf);

		status = run(&sys, pieces);
		text_in(sys.out, out, sizeof(out));
		close_sys(&sys);
		if (status != 0)
			assert_string_equal(out, J("{'cniVersion':'1.1.0','code':11,"
						   "'msg':'out of memory','details':''}\n"));
		assert_true(pieces < 10000);
	}
	assert_true(pieces > 10);
}

TEST_IN_DIR(adding)
{
	tmpdir_script(*state, "ipam",
		      "echo '{\"cniVersion\":\"1.1.0\",\"ips\":[{\"address\":\"10.0.0.5/24\"}]}'");
	each_allocation(*state, "ADD");
}

TEST_IN_DIR(deleting)
{
	tmpdir_script(*state, "ipam", "exit 0");
	each_allocation(*state, "DEL");
}
