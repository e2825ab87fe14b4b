/* What may be picked and where callers look for it. Needs nothing. */
#include <stdio.h>

#include "unit.h"

#include "base/memory.h"
#include "ipam/ipam.h"
#include "ipam/pool.h"

static struct ip ip_of(const char *text)
{
	struct ip ip;

	assert_true(ip_parse(text, &ip));
	return ip;
}

static const struct addresses none = { 0 };

/* A set of one range with the addresses from `start` to `end`; its gateway is elsewhere. */
static struct pools pool_from(const char *subnet, const char *start, const char *end)
{
	struct ranges *all = mem_new(sizeof(*all));

	*all = (struct ranges){ .list = mem_new(sizeof(*all->list)), .n = 1, .n_sets = 1 };
	all->list[0] = (struct range){ .subnet = ip_of(subnet),
				       .start = ip_of(start),
				       .end = ip_of(end),
				       .gateway = ip_of("169.254.1.1") };
	return pools_of(all, &none);
}

/* The same, with more excluded. */
static void cut_out(struct pools *p, const char *first, const char *last)
{
	struct ranges *all = mem_new(sizeof(*all));
	struct range *r = mem_new(sizeof(*r));

	*r = p->ranges->list[0];
	*all = (struct ranges){ .list = r, .n = 1, .n_sets = 1 };
	r->excluded = mem_grow(r->excluded, r->n_excluded * sizeof(*r->excluded),
			       (r->n_excluded + 1) * sizeof(*r->excluded));
	r->excluded[r->n_excluded++] = (struct run){ ip_of(first), ip_of(last) };
	*p = pools_of(all, &none);
}

/* Place k. */
static struct ip place(const struct pools *p, const struct sequence *s, size_t k)
{
	struct searches found = { 0 };
	struct ip first;

	if (k == 0 && pools_first_place(p, 0, s, &first))
		return first;
	pools_search(p, 0, s, k, true, 1, &found);
	return found.list[0].first;
}

static struct sequence named(int i)
{
	return sequence_of("eth0", "default", mem_printf("pod-%d", i), "node", "container");
}

static const char *at(const struct pools *p, const struct sequence *s, size_t k)
{
	struct ip ip = place(p, s, k);

	return ip_text(&ip, true, mem_new(IP_TEXT));
}

/* Where to look, as "first-last first-last". */
static const char *says(const struct pools *p, const struct sequence *s, size_t k)
{
	struct searches found = { 0 };
	char *text = "", a[IP_TEXT], b[IP_TEXT];

	pools_search(p, 0, s, k, true, 1, &found);
	for (size_t i = 5; i < found.n; i++)
		text = mem_printf("%s%s%s-%s", text, i > 5 ? " " : "",
				  ip_text(&found.list[i].first, false, a),
				  ip_text(&found.list[i].last, false, b));
	return text;
}

TEST(the_hash_is_sha_256_and_ends_are_counted)
{
	static const uint8_t abc_nul[] = { 0xdc, 0x11, 0x14, 0xcd, 0x07, 0x49, 0x14, 0xbd };
	uint8_t a[SHA256_BYTES], b[SHA256_BYTES];

	sha256_texts((const char *[]){ "abc", NULL }, a);
	assert_memory_equal(a, abc_nul, sizeof(abc_nul));
	sha256_texts((const char *[]){ "ab", "c", NULL }, b);
	assert_memory_not_equal(a, b, sizeof(a));
	sha256_texts((const char *[]){ "a", "bc", NULL }, a);
	assert_memory_not_equal(a, b, sizeof(a));
}

TEST(network_and_broadcast_address_are_left_out)
{
	static const struct {
		const char *subnet, *start, *end, *size;
	} t[] = {
		{ "10.0.0.0/24", "10.0.0.1", "10.0.0.254", "254" },
		{ "10.0.0.0/24", "10.0.0.0", "10.0.0.255", "254" },
		{ "10.0.0.0/30", "10.0.0.0", "10.0.0.3", "2" },
		{ "10.0.0.0/16", "10.0.0.250", "10.0.1.5", "12" },
		{ "0.0.0.0/0", "0.0.0.0", "255.255.255.255", "4009754621" },
		{ "fd00::/126", "fd00::", "fd00::3", "3" },
		{ "fd00::/64", "fd00::1", "fd00::ffff:ffff:ffff:ffff", "18446744073709551615" },
		{ "fd00::/48", "fd00::", "fd00::ffff:ffff:ffff:ffff:ffff",
		  "1208925819614629174706175" },
	};
	char text[IP_NUMBER_TEXT];

	for (size_t i = 0; i < COUNT(t); i++) {
		struct pools p = pool_from(t[i].subnet, t[i].start, t[i].end);

		assert_string_equal(ip_number_text(pools_size(&p, 0), text), t[i].size);
	}
}

