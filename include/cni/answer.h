/* The one place that writes to stdout. */
#ifndef CNI_ANSWER_H
#define CNI_ANSWER_H

#include "cni/cni.h"

/*
 * Prints what a verb has answered and undoes it if that fails, or if nobody waits for it any more.
 * What cannot be printed is logged. Returns the exit status and frees the answer.
 */
int send_reply(const struct cni_call *call, struct cni_reply *answer);

/* Prints the error object; `version` as for err_json. Returns the exit status. */
int send_error(const struct cni_call *call, const struct err *e, const char *version);

#endif
