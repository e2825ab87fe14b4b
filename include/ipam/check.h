/* What CHECK compares. (CNI specification, section 2 "CHECK") */
#ifndef IPAM_CHECK_H
#define IPAM_CHECK_H

#include "cni/result.h"
#include "ipam/request.h"
#include "store/store.h"

/*
 * Every address that the attachment `by` holds is in `prev`, every one that `asked` names is held
 * by it; at least one of prev's is, and none of them by another. Otherwise CNI_CHECK_FAILED.
 * Addresses of prev that nobody holds may be another plugin's.
 */
int check_compare(const struct allocations *held, const struct result *prev,
		  const struct request *asked, const struct attachment *by, struct err *e);

#endif
