// SPDX-License-Identifier: GPL-2.0
/*
 * kernel.c - the innermost loops of filters.
 *
 * 64 records at a time: one byte each for whether it hits, by a loop of constant length that
 * the compiler turns into vector instructions, then eight bytes to eight bits by one
 * multiplication. Where no record is asked about, nothing is done.
 */
#include <endian.h>
#include <string.h>

#include "daemon/query/select.h"

/* The lowest bits of eight bytes (each 0 or 1), the first byte's lowest. */
static inline uint64_t pack8(const uint8_t *hit)
{
	uint64_t bytes;

	memcpy(&bytes, hit, sizeof(bytes));
	return le64toh(bytes) * 0x0102040810204080ULL >> 56;
}

static inline uint64_t pack64(const uint8_t hit[64])
{
	uint64_t bits = 0;

	for (unsigned i = 0; i < 8; i++)
		bits |= pack8(hit + 8 * i) << 8 * i;
	return bits;
}

#define WORDS(records) (((records) + 63) / 64)

/* EXPRESSION of record i of this word's 64 is 0 or 1. The last word may be short. */
#define FOR_WORDS(records, EXPRESSION)                                                             \
	for (uint32_t w = 0; w < WORDS(records); w++) {                                            \
		const uint32_t base = 64 * w;                                                      \
		uint8_t hit[64];                                                                   \
                                                                                                   \
		out->word[w] = 0;                                                                  \
		if (!in->word[w])                                                                  \
			continue;                                                                  \
		if ((records) - base >= 64) {                                                      \
			for (uint32_t i = 0; i < 64; i++)                                          \
				hit[i] = EXPRESSION;                                               \
		} else {                                                                           \
			memset(hit, 0, sizeof(hit));                                               \
			for (uint32_t i = 0; i < (records) - base; i++)                            \
				hit[i] = EXPRESSION;                                               \
		}                                                                                  \
		out->word[w] = pack64(hit) & in->word[w];                                          \
	}

void weir_kernel_codes(const uint16_t *codes, uint32_t records, uint32_t low, uint32_t high,
		       const struct weir_bits *in, struct weir_bits *out)
{
	const uint16_t first = (uint16_t)low, last = (uint16_t)(high - low - 1);

	FOR_WORDS(records, (uint16_t)(codes[base + i] - first) <= last)
}

void weir_kernel_lut(const uint16_t *codes, uint32_t records, const uint8_t *lut,
		     const struct weir_bits *in, struct weir_bits *out)
{
	FOR_WORDS(records, lut[codes[base + i]])
}

#define RANGE(type)                                                                                \
	do {                                                                                       \
		const type *value = vector->values;                                                \
		const type low = (type)range->low, span = (type)(high - range->low);               \
                                                                                                   \
		FOR_WORDS(vector->count, (type)(value[base + i] - low) <= span)                    \
	} while (0)

static void one_range(const struct weir_vector *vector, const struct weir_range *range,
		      const struct weir_bits *in, struct weir_bits *out)
{
	uint64_t most = vector->width == 8 ? UINT64_MAX : (1ULL << 8 * vector->width) - 1;
	uint64_t high = range->high < most ? range->high : most;

	if (range->low > high) {
		memset(out, 0, WORDS(vector->count) * sizeof(uint64_t));
		return;
	}
	switch (vector->width) {
	case 1:
		RANGE(uint8_t);
		break;
	case 2:
		RANGE(uint16_t);
		break;
	case 4:
		RANGE(uint32_t);
		break;
	default:
		RANGE(uint64_t);
		break;
	}
}

void weir_kernel_ranges(const struct weir_vector *vector, const struct weir_range *range,
			unsigned count, const struct weir_bits *in, struct weir_bits *out)
{
	struct weir_bits more;

	one_range(vector, range, in, out);
	for (unsigned i = 1; i < count; i++) {
		one_range(vector, &range[i], in, &more);
		for (uint32_t w = 0; w < WORDS(vector->count); w++)
			out->word[w] |= more.word[w];
	}
}
