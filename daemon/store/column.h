/* SPDX-License-Identifier: GPL-2.0 */
/*
 * column.h - how the members of struct weir_flow lie in a block.
 *
 * One table drives encoding and decoding.
 */
#ifndef WEIR_STORE_COLUMN_H
#define WEIR_STORE_COLUMN_H

#include "daemon/common/flow.h"

/* Ids are on disk: append, never reuse. All are below 64, so that a set of columns is
 * the bits of a u64: 1 << id. */
enum weir_column_id {
	WEIR_COLUMN_SRC_ADDR = 1,
	WEIR_COLUMN_DST_ADDR,
	WEIR_COLUMN_SRC_PORT,
	WEIR_COLUMN_DST_PORT,
	WEIR_COLUMN_PROTOCOL,
	WEIR_COLUMN_IP_VERSION,
	WEIR_COLUMN_TOS,
	WEIR_COLUMN_VLAN_ID,
	WEIR_COLUMN_IN_IFINDEX,
	WEIR_COLUMN_OUT_IFINDEX,
	WEIR_COLUMN_PACKETS,
	WEIR_COLUMN_BYTES,
	WEIR_COLUMN_START_NS,
	WEIR_COLUMN_END_NS,
	WEIR_COLUMN_SECOND_NS,
	WEIR_COLUMN_PAYLOAD_NS,
	WEIR_COLUMN_MARK,
	WEIR_COLUMN_FRAGMENTS,
	WEIR_COLUMN_RETRANSMITTED,
	WEIR_COLUMN_OUT_OF_ORDER,
	WEIR_COLUMN_TCP_FLAGS,
	WEIR_COLUMN_FLAGS,
	WEIR_COLUMN_END_REASON,
	WEIR_COLUMN_OBSERVED,
	WEIR_COLUMN_MIN_TTL,
	WEIR_COLUMN_SRC_MAC,
	WEIR_COLUMN_DST_MAC,
	WEIR_COLUMN_SAMPLING, /* from here on the tail of struct weir_flow */
	WEIR_COLUMN_NAT_SRC_HIGH,
	WEIR_COLUMN_NAT_SRC_LOW,
	WEIR_COLUMN_NAT_DST_HIGH,
	WEIR_COLUMN_NAT_DST_LOW,
	WEIR_COLUMN_NAT_SRC_PORT,
	WEIR_COLUMN_NAT_DST_PORT,
	WEIR_COLUMN_TUNNEL,
	WEIR_COLUMN_TUNNEL_ID,
	WEIR_COLUMN_NETNS,
	WEIR_COLUMN_INNER_VLAN_ID,
	WEIR_COLUMN_MPLS_LABEL,
	WEIR_COLUMN_PPPOE_SESSION,
	WEIR_COLUMN_SAMPLING_METHOD,
	WEIR_COLUMN_END, /* one above the last */
};

#define WEIR_COLUMN_BIT(id) (1ULL << (id))
#define WEIR_COLUMN_ALL	    (WEIR_COLUMN_BIT(WEIR_COLUMN_END) - 2)
/* Few blocks have any of them: the others pay for all together, not for each. */
#define WEIR_COLUMN_TAIL                                                                           \
	(WEIR_COLUMN_BIT(WEIR_COLUMN_END) - WEIR_COLUMN_BIT(WEIR_COLUMN_SAMPLING))

struct weir_column {
	const char *name; /* for people: "src_addr" */
	uint16_t id;
	uint16_t offset; /* in struct weir_flow */
	uint8_t width; /* bytes of one value */
	bool number; /* little endian on disk; else bytes as they are */
};

extern const struct weir_column weir_column_table[];
extern const unsigned weir_column_count;

/* NULL: a column of a later version. */
const struct weir_column *weir_column_find(uint16_t id);
/* Write @value as struct weir_flow has it; bytes are a number whose highest byte comes first. */
void weir_column_put(const struct weir_column *column, uint64_t value, uint8_t *to);
/* Turn little endian numbers of @width bytes into the host's, in place. */
void weir_column_to_host(void *values, unsigned width, size_t count);

#endif
