/* Log lines, and destinations that do not take them. Needs a writable /tmp. */
#include "unit.h"

#include <fcntl.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/log.h"

static char dir[] = "/tmp/log_test.XXXXXX";
static char text[16384];

/* A path in the directory of this run. */
static const char *in_dir(const char *name)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

/* What is in a descriptor now, as a text. */
static const char *taken(int fd)
{
	ssize_t n = read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static const char *file_text(const char *name)
{
	int fd = open(in_dir(name), O_RDONLY);
	const char *all = taken(fd);

	close(fd);
	return all;
}

/* The message of a line: what stands behind `[level] `. */
static const char *message(const char *line)
{
	const char *at = strstr(line, "] ");

	assert_non_null(at);
	return at + 2;
}

static struct log log_to(int p[2], enum log_level level)
{
	assert_int_equal(pipe(p), 0);
	return (struct log){ .level = level, .err = p[1], .file = -1 };
}

static void close_both(int p[2])
{
	close(p[0]);
	close(p[1]);
}

TEST(a_line)
{
	static const char form[] =
		"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{9}"
		"[+-][0-9]{2}:[0-9]{2} \\[info\\] INVOKED STATUS\n$";
	regex_t re;
	int p[2];
	struct log l = log_to(p, LOG_INFO);

	assert_int_equal(regcomp(&re, form, REG_EXTENDED | REG_NOSUB), 0);
	log_line(&l, LOG_INFO, "INVOKED %s", "STATUS");
	assert_int_equal(regexec(&re, taken(p[0]), 0, NULL, 0), 0);
	regfree(&re);
	close_both(p);
}

TEST(local_time)
{
	int p[2];
	struct log l = log_to(p, LOG_INFO);

	setenv("TZ", "EAST-05:30", 1);
	tzset();
	log_line(&l, LOG_INFO, "x");
	assert_non_null(strstr(taken(p[0]), "+05:30 [info] x\n"));
	setenv("TZ", "WEST+03", 1);
	tzset();
	log_line(&l, LOG_INFO, "x");
	assert_non_null(strstr(taken(p[0]), "-03:00 [info] x\n"));
	unsetenv("TZ");
	tzset();
	close_both(p);
}

TEST(levels)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };

	for (int i = 0; i < 4; i++) {
		int p[2];
		struct log l = log_to(p, (enum log_level)i);

		assert_int_equal(log_level_of(names[i]), i);
		log_line(&l, LOG_ERROR, "1");
		log_line(&l, LOG_WARNING, "2");
		log_line(&l, LOG_INFO, "3");
		log_line(&l, LOG_DEBUG, "4");
		taken(p[0]);
		assert_true(!!strstr(text, "[error] 1\n"));
		assert_int_equal(!!strstr(text, "[warning] 2\n"), i >= 1);
		assert_int_equal(!!strstr(text, "[info] 3\n"), i >= 2);
		assert_int_equal(!!strstr(text, "[debug] 4\n"), i >= 3);
		close_both(p);
	}
	assert_int_equal(log_level_of("Info"), -1);
	assert_int_equal(log_level_of(""), -1);
}

TEST(control_characters_are_escaped)
{
	static const struct {
		const char *from, *to;
	} t[] = {
		{ "a\nb\tc\r", "a\\nb\\tc\\r\n" },
		{ "\x1b[31m\x7f", "\\x1b[31m\\x7f\n" },
		{ "C1 \xc2\x9b", "C1 \\u009b\n" },
		{ "bad \xff\xc3", "bad \\xff\\xc3\n" },
		{ "caf\xc3\xa9 \"x\" \\", "caf\xc3\xa9 \"x\" \\\n" },
	};
	int p[2];
	struct log l = log_to(p, LOG_INFO);

	for (size_t i = 0; i < COUNT(t); i++) {
		log_line(&l, LOG_INFO, "%s", t[i].from);
		assert_string_equal(message(taken(p[0])), t[i].to);
	}
	close_both(p);
}

TEST(a_long_line_is_cut)
{
	char much[8000];
	int p[2];
	struct log l = log_to(p, LOG_INFO);

	memset(much, '\n', sizeof(much) - 1); /* each becomes two */
	much[sizeof(much) - 1] = '\0';
	log_line(&l, LOG_INFO, "%s", much);
	taken(p[0]);
	assert_true(strlen(text) >= 4094 && strlen(text) <= 4096);
	assert_string_equal(text + strlen(text) - 3, "\\n\n");
	memset(much, 'x', sizeof(much) - 1);
	log_line(&l, LOG_INFO, "%s", much);
	assert_int_equal(strlen(taken(p[0])), 4096);
	close_both(p);
}

