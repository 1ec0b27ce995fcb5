/* SPDX-License-Identifier: GPL-2.0 */
/* dissect_parts - what the files of dissect share */
#ifndef _WEIR_DISSECT_PARTS_H
#define _WEIR_DISSECT_PARTS_H

#ifdef __KERNEL__
#include <linux/in.h>
#include <linux/in6.h>
#else
#include <netinet/in.h>
#endif

#include "dissect.h"

enum {
	WEIR_PORT_GTPU = 2152,
	WEIR_PORT_VXLAN = 4789,
	WEIR_PORT_GENEVE = 6081,
	WEIR_PORT_VXLAN_LINUX = 8472,	/* before there was a number */
};

/**
 * struct weir_layer - where one IP packet is in the frame
 * @at: its IP header
 * @end: set to the end of what may belong to it; then its own, without padding
 * @version: 4 or 6 when something in front of it said so, else 0
 * @guessed: nothing said that it is IP
 * @transport: the transport header
 * @payload: what follows the headers that are known
 * @unsent: bytes before @payload that no packet on the wire has
 * @fragment: a part of a packet
 * @later_fragment: a part that does not start with the transport header
 */
struct weir_layer {
	u32 at;
	u32 end;
	u32 transport;
	u32 payload;
	u32 unsent;
	u8 version;
	bool guessed;
	bool fragment;
	bool later_fragment;
};

static inline u16 be16_at(const u8 *at)
{
	return (u16)(at[0] << 8 | at[1]);
}

static inline u32 be32_at(const u8 *at)
{
	return (u32)be16_at(at) << 16 | be16_at(at + 2);
}

/* @n bytes at @offset: in place when linear, else copied to @buf. */
static inline const u8 *look(const struct weir_frame *f, u32 offset, u32 n, u8 *buf)
{
	if (offset <= f->linear_len && n <= f->linear_len - offset)
		return f->linear + offset;
	if (offset > f->len || n > f->len - offset)
		return NULL;
	if (!f->pull || !f->pull(f->ctx, offset, buf, n))
		return NULL;
	return buf;
}

/* The same, within a layer. */
static inline const u8 *look_in(const struct weir_frame *f, const struct weir_layer *l,
				u32 offset, u32 n, u8 *buf)
{
	if (offset > l->end || n > l->end - offset)
		return NULL;
	return look(f, offset, n, buf);
}

/* Did the network stack merge packets into this one, or leave it to be cut? */
static inline bool is_gso(const struct weir_frame *f)
{
	return f->gso_segs > 1 || f->gso_recount;
}

/*
 * All but the addresses, which IP sets. Field by field: a memset() of this size becomes a
 * string instruction, which takes as long as the rest of a packet.
 */
static inline void packet_start(struct weir_packet *p, u16 vlan_id, u16 inner_vlan_id)
{
	p->key.src_port = 0;
	p->key.dst_port = 0;
	p->key.in_ifindex = 0;
	p->key.netns = 0;
	p->key.tunnel_id = 0;
	p->key.vlan_id = vlan_id;
	p->key.inner_vlan_id = inner_vlan_id;
	p->key.where = 0;
	p->packets = 1;
	p->tcp_seq = 0;
	p->tcp_seq_len = 0;
	p->fragment_id = 0;
	p->mpls_label = 0;
	p->ip_offset = 0;
	p->pppoe_session = 0;
	p->tcp_flags = 0;
	p->flags = 0;
	p->payload = false;
	p->short_l4 = false;
	p->spare = 0;
}

static inline u8 udp_tunnel(const struct weir_packet *p)
{
	switch (be16_at((const u8 *)&p->key.dst_port)) {
	case WEIR_PORT_VXLAN:
	case WEIR_PORT_VXLAN_LINUX:
		return WEIR_TUNNEL_VXLAN;
	case WEIR_PORT_GENEVE:
		return WEIR_TUNNEL_GENEVE;
	case WEIR_PORT_GTPU:
		return WEIR_TUNNEL_GTPU;
	}
	return WEIR_TUNNEL_NONE;
}

static inline u8 tunnel_kind(const struct weir_packet *p)
{
	switch (p->key.protocol) {
	case IPPROTO_IPIP:
	case IPPROTO_IPV6:
		return WEIR_TUNNEL_IPIP;
	case IPPROTO_GRE:
		return WEIR_TUNNEL_GRE;
	case IPPROTO_UDP:
		return udp_tunnel(p);
	}
	return WEIR_TUNNEL_NONE;
}

/* One of those to look into? Bit 0 of @look_inside is not set. */
static inline bool is_tunnel(u32 look_inside, const struct weir_packet *p)
{
	return look_inside && look_inside & 1U << tunnel_kind(p);
}

/* Read IP at @l->at and what it carries into @p, which was started. */
enum weir_dissected weir_dissect_ip(const struct weir_frame *f, struct weir_layer *l,
				    struct weir_packet *p);

/* Step over what is in front of IP at @l->at, which is of @ethertype. */
enum weir_dissected weir_dissect_link(const struct weir_frame *f, u16 ethertype,
				      struct weir_layer *l, struct weir_packet *p);

/* Enter the tunnels of @look_inside: @l and @p become those of the innermost packet. */
void weir_dissect_inside(const struct weir_frame *f, u32 look_inside, struct weir_layer *l,
			 struct weir_packet *p);

#endif /* _WEIR_DISSECT_PARTS_H */
