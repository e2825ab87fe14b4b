/* stdin. */
#ifndef CNI_INPUT_H
#define CNI_INPUT_H

#include <stddef.h>

#include "base/err.h"
#include "base/limit.h"

#define INPUT_MOST (32UL * 1024 * 1024) /* bytes */

/*
 * Reads to the end. More than INPUT_MOST bytes: CNI_DECODE; a read that fails: CNI_IO; no end
 * within the limit: CNI_AGAIN. *out is the caller's, not terminated, and not NULL.
 */
int input_read(int fd, const struct limit *l, char **out, size_t *len, struct err *e);

#endif
