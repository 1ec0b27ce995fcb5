// SPDX-License-Identifier: GPL-2.0
#include <endian.h>
#include <string.h>

#include "daemon/store/column.h"

#define NUMBER(i, member)                                                                          \
	{                                                                                          \
		i, offsetof(struct weir_flow, member), sizeof(((struct weir_flow *)0)->member),    \
			true                                                                       \
	}
#define BYTES(i, member)                                                                           \
	{                                                                                          \
		i, offsetof(struct weir_flow, member), sizeof(((struct weir_flow *)0)->member),    \
			false                                                                      \
	}

const struct weir_column weir_column_table[] = {
	BYTES(1, src_addr),
	BYTES(2, dst_addr),
	NUMBER(3, src_port),
	NUMBER(4, dst_port),
	NUMBER(5, protocol),
	NUMBER(6, ip_version),
	NUMBER(7, tos),
	NUMBER(8, vlan_id),
	NUMBER(9, in_ifindex),
	NUMBER(10, out_ifindex),
	NUMBER(11, packets),
	NUMBER(12, bytes),
	NUMBER(13, start_ns),
	NUMBER(14, end_ns),
	NUMBER(15, second_ns),
	NUMBER(16, payload_ns),
	NUMBER(17, mark),
	NUMBER(18, fragments),
	NUMBER(19, retransmitted),
	NUMBER(20, out_of_order),
	NUMBER(21, tcp_flags),
	NUMBER(22, flags),
	NUMBER(23, end_reason),
	NUMBER(24, observed),
	NUMBER(25, min_ttl),
	BYTES(26, src_mac),
	BYTES(27, dst_mac),
};
const unsigned weir_column_count = sizeof(weir_column_table) / sizeof(weir_column_table[0]);

const struct weir_column *weir_column_find(uint16_t id)
{
	/* Ids are 1.. without holes so far. */
	if (!id || id > weir_column_count)
		return NULL;
	return &weir_column_table[id - 1];
}

/* A copy of constant size compiles to one move; a call per value would cost more
 * than all the rest of a block. */
#define PACK(bytes_, convert)                                                                      \
	for (size_t i = 0; i < count; i++) {                                                       \
		uint##bytes_##_t value;                                                            \
		memcpy(&value, from + i * sizeof(*flows), sizeof(value));                          \
		value = convert(value);                                                            \
		memcpy(to + i * sizeof(value), &value, sizeof(value));                             \
	}
#define UNPACK(bytes_, convert)                                                                    \
	for (size_t i = 0; i < count; i++) {                                                       \
		uint##bytes_##_t value;                                                            \
		memcpy(&value, from + i * sizeof(value), sizeof(value));                           \
		value = convert(value);                                                            \
		memcpy(to + i * sizeof(*flows), &value, sizeof(value));                            \
	}
#define SAME(value) (value)

void weir_column_pack(const struct weir_column *column, const struct weir_flow *flows, size_t count,
		      uint8_t *to)
{
	const uint8_t *from = (const uint8_t *)flows + column->offset;

	if (!column->number && column->width == 16) {
		for (size_t i = 0; i < count; i++)
			memcpy(to + i * 16, from + i * sizeof(*flows), 16);
		return;
	}
	if (!column->number) {
		for (size_t i = 0; i < count; i++)
			memcpy(to + i * column->width, from + i * sizeof(*flows), column->width);
		return;
	}
	switch (column->width) {
	case 1:
		PACK(8, SAME)
		break;
	case 2:
		PACK(16, htole16)
		break;
	case 4:
		PACK(32, htole32)
		break;
	default:
		PACK(64, htole64)
		break;
	}
}

void weir_column_unpack(const struct weir_column *column, const uint8_t *from, size_t count,
			struct weir_flow *flows)
{
	uint8_t *to = (uint8_t *)flows + column->offset;

	if (!column->number && column->width == 16) {
		for (size_t i = 0; i < count; i++)
			memcpy(to + i * sizeof(*flows), from + i * 16, 16);
		return;
	}
	if (!column->number) {
		for (size_t i = 0; i < count; i++)
			memcpy(to + i * sizeof(*flows), from + i * column->width, column->width);
		return;
	}
	switch (column->width) {
	case 1:
		UNPACK(8, SAME)
		break;
	case 2:
		UNPACK(16, le16toh)
		break;
	case 4:
		UNPACK(32, le32toh)
		break;
	default:
		UNPACK(64, le64toh)
		break;
	}
}
