/* IP addresses with or without a prefix length, and lists of them. */
#ifndef BASE_IP_H
#define BASE_IP_H

#include <stdbool.h>
#include <stddef.h>

#define IP_TEXT 64 /* room for any address with its prefix length */

struct ip {
	int family;              /* 4 or 6; 0: none */
	unsigned char bytes[16]; /* network order; IPv4 uses the first four */
	int prefix;              /* prefix length, -1 where the text had none */
};

/* "10.0.0.1", "10.0.0.1/24", "fd00::1/64": strict, no blanks, zones or leading zeros. */
bool ip_parse(const char *text, struct ip *out);

/* The canonical text; with the prefix length if `with_prefix` and there is one. Returns `buf`. */
const char *ip_text(const struct ip *ip, bool with_prefix, char buf[IP_TEXT]);

int ip_bits(const struct ip *ip);                          /* 32 or 128 */
bool ip_same_host(const struct ip *a, const struct ip *b); /* prefix lengths do not matter */
bool ip_in(const struct ip *host, const struct ip *net);   /* within net's prefix */
int ip_compare(const struct ip *a, const struct ip *b);    /* by address; same family */
struct ip ip_network(const struct ip *ip);                 /* host bits 0 */
struct ip ip_last(const struct ip *ip);                    /* host bits 1 */
struct ip ip_next(const struct ip *ip);                    /* plus one */

/* An address as a number; IPv4 is below 2^32. */
__extension__ typedef unsigned __int128 ip_number;
ip_number ip_to_number(const struct ip *ip);
struct ip ip_from_number(ip_number n, int family);

#define IP_NUMBER_TEXT 40 /* room for any of them in decimal digits */
const char *ip_number_text(ip_number n, char buf[IP_NUMBER_TEXT]);

/* One address of an attachment: as asked for, as recorded, or as answered. */
struct address {
	struct ip ip;      /* with its prefix length */
	struct ip gateway; /* family 0: none */
	int interface;     /* index into a result's interfaces, -1: none */
};

/* A list of them. It starts as { 0 }. */
struct addresses {
	struct address *list;
	size_t n;
};

/* Appends an address. */
void addresses_add(struct addresses *all, const struct address *address);

/* The address of that host, prefix lengths aside; NULL: it is not in the list. */
struct address *addresses_find(const struct addresses *all, const struct ip *host);

/* How many are of that family (4 or 6). */
size_t addresses_of_family(const struct addresses *all, int family);

#endif
