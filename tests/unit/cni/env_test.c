/* The parameters from the environment. Needs nothing. */
#include "unit.h"

#include "cni/call.h"

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
	struct cni_call call = { 0 };
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
	struct cni_call call = { 0 };
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
		struct cni_call call = { 0 };
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
		struct cni_call call = { 0 };
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
		struct cni_call call = { 0 };
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
	struct cni_call call = { 0 };
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
