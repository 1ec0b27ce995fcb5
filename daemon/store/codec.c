// SPDX-License-Identifier: GPL-2.0
/* codec.c - writing columns; decode.c reads them, choose.c says by which codec. */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/coder.h"

enum { DIVISOR_SAMPLE = 64 };

int weir_coder_new(unsigned key_parts, unsigned parts, struct weir_coder **coder)
{
	struct weir_coder *new = calloc(1, sizeof(*new));
	int ret;

	if (!new)
		return -ENOMEM;
	ret = weir_packer_new(&new->packer);
	if (ret) {
		free(new);
		return ret;
	}
	new->key_parts = key_parts;
	new->parts = parts;
	*coder = new;
	return 0;
}

void weir_coder_free(struct weir_coder *coder)
{
	if (!coder)
		return;
	weir_packer_free(coder->packer);
	free(coder);
}

uint64_t weir_codec_number(const struct weir_column *column, const uint8_t *at)
{
	uint64_t value = 0;

	if (column->number) {
		/* Host order in memory. */
		switch (column->width) {
		case 1:
			return *at;
		case 2:
			return *(const uint16_t *)at;
		case 4:
			return *(const uint32_t *)at;
		default:
			return *(const uint64_t *)at;
		}
	}
	for (unsigned i = 0; i < column->width; i++)
		value = value << 8 | at[i];
	return value;
}

#define WIDEN(type)                                                                                \
	for (uint32_t i = 0; i < count; i++)                                                       \
	to[i] = ((const type *)from)[i]

WEIR_CLONES
static void widen_numbers(const uint8_t *from, unsigned width, uint32_t count, uint64_t *to)
{
	if (width == 1)
		WIDEN(uint8_t);
	else if (width == 2)
		WIDEN(uint16_t);
	else
		WIDEN(uint32_t);
}

/* Two bytes more than the last one has are read. */
static void widen_macs(const uint8_t *from, uint32_t count, uint64_t *to)
{
	for (uint32_t i = 0; i < count; i++) {
		uint64_t value;

		memcpy(&value, from + (size_t)i * 6, sizeof(value));
		to[i] = be64toh(value) >> 16;
	}
}

/* Column @id as numbers; in @room if they are not such already. */
static const uint64_t *widen(const struct weir_codec_rows *rows, enum weir_column_id id,
			     uint64_t *room)
{
	const struct weir_column *column = weir_column_find(id);
	const uint8_t *from = rows->values[id];

	if (column->number && column->width == 8)
		return (const uint64_t *)from;
	if (column->number)
		widen_numbers(from, column->width, rows->count, room);
	else
		widen_macs(from, rows->count, room);
	return room;
}

const uint64_t *weir_coder_numbers(struct weir_coder *coder)
{
	if (!coder->numbers)
		coder->numbers = widen(coder->rows, coder->column->id, coder->wide);
	return coder->numbers;
}

#define BOUNDS(type)                                                                               \
	do {                                                                                       \
		type least = (type)UINT64_MAX, most = 0;                                           \
		for (uint32_t i = 0; i < count; i++) {                                             \
			type value = ((const type *)values)[i];                                    \
			least = value < least ? value : least;                                     \
			most = value > most ? value : most;                                        \
		}                                                                                  \
		*min = least;                                                                      \
		*max = most;                                                                       \
	} while (0)

WEIR_CLONES
static void find_bounds(const uint8_t *values, unsigned width, uint32_t count, uint64_t *min,
			uint64_t *max)
{
	if (width == 1)
		BOUNDS(uint8_t);
	else if (width == 2)
		BOUNDS(uint16_t);
	else if (width == 4)
		BOUNDS(uint32_t);
	else
		BOUNDS(uint64_t);
}

