/* How an attachment comes to its addresses: the decisions of ADD, apart from where they come from.
 */
#ifndef IPAM_CLAIM_H
#define IPAM_CLAIM_H

#include "base/log.h"
#include "store/store.h"

/* What was recorded for a claim. */
struct grant {
	struct ip *ips; /* owned; as recorded, with their prefix lengths */
	size_t n;
	struct row_ids inserted; /* what this call has inserted, as far as it knows: for release */
};

/*
 * Records all addresses of the claim or none. CNI_ADDRESS_IN_USE where another attachment has one
 * of them, CNI_ALLOCATION_MISMATCH where this one has other addresses, CNI_TRY_AGAIN_LATER where
 * the store failed or did not come to rest. On failure too, out->inserted has to be released if it
 * is not empty. grant_free in any case.
 */
int reserve(const struct store *s, const struct reservation *c, struct log *log,
	    const struct deadline *deadline, struct grant *out, struct err *e);

void grant_free(struct grant *g);

#endif
