/* SPDX-License-Identifier: GPL-2.0 */
/*
 * vector.h - one column of a block in memory, as the query engine works on it.
 *
 * Equal values are not always spelled out: a column may come as a dictionary with a
 * code for each record, or as the one value all records share, because then a
 * test is done once for each distinct value.
 */
#ifndef WEIR_STORE_VECTOR_H
#define WEIR_STORE_VECTOR_H

#include <string.h>

#include "daemon/store/column.h"

enum weir_vector_form {
	WEIR_VECTOR_NUMBERS, /* a value for each record (addresses and MACs too) */
	WEIR_VECTOR_DICTIONARY,
	WEIR_VECTOR_CONSTANT,
};

struct weir_vector {
	enum weir_vector_form form;
	uint8_t width; /* bytes of one value: 1, 2, 4, 8: a number in host order; 6 (MAC), 16 (address) */
	uint32_t count; /* records */
	uint32_t entries; /* DICTIONARY: values in it, ascending, distinct; bytes by memcmp */
	const uint16_t *codes; /* DICTIONARY: one for each record, all below entries */
	const void *values; /* NUMBERS: count values; DICTIONARY: entries values; CONSTANT: one */
};

/* Where the value of record @row is. */
static inline const void *weir_vector_at(const struct weir_vector *vector, uint32_t row)
{
	size_t index = row;

	if (vector->form == WEIR_VECTOR_DICTIONARY)
		index = vector->codes[row];
	else if (vector->form == WEIR_VECTOR_CONSTANT)
		index = 0;
	return (const uint8_t *)vector->values + index * vector->width;
}

/* The value of record @row of a column of numbers. */
static inline uint64_t weir_vector_number(const struct weir_vector *vector, uint32_t row)
{
	const void *at = weir_vector_at(vector, row);

	switch (vector->width) {
	case 1:
		return *(const uint8_t *)at;
	case 2:
		return *(const uint16_t *)at;
	case 4:
		return *(const uint32_t *)at;
	default:
		return *(const uint64_t *)at;
	}
}

/* Write records @first .. @first + @count of @vector, which is column @id, into @flows;
 * what else is in there stays. */
void weir_vector_scatter(const struct weir_vector *vector, enum weir_column_id id, uint32_t first,
			 uint32_t count, struct weir_flow *flows);
/* The same for the records numbered in @rows. */
void weir_vector_gather(const struct weir_vector *vector, enum weir_column_id id,
			const uint16_t *rows, uint32_t count, struct weir_flow *flows);

/* The numbers of records @first .. @first + @count of a column of numbers, into @to. */
void weir_vector_numbers(const struct weir_vector *vector, uint32_t first, uint32_t count,
			 uint64_t *to);

#endif
