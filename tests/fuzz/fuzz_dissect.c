// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_dissect.c - any bytes as a packet, behind 8 that say how it is presented: bytes that
 * are linear, segments, segment size (16 bits each), headers of a segment, options.
 */
#include <stdlib.h>
#include <string.h>

#include "kmod/dissect.h"
#include "tests/fuzz/replay.h"
#include "uapi/weir.h"

enum {
	PRESENTED = 8,
	OPTION_RECOUNT = 1,
	OPTION_NO_PULL = 2,	/* what is not linear cannot be read */
};

struct rest {
	const uint8_t *data;
	u32 bytes;
};

static u32 get16(const uint8_t *at)
{
	return (u32)at[0] << 8 | at[1];
}

static bool pull(const void *ctx, u32 offset, void *to, u32 n)
{
	const struct rest *rest = ctx;

	if (offset > rest->bytes || n > rest->bytes - offset)
		abort();
	memcpy(to, rest->data + offset, n);
	return true;
}

/* The result must come from the packet alone, not from what *p held. */
static bool dissect(const struct weir_frame *f, struct weir_packet *p)
{
	struct weir_packet other;
	bool ok;

	memset(p, 0, sizeof(*p));
	memset(&other, 0xff, sizeof(other));
	ok = !weir_dissect(f, 0, p);
	if (!weir_dissect(f, 0, &other) != ok ||
	    (ok && memcmp(p, &other, sizeof(other))))
		abort();
	return ok;
}

static void check(const struct weir_frame *f, const uint8_t *data, const struct weir_packet *p)
{
	const bool six = data[0] >> 4 == 6;
	const u32 header = six ? 40 : (u32)(data[0] & 15) * 4;
	const bool gso = p->flags & WEIR_FLOW_GSO;

	if (p->bytes < header || p->packets < 1 || p->ecn > 3 || p->key.tos & 3)
		abort();
	if (!!(p->key.where & WEIR_WHERE_IPV6) != six)
		abort();
	if (gso ? p->packets < 2 : p->packets != 1 || p->bytes > f->len)
		abort();
	if (p->tcp_seq_len > f->len - header + 2)
		abort();
	if (p->key.where & WEIR_WHERE_LATER_FRAGMENT &&
	    (p->key.src_port || p->key.dst_port || p->tcp_flags))
		abort();
	if ((p->short_l4 || p->key.where & WEIR_WHERE_LATER_FRAGMENT) &&
	    (p->tcp_seq_len || p->payload))
		abort();
	if (p->key.where & WEIR_WHERE_LATER_FRAGMENT && !(p->flags & WEIR_FLOW_FRAGMENTS))
		abort();
	if (p->key.in_ifindex || p->key.where & ~(WEIR_WHERE_IPV6 | WEIR_WHERE_LATER_FRAGMENT))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct weir_packet whole, split;
	struct weir_frame f = {0};
	struct rest rest;
	uint8_t *linear;
	bool ok;

	if (bytes < PRESENTED || bytes > 1 << 20)
		return 0;
	rest = (struct rest){data + PRESENTED, (u32)bytes - PRESENTED};
	f.gso_segs = get16(data + 2);
	f.gso_size = get16(data + 4);
	f.gso_headers = data[6];
	f.gso_recount = data[7] & OPTION_RECOUNT;
	f.linear = rest.data;
	f.linear_len = f.len = rest.bytes;
	ok = dissect(&f, &whole);
	if (ok)
		check(&f, rest.data, &whole);

	f.linear_len = get16(data) < f.len ? get16(data) : f.len;
	linear = malloc(f.linear_len ? f.linear_len : 1);
	if (!linear)
		return 0;
	memcpy(linear, rest.data, f.linear_len);
	f.linear = linear;
	if (!(data[7] & OPTION_NO_PULL)) {
		f.pull = pull;
		f.ctx = &rest;
	}
	if (dissect(&f, &split))
		check(&f, rest.data, &split);
	else if (ok && f.pull)
		abort();
	if (ok && f.pull && memcmp(&whole, &split, sizeof(whole)))
		abort();
	free(linear);
	return 0;
}
