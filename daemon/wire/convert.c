// SPDX-License-Identifier: GPL-2.0
/* convert.c - between weir's structs and their messages. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/wire/convert.h"

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

void weir_convert_totals_put(Weir__Wire__Totals *message, const struct weir_totals *totals)
{
	weir__wire__totals__init(message);
	message->flows = totals->flows;
	message->packets = totals->packets;
	message->bytes = totals->bytes;
}

struct weir_totals weir_convert_totals_get(const Weir__Wire__Totals *message)
{
	struct weir_totals totals = {0};

	if (message) {
		totals.flows = message->flows;
		totals.packets = message->packets;
		totals.bytes = message->bytes;
	}
	return totals;
}

static ProtobufCBinaryData address_put(const uint8_t address[16], uint8_t ip_version)
{
	ProtobufCBinaryData data = {16, (uint8_t *)address};

	if (ip_version == 4) {
		data.len = 4;
		data.data += 12;
	}
	return data;
}

static bool any_set(const uint8_t *bytes, size_t count)
{
	while (count--)
		if (*bytes++)
			return true;
	return false;
}

static ProtobufCBinaryData mac_put(const uint8_t mac[6])
{
	ProtobufCBinaryData data = {any_set(mac, 6) ? 6 : 0, (uint8_t *)mac};

	return data;
}

static void tail_put(Weir__Wire__Flow *message, const struct weir_flow *flow)
{
	message->sampling = flow->sampling;
	message->nat_src_high = flow->nat_src_high;
	message->nat_src_low = flow->nat_src_low;
	message->nat_dst_high = flow->nat_dst_high;
	message->nat_dst_low = flow->nat_dst_low;
	message->nat_src_port = flow->nat_src_port;
	message->nat_dst_port = flow->nat_dst_port;
	message->tunnel = flow->tunnel;
	message->tunnel_id = flow->tunnel_id;
	message->netns = flow->netns;
	message->inner_vlan_id = flow->inner_vlan_id;
	message->mpls_label = flow->mpls_label;
	message->pppoe_session = flow->pppoe_session;
	message->sampling_method = flow->sampling_method;
}

void weir_convert_flow_put(Weir__Wire__Flow *message, const struct weir_flow *flow)
{
	weir__wire__flow__init(message);
	message->src = address_put(flow->src_addr, flow->ip_version);
	message->dst = address_put(flow->dst_addr, flow->ip_version);
	message->src_port = flow->src_port;
	message->dst_port = flow->dst_port;
	message->protocol = flow->protocol;
	message->tos = flow->tos;
	message->in_ifindex = flow->in_ifindex;
	message->out_ifindex = flow->out_ifindex;
	message->vlan_id = flow->vlan_id;
	message->tcp_flags = flow->tcp_flags;
	message->flags = flow->flags;
	message->mark = flow->mark;
	message->packets = flow->packets;
	message->bytes = flow->bytes;
	message->start_ns = flow->start_ns;
	message->end_ns = flow->end_ns;
	message->second_ns = flow->second_ns;
	message->payload_ns = flow->payload_ns;
	message->fragments = flow->fragments;
	message->retransmitted = flow->retransmitted;
	message->out_of_order = flow->out_of_order;
	message->end_reason = flow->end_reason;
	message->observed = flow->observed;
	message->min_ttl = flow->min_ttl;
	message->src_mac = mac_put(flow->src_mac);
	message->dst_mac = mac_put(flow->dst_mac);
	if (weir_flow_tail(flow))
		tail_put(message, flow);
}

static int address_get(const ProtobufCBinaryData *data, uint8_t address[16])
{
	if (data->len == 16) {
		memcpy(address, data->data, 16);
		return 6;
	}
	if (data->len != 4)
		return -EBADMSG;
	memcpy(address, mapped, sizeof(mapped));
	memcpy(address + 12, data->data, 4);
	return 4;
}

static int mac_get(const ProtobufCBinaryData *data, uint8_t mac[6])
{
	if (data->len != 0 && data->len != 6)
		return -EBADMSG;
	if (data->len == 6)
		memcpy(mac, data->data, 6);
	return 0;
}

static int tail_get(const Weir__Wire__Flow *m, struct weir_flow *flow)
{
	if (m->nat_src_port > UINT16_MAX || m->nat_dst_port > UINT16_MAX ||
	    m->tunnel > UINT8_MAX || m->inner_vlan_id > UINT16_MAX ||
	    m->pppoe_session > UINT16_MAX || m->sampling_method > UINT8_MAX)
		return -EBADMSG;
	flow->sampling = m->sampling;
	flow->nat_src_high = m->nat_src_high;
	flow->nat_src_low = m->nat_src_low;
	flow->nat_dst_high = m->nat_dst_high;
	flow->nat_dst_low = m->nat_dst_low;
	flow->nat_src_port = (uint16_t)m->nat_src_port;
	flow->nat_dst_port = (uint16_t)m->nat_dst_port;
	flow->tunnel = (uint8_t)m->tunnel;
	flow->tunnel_id = m->tunnel_id;
	flow->netns = m->netns;
	flow->inner_vlan_id = (uint16_t)m->inner_vlan_id;
	flow->mpls_label = m->mpls_label;
	flow->pppoe_session = (uint16_t)m->pppoe_session;
	flow->sampling_method = (uint8_t)m->sampling_method;
	return 0;
}

int weir_convert_flow_get(const Weir__Wire__Flow *m, struct weir_flow *flow)
{
	int src, dst;

	memset(flow, 0, sizeof(*flow));
	src = address_get(&m->src, flow->src_addr);
	dst = address_get(&m->dst, flow->dst_addr);
	if (src < 0 || src != dst || mac_get(&m->src_mac, flow->src_mac) ||
	    mac_get(&m->dst_mac, flow->dst_mac))
		return -EBADMSG;
	if (m->src_port > UINT16_MAX || m->dst_port > UINT16_MAX || m->protocol > UINT8_MAX ||
	    m->tos > UINT8_MAX || m->vlan_id > UINT16_MAX || m->tcp_flags > UINT16_MAX ||
	    m->flags > UINT16_MAX || m->end_reason > UINT8_MAX || m->observed > UINT8_MAX ||
	    m->min_ttl > UINT8_MAX)
		return -EBADMSG;
	flow->ip_version = (uint8_t)src;
	flow->src_port = (uint16_t)m->src_port;
	flow->dst_port = (uint16_t)m->dst_port;
	flow->protocol = (uint8_t)m->protocol;
	flow->tos = (uint8_t)m->tos;
	flow->in_ifindex = m->in_ifindex;
	flow->out_ifindex = m->out_ifindex;
	flow->vlan_id = (uint16_t)m->vlan_id;
	flow->tcp_flags = (uint16_t)m->tcp_flags;
	flow->flags = (uint16_t)m->flags;
	flow->mark = m->mark;
	flow->packets = m->packets;
	flow->bytes = m->bytes;
	flow->start_ns = m->start_ns;
	flow->end_ns = m->end_ns;
	flow->second_ns = m->second_ns;
	flow->payload_ns = m->payload_ns;
	flow->fragments = m->fragments;
	flow->retransmitted = m->retransmitted;
	flow->out_of_order = m->out_of_order;
	flow->end_reason = (uint8_t)m->end_reason;
	flow->observed = (uint8_t)m->observed;
	flow->min_ttl = (uint8_t)m->min_ttl;
	return tail_get(m, flow);
}

static void side_put(Weir__Wire__PairSide *message, const struct weir_pair_side *side)
{
	weir__wire__pair_side__init(message);
	message->records = side->records;
	message->packets = side->packets;
	message->bytes = side->bytes;
	message->start_ns = side->start_ns;
	message->end_ns = side->end_ns;
	message->retransmitted = side->retransmitted;
	message->out_of_order = side->out_of_order;
	message->fragments = side->fragments;
	message->tcp_flags = side->tcp_flags;
	message->min_ttl = side->min_ttl;
	message->end_reason = side->end_reason;
}

void weir_convert_pair_put(Weir__Wire__Pair *message, Weir__Wire__PairSide sides[2],
			   const struct weir_pair *pair)
{
	weir__wire__pair__init(message);
	message->src = address_put(pair->src_addr, pair->ip_version);
	message->dst = address_put(pair->dst_addr, pair->ip_version);
	message->src_port = pair->src_port;
	message->dst_port = pair->dst_port;
	message->protocol = pair->protocol;
	message->initiator_seen = pair->initiator_seen;
	message->start_ns = pair->start_ns;
	message->end_ns = pair->end_ns;
	side_put(&sides[0], &pair->forward);
	side_put(&sides[1], &pair->reverse);
	message->forward = &sides[0];
	message->reverse = &sides[1];
	message->server_rtt_ns = pair->server_rtt_ns;
	message->client_rtt_ns = pair->client_rtt_ns;
	message->rtt_ns = pair->rtt_ns;
	message->response_ns = pair->response_ns;
}

/* An absent side is one in which nothing was seen. */
static int side_get(const Weir__Wire__PairSide *m, struct weir_pair_side *side)
{
	if (!m)
		return 0;
	if (m->tcp_flags > UINT16_MAX || m->min_ttl > UINT8_MAX || m->end_reason > UINT8_MAX)
		return -EBADMSG;
	side->records = m->records;
	side->packets = m->packets;
	side->bytes = m->bytes;
	side->start_ns = m->start_ns;
	side->end_ns = m->end_ns;
	side->retransmitted = m->retransmitted;
	side->out_of_order = m->out_of_order;
	side->fragments = m->fragments;
	side->tcp_flags = (uint16_t)m->tcp_flags;
	side->min_ttl = (uint8_t)m->min_ttl;
	side->end_reason = (uint8_t)m->end_reason;
	return 0;
}

