/* Log lines: `2024-05-29T19:22:19.046838026+02:00 [info] INVOKED STATUS`. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/err.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

struct log {
	enum log_level level;
	int err;            /* stderr; -1 after a write failed */
	int file;           /* the log file's, or -1 */
	const char *suffix; /* ends every line, such as " pod=default/web-0"; NULL: nothing */
};

/* The level of that name ("error", "warning", "info", "debug"), or -1. */
int log_level_of(const char *name);

/* Opens the file, for appending. One that cannot be opened, or that is stdout, is a warning. */
void log_open(struct log *l, const char *path);
void log_close(struct log *l);

/* One line, one write a destination. Control characters are escaped; what is longer than a pipe
 * takes in one write is cut. Blocks for LOG_SECONDS at most. */
void log_line(struct log *l, enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
