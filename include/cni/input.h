/* stdin. */
#ifndef CNI_INPUT_H
#define CNI_INPUT_H

#include <stddef.h>

#include "base/err.h"
#include "base/limit.h"

#define INPUT_MOST (32UL * 1024 * 1024) /* bytes */

/*
 * Reads to the end. More than INPUT_MOST bytes: CNI_DECODING_FAILURE; a read that fails:
 * CNI_IO_FAILURE; no end within the deadline: CNI_TRY_AGAIN_LATER. *out is the caller's, not
 * terminated, and not NULL.
 */
int read_stdin(int fd, const struct deadline *l, char **out, size_t *len, struct err *e);

#endif
