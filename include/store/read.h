/* Rows of text into what the store's callers know. */
#ifndef STORE_READ_H
#define STORE_READ_H

#include "store/attempt.h"
#include "store/store.h"

/* The rows of LOOK; the attempt's memory changes hands. A row that the schema does not allow is
 * CNI_TRY_AGAIN_LATER. */
int read_allocations(struct query_result *at, struct allocations *out, struct err *e);

/* TAKE and GC answer with rows of two kinds, which column 0 tells apart. */
bool read_row_is(const struct rows *r, size_t row, const char *kind);
size_t read_count(const struct rows *r, const char *kind);

/* Where a statement says what it has released. -1: it does not say. */
struct read_columns {
	int ip, pod, interface, boot_id;
};

/* The rows of that kind (NULL: all); the attempt's memory changes hands. */
int read_released(struct query_result *at, const char *kind, struct read_columns c,
		  struct released_rows *out, struct err *e);

void read_status(const struct rows *r, struct store_status *out);

#endif
