/* Running the IPAM plugin. (CNI specification, section 4 "Delegated plugin execution procedure") */
#ifndef NET_DELEGATE_H
#define NET_DELEGATE_H

#include <stdint.h>

#include "cni/cni.h"
#include "net/judge.h"

struct delegate {
	const struct cni_call *call; /* borrowed */
	char *path;                  /* owned */
	double seconds;              /* its time; it is killed a second later */
	int64_t end;                 /* when its time and that second are over; 0: never started */
};

/* The executable of that name, found in CNI_PATH. NULL: the error is set, see delegate_find(). */
struct delegate *delegate_make(const struct cni_call *call, const char *type, double seconds,
			       struct err *e);

/* Frees what delegate_make() made. */
void delegate_free(void *delegate);

/* Runs it with our stdin, environment and stderr, and judges it, see delegate_outcome().
 * CNI_IO_FAILURE too where it could not be started: then d->end is 0. */
int delegate_run(struct delegate *d, struct delegate_reply *out, struct err *e);

/*
 * Runs it again with DEL, after an ADD of it that came to nothing. It gets what is left of its
 * time, a second at least, and nobody can cut that short. A failure is logged: there is nobody left
 * to tell.
 */
void delegate_rollback(const struct delegate *d, struct log *log);

#endif
