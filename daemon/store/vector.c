// SPDX-License-Identifier: GPL-2.0
/* vector.c - from columns back to records. */
#include "daemon/store/vector.h"

#include "daemon/store/clones.h"

/* @index says where the value of record i is. Copies of constant size compile to moves. */
#define COPY(bytes, index)                                                                         \
	for (uint32_t i = 0; i < count; i++)                                                       \
	memcpy(to + i * sizeof(struct weir_flow), from + (size_t)(index) * (bytes), bytes)

#define COPY_EACH(bytes)                                                                           \
	do {                                                                                       \
		if (vector->form == WEIR_VECTOR_CONSTANT)                                          \
			COPY(bytes, 0);                                                            \
		else if (vector->form == WEIR_VECTOR_DICTIONARY && rows)                           \
			COPY(bytes, vector->codes[rows[i]]);                                       \
		else if (vector->form == WEIR_VECTOR_DICTIONARY)                                   \
			COPY(bytes, vector->codes[first + i]);                                     \
		else if (rows)                                                                     \
			COPY(bytes, rows[i]);                                                      \
		else                                                                               \
			COPY(bytes, first + i);                                                    \
	} while (0)

static void copy(const struct weir_vector *vector, enum weir_column_id id, uint32_t first,
		 const uint16_t *rows, uint32_t count, struct weir_flow *flows)
{
	uint8_t *to = (uint8_t *)flows + weir_column_find(id)->offset;
	const uint8_t *from = vector->values;

	switch (vector->width) {
	case 1:
		COPY_EACH(1);
		break;
	case 2:
		COPY_EACH(2);
		break;
	case 4:
		COPY_EACH(4);
		break;
	case 6:
		COPY_EACH(6);
		break;
	case 8:
		COPY_EACH(8);
		break;
	case 16:
		COPY_EACH(16);
		break;
	}
}

void weir_vector_scatter(const struct weir_vector *vector, enum weir_column_id id, uint32_t first,
			 uint32_t count, struct weir_flow *flows)
{
	copy(vector, id, first, NULL, count, flows);
}

void weir_vector_gather(const struct weir_vector *vector, enum weir_column_id id,
			const uint16_t *rows, uint32_t count, struct weir_flow *flows)
{
	copy(vector, id, 0, rows, count, flows);
}

#define WIDEN(type)                                                                                \
	do {                                                                                       \
		const type *from = vector->values;                                                 \
                                                                                                   \
		if (vector->form == WEIR_VECTOR_CONSTANT)                                          \
			for (uint32_t i = 0; i < count; i++)                                       \
				to[i] = from[0];                                                   \
		else if (vector->form == WEIR_VECTOR_DICTIONARY)                                   \
			for (uint32_t i = 0; i < count; i++)                                       \
				to[i] = from[vector->codes[first + i]];                            \
		else                                                                               \
			for (uint32_t i = 0; i < count; i++)                                       \
				to[i] = from[first + i];                                           \
	} while (0)

WEIR_CLONES
void weir_vector_numbers(const struct weir_vector *vector, uint32_t first, uint32_t count,
			 uint64_t *to)
{
	switch (vector->width) {
	case 1:
		WIDEN(uint8_t);
		break;
	case 2:
		WIDEN(uint16_t);
		break;
	case 4:
		WIDEN(uint32_t);
		break;
	default:
		WIDEN(uint64_t);
		break;
	}
}
