// SPDX-License-Identifier: GPL-2.0
/*
 * unpack.c - reading packed numbers.
 *
 * The loops are written for the compiler to make vector code of; each of them has
 * one chunk in the first-level cache.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "daemon/store/clones.h"
#include "daemon/store/pack.h"
#include "daemon/store/plane.h"

/* Room for planes, in pieces that do not move. */
struct piece {
	struct piece *next;
	size_t used, room;
	uint8_t data[];
};

struct weir_unpacker {
	ZSTD_DCtx *zstd;
	struct piece *pieces, *current;
};

enum { PIECE_BYTES = 1 << 20 };

uint64_t weir_cursor_number(struct weir_cursor *cursor, unsigned width)
{
	const uint8_t *at = weir_cursor_take(cursor, width);
	uint64_t value = 0;

	if (at)
		memcpy(&value, at, width);
	return le64toh(value);
}

const uint8_t *weir_cursor_take(struct weir_cursor *cursor, size_t count)
{
	const uint8_t *at = cursor->at;

	if (cursor->error || count > cursor->left) {
		cursor->error = -EBADMSG;
		return NULL;
	}
	cursor->at += count;
	cursor->left -= count;
	return at;
}

int weir_unpacker_new(struct weir_unpacker **unpacker)
{
	struct weir_unpacker *new = calloc(1, sizeof(*new));

	if (!new)
		return -ENOMEM;
	new->zstd = ZSTD_createDCtx();
	if (!new->zstd) {
		free(new);
		return -ENOMEM;
	}
	*unpacker = new;
	return 0;
}

void weir_unpacker_free(struct weir_unpacker *unpacker)
{
	struct piece *next;

	if (!unpacker)
		return;
	for (struct piece *piece = unpacker->pieces; piece; piece = next) {
		next = piece->next;
		free(piece);
	}
	ZSTD_freeDCtx(unpacker->zstd);
	free(unpacker);
}

void weir_unpacker_reset(struct weir_unpacker *unpacker)
{
	unpacker->current = unpacker->pieces;
	if (unpacker->current)
		unpacker->current->used = 0;
}

static struct piece *add_piece(struct weir_unpacker *unpacker, size_t bytes)
{
	size_t room = bytes > PIECE_BYTES ? bytes : PIECE_BYTES;
	struct piece *piece = malloc(sizeof(*piece) + room), **at = &unpacker->pieces;

	if (!piece)
		return NULL;
	piece->next = NULL;
	piece->used = 0;
	piece->room = room;
	while (*at)
		at = &(*at)->next;
	*at = piece;
	return piece;
}

static uint8_t *room_for(struct weir_unpacker *unpacker, size_t bytes)
{
	struct piece *piece = unpacker->current;
	uint8_t *data;

	while (piece && bytes > piece->room - piece->used) {
		piece = piece->next;
		if (piece)
			piece->used = 0;
	}
	if (!piece)
		piece = add_piece(unpacker, bytes);
	if (!piece)
		return NULL;
	unpacker->current = piece;
	data = piece->data + piece->used;
	piece->used += (bytes + 63) & ~(size_t)63;
	if (piece->used > piece->room)
		piece->used = piece->room;
	return data;
}

static int read_plane(struct weir_unpacker *unpacker, struct weir_cursor *data, uint32_t word,
		      struct weir_packed *packed, unsigned index)
{
	unsigned bits = word & 0xf, method = word >> 4 & 0xf;
	size_t stored = word >> 8, bytes = ((size_t)packed->count * bits + 7) / 8, got;
	const uint8_t *from = weir_cursor_take(data, stored);
	uint8_t *to;

	if (!from || (bits != 1 && bits != 2 && bits != 4 && bits != 8))
		return -EBADMSG;
	packed->plane[index].bits = bits;
	if (method == PLANE_RAW) {
		packed->plane[index].bytes = from;
		return stored == bytes ? 0 : -EBADMSG;
	}
	if (method != PLANE_ZSTD)
		return -ENOTSUP;
	to = room_for(unpacker, bytes);
	if (!to)
		return -ENOMEM;
	got = ZSTD_decompressDCtx(unpacker->zstd, to, bytes, from, stored);
	packed->plane[index].bytes = to;
	return got == bytes ? 0 : -EBADMSG;
}

