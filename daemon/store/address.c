// SPDX-License-Identifier: GPL-2.0
/*
 * address.c - making the dictionary of a block's addresses.
 *
 * A hash table finds the distinct ones, which are far fewer than flows; these are sorted
 * byte by byte from the last one (passing over bytes that are the same in all), and
 * ranks go back to the flows. The table's hash is seeded: anyone can send from any address.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/store/address.h"
#include "daemon/store/address_disk.h"

enum {
	FLOWS_MAX = 65536,
	DISTINCT_MAX = 2 * FLOWS_MAX,
	SLOTS = 2 * DISTINCT_MAX,
	BITMAP_WORDS = DISTINCT_MAX / 64,
};

struct distinct {
	weir_address address;
	uint32_t number; /* in the order they came */
};

struct weir_address_maker {
	uint64_t seed[2];
	uint32_t count; /* flows */
	uint32_t distinct; /* addresses */
	uint32_t slots[SLOTS]; /* number + 1, 0: free */
	uint32_t flows[WEIR_ADDRESS_SIDES][FLOWS_MAX]; /* number of each flow's address */
	struct distinct list[DISTINCT_MAX], other[DISTINCT_MAX];
	struct distinct *sorted; /* one of the two */
	uint64_t bitmap[WEIR_ADDRESS_SIDES][BITMAP_WORDS]; /* of sorted */
	uint32_t place[DISTINCT_MAX]; /* number -> index in sorted */
	uint16_t rank[DISTINCT_MAX]; /* number -> rank in the side being worked on */
	uint32_t entries[WEIR_ADDRESS_SIDES];
	uint16_t codes[WEIR_ADDRESS_SIDES][FLOWS_MAX];
};

weir_address weir_address_load(const uint8_t bytes[16])
{
	uint64_t half[2];

	memcpy(half, bytes, 16);
	return (weir_address)be64toh(half[0]) << 64 | be64toh(half[1]);
}

void weir_address_store(weir_address address, uint8_t bytes[16])
{
	uint64_t half[2] = {htobe64((uint64_t)(address >> 64)), htobe64((uint64_t)address)};

	memcpy(bytes, half, 16);
}

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

static uint32_t slot_of(const struct weir_address_maker *maker, weir_address address)
{
	uint64_t a = (uint64_t)address ^ maker->seed[0];
	uint64_t b = (uint64_t)(address >> 64) ^ maker->seed[1];
	weir_address product = (weir_address)a * (b | 1);

	return (uint32_t)(((uint64_t)product ^ (uint64_t)(product >> 64)) *
				  0x9e3779b97f4a7c15ULL >>
			  40) %
	       SLOTS;
}

static uint32_t number_of(struct weir_address_maker *maker, weir_address address)
{
	uint32_t slot = slot_of(maker, address);

	for (; maker->slots[slot]; slot = (slot + 1) % SLOTS) {
		uint32_t number = maker->slots[slot] - 1;

		if (maker->list[number].address == address)
			return number;
	}
	maker->list[maker->distinct] = (struct distinct){address, maker->distinct};
	maker->slots[slot] = ++maker->distinct;
	return maker->distinct - 1;
}

/* One pass of a radix sort, by the byte @shift bits from the right. False: all are the same there. */
static bool sort_byte(const struct distinct *from, struct distinct *to, uint32_t count,
		      unsigned shift)
{
	uint32_t starts[256] = {0}, sum = 0;

	for (uint32_t i = 0; i < count; i++)
		starts[(uint8_t)(from[i].address >> shift)]++;
	if (starts[(uint8_t)(from[0].address >> shift)] == count)
		return false;
	for (unsigned i = 0; i < 256; i++) {
		uint32_t here = starts[i];

		starts[i] = sum;
		sum += here;
	}
	for (uint32_t i = 0; i < count; i++)
		to[starts[(uint8_t)(from[i].address >> shift)]++] = from[i];
	return true;
}

static void sort(struct weir_address_maker *maker)
{
	struct distinct *from = maker->list, *to = maker->other;

	for (unsigned shift = 0; shift < 128; shift += 8) {
		if (sort_byte(from, to, maker->distinct, shift)) {
			struct distinct *swap = from;

			from = to;
			to = swap;
		}
	}
	maker->sorted = from;
	for (uint32_t i = 0; i < maker->distinct; i++)
		maker->place[from[i].number] = i;
}

/* Who is on @side, and the ranks of these. */
static void rank(struct weir_address_maker *maker, enum weir_address_side side)
{
	uint64_t *bitmap = maker->bitmap[side];
	const uint32_t *flows = maker->flows[side];
	uint32_t entries = 0;

	memset(bitmap, 0, sizeof(maker->bitmap[side]));
	for (uint32_t i = 0; i < maker->count; i++) {
		uint32_t place = maker->place[flows[i]];

		bitmap[place / 64] |= 1ULL << place % 64;
	}
	for (uint32_t i = 0; i < maker->distinct; i++)
		if (bitmap[i / 64] >> i % 64 & 1)
			maker->rank[maker->sorted[i].number] = (uint16_t)entries++;
	for (uint32_t i = 0; i < maker->count; i++)
		maker->codes[side][i] = maker->rank[flows[i]];
	maker->entries[side] = entries;
}

void weir_address_make(struct weir_address_maker *maker, const struct weir_flow *flows,
		       uint32_t count)
{
	memset(maker->slots, 0, sizeof(maker->slots));
	maker->count = count;
	maker->distinct = 0;
	for (uint32_t i = 0; i < count; i++) {
		maker->flows[WEIR_ADDRESS_SRC][i] =
			number_of(maker, weir_address_load(flows[i].src_addr));
		maker->flows[WEIR_ADDRESS_DST][i] =
			number_of(maker, weir_address_load(flows[i].dst_addr));
	}
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

/* How many from @first on make a chunk. Between mapped IPv4 and IPv6 a new one starts: the step over
 * would make all of its fields wide. */
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
