// SPDX-License-Identifier: GPL-2.0
/*
 * address.c - making the dictionary of a block's addresses.
 *
 * A hash table finds the distinct ones, which are far fewer than flows; these are sorted,
 * mapped IPv4 as the 32 bits they are and all others byte by byte, and ranks go back to the
 * flows. The table's hash is seeded: anyone can send from any address. It starts
 * small, as what stays in the second-level cache is what makes it fast.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/store/address.h"
#include "daemon/store/address_disk.h"

enum {
	FLOWS_MAX = 65536,
	DISTINCT_MAX = 2 * FLOWS_MAX,
	SLOTS_MIN = 16384,
	SLOTS_MAX = 2 * DISTINCT_MAX,
	BITMAP_WORDS = DISTINCT_MAX / 64,
	FILL_PART = 4, /* slots for an address while there is room: fewer would often miss at first */
	BATCH = 32, /* flows whose slots are fetched before they are looked at */
};

struct distinct {
	weir_address address;
	uint32_t number; /* in the order they came */
};

struct weir_address_maker {
	uint64_t seed[2];
	uint32_t count;		   /* flows */
	uint32_t distinct;	   /* addresses */
	uint32_t slot_count;	   /* a power of two */
	uint32_t slots[SLOTS_MAX]; /* number + 1, 0: free */
	weir_address list[DISTINCT_MAX];
	uint8_t seen[DISTINCT_MAX];		       /* bit of each side: by number */
	uint32_t flows[WEIR_ADDRESS_SIDES][FLOWS_MAX]; /* number of each flow's address */
	struct distinct sorted[DISTINCT_MAX], other[DISTINCT_MAX];
	uint64_t ipv4[2][DISTINCT_MAX];			   /* address << 32 | number */
	uint64_t bitmap[WEIR_ADDRESS_SIDES][BITMAP_WORDS]; /* of sorted */
	uint16_t rank[DISTINCT_MAX]; /* number -> rank in the side being worked on */
	uint32_t entries[WEIR_ADDRESS_SIDES];
	uint16_t codes[WEIR_ADDRESS_SIDES][FLOWS_MAX];
};

int weir_address_maker_new(struct weir_address_maker **maker)
{
	struct weir_address_maker *new = calloc(1, sizeof(*new));

	if (!new)
		return -ENOMEM;
	if (getrandom(new->seed, sizeof(new->seed), 0) != sizeof(new->seed)) {
		free(new);
		return -errno;
	}
	*maker = new;
	return 0;
}

void weir_address_maker_free(struct weir_address_maker *maker)
{
	free(maker);
}

static uint32_t hash_of(const struct weir_address_maker *maker, weir_address address)
{
	uint64_t a = (uint64_t)address ^ maker->seed[0];
	uint64_t b = (uint64_t)(address >> 64) ^ maker->seed[1];
	weir_address product = (weir_address)a * (b | 1);

	return (uint32_t)(((uint64_t)product ^ (uint64_t)(product >> 64)) * 0x9e3779b97f4a7c15ULL >>
			  32);
}

/* Twice the slots, and all numbers put in again. */
static void grow(struct weir_address_maker *maker)
{
	maker->slot_count *= 2;
	memset(maker->slots, 0, maker->slot_count * sizeof(*maker->slots));
	for (uint32_t number = 0; number < maker->distinct; number++) {
		uint32_t slot = hash_of(maker, maker->list[number]) % maker->slot_count;

		while (maker->slots[slot])
			slot = (slot + 1) % maker->slot_count;
		maker->slots[slot] = number + 1;
	}
}

static uint32_t number_of(struct weir_address_maker *maker, weir_address address, uint32_t hash)
{
	uint32_t mask = maker->slot_count - 1, slot = hash & mask;

	for (; maker->slots[slot]; slot = (slot + 1) & mask) {
		uint32_t number = maker->slots[slot] - 1;

		if (maker->list[number] == address)
			return number;
	}
	maker->list[maker->distinct] = address;
	maker->seen[maker->distinct] = 0;
	maker->slots[slot] = ++maker->distinct;
	if (FILL_PART * maker->distinct > maker->slot_count && maker->slot_count < SLOTS_MAX)
		grow(maker);
	return maker->distinct - 1;
}

