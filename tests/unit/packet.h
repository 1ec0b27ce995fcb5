/* SPDX-License-Identifier: GPL-2.0 */
/*
 * packet.h - packets written out in hexadecimal, and looked at, for test_dissect*.c
 *
 * In a packet LLLL stands for the length of the IPv4 packet it is in, PPPP for that of the
 * IPv6 packet without its header, UUUU for that of UDP, GGGG for that of GTP-U and EEEE for that of
 * PPPoE: each reaches to the end.
 *
 * Whatever is looked at is looked at once for every way to split it into a linear part,
 * which is allocated to the byte, and the rest: the result must not depend on the split.
 */
#ifndef WEIR_TEST_PACKET_H
#define WEIR_TEST_PACKET_H

#include <check.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "kmod/dissect.h"
#include "uapi/weir.h"

enum { PACKET_MAX = 512, DCCP = 33, SCTP = 132, UDPLITE = 136 };

#define IP4_OPT(first, frag, proto, rest) \
	first " LLLL 1234" frag "40" proto "0000 0a000001 0a000002" rest
#define IP4_FRAG(frag, proto, rest) IP4_OPT("4500", frag, proto, rest)
#define IP4(proto, rest) IP4_FRAG("0000", proto, rest)
#define ADDRESSES6 "20010db8000000000000000000000001 20010db8000000000000000000000002"
#define IP6_TOS(first, next, rest) first " PPPP" next "40" ADDRESSES6 rest
#define IP6(next, rest) IP6_TOS("60000000", next, rest)
#define PORTS "9c41 01bb"
#define TCP(offset_flags) PORTS "12345678 00000001" offset_flags "ffff 0000 0000"
#define UDP PORTS "0008 0000"
#define EXT(next) next "00 0000 0000 0000"
#define EXT16(next) next "01 0000 0000 0000 0000 0000 0000 0000"
#define FRAGMENT(next, offset) next "00" offset "00001234"

struct bytes {
	u8 at[PACKET_MAX];
	u32 len;
};

/* How it is looked at: as IP when ethertype is 0. */
struct as {
	u16 ethertype;
	u32 look_inside;
};

static inline u8 digit(char c)
{
	return (u8)(c <= '9' ? c - '0' : tolower(c) - 'a' + 10);
}

static inline void put16(struct bytes *b, u32 at, u32 value)
{
	b->at[at] = (u8)(value >> 8);
	b->at[at + 1] = (u8)value;
}

static inline struct bytes parse(const char *hex)
{
	/* where a length is counted from, beside where it stands */
	static const struct {
		char letter;
		int from;
	} lengths[] = {{'L', -2}, {'P', 36}, {'U', -4}, {'G', 6}, {'E', 2}};
	struct bytes b = {.len = 0};
	struct {
		u32 at;
		int from;
	} found[16];
	unsigned n = 0;

	for (; *hex; hex++) {
		const u32 before = n;

		if (*hex == ' ')
			continue;
		ck_assert_uint_lt(b.len, PACKET_MAX - 64);
		for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
			if (*hex != lengths[i].letter || hex[1] != *hex)
				continue;
			ck_assert_uint_lt(n, 16);
			found[n].at = b.len;
			found[n++].from = lengths[i].from;
			hex += 3;
			b.len += 2;
			break;
		}
		if (n > before)
			continue;
		b.at[b.len++] = (u8)(digit(hex[0]) << 4 | digit(hex[1]));
		hex++;
	}
	for (unsigned i = 0; i < n; i++)
		put16(&b, found[i].at, b.len - found[i].at - (u32)found[i].from);
	return b;
}

static inline bool pull(const void *ctx, u32 offset, void *to, u32 n)
{
	const struct bytes *b = ctx;

	ck_assert_uint_le(offset, b->len);
	ck_assert_uint_le(n, b->len - offset);
	memcpy(to, b->at + offset, n);
	return true;
}

static inline enum weir_dissected look_split(const struct bytes *b, struct weir_frame frame,
					     struct as as, u32 split, struct weir_packet *p)
{
	u8 *linear = malloc(split ? split : 1);
	enum weir_dissected result;

	memcpy(linear, b->at, split);
	frame.linear = linear;
	frame.linear_len = split;
	frame.len = b->len;
	frame.pull = pull;
	frame.ctx = b;
	memset(p, split & 1 ? 0xff : 0x55, sizeof(*p));
	result = as.ethertype ? weir_dissect_frame(&frame, as.ethertype, as.look_inside, p)
			      : weir_dissect(&frame, as.look_inside, p);
	free(linear);
	return result;
}

/* Look at @b in every split. */
static inline enum weir_dissected look_as(const char *name, const struct bytes *b,
					  const struct weir_frame *frame, struct as as,
					  struct weir_packet *p)
{
	enum weir_dissected result = look_split(b, *frame, as, b->len, p);

	for (u32 split = 0; split < b->len; split++) {
		struct weir_packet other;

		ck_assert_msg(look_split(b, *frame, as, split, &other) == result,
			      "%s: split at %u", name, split);
		ck_assert_msg(result || !memcmp(p, &other, sizeof(other)), "%s: split at %u",
			      name, split);
	}
	return result;
}

static inline enum weir_dissected look(const char *name, const struct bytes *b,
				       const struct weir_frame *frame, struct weir_packet *p)
{
	return look_as(name, b, frame, (struct as){0}, p);
}

#define EQUAL(field, expected)                                                                     \
	ck_assert_msg((unsigned long long)(p.field) == (unsigned long long)(expected),             \
		      "%s: " #field " is %llu, not %llu", t->name, (unsigned long long)(p.field),  \
		      (unsigned long long)(expected))

#endif
