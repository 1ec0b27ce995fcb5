// SPDX-License-Identifier: GPL-2.0
/* record.c - the kernel's record as a flow: byte order and clock change here. */
#include "daemon/common/record.h"

#include <arpa/inet.h>
#include <string.h>

static uint64_t real_time(uint64_t monotonic_ns, int64_t offset_ns)
{
	return monotonic_ns ? monotonic_ns + (uint64_t)offset_ns : 0;
}

void weir_record_read(const void *record, size_t record_bytes, int64_t clock_offset_ns,
		      struct weir_flow *flow)
{
	struct weir_record r = {0};

	memcpy(&r, record, record_bytes < sizeof(r) ? record_bytes : sizeof(r));
	memset(flow, 0, sizeof(*flow));
	memcpy(flow->src_addr, r.src_addr, sizeof(flow->src_addr));
	memcpy(flow->dst_addr, r.dst_addr, sizeof(flow->dst_addr));
	memcpy(flow->src_mac, r.src_mac, sizeof(flow->src_mac));
	memcpy(flow->dst_mac, r.dst_mac, sizeof(flow->dst_mac));
	flow->src_port = ntohs(r.src_port);
	flow->dst_port = ntohs(r.dst_port);
	flow->in_ifindex = r.in_ifindex;
	flow->out_ifindex = r.out_ifindex;
	flow->vlan_id = r.vlan_id;
	flow->protocol = r.protocol;
	flow->tos = r.tos;
	flow->ip_version = r.ip_version;
	flow->end_reason = r.end_reason;
	flow->observed = r.observed;
	flow->min_ttl = r.min_ttl;
	flow->tcp_flags = r.tcp_flags;
	flow->flags = r.flags;
	flow->mark = r.mark;
	flow->fragments = r.fragments;
	flow->packets = r.packets;
	flow->bytes = r.bytes;
	flow->retransmitted = r.retransmitted;
	flow->out_of_order = r.out_of_order;
	flow->start_ns = real_time(r.start_ns, clock_offset_ns);
	flow->end_ns = real_time(r.end_ns, clock_offset_ns);
	flow->second_ns = real_time(r.second_ns, clock_offset_ns);
	flow->payload_ns = real_time(r.payload_ns, clock_offset_ns);
}
