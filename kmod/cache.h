/* SPDX-License-Identifier: GPL-2.0 */
/* cache - one CPU's table of flows */
#ifndef _WEIR_CACHE_H
#define _WEIR_CACHE_H

#include <linux/cache.h>
#include <linux/if_ether.h>
#ifdef __KERNEL__
#include <linux/minmax.h>
#endif

#include <uapi/weir.h>
#include "dissect.h"

struct weir_cpu;

enum {
	WEIR_WAYS = 8,			/* what fits a line of tags and times */
	WEIR_TABLE_FLOWS_MIN = 64,
	WEIR_TABLE_FLOWS_MAX = 1 << 24,
};

/*
 * The tags of one set: what finds a flow, tells whether it is due and picks
 * the victim, all from one cache line.
 */
struct weir_set {
	u32 tag[WEIR_WAYS];		/* hash and WEIR_TAG_* bits, 0: free */
	u32 seen[WEIR_WAYS];		/* last packet, weir_ticks() */
} __aligned(64);

#define WEIR_TAG_USED		1U
#define WEIR_TAG_FINISHED	2U	/* FIN or RST */
#define WEIR_TAG_MANY		4U	/* more than one packet */
#define WEIR_TAG_STATE		(WEIR_TAG_FINISHED | WEIR_TAG_MANY)
/* What these take from the hash is in the number of the set. */
#define WEIR_TAG_BITS		(WEIR_TAG_STATE | WEIR_TAG_USED)

/* Private bits of struct weir_flow, flags: above those of the record. */
#define WEIR_FLOW_SEQ_VALID	0x8000	/* next_seq is known */
#define WEIR_FLOW_NATED		0x4000	/* nat_* are set */
#define WEIR_FLOW_PRIVATE	0xf000

/*
 * Three lines: the first is read for every packet, the second written; the
 * third is for what is known once, and touched when a flow starts and ends.
 */
struct weir_flow {
	struct weir_key key;
	u32 out_ifindex;		/* written only when it changes */
	u32 mark;

	u64 packets;
	u64 bytes;
	u64 start_ns;
	u64 end_ns;
	u32 second;			/* weir_delta_pack() after start_ns, 0: never */
	u32 payload;			/* the same */
	u32 retransmitted;
	u32 out_of_order;
	u32 next_seq;			/* highest TCP sequence number seen, plus one */
	u32 fragments;
	u16 tcp_flags;
	u16 flags;
	u8 min_ttl;
	u8 ecn;				/* OR of all */
	u16 generation;			/* of the sampling it counts with */

	u8 mac[2 * ETH_ALEN];		/* destination and source, as in an Ethernet header */
	u32 sampling;			/* one packet of so many; 0: all */
	u32 mpls_label;
	u16 pppoe_session;
	__be16 nat_src_port;
	__be16 nat_dst_port;
	u8 sampling_method;
	u8 unused;
	u8 nat_src_addr[16];
	u8 nat_dst_addr[16];
} __aligned(64);

struct weir_table {
	struct weir_set *sets;
	struct weir_flow *flows;	/* WEIR_WAYS to a set */
	u32 nsets;			/* a power of two */
};

/* What is known of a packet beyond its own bytes. */
struct weir_sight {
	u32 out_ifindex;
	u32 mark;
	const u8 *mac;			/* Ethernet header or NULL; must be readable */
};

/* One end of a connection. */
struct weir_endpoint {
	u8 addr[16];			/* IPv4 is IPv4-mapped */
	__be16 port;			/* 0 where the protocol has none */
};

/* Source and destination of a packet before and after NAT. */
struct weir_translation {
	struct weir_endpoint came[2];
	struct weir_endpoint leaves[2];
};

/*
 * A time after the start of the flow in 32 bits: to the nanosecond up to 2.1 s,
 * which is where round trips are, then to about a millisecond up to 26 days.
 * 0 is "never".
 */
#define WEIR_DELTA_COARSE	0x80000000U
#define WEIR_DELTA_SHIFT	20