TEST(a_suffix_ends_every_line)
{
	char much[8000];
	int p[2];
	struct log l = log_to(p, LOG_INFO);

	l.suffix = " pod=a\nb";
	log_line(&l, LOG_INFO, "x");
	assert_string_equal(message(taken(p[0])), "x pod=a\\nb\n");
	memset(much, 'x', sizeof(much) - 1);
	much[sizeof(much) - 1] = '\0';
	log_line(&l, LOG_INFO, "%s", much);
	taken(p[0]);
	assert_int_equal(strlen(text), 4096);
	assert_string_equal(text + 4096 - 11, "x pod=a\\nb\n");
	l.suffix = much; /* it is cut too, and leaves room */
	log_line(&l, LOG_INFO, "hello");
	taken(p[0]);
	assert_true(strlen(text) >= 1024 && strlen(text) <= 1100);
	assert_non_null(strstr(text, "] hellox"));
	close_both(p);
}

TEST(a_stderr_that_nobody_reads)
{
	int64_t start = monotonic_now();
	int p[2];
	struct log l = log_to(p, LOG_INFO);
	char fill[4096] = { 0 };

	fcntl(p[1], F_SETFL, O_NONBLOCK);
	while (write(p[1], fill, sizeof(fill)) > 0)
		;
	fcntl(p[1], F_SETFL, 0);
	for (int i = 0; i < 3; i++)
		log_line(&l, LOG_INFO, "x");
	assert_int_equal(l.err, -1);
	assert_true(monotonic_now() - start < 5 * INT64_C(1000000000));
	close_both(p);
}

TEST(a_stderr_that_is_gone)
{
	int p[2];
	struct log l = log_to(p, LOG_INFO);

	close(p[0]);
	log_line(&l, LOG_INFO, "x");
	assert_int_equal(l.err, -1);
	close(p[1]);
}

TEST(a_file_besides)
{
	int p[2];
	struct log l = log_to(p, LOG_INFO);
	struct stat st;

	umask(022);
	for (int i = 0; i < 2; i++) {
		log_open(&l, in_dir("log"));
		assert_true(l.file >= 0);
		assert_true(fcntl(l.file, F_GETFD) & FD_CLOEXEC);
		log_line(&l, LOG_INFO, "run %d", i);
		log_close(&l);
		assert_int_equal(l.file, -1);
	}
	assert_int_equal(stat(in_dir("log"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	file_text("log");
	assert_non_null(strstr(text, "[info] run 0\n"));
	assert_non_null(strstr(text, "[info] run 1\n"));
	assert_non_null(strstr(taken(p[0]), "[info] run 1\n"));
	close_both(p);
}

TEST(files_that_cannot_be_opened)
{
	char expected[128];
	int p[2];
	struct log l = log_to(p, LOG_INFO);

	log_open(&l, "/nonexistent/log");
	assert_int_equal(l.file, -1);
	assert_string_equal(
		message(taken(p[0])),
		"cannot open the log file \"/nonexistent/log\": No such file or directory\n");
	/* A FIFO without a reader does not hang. */
	assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
	log_open(&l, in_dir("fifo"));
	snprintf(expected, sizeof(expected),
		 "cannot open the log file \"%s\": No such device or address\n", in_dir("fifo"));
	assert_string_equal(message(taken(p[0])), expected);
	close_both(p);
}

TEST(a_file_that_cannot_be_written)
{
	int p[2];
	struct log l = log_to(p, LOG_INFO);

	log_open(&l, "/dev/full");
	log_line(&l, LOG_INFO, "x");
	taken(p[0]);
	assert_non_null(strstr(text, "[info] x\n"));
	assert_non_null(
		strstr(text, "[warning] cannot write the log file: No space left on device\n"));
	assert_int_equal(l.file, -1);
	close_both(p);
}

static int make_dir(void **state __attribute__((unused)))
{
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state __attribute__((unused)))
{
	unlink(in_dir("log"));
	unlink(in_dir("fifo"));
	return rmdir(dir);
}

TEST_GROUP(make_dir, remove_dir)
