/* IP addresses: reading, printing, comparing; and lists of them. */
#include "base/ip.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

int ip_bits(const struct ip *ip)
{
	return ip->family == 4 ? 32 : 128;
}

/* "0" to "128" without leading zeros; -1 for anything else. */
static int parse_prefix(const char *text, int bits)
{
	size_t len = strlen(text);
	long n = strtol(text, NULL, 10);

	if (len < 1 || len > 3 || strspn(text, "0123456789") < len || (text[0] == '0' && len > 1))
		return -1;
	return n <= bits ? (int)n : -1;
}

bool ip_parse(const char *text, struct ip *out)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	struct ip ip = { .prefix = -1 };
	char host[INET6_ADDRSTRLEN];

	if (len >= sizeof(host))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	if (inet_pton(AF_INET, host, ip.bytes) == 1)
		ip.family = 4;
	else if (inet_pton(AF_INET6, host, ip.bytes) == 1)
		ip.family = 6;
	else
		return false;
	if (slash) {
		ip.prefix = parse_prefix(slash + 1, ip_bits(&ip));
		if (ip.prefix < 0)
			return false;
	}
	*out = ip;
	return true;
}

const char *ip_text(const struct ip *ip, bool with_prefix, char buf[IP_TEXT])
{
	buf[0] = '\0';
	if (ip->family == 0)
		return buf;
	inet_ntop(ip->family == 4 ? AF_INET : AF_INET6, ip->bytes, buf, IP_TEXT);
	if (with_prefix && ip->prefix >= 0) {
		size_t len = strlen(buf);

		snprintf(buf + len, IP_TEXT - len, "/%d", ip->prefix);
	}
	return buf;
}

bool ip_same_host(const struct ip *a, const struct ip *b)
{
	return a->family == b->family && ip_compare(a, b) == 0;
}

int ip_compare(const struct ip *a, const struct ip *b)
{
	return memcmp(a->bytes, b->bytes, (size_t)ip_bits(a) / 8);
}

/* The address with its host bits all 0 or all 1. An address without a prefix has no host bits. */
static struct ip with_host_bits(const struct ip *ip, bool ones)
{
	struct ip out = *ip;

	for (int bit = ip->prefix < 0 ? ip_bits(ip) : ip->prefix; bit < ip_bits(ip); bit++) {
		unsigned char mask = (unsigned char)(0x80 >> (bit % 8));

		if (ones)
			out.bytes[bit / 8] |= mask;
		else
			out.bytes[bit / 8] &= (unsigned char)~mask;
	}
	return out;
}

struct ip ip_network(const struct ip *ip)
{
	return with_host_bits(ip, false);
}

struct ip ip_last(const struct ip *ip)
{
	return with_host_bits(ip, true);
}

bool ip_in(const struct ip *host, const struct ip *net)
{
	struct ip first = ip_network(net);
	struct ip last = ip_last(net);

	return host->family == net->family && ip_compare(host, &first) >= 0 &&
	       ip_compare(host, &last) <= 0;
}

struct ip ip_next(const struct ip *ip)
{
	struct ip next = ip_from_number(ip_to_number(ip) + 1, ip->family);

	next.prefix = ip->prefix;
	return next;
}

ip_number ip_to_number(const struct ip *ip)
{
	ip_number n = 0;

	for (int i = 0; i < ip_bits(ip) / 8; i++)
		n = n << 8 | ip->bytes[i];
	return n;
}

struct ip ip_from_number(ip_number n, int family)
{
	struct ip ip = { .family = family, .prefix = -1 };

	for (int i = ip_bits(&ip) / 8 - 1; i >= 0; i--, n >>= 8)
		ip.bytes[i] = (unsigned char)(n & 0xff);
	return ip;
}

const char *ip_number_text(ip_number n, char buf[IP_NUMBER_TEXT])
{
	char *at = &buf[IP_NUMBER_TEXT - 1];

	*at = '\0';
	do
		*--at = (char)('0' + (int)(n % 10));
	while (n /= 10);
	return at;
}

void addresses_add(struct addresses *all, const struct address *address)
{
	all->list = mem_grow_list(all->list, all->n, sizeof(*all->list));
	all->list[all->n++] = *address;
}

struct address *addresses_find(const struct addresses *all, const struct ip *host)
{
	for (size_t i = 0; i < all->n; i++)
		if (ip_same_host(&all->list[i].ip, host))
			return &all->list[i];
	return NULL;
}

size_t addresses_of_family(const struct addresses *all, int family)
{
	size_t n = 0;

	for (size_t i = 0; i < all->n; i++)
		n += all->list[i].ip.family == family;
	return n;
}