static inline u32 weir_delta_pack(u64 ns)
{
	if (ns < WEIR_DELTA_COARSE - 1)
		return (u32)ns + 1;
	return WEIR_DELTA_COARSE | (u32)min_t(u64, ns >> WEIR_DELTA_SHIFT, WEIR_DELTA_COARSE - 1);
}

/* About a millisecond: coarse enough to last 52 days in 32 bits. */
static inline u32 weir_ticks(u64 ns)
{
	return (u32)(ns >> 20);
}

int weir_cache_init(struct weir_table *t, u32 flows, int node);
void weir_cache_destroy(struct weir_table *t);
u64 weir_cache_memory(u32 flows);

/**
 * weir_cache_hash - what a packet is found by
 * @c: the CPU, locked
 * @p: the packet, with the whole key
 *
 * Has the set's line fetched: what is done between this and weir_cache_count() is
 * done while it comes.
 */
u32 weir_cache_hash(const struct weir_cpu *c, const struct weir_packet *p);

/**
 * weir_cache_count - count a packet
 * @c: the CPU, locked
 * @p: the packet, with the whole key
 * @s: what else is known of it
 * @hash: its weir_cache_hash()
 * @now: monotonic ns, never less than in the call before
 *
 * Return: the flow it was counted in if it is the first packet of that, or the
 * second; else NULL.
 */
struct weir_flow *weir_cache_count(struct weir_cpu *c, const struct weir_packet *p,
				   const struct weir_sight *s, u32 hash, u64 now);

static inline struct weir_flow *weir_cache_meter(struct weir_cpu *c, const struct weir_packet *p,
						 const struct weir_sight *s, u64 now)
{
	return weir_cache_count(c, p, s, weir_cache_hash(c, p), now);
}

/* Set WEIR_FLOW_* bits in the flow of @key, if it is there. @c is locked. */
void weir_cache_mark(struct weir_cpu *c, const struct weir_key *key, u16 flags);

/**
 * weir_cache_expire - move the flows of a set that are due to the log
 * @c: the CPU, locked
 * @index: which set
 * @now: monotonic ns
 * @moved: grows by the flows moved
 *
 * Return: false when one was due and the log had no room.
 */
bool weir_cache_expire(struct weir_cpu *c, u32 index, u64 now, unsigned int *moved);

/**
 * weir_cache_flush - the same for every flow of a set, due or not
 * @c: the CPU, locked
 * @index: which set
 * @now: monotonic ns
 * @last_resort: may use the slots kept for evictions
 * @moved: grows by the flows moved
 *
 * Return: flows that found no room.
 */
unsigned int weir_cache_flush(struct weir_cpu *c, u32 index, u64 now, bool last_resort,
			      unsigned int *moved);

/*
 * Sets in which a flow of @c can be: those of a table that is being emptied come first, so
 * that who goes through them in order meets a flow that moves on the way at least once.
 */
u32 weir_cache_sets(const struct weir_cpu *c);

/* The set at @index of those, its WEIR_WAYS flows in *flows. @c is locked. */
struct weir_set *weir_cache_at(struct weir_cpu *c, u32 index, struct weir_flow **flows);

/**
 * weir_cache_move - move the flows of the next set of the old table to the other one
 * @c: the CPU, locked; the old table has sets that were not moved
 * @now: monotonic ns
 *
 * Return: false when some must be evicted and the log has no room for them.
 */
bool weir_cache_move(struct weir_cpu *c, u64 now);

/* Note the other side of NAT in @flow, as far as @t is about it and tells. */
void weir_flow_translate(struct weir_flow *flow, const struct weir_translation *t);

/* Is there anything to say of @flow that a core record has no place for? */
bool weir_flow_is_long(const struct weir_flow *flow);

/* Write @flow as a record of @size bytes: WEIR_RECORD_CORE or the whole struct. */
void weir_flow_record(const struct weir_flow *flow, enum weir_end_reason reason, u32 size,
		      struct weir_record *r);

#endif /* _WEIR_CACHE_H */
