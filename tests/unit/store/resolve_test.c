/* Names to addresses. Needs nothing but /etc/hosts. */
#include "unit.h"

#include <sys/wait.h>
#include <unistd.h>

#include "store/connect.h"

TEST(what_is_a_name)
{
	static const struct {
		const char *host;
		bool name;
	} t[] = {
		{ NULL, false },
		{ "", false },
		{ "/run/postgresql", false },
		{ "@abstract", false },
		{ "10.0.0.1", false },
		{ "fd00::1", false },
		{ "db", true },
		{ "db.example.org", true },
		{ "10.0.0", true },
		{ "10.0.0.1.example.org", true },
	};

	for (size_t i = 0; i < COUNT(t); i++)
		assert_int_equal(resolve_needed(t[i].host), t[i].name);
}

TEST(a_name_that_is_known)
{
	char found[RESOLVE_MAX][RESOLVE_TEXT];
	struct deadline l = deadline_in(10);
	struct err e = { 0 };
	int n = resolve("localhost", &l, found, &e);

	assert_true(n >= 1);
	for (int i = 0; i < n; i++)
		assert_true(strcmp(found[i], "127.0.0.1") == 0 || strcmp(found[i], "::1") == 0);
}

TEST(a_name_that_is_not)
{
	static const char words[] =
		"could not translate host name \"no such name\" to an address: ";
	char found[RESOLVE_MAX][RESOLVE_TEXT];
	struct deadline l = deadline_in(10);
	struct err e = { 0 };

	assert_int_equal(resolve("no such name", &l, found, &e), -1);
	assert_int_equal(e.code, CNI_TRY_AGAIN_LATER);
	assert_memory_equal(e.msg, words, strlen(words));
	assert_true(strlen(e.msg) > strlen(words));
}

TEST(its_time_is_over)
{
	char found[RESOLVE_MAX][RESOLVE_TEXT];
	struct deadline l = deadline_in(0);
	struct err e = { 0 };

	assert_int_equal(resolve("localhost", &l, found, &e), -1);
	assert_err(&e, CNI_TRY_AGAIN_LATER,
		   "could not translate host name \"localhost\" to an address: the deadline has "
		   "passed",
		   "");
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
}

TEST(nobody_waits)
{
	char found[RESOLVE_MAX][RESOLVE_TEXT];
	struct deadline l = deadline_in(10);
	struct err e = { 0 };
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	l.stdout_fd = ends[1];
	assert_int_equal(resolve("no such name", &l, found, &e), -1);
	assert_err(&e, CNI_TRY_AGAIN_LATER,
		   "could not translate host name \"no such name\" to an address: nobody waits for "
		   "the answer any more",
		   "");
	close(ends[1]);
}
