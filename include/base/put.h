/* Writing where the other side may not read. */
#ifndef BASE_PUT_H
#define BASE_PUT_H

#include <stddef.h>

#include "base/limit.h"

/*
 * Writes all of it, in pieces that a pipe takes without blocking, and waits for room no longer than
 * the limit allows. 0, or -1 with errno: ETIMEDOUT where the limit ended, else what the write said.
 */
int put_all(const struct limit *l, int fd, const char *text, size_t len);

#endif
