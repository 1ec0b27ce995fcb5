// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_dissect.c - any bytes as a packet or frame, behind 12 that say how it is presented: bytes
 * that are linear, segments, segment size, ethertype (16 bits each; ethertype 0: an IP
 * packet), headers of a segment, options, tunnels to look into, VLAN known.
 */
#include <stdlib.h>
#include <string.h>

#include "kmod/dissect.h"
#include "tests/fuzz/replay.h"
#include "uapi/weir.h"

enum {
	PRESENTED = 12,
	OPTION_RECOUNT = 1,
	OPTION_NO_PULL = 2,	/* what is not linear cannot be read */
	OPTION_UDP = 4,		/* a super-packet of datagrams */

	/* 17 links, 8 extensions, and the rest, in front of and in two tunnels */
	READS_MAX = 3 * 40,
};

struct input {
	struct weir_frame f;
	u16 ethertype;
	u32 look_inside;
};

struct rest {
	const uint8_t *data;
	u32 bytes;
};

static unsigned reads;

static void expect(bool right)
{
	if (!right)
		abort();
}

static u32 get16(const uint8_t *at)
{
	return (u32)at[0] << 8 | at[1];
}

static bool pull(const void *ctx, u32 offset, void *to, u32 n)
{
	const struct rest *rest = ctx;

	expect(offset <= rest->bytes && n <= rest->bytes - offset);
	expect(++reads <= READS_MAX);
	memcpy(to, rest->data + offset, n);
	return true;
}

static enum weir_dissected dissect_once(const struct input *in, struct weir_packet *p)
{
	reads = 0;
	return in->ethertype ? weir_dissect_frame(&in->f, in->ethertype, in->look_inside, p)
			     : weir_dissect(&in->f, in->look_inside, p);
}

/* The result must come from the packet alone, not from what *p held. */
static enum weir_dissected dissect(const struct input *in, struct weir_packet *p)
{
	struct weir_packet other;
	enum weir_dissected result;

	memset(p, 0, sizeof(*p));
	memset(&other, 0xff, sizeof(other));
	result = dissect_once(in, p);
	expect(dissect_once(in, &other) == result);
	expect(result || !memcmp(p, &other, sizeof(other)));
	return result;
}

static void check_flow(const struct input *in, const struct weir_packet *p)
{
	const u16 where = p->key.where;
	const u16 tunnel = (where & WEIR_WHERE_TUNNEL_MASK) >> WEIR_WHERE_TUNNEL_SHIFT;

	expect(p->ecn <= 3 && !(p->key.tos & 3));
	if (where & WEIR_WHERE_LATER_FRAGMENT) {
		expect(!p->key.src_port && !p->key.dst_port && !p->tcp_flags);
		expect(p->flags & WEIR_FLOW_FRAGMENTS);
	}
	if (p->short_l4 || where & WEIR_WHERE_LATER_FRAGMENT)
		expect(!p->tcp_seq_len && !p->payload);
	expect(p->flags & WEIR_FLOW_FRAGMENTS || !p->fragment_id);
	expect(!p->key.in_ifindex && !p->key.netns && !p->spare);
	expect(!(where & ~(WEIR_WHERE_IPV6 | WEIR_WHERE_LATER_FRAGMENT | WEIR_WHERE_TUNNEL_MASK)));
	expect(tunnel ? in->look_inside & 1U << tunnel : !p->key.tunnel_id);
	expect(in->ethertype || (!p->ip_offset && !p->pppoe_session));
	expect(p->key.vlan_id <= 4095 && p->key.inner_vlan_id <= 4095);
	expect(p->key.vlan_id || !p->key.inner_vlan_id);
}

static void check(const struct input *in, const uint8_t *data, const struct weir_packet *p)
{
	const bool six = data[p->ip_offset] >> 4 == 6;
	const u32 header = six ? 40 : (u32)(data[p->ip_offset] & 15) * 4;
	const u32 there = in->f.len - p->ip_offset;
	const bool gso = p->flags & WEIR_FLOW_GSO;

	expect(p->ip_offset < in->f.len && p->bytes >= header && p->packets >= 1);
	expect(gso ? p->packets >= 2 : p->packets == 1 && p->bytes <= there);
	expect(p->tcp_seq_len <= there - header + 2);
	if (!(p->key.where & WEIR_WHERE_TUNNEL_MASK))
		expect(!!(p->key.where & WEIR_WHERE_IPV6) == six);
	check_flow(in, p);
}