int weir_unpack(struct weir_unpacker *unpacker, struct weir_cursor *from, size_t count,
		struct weir_packed *packed)
{
	unsigned planes = (unsigned)weir_cursor_number(from, 1);
	struct weir_cursor words;

	if (planes > WEIR_PACK_PLANES_MAX || count > WEIR_PACK_COUNT_MAX)
		return -EBADMSG;
	words = (struct weir_cursor){.at = weir_cursor_take(from, planes * 4), .left = planes * 4};
	if (from->error)
		return from->error;
	packed->planes = planes;
	packed->count = (uint32_t)count;
	for (unsigned i = 0; i < planes; i++) {
		uint32_t word = (uint32_t)weir_cursor_number(&words, 4);
		int ret = read_plane(unpacker, from, word, packed, i);

		if (ret)
			return ret;
	}
	return 0;
}

/* Fields of plane @index, as bytes: in place if they are bytes, else spread into @spread. */
WEIR_CLONES
static const uint8_t *plane_bytes(const struct weir_packed *packed, unsigned index, size_t first,
				  size_t count, uint8_t *spread)
{
	unsigned bits = packed->plane[index].bits;
	const uint8_t *from = packed->plane[index].bytes + first * bits / 8;
	size_t bytes = (count * bits + 7) / 8;

	if (bits == 8)
		return from;
	if (bits == 4) {
		for (size_t i = 0; i < bytes; i++) {
			spread[2 * i] = from[i] & 15;
			spread[2 * i + 1] = from[i] >> 4;
		}
	} else if (bits == 2) {
		for (size_t i = 0; i < bytes; i++) {
			spread[4 * i] = from[i] & 3;
			spread[4 * i + 1] = from[i] >> 2 & 3;
			spread[4 * i + 2] = from[i] >> 4 & 3;
			spread[4 * i + 3] = from[i] >> 6;
		}
	} else {
		for (size_t i = 0; i < bytes; i++) {
			uint64_t eight = from[i] * 0x0101010101010101ULL & 0x8040201008040201ULL;

			/* Byte n keeps bit n; make it 0 or 1. */
			eight = htole64(((eight + 0x7f7f7f7f7f7f7f7fULL) | eight) >> 7 &
					0x0101010101010101ULL);
			memcpy(spread + 8 * i, &eight, 8);
		}
	}
	return spread;
}

WEIR_CLONES
static void add_plane(const uint8_t *bytes, size_t count, unsigned shift, uint64_t *numbers)
{
	if (!shift)
		for (size_t i = 0; i < count; i++)
			numbers[i] = bytes[i];
	else
		for (size_t i = 0; i < count; i++)
			numbers[i] |= (uint64_t)bytes[i] << shift;
}

void weir_packed_read(const struct weir_packed *packed, size_t first, size_t count,
		      uint64_t *numbers)
{
	uint8_t spread[WEIR_PACK_CHUNK + 8];

	if (!packed->planes)
		memset(numbers, 0, count * sizeof(*numbers));
	for (unsigned p = 0; p < packed->planes; p++) {
		const uint8_t *bytes = plane_bytes(packed, p, first, count, spread);

		add_plane(bytes, count, 8 * p, numbers);
	}
}

WEIR_CLONES
static void join_planes(const uint8_t *low, const uint8_t *high, size_t count, uint16_t *numbers)
{
	if (!high)
		for (size_t i = 0; i < count; i++)
			numbers[i] = low[i];
	else
		for (size_t i = 0; i < count; i++)
			numbers[i] = (uint16_t)(low[i] | high[i] << 8);
}

void weir_packed_read16(const struct weir_packed *packed, size_t first, size_t count,
			uint16_t *numbers)
{
	uint8_t spread[2][WEIR_PACK_CHUNK + 8];
	const uint8_t *low, *high = NULL;

	if (!packed->planes) {
		memset(numbers, 0, count * sizeof(*numbers));
		return;
	}
	low = plane_bytes(packed, 0, first, count, spread[0]);
	if (packed->planes > 1)
		high = plane_bytes(packed, 1, first, count, spread[1]);
	join_planes(low, high, count, numbers);
}
