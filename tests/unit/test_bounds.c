// SPDX-License-Identifier: GPL-2.0
/*
 * bounds.c: on random data cut to small lists, the truth always lies between low and high,
 * and what is called exact is the truth, in its order.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/query/bounds.h"
#include "daemon/wire/dimension.h"
#include "daemon/wire/convert.h"

enum {
	KEYS = 40,
	SEGMENTS_MAX = 8,
	ROUNDS = 3000,
};

static struct weir_totals truth[KEYS];
static struct weir_totals total;

/* One segment's values by key; few distinct ones, so that ties are common. */
static void draw(struct weir_totals values[KEYS], unsigned spread)
{
	for (unsigned k = 0; k < KEYS; k++) {
		memset(&values[k], 0, sizeof(values[k]));
		if (random() % 3)
			continue;
		/* heavy keys now and then, so that some tops can be proven */
		values[k].bytes = 1 + (unsigned long)random() % spread +
				  (k < 5 ? (5 - k) * 1000UL * (unsigned long)(random() % 2) : 0);
		values[k].packets = 1 + (unsigned long)random() % 5;
		values[k].flows = 1 + (unsigned long)random() % 3;
		weir_totals_add(&truth[k], &values[k]);
		weir_totals_add(&total, &values[k]);
	}
}

static uint64_t max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Add as a segment that names only the @top largest by bytes. */
static void add_cut(struct weir_bounds *bounds, struct weir_totals values[KEYS], unsigned top)
{
	Weir__Wire__Segment segment = WEIR__WIRE__SEGMENT__INIT;
	Weir__Wire__Dimension dimension = WEIR__WIRE__DIMENSION__INIT, *dimensions = &dimension;
	Weir__Wire__Entry entry[KEYS], *entries[KEYS];
	Weir__Wire__Totals totals[KEYS], rest_message, largest_message;
	struct weir_totals rest = {0}, largest = {0};
	uint8_t key[KEYS];
	bool named[KEYS] = {false};

	for (unsigned n = 0; n < KEYS; n++) {
		unsigned best = KEYS;

		for (unsigned k = 0; k < KEYS; k++)
			if (!named[k] && values[k].flows &&
			    (best == KEYS || values[k].bytes > values[best].bytes))
				best = k;
		if (best == KEYS)
			break;
		named[best] = true;
		if (n >= top) {
			dimension.rest_groups++;
			weir_totals_add(&rest, &values[best]);
			largest.bytes = max(largest.bytes, values[best].bytes);
			largest.packets = max(largest.packets, values[best].packets);
			largest.flows = max(largest.flows, values[best].flows);
			continue;
		}
		key[n] = (uint8_t)best;
		weir__wire__entry__init(&entry[n]);
		weir_convert_totals_put(&totals[n], &values[best]);
		entry[n].key.data = &key[n];
		entry[n].key.len = 1;
		entry[n].totals = &totals[n];
		entries[dimension.n_top++] = &entry[n];
	}
	weir_convert_totals_put(&rest_message, &rest);
	weir_convert_totals_put(&largest_message, &largest);
	dimension.fields = "proto";
	dimension.top = entries;
	dimension.rest = &rest_message;
	dimension.largest = &largest_message;
	segment.n_dimensions = 1;
	segment.dimensions = &dimensions;
	ck_assert_int_eq(weir_dimension_add_segment(bounds, "proto", 1, &segment), 0);
}

static uint64_t value(const struct weir_totals *totals, enum weir_order order)
{
	return order == WEIR_BY_BYTES ? totals->bytes :
	       order == WEIR_BY_PACKETS ? totals->packets : totals->flows;
}

static void check_within(const struct weir_bounds_line *line)
{
	const struct weir_totals *t = &truth[*line->key];

	ck_assert(line->low.bytes <= t->bytes && t->bytes <= line->high.bytes);
	ck_assert(line->low.packets <= t->packets && t->packets <= line->high.packets);
	ck_assert(line->low.flows <= t->flows && t->flows <= line->high.flows);
}

/* The true order: by value, ties by key. */
static unsigned true_rank(unsigned key, enum weir_order order)
{
	unsigned rank = 0;

	for (unsigned k = 0; k < KEYS; k++)
		if (value(&truth[k], order) > value(&truth[key], order) ||
		    (value(&truth[k], order) == value(&truth[key], order) && k < key))
			rank++;
	return rank;
}

