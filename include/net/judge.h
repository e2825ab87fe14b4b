/* What a delegate's end and its output come to. */
#ifndef NET_JUDGE_H
#define NET_JUDGE_H

#include <cjson/cJSON.h>

#include "base/child.h"
#include "base/err.h"
#include "cni/result.h"

struct delegate_reply {
	char *error;  /* its error object, byte for byte, owned; NULL: it succeeded */
	double code;  /* that error's */
	cJSON *value; /* what it wrote, owned; NULL: nothing, or no JSON */
};

/*
 * A success, or a failure that explains itself. Anything else is an error: CNI_TRY_AGAIN_LATER
 * where it was killed at its deadline or abandoned, else CNI_IO_FAILURE; of *out only the code is
 * set then, where it said one. delegate_reply_free when done.
 */
int delegate_outcome(const char *path, const struct child_outcome *outcome,
		     struct delegate_reply *out, struct err *e);

/* The result of a success of ADD: CNI_IO_FAILURE where it is none of version `v`, or has no
 * address. Interface indexes are dropped, interfaces too: an IPAM plugin makes none. *out is the
 * caller's.
 */
int delegate_result(const char *path, const struct delegate_reply *success, enum cni_version v,
		    struct result *out, struct err *e);

void delegate_reply_free(struct delegate_reply *v);

#define cleanup_delegate_reply __attribute__((cleanup(delegate_reply_free)))

#endif
