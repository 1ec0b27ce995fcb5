// SPDX-License-Identifier: GPL-2.0
/* view.c - the largest keys of a whole cluster, with proven bounds. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/master/view.h"
#include "daemon/wire/convert.h"

struct weir_view {
	unsigned key_bytes;
	struct weir_aggregate *low;
	struct weir_aggregate *credit; /* per key: sum of `largest` over the lists that name it */
	struct weir_totals unlisted;   /* sum of `largest` over all lists */
	struct weir_totals total;      /* of all keys, named or not */
	uint64_t most_groups;	       /* keys of the list that has most */
	bool incomplete;	       /* some list leaves keys out */
};

int weir_view_new(unsigned key_bytes, size_t max_groups, struct weir_view **out)
{
	struct weir_view *view = calloc(1, sizeof(*view));
	int result;

	if (!view)
		return -ENOMEM;
	view->key_bytes = key_bytes;
	result = weir_aggregate_new(key_bytes, max_groups, &view->low);
	if (!result)
		result = weir_aggregate_new(key_bytes, max_groups, &view->credit);
	if (result) {
		weir_view_free(view);
		return result;
	}
	*out = view;
	return 0;
}

void weir_view_free(struct weir_view *view)
{
	if (!view)
		return;
	weir_aggregate_free(view->low);
	weir_aggregate_free(view->credit);
	free(view);
}

static bool is_zero(const struct weir_totals *totals)
{
	return !totals->flows && !totals->packets && !totals->bytes;
}

static const Weir__Wire__Dimension *find_dimension(const struct weir_view *view, const char *fields,
						   const Weir__Wire__Segment *segment)
{
	for (size_t i = 0; i < segment->n_dimensions; i++) {
		const Weir__Wire__Dimension *dimension = segment->dimensions[i];

		if (strcmp(dimension->fields, fields))
			continue;
		for (size_t j = 0; j < dimension->n_top; j++)
			if (dimension->top[j]->key.len != view->key_bytes)
				return NULL;
		return dimension;
	}
	return NULL;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static int add_dimension(struct weir_view *view, const Weir__Wire__Dimension *dimension)
{
	struct weir_totals rest = weir_convert_totals_get(dimension->rest);
	struct weir_totals largest = {0};

	if (dimension->rest_groups)
		largest = weir_convert_totals_get(dimension->largest);
	for (size_t i = 0; i < dimension->n_top; i++) {
		const Weir__Wire__Entry *entry = dimension->top[i];
		struct weir_totals totals = weir_convert_totals_get(entry->totals);
		int result = weir_aggregate_add(view->low, entry->key.data, &totals);

		if (!result && dimension->rest_groups)
			result = weir_aggregate_add(view->credit, entry->key.data, &largest);
		if (result)
			return result;
		weir_totals_add(&view->total, &totals);
	}
	weir_totals_add(&view->total, &rest);
	weir_totals_add(&view->unlisted, &largest);
	view->most_groups = larger(view->most_groups, dimension->n_top + dimension->rest_groups);
	view->incomplete = view->incomplete || dimension->rest_groups;
	return 0;
}

int weir_view_add_segment(struct weir_view *view, const char *fields,
			  const Weir__Wire__Segment *segment)
{
	const Weir__Wire__Dimension *dimension = find_dimension(view, fields, segment);
	struct weir_totals totals = weir_convert_totals_get(segment->totals);

	if (dimension)
		return add_dimension(view, dimension);
	weir_view_add_unlisted(view, &totals);
	return 1;
}

void weir_view_add_unlisted(struct weir_view *view, const struct weir_totals *totals)
{
	if (is_zero(totals))
		return;
	weir_totals_add(&view->total, totals);
	weir_totals_add(&view->unlisted, totals);
	view->most_groups = larger(view->most_groups, 1);
	view->incomplete = true;
}

int weir_view_add_exact(struct weir_view *view, const uint8_t *key,
			const struct weir_totals *totals)
{
	int result = weir_aggregate_add(view->low, key, totals);

	if (!result)
		weir_totals_add(&view->total, totals);
	return result;
}

static struct weir_totals high_of(const struct weir_view *view, const struct weir_group *group)
{
	const struct weir_totals *credit = weir_aggregate_get(view->credit, group->key);
	struct weir_totals high = group->totals;

	weir_totals_add(&high, &view->unlisted);
	if (credit)
		weir_totals_subtract(&high, credit);
	return high;
}

static uint64_t value_of(const struct weir_totals *totals, enum weir_order order)
{
	switch (order) {
	case WEIR_BY_PACKETS:
		return totals->packets;
	case WEIR_BY_FLOWS:
		return totals->flows;
	default:
		return totals->bytes;
	}
}

/* @groups are all keys named, in order of low; the first @count were chosen. Could any other
 * key, named or not, be as large as the last of them? */
static bool outside_is_smaller(const struct weir_view *view, const struct weir_group *groups,
			       size_t all, size_t count, enum weir_order order)
{
	uint64_t least;

	if (!view->incomplete)
		return true; /* low is the truth for all */
	if (!count)
		return false;
	least = value_of(&groups[count - 1].totals, order);
	if (value_of(&view->unlisted, order) >= least)
		return false;
	for (size_t i = count; i < all; i++) {
		struct weir_totals high = high_of(view, &groups[i]);

		/* Equal values that are both exact are in order of their keys. */
		if (value_of(&high, order) > least ||
		    (value_of(&high, order) == least && !weir_totals_equal(&high, &groups[i].totals)))
			return false;
	}
	return true;
}

int weir_view_result(const struct weir_view *view, enum weir_order order, size_t limit,
		     struct weir_view_result *result)
{
	struct weir_group *groups;
	size_t all;
	int error = weir_aggregate_top(view->low, order, SIZE_MAX, &groups, &all, NULL);

	if (error)
		return error;
	memset(result, 0, sizeof(*result));
	result->count = all < limit ? all : limit;
	result->lines = malloc((result->count ? result->count : 1) * sizeof(*result->lines));
	if (!result->lines) {
		free(groups);
		return -ENOMEM;
	}
	result->rest = view->total;
	result->rest_groups_exact = !view->incomplete;
	/* Lines that were asked for and cannot be named are no smaller matter than wrong ones. */
	result->exact = (!view->incomplete || all >= limit) &&
			outside_is_smaller(view, groups, all, result->count, order);
	for (size_t i = 0; i < result->count; i++) {
		struct weir_view_line *line = &result->lines[i];

		line->key = groups[i].key;
		line->low = groups[i].totals;
		line->high = high_of(view, &groups[i]);
		if (!weir_totals_equal(&line->low, &line->high))
			result->exact = false;
		weir_totals_subtract(&result->rest, &line->low);
	}
	result->rest_groups = larger(all, view->most_groups) - result->count;
	free(groups);
	return 0;
}