static void number_batch(struct weir_address_maker *maker, const struct weir_flow *flows,
			 uint32_t first, uint32_t count)
{
	weir_address addresses[WEIR_ADDRESS_SIDES][BATCH];
	uint32_t hashes[WEIR_ADDRESS_SIDES][BATCH], mask = maker->slot_count - 1;

	for (uint32_t i = 0; i < count; i++) {
		__builtin_prefetch(&flows[first + i + BATCH]); /* past the last one, nothing happens */
		addresses[WEIR_ADDRESS_SRC][i] = weir_address_load(flows[first + i].src_addr);
		addresses[WEIR_ADDRESS_DST][i] = weir_address_load(flows[first + i].dst_addr);
		for (unsigned side = 0; side < WEIR_ADDRESS_SIDES; side++) {
			hashes[side][i] = hash_of(maker, addresses[side][i]);
			__builtin_prefetch(&maker->slots[hashes[side][i] & mask]);
		}
	}
	/* What the first slot says is right, mostly. */
	for (unsigned side = 0; side < WEIR_ADDRESS_SIDES; side++) {
		for (uint32_t i = 0; i < count; i++) {
			uint32_t slot = maker->slots[hashes[side][i] & mask];

			__builtin_prefetch(&maker->list[slot - (slot > 0)]);
		}
	}
	for (uint32_t i = 0; i < count; i++) {
		for (unsigned side = 0; side < WEIR_ADDRESS_SIDES; side++) {
			uint32_t number = number_of(maker, addresses[side][i], hashes[side][i]);

			maker->flows[side][first + i] = number;
			maker->seen[number] |= 1 << side;
		}
	}
}

/* Where each of 256 digits starts, made of how often each comes. */
static void sum_up(uint32_t starts[256])
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < 256; i++) {
		uint32_t here = starts[i];

		starts[i] = sum;
		sum += here;
	}
}

/* One pass of a radix sort, by the byte @shift bits from the right. False: all are the same there.
 */
static bool sort_byte(const struct distinct *from, struct distinct *to, uint32_t count,
		      unsigned shift)
{
	uint32_t starts[256] = {0};

	for (uint32_t i = 0; i < count; i++)
		starts[(uint8_t)(from[i].address >> shift)]++;
	if (starts[(uint8_t)(from[0].address >> shift)] == count)
		return false;
	sum_up(starts);
	for (uint32_t i = 0; i < count; i++)
		to[starts[(uint8_t)(from[i].address >> shift)]++] = from[i];
	return true;
}

/* Sorts @count in @list, with @other for room. Returns where they are. */
static struct distinct *sort_long(struct distinct *list, struct distinct *other, uint32_t count)
{
	for (unsigned shift = 0; shift < 128 && count; shift += 8) {
		if (sort_byte(list, other, count, shift)) {
			struct distinct *swap = list;

			list = other;
			other = swap;
		}
	}
	return list;
}

/* Into ipv4[0] again, after four passes. */
static void sort_ipv4(uint64_t (*ipv4)[DISTINCT_MAX], uint32_t count)
{
	for (unsigned pass = 0; pass < 4; pass++) {
		const uint64_t *from = ipv4[pass % 2];
		uint64_t *to = ipv4[1 - pass % 2];
		uint32_t starts[256] = {0};
		unsigned shift = 32 + 8 * pass;

		for (uint32_t i = 0; i < count; i++)
			starts[(uint8_t)(from[i] >> shift)]++;
		sum_up(starts);
		for (uint32_t i = 0; i < count; i++)
			to[starts[(uint8_t)(from[i] >> shift)]++] = from[i];
	}
}

static const weir_address mapped = (weir_address)0xffff << 32; /* ::ffff:0:0/96 */

static void sort(struct weir_address_maker *maker)
{
	uint32_t others = 0, ipv4 = 0, before = 0, at;
	struct distinct *list;

	for (uint32_t i = 0; i < maker->distinct; i++) {
		weir_address address = maker->list[i];

		if (address >> 32 == mapped >> 32) {
			maker->ipv4[0][ipv4++] = (uint64_t)address << 32 | i;
		} else {
			maker->other[others++] = (struct distinct){address, i};
			before += address < mapped;
		}
	}
	sort_ipv4(maker->ipv4, ipv4);
	list = sort_long(maker->other, maker->sorted, others);
	/* IPv4 belongs between two parts of the rest, which may be in the very place it goes to. */
	if (list == maker->sorted)
		memcpy(maker->other, list, others * sizeof(*list));
	memcpy(maker->sorted, maker->other, before * sizeof(*list));
	for (uint32_t i = 0; i < ipv4; i++)
		maker->sorted[before + i] = (struct distinct){mapped | maker->ipv4[0][i] >> 32,
							      (uint32_t)maker->ipv4[0][i]};
	at = before + ipv4;
	memcpy(maker->sorted + at, maker->other + before, (others - before) * sizeof(*list));
}

/* Ranks of those on @side, and from them the codes of its flows. */
static void rank(struct weir_address_maker *maker, enum weir_address_side side)
{
	uint64_t *bitmap = maker->bitmap[side];
	const uint32_t *flows = maker->flows[side];
	uint32_t entries = 0;

	memset(bitmap, 0, (maker->distinct + 63) / 64 * sizeof(*bitmap));
	for (uint32_t i = 0; i < maker->distinct; i++) {
		uint32_t number = maker->sorted[i].number;
		uint32_t here = maker->seen[number] >> side & 1;

		bitmap[i / 64] |= (uint64_t)here << i % 64;
		maker->rank[number] = (uint16_t)entries;
		entries += here;
	}
	for (uint32_t i = 0; i < maker->count; i++)
		maker->codes[side][i] = maker->rank[flows[i]];
	maker->entries[side] = entries;
}

