// SPDX-License-Identifier: GPL-2.0
/* record.c - the kernel's record as a flow: byte order and clock change here. */
#include "daemon/common/record.h"

#include <arpa/inet.h>
#include <endian.h>
#include <string.h>

static inline uint64_t real_time(uint64_t monotonic_ns, uint64_t offset_ns)
{
	return monotonic_ns ? monotonic_ns + offset_ns : 0;
}

static inline void convert_core(const struct weir_record *r, uint64_t offset_ns, struct weir_flow *flow)
{
	memcpy(flow->src_addr, r->src_addr, sizeof(flow->src_addr));
	memcpy(flow->dst_addr, r->dst_addr, sizeof(flow->dst_addr));
	flow->packets = r->packets;
	flow->bytes = r->bytes;
	flow->start_ns = real_time(r->start_ns, offset_ns);
	flow->end_ns = real_time(r->end_ns, offset_ns);
	flow->second_ns = real_time(r->second_ns, offset_ns);
	flow->payload_ns = real_time(r->payload_ns, offset_ns);
	flow->in_ifindex = r->in_ifindex;
	flow->out_ifindex = r->out_ifindex;
	flow->mark = r->mark;
	flow->fragments = r->fragments;
	flow->retransmitted = r->retransmitted;
	flow->out_of_order = r->out_of_order;
	flow->src_port = ntohs(r->src_port);
	flow->dst_port = ntohs(r->dst_port);
	flow->vlan_id = r->vlan_id;
	flow->tcp_flags = r->tcp_flags;
	flow->flags = r->flags;
	flow->protocol = r->protocol;
	flow->tos = r->tos;
	flow->ip_version = r->ip_version;
	flow->end_reason = r->end_reason;
	flow->observed = r->observed;
	flow->min_ttl = r->min_ttl;
	memcpy(flow->src_mac, r->src_mac, sizeof(flow->src_mac));
	memcpy(flow->dst_mac, r->dst_mac, sizeof(flow->dst_mac));
	flow->sampling = r->sampling;
}

static inline uint64_t half_address(const uint8_t *half)
{
	uint64_t number;

	memcpy(&number, half, sizeof(number));
	return be64toh(number);
}

static inline void convert_tail(const struct weir_record *r, struct weir_flow *flow)
{
	flow->nat_src_high = half_address(r->nat_src_addr);
	flow->nat_src_low = half_address(r->nat_src_addr + 8);
	flow->nat_dst_high = half_address(r->nat_dst_addr);
	flow->nat_dst_low = half_address(r->nat_dst_addr + 8);
	flow->tunnel_id = r->tunnel_id;
	flow->netns = r->netns;
	flow->mpls_label = r->mpls_label;
	flow->inner_vlan_id = r->inner_vlan_id;
	flow->pppoe_session = r->pppoe_session;
	flow->nat_src_port = ntohs(r->nat_src_port);
	flow->nat_dst_port = ntohs(r->nat_dst_port);
	flow->tunnel = r->tunnel;
	flow->sampling_method = r->sampling_method;
	flow->unused = 0;
}

/* Every byte of struct weir_flow is written. */
void weir_record_read(const void *record, size_t record_bytes, int64_t clock_offset_ns,
		      struct weir_flow *flow)
{
	struct weir_record r = {0};

	memcpy(&r, record, record_bytes < sizeof(r) ? record_bytes : sizeof(r));
	convert_core(&r, (uint64_t)clock_offset_ns, flow);
	convert_tail(&r, flow);
}

void weir_record_read_all(const void *records, size_t count, size_t record_bytes,
			  int64_t clock_offset_ns, struct weir_flow *flows)
{
	const uint8_t *from = records;

	/* Core records are by far the most, and what is done for each of them counts. */
	if (record_bytes != WEIR_RECORD_CORE) {
		for (size_t i = 0; i < count; i++)
			weir_record_read(from + i * record_bytes, record_bytes, clock_offset_ns,
					 &flows[i]);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct weir_record r; /* a copy of known size costs nothing: it is aligned */

		memcpy(&r, from + i * WEIR_RECORD_CORE, WEIR_RECORD_CORE);
		memset((uint8_t *)&flows[i] + WEIR_FLOW_TAIL_AT, 0, WEIR_FLOW_TAIL_BYTES);
		convert_core(&r, (uint64_t)clock_offset_ns, &flows[i]);
	}
}
