// SPDX-License-Identifier: GPL-2.0
#include <endian.h>
#include <string.h>

#include "daemon/store/column.h"

#define COLUMN(i, member, is_number)                                                               \
	{                                                                                          \
		.name = #member, .id = (i), .offset = offsetof(struct weir_flow, member),          \
		.width = sizeof(((struct weir_flow *)0)->member), .number = (is_number),           \
	}
#define NUMBER(i, member) COLUMN(i, member, true)
#define BYTES(i, member)  COLUMN(i, member, false)

const struct weir_column weir_column_table[] = {
	BYTES(WEIR_COLUMN_SRC_ADDR, src_addr),
	BYTES(WEIR_COLUMN_DST_ADDR, dst_addr),
	NUMBER(WEIR_COLUMN_SRC_PORT, src_port),
	NUMBER(WEIR_COLUMN_DST_PORT, dst_port),
	NUMBER(WEIR_COLUMN_PROTOCOL, protocol),
	NUMBER(WEIR_COLUMN_IP_VERSION, ip_version),
	NUMBER(WEIR_COLUMN_TOS, tos),
	NUMBER(WEIR_COLUMN_VLAN_ID, vlan_id),
	NUMBER(WEIR_COLUMN_IN_IFINDEX, in_ifindex),
	NUMBER(WEIR_COLUMN_OUT_IFINDEX, out_ifindex),
	NUMBER(WEIR_COLUMN_PACKETS, packets),
	NUMBER(WEIR_COLUMN_BYTES, bytes),
	NUMBER(WEIR_COLUMN_START_NS, start_ns),
	NUMBER(WEIR_COLUMN_END_NS, end_ns),
	NUMBER(WEIR_COLUMN_SECOND_NS, second_ns),
	NUMBER(WEIR_COLUMN_PAYLOAD_NS, payload_ns),
	NUMBER(WEIR_COLUMN_MARK, mark),
	NUMBER(WEIR_COLUMN_FRAGMENTS, fragments),
	NUMBER(WEIR_COLUMN_RETRANSMITTED, retransmitted),
	NUMBER(WEIR_COLUMN_OUT_OF_ORDER, out_of_order),
	NUMBER(WEIR_COLUMN_TCP_FLAGS, tcp_flags),
	NUMBER(WEIR_COLUMN_FLAGS, flags),
	NUMBER(WEIR_COLUMN_END_REASON, end_reason),
	NUMBER(WEIR_COLUMN_OBSERVED, observed),
	NUMBER(WEIR_COLUMN_MIN_TTL, min_ttl),
	BYTES(WEIR_COLUMN_SRC_MAC, src_mac),
	BYTES(WEIR_COLUMN_DST_MAC, dst_mac),
	NUMBER(WEIR_COLUMN_SAMPLING, sampling),
	NUMBER(WEIR_COLUMN_NAT_SRC_HIGH, nat_src_high),
	NUMBER(WEIR_COLUMN_NAT_SRC_LOW, nat_src_low),
	NUMBER(WEIR_COLUMN_NAT_DST_HIGH, nat_dst_high),
	NUMBER(WEIR_COLUMN_NAT_DST_LOW, nat_dst_low),
	NUMBER(WEIR_COLUMN_NAT_SRC_PORT, nat_src_port),
	NUMBER(WEIR_COLUMN_NAT_DST_PORT, nat_dst_port),
	NUMBER(WEIR_COLUMN_TUNNEL, tunnel),
	NUMBER(WEIR_COLUMN_TUNNEL_ID, tunnel_id),
	NUMBER(WEIR_COLUMN_NETNS, netns),
	NUMBER(WEIR_COLUMN_INNER_VLAN_ID, inner_vlan_id),
	NUMBER(WEIR_COLUMN_MPLS_LABEL, mpls_label),
	NUMBER(WEIR_COLUMN_PPPOE_SESSION, pppoe_session),
	NUMBER(WEIR_COLUMN_SAMPLING_METHOD, sampling_method),
};
const unsigned weir_column_count = sizeof(weir_column_table) / sizeof(weir_column_table[0]);

_Static_assert(sizeof(weir_column_table) / sizeof(weir_column_table[0]) == WEIR_COLUMN_END - 1,
	       "every id has its row");
_Static_assert(WEIR_COLUMN_END <= 64, "a set of columns is a u64");

const struct weir_column *weir_column_find(uint16_t id)
{
	/* Ids are 1.. without holes so far. */
	if (!id || id >= WEIR_COLUMN_END)
		return NULL;
	return &weir_column_table[id - 1];
}

void weir_column_put(const struct weir_column *column, uint64_t value, uint8_t *to)
{
	uint32_t four = (uint32_t)value;
	uint16_t two = (uint16_t)value;

	if (!column->number) {
		for (unsigned at = 0; at < column->width; at++)
			to[at] = (uint8_t)(value >> 8 * (column->width - 1 - at));
	} else if (column->width == 1) {
		*to = (uint8_t)value;
	} else if (column->width == 2) {
		memcpy(to, &two, sizeof(two));
	} else if (column->width == 4) {
		memcpy(to, &four, sizeof(four));
	} else {
		memcpy(to, &value, sizeof(value));
	}
}

#define TO_HOST(bytes_)                                                                            \
	for (size_t i = 0; i < count; i++)                                                         \
	((uint##bytes_##_t *)values)[i] = le##bytes_##toh(((uint##bytes_##_t *)values)[i])

void weir_column_to_host(void *values, unsigned width, size_t count)
{
	/* On most machines these loops compile to nothing. */
	switch (width) {
	case 2:
		TO_HOST(16);
		break;
	case 4:
		TO_HOST(32);
		break;
	case 8:
		TO_HOST(64);
		break;
	}
}
