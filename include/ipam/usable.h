/* Which addresses can be given to an interface. */
#ifndef IPAM_USABLE_H
#define IPAM_USABLE_H

#include "ipam/range.h"

/*
 * Gives an address without a prefix length that of its range, and one without a gateway (family 0)
 * its range's. CNI_INVALID_NETWORK_CONFIG where the address is outside of the ranges, cannot be an
 * interface's, or stays without a prefix length, and where the gateway is of another family.
 */
int address_check(const struct ranges *ranges, struct ip *ip, struct ip *gateway, struct err *e);

#endif
