// SPDX-License-Identifier: GPL-2.0
/* codec.c - writing columns; decode.c reads them, codec_choose.c says by which codec. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/clones.h"
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
	const uint8_t *values; /* the column as it is in rows */
	uint32_t count;
	uint64_t min, max;
	const uint64_t *numbers; /* the column widened, NULL: not yet */
	uint64_t wide[ROWS], base[ROWS]; /* room for it, and for another one */
	uint64_t work[ROWS], rest[ROWS], divided[ROWS];
	uint32_t votes[ROWS], histogram[ROWS];
	uint16_t code_of[ROWS]; /* of each value of 16 bits */
	uint16_t work16[ROWS];
	uint8_t work8[ROWS];
};

int weir_coder_new(bool compress, struct weir_coder **coder)
{
	struct weir_coder *new = calloc(1, sizeof(*new));
	int ret;

	if (!new)
		return -ENOMEM;
	ret = weir_packer_new(compress, &new->packer);
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
		for (uint32_t i = 0; i < rows->count; i++)
			room[i] = weir_codec_number(column, from + (size_t)i * column->width);
	return room;
}

static const uint64_t *numbers_of(struct weir_coder *coder)
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
	*min = *max = 0;
	if (id <= WEIR_COLUMN_DST_ADDR)
		return;
	if (coder->column->number)
		find_bounds(coder->values, coder->column->width, rows->count, min, max);
	else
		find_bounds((const uint8_t *)numbers_of(coder), 8, rows->count, min, max);
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

WEIR_CLONES
static void subtract(const uint64_t *numbers, uint32_t count, uint64_t less, uint64_t *to)
{
	for (uint32_t i = 0; i < count; i++)
		to[i] = numbers[i] - less;
}

/* u64 least, u64 divisor, packed. Uses coder->work. */
static void put_frame(struct weir_coder *coder, const uint64_t *numbers, uint32_t count,
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
	put_frame(coder, numbers_of(coder), coder->count, to);
	return true;
}

/* Dictionaries of wide values: a hash table of at most 256. */
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
	cells->used = 0;
	memset(cells->code, 0, sizeof(cells->code));
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

/* Codes into work8, values into @list; returns how many there are, 0 if too many. */
static unsigned index_wide(struct weir_coder *coder, uint64_t *list)
{
	const uint64_t *numbers = numbers_of(coder);
	struct cells cells;

	if (!collect(&cells, numbers, coder->count))
		return 0;
	qsort(cells.list, cells.used, sizeof(*cells.list), compare_numbers);
	for (unsigned i = 0; i < cells.used; i++)
		cells.code[cell_of(&cells, cells.list[i])] = (uint16_t)(i + 1);
	for (uint32_t i = 0; i < coder->count; i++)
		coder->work8[i] = i && numbers[i] == numbers[i - 1] ?
					  coder->work8[i - 1] :
					  (uint8_t)(cells.code[cell_of(&cells, numbers[i])] - 1);
	memcpy(list, cells.list, cells.used * sizeof(*list));
	return cells.used;
}

#define FOR_EACH_VALUE(statement)                                                                  \
	do {                                                                                       \
		if (coder->column->width == 1)                                                     \
			for (uint32_t i = 0; i < coder->count; i++) {                              \
				uint8_t value = coder->values[i];                                  \
				statement;                                                         \
			}                                                                          \
		else                                                                               \
			for (uint32_t i = 0; i < coder->count; i++) {                              \
				uint16_t value = ((const uint16_t *)coder->values)[i];             \
				statement;                                                         \
			}                                                                          \
	} while (0)

/* The same for values of at most 16 bits, which need no hashing. */
static unsigned index_narrow(struct weir_coder *coder, uint64_t *list)
{
	uint16_t *code_of = coder->code_of;
	unsigned used = 0;

	memset(code_of + coder->min, 0, (coder->max - coder->min + 1) * sizeof(*code_of));
	FOR_EACH_VALUE(code_of[value] = 1);
	for (uint64_t value = coder->min; value <= coder->max; value++) {
		if (!code_of[value])
			continue;
		if (used == DICTIONARY_MAX)
			return 0;
		list[used] = value;
		code_of[value] = (uint16_t)used++;
	}
	FOR_EACH_VALUE(coder->work8[i] = (uint8_t)code_of[value]);
	return used;
}