void weir_coder_load(struct weir_coder *coder, const struct weir_codec_rows *rows,
		     enum weir_column_id id, uint64_t *min, uint64_t *max)
{
	coder->rows = rows;
	coder->column = weir_column_find(id);
	coder->values = rows->values[id];
	coder->count = rows->count;
	coder->numbers = NULL;
	weir_packer_expect(coder->packer,
			   id <= WEIR_COLUMN_DST_PORT ? coder->key_parts : coder->parts);
	*min = *max = 0;
	if (id <= WEIR_COLUMN_DST_ADDR)
		return;
	if (coder->column->number)
		find_bounds(coder->values, coder->column->width, rows->count, min, max);
	else
		find_bounds((const uint8_t *)weir_coder_numbers(coder), 8, rows->count, min, max);
	coder->min = *min;
	coder->max = *max;
}

static uint64_t greatest_divisor(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* Divide all by @divisor. False, with *@bad one of them, if it does not divide that one. By
 * the inverse modulo 2^64, which is exact for multiples and large for all else: a
 * division costs ten times as much. */
WEIR_CLONES
static bool divide(const uint64_t *numbers, uint32_t count, uint64_t divisor, uint64_t *to,
		   uint64_t *bad)
{
	unsigned twos = (unsigned)__builtin_ctzll(divisor);
	uint64_t odd = divisor >> twos, inverse = odd, most = UINT64_MAX / odd;
	uint64_t low = (1ULL << twos) - 1;

	for (unsigned i = 0; i < 5; i++) /* Newton: 3, 6, 12, 24, 48, 96 bits */
		inverse *= 2 - odd * inverse;
	for (uint32_t first = 0; first < count; first += 256) {
		uint32_t end = count - first < 256 ? count : first + 256;
		uint64_t wrong = 0;

		for (uint32_t i = first; i < end; i++) {
			uint64_t quotient = (numbers[i] >> twos) * inverse;

			wrong |= (uint64_t)(quotient > most) | (numbers[i] & low);
			to[i] = quotient;
		}
		if (!wrong)
			continue;
		for (uint32_t i = first; i < end; i++)
			if (numbers[i] % divisor)
				*bad = numbers[i];
		return false;
	}
	return true;
}

/* Divide @numbers by the greatest divisor they have in common. A sample proposes it, all of
 * them agree. Returns where the quotients are. */
static const uint64_t *divide_all(struct weir_coder *coder, const uint64_t *numbers, uint32_t count,
				  uint64_t *divisor)
{
	uint32_t step = count / DIVISOR_SAMPLE + 1;
	uint64_t bad = 0;

	*divisor = 0;
	for (uint32_t i = 0; i < count && *divisor != 1; i += step)
		*divisor = greatest_divisor(numbers[i], *divisor);
	/* All of the sample may be zero. */
	for (uint32_t i = 0; i < count && !*divisor; i++)
		*divisor = numbers[i];
	while (*divisor > 1 && !divide(numbers, count, *divisor, coder->divided, &bad))
		*divisor = greatest_divisor(bad, *divisor);
	if (*divisor > 1)
		return coder->divided;
	*divisor = 1;
	return numbers;
}

WEIR_CLONES
static void subtract(const uint64_t *numbers, uint32_t count, uint64_t less, uint64_t *to)
{
	for (uint32_t i = 0; i < count; i++)
		to[i] = numbers[i] - less;
}

/* u64 least, u64 divisor, packed. Uses coder->work. */
void weir_coder_put_frame(struct weir_coder *coder, const uint64_t *numbers, uint32_t count,
			  struct weir_bytes *to)
{
	const uint64_t *quotients;
	uint64_t min, max, divisor;

	find_bounds((const uint8_t *)numbers, 8, count, &min, &max);
	if (!count)
		min = 0;
	subtract(numbers, count, min, coder->work);
	quotients = divide_all(coder, coder->work, count, &divisor);
	weir_bytes_put_number(to, min, 8);
	weir_bytes_put_number(to, divisor, 8);
	weir_pack(coder->packer, quotients, count, to);
}

static bool write_frame(struct weir_coder *coder, struct weir_bytes *to)
{
	weir_coder_put_frame(coder, weir_coder_numbers(coder), coder->count, to);
	return true;
}

/* Whether most values are below those of the other column. */
static bool is_below(const uint64_t *numbers, const uint64_t *base, uint32_t count)
{
	uint32_t below = 0, step = count / 256 + 1, seen = 0;

	for (uint32_t i = 0; i < count; i += step) {
		seen += numbers[i] != 0;
		below += numbers[i] && numbers[i] < base[i];
	}
	return 2 * below > seen;
}

/* Differences into @to; returns the least one. @none: zeros are no values. */
WEIR_CLONES
static int64_t differ(const uint64_t *numbers, const uint64_t *base, uint32_t count, bool below,
		      bool none, uint64_t *to)
{
	uint64_t sign = below ? UINT64_MAX : 0, skip = none ? 0 : 1;
	int64_t least = INT64_MAX;

	for (uint32_t i = 0; i < count; i++) {
		int64_t difference = (int64_t)(((numbers[i] - base[i]) ^ sign) - sign);
		int64_t counted = numbers[i] | skip ? difference : INT64_MAX;

		to[i] = (uint64_t)difference;
		least = counted < least ? counted : least;
	}
	return least;
}

/* All less @less, and 0 where @numbers is, if that is no value. */
WEIR_CLONES
static void subtract_some(const uint64_t *numbers, uint32_t count, bool none, uint64_t less,
			  uint64_t *work)
{
	uint64_t skip = none ? 0 : 1;

	for (uint32_t i = 0; i < count; i++)
		work[i] = numbers[i] | skip ? work[i] - less : 0;
}

/* One more for all that are values. False: that would wrap. */
WEIR_CLONES
static bool make_place(const uint64_t *numbers, const uint64_t *quotients, uint32_t count,
		       uint64_t *to)
{
	uint64_t wrong = 0;

	for (uint32_t i = 0; i < count; i++) {
		wrong |= quotients[i] == UINT64_MAX;
		to[i] = numbers[i] ? quotients[i] + 1 : 0;
	}
	return !wrong;
}

enum { DELTA_BELOW = 1, DELTA_NONE = 2 }; /* flags on disk */

/* u8 flags, u64 least difference, u64 divisor, packed. With DELTA_NONE a number is one more, and 0
 * is the value 0. Differences are modulo 2^64 and ordered as signed numbers. */
static bool write_delta(struct weir_coder *coder, enum weir_column_id base_id,
			struct weir_bytes *to)
{
	const uint64_t *numbers = weir_coder_numbers(coder), *quotients;
	const uint64_t *base = widen(coder->rows, base_id, coder->base);
	bool below = is_below(numbers, base, coder->count), none = coder->min == 0;
	uint64_t divisor;
	int64_t least = differ(numbers, base, coder->count, below, none, coder->work);

	subtract_some(numbers, coder->count, none, (uint64_t)least, coder->work);
	quotients = divide_all(coder, coder->work, coder->count, &divisor);
	if (none) {
		if (!make_place(numbers, quotients, coder->count, coder->work))
			return false;
		quotients = coder->work;
	}
	weir_bytes_put_number(to, (below ? DELTA_BELOW : 0) | (none ? DELTA_NONE : 0), 1);
	weir_bytes_put_number(to, (uint64_t)least, 8);
	weir_bytes_put_number(to, divisor, 8);
	weir_pack(coder->packer, quotients, coder->count, to);
	return true;
}

bool weir_coder_write(struct weir_coder *coder, struct weir_codec_choice choice,
		      struct weir_bytes *to)
{
	switch (choice.codec) {
	case WEIR_CODEC_FRAME:
		return write_frame(coder, to);
	case WEIR_CODEC_DICTIONARY:
		return weir_coder_write_dictionary(coder, to);
	case WEIR_CODEC_FREQUENT:
		return weir_coder_write_frequent(coder, to);
	case WEIR_CODEC_DELTA:
		return write_delta(coder, choice.base, to);
	case WEIR_CODEC_MAP:
		return weir_coder_write_map(coder, choice.base, to);
	case WEIR_CODEC_RUNS:
		return weir_coder_write_runs(coder, to);
	case WEIR_CODEC_ASCENDING:
		return weir_coder_write_ascending(coder, choice.base, to);
	case WEIR_CODEC_CODES:
		return weir_coder_write_codes(coder, to);
	default:
		return false;
	}
}