static bool is_super(const struct weir_frame *f)
{
	return f->gso_segs > 1 || f->gso_recount;
}

/* What is counted does not depend on what is looked into. */
static void check_outside(const struct input *in, const struct weir_packet *p)
{
	struct input outside = *in;
	struct weir_packet q;

	outside.look_inside = 0;
	expect(!dissect(&outside, &q));
	expect(q.ip_offset == p->ip_offset && !(q.key.where & WEIR_WHERE_TUNNEL_MASK));
	if (is_super(&in->f))	/* a jumbo option inside may go */
		return;
	expect(q.packets == p->packets && q.bytes == p->bytes);
	if (!(p->key.where & WEIR_WHERE_TUNNEL_MASK))
		expect(!memcmp(p, &q, sizeof(q)));
}

/* May there be PPPoE, which has a length of its own? */
static bool may_be_pppoe(u16 ethertype)
{
	switch (ethertype) {
	case 0:
	case 0x0800:
	case 0x86dd:
	case 0x8847:
		return false;
	}
	return true;
}

/* Padding does not matter. */
static void check_padding(const struct input *in, const struct weir_packet *p)
{
	struct input cut = *in;
	struct weir_packet q;

	if (is_super(&in->f) || may_be_pppoe(in->ethertype))
		return;
	cut.f.len = p->ip_offset + (u32)p->bytes;
	cut.f.linear_len = cut.f.len;
	expect(!dissect(&cut, &q) && !memcmp(p, &q, sizeof(q)));
	cut.f.len--;
	cut.f.linear_len--;
	expect(dissect(&cut, &q) != WEIR_DISSECTED_OK);
}

/* A frame of IP is the same as IP. */
static void check_ethertype(const struct input *in, const struct weir_packet *p)
{
	struct input frame = *in;
	struct weir_packet q;

	if (in->ethertype)
		return;
	frame.ethertype = in->f.linear[0] >> 4 == 6 ? 0x86dd : 0x0800;
	expect(!dissect(&frame, &q) && !memcmp(p, &q, sizeof(q)));
	frame.ethertype ^= 0x0800 ^ 0x86dd;
	expect(dissect(&frame, &q) == WEIR_DISSECTED_DAMAGED);
}

static void present(struct input *in, const uint8_t *data, const struct rest *rest)
{
	memset(in, 0, sizeof(*in));
	in->f.gso_segs = get16(data + 2);
	in->f.gso_size = get16(data + 4);
	in->f.gso_headers = data[8];
	in->f.gso_recount = data[9] & OPTION_RECOUNT;
	in->f.gso_udp = data[9] & OPTION_UDP;
	in->f.vlan_id = data[11];
	in->f.linear = rest->data;
	in->f.linear_len = in->f.len = rest->bytes;
	in->ethertype = (u16)get16(data + 6);
	in->look_inside = data[10] & WEIR_LOOK_INSIDE_ALL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct weir_packet whole, split;
	enum weir_dissected result;
	uint8_t *linear;
	struct rest rest;
	struct input in;

	if (bytes < PRESENTED || bytes > 1 << 20)
		return 0;
	rest = (struct rest){data + PRESENTED, (u32)bytes - PRESENTED};
	present(&in, data, &rest);
	result = dissect(&in, &whole);
	if (!result) {
		check(&in, rest.data, &whole);
		check_outside(&in, &whole);
		check_padding(&in, &whole);
		check_ethertype(&in, &whole);
	}

	if (get16(data) < in.f.len)
		in.f.linear_len = get16(data);
	linear = malloc(in.f.linear_len ? in.f.linear_len : 1);
	if (!linear)
		return 0;
	memcpy(linear, rest.data, in.f.linear_len);
	in.f.linear = linear;
	if (data[9] & OPTION_NO_PULL) {
		if (!dissect(&in, &split))
			check(&in, rest.data, &split);
	} else {
		in.f.pull = pull;
		in.f.ctx = &rest;
		expect(dissect(&in, &split) == result);
		expect(result || !memcmp(&whole, &split, sizeof(whole)));
	}
	free(linear);
	return 0;
}