TEST(what_is_cut_out_leaves_spans)
{
	static const struct {
		const char *cuts[8], *left; /* of 10.0.0.1 to 10.0.0.9 */
	} t[] = {
		{ { "10.0.0.1", "10.0.0.1" }, "10.0.0.2-10.0.0.9" },
		{ { "10.0.0.9", "10.0.0.9" }, "10.0.0.1-10.0.0.8" },
		{ { "10.0.0.5", "10.0.0.5" }, "10.0.0.1-10.0.0.4 10.0.0.6-10.0.0.9" },
		{ { "10.0.0.5", "10.0.0.5", "10.0.0.5", "10.0.0.5" },
		  "10.0.0.1-10.0.0.4 10.0.0.6-10.0.0.9" },
		{ { "10.0.0.3", "10.0.0.3", "10.0.0.7", "10.0.0.7", "10.0.0.2", "10.0.0.8" },
		  "10.0.0.1-10.0.0.1 10.0.0.9-10.0.0.9" },
		{ { "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6" },
		  "10.0.0.1-10.0.0.2 10.0.0.7-10.0.0.9" },
		{ { "0.0.0.0", "10.0.0.4" }, "10.0.0.5-10.0.0.9" },
		{ { "10.0.0.5", "255.255.255.255" }, "10.0.0.1-10.0.0.4" },
		{ { "10.0.0.10", "10.0.0.20" }, "10.0.0.1-10.0.0.9" },
		{ { "::", "ffff::" }, "10.0.0.1-10.0.0.9" },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		struct pools p = pool_from("10.0.0.0/24", "10.0.0.1", "10.0.0.9");
		struct ip first;
		char *left = "", a[IP_TEXT];

		for (size_t c = 0; c < COUNT(t[i].cuts) && t[i].cuts[c]; c += 2)
			cut_out(&p, t[i].cuts[c], t[i].cuts[c + 1]);
		for (size_t s = 0; s < p.list[0].n; s++) {
			first = ip_of("10.0.0.0");
			first.bytes[3] = (unsigned char)(p.list[0].spans[s].first & 0xff);
			left = mem_printf("%s%s%s-10.0.0.%d", left, s ? " " : "",
					  ip_text(&first, false, a),
					  (int)(p.list[0].spans[s].last & 0xff));
		}
		assert_string_equal(left, t[i].left);
	}
}

TEST(everything_can_be_cut_out)
{
	struct pools p = pool_from("10.0.0.0/24", "10.0.0.1", "10.0.0.9");
	struct sequence s = named(1);
	struct searches nowhere = { 0 };

	cut_out(&p, "10.0.0.0", "10.0.0.255");
	assert_int_equal(p.list[0].n, 0);
	assert_true(pools_size(&p, 0) == 0);
	pools_search(&p, 0, &s, 0, true, 1, &nowhere);
	assert_int_equal(nowhere.n, 0);
}

