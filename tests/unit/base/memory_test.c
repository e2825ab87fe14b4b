/* Memory that cannot fail, and strings that grow. Needs nothing. */
#include "unit.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"

TEST(pieces_are_zero_and_aligned)
{
	for (size_t size = 0; size < 100; size++) {
		char *p = mem_new(size);

		assert_int_equal((uintptr_t)p % 16, 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		memset(p, 'x', size);
	}
}

TEST(a_piece_longer_than_a_chunk)
{
	const size_t size = 10UL << 20;
	char *p = mem_new(size);

	p[size - 1] = 'x';
	assert_non_null(mem_new(1));
	assert_int_equal(p[size - 1], 'x');
}

TEST(what_grows_keeps_its_bytes)
{
	char *p = mem_grow(NULL, 0, 5);

	memcpy(p, "abcd", 5);
	p = mem_grow(p, 5, 20); /* in place */
	assert_memory_equal(p, "abcd\0\0\0\0", 8);
	p[19] = 'z';
	mem_new(1); /* now it has to move */
	p = mem_grow(p, 20, 100000);
	assert_memory_equal(p, "abcd\0\0\0\0", 8);
	assert_int_equal(p[19], 'z');
	for (size_t i = 20; i < 100000; i++)
		assert_int_equal(p[i], 0);
	assert_ptr_equal(mem_grow(p, 100000, 5), p); /* nothing shrinks */
}

TEST(what_has_a_chunk_to_itself_grows_with_it)
{
	const size_t before = 100000, after = 10000000;
	char *p = mem_grow(NULL, 0, before);

	memset(p, 'x', before);
	p = mem_grow(p, before, after);
	for (size_t i = 0; i < after; i++)
		assert_int_equal(p[i], i < before ? 'x' : 0);
	assert_int_equal(*(char *)mem_new(1), 0);
	assert_int_equal(p[after - 1], 0);
}

TEST(strings)
{
	assert_string_equal(mem_strdup(""), "");
	assert_string_equal(mem_strdup("abc"), "abc");
	assert_string_equal(mem_strndup("abc", 2), "ab");
	assert_string_equal(mem_strndup("abc", 9), "abc");
	assert_string_equal(mem_printf("%s-%d", "abc", 7), "abc-7");
}

/* ---- a string that grows ---- */

TEST(it_grows)
{
	struct strbuf b = { 0 };

	assert_string_equal(strbuf_str(&b), "");
	for (int i = 0; i < 1000; i++)
		strbuf_addf(&b, "%03d", i);
	assert_int_equal(b.len, 3000);
	assert_int_equal(strlen(strbuf_str(&b)), 3000);
	assert_memory_equal(strbuf_str(&b) + 2997, "999", 4);
}

TEST(items_are_joined)
{
	struct strbuf b = { 0 };

	strbuf_join(&b, ", ", "a");
	strbuf_join(&b, ", ", "b");
	strbuf_join(&b, ",", "c");
	assert_string_equal(strbuf_str(&b), "a, b,c");
}

/* ---- the end ---- */

TEST(everything_can_be_forgotten)
{
	for (int i = 0; i < 1000; i++) {
		memset(mem_new(100000), 'x', 100000);
		mem_free_all();
	}
}

static void too_much(void)
{
	mem_new(SIZE_MAX);
}

static void no_piece_left(void)
{
	mem_fail_after(2);
	mem_new(1);
	mem_new(1);
	mem_new(1);
}

static void cjson_too(void)
{
	mem_for_cjson();
	mem_fail_after(3);
	for (int i = 0; i < 4; i++)
		cJSON_CreateObject();
}

TEST(without_memory_the_process_says_its_last_words)
{
	static void (*const t[])(void) = { too_much, no_piece_left, cjson_too };
	char said[64];
	int status;

	for (size_t i = 0; i < COUNT(t); i++) {
		int out = memfd_create("out", MFD_CLOEXEC);
		pid_t pid = fork();

		if (pid == 0) {
			mem_set_last_words(out, "no memory\n");
			t[i]();
			_exit(9);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
		assert_int_equal(pread(out, said, sizeof(said), 0), 10);
		assert_memory_equal(said, "no memory\n", 10);
		close(out);
	}
}
