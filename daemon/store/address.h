/* SPDX-License-Identifier: GPL-2.0 */
/*
 * address.h - the addresses of a block: one sorted dictionary for sources and destinations.
 *
 * Most hosts send and receive, so one list serves both columns, with a bitmap each that
 * says who sent and who received. It is the block's index of addresses at the same time:
 * sorted pieces of 128 with their first in full are searched where they lie, without
 * decoding the rest. docs/store.md, "Addresses".
 */
#ifndef WEIR_STORE_ADDRESS_H
#define WEIR_STORE_ADDRESS_H

#include <endian.h>
#include <string.h>

#include "daemon/common/flow.h"
#include "daemon/store/pack.h"

/* In numeric order, which is that of the bytes as well. */
typedef unsigned __int128 weir_address;

enum weir_address_side {
	WEIR_ADDRESS_SRC,
	WEIR_ADDRESS_DST,
	WEIR_ADDRESS_SIDES,
};

static inline weir_address weir_address_load(const uint8_t bytes[16])
{
	uint64_t half[2];

	memcpy(half, bytes, 16);
	return (weir_address)be64toh(half[0]) << 64 | be64toh(half[1]);
}

static inline void weir_address_store(weir_address address, uint8_t bytes[16])
{
	uint64_t half[2] = {htobe64((uint64_t)(address >> 64)), htobe64((uint64_t)address)};

	memcpy(bytes, half, 16);
}

/* Makes dictionaries of blocks, one after another. */
struct weir_address_maker;

int weir_address_maker_new(struct weir_address_maker **maker);
void weir_address_maker_free(struct weir_address_maker *maker);
/* Take in @count flows (at most 65536). */
void weir_address_make(struct weir_address_maker *maker, const struct weir_flow *flows,
		       uint32_t count);
/* Distinct ones of that side, and for each flow, in the order they came, the rank of its address among these. */
uint32_t weir_address_entries(const struct weir_address_maker *maker, enum weir_address_side side);
const uint16_t *weir_address_codes(const struct weir_address_maker *maker,
				   enum weir_address_side side);
/* Append the dictionary. */
void weir_address_write(const struct weir_address_maker *maker, struct weir_bytes *to);

/* A dictionary in a block. */
struct weir_addresses {
	uint32_t entries; /* of both sides together */
	uint32_t chunks;
	uint32_t side_entries[WEIR_ADDRESS_SIDES];
	const uint8_t *bitmap[WEIR_ADDRESS_SIDES];
	const uint8_t *table;
	const uint8_t *bits;
	size_t bits_bytes;
};

/* Look at what weir_address_write() wrote. -EBADMSG: not well formed. */
int weir_addresses_open(struct weir_addresses *addresses, const uint8_t *from, size_t bytes);
/* Whether @side has an address in [@low, @high]. */
bool weir_addresses_hold(const struct weir_addresses *addresses, enum weir_address_side side,
			 weir_address low, weir_address high);
/* Those of @side in [@low, @high] are its entries [*@first, *@end). */
void weir_addresses_range(const struct weir_addresses *addresses, enum weir_address_side side,
			  weir_address low, weir_address high, uint32_t *first, uint32_t *end);
/* Those of each side, 16 bytes each; there must be room for one more. -EBADMSG: not ascending. */
int weir_addresses_decode(const struct weir_addresses *addresses,
			  uint8_t (*to[WEIR_ADDRESS_SIDES])[16]);

#endif
