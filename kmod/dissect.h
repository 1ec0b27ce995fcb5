/* SPDX-License-Identifier: GPL-2.0 */
/*
 * dissect - what one packet says about itself
 *
 * A pure function from the bytes of an IP packet to a flow key and the facts
 * the cache counts. It knows no skb, so that user space builds the same file
 * for unit tests and fuzzing.
 */
#ifndef _WEIR_DISSECT_H
#define _WEIR_DISSECT_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/string.h>
#else
#include <stdbool.h>
#include <string.h>
#include <linux/types.h>
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
#endif

/* struct weir_key, where */
#define WEIR_WHERE_IPV6			0x0001
#define WEIR_WHERE_LATER_FRAGMENT	0x0002
#define WEIR_WHERE_OBSERVED_SHIFT	4	/* four bits, enum weir_observed */
#define WEIR_WHERE_TUNNEL_SHIFT		8	/* four bits, enum weir_tunnel */

/* 56 bytes without a hole: hashed and compared as a string of bytes. */
struct weir_key {
	u8 src_addr[16];	/* IPv4 is IPv4-mapped */
	u8 dst_addr[16];
	__be16 src_port;
	__be16 dst_port;
	u32 in_ifindex;
	u32 netns;		/* inode number; 0: the instance's own */
	u32 tunnel_id;
	u16 vlan_id;		/* the outer one */
	u16 inner_vlan_id;
	u16 where;		/* WEIR_WHERE_* */
	u8 protocol;
	u8 tos;			/* DSCP; ECN differs between the packets of one flow */
};

/**
 * struct weir_frame - an IP packet to look at
 * @linear: its first bytes, from the IP header on
 * @linear_len: how many of them are there
 * @len: length of the whole packet from the IP header on; may include padding
 * @pull: copies @n bytes at @offset to @to when they are not all linear
 * @ctx: for @pull
 * @gso_segs: packets it stands for; 0 or 1 when it is an ordinary one
 * @gso_size: payload of each of them; used when @gso_recount
 * @gso_headers: bytes of headers, from the IP header on, that each of them
 *	repeats; 0: find out from the packet itself
 * @gso_recount: @gso_segs comes from outside this machine's control: compute it
 */
struct weir_frame {
	const u8 *linear;
	u32 linear_len;
	u32 len;
	bool (*pull)(const void *ctx, u32 offset, void *to, u32 n);
	const void *ctx;
	u32 gso_segs;
	u32 gso_size;
	u32 gso_headers;
	bool gso_recount;
};

struct weir_packet {
	struct weir_key key;	/* all but in_ifindex, netns, vlan_id and observed */
	u64 packets;
	u64 bytes;
	u32 tcp_seq;		/* valid when tcp_seq_len is not 0 */
	u32 tcp_seq_len;	/* sequence numbers it takes: payload, SYN, FIN */
	u16 tcp_flags;
	u16 flags;		/* WEIR_FLOW_* */
	u8 ttl;
	u8 ecn;
	bool payload;		/* TCP: carries data */
	bool short_l4;		/* transport header cut: ports are 0 */
};

/**
 * weir_dissect - read one IPv4 or IPv6 packet
 * @f: the packet
 * @p: filled in completely
 *
 * Work is bounded: at most WEIR_MAX_EXTENSIONS IPv6 extension headers are
 * followed.
 *
 * Return: false when it is shorter than its IP header or that is damaged.
 */
bool weir_dissect(const struct weir_frame *f, struct weir_packet *p);

#endif /* _WEIR_DISSECT_H */