static bool is_narrow(const struct weir_coder *coder)
{
	return coder->column->number && coder->column->width <= 2;
}

/* u16 values, these, packed codes. */
static bool write_dictionary(struct weir_coder *coder, struct weir_bytes *to)
{
	uint64_t list[DICTIONARY_MAX];
	unsigned used = is_narrow(coder) ? index_narrow(coder, list) : index_wide(coder, list);

	if (!used)
		return false;
	weir_bytes_put_number(to, used, 2);
	for (unsigned i = 0; i < used; i++)
		weir_bytes_put_number(to, list[i], coder->column->width);
	weir_pack8(coder->packer, coder->work8, coder->count, to);
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
	uint16_t values[FREQUENT_MAX], *code_of = coder->code_of;
	unsigned used;

	/* A narrower column has a dictionary of all that it can hold. */
	if (coder->column->width != 2)
		return false;
	memset(coder->histogram + coder->min, 0,
	       (coder->max - coder->min + 1) * sizeof(*coder->histogram));
	FOR_EACH_VALUE(coder->histogram[value]++);
	used = find_frequent(coder, least, values);
	if (!used)
		return false;
	for (uint64_t value = coder->min; value <= coder->max; value++)
		code_of[value] = (uint16_t)used;
	for (unsigned i = 0; i < used; i++)
		code_of[values[i]] = (uint16_t)i;
	weir_bytes_put_number(to, used, 1);
	for (unsigned i = 0; i < used; i++)
		weir_bytes_put_number(to, values[i], 2);
	FOR_EACH_VALUE(uint16_t code = code_of[value]; coder->work8[i] = (uint8_t)code;
		       coder->rest[others] = value; others += code == used);
	weir_pack8(coder->packer, coder->work8, coder->count, to);
	weir_bytes_put_number(to, others, 4);
	put_frame(coder, coder->rest, others, to);
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

/* u8 flags, u64 least difference, u64 divisor, packed. With DELTA_NONE a number is one more, and 0 is the
 * value 0. Differences are modulo 2^64 and ordered as signed numbers. */
static bool write_delta(struct weir_coder *coder, enum weir_column_id base_id,
			struct weir_bytes *to)
{
	const uint64_t *numbers = numbers_of(coder), *quotients;
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

/* The value that most records of each address have, if one has more than half (Boyer and Moore);
 * else some value of it. Into coder->rest. */
static void vote(struct weir_coder *coder, const uint16_t *codes, uint32_t entries)
{
	const uint64_t *numbers = numbers_of(coder);

	memset(coder->votes, 0, entries * sizeof(*coder->votes));
	for (uint32_t i = 0; i < coder->count; i++) {
		uint16_t code = codes[i];

		if (!coder->votes[code])
			coder->rest[code] = numbers[i];
		coder->votes[code] += coder->rest[code] == numbers[i] ? 1U : -1U;
	}
}

/* frame of a value for each address, u32 exceptions, frame of their rows (the distance to the
 * one before, less one), frame of their values. */
static bool write_map(struct weir_coder *coder, enum weir_column_id base, struct weir_bytes *to)
{
	const uint16_t *codes = coder->rows->codes[base];
	uint32_t entries = coder->rows->entries[base], exceptions = 0, next = 0;
	const uint64_t *numbers = numbers_of(coder);
	uint64_t *distances = coder->base, *values = coder->base + ROWS / 2;

	if (entries > coder->count - coder->count / 8)
		return false;
	vote(coder, codes, entries);
	for (uint32_t i = 0; i < coder->count; i++) {
		if (numbers[i] == coder->rest[codes[i]])
			continue;
		if (exceptions == coder->count / 8)
			return false;
		distances[exceptions] = i - next;
		values[exceptions++] = numbers[i];
		next = i + 1;
	}
	put_frame(coder, coder->rest, entries, to);
	weir_bytes_put_number(to, exceptions, 4);
	put_frame(coder, distances, exceptions, to);
	put_frame(coder, values, exceptions, to);
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

static bool write_codes(struct weir_coder *coder, struct weir_bytes *to)
{
	weir_pack16(coder->packer, coder->rows->codes[coder->column->id], coder->count, to);
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