TEST(who_asks_decides)
{
	struct pools p = pool_from("fd00::/64", "fd00::1", "fd00::ffff:ffff:ffff:ffff");
	const struct {
		struct sequence a, b;
		bool same;
	} t[] = {
		{ sequence_of("eth0", "ns", "pod", "n1", "c1"),
		  sequence_of("eth0", "ns", "pod", "n2", "c2"), true },
		{ sequence_of("eth0", "ns", "pod", "n1", "c1"),
		  sequence_of("eth0", "ns", "pod2", "n1", "c1"), false },
		{ sequence_of("eth0", "ns", "pod", "n1", "c1"),
		  sequence_of("eth0", "ns2", "pod", "n1", "c1"), false },
		{ sequence_of("eth0", "ns", "pod", "n1", "c1"),
		  sequence_of("eth1", "ns", "pod", "n1", "c1"), false },
		{ sequence_of("eth0", NULL, "pod", "n1", "c1"),
		  sequence_of("eth0", NULL, "pod", "n1", "c2"), true },
		{ sequence_of("eth0", NULL, "pod", "n1", "c1"),
		  sequence_of("eth0", NULL, "pod", "n2", "c1"), false },
		{ sequence_of("eth0", "ns", NULL, "n1", "c1"),
		  sequence_of("eth0", NULL, NULL, "n2", "c1"), true },
		{ sequence_of("eth0", NULL, NULL, "n1", "c1"),
		  sequence_of("eth0", NULL, NULL, "n1", "c2"), false },
		{ sequence_of("eth0", NULL, NULL, "n1", "c1"),
		  sequence_of("eth1", NULL, NULL, "n1", "c1"), false },
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		if (t[i].same)
			assert_string_equal(at(&p, &t[i].a, 0), at(&p, &t[i].b, 0));
		else
			assert_string_not_equal(at(&p, &t[i].a, 0), at(&p, &t[i].b, 0));
	}
}

TEST(a_place_has_the_prefix_length_of_its_range)
{
	struct pools p = pool_from("10.0.0.0/20", "10.0.0.5", "10.0.0.5");
	struct sequence s = named(1);

	assert_string_equal(at(&p, &s, 0), "10.0.0.5/20");
	assert_string_equal(at(&p, &s, 7), "10.0.0.5/20");
}

static int low_bytes(const struct ip *ip)
{
	int end = ip_bits(ip) / 8;

	return ip->bytes[end - 2] << 8 | ip->bytes[end - 1];
}

/* The names are the same at every run, so these figures are too: nothing here can fail by chance.
 * Of n callers and m addresses, sum((count - n/m)^2) / (n/m) is about m where they are spread
 * evenly; its standard deviation is sqrt(2m). */
static double chi_square(const struct pools *p, int callers)
{
	double sum = 0, expected = (double)callers / (double)pools_size(p, 0);
	const struct range *r = p->ranges->list;
	size_t n = (size_t)(ip_to_number(&r->end) - ip_to_number(&r->start)) + 1;
	int *count = mem_new(n * sizeof(*count));

	for (int i = 0; i < callers; i++) {
		struct sequence s = named(i);
		struct ip ip = place(p, &s, 0);

		count[low_bytes(&ip) - 1]++;
	}
	for (size_t i = 0; i < p->list[0].n; i++) {
		const struct span *span = &p->list[0].spans[i];

		for (size_t a = (size_t)(span->first & 0xffff); a <= (size_t)(span->last & 0xffff);
		     a++) {
			double more = count[a - 1] - expected;

			sum += more * more / expected;
			count[a - 1] = 0;
		}
	}
	for (size_t i = 0; i < n; i++)
		assert_int_equal(count[i], 0); /* nobody got what is cut out */
	return sum;
}

static void must_be_even(const struct pools *p)
{
	double m = (double)pools_size(p, 0), chi = chi_square(p, 20000);

	if ((chi - m) * (chi - m) > 25 * 2 * m)
		fail_msg("%.0f addresses, chi square %.0f", m, chi);
}

TEST(callers_spread_evenly)
{
	struct pools p = pool_from("10.0.0.0/22", "10.0.0.1", "10.0.3.254");

	must_be_even(&p);
}

TEST(callers_spread_evenly_where_much_is_excluded)
{
	struct pools p = pool_from("10.0.0.0/22", "10.0.0.1", "10.0.3.254");

	cut_out(&p, "10.0.0.2", "10.0.3.99");
	must_be_even(&p);
	p = pool_from("10.0.0.0/24", "10.0.0.1", "10.0.0.254");
	cut_out(&p, "10.0.0.1", "10.0.0.199");
	must_be_even(&p);
}

TEST(callers_spread_where_nearly_all_is_excluded)
{
	struct pools p = pool_from("10.0.0.0/16", "10.0.0.1", "10.0.255.254");

	cut_out(&p, "10.0.0.0", "10.0.200.0");
	cut_out(&p, "10.0.200.20", "10.0.255.250");
	must_be_even(&p);
	p = pool_from("fd00::/64", "fd00::1", "fd00::ffff");
	cut_out(&p, "fd00::1", "fd00::fff0");
	must_be_even(&p);
}

