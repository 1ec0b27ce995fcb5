// SPDX-License-Identifier: GPL-2.0
/* record - a flow as user space gets it */

#include "cache.h"

static u64 delta_unpack(u32 packed)
{
	if (packed & WEIR_DELTA_COARSE)
		return (u64)(packed & ~WEIR_DELTA_COARSE) << WEIR_DELTA_SHIFT;
	return packed - 1;
}

static bool is_same(const struct weir_endpoint *a, const struct weir_endpoint *b)
{
	return a->port == b->port && !memcmp(a->addr, b->addr, sizeof(a->addr));
}

/* The one of two that @mine is not; NULL if it is neither. */
static const struct weir_endpoint *other(const struct weir_endpoint *mine,
					 const struct weir_endpoint *came,
					 const struct weir_endpoint *leaves)
{
	if (is_same(mine, came))
		return leaves;
	return is_same(mine, leaves) ? came : NULL;
}

void weir_flow_translate(struct weir_flow *flow, const struct weir_translation *t)
{
	const struct weir_key *key = &flow->key;
	const bool ports = t->came[0].port || t->came[1].port;
	const struct weir_endpoint *src, *dst;
	struct weir_endpoint mine[2];

	memcpy(mine[0].addr, key->src_addr, sizeof(key->src_addr));
	memcpy(mine[1].addr, key->dst_addr, sizeof(key->dst_addr));
	mine[0].port = ports ? key->src_port : 0;
	mine[1].port = ports ? key->dst_port : 0;
	src = other(&mine[0], &t->came[0], &t->leaves[0]);
	dst = other(&mine[1], &t->came[1], &t->leaves[1]);
	if (!src || !dst)
		return;		/* of something else */
	if (!is_same(src, &mine[0])) {
		memcpy(flow->nat_src_addr, src->addr, sizeof(flow->nat_src_addr));
		flow->nat_src_port = src->port;
		flow->flags |= WEIR_FLOW_NATED;
	}
	if (!is_same(dst, &mine[1])) {
		memcpy(flow->nat_dst_addr, dst->addr, sizeof(flow->nat_dst_addr));
		flow->nat_dst_port = dst->port;
		flow->flags |= WEIR_FLOW_NATED;
	}
}

bool weir_flow_is_long(const struct weir_flow *flow)
{
	const struct weir_key *key = &flow->key;

	return key->tunnel_id || key->netns || key->inner_vlan_id ||
	       key->where >> WEIR_WHERE_TUNNEL_SHIFT & 0xf ||
	       flow->flags & WEIR_FLOW_NATED ||
	       flow->sampling_method || flow->mpls_label || flow->pppoe_session;
}

static void record_tail(const struct weir_flow *flow, struct weir_record *r)
{
	const struct weir_key *key = &flow->key;

	r->tunnel_id = key->tunnel_id;
	r->netns = key->netns;
	r->tunnel = key->where >> WEIR_WHERE_TUNNEL_SHIFT & 0xf;
	r->sampling_method = flow->sampling_method;
	r->inner_vlan_id = key->inner_vlan_id;
	r->mpls_label = flow->mpls_label;
	r->pppoe_session = flow->pppoe_session;
	r->nat_src_port = flow->nat_src_port;
	r->nat_dst_port = flow->nat_dst_port;
	r->reserved = 0;
	memcpy(r->nat_src_addr, flow->nat_src_addr, sizeof(r->nat_src_addr));
	memcpy(r->nat_dst_addr, flow->nat_dst_addr, sizeof(r->nat_dst_addr));
}

void weir_flow_record(const struct weir_flow *flow, enum weir_end_reason reason, u32 size,
		      struct weir_record *r)
{
	const struct weir_key *key = &flow->key;

	memcpy(r->src_addr, key->src_addr, sizeof(r->src_addr));
	memcpy(r->dst_addr, key->dst_addr, sizeof(r->dst_addr));
	r->src_port = key->src_port;
	r->dst_port = key->dst_port;
	r->in_ifindex = key->in_ifindex;
	r->out_ifindex = flow->out_ifindex;
	r->vlan_id = key->vlan_id;
	r->protocol = key->protocol;
	r->tos = key->tos | flow->ecn;
	r->ip_version = key->where & WEIR_WHERE_IPV6 ? 6 : 4;
	r->end_reason = reason;
	r->observed = key->where >> WEIR_WHERE_OBSERVED_SHIFT & 0xf;
	r->min_ttl = flow->min_ttl;
	r->tcp_flags = flow->tcp_flags;
	r->flags = flow->flags & ~WEIR_FLOW_PRIVATE;
	if (key->where & WEIR_WHERE_LATER_FRAGMENT)
		r->flags |= WEIR_FLOW_LATER_FRAGMENT;
	r->mark = flow->mark;
	r->fragments = flow->fragments;
	r->packets = flow->packets;
	r->bytes = flow->bytes;
	r->start_ns = flow->start_ns;
	r->end_ns = flow->end_ns;
	r->second_ns = flow->second ? flow->start_ns + delta_unpack(flow->second) : 0;
	r->payload_ns = flow->payload ? flow->start_ns + delta_unpack(flow->payload) : 0;
	r->retransmitted = flow->retransmitted;
	r->out_of_order = flow->out_of_order;
	memcpy(r->src_mac, flow->mac + ETH_ALEN, ETH_ALEN);
	memcpy(r->dst_mac, flow->mac, ETH_ALEN);
	r->sampling = flow->sampling;
	if (size > WEIR_RECORD_CORE)
		record_tail(flow, r);
}
