/* Log lines: one write for each line and destination, escaped, cut, and never waiting for long. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/deadline.h"

#define LINE PIPE_BUF /* a pipe takes that much in one piece */
#define SUFFIX_MAX (LINE / 4)

static const char *const names[] = { "error", "warning", "info", "debug" };

int log_level_of(const char *name)
{
	for (int i = 0; i < (int)(sizeof(names) / sizeof(names[0])); i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -1;
}

void log_close(struct log *l)
{
	if (l->file >= 0)
		close(l->file);
	l->file = -1;
}

/* /dev/stdout and its like: a line there would be part of the answer. Devices do not matter. */
static bool is_stdout(int fd)
{
	struct stat file, out;

	return fstat(fd, &file) == 0 && fstat(STDOUT_FILENO, &out) == 0 && !S_ISCHR(file.st_mode) &&
	       file.st_dev == out.st_dev && file.st_ino == out.st_ino;
}

void log_open(struct log *l, const char *path)
{
	/* Without O_NONBLOCK a FIFO that nobody reads would hang. */
	int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

	log_close(l);
	l->file = open(path, flags, 0600);
	if (l->file < 0)
		log_line(l, LOG_WARNING, "cannot open the log file \"%s\": %s", path,
			 strerror(errno));
	if (!is_stdout(l->file))
		return;
	log_close(l);
	log_line(l, LOG_WARNING, "the log file \"%s\" is stdout, where the answer goes: not used",
		 path);
}

/* `2024-05-29T19:22:19.046838026+02:00 [info] `; returns its length. */
static size_t stamp(char line[LINE], enum log_level level)
{
	char date[40], zone[8];
	struct timespec now;
	struct tm tm = { 0 };
	int n;

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	strftime(zone, sizeof(zone), "%z", &tm); /* +0200 */
	n = snprintf(line, LINE, "%s.%09ld%.3s:%s [%s] ", date, now.tv_nsec, zone, zone + 3,
		     names[level]);
	return n > 0 ? (size_t)n : 0;
}

/* The printable form of the character at `from`, of `len` bytes (0: an invalid byte). */
static size_t printable(char to[8], const char *from, size_t len)
{
	unsigned char c = (unsigned char)*from;

	if (len > 0 && !utf8_control(from, len)) {
		memcpy(to, from, len);
		return len;
	}
	if (c == '\n' || c == '\t' || c == '\r')
		return (size_t)snprintf(to, 8, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
	if (len == 2)
		return (size_t)snprintf(to, 8, "\\u%04x", (unsigned char)from[1]);
	return (size_t)snprintf(to, 8, "\\x%02x", c);
}

/* Appends text to the line at `at`, without control characters; ends early at `end`. */
static size_t append(char *line, size_t at, size_t end, const char *text)
{
	for (size_t left = strlen(text); left > 0;) {
		size_t len = utf8_char(text, left);
		char form[8];
		size_t n = printable(form, text, len);

		if (at + n > end)
			break;
		memcpy(line + at, form, n);
		at += n;
		text += len ? len : 1;
		left -= len ? len : 1;
	}
	return at;
}

static void put_err(struct log *l, const char *line, size_t len)
{
	struct deadline moment = deadline_in(LOG_SECONDS);

	if (l->err >= 0 && write_all(&moment, l->err, line, len) < 0)
		l->err = -1;
}

static void put_file(struct log *l, const char *line, size_t len)
{
	if (l->file < 0 || TEMP_FAILURE_RETRY(write(l->file, line, len)) >= 0 || errno == EAGAIN)
		return;
	int why = errno;

	log_close(l);
	log_line(l, LOG_WARNING, "cannot write the log file: %s", strerror(why));
}

void log_line(struct log *l, enum log_level level, const char *fmt, ...)
{
	char text[LINE], line[LINE], suffix[SUFFIX_MAX];
	size_t len, suffix_len;
	va_list args;

	if (level > l->level)
		return;
	va_start(args, fmt);
	if (vsnprintf(text, sizeof(text), fmt, args) >= (int)sizeof(text))
		utf8_whole(text, sizeof(text) - 1);
	va_end(args);
	suffix_len = append(suffix, 0, sizeof(suffix), l->suffix ? l->suffix : "");
	len = append(line, stamp(line, level), sizeof(line) - 1 - suffix_len, text);
	memcpy(line + len, suffix, suffix_len);
	len += suffix_len;
	line[len++] = '\n';
	put_err(l, line, len);
	put_file(l, line, len);
}
