/* Where the IPAM plugin is looked for. Needs /bin/sh. */
#include "box.h"
#include "call.h"
#include "net/find.h"

/* Looks for `type` in `path`, where @ stands for the box. Returns what was found, or the error's
 * message. */
static const char *find(struct box *b, const char *type, const char *path)
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
	if (find_delegate(make_call(&m, "ADD", "{}", dirs), type, &found, &e) < 0)
		assert_int_equal(e.code, CNI_CONFIG);
	snprintf(answer, sizeof(answer), "%s", found ? found : e.msg);
	free(found);
	drop_call(&m);
	return answer;
}

static int prepare(void **state)
{
	int failed = box_open(state);

	box_script(*state, "ipam", "");
	box_write(*state, "plain", "text", 0644);
	mkdir(box_path(*state, "directory"), 0755);
	mkdir(box_path(*state, "second"), 0755);
	box_script(*state, "second/ipam", "");
	box_script(*state, "second/plain", "");
	return failed;
}

static void assert_found(struct box *b, const char *type, const char *path, const char *file)
{
	assert_string_equal(find(b, type, path), box_path(b, file));
}

static void the_first_directory_that_has_it_wins(void **state)
{
	assert_found(*state, "ipam", "@", "ipam");
	assert_found(*state, "ipam", "@/second:@", "second/ipam");
	assert_found(*state, "ipam", "@:@/second", "ipam");
}

static void empty_and_missing_entries_are_passed_over(void **state)
{
	assert_found(*state, "ipam", ":@", "ipam");
	assert_found(*state, "ipam", "::/no/such/directory:@::", "ipam");
}

static void an_empty_entry_is_not_the_working_directory(void **state)
{
	struct box *b = *state;

	assert_int_equal(chdir(b->dir), 0);
	assert_string_equal(find(b, "ipam", ":"), "failed to find plugin \"ipam\" in path []");
	assert_string_equal(find(b, "ipam", "."), "./ipam");
	assert_int_equal(chdir("/"), 0);
}

static void only_an_executable_file_counts(void **state)
{
	assert_found(*state, "plain", "@:@/second", "second/plain");
	assert_non_null(strstr(find(*state, "plain", "@"), "failed to find plugin \"plain\""));
	assert_non_null(strstr(find(*state, "directory", "@"), "failed to find"));
	assert_non_null(strstr(find(*state, "..", "@/second"), "failed to find"));
}

static void what_was_searched_is_named(void **state)
{
	assert_string_equal(find(*state, "none", "/no/such:/dev::/proc"),
		"failed to find plugin \"none\" in path [/no/such, /dev, /proc]");
}

static void a_path_is_no_name(void **state)
{
	assert_string_equal(find(*state, "/bin/true", "@"),
		"\"type\" in ipam is \"/bin/true\": it must be a name without '/'");
	assert_non_null(strstr(find(*state, "second/ipam", "@"), "without '/'"));
	assert_non_null(strstr(find(*state, "../ipam", "@/second"), "without '/'"));
}

static void the_net_plugin_is_no_ipam_plugin(void **state)
{
	struct box *b = *state;
	char self[256];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	assert_true(n > 0);
	self[n] = '\0';
	box_script(b, "status-cni", "");
	assert_int_equal(symlink(self, box_path(b, "alias")), 0);
	assert_non_null(strstr(find(b, "status-cni", "@"), "the net plugin itself"));
	assert_non_null(strstr(find(b, "alias", "@"), "the net plugin itself"));
}

#define in_box(test) cmocka_unit_test_setup_teardown(test, prepare, box_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_box(the_first_directory_that_has_it_wins),
		in_box(empty_and_missing_entries_are_passed_over),
		in_box(an_empty_entry_is_not_the_working_directory),
		in_box(only_an_executable_file_counts),
		in_box(what_was_searched_is_named),
		in_box(a_path_is_no_name),
		in_box(the_net_plugin_is_no_ipam_plugin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
