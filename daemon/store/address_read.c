// SPDX-License-Identifier: GPL-2.0
/* address_read.c - searching and decoding a block's dictionary of addresses. */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "daemon/store/address.h"
#include "daemon/store/address_disk.h"

enum { ENTRIES_MAX = 131072 };

struct chunk {
	weir_address first;
	uint32_t index, count;
	unsigned bits;
	const uint8_t *fields;
};

static uint32_t load32(const uint8_t *from)
{
	uint32_t value;

	memcpy(&value, from, sizeof(value));
	return le32toh(value);
}

static const uint8_t *row(const struct weir_addresses *a, uint32_t chunk)
{
	return a->table + (size_t)chunk * ADDRESS_CHUNK_BYTES;
}

static uint32_t index_of(const struct weir_addresses *a, uint32_t chunk)
{
	return chunk < a->chunks ? load32(row(a, chunk) + 16) : a->entries;
}

/* All that was checked by weir_addresses_open(). */
static struct chunk get_chunk(const struct weir_addresses *a, uint32_t number)
{
	const uint8_t *from = row(a, number);
	uint32_t word = load32(from + 20), index = index_of(a, number);

	return (struct chunk){.first = weir_address_load(from),
			      .index = index,
			      .count = index_of(a, number + 1) - index,
			      .bits = word & 0xff,
			      .fields = a->bits + (word >> 8)};
}

static bool is_sound(const struct weir_addresses *a, uint32_t number)
{
	uint32_t word = load32(row(a, number) + 20), bits = word & 0xff, offset = word >> 8;
	uint32_t index = index_of(a, number), next = index_of(a, number + 1);

	if (next <= index || next - index > ADDRESS_CHUNK || next > a->entries || bits > 128)
		return false;
	return offset <= a->bits_bytes &&
	       ((size_t)(next - index - 1) * bits + 7) / 8 <= a->bits_bytes - offset;
}

static uint32_t count_bits(const uint8_t *bitmap, uint32_t count)
{
	uint32_t sum = 0, at = 0;

	for (; at + 64 <= count; at += 64) {
		uint64_t word;

		memcpy(&word, bitmap + at / 8, 8);
		sum += (uint32_t)__builtin_popcountll(word);
	}
	for (; at < count; at++)
		sum += bitmap[at / 8] >> at % 8 & 1;
	return sum;
}

int weir_addresses_open(struct weir_addresses *a, const uint8_t *from, size_t bytes)
{
	struct weir_cursor cursor = {.at = from, .left = bytes};

	a->entries = (uint32_t)weir_cursor_number(&cursor, 4);
	a->chunks = (uint32_t)weir_cursor_number(&cursor, 4);
	if (!a->entries || a->entries > ENTRIES_MAX || !a->chunks || a->chunks > a->entries)
		return -EBADMSG;
	for (unsigned side = 0; side < WEIR_ADDRESS_SIDES; side++)
		a->bitmap[side] = weir_cursor_take(&cursor, (a->entries + 7) / 8);
	a->table = weir_cursor_take(&cursor, (size_t)a->chunks * ADDRESS_CHUNK_BYTES);
	a->bits = cursor.at;
	if (cursor.error || cursor.left < ADDRESS_PADDING)
		return -EBADMSG;
	a->bits_bytes = cursor.left - ADDRESS_PADDING;
	if (index_of(a, 0))
		return -EBADMSG;
	for (uint32_t i = 0; i < a->chunks; i++)
		if (!is_sound(a, i))
			return -EBADMSG;
	for (unsigned side = 0; side < WEIR_ADDRESS_SIDES; side++)
		a->side_entries[side] = count_bits(a->bitmap[side], a->entries);
	return 0;
}

/* A field reaches into 17 bytes at most; there is so much behind the last one. */
static weir_address get_field(const uint8_t *fields, size_t at, unsigned bits)
{
	const uint8_t *from = fields + at / 8;
	unsigned shift = at % 8;
	weir_address value;
	uint64_t low, high;

	memcpy(&low, from, 8);
	low = le64toh(low);
	if (bits <= 57)
		return low >> shift & (((uint64_t)1 << bits) - 1);
	memcpy(&high, from + 8, 8);
	value = ((weir_address)le64toh(high) << 64 | low) >> shift;
	if (shift)
		value |= (weir_address)from[16] << (128 - shift);
	return bits < 128 ? value & (((weir_address)1 << bits) - 1) : value;
}