/* Fifty addresses of a /24, at its beginning, in its middle, at its end. */
TEST(more_excluded_moves_nobody_who_is_not_excluded)
{
	static const int from[] = { 1, 100, 205 };

	for (size_t i = 0; i < COUNT(from); i++) {
		struct pools before = pool_from("10.0.0.0/24", "10.0.0.1", "10.0.0.254"),
			     after = before;
		int moved = 0;

		cut_out(&after, mem_printf("10.0.0.%d", from[i]),
			mem_printf("10.0.0.%d", from[i] + 49));
		for (int pod = 0; pod < 2000; pod++) {
			struct sequence s = named(pod);
			struct ip old = place(&before, &s, 0), new = place(&after, &s, 0);

			if (ip_same_host(&old, &new))
				continue;
			assert_true(old.bytes[3] >= from[i] && old.bytes[3] < from[i] + 50);
			moved++;
		}
		assert_true(moved > 300 && moved < 500);
	}
}

TEST(the_places_of_a_caller_differ)
{
	struct pools p = pool_from("10.0.0.0/16", "10.0.0.1", "10.0.255.254");
	int same = 0;

	for (int i = 0; i < 200; i++) {
		struct sequence s = named(i);

		same += strcmp(at(&p, &s, 0), at(&p, &s, 1)) == 0;
		same += strcmp(at(&p, &s, 1), at(&p, &s, 5)) == 0;
	}
	assert_true(same < 3);
}

TEST(one_address_is_enough)
{
	struct pools p = pool_from("fd00::/48", "fd00::1", "fd00::ffff:ffff:ffff:ffff:ffff");
	struct sequence s = named(1);

	cut_out(&p, "fd00::", "fd00::ffff:ffff:ffff:ffff:fffe");
	for (size_t k = 0; k < 100; k++)
		assert_string_equal(at(&p, &s, k), "fd00::ffff:ffff:ffff:ffff:ffff/48");
}

TEST(the_long_way_round_holds_every_address_once)
{
	struct pools p = pool_from("10.0.0.0/24", "10.0.0.1", "10.0.0.9");
	struct sequence s = named(1);
	char first[IP_TEXT], before[IP_TEXT];

	for (size_t k = 0; k < 40; k++) {
		struct ip ip = place(&p, &s, k);

		ip_text(&ip, false, first);
		ip.bytes[3]--;
		ip_text(&ip, false, before);
		if (strcmp(first, "10.0.0.1") == 0)
			assert_string_equal(says(&p, &s, k), "10.0.0.1-10.0.0.9");
		else
			assert_string_equal(says(&p, &s, k),
					    mem_printf("%s-10.0.0.9 10.0.0.1-%s", first, before));
	}
}

TEST(the_long_way_round_passes_over_what_is_cut_out)
{
	struct pools p = pool_from("10.0.0.0/24", "10.0.0.1", "10.0.0.9");
	struct sequence s = named(1);
	size_t k = 0;

	cut_out(&p, "10.0.0.3", "10.0.0.3");
	cut_out(&p, "10.0.0.7", "10.0.0.7");
	while (strcmp(at(&p, &s, k), "10.0.0.5/24") != 0)
		k++;
	assert_string_equal(says(&p, &s, k), "10.0.0.5-10.0.0.6 10.0.0.8-10.0.0.9 "
					     "10.0.0.1-10.0.0.2 10.0.0.4-10.0.0.4");
}

TEST(five_places_come_before_the_long_way_round)
{
	struct pools p = pool_from("fd00::/48", "fd00::1", "fd00::ffff:ffff:ffff:ffff:ffff");
	struct sequence s = named(7);
	struct searches found = { 0 };

	pools_search(&p, 0, &s, 10, true, 3, &found);
	assert_int_equal(found.n, 7);
	for (size_t i = 0; i < 6; i++) {
		struct ip expected = place(&p, &s, 10 + i % 5);

		assert_true(ip_same_host(&found.list[i].first, &expected));
		assert_int_equal(found.list[i].position, 3);
		assert_int_equal(found.list[i].first.prefix, 48);
		if (i < 5)
			assert_true(ip_same_host(&found.list[i].last, &expected));
	}
}

