// SPDX-License-Identifier: GPL-2.0
/* kmod/fragments.c: which fragments find the ports of their first, and for how long. */
#include <linux/siphash.h>

#include "kmod/fragments.h"
#include "kmod/meter.h"
#include "tests/unit/packet.h"

#define MS 1000000ULL
#define SECOND (1000 * MS)
#define FIRST IP4_FRAG("2000", "11", "c3500035 0058 0000 0102030405060708")
#define LATER IP4_FRAG("0002", "11", "1112131415161718")
#define MIDDLE IP4_FRAG("2002", "11", "1112131415161718")
#define FIRST6 IP6("2c", FRAGMENT("11", "0001") "c3500035 0058 0000")
#define LATER6 IP6("2c", FRAGMENT("11", "0008") "1112131415161718")

static struct weir_meter meter;
static struct weir_cpu cpu;
static u32 (*chosen_hash)(const u8 *data, size_t bytes);

static u32 fnv(const u8 *data, size_t bytes)
{
	u32 hash = 2166136261U;

	for (size_t i = 0; i < bytes; i++)
		hash = (hash ^ data[i]) * 16777619U;
	return hash ^ hash >> 16;
}

static u32 same(const u8 *data, size_t bytes)
{
	return 5;
}

u32 hsiphash(const void *data, size_t bytes, const hsiphash_key_t *key)
{
	ck_assert_ptr_eq(key, &meter.hash_key);
	return chosen_hash(data, bytes);
}

static void setup(void)
{
	chosen_hash = fnv;
	memset(&cpu, 0, sizeof(cpu));
	cpu.meter = &meter;
	ck_assert_int_eq(weir_fragments_init(&cpu, 0), 0);
}

static void teardown(void)
{
	weir_fragments_destroy(&cpu);
	ck_assert_ptr_null(cpu.fragments);
}

static struct weir_packet packet(const char *hex)
{
	struct bytes b = parse(hex);
	const struct weir_frame f = {.linear = b.at, .linear_len = b.len, .len = b.len};
	struct weir_packet p;

	ck_assert(!weir_dissect(&f, 0, &p));
	ck_assert(p.flags & WEIR_FLOW_FRAGMENTS);
	return p;
}

static void pass(struct weir_packet *p, u64 now)
{
	weir_fragments_ports(&cpu, p, now);
}

static void pass_hex(const char *hex, u64 now)
{
	struct weir_packet p = packet(hex);

	pass(&p, now);
}

/* Does @p, a later fragment, find these ports? With 0 it must stay as it is. */
static void finds(struct weir_packet p, u64 now, u16 src_port, u16 dst_port)
{
	const struct weir_packet before = p;

	ck_assert(p.key.where & WEIR_WHERE_LATER_FRAGMENT);
	pass(&p, now);
	if (!src_port && !dst_port) {
		ck_assert(!memcmp(&p, &before, sizeof(p)));
		return;
	}
	ck_assert(!(p.key.where & WEIR_WHERE_LATER_FRAGMENT));
	ck_assert(p.flags & WEIR_FLOW_FRAGMENTS);
	ck_assert_uint_eq(p.key.src_port, htons(src_port));
	ck_assert_uint_eq(p.key.dst_port, htons(dst_port));
}

START_TEST(later_finds_first)
{
	const struct weir_packet first = packet(FIRST);
	struct weir_packet p = first, later = packet(LATER);

	finds(packet(LATER), SECOND, 0, 0);
	pass(&p, SECOND);
	ck_assert(!memcmp(&p, &first, sizeof(p)));	/* is remembered, and left alone */
	finds(packet(MIDDLE), SECOND, 50000, 53);
	finds(packet(LATER), SECOND, 50000, 53);
	finds(packet(MIDDLE), SECOND, 50000, 53);	/* in any order */

	pass(&later, SECOND);
	ck_assert(!memcmp(&later.key, &first.key, sizeof(first.key)));	/* one flow */
}
END_TEST

START_TEST(ipv6)
{
	/* destination options between the fragment header and UDP: only the first knows UDP */
	const char *first = IP6("2c", FRAGMENT("3c", "0001") EXT("11") "c3500035 0058 0000");
	struct weir_packet p = packet(IP6("2c", FRAGMENT("3c", "0008") "1112131415161718"));

	pass_hex(FIRST6, SECOND);
	finds(packet(LATER6), SECOND, 50000, 53);
	pass_hex(first, SECOND);
	ck_assert_uint_eq(p.key.protocol, IPPROTO_DSTOPTS);
	pass(&p, SECOND);
	ck_assert_uint_eq(p.key.protocol, IPPROTO_UDP);
	ck_assert_uint_eq(p.key.dst_port, htons(53));
}
END_TEST

/* Whatever the transport header is, or how little there is of it: one flow. */
START_TEST(no_ports)
{
	static const char *const datagrams[][2] = {
		{IP4_FRAG("2000", "32", "0102030405060708"), IP4_FRAG("0001", "32", "0102")},
		{IP4_FRAG("2000", "01", "0800 0000 0102 0304"), IP4_FRAG("0001", "01", "0102")},
		{IP4_FRAG("2000", "06", "c3500035 00000001"), IP4_FRAG("0001", "06", "00000000 5010")},
	};

	for (size_t i = 0; i < sizeof(datagrams) / sizeof(*datagrams); i++) {
		struct weir_packet first = packet(datagrams[i][0]), later = packet(datagrams[i][1]);

		pass(&first, SECOND);
		pass(&later, SECOND);
		ck_assert(!memcmp(&first.key, &later.key, sizeof(first.key)));
	}
}
END_TEST

