// SPDX-License-Identifier: GPL-2.0
/* codec_dictionary.c - columns of few values, or of some that come often. */
#include <stdlib.h>
#include <string.h>

#include "daemon/store/coder.h"

enum {
	DICTIONARY_MAX = 256,
	FREQUENT_MAX = 255, /* and one code for all others */
	CELLS = 1024,	    /* of the table that finds a dictionary's values */
};

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
	const uint64_t *numbers = weir_coder_numbers(coder);
	struct cells cells;

	if (!collect(&cells, numbers, coder->count))
		return 0;
	qsort(cells.list, cells.used, sizeof(*cells.list), compare_numbers);
	for (unsigned i = 0; i < cells.used; i++)
		cells.code[cell_of(&cells, cells.list[i])] = (uint16_t)(i + 1);
	for (uint32_t i = 0; i < coder->count; i++)
		coder->work8[i] = i && numbers[i] == numbers[i - 1]
					  ? coder->work8[i - 1]
					  : (uint8_t)(cells.code[cell_of(&cells, numbers[i])] - 1);
	memcpy(list, cells.list, cells.used * sizeof(*list));
	return cells.used;
}

/* In variables, as for the compiler a store may change anything that a pointer leads to. */
#define FOR_EACH_VALUE(statement)                                                                  \
	do {                                                                                       \
		const uint8_t *bytes = coder->values;                                              \
		const uint16_t *pairs = (const uint16_t *)bytes;                                   \
		uint32_t count = coder->count;                                                     \
                                                                                                   \
		if (coder->column->width == 1)                                                     \
			for (uint32_t i = 0; i < count; i++) {                                     \
				uint8_t value = bytes[i];                                          \
				statement;                                                         \
			}                                                                          \
		else                                                                               \
			for (uint32_t i = 0; i < count; i++) {                                     \
				uint16_t value = pairs[i];                                         \
				statement;                                                         \
			}                                                                          \
	} while (0)

/* Gives the values that are marked in @code_of, where the least value is first, their codes. */
static unsigned number_marked(const struct weir_coder *coder, uint16_t *code_of, uint64_t *list)
{
	unsigned used = 0;

	for (uint64_t i = 0; i <= coder->max - coder->min; i++) {
		if (!code_of[i])
			continue;
		if (used == DICTIONARY_MAX)
			return 0;
		list[used] = coder->min + i;
		code_of[i] = (uint16_t)used++;
	}
	return used;
}

/* The same for values of at most 16 bits, which need no hashing. */
static unsigned index_narrow(struct weir_coder *coder, uint64_t *list)
{
	uint16_t *code_of = coder->code_of;
	unsigned used;

	memset(code_of + coder->min, 0, (coder->max - coder->min + 1) * sizeof(*code_of));
	FOR_EACH_VALUE(code_of[value] = 1);
	used = number_marked(coder, code_of + coder->min, list);
	if (!used)
		return 0;
	FOR_EACH_VALUE(coder->work8[i] = (uint8_t)code_of[value]);
	return used;
}

/* The same for wider ones that are no further apart. */
static unsigned index_near(struct weir_coder *coder, uint64_t *list)
{
	const uint64_t *numbers = weir_coder_numbers(coder);
	uint16_t *code_of = coder->code_of;
	uint64_t min = coder->min;
	uint32_t count = coder->count;
	unsigned used;

	memset(code_of, 0, (coder->max - min + 1) * sizeof(*code_of));
	for (uint32_t i = 0; i < count; i++)
		code_of[numbers[i] - min] = 1;
	used = number_marked(coder, code_of, list);
	if (!used)
		return 0;
	for (uint32_t i = 0; i < count; i++)
		coder->work8[i] = (uint8_t)code_of[numbers[i] - min];
	return used;
}

static bool is_narrow(const struct weir_coder *coder)
{
	return coder->column->number && coder->column->width <= 2;
}

/* u16 values, these, packed codes. */
bool weir_coder_write_dictionary(struct weir_coder *coder, struct weir_bytes *to)
{
	uint64_t list[DICTIONARY_MAX];
	unsigned used = is_narrow(coder)		 ? index_narrow(coder, list)
			: coder->max - coder->min < ROWS ? index_near(coder, list)
							 : index_wide(coder, list);

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
bool weir_coder_write_frequent(struct weir_coder *coder, struct weir_bytes *to)
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
	weir_coder_put_frame(coder, coder->rest, others, to);
	return true;
}
