/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sampling - which packets are counted at all
 *
 * By packets: each is taken with the same chance, so packets and bytes times
 * the rate are what there was, but for chance. A super-packet is taken or left
 * as a whole. By flows: a keyed hash of both endpoints, in either order, and
 * the protocol decides, so that of one connection in so many every packet is
 * taken, both directions, on every CPU.
 */
#ifndef _WEIR_SAMPLING_H
#define _WEIR_SAMPLING_H

#include <linux/siphash.h>

#include "dissect.h"

enum {
	WEIR_SAMPLING_MAX = 1 << 24,
};

/* One CPU's, under its lock: so a change is between two packets. */
struct weir_sampler {
	u32 rate;		/* one of so many; 0: all */
	u16 generation;		/* of rate and method: flows know with which they count */
	u16 method;		/* enum weir_sampling */
	u64 random;		/* state of the generator; seeded once */
};

/* Change to one of @rate, 0 or 1 for all. */
void weir_sampler_set(struct weir_sampler *s, u32 rate, u32 method);

/* Is @p one to count? For a rate that is not 0. */
bool weir_sampler_takes(struct weir_sampler *s, const struct weir_packet *p,
			const hsiphash_key_t *key);

#endif /* _WEIR_SAMPLING_H */