/* What must be the same, one at a time, and what need not. */
START_TEST(identity)
{
	struct weir_packet p[16], tos = packet(LATER), ttl = packet(LATER);
	size_t n = sizeof(p) / sizeof(*p);

	for (size_t i = 0; i < n; i++)
		p[i] = packet(LATER);
	p[0].fragment_id++;
	p[1].fragment_id += 0x10000;
	p[2].key.src_addr[15]++;
	p[3].key.src_addr[12]++;
	p[4].key.dst_addr[15]++;
	p[5].key.dst_addr[0]++;
	p[6].key.protocol = IPPROTO_TCP;
	p[7].key.in_ifindex++;
	p[8].key.netns++;
	p[9].key.tunnel_id++;
	p[10].key.vlan_id++;
	p[11].key.inner_vlan_id++;
	p[12].key.where |= WEIR_TUNNEL_GRE << WEIR_WHERE_TUNNEL_SHIFT;
	p[13].key.where |= WEIR_OBSERVED_INGRESS << WEIR_WHERE_OBSERVED_SHIFT;
	p[14] = packet(LATER6);
	p[15].key.where |= WEIR_WHERE_IPV6;
	tos.key.tos = 0xb8;
	ttl.ttl = 1;

	for (int round = 0; round < 2; round++) {
		pass_hex(FIRST, SECOND);
		for (size_t i = 0; i < n; i++)
			finds(p[i], SECOND, 0, 0);
		finds(tos, SECOND, 50000, 53);
		finds(ttl, SECOND, 50000, 53);
		chosen_hash = same;	/* and all in one set */
	}
}
END_TEST

/* About a second from fragment to fragment; weir_ticks() are 1.05 ms. */
START_TEST(age)
{
	u64 now = SECOND;

	pass_hex(FIRST, now);
	for (int i = 0; i < 5; i++)
		finds(packet(MIDDLE), now += 1040 * MS, 50000, 53);
	finds(packet(MIDDLE), now += 1060 * MS, 0, 0);
	finds(packet(MIDDLE), now, 0, 0);
}
END_TEST

START_TEST(identification_again)
{
	pass_hex(FIRST, SECOND);
	pass_hex(IP4_FRAG("2000", "11", "c3510036 0058 0000 0102030405060708"), SECOND);
	finds(packet(LATER), SECOND, 50001, 54);
	/* long after, when the first of the new one was lost */
	finds(packet(LATER), 10 * SECOND, 0, 0);
	pass_hex(FIRST, 10 * SECOND);
	finds(packet(LATER), 10 * SECOND, 50000, 53);
}
END_TEST

/* The ticks go round after 52 days. */
START_TEST(ticks_wrap)
{
	const u64 wrap = 1ULL << 52;

	pass_hex(FIRST, wrap - 100 * MS);
	finds(packet(LATER), wrap + 100 * MS, 50000, 53);
	pass_hex(FIRST, wrap);		/* tick 0 would be a free place */
	finds(packet(LATER), wrap, 50000, 53);
	finds(packet(LATER), wrap + 2 * SECOND, 0, 0);
}
END_TEST

/* A full set forgets what had no fragment for longest. */
START_TEST(full_set)
{
	struct weir_packet first[6], later = packet(LATER);

	chosen_hash = same;
	for (u32 i = 0; i < 6; i++) {
		first[i] = packet(FIRST);
		first[i].fragment_id = i;
		first[i].key.dst_port = htons((u16)(100 + i));
	}
	for (u32 i = 0; i < 4; i++)
		pass(&first[i], SECOND + i * 10 * MS);
	later.fragment_id = 0;
	finds(later, SECOND + 50 * MS, 50000, 100);
	pass(&first[4], SECOND + 60 * MS);	/* in place of 1 */
	pass(&first[5], SECOND + 70 * MS);	/* in place of 2 */
	for (u32 i = 0; i < 6; i++) {
		const bool forgotten = i == 1 || i == 2;

		later.fragment_id = i;
		finds(later, SECOND + 80 * MS, forgotten ? 0 : 50000, forgotten ? 0 : (u16)(100 + i));
	}
}
END_TEST

/*
 * A flood of first fragments, and of later ones that are in nothing: what was sent a moment ago is
 * found as long as fewer came than fit a set; nothing is ever found that is wrong.
 */
START_TEST(flood)
{
	struct weir_packet first = packet(FIRST), later = packet(LATER);
	u64 now = SECOND;
	u32 found = 0;

	for (u32 i = 0; i < 20000; i++) {
		const u16 port = (u16)(1 + i % 60000);
		const bool back = i >= 8;

		first.fragment_id = i;
		first.key.src_port = htons(port);
		now += 100000;
		pass(&first, now);
		later.fragment_id = i;
		finds(later, now, port, 53);
		if (back) {
			struct weir_packet p = later;

			p.fragment_id = i - 8;
			pass(&p, now);
			if (!(p.key.where & WEIR_WHERE_LATER_FRAGMENT)) {
				ck_assert_uint_eq(p.key.src_port, htons((u16)(1 + (i - 8) % 60000)));
				found++;
			}
		}
		later.fragment_id = i + 1000000;
		finds(later, now, 0, 0);
	}
	ck_assert_uint_gt(found, 19000);
}
END_TEST

START_TEST(memory)
{
	ck_assert_uint_eq(weir_fragments_memory(), 64 * 4 * 64);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fragments");
	TCase *tcase = tcase_create("fragments");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, later_finds_first);
	tcase_add_test(tcase, ipv6);
	tcase_add_test(tcase, no_ports);
	tcase_add_test(tcase, identity);
	tcase_add_test(tcase, age);
	tcase_add_test(tcase, identification_again);
	tcase_add_test(tcase, ticks_wrap);
	tcase_add_test(tcase, full_set);
	tcase_add_test(tcase, flood);
	tcase_add_test(tcase, memory);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
