#include "store/read.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/outcome.h"

static bool is_true(const struct rows *r, size_t row, size_t column)
{
	const char *v = rows_get(r, row, column);

	return v && v[0] == 't';
}

/* False where the row is none that the schema allows. */
static bool read_allocation(const struct rows *r, size_t i, struct allocation *h)
{
	char address[IP_TEXT];

	for (size_t column = 0; column <= 6; column++)
		if (!rows_get(r, i, column))
			return false;
	*h = (struct allocation){ .id = rows_get(r, i, 0),
				  .pod = rows_get(r, i, 3),
				  .interface = rows_get(r, i, 4),
				  .node = rows_get(r, i, 5),
				  .since = rows_get(r, i, 6),
				  .pod_namespace = rows_get(r, i, 7),
				  .pod_name = rows_get(r, i, 8),
				  .same_node = is_true(r, i, 9),
				  .this_boot = is_true(r, i, 10),
				  .previous_boot = is_true(r, i, 11),
				  .own = is_true(r, i, 12) };
	snprintf(address, sizeof(address), "%s/%s", rows_get(r, i, 1), rows_get(r, i, 2));
	return ip_parse(address, &h->ip);
}

int read_allocations(struct query_result *at, struct allocations *out, struct err *e)
{
	const struct rows *r = &at->rows;

	*out = (struct allocations){ .rows = calloc(r->n + 1, sizeof(*out->rows)), .n = r->n };
	if (!out->rows)
		return err_set(e, CNI_IO_FAILURE, "out of memory");
	for (size_t i = 0; i < r->n; i++) {
		if (!read_allocation(r, i, &out->rows[i])) {
			allocations_free(out);
			return err_set(e, CNI_TRY_AGAIN_LATER,
				       "the database answered what is no allocation");
		}
	}
	out->memory = at->rows.cells; /* changes hands */
	at->rows = (struct rows){ 0 };
	return 0;
}

bool read_row_is(const struct rows *r, size_t row, const char *kind)
{
	const char *v = rows_get(r, row, 0);

	return v && strcmp(v, kind) == 0;
}

size_t read_count(const struct rows *r, const char *kind)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		n += read_row_is(r, i, kind);
	return n;
}

static const char *cell(const struct rows *r, size_t row, int column)
{
	const char *v = column < 0 ? NULL : rows_get(r, row, (size_t)column);

	return v || column < 0 ? v : "";
}

int read_released(struct query_result *at, const char *kind, struct read_columns c,
		  struct released_rows *out, struct err *e)
{
	const struct rows *r = &at->rows;

	*out = (struct released_rows){ .rows = calloc(r->n + 1, sizeof(*out->rows)) };
	if (!out->rows)
		return err_set(e, CNI_IO_FAILURE, "out of memory");
	out->hides_warnings = outcome_hides_warnings(r);
	for (size_t i = 0; i < r->n; i++) {
		if (kind && read_row_is(r, i, "twin")) {
			out->duplicate_node_pod = cell(r, i, 1);
			out->duplicate_node_interface = cell(r, i, 2);
			out->duplicate_node_count = cell(r, i, 3);
		}
		if (kind && !read_row_is(r, i, kind))
			continue;
		out->rows[out->n++] = (struct released){ .ip = cell(r, i, c.ip),
							 .pod = cell(r, i, c.pod),
							 .interface = cell(r, i, c.interface),
							 .boot_id = cell(r, i, c.boot_id) };
	}
	out->memory = at->rows.cells; /* changes hands */
	at->rows = (struct rows){ 0 };
	return 0;
}

/* The highest number in a column; -1 where there is none. */
static int highest(const struct rows *r, size_t column)
{
	int most = -1;

	for (size_t i = 0; i < r->n; i++) {
		const char *v = rows_get(r, i, column);
		long n = v ? strtol(v, NULL, 10) : -1;

		if (n > most && n <= INT_MAX)
			most = (int)n;
	}
	return most;
}

void read_status(const struct rows *r, struct store_status *out)
{
	*out = (struct store_status){ .read_only = is_true(r, 0, 0),
				      .version = highest(r, 1),
				      .works_with = highest(r, 2),
				      .may_write = is_true(r, 0, 3),
				      .hides_warnings = outcome_hides_warnings(r) };
}

void allocations_free(struct allocations *h)
{
	free(h->rows);
	free(h->memory);
	*h = (struct allocations){ 0 };
}

void released_rows_free(struct released_rows *r)
{
	free(r->rows);
	free(r->memory);
	*r = (struct released_rows){ 0 };
}
