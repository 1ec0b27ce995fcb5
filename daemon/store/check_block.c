// SPDX-License-Identifier: GPL-2.0
/*
 * check_block.c - one block, by itself: can every column be decoded, and does its index tell
 * the truth? An index that denies a value which is there hides records from queries.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/store/block.h"
#include "daemon/store/check.h"

struct why {
	char *text;
	size_t bytes;
};

static int bad(struct why *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int bad(struct why *why, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why->text, why->bytes, format, args);
	va_end(args);
	return -EBADMSG;
}

static uint64_t number_at(const struct weir_vector *vector, uint32_t index)
{
	const uint8_t *at = (const uint8_t *)vector->values + (size_t)index * vector->width;
	uint64_t value = 0;

	switch (vector->width) {
	case 1:
		return *at;
	case 2:
		return *(const uint16_t *)at;
	case 4:
		return *(const uint32_t *)at;
	default:
		memcpy(&value, at, 8);
		return value;
	}
}

/* How many values @vector spells out. */
static uint32_t spelled(const struct weir_vector *vector)
{
	switch (vector->form) {
	case WEIR_VECTOR_DICTIONARY:
		return vector->entries;
	case WEIR_VECTOR_CONSTANT:
		return 1;
	default:
		return vector->count;
	}
}

static int check_numbers(struct weir_block_reader *reader, const struct weir_column *column,
			 const struct weir_vector *vector, struct why *why)
{
	uint64_t min = 0, max = UINT64_MAX;

	if (!weir_block_range(reader, column->id, &min, &max)) {
		min = 0;
		max = UINT64_MAX;
	}
	for (uint32_t i = 0; i < spelled(vector); i++) {
		uint64_t value = number_at(vector, i);

		if (value < min || value > max)
			return bad(why, "column %s holds %" PRIu64 ", outside of the range its index "
				   "gives", column->name, value);
		if (!weir_block_may_hold_number(reader, column->id, value, value))
			return bad(why, "column %s holds %" PRIu64 ", which its index denies",
				   column->name, value);
	}
	return 0;
}

static int check_addresses(struct weir_block_reader *reader, const struct weir_column *column,
			   const struct weir_vector *vector, struct why *why)
{
	const uint8_t *values = vector->values;

	for (uint32_t i = 0; i < spelled(vector); i++)
		if (!weir_block_may_hold_prefix(reader, column->id, values + (size_t)i * 16, 128))
			return bad(why, "column %s holds an address which its index denies",
				   column->name);
	return 0;
}

static int check_codes(const struct weir_column *column, const struct weir_vector *vector,
		       struct why *why)
{
	if (vector->form != WEIR_VECTOR_DICTIONARY)
		return 0;
	for (uint32_t i = 0; i < vector->count; i++)
		if (vector->codes[i] >= vector->entries)
			return bad(why, "column %s has a code without a value", column->name);
	return 0;
}

static int check_column(struct weir_block_reader *reader, const struct weir_column *column,
			struct why *why)
{
	struct weir_vector vector;
	int ret = weir_block_column(reader, column->id, &vector);

	if (ret == -EBADMSG)
		return bad(why, "column %s is damaged", column->name);
	if (ret)
		return ret;
	if (vector.count != weir_block_count(reader))
		return bad(why, "column %s has %" PRIu32 " values for %" PRIu32 " records",
			   column->name, vector.count, weir_block_count(reader));
	ret = check_codes(column, &vector, why);
	if (ret)
		return ret;
	if (column->number)
		return check_numbers(reader, column, &vector, why);
	return column->width == 16 ? check_addresses(reader, column, &vector, why) : 0;
}

static int check_rows(const struct weir_flow *flows, uint32_t count,
		      const struct weir_meta_times *times, struct weir_totals *totals,
		      struct why *why)
{
	uint64_t min_ns = UINT64_MAX, max_ns = 0;

	memset(totals, 0, sizeof(*totals));
	for (uint32_t i = 0; i < count; i++) {
		weir_flow_count(totals, &flows[i]);
		if (flows[i].start_ns < min_ns)
			min_ns = flows[i].start_ns;
		if (flows[i].end_ns > max_ns)
			max_ns = flows[i].end_ns;
	}
	if (min_ns < times->min_ns || max_ns > times->max_ns)
		return bad(why, "it has records outside of the time its head gives");
	return 0;
}

int weir_check_block(struct weir_block_reader *reader, struct weir_flow *flows, uint64_t number,
		     const void *data, size_t bytes, struct weir_meta_times *times,
		     struct weir_totals *totals, char *text, size_t text_bytes)
{
	struct why why = {text, text_bytes};
	struct weir_block_times span;
	int ret = weir_block_open(reader, number, data, bytes);

	if (ret == -EBADMSG)
		return bad(&why, "its head or its checksum is wrong");
	for (unsigned i = 0; i < weir_column_count && !ret; i++)
		ret = check_column(reader, &weir_column_table[i], &why);
	if (!ret)
		ret = weir_block_rows(reader, WEIR_COLUMN_ALL, flows);
	if (ret == -ENOTSUP)
		snprintf(text, text_bytes, "it was written by a later weir");
	if (ret)
		return ret;
	span = weir_block_times(reader);
	*times = (struct weir_meta_times){span.min_ns, span.max_ns, weir_block_count(reader)};
	return check_rows(flows, weir_block_count(reader), times, totals, &why);
}
