// SPDX-License-Identifier: GPL-2.0
/* codec_address.c - codes of addresses, and columns that follow from them. */
#include <string.h>

#include "daemon/store/coder.h"

/* The value that most records of each address have, if one has more than half (Boyer and Moore);
 * else some value of it. Into coder->rest. */
static void vote(struct weir_coder *coder, const uint16_t *codes, uint32_t entries)
{
	const uint64_t *numbers = weir_coder_numbers(coder);
	uint64_t *chosen = coder->rest;
	uint32_t *votes = coder->votes, count = coder->count;

	memset(votes, 0, entries * sizeof(*votes));
	for (uint32_t i = 0; i < count; i++) {
		uint16_t code = codes[i];

		if (!votes[code])
			chosen[code] = numbers[i];
		votes[code] += chosen[code] == numbers[i] ? 1U : -1U;
	}
}

/* frame of a value for each address, u32 exceptions, frame of their rows (the distance to the
 * one before, less one), frame of their values. */
bool weir_coder_write_map(struct weir_coder *coder, enum weir_column_id base, struct weir_bytes *to)
{
	const uint16_t *codes = coder->rows->codes[base];
	uint32_t entries = coder->rows->entries[base], exceptions = 0, next = 0;
	uint32_t count = coder->count, most = count / 8;
	const uint64_t *numbers = weir_coder_numbers(coder);
	uint64_t *distances = coder->base, *values = coder->base + ROWS / 2;

	if (entries > count - most)
		return false;
	vote(coder, codes, entries);
	for (uint32_t i = 0; i < count; i++) {
		if (numbers[i] == coder->rest[codes[i]])
			continue;
		if (exceptions == most)
			return false;
		distances[exceptions] = i - next;
		values[exceptions++] = numbers[i];
		next = i + 1;
	}
	weir_coder_put_frame(coder, coder->rest, entries, to);
	weir_bytes_put_number(to, exceptions, 4);
	weir_coder_put_frame(coder, distances, exceptions, to);
	weir_coder_put_frame(coder, values, exceptions, to);
	return true;
}

/* packed: for each address how many records have it, less one. */
bool weir_coder_write_runs(struct weir_coder *coder, struct weir_bytes *to)
{
	const uint16_t *codes = coder->rows->codes[coder->column->id];
	uint32_t entries = coder->rows->entries[coder->column->id], count = coder->count;

	for (uint32_t i = 1; i < count; i++)
		if (codes[i] < codes[i - 1])
			return false;
	memset(coder->work, 0, entries * sizeof(*coder->work));
	for (uint32_t i = 0; i < count; i++)
		coder->work[codes[i]]++;
	for (uint32_t i = 0; i < entries; i++)
		coder->work[i]--;
	weir_pack(coder->packer, coder->work, entries, to);
	return true;
}

/* packed: the code, less the one before if that has the same code of the base column. */
bool weir_coder_write_ascending(struct weir_coder *coder, enum weir_column_id base,
				struct weir_bytes *to)
{
	const uint16_t *codes = coder->rows->codes[coder->column->id];
	const uint16_t *other = coder->rows->codes[base];
	uint32_t wrong = 0;

	coder->work16[0] = codes[0];
	for (uint32_t i = 1; i < coder->count; i++) {
		uint16_t last = other[i] == other[i - 1] ? codes[i - 1] : 0;

		wrong |= codes[i] < last;
		coder->work16[i] = (uint16_t)(codes[i] - last);
	}
	if (wrong)
		return false;
	weir_pack16(coder->packer, coder->work16, coder->count, to);
	return true;
}

bool weir_coder_write_codes(struct weir_coder *coder, struct weir_bytes *to)
{
	weir_pack16(coder->packer, coder->rows->codes[coder->column->id], coder->count, to);
	return true;
}
