#include "ipam/usable.h"

#include <stddef.h>

/* Addresses that are nobody's, whatever the prefix length. */
static const struct forbidden {
	const char *net, *why;
} forbidden[] = {
	{ "0.0.0.0/32", "is the unspecified address" },
	{ "127.0.0.0/8", "is a loopback address" },
	{ "224.0.0.0/4", "is a multicast address" },
	{ "::/128", "is the unspecified address" },
	{ "::1/128", "is a loopback address" },
	{ "ff00::/8", "is a multicast address" },
	{ "::ffff:0:0/96", "is an IPv4-mapped address: write the IPv4 address" },
};

static const char *why_forbidden(const struct ip *ip)
{
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(*forbidden); i++) {
		struct ip net;

		if (ip_parse(forbidden[i].net, &net) && net.family == ip->family && ip_in(ip, &net))
			return forbidden[i].why;
	}
	return NULL;
}

/* An IPv4 prefix up to /30 has a network and a broadcast address. */
static const char *why_reserved(const struct ip *ip)
{
	struct ip network = ip_network(ip), last = ip_last(ip);

	if (ip->family != 4 || ip->prefix > 30)
		return NULL;
	if (ip_same_host(ip, &network))
		return "is the network address of its prefix";
	return ip_same_host(ip, &last) ? "is the broadcast address of its prefix" : NULL;
}

int address_check(const struct ranges *ranges, struct ip *ip, struct ip *gateway, struct err *e)
{
	const struct range *in = ranges_holding(ranges, ip);
	const char *why = why_forbidden(ip);
	char a[IP_TEXT], b[IP_TEXT];

	if (why)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG, "%s %s", ip_text(ip, true, a), why);
	if (ranges->n > 0 && !in)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG, "%s is outside of all ipam.ranges",
			       ip_text(ip, true, a));
	if (ip->prefix < 0 && !in)
		return err_set(
			e, CNI_INVALID_NETWORK_CONFIG,
			"%s has no prefix length: write it as %s/%d or the like, or add a range "
			"that holds it to ipam.ranges",
			ip_text(ip, false, a), ip_text(ip, false, b), ip->family == 4 ? 24 : 64);
	if (in && ip_same_host(ip, &in->gateway))
		return err_set(e, CNI_INVALID_NETWORK_CONFIG, "%s is the gateway of its range",
			       ip_text(ip, true, a));
	if (ip->prefix < 0)
		ip->prefix = in->subnet.prefix;
	if (in && !gateway->family)
		*gateway = in->gateway;
	why = why_reserved(ip);
	if (why)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG, "%s %s", ip_text(ip, true, a), why);
	if (gateway->family && gateway->family != ip->family)
		return err_set(e, CNI_INVALID_NETWORK_CONFIG,
			       "%s has a gateway of another family: %s", ip_text(ip, true, a),
			       ip_text(gateway, false, b));
	return 0;
}
