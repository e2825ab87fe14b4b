/* What a plugin says about itself. Needs memfd_create. */
#include "memory_fds.h"

#include <fcntl.h>
#include <stdlib.h>

#include "cni/output.h"

static const struct cni_plugin plugin = { .name = "test-cni", .about = "tests things" };

#define VERSIONS "0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0"

TEST(versions)
{
	char *json = versions_json();

	assert_string_equal(json, "{\"cniVersion\":\"1.1.0\",\"supportedVersions\":[\"0.1.0\","
				  "\"0.2.0\",\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]}");
}

TEST(one_line)
{
	char text[4096];
	int fd = memory("");

	assert_int_equal(print_about(&plugin, fd), 0);
	assert_string_equal(held(fd, text, sizeof(text)),
			    "test-cni " VERSION
			    ": tests things; CNI protocol versions supported: " VERSIONS "\n");
	close(fd);
}

TEST(options)
{
	static const struct {
		const char *option;
		int status;
		const char *out, *err;
	} t[] = {
		{ "--version", 0,
		  "test-cni " VERSION " (" BUILD_LINK " build)\n"
		  "CNI protocol versions supported: " VERSIONS "\n",
		  "" },
		{ "-V", 0, NULL, "" },
		{ "--help", 0, NULL, "" },
		{ "-h", 0, NULL, "" },
		{ "--verbose", 2, "",
		  "test-cni: unknown argument \"--verbose\": see test-cni --help\n" },
		{ "", 2, "", "test-cni: unknown argument \"\": see test-cni --help\n" },
	};
	char text[4096];

	for (size_t i = 0; i < COUNT(t); i++) {
		int out = memory("");
		int err = memory("");

		assert_int_equal(print_option(&plugin, t[i].option, out, err), t[i].status);
		if (t[i].out)
			assert_string_equal(held(out, text, sizeof(text)), t[i].out);
		assert_string_equal(held(err, text, sizeof(text)), t[i].err);
		close(out);
		close(err);
	}
}

TEST(help_names_everything)
{
	static const char *const words[] = { "test-cni: tests things\n",
					     "--version",
					     "CNI_COMMAND",
					     "CNI_PATH",
					     "CNI_CONTAINERID",
					     "CNI_IFNAME",
					     "CNI_NETNS",
					     "CNI_ARGS",
					     "stdin",
					     "/opt/cni/bin test-cni < network.conf\n" };
	char text[4096];
	int out = memory("");

	print_option(&plugin, "--help", out, -1);
	held(out, text, sizeof(text));
	for (size_t i = 0; i < COUNT(words); i++)
		assert_non_null(strstr(text, words[i]));
	close(out);
}

TEST(a_full_disk)
{
	int full = open("/dev/full", O_WRONLY);

	assert_int_equal(print_option(&plugin, "--version", full, -1), 1);
	close(full);
}
