/* What a delegate's end and its output come to. */
#ifndef NET_JUDGE_H
#define NET_JUDGE_H

#include <cjson/cJSON.h>

#include "base/child.h"
#include "base/err.h"
#include "cni/result.h"

struct verdict {
	char *error;  /* its error object, byte for byte, owned; NULL: it succeeded */
	double code;  /* that error's */
	cJSON *value; /* what it wrote, owned; NULL: nothing, or no JSON */
};

/*
 * A success, or a failure that explains itself. Anything else is an error: CNI_AGAIN where it was
 * killed at its deadline or abandoned, else CNI_IO; of *out only the code is set then, where it
 * said one. verdict_free when done.
 */
int judge(
	const char *path, const struct child_outcome *outcome, struct verdict *out, struct err *e);

/* The result of a success of ADD: CNI_IO where it is none of version `v`, or has no address.
 * Interface indexes are dropped, interfaces too: an IPAM plugin makes none. *out is the caller's.
 */
int judge_result(const char *path, const struct verdict *success, enum cni_version v,
	struct result *out, struct err *e);

void verdict_free(struct verdict *v);

#define scoped_verdict __attribute__((cleanup(verdict_free)))

#endif
