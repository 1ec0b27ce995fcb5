// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/query/bounds.h"

struct weir_bounds {
	unsigned key_bytes;
	struct weir_aggregate *low;
	struct weir_aggregate *more;   /* per key: what it may be above that */
	struct weir_aggregate *credit; /* per key: sum of `largest` over the lists that name it */
	struct weir_totals unlisted;   /* sum of `largest` over all lists */
	struct weir_totals total;      /* of all keys, named or not */
	uint64_t most_groups;	       /* keys of the list that has most */
	bool incomplete;	       /* some list leaves keys out */
};

int weir_bounds_new(unsigned key_bytes, size_t max_groups, struct weir_bounds **out)
{
	struct weir_bounds *bounds = calloc(1, sizeof(*bounds));
	int result;

	if (!bounds)
		return -ENOMEM;
	bounds->key_bytes = key_bytes;
	result = weir_aggregate_new(key_bytes, max_groups, &bounds->low);
	if (!result)
		result = weir_aggregate_new(key_bytes, max_groups, &bounds->more);
	if (!result)
		result = weir_aggregate_new(key_bytes, max_groups, &bounds->credit);
	if (result) {
		weir_bounds_free(bounds);
		return result;
	}
	*out = bounds;
	return 0;
}

void weir_bounds_free(struct weir_bounds *bounds)
{
	if (!bounds)
		return;
	weir_aggregate_free(bounds->low);
	weir_aggregate_free(bounds->more);
	weir_aggregate_free(bounds->credit);
	free(bounds);
}

static bool is_zero(const struct weir_totals *totals)
{
	return !totals->flows && !totals->packets && !totals->bytes;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

int weir_bounds_add_key(struct weir_bounds *bounds, const struct weir_bounds_list *list,
			const uint8_t *key, const struct weir_totals *low,
			const struct weir_totals *more)
{
	int result = weir_aggregate_add(bounds->low, key, low);

	if (!result && more && !is_zero(more))
		result = weir_aggregate_add(bounds->more, key, more);
	if (!result && list->incomplete)
		result = weir_aggregate_add(bounds->credit, key, &list->largest);
	if (!result)
		weir_totals_add(&bounds->total, low);
	return result;
}

void weir_bounds_add_list(struct weir_bounds *bounds, const struct weir_bounds_list *list)
{
	weir_totals_add(&bounds->total, &list->rest);
	if (list->incomplete)
		weir_totals_add(&bounds->unlisted, &list->largest);
	bounds->most_groups = larger(bounds->most_groups, list->groups);
	bounds->incomplete = bounds->incomplete || list->incomplete;
}

void weir_bounds_add_unlisted(struct weir_bounds *bounds, const struct weir_totals *totals)
{
	if (is_zero(totals))
		return;
	weir_totals_add(&bounds->total, totals);
	weir_totals_add(&bounds->unlisted, totals);
	bounds->most_groups = larger(bounds->most_groups, 1);
	bounds->incomplete = true;
}

int weir_bounds_add_exact(struct weir_bounds *bounds, const uint8_t *key,
			const struct weir_totals *totals)
{
	int result = weir_aggregate_add(bounds->low, key, totals);

	if (!result)
		weir_totals_add(&bounds->total, totals);
	return result;
}

static struct weir_totals high_of(const struct weir_bounds *bounds, const struct weir_group *group)
{
	const struct weir_totals *credit = weir_aggregate_get(bounds->credit, group->key);
	const struct weir_totals *more = weir_aggregate_get(bounds->more, group->key);
	struct weir_totals high = group->totals;

	weir_totals_add(&high, &bounds->unlisted);
	if (more)
		weir_totals_add(&high, more);
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
static bool outside_is_smaller(const struct weir_bounds *bounds, const struct weir_group *groups,
			       size_t all, size_t count, enum weir_order order)
{
	uint64_t least;

	if (!bounds->incomplete && !weir_aggregate_groups(bounds->more))
		return true; /* low is the truth for all */
	if (!count)
		return false;
	least = value_of(&groups[count - 1].totals, order);
	if (value_of(&bounds->unlisted, order) >= least)
		return false;
	for (size_t i = count; i < all; i++) {
		struct weir_totals high = high_of(bounds, &groups[i]);

		/* Equal values that are both exact are in order of their keys. */
		if (value_of(&high, order) > least ||
		    (value_of(&high, order) == least && !weir_totals_equal(&high, &groups[i].totals)))
			return false;
	}
	return true;
}

/* Of the keys that have no line: @left are those of them that some list names. */
static void bound_the_rest(const struct weir_bounds *bounds, const struct weir_group *left,
			   size_t count, struct weir_bounds_result *result)
{
	result->incomplete = bounds->incomplete || count;
	result->largest = bounds->unlisted;
	for (size_t i = 0; i < count; i++) {
		struct weir_totals high = high_of(bounds, &left[i]);

		result->largest.flows = larger(result->largest.flows, high.flows);
		result->largest.packets = larger(result->largest.packets, high.packets);
		result->largest.bytes = larger(result->largest.bytes, high.bytes);
	}
}

int weir_bounds_result(const struct weir_bounds *bounds, enum weir_order order, size_t limit,
		     struct weir_bounds_result *result)
{
	struct weir_group *groups;
	size_t all;
	int error = weir_aggregate_top(bounds->low, order, SIZE_MAX, &groups, &all, NULL);

	if (error)
		return error;
	memset(result, 0, sizeof(*result));
	result->count = all < limit ? all : limit;
	result->lines = malloc((result->count ? result->count : 1) * sizeof(*result->lines));
	if (!result->lines) {
		free(groups);
		return -ENOMEM;
	}
	result->rest = bounds->total;
	result->rest_groups_exact = !bounds->incomplete;
	/* Lines that were asked for and cannot be named are no smaller matter than wrong ones. */
	result->exact = (!bounds->incomplete || all >= limit) &&
			outside_is_smaller(bounds, groups, all, result->count, order);
	for (size_t i = 0; i < result->count; i++) {
		struct weir_bounds_line *line = &result->lines[i];

		line->key = groups[i].key;
		line->low = groups[i].totals;
		line->high = high_of(bounds, &groups[i]);
		if (!weir_totals_equal(&line->low, &line->high))
			result->exact = false;
		weir_totals_subtract(&result->rest, &line->low);
	}
	result->rest_groups = larger(all, bounds->most_groups) - result->count;
	bound_the_rest(bounds, groups + result->count, all - result->count, result);
	free(groups);
	return 0;
}