/* The last chunk that starts at or below @address; the first if none does. */
static uint32_t find_chunk(const struct weir_addresses *a, weir_address address)
{
	uint32_t low = 0, high = a->chunks;

	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (weir_address_load(row(a, middle)) <= address)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* Index of the first entry that is not below @address. */
static uint32_t find(const struct weir_addresses *a, weir_address address)
{
	struct chunk chunk = get_chunk(a, find_chunk(a, address));
	weir_address here = chunk.first;
	uint32_t i = 0;

	while (here < address && ++i < chunk.count)
		here += get_field(chunk.fields, (size_t)(i - 1) * chunk.bits, chunk.bits);
	return chunk.index + i;
}

static bool any_bit(const uint8_t *bitmap, uint32_t first, uint32_t end)
{
	for (; first < end && first % 8; first++)
		if (bitmap[first / 8] >> first % 8 & 1)
			return true;
	for (; first + 8 <= end; first += 8)
		if (bitmap[first / 8])
			return true;
	for (; first < end; first++)
		if (bitmap[first / 8] >> first % 8 & 1)
			return true;
	return false;
}

bool weir_addresses_hold(const struct weir_addresses *a, enum weir_address_side side,
			 weir_address low, weir_address high)
{
	uint32_t first = find(a, low), end = a->entries;

	if (high + 1)
		end = find(a, high + 1);
	return any_bit(a->bitmap[side], first, end);
}

void weir_addresses_range(const struct weir_addresses *a, enum weir_address_side side,
			  weir_address low, weir_address high, uint32_t *first, uint32_t *end)
{
	*first = count_bits(a->bitmap[side], find(a, low));
	*end = high + 1 ? count_bits(a->bitmap[side], find(a, high + 1)) : a->side_entries[side];
	/* What was not decoded may not ascend. */
	if (*end < *first)
		*end = *first;
}

static unsigned bit(const uint8_t *bitmap, uint32_t index)
{
	return bitmap[index / 8] >> index % 8 & 1;
}

/* Where the next address of each side goes; one that is not on a side is overwritten. */
struct outlets {
	uint8_t (*src)[16], (*dst)[16];
};

/* False: a step of zero, or beyond the last address there is. */
static bool decode_chunk(const struct weir_addresses *a, const struct chunk *chunk,
			 weir_address *last, struct outlets *outlets)
{
	const uint8_t *is_src = a->bitmap[WEIR_ADDRESS_SRC], *is_dst = a->bitmap[WEIR_ADDRESS_DST];
	uint8_t(*src)[16] = outlets->src, (*dst)[16] = outlets->dst;
	weir_address here = chunk->first, before = 0;
	uint32_t wrong = 0;

	for (uint32_t i = 0;; i++) {
		weir_address_store(here, *src);
		weir_address_store(here, *dst);
		src += bit(is_src, chunk->index + i);
		dst += bit(is_dst, chunk->index + i);
		wrong |= i && here <= before;
		if (i + 1 == chunk->count)
			break;
		before = here;
		here += get_field(chunk->fields, (size_t)i * chunk->bits, chunk->bits);
	}
	*outlets = (struct outlets){src, dst};
	*last = here;
	return !wrong;
}

int weir_addresses_decode(const struct weir_addresses *a, uint8_t (*to[WEIR_ADDRESS_SIDES])[16])
{
	struct outlets outlets = {to[WEIR_ADDRESS_SRC], to[WEIR_ADDRESS_DST]};
	weir_address last = 0;

	for (uint32_t number = 0; number < a->chunks; number++) {
		struct chunk chunk = get_chunk(a, number);

		if (number && chunk.first <= last)
			return -EBADMSG;
		if (!decode_chunk(a, &chunk, &last, &outlets))
			return -EBADMSG;
	}
	return 0;
}
