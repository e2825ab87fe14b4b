/* resolv.conf as host-local reads it. Needs a writable /tmp. */
#include "tmpdir.h"
#include "unit.h"

#include "base/memory.h"
#include "ipam/ipam.h"

static int use_memory(void **state)
{
	(void)state;
	mem_for_cjson();
	return 0;
}

TEST_GROUP(use_memory, NULL)

static const char *read_text(struct tmpdir *b, const char *text)
{
	cJSON *dns = NULL;
	struct err e = { 0 };

	if (resolv_conf_read(tmpdir_write(b, "resolv.conf", text, 0600), &dns, &e) < 0)
		fail_msg("%s", e.msg);
	return cJSON_PrintUnformatted(dns);
}

TEST_IN_DIR(what_is_read)
{
	static const struct {
		const char *text, *dns;
	} t[] = {
		{ "", "{}" },
		{ "nameserver 10.0.0.1", "{'nameservers':['10.0.0.1']}" },
		{ "nameserver 10.0.0.1 10.0.0.2\nnameserver\tfd00::1 # ours\n",
		  "{'nameservers':['10.0.0.1','fd00::1']}" },
		{ "domain a\ndomain b c\n", "{'domain':'b'}" },
		{ "search a  b\nsearch c", "{'search':['a','b','c']}" },
		{ " options ndots:5 edns0\r\n", "{'options':['ndots:5','edns0']}" },
		{ "# nameserver 1.1.1.1\n;search x\nnameserver\ndomain\nsearch \n\nsortlist x\n",
		  "{}" },
		{ "search a\xff"
		  "b",
		  "{'search':['a?b']}" },
	};

	for (size_t i = 0; i < COUNT(t); i++)
		assert_string_equal(read_text(*state, t[i].text), J(t[i].dns));
}

static void must_fail(const char *path, const char *msg)
{
	cJSON *dns = NULL;
	struct err e = { 0 };

	assert_int_equal(resolv_conf_read(path, &dns, &e), -1);
	assert_err(&e, CNI_INVALID_NETWORK_CONFIG, msg, "");
}

TEST_IN_DIR(what_cannot_be_read)
{
	struct tmpdir *b = *state;
	const char *path = mem_strdup(tmpdir_path(b, "none"));

	must_fail(path, mem_printf("ipam.resolvConf %s: No such file or directory", path));
	must_fail(b->dir, mem_printf("ipam.resolvConf %s is not a plain file", b->dir));
	assert_int_equal(mkfifo(path, 0600), 0);
	must_fail(path, mem_printf("ipam.resolvConf %s is not a plain file", path));
}

TEST_IN_DIR(not_any_length)
{
	struct tmpdir *b = *state;
	char *text = mem_new(1024UL * 1024 + 2);
	const char *path;

	memset(text, '\n', 1024UL * 1024);
	assert_string_equal(read_text(b, text), "{}");
	text[1024UL * 1024] = '\n';
	path = tmpdir_write(b, "resolv.conf", text, 0600);
	must_fail(path, mem_printf("ipam.resolvConf %s: longer than a megabyte", path));
}
