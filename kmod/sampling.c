// SPDX-License-Identifier: GPL-2.0
/* sampling - which packets are counted at all */

#include <uapi/weir.h>
#include "sampling.h"

enum {
	ICMP = 1,
	ICMPV6 = 58,
};

struct endpoint {
	u8 addr[16];
	__be16 port;
} __packed;

/* 40 bytes without a hole: hashed as a string of bytes. */
struct connection {
	struct endpoint end[2];		/* the lesser one first */
	u8 protocol;
	u8 zero[3];
} __packed;

void weir_sampler_set(struct weir_sampler *s, u32 rate, u32 method)
{
	rate = rate > 1 ? rate : 0;
	method = rate ? method : 0;
	if (s->rate == rate && s->method == method)
		return;
	s->rate = rate;
	s->method = method;
	s->generation++;
}

/*
 * The upper half of a linear congruential generator (Knuth's MMIX): nobody gains
 * from guessing it, and it costs one multiplication.
 */
static u32 next_random(struct weir_sampler *s)
{
	s->random = s->random * 6364136223846793005ULL + 1442695040888963407ULL;
	return s->random >> 32;
}

static u32 connection_hash(const struct weir_key *key, const hsiphash_key_t *secret)
{
	const bool ports = key->protocol != ICMP && key->protocol != ICMPV6;
	struct connection c = { .protocol = key->protocol };
	int order = memcmp(key->src_addr, key->dst_addr, sizeof(key->src_addr));
	struct endpoint *src, *dst;

	if (!order)
		order = memcmp(&key->src_port, &key->dst_port, sizeof(key->src_port));
	src = &c.end[order > 0];
	dst = &c.end[order <= 0];
	memcpy(src->addr, key->src_addr, sizeof(src->addr));
	memcpy(dst->addr, key->dst_addr, sizeof(dst->addr));
	src->port = ports ? key->src_port : 0;
	dst->port = ports ? key->dst_port : 0;
	return hsiphash(&c, sizeof(c), secret);
}

bool weir_sampler_takes(struct weir_sampler *s, const struct weir_packet *p,
			const hsiphash_key_t *key)
{
	u32 chance = s->method == WEIR_SAMPLING_FLOWS ? connection_hash(&p->key, key)
						      : next_random(s);

	/* below 2^32 / rate, by one multiplication */
	return !((u64)chance * s->rate >> 32);
}
