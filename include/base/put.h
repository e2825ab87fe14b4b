/* Writing where the other side may not read. */
#ifndef BASE_PUT_H
#define BASE_PUT_H

#include <stddef.h>

#include "base/limit.h"

/*
 * Writes all of it, in pieces that a pipe takes without blocking, and waits for room no longer than
 * the deadline allows. 0, or -1 with errno: ETIMEDOUT where the deadline ended, else what the write
 * said.
 */
int write_all(const struct deadline *l, int fd, const char *text, size_t len);

#endif
