/* What the last attempt means to the caller of a store: done, taken, or an error with its reason.
 */
#ifndef STORE_OUTCOME_H
#define STORE_OUTCOME_H

#include "store/attempt.h"
#include "store/store.h"

/* STORE_DONE, or STORE_FAILED with the error. */
int outcome_done(const struct query_result *at, struct err *e);

/* For what inserts: a unique violation is an answer, STORE_CONFLICT. From any other statement it
 * could only be a trigger's. */
int outcome_insert(const struct query_result *at, struct err *e);

/* A trigger or a rule may keep rows away without an error: STORE_FAILED. */
int outcome_all_recorded(size_t recorded, const struct reservation *c, struct err *e);

/* Every statement that writes says the server's client_min_messages in its last column. */
bool outcome_hides_warnings(const struct rows *r);

/* STORE_FAILED where it hides them. */
int outcome_refuse_hidden(const struct rows *r, struct err *e);

#endif
