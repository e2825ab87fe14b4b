/* A directory of its own for a test, with small scripts as executables. */
#ifndef TESTS_UNIT_TMPDIR_H
#define TESTS_UNIT_TMPDIR_H

#include "unit.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct tmpdir {
	char dir[64];
	char path[128];  /* what tmpdir_path() gave last */
	char text[8192]; /* what tmpdir_read() gave last */
};

static inline int tmpdir_open(void **state)
{
	struct tmpdir *b = calloc(1, sizeof(*b));

	snprintf(b->dir, sizeof(b->dir), "/tmp/unit.XXXXXX");
	*state = b;
	return mkdtemp(b->dir) ? 0 : -1;
}

static inline int tmpdir_remove(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static inline int tmpdir_close(void **state)
{
	struct tmpdir *b = *state;
	int failed = nftw(b->dir, tmpdir_remove, 8, FTW_DEPTH | FTW_PHYS);

	free(b);
	return failed;
}

static inline const char *tmpdir_path(struct tmpdir *b, const char *name)
{
	snprintf(b->path, sizeof(b->path), "%s/%s", b->dir, name);
	return b->path;
}

/* Writes a file and returns its path. */
static inline const char *tmpdir_write(struct tmpdir *b, const char *name, const char *text,
				       mode_t mode)
{
	int fd = open(tmpdir_path(b, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	return b->path;
}

/* Writes a file in folders that may not be there yet. */
static inline void tmpdir_put(struct tmpdir *b, const char *name, const char *text)
{
	for (const char *p = strchr(name, '/'); p; p = strchr(p + 1, '/')) {
		char folder[64];

		snprintf(folder, sizeof(folder), "%.*s", (int)(p - name), name);
		mkdir(tmpdir_path(b, folder), 0700);
	}
	tmpdir_write(b, name, text, 0600);
}

/* Writes a shell script, which finds the directory in $DIR, and returns its path. */
static inline const char *tmpdir_script(struct tmpdir *b, const char *name, const char *body)
{
	char text[4096];

	snprintf(text, sizeof(text), "#!/bin/sh\nDIR='%s'\n%s\n", b->dir, body);
	return tmpdir_write(b, name, text, 0755);
}

/* A file's text, "" where there is none. */
static inline const char *tmpdir_read(struct tmpdir *b, const char *name)
{
	int fd = open(tmpdir_path(b, name), O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, b->text, sizeof(b->text) - 1);

	if (fd >= 0)
		close(fd);
	b->text[n > 0 ? n : 0] = '\0';
	return b->text;
}

/* Waits, 3 s at most, until a file has text. */
static inline const char *tmpdir_await(struct tmpdir *b, const char *name)
{
	for (int i = 0; i < 300 && !*tmpdir_read(b, name); i++)
		usleep(10000);
	return b->text;
}

#endif
