/* Where the IPAM plugin is looked for. Needs /bin/sh. */
#include "make_call.h"
#include "net/find.h"
#include "tmpdir.h"

/* Looks for `type` in `path`, where @ stands for the box. Returns what was found, or the error's
 * message. */
static const char *find(struct tmpdir *b, const char *type, const char *path)
{
	static char answer[1100];
	static struct err e;
	char dirs[512] = "";
	struct made_call m;
	char *found = NULL;

	for (const char *c = path; *c; c++) {
		size_t len = strlen(dirs);

		snprintf(dirs + len, sizeof(dirs) - len, *c == '@' ? "%s" : "%.1s",
			 *c == '@' ? b->dir : c);
	}
	e = (struct err){ 0 };
	if (delegate_find(make_call(&m, "ADD", "{}", dirs), type, &found, &e) < 0)
		assert_int_equal(e.code, CNI_INVALID_NETWORK_CONFIG);
	snprintf(answer, sizeof(answer), "%s", found ? found : e.msg);
	free(found);
	drop_call(&m);
	return answer;
}

static int prepare(void **state)
{
	int failed = tmpdir_open(state);

	tmpdir_script(*state, "ipam", "");
	tmpdir_write(*state, "plain", "text", 0644);
	mkdir(tmpdir_path(*state, "directory"), 0755);
	mkdir(tmpdir_path(*state, "second"), 0755);
	tmpdir_script(*state, "second/ipam", "");
	tmpdir_script(*state, "second/plain", "");
	return failed;
}

static void assert_found(struct tmpdir *b, const char *type, const char *path, const char *file)
{
	assert_string_equal(find(b, type, path), tmpdir_path(b, file));
}

TEST_WITH(the_first_directory_that_has_it_wins, prepare, tmpdir_close)
{
	assert_found(*state, "ipam", "@", "ipam");
	assert_found(*state, "ipam", "@/second:@", "second/ipam");
	assert_found(*state, "ipam", "@:@/second", "ipam");
}

TEST_WITH(empty_and_missing_entries_are_passed_over, prepare, tmpdir_close)
{
	assert_found(*state, "ipam", ":@", "ipam");
	assert_found(*state, "ipam", "::/no/such/directory:@::", "ipam");
}

TEST_WITH(an_empty_entry_is_not_the_working_directory, prepare, tmpdir_close)
{
	struct tmpdir *b = *state;

	assert_int_equal(chdir(b->dir), 0);
	assert_string_equal(find(b, "ipam", ":"), "failed to find plugin \"ipam\" in path []");
	assert_string_equal(find(b, "ipam", "."), "./ipam");
	assert_int_equal(chdir("/"), 0);
}

TEST_WITH(only_an_executable_file_counts, prepare, tmpdir_close)
{
	assert_found(*state, "plain", "@:@/second", "second/plain");
	assert_non_null(strstr(find(*state, "plain", "@"), "failed to find plugin \"plain\""));
	assert_non_null(strstr(find(*state, "directory", "@"), "failed to find"));
	assert_non_null(strstr(find(*state, "..", "@/second"), "failed to find"));
}

TEST_WITH(what_was_searched_is_named, prepare, tmpdir_close)
{
	assert_string_equal(find(*state, "none", "/no/such:/dev::/proc"),
			    "failed to find plugin \"none\" in path [/no/such, /dev, /proc]");
}

TEST_WITH(a_path_is_no_name, prepare, tmpdir_close)
{
	assert_string_equal(find(*state, "/bin/true", "@"),
			    "\"type\" in ipam is \"/bin/true\": it must be a name without '/'");
	assert_non_null(strstr(find(*state, "second/ipam", "@"), "without '/'"));
	assert_non_null(strstr(find(*state, "../ipam", "@/second"), "without '/'"));
}

TEST_WITH(the_net_plugin_is_no_ipam_plugin, prepare, tmpdir_close)
{
	struct tmpdir *b = *state;
	char self[256];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	assert_true(n > 0);
	self[n] = '\0';
	tmpdir_script(b, "status-cni", "");
	assert_int_equal(symlink(self, tmpdir_path(b, "alias")), 0);
	assert_non_null(strstr(find(b, "status-cni", "@"), "the net plugin itself"));
	assert_non_null(strstr(find(b, "alias", "@"), "the net plugin itself"));
}
