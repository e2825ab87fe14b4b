/* Whichever allocation fails, a verb ends the process with the error that was prepared. Needs
 * nothing. */
#include "run_verb.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/memory.h"

/* So many allocations succeed, then one fails; -1: none does. */
static int until_failure = -1;

static void may_fail(void)
{
	if (until_failure >= 0 && until_failure-- == 0)
		mem_failed();
}

void *__real_mem_new(size_t size);
void *__real_mem_grow(void *old, size_t old_size, size_t new_size);
char *__real_mem_strdup(const char *text);
char *__real_mem_strndup(const char *text, size_t len);
void *__wrap_mem_new(size_t size);
void *__wrap_mem_grow(void *old, size_t old_size, size_t new_size);
char *__wrap_mem_strdup(const char *text);
char *__wrap_mem_strndup(const char *text, size_t len);
char *__wrap_mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

void *__wrap_mem_new(size_t size)
{
	may_fail();
	return __real_mem_new(size);
}

void *__wrap_mem_grow(void *old, size_t old_size, size_t new_size)
{
	may_fail();
	return __real_mem_grow(old, old_size, new_size);
}

char *__wrap_mem_strdup(const char *text)
{
	may_fail();
	return __real_mem_strdup(text);
}

char *__wrap_mem_strndup(const char *text, size_t len)
{
	may_fail();
	return __real_mem_strndup(text, len);
}

char *__wrap_mem_printf(const char *fmt, ...)
{
	char text[4096];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	may_fail();
	return __real_mem_strdup(text);
}

static void keep(void *p __attribute__((unused)))
{
}

static const char last_words[] = "{\"code\":11}\n";

static cni_verb_run *the_verb;
static int succeed;      /* how many allocations do */
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
	cJSON_Hooks hooks = { .malloc_fn = __wrap_mem_new, .free_fn = keep };
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		cJSON_InitHooks(&hooks);
		mem_set_last_words(stdout_fd, last_words);
		until_failure = succeed;
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
