// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "daemon/wire/convert.h"
#include "daemon/wire/dimension.h"

const Weir__Wire__Dimension *weir_dimension_find(Weir__Wire__Dimension *const *dimensions,
						 size_t count, const char *fields,
						 unsigned key_bytes)
{
	for (size_t i = 0; i < count; i++) {
		const Weir__Wire__Dimension *dimension = dimensions[i];

		if (strcmp(dimension->fields, fields))
			continue;
		for (size_t j = 0; j < dimension->n_top; j++)
			if (dimension->top[j]->key.len != key_bytes)
				return NULL;
		return dimension;
	}
	return NULL;
}

static uint64_t above(uint64_t high, uint64_t low)
{
	return high > low ? high - low : 0;
}

/* What a key may be above what it is at least. */
static struct weir_totals more_of(const Weir__Wire__Entry *entry, const struct weir_totals *low)
{
	struct weir_totals high = weir_convert_totals_get(entry->high);

	return (struct weir_totals){above(high.flows, low->flows), above(high.packets, low->packets),
				    above(high.bytes, low->bytes)};
}

int weir_dimension_add(struct weir_bounds *bounds, const Weir__Wire__Dimension *dimension)
{
	struct weir_bounds_list list = {
		.incomplete = dimension->rest_groups || dimension->incomplete,
		.groups = dimension->n_top + dimension->rest_groups,
		.rest = weir_convert_totals_get(dimension->rest)};

	if (list.incomplete)
		list.largest = weir_convert_totals_get(dimension->largest);
	for (size_t i = 0; i < dimension->n_top; i++) {
		const Weir__Wire__Entry *entry = dimension->top[i];
		struct weir_totals low = weir_convert_totals_get(entry->totals);
		struct weir_totals more = more_of(entry, &low);
		int result = weir_bounds_add_key(bounds, &list, entry->key.data, &low, &more);

		if (result)
			return result;
	}
	weir_bounds_add_list(bounds, &list);
	return 0;
}

int weir_dimension_add_segment(struct weir_bounds *bounds, const char *fields, unsigned key_bytes,
			       const Weir__Wire__Segment *segment)
{
	const Weir__Wire__Dimension *dimension = weir_dimension_find(
		segment->dimensions, segment->n_dimensions, fields, key_bytes);
	struct weir_totals totals = weir_convert_totals_get(segment->totals);

	if (dimension)
		return weir_dimension_add(bounds, dimension);
	weir_bounds_add_unlisted(bounds, &totals);
	return 1;
}
