// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "daemon/node/batch.h"

enum {
	/* What the first version of the module sends. Records never get shorter. */
	RECORD_BYTES_MIN = offsetof(struct weir_record, reserved),
};

int weir_batch_count(size_t bytes, uint32_t record_size, size_t *count)
{
	if (record_size < RECORD_BYTES_MIN || bytes % record_size)
		return -EBADMSG;
	*count = bytes / record_size;
	return 0;
}

static uint64_t real_time(uint64_t monotonic_ns, int64_t offset_ns)
{
	/* Unsigned on purpose: wraps where signed addition would be undefined. */
	return monotonic_ns ? monotonic_ns + (uint64_t)offset_ns : 0;
}

static void convert(const struct weir_record *record, int64_t offset_ns, struct weir_flow *flow)
{
	memset(flow, 0, sizeof(*flow));
	memcpy(flow->src_addr, record->src_addr, sizeof(flow->src_addr));
	memcpy(flow->dst_addr, record->dst_addr, sizeof(flow->dst_addr));
	flow->packets = record->packets;
	flow->bytes = record->bytes;
	flow->start_ns = real_time(record->start_ns, offset_ns);
	flow->end_ns = real_time(record->end_ns, offset_ns);
	flow->second_ns = real_time(record->second_ns, offset_ns);
	flow->payload_ns = real_time(record->payload_ns, offset_ns);
	flow->in_ifindex = record->in_ifindex;
	flow->out_ifindex = record->out_ifindex;
	flow->mark = record->mark;
	flow->fragments = record->fragments;
	flow->retransmitted = record->retransmitted;
	flow->out_of_order = record->out_of_order;
	flow->src_port = ntohs(record->src_port);
	flow->dst_port = ntohs(record->dst_port);
	flow->vlan_id = record->vlan_id;
	flow->tcp_flags = record->tcp_flags;
	flow->flags = record->flags;
	flow->protocol = record->protocol;
	flow->tos = record->tos;
	flow->ip_version = record->ip_version;
	flow->end_reason = record->end_reason;
	flow->observed = record->observed;
	flow->min_ttl = record->min_ttl;
	memcpy(flow->src_mac, record->src_mac, sizeof(flow->src_mac));
	memcpy(flow->dst_mac, record->dst_mac, sizeof(flow->dst_mac));
}

void weir_batch_convert(const void *records, size_t count, uint32_t record_size,
			int64_t clock_offset_ns, struct weir_flow *flows,
			struct weir_totals *totals)
{
	size_t known = record_size < sizeof(struct weir_record) ? record_size :
								  sizeof(struct weir_record);

	for (size_t i = 0; i < count; i++) {
		/* Copied: attributes are aligned to 4, the record wants 8. */
		struct weir_record record = {.reserved = {0}};

		memcpy(&record, (const uint8_t *)records + i * record_size, known);
		convert(&record, clock_offset_ns, &flows[i]);
		weir_flow_count(totals, &flows[i]);
	}
}
