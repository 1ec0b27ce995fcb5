/* SPDX-License-Identifier: GPL-2.0 */
/*
 * dissect - what one packet says about itself
 *
 * Pure functions from the bytes of a packet to a flow key and the facts the
 * cache counts. They know no skb, so that user space builds the same files for
 * unit tests and fuzzing.
 *
 *	dissect.c		IPv4, IPv6 and what they carry
 *	dissect_link.c	what is in front of IP: VLAN, MPLS, PPPoE, SNAP
 *	dissect_tunnel.c	IP inside IP
 */
#ifndef _WEIR_DISSECT_H
#define _WEIR_DISSECT_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/string.h>
#include <uapi/weir.h>
#else
#include <stdbool.h>
#include <string.h>
#include <linux/types.h>
#include "../uapi/weir.h"
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
#endif

/* Distributions have the compiler clear every local variable: not those of each packet. */
#ifdef __has_attribute
#if __has_attribute(uninitialized)
#define UNINITIALIZED __attribute__((uninitialized))
#endif
#endif
#ifndef UNINITIALIZED
#define UNINITIALIZED
#endif

/* struct weir_key, where */
#define WEIR_WHERE_IPV6			0x0001
#define WEIR_WHERE_LATER_FRAGMENT	0x0002
#define WEIR_WHERE_OBSERVED_SHIFT	4	/* four bits, enum weir_observed */
#define WEIR_WHERE_TUNNEL_SHIFT		8	/* four bits, enum weir_tunnel */
#define WEIR_WHERE_TUNNEL_MASK		0x0f00

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

#define WEIR_LOOK_INSIDE_ALL	((1U << __WEIR_TUNNEL_COUNT) - 1 - (1U << WEIR_TUNNEL_NONE))

/* WEIR_SKIP_* says the same to user space: weir_dissected_skip() */
enum weir_dissected {
	WEIR_DISSECTED_OK = 0,
	WEIR_DISSECTED_TRUNCATED,	/* shorter than its headers, or than they say */
	WEIR_DISSECTED_DAMAGED,		/* the IP header contradicts itself */
	WEIR_DISSECTED_NOT_IP,		/* a frame of another protocol */
};

/**
 * struct weir_frame - a packet to look at
 * @linear: its first bytes, from the network header on
 * @linear_len: how many of them are there
 * @len: length of the whole packet from the network header on; may include padding
 * @pull: copies @n bytes at @offset to @to when they are not all linear
 * @ctx: for @pull
 * @gso_segs: packets it stands for; 0 or 1 when it is an ordinary one
 * @gso_size: payload of each of them; used when @gso_recount
 * @gso_headers: bytes of headers, from @linear on, that each of them repeats; 0:
 *	find out from the packet itself
 * @gso_recount: @gso_segs comes from outside this machine's control: compute it
 * @gso_udp: what it stands for are UDP datagrams (of the innermost headers that
 *	@gso_headers covers), not segments of one stream
 * @vlan_id: of the tag the caller knows: taken out of the frame by the network
 *	card, or of the VLAN device; 0: none
 * @inner_vlan_id: the tag inside that one; 0: none
 *
 * Tags still in the frame are inside those the caller knows.
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
	bool gso_udp;
	u16 vlan_id;
	u16 inner_vlan_id;
};

struct weir_packet {
	struct weir_key key;	/* all but in_ifindex, netns and observed */
	u64 packets;
	u64 bytes;		/* of the outermost IP packet */
	u32 tcp_seq;		/* valid when tcp_seq_len is not 0 */
	u32 tcp_seq_len;	/* sequence numbers it takes: payload, SYN, FIN */
	u32 fragment_id;	/* of a fragment */
	u32 mpls_label;		/* top of the stack, 0: none */
	u32 ip_offset;		/* outermost IP header, from the network header on */
	u16 pppoe_session;	/* around the outermost IP packet, 0: none */
	u16 tcp_flags;
	u16 flags;		/* WEIR_FLOW_* */
	u8 ttl;
	u8 ecn;
	bool payload;		/* TCP: carries data */
	bool short_l4;		/* transport header cut: what is not there of it is 0 */
	u16 spare;
};

/**
 * weir_dissect - read one IPv4 or IPv6 packet
 * @f: the packet, from its IP header on
 * @look_inside: bits 1 << enum weir_tunnel: tunnels whose inner packet is the flow
 * @p: filled in completely when the result is OK
 *
 * Work is bounded: so many IPv6 extension headers, so many tunnels are followed.
 * What is not whole and IP inside a tunnel leaves the packet as it is outside.
 */
enum weir_dissected weir_dissect(const struct weir_frame *f, u32 look_inside,
				 struct weir_packet *p);

/**
 * weir_dissect_frame - the same for any frame
 * @f: the frame, from its network header on
 * @ethertype: what is there, in host order; below 0x600 it is a length (802.3)
 * @look_inside: see weir_dissect()
 * @p: the same
 *
 * VLAN tags, MPLS labels and a PPPoE header in front of IP are stepped over and
 * noted in @p.
 */
enum weir_dissected weir_dissect_frame(const struct weir_frame *f, u16 ethertype,
				       u32 look_inside, struct weir_packet *p);

/* Return: the enum weir_skip for what is not OK. */
static inline unsigned int weir_dissected_skip(enum weir_dissected result)
{
	return result == WEIR_DISSECTED_TRUNCATED ? WEIR_SKIP_TRUNCATED :
	       result == WEIR_DISSECTED_DAMAGED ? WEIR_SKIP_DAMAGED : WEIR_SKIP_NOT_IP;
}

#endif /* _WEIR_DISSECT_H */