void weir_address_make(struct weir_address_maker *maker, const struct weir_flow *flows,
		       uint32_t count)
{
	maker->slot_count = SLOTS_MIN;
	while (maker->slot_count < count) /* rather than grow half way */
		maker->slot_count *= 2;
	memset(maker->slots, 0, maker->slot_count * sizeof(*maker->slots));
	maker->count = count;
	maker->distinct = 0;
	for (uint32_t first = 0; first < count; first += BATCH)
		number_batch(maker, flows, first, count - first < BATCH ? count - first : BATCH);
	sort(maker);
	rank(maker, WEIR_ADDRESS_SRC);
	rank(maker, WEIR_ADDRESS_DST);
}

uint32_t weir_address_entries(const struct weir_address_maker *maker, enum weir_address_side side)
{
	return maker->entries[side];
}

const uint16_t *weir_address_codes(const struct weir_address_maker *maker,
				   enum weir_address_side side)
{
	return maker->codes[side];
}

static void put_bitmap(const struct weir_address_maker *maker, enum weir_address_side side,
		       struct weir_bytes *to)
{
	size_t bytes = (maker->distinct + 7) / 8;

	for (size_t at = 0; at < bytes; at += 8)
		weir_bytes_put_number(to, maker->bitmap[side][at / 8],
				      bytes - at < 8 ? (unsigned)(bytes - at) : 8);
}

/* How many from @first on make a chunk. Between mapped IPv4 and IPv6 a new one starts: the step
 * over would make all of its fields wide. */
static uint32_t chunk_length(const struct distinct *sorted, uint32_t first, uint32_t end)
{
	uint32_t last = first;

	while (last < end && last - first < ADDRESS_CHUNK &&
	       !(sorted[last].address >> 64) == !(sorted[first].address >> 64))
		last++;
	return last - first;
}

static unsigned field_bits(const struct distinct *sorted, uint32_t first, uint32_t count)
{
	weir_address any = 0;
	unsigned bits = 0;

	for (uint32_t i = first + 1; i < first + count; i++)
		any |= sorted[i].address - sorted[i - 1].address;
	while (any) {
		bits++;
		any >>= 1;
	}
	return bits;
}

static void put_bits(uint8_t *to, size_t at, weir_address value, unsigned bits)
{
	while (bits) {
		unsigned shift = at % 8, some = bits < 8 - shift ? bits : 8 - shift;

		to[at / 8] |= (uint8_t)(value << shift);
		value >>= some;
		at += some;
		bits -= some;
	}
}

static void put_chunk(const struct distinct *sorted, uint32_t first, uint32_t count,
		      struct weir_bytes *table, struct weir_bytes *to)
{
	unsigned bits = field_bits(sorted, first, count);
	size_t bytes = ((count - 1) * bits + 7) / 8, offset = to->count;
	uint8_t address[16], *fields = weir_bytes_add(to, bytes);

	weir_address_store(sorted[first].address, address);
	weir_bytes_put(table, address, 16);
	weir_bytes_put_number(table, first, 4);
	weir_bytes_put_number(table, offset << 8 | bits, 4);
	if (!fields)
		return;
	memset(fields, 0, bytes);
	for (uint32_t i = 1; i < count; i++)
		put_bits(fields, (i - 1) * bits,
			 sorted[first + i].address - sorted[first + i - 1].address, bits);
}

void weir_address_write(const struct weir_address_maker *maker, struct weir_bytes *to)
{
	struct weir_bytes table = {0}, bits = {0};
	uint32_t chunks = 0;

	for (uint32_t first = 0; first < maker->distinct; chunks++) {
		uint32_t count = chunk_length(maker->sorted, first, maker->distinct);

		put_chunk(maker->sorted, first, count, &table, &bits);
		first += count;
	}
	weir_bytes_put_number(to, maker->distinct, 4);
	weir_bytes_put_number(to, chunks, 4);
	put_bitmap(maker, WEIR_ADDRESS_SRC, to);
	put_bitmap(maker, WEIR_ADDRESS_DST, to);
	weir_bytes_put(to, table.data, table.count);
	weir_bytes_put(to, bits.data, bits.count);
	/* So that a field may be read with more than its bytes. */
	weir_bytes_put(to, (const uint8_t[ADDRESS_PADDING]){0}, ADDRESS_PADDING);
	if (table.error || bits.error)
		to->error = -ENOMEM;
	weir_bytes_free(&table);
	weir_bytes_free(&bits);
}
