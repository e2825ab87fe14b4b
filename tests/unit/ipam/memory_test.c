/* Whichever allocation fails, a verb ends the process with the error that was prepared. Needs
 * nothing. */
#include "run_verb.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include "base/memory.h"

static const char last_words[] = "{\"code\":11}\n";

static cni_verb_run *the_verb;
static size_t succeed;   /* how many allocations do */
static int stdout_fd;    /* what the process says at its end */
static int recorded_fd;  /* is not empty once the store was asked */
static bool all_succeed; /* no allocation has failed */
static bool had_recorded;

static void note_call(struct fake *f __attribute__((unused)), const char *function)
{
	if (strcmp(function, "open") != 0)
		assert_int_equal(write(recorded_fd, "1", 1), 1);
}

/* Runs the verb in a child process. */
static int run(const struct cni_call *call, struct cni_reply *out, struct err *e)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		mem_set_last_words(stdout_fd, last_words);
		mem_fail_after(succeed);
		the_verb(call, out, e);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	all_succeed = WEXITSTATUS(status) == 0;
	if (!all_succeed)
		assert_int_equal(WEXITSTATUS(status), 1);
	return 0;
}

static void check_end(void)
{
	char said[64] = "";
	char one;

	assert_true(pread(stdout_fd, said, sizeof(said) - 1, 0) >= 0);
	assert_string_equal(said, all_succeed ? "" : last_words);
	if (!all_succeed && pread(recorded_fd, &one, 1, 0) == 1)
		had_recorded = true;
}

#define PREV "'prevResult':{'cniVersion':'1.1.0','ips':[{'address':'10.0.0.5/24'}]}"
#define LIST "'cni.dev/valid-attachments':[{'containerID':'a','ifname':'b'}]"
#define IPAM                                                                                       \
	"'host':'db','addresses':[{'address':'fd00::5/64'}],"                                      \
	"'ranges':[[{'subnet':'10.0.0.0/24'}],[{'subnet':'fd00::/64'}]],"                          \
	"'routes':[{'dst':'0.0.0.0/0'}],'dns':{'search':['x']}"

/* Lets the first allocation fail, then the second…, until none does. */
static void each_allocation(cni_verb_run *verb, const char *command)
{
	the_verb = verb;
	had_recorded = false;
	for (succeed = 0;; succeed++) {
		struct verb v = { .fake.meanwhile = note_call };

		stdout_fd = memfd_create("stdout", MFD_CLOEXEC);
		recorded_fd = memfd_create("recorded", MFD_CLOEXEC);
		v.fake.status = (struct store_status){ .may_write = true,
						       .version = STORE_SCHEMA,
						       .works_with = STORE_SCHEMA };
		verb_run(&v, run, command, PREV "," LIST, IPAM,
			 "IP=10.0.0.7;GATEWAY=10.0.0.9;K8S_POD_NAME=x");
		check_end();
		verb_end(&v);
		close(stdout_fd);
		close(recorded_fd);
		if (all_succeed)
			break;
		assert_true(succeed < 10000);
	}
	assert_true(succeed > 1); /* the failures were seen */
}

TEST(adding)
{
	each_allocation(ipam_add, "ADD");
	assert_true(had_recorded); /* some failed behind INSERT, too */
}

TEST(checking)
{
	each_allocation(ipam_check, "CHECK");
}

TEST(deleting)
{
	each_allocation(ipam_del, "DEL");
}

TEST(collecting)
{
	each_allocation(ipam_gc, "GC");
}

TEST(asking_for_the_status)
{
	each_allocation(ipam_status, "STATUS");
}
