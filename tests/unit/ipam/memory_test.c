/* Whichever allocation fails, a verb says so and leaves nothing behind. Needs nothing. */
#include "run_verb.h"

/* So many allocations succeed, then one fails; -1: none does. */
static int until_failure = -1;
static bool has_failed;

static bool fails(void)
{
	if (until_failure < 0 || until_failure-- > 0)
		return false;
	has_failed = true;
	return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
char *__wrap_strdup(const char *s);

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return fails() ? NULL : __real_realloc(p, size);
}

char *__wrap_strdup(const char *s)
{
	return fails() ? NULL : __real_strdup(s);
}

/* The fake store's own allocations do not fail. */
static void spare(struct fake *f, const char *function)
{
	(void)f;
	if (strcmp(function, "open") != 0 && strcmp(function, "insert") != 0)
		until_failure = -1;
}

static cni_verb_run *the_verb;
static int succeed;

static int run(const struct cni_call *call, struct cni_reply *out, struct err *e)
{
	int rc;

	has_failed = false;
	until_failure = succeed;
	rc = the_verb(call, out, e);
	until_failure = -1;
	return rc;
}

#define PREV "\"prevResult\":{\"cniVersion\":\"1.1.0\",\"ips\":[{\"address\":\"10.0.0.5/24\"}]}"
#define LIST "\"cni.dev/valid-attachments\":[{\"containerID\":\"a\",\"ifname\":\"b\"}]"
#define IPAM                                                                                       \
	"\"host\":\"db\",\"addresses\":[{\"address\":\"fd00::5/64\"}],"                            \
	"\"ranges\":[[{\"subnet\":\"10.0.0.0/24\"}],[{\"subnet\":\"fd00::/64\"}]],"                \
	"\"routes\":[{\"dst\":\"0.0.0.0/0\"}],\"dns\":{\"search\":[\"x\"]}"

/* Lets the first allocation fail, then the second…, until none does. */
static void each_allocation(cni_verb_run *verb, const char *command)
{
	the_verb = verb;
	for (succeed = 0;; succeed++) {
		struct verb v = { .fake.meanwhile = spare };

		v.fake.status = (struct store_status){ .may_write = true,
						       .version = STORE_SCHEMA,
						       .works_with = STORE_SCHEMA };
		fake_holds(&v.fake, "net/node-1/pod-c/eth0", "10.0.0.5/24", "boot", 1e9);
		verb_run(&v, run, command, PREV "," LIST, IPAM,
			 "IP=10.0.0.7;GATEWAY=10.0.0.9;K8S_POD_NAME=x");
		assert_int_equal(v.rc < 0, v.e.code != 0);
		assert_int_equal(v.rc < 0, v.e.msg[0] != '\0');
		if (v.rc < 0)
			assert_null(v.answer.json);
		verb_end(&v);
		if (!has_failed)
			break;
		assert_true(succeed < 10000);
	}
	assert_true(succeed > 1); /* the failures were seen */
}

TEST(adding)
{
	each_allocation(ipam_add, "ADD");
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