TEST(without_single_places_every_address_is_looked_at_once)
{
	struct pools p = pool_from("10.0.0.0/24", "10.0.0.1", "10.0.0.9");
	struct sequence s = named(1);
	struct searches with = { 0 }, without = { 0 };

	cut_out(&p, "10.0.0.3", "10.0.0.3");
	pools_search(&p, 0, &s, 0, true, 1, &with);
	pools_search(&p, 0, &s, 0, false, 1, &without);
	assert_int_equal(without.n, with.n - 5);
	for (size_t i = 0; i < without.n; i++)
		assert_true(ip_same_host(&without.list[i].first, &with.list[i + 5].first) &&
			    ip_same_host(&without.list[i].last, &with.list[i + 5].last));
}

TEST(many_cuts)
{
	struct pools p = pool_from("10.0.0.0/16", "10.0.0.1", "10.0.255.254");
	struct sequence s = named(1);
	struct searches found = { 0 };
	struct addresses gateways = { 0 };

	for (int i = 0; i < 4096; i++) {
		struct address one = { .ip = ip_of("10.0.0.0") };

		one.ip.bytes[2] = (unsigned char)(i * 7 % 4096 / 16);
		one.ip.bytes[3] = (unsigned char)(i * 7 % 16 * 16 + 1);
		addresses_add(&gateways, &one);
	}
	p = pools_of(p.ranges, &gateways);
	assert_true(pools_size(&p, 0) == 65534 - 4096);
	pools_search(&p, 0, &s, 0, true, 1, &found);
	assert_true(found.n >= 5 + p.list[0].n);
}

TEST(a_set_of_several_ranges)
{
	struct ranges all = { .n = 3, .n_sets = 2, .list = mem_new(3 * sizeof(*all.list)) };
	struct ip place_0, gateway = ip_of("10.1.0.4"), other = ip_of("10.1.0.5");
	struct sequence s = named(1);
	struct searches found = { 0 };
	struct pools p;

	for (size_t i = 0; i < 3; i++)
		all.list[i] = (struct range){ .set = i / 2,
					      .subnet = ip_of(mem_printf("10.%zu.0.0/29", i)),
					      .start = ip_of(mem_printf("10.%zu.0.0", i)),
					      .end = ip_of(mem_printf("10.%zu.0.7", i)),
					      .gateway = gateway };
	p = pools_of(&all, &none);
	assert_true(pools_size(&p, 0) == 6 + 5 && pools_size(&p, 1) == 6);
	assert_false(pools_hold(&p, 0, &gateway));
	assert_true(pools_hold(&p, 0, &other));
	assert_false(pools_hold(&p, 1, &other));
	p = pools_of(&all, &(struct addresses){ &(struct address){ .ip = other }, 1 });
	assert_false(pools_hold(&p, 0, &other));
	p = pools_of(&all, &none);
	assert_true(pools_first_place(&p, 0, &s, &place_0));
	assert_int_equal(place_0.bytes[1], 0);
	pools_search(&p, 0, &s, 0, true, 1, &found);
	for (size_t i = 1; i < found.n; i++) /* in their order */
		assert_true(found.list[i - 1].first.bytes[1] <= found.list[i].first.bytes[1]);
	assert_int_equal(found.list[found.n - 1].first.bytes[1], 1);
	all.list[0].excluded = &(struct run){ ip_of("10.0.0.0"), ip_of("10.0.0.7") };
	all.list[0].n_excluded = 1;
	p = pools_of(&all, &none);
	assert_true(pools_first_place(&p, 0, &s, &place_0));
	assert_int_equal(place_0.bytes[1], 1);
	all.n = 1;
	p = pools_of(&all, &none);
	assert_false(pools_first_place(&p, 0, &s, &place_0));
}

TEST(what_no_interface_can_have_is_left_out)
{
	struct pools p = pool_from("126.0.0.0/7", "126.255.255.254", "127.0.0.9");

	assert_true(pools_size(&p, 0) == 2);
	p = pool_from("::/8", "::", "::9");
	assert_true(pools_size(&p, 0) == 8);
}

TEST(the_largest_set)
{
	struct pools p = pool_from("8000::/1", "8000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");

	assert_true(pools_size(&p, 0) == ((ip_number)1 << 127) - 1 - ((ip_number)1 << 120));
	for (int i = 0; i < 100; i++) {
		struct sequence s = named(i);
		struct ip ip = place(&p, &s, 99);

		assert_true(ip.bytes[0] >= 0x80);
	}
}
