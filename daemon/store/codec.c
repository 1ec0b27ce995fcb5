// SPDX-License-Identifier: GPL-2.0
/* codec.c - writing columns; decode.c reads them, codec_choose.c says by which codec. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/codec.h"

enum {
	ROWS = WEIR_CODEC_ROWS_MAX,
	DICTIONARY_MAX = 256,
	FREQUENT_MAX = 255, /* and one code for all others */
	DIVISOR_SAMPLE = 64,
	CELLS = 1024, /* of the table that finds a dictionary's values */
};

struct weir_coder {
	struct weir_packer *packer;
	const struct weir_codec_rows *rows;
	const struct weir_column *column;
	uint32_t count;
	uint64_t min, max;
	uint64_t numbers[ROWS]; /* the column */
	uint64_t base[ROWS]; /* DELTA: the other one */
	uint64_t work[ROWS], rest[ROWS], divided[ROWS];
	uint32_t votes[ROWS], histogram[ROWS];
};

int weir_coder_new(int level, struct weir_coder **coder)
{
	struct weir_coder *new = calloc(1, sizeof(*new));
	int ret;

	if (!new)
		return -ENOMEM;
	ret = weir_packer_new(level, &new->packer);
	if (ret) {
		free(new);
		return ret;
	}
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

/* One loop for each width, so that each is vector code. */
#define LOAD(type)                                                                                 \
	for (uint32_t i = 0; i < rows->count; i++)                                                 \
	to[i] = ((const type *)from)[i]

static void load(const struct weir_codec_rows *rows, enum weir_column_id id, uint64_t *to)
{
	const struct weir_column *column = weir_column_find(id);
	const uint8_t *from = rows->values[id];

	if (!column->number) {
		for (uint32_t i = 0; i < rows->count; i++)
			to[i] = weir_codec_number(column, from + (size_t)i * column->width);
		return;
	}
	switch (column->width) {
	case 1:
		LOAD(uint8_t);
		break;
	case 2:
		LOAD(uint16_t);
		break;
	case 4:
		LOAD(uint32_t);
		break;
	default:
		LOAD(uint64_t);
		break;
	}
}

void weir_coder_load(struct weir_coder *coder, const struct weir_codec_rows *rows,
		     enum weir_column_id id, uint64_t *min, uint64_t *max)
{
	coder->rows = rows;
	coder->column = weir_column_find(id);
	coder->count = rows->count;
	coder->min = UINT64_MAX;
	coder->max = 0;
	*min = *max = 0;
	if (id <= WEIR_COLUMN_DST_ADDR)
		return;
	load(rows, id, coder->numbers);
	for (uint32_t i = 0; i < rows->count; i++) {
		uint64_t number = coder->numbers[i];

		coder->min = number < coder->min ? number : coder->min;
		coder->max = number > coder->max ? number : coder->max;
	}
	*min = coder->min;
	*max = coder->max;
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
static const uint64_t *divide_all(struct weir_coder *coder, const uint64_t *numbers,
				  uint32_t count, uint64_t *divisor)
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

/* u64 least, u64 divisor, packed. @numbers is used up. */
static void put_frame(struct weir_coder *coder, uint64_t *numbers, uint32_t count,
		      struct weir_bytes *to)
{
	uint64_t min = count ? UINT64_MAX : 0, divisor;
	const uint64_t *quotients;

	for (uint32_t i = 0; i < count; i++)
		min = numbers[i] < min ? numbers[i] : min;
	for (uint32_t i = 0; i < count; i++)
		numbers[i] -= min;
	quotients = divide_all(coder, numbers, count, &divisor);
	weir_bytes_put_number(to, min, 8);
	weir_bytes_put_number(to, divisor, 8);
	weir_pack(coder->packer, quotients, count, to);
}

static bool write_frame(struct weir_coder *coder, struct weir_bytes *to)
{
	memcpy(coder->work, coder->numbers, coder->count * sizeof(*coder->work));
	put_frame(coder, coder->work, coder->count, to);
	return true;
}

/* A hash table of at most 256 values. */
struct cells {
	unsigned used;
	uint64_t value[CELLS];
	uint16_t code[CELLS]; /* + 1; 0: free */
	uint64_t list[DICTIONARY_MAX];
};

static unsigned cell_of(const struct cells *cells, uint64_t value)
{
	unsigned at = (unsigned)(value * 0x9e3779b97f4a7c15ULL >> 54);

	while (cells->code[at] && cells->value[at] != value)
		at = (at + 1) % CELLS;
	return at;
}

static bool collect(struct cells *cells, const uint64_t *numbers, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		unsigned at;

		if (i && numbers[i] == numbers[i - 1])
			continue;
		at = cell_of(cells, numbers[i]);
		if (cells->code[at])
			continue;
		if (cells->used == DICTIONARY_MAX)
			return false;
		cells->value[at] = numbers[i];
		cells->list[cells->used++] = numbers[i];
		cells->code[at] = (uint16_t)cells->used;
	}
	return true;
}

static int compare_numbers(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

/* u16 values, these, packed codes. */
static bool write_dictionary(struct weir_coder *coder, struct weir_bytes *to)
{
	struct cells cells;

	cells.used = 0;
	memset(cells.code, 0, sizeof(cells.code));
	if (!collect(&cells, coder->numbers, coder->count))
		return false;
	qsort(cells.list, cells.used, sizeof(*cells.list), compare_numbers);
	weir_bytes_put_number(to, cells.used, 2);
	for (unsigned i = 0; i < cells.used; i++) {
		cells.code[cell_of(&cells, cells.list[i])] = (uint16_t)(i + 1);
		weir_bytes_put_number(to, cells.list[i], coder->column->width);
	}
	for (uint32_t i = 0; i < coder->count; i++)
		coder->work[i] = i && coder->numbers[i] == coder->numbers[i - 1] ?
					 coder->work[i - 1] :
					 cells.code[cell_of(&cells, coder->numbers[i])] - 1U;
	weir_pack(coder->packer, coder->work, coder->count, to);
	return true;
}

/* The values that come at least @least times, at most FREQUENT_MAX of them. */
static unsigned find_frequent(const struct weir_coder *coder, uint32_t least, uint16_t *values)
{
	for (;; least *= 2) {
		unsigned used = 0;

		for (uint64_t value = coder->min; value <= coder->max; value++) {
			if (coder->histogram[value] < least)
				continue;
			if (used < FREQUENT_MAX)
				values[used] = (uint16_t)value;
			used++;
		}
		if (used <= FREQUENT_MAX)
			return used;
	}
}

/* u8 values, these as u16, packed codes (the number of values: another one), u32 others, frame. */
static bool write_frequent(struct weir_coder *coder, struct weir_bytes *to)
{
	uint32_t others = 0, least = coder->count / 4096 < 8 ? 8 : coder->count / 4096;
	uint16_t values[FREQUENT_MAX];
	unsigned used;

	if (coder->max >= ROWS)
		return false;
	memset(coder->histogram, 0, sizeof(coder->histogram));
	for (uint32_t i = 0; i < coder->count; i++)
		coder->histogram[coder->numbers[i]]++;
	used = find_frequent(coder, least, values);
	if (!used)
		return false;
	/* From here on the code of each value. */
	for (uint64_t value = coder->min; value <= coder->max; value++)
		coder->histogram[value] = used;
	for (unsigned i = 0; i < used; i++)
		coder->histogram[values[i]] = i;
	weir_bytes_put_number(to, used, 1);
	for (unsigned i = 0; i < used; i++)
		weir_bytes_put_number(to, values[i], 2);
	for (uint32_t i = 0; i < coder->count; i++) {
		coder->work[i] = coder->histogram[coder->numbers[i]];
		coder->rest[others] = coder->numbers[i];
		others += coder->work[i] == used;
	}
	weir_pack(coder->packer, coder->work, coder->count, to);
	weir_bytes_put_number(to, others, 4);
	put_frame(coder, coder->rest, others, to);
	return true;
}

/* Whether most values are below those of the other column. */
static bool is_below(const struct weir_coder *coder)
{
	uint32_t below = 0, step = coder->count / 256 + 1, seen = 0;

	for (uint32_t i = 0; i < coder->count; i += step) {
		seen += coder->numbers[i] != 0;
		below += coder->numbers[i] && coder->numbers[i] < coder->base[i];
	}
	return 2 * below > seen;
}

enum { DELTA_BELOW = 1, DELTA_NONE = 2 }; /* flags on disk */

/* u8 flags, u64 least difference, u64 divisor, packed. With DELTA_NONE a number is one more, and 0 is the
 * value 0. Differences are modulo 2^64 and ordered as signed numbers. */
static bool write_delta(struct weir_coder *coder, enum weir_column_id base, struct weir_bytes *to)
{
	int64_t least = INT64_MAX;
	uint64_t none = coder->min == 0, divisor;
	const uint64_t *quotients;
	bool below;

	load(coder->rows, base, coder->base);
	below = is_below(coder);
	for (uint32_t i = 0; i < coder->count; i++) {
		uint64_t difference = coder->numbers[i] - coder->base[i];
		bool counts = !none || coder->numbers[i];

		coder->work[i] = below ? -difference : difference;
		if (counts && (int64_t)coder->work[i] < least)
			least = (int64_t)coder->work[i];
	}
	for (uint32_t i = 0; i < coder->count; i++)
		coder->work[i] = none && !coder->numbers[i] ? 0 :
							      coder->work[i] - (uint64_t)least;
	quotients = divide_all(coder, coder->work, coder->count, &divisor);
	/* Adding one must not wrap. */
	for (uint32_t i = 0; i < coder->count && none && divisor == 1; i++)
		if (quotients[i] == UINT64_MAX)
			return false;
	for (uint32_t i = 0; i < coder->count; i++)
		coder->work[i] = none && !coder->numbers[i] ? 0 : quotients[i] + none;
	weir_bytes_put_number(to, (below ? DELTA_BELOW : 0) | (none ? DELTA_NONE : 0), 1);
	weir_bytes_put_number(to, (uint64_t)least, 8);
	weir_bytes_put_number(to, divisor, 8);
	weir_pack(coder->packer, coder->work, coder->count, to);
	return true;
}

/* The value that most records of each address have, if one has more than half (Boyer and Moore);
 * else some value of it. Into coder->rest. */
static void vote(struct weir_coder *coder, const uint16_t *codes, uint32_t entries)
{
	memset(coder->votes, 0, entries * sizeof(*coder->votes));
	for (uint32_t i = 0; i < coder->count; i++) {
		uint16_t code = codes[i];

		if (!coder->votes[code])
			coder->rest[code] = coder->numbers[i];
		coder->votes[code] += coder->rest[code] == coder->numbers[i] ? 1U : -1U;
	}
}

/* frame of a value for each address, u32 exceptions, frame of their rows (the distance to the
 * one before, less one), frame of their values. */
static bool write_map(struct weir_coder *coder, enum weir_column_id base, struct weir_bytes *to)
{
	const uint16_t *codes = coder->rows->codes[base];
	uint32_t entries = coder->rows->entries[base], exceptions = 0, next = 0;

	vote(coder, codes, entries);
	for (uint32_t i = 0; i < coder->count; i++)
		exceptions += coder->numbers[i] != coder->rest[codes[i]];
	if (exceptions > coder->count / 8 || entries > coder->count - coder->count / 8)
		return false;
	exceptions = 0;
	for (uint32_t i = 0; i < coder->count; i++) {
		if (coder->numbers[i] == coder->rest[codes[i]])
			continue;
		coder->work[exceptions] = i - next;
		coder->base[exceptions++] = coder->numbers[i];
		next = i + 1;
	}
	put_frame(coder, coder->rest, entries, to);
	weir_bytes_put_number(to, exceptions, 4);
	put_frame(coder, coder->work, exceptions, to);
	put_frame(coder, coder->base, exceptions, to);
	return true;
}

/* packed: for each address how many records have it, less one. */
static bool write_runs(struct weir_coder *coder, struct weir_bytes *to)
{
	const uint16_t *codes = coder->rows->codes[coder->column->id];
	uint32_t entries = coder->rows->entries[coder->column->id];

	for (uint32_t i = 1; i < coder->count; i++)
		if (codes[i] < codes[i - 1])
			return false;
	memset(coder->work, 0, entries * sizeof(*coder->work));
	for (uint32_t i = 0; i < coder->count; i++)
		coder->work[codes[i]]++;
	for (uint32_t i = 0; i < entries; i++)
		coder->work[i]--;
	weir_pack(coder->packer, coder->work, entries, to);
	return true;
}

/* packed: the code, less the one before if that has the same code of the base column. */
static bool write_ascending(struct weir_coder *coder, enum weir_column_id base,
			    struct weir_bytes *to)
{
	const uint16_t *codes = coder->rows->codes[coder->column->id];
	const uint16_t *other = coder->rows->codes[base];

	for (uint32_t i = 0; i < coder->count; i++) {
		bool goes_on = i && other[i] == other[i - 1];

		if (goes_on && codes[i] < codes[i - 1])
			return false;
		coder->work[i] = codes[i] - (goes_on ? codes[i - 1] : 0U);
	}
	weir_pack(coder->packer, coder->work, coder->count, to);
	return true;
}

static bool write_codes(struct weir_coder *coder, struct weir_bytes *to)
{
	for (uint32_t i = 0; i < coder->count; i++)
		coder->work[i] = coder->rows->codes[coder->column->id][i];
	weir_pack(coder->packer, coder->work, coder->count, to);
	return true;
}

bool weir_coder_write(struct weir_coder *coder, struct weir_codec_choice choice,
		      struct weir_bytes *to)
{
	switch (choice.codec) {
	case WEIR_CODEC_FRAME:
		return write_frame(coder, to);
	case WEIR_CODEC_DICTIONARY:
		return write_dictionary(coder, to);
	case WEIR_CODEC_FREQUENT:
		return write_frequent(coder, to);
	case WEIR_CODEC_DELTA:
		return write_delta(coder, choice.base, to);
	case WEIR_CODEC_MAP:
		return write_map(coder, choice.base, to);
	case WEIR_CODEC_RUNS:
		return write_runs(coder, to);
	case WEIR_CODEC_ASCENDING:
		return write_ascending(coder, choice.base, to);
	case WEIR_CODEC_CODES:
		return write_codes(coder, to);
	default:
		return false;
	}
}
