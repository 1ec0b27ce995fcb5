/* SPDX-License-Identifier: GPL-2.0 */
/* pair.h - how records of one key, in order of time, become conversations. */
#ifndef WEIR_QUERY_PAIR_H
#define WEIR_QUERY_PAIR_H

#include "daemon/query/query.h"

enum {
	WEIR_HALF_KEY_BYTES = 48,
};

/* A record as it waits for the other direction. */
struct weir_half {
	/* IP version, protocol, the lower end (address and port), the higher one, tunnel; zero;
	 * network namespace, the tunnel's id */
	uint64_t key[WEIR_HALF_KEY_BYTES / 8];
	uint64_t hash; /* of the key; whoever sorts them fills it in */
	uint64_t packets, bytes;
	uint64_t start_ns, end_ns, second_ns, payload_ns;
	uint32_t retransmitted, out_of_order, fragments;
	uint16_t src_port, dst_port; /* as recorded: for ICMP, the key has others */
	uint16_t tcp_flags;
	uint8_t min_ttl, end_reason;
	bool backwards; /* the source is the higher end */
	bool same_ends;
};

void weir_half_make(const struct weir_flow *flow, struct weir_half *half);
/* A weir_sorter_compare of those with equal hashes and starts. */
int weir_half_order(const void *arg, const void *x, const void *y);

/* The conversation at hand. Zeroed: none. */
struct weir_pairer {
	uint64_t count; /* records in it */
	uint64_t end_ns; /* the latest */
	struct weir_half first, reverse; /* first records of the directions, with times of all */
	struct weir_pair pair;
};

/* Whether the conversation at hand has the record's key. */
bool weir_pairer_fits(const struct weir_pairer *pairer, const struct weir_half *half);
/* Add the next record in order of start, with that key; false: it is too late for the conversation at
 * hand, which has to be finished first. */
bool weir_pairer_add(struct weir_pairer *pairer, const struct weir_half *half, uint64_t gap_ns);
/* The conversation; there is none at hand then. */
void weir_pairer_finish(struct weir_pairer *pairer, struct weir_pair *pair);

/* A weir_sorter_compare: those equal in what the order asks for. */
int weir_pair_order_rest(const void *arg, const void *x, const void *y);

#endif
