/*
 * Allocations in memory: a struct store for the tests of the verbs.
 *
 * It decides again what the SQL of src/store decides. That both decide alike is tested with
 * one table of cases, tests/fixtures/allocations.txt: allocations_test.c runs it on this store,
 * tests/e2e/allocations_test.py on a real server.
 */
#ifndef TESTS_UNIT_FAKE_STORE_H
#define TESTS_UNIT_FAKE_STORE_H

#include "unit.h"

#include "base/memory.h"
#include "store/store.h"

struct fake_row {
	char network[64], node[64], host_id[64], pod[64], interface[16], boot_id[64], machine[64];
	char pod_namespace[64], pod_name[64], pod_uid[64]; /* "": NULL in the table */
	struct ip ip;
	double age; /* seconds since it was recorded */
	char id[16];
};

struct fake {
	struct fake_row rows[16];
	size_t n;
	int last_id;
	struct strbuf calls;          /* which functions were called: "insert find". find_left is a
				 find_free that searches nothing */
	const char *fails;            /* one that fails, or NULL */
	const char *doubtful;         /* one that fails after it has recorded, or NULL */
	bool hides_warnings;          /* what del and gc say of the server */
	char valid[256];              /* GC's list as it came */
	double gc_grace;              /* and how young a row may be to stay */
	const char *application_name; /* as it was opened */
	struct store_status status;
	/* Called before each function: what others do meanwhile. */
	void (*meanwhile)(struct fake *f, const char *function);
};

/* Records a row, from texts: whose it is ("network/node/pod/interface") and its address. */
struct fake_row *fake_holds(struct fake *f, const char *whose, const char *address,
			    const char *boot_id, double age);

/* Drops row i. */
void fake_drop(struct fake *f, size_t i);

/* All rows, as "pod:address pod:address". */
const char *fake_says(const struct fake *f);

/* Notes that a function was called. -1 with an error where it is to fail. */
int fake_called(struct fake *f, const char *function, struct err *e);

struct store fake_store(struct fake *f);

#endif