static void check_result(const struct weir_bounds *bounds, enum weir_order order, size_t limit,
			 unsigned *exact)
{
	struct weir_bounds_result result;
	struct weir_totals sum;
	uint64_t groups = 0;

	ck_assert_int_eq(weir_bounds_result(bounds, order, limit, &result), 0);
	ck_assert_uint_le(result.count, limit);
	sum = result.rest;
	for (size_t i = 0; i < result.count; i++) {
		check_within(&result.lines[i]);
		weir_totals_add(&sum, &result.lines[i].low);
		if (!result.exact)
			continue;
		ck_assert(weir_totals_equal(&result.lines[i].low, &truth[*result.lines[i].key]));
		ck_assert_uint_eq(true_rank(*result.lines[i].key, order), i);
	}
	ck_assert(weir_totals_equal(&sum, &total));
	for (unsigned k = 0; k < KEYS; k++)
		groups += truth[k].flows > 0;
	ck_assert_uint_le(result.count + result.rest_groups, groups);
	if (result.exact)
		ck_assert_uint_eq(result.count, limit < groups ? limit : groups);
	if (result.rest_groups_exact)
		ck_assert_uint_eq(result.count + result.rest_groups, groups);
	*exact += result.exact;
	free(result.lines);
}

START_TEST(truth_is_within)
{
	unsigned exact = 0, checks = 0;

	srandom(11);
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned segments = 1 + (unsigned)random() % SEGMENTS_MAX;
		unsigned top = (unsigned)random() % 12;
		unsigned spread = random() % 2 ? 4 : 1000;
		struct weir_bounds *bounds;

		memset(truth, 0, sizeof(truth));
		memset(&total, 0, sizeof(total));
		ck_assert_int_eq(weir_bounds_new(1, 1000, &bounds), 0);
		for (unsigned s = 0; s < segments; s++) {
			struct weir_totals values[KEYS];

			draw(values, spread);
			if (random() % 8 == 0) {
				for (unsigned k = 0; k < KEYS; k++)
					weir_bounds_add_unlisted(bounds, &values[k]);
				continue;
			}
			if (random() % 4) {
				add_cut(bounds, values, top);
				continue;
			}
			for (unsigned k = 0; k < KEYS; k++) {
				uint8_t key = (uint8_t)k;

				if (values[k].flows)
					ck_assert_int_eq(weir_bounds_add_exact(bounds, &key, &values[k]), 0);
			}
		}
		for (enum weir_order order = WEIR_BY_BYTES; order <= WEIR_BY_FLOWS; order++, checks++)
			check_result(bounds, order, random() % 8 ? 1 + (size_t)random() % 8 : SIZE_MAX,
				     &exact);
		weir_bounds_free(bounds);
	}
	/* Both kinds occur, or the test tests nothing. */
	ck_assert_uint_gt(exact, checks / 50);
	ck_assert_uint_lt(exact, checks * 9 / 10);
}
END_TEST

START_TEST(unknown_dimension_bounds)
{
	Weir__Wire__Segment segment = WEIR__WIRE__SEGMENT__INIT;
	Weir__Wire__Totals totals;
	struct weir_totals all = {3, 30, 300}, known = {1, 10, 100};
	struct weir_bounds_result result;
	struct weir_bounds *bounds;
	uint8_t key = 9;

	weir_convert_totals_put(&totals, &all);
	segment.totals = &totals;
	ck_assert_int_eq(weir_bounds_new(1, 10, &bounds), 0);
	ck_assert_int_eq(weir_bounds_add_exact(bounds, &key, &known), 0);
	ck_assert_int_eq(weir_dimension_add_segment(bounds, "proto", 1, &segment), 1);
	ck_assert_int_eq(weir_bounds_result(bounds, WEIR_BY_BYTES, 5, &result), 0);
	ck_assert_uint_eq(result.count, 1);
	ck_assert(!result.exact);
	ck_assert_uint_eq(result.lines[0].low.bytes, 100);
	ck_assert_uint_eq(result.lines[0].high.bytes, 400);
	ck_assert_uint_eq(result.rest.bytes, 300);
	free(result.lines);
	weir_bounds_free(bounds);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bounds");
	TCase *tcase = tcase_create("bounds");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, truth_is_within);
	tcase_add_test(tcase, unknown_dimension_bounds);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