int weir_convert_pair_get(const Weir__Wire__Pair *m, struct weir_pair *pair)
{
	int src, dst;

	memset(pair, 0, sizeof(*pair));
	src = address_get(&m->src, pair->src_addr);
	dst = address_get(&m->dst, pair->dst_addr);
	if (src < 0 || src != dst || m->src_port > UINT16_MAX || m->dst_port > UINT16_MAX ||
	    m->protocol > UINT8_MAX || side_get(m->forward, &pair->forward) ||
	    side_get(m->reverse, &pair->reverse))
		return -EBADMSG;
	pair->ip_version = (uint8_t)src;
	pair->src_port = (uint16_t)m->src_port;
	pair->dst_port = (uint16_t)m->dst_port;
	pair->protocol = (uint8_t)m->protocol;
	pair->initiator_seen = m->initiator_seen;
	pair->start_ns = m->start_ns;
	pair->end_ns = m->end_ns;
	pair->server_rtt_ns = m->server_rtt_ns;
	pair->client_rtt_ns = m->client_rtt_ns;
	pair->rtt_ns = m->rtt_ns;
	pair->response_ns = m->response_ns;
	return 0;
}

void *weir_convert_copy(const ProtobufCMessage *message)
{
	size_t bytes = protobuf_c_message_get_packed_size(message);
	uint8_t *packed = malloc(bytes ? bytes : 1);
	void *copy;

	if (!packed)
		return NULL;
	protobuf_c_message_pack(message, packed);
	copy = protobuf_c_message_unpack(message->descriptor, NULL, bytes, packed);
	free(packed);
	return copy;
}
