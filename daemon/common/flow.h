/* SPDX-License-Identifier: GPL-2.0 */
/*
 * flow.h - the flow record as user space knows it.
 *
 * It is struct weir_record of uapi/weir.h after the node has read it: ports in
 * host order, times in nanoseconds since the Unix epoch. Conversion happens
 * in one place, daemon/common/record.c; everything behind it (store, query, summary)
 * sees this struct only.
 */
#ifndef WEIR_COMMON_FLOW_H
#define WEIR_COMMON_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "uapi/weir.h"

struct weir_flow {
	uint8_t src_addr[16]; /* IPv4 is IPv4-mapped; ip_version tells */
	uint8_t dst_addr[16];
	uint64_t packets;
	uint64_t bytes; /* IP length */
	uint64_t start_ns; /* since the Unix epoch */
	uint64_t end_ns;
	uint64_t second_ns;  /* second packet, 0: none */
	uint64_t payload_ns; /* first TCP payload, 0: none */
	uint32_t in_ifindex; /* 0: sent by this host */
	uint32_t out_ifindex; /* 0: for this host */
	uint32_t mark;
	uint32_t fragments;
	uint32_t retransmitted;
	uint32_t out_of_order;
	uint16_t src_port; /* host order */
	uint16_t dst_port; /* host order; ICMP: type * 256 + code */
	uint16_t vlan_id;
	uint16_t tcp_flags;
	uint16_t flags; /* WEIR_FLOW_* */
	uint8_t protocol;
	uint8_t tos;
	uint8_t ip_version; /* 4 or 6 */
	uint8_t end_reason; /* enum weir_end_reason */
	uint8_t observed;   /* enum weir_observed */
	uint8_t min_ttl;
	uint8_t src_mac[6];
	uint8_t dst_mac[6];
	/* The tail, WEIR_FLOW_TAIL_AT: zero in most flows, and then handled as a whole. */
	uint32_t sampling; /* one packet of so many was counted; 0: all */
	/* What only long records have. Addresses in two halves; IPv4 is IPv4-mapped, none is 0. */
	uint64_t nat_src_high; /* the source beyond NAT */
	uint64_t nat_src_low;
	uint64_t nat_dst_high; /* the destination beyond NAT */
	uint64_t nat_dst_low;
	uint32_t tunnel_id; /* see enum weir_tunnel */
	uint32_t netns;	    /* inode number, 0: the one of the meter */
	uint32_t mpls_label;
	uint16_t inner_vlan_id;
	uint16_t pppoe_session;
	uint16_t nat_src_port; /* host order */
	uint16_t nat_dst_port;
	uint8_t tunnel;		 /* enum weir_tunnel, 0: not looked inside */
	uint8_t sampling_method; /* enum weir_sampling */
	uint16_t unused;	 /* 0, in the place of padding */
};

enum {
	WEIR_FLOW_TAIL_AT = offsetof(struct weir_flow, sampling),
	WEIR_FLOW_TAIL_BYTES = sizeof(struct weir_flow) - WEIR_FLOW_TAIL_AT,
};

_Static_assert(WEIR_FLOW_TAIL_AT == 132 && WEIR_FLOW_TAIL_BYTES == 60, "three lines of cache");

/* Not 0: there is something in the tail. */
static inline uint64_t weir_flow_tail(const struct weir_flow *flow)
{
	uint64_t words[7], any = flow->sampling;

	memcpy(words, (const uint8_t *)flow + WEIR_FLOW_TAIL_AT + 4, sizeof(words));
	for (unsigned i = 0; i < 7; i++)
		any |= words[i];
	return any;
}

/* An address of two halves as bytes. Its IP version; 0: there is none. */
static inline uint8_t weir_flow_address(uint64_t high, uint64_t low, uint8_t address[16])
{
	for (unsigned i = 0; i < 8; i++) {
		address[i] = (uint8_t)(high >> (56 - 8 * i));
		address[8 + i] = (uint8_t)(low >> (56 - 8 * i));
	}
	if (!high && !low)
		return 0;
	return !high && low >> 32 == 0xffff ? 4 : 6;
}

/* Add what @flow stands for (one flow) to @sum. */
static inline void weir_flow_count(struct weir_totals *sum, const struct weir_flow *flow)
{
	sum->flows++;
	sum->packets += flow->packets;
	sum->bytes += flow->bytes;
}

static inline void weir_totals_add(struct weir_totals *sum, const struct weir_totals *t)
{
	sum->flows += t->flows;
	sum->packets += t->packets;
	sum->bytes += t->bytes;
}

/* *@sum -= *@t; the caller knows that no member goes below zero. */
static inline void weir_totals_subtract(struct weir_totals *sum, const struct weir_totals *t)
{
	sum->flows -= t->flows;
	sum->packets -= t->packets;
	sum->bytes -= t->bytes;
}

static inline bool weir_totals_equal(const struct weir_totals *a, const struct weir_totals *b)
{
	return a->flows == b->flows && a->packets == b->packets && a->bytes == b->bytes;
}

#endif
