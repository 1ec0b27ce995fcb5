// SPDX-License-Identifier: GPL-2.0
/* aggregate.c against plain arrays. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/query/aggregate.h"

enum {
	KEYS = 3000,
	ADDS = 40000,
	KEY_BYTES = 19,
};

static struct weir_totals sums[KEYS];

static void make_key(unsigned i, uint8_t key[KEY_BYTES])
{
	memset(key, 0, KEY_BYTES);
	key[3] = (uint8_t)(i >> 8);
	key[KEY_BYTES - 1] = (uint8_t)i;
}

static unsigned number_of(const uint8_t *key)
{
	return (unsigned)key[3] << 8 | key[KEY_BYTES - 1];
}

static struct weir_aggregate *fill(void)
{
	struct weir_aggregate *a;
	uint8_t key[KEY_BYTES];

	memset(sums, 0, sizeof(sums));
	srandom(3);
	ck_assert_int_eq(weir_aggregate_new(KEY_BYTES, KEYS, &a), 0);
	for (unsigned i = 0; i < ADDS; i++) {
		unsigned k = (unsigned)random() % KEYS;
		/* few distinct values, so that ties are common */
		struct weir_totals t = {1, (uint64_t)random() % 3, (uint64_t)random() % 7};

		make_key(k, key);
		weir_totals_add(&sums[k], &t);
		ck_assert_int_eq(weir_aggregate_add(a, key, &t), 0);
	}
	return a;
}

START_TEST(sums_are_exact)
{
	struct weir_aggregate *a = fill();
	uint8_t key[KEY_BYTES];
	size_t present = 0;

	for (unsigned i = 0; i < KEYS; i++) {
		const struct weir_totals *t;

		make_key(i, key);
		t = weir_aggregate_get(a, key);
		if (!sums[i].flows) {
			ck_assert_ptr_null(t);
			continue;
		}
		present++;
		ck_assert_ptr_nonnull(t);
		ck_assert(weir_totals_equal(t, &sums[i]));
	}
	ck_assert_uint_eq(weir_aggregate_groups(a), present);
	weir_aggregate_clear(a);
	ck_assert_uint_eq(weir_aggregate_groups(a), 0);
	ck_assert_ptr_null(weir_aggregate_get(a, key));
	weir_aggregate_free(a);
}
END_TEST

static enum weir_order sort_order;

static uint64_t value(const struct weir_totals *t)
{
	return sort_order == WEIR_BY_BYTES     ? t->bytes
	       : sort_order == WEIR_BY_PACKETS ? t->packets
					       : t->flows;
}

static int compare(const void *x, const void *y)
{
	unsigned a = *(const unsigned *)x, b = *(const unsigned *)y;

	if (value(&sums[a]) != value(&sums[b]))
		return value(&sums[a]) > value(&sums[b]) ? -1 : 1;
	return a < b ? -1 : a > b;
}

static void check_top(struct weir_aggregate *a, enum weir_order order, size_t limit)
{
	static unsigned sorted[KEYS];
	struct weir_rest rest, expected = {0};
	struct weir_group *groups;
	size_t count, present = 0;

	for (unsigned i = 0; i < KEYS; i++) {
		if (sums[i].flows)
			sorted[present++] = i;
	}
	sort_order = order;
	qsort(sorted, present, sizeof(*sorted), compare);
	ck_assert_int_eq(weir_aggregate_top(a, order, limit, &groups, &count, &rest), 0);
	ck_assert_uint_eq(count, limit && limit < present ? limit : present);
	for (size_t i = 0; i < present; i++) {
		const struct weir_totals *t = &sums[sorted[i]];

		if (i < count) {
			ck_assert_uint_eq(number_of(groups[i].key), sorted[i]);
			ck_assert(weir_totals_equal(&groups[i].totals, t));
			continue;
		}
		expected.groups++;
		weir_totals_add(&expected.totals, t);
		expected.largest.flows =
			t->flows > expected.largest.flows ? t->flows : expected.largest.flows;
		expected.largest.packets = t->packets > expected.largest.packets
						   ? t->packets
						   : expected.largest.packets;
		expected.largest.bytes =
			t->bytes > expected.largest.bytes ? t->bytes : expected.largest.bytes;
	}
	ck_assert_uint_eq(rest.groups, expected.groups);
	ck_assert(weir_totals_equal(&rest.totals, &expected.totals));
	ck_assert(weir_totals_equal(&rest.largest, &expected.largest));
	free(groups);
}

START_TEST(top_is_right)
{
	static const size_t limits[] = {0, 1, 2, 10, 999, KEYS - 1, KEYS, KEYS + 5};
	struct weir_aggregate *a = fill();

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		check_top(a, WEIR_BY_BYTES, limits[i]);
		check_top(a, WEIR_BY_PACKETS, limits[i]);
		check_top(a, WEIR_BY_FLOWS, limits[i]);
	}
	weir_aggregate_free(a);
}
END_TEST

START_TEST(bounded)
{
	const struct weir_totals one = {1, 2, 3};
	struct weir_aggregate *a;
	struct weir_group *groups;
	struct weir_rest rest;
	uint8_t key[KEY_BYTES];
	size_t count;

	ck_assert_int_eq(weir_aggregate_new(0, 1, &a), -EINVAL);
	ck_assert_int_eq(weir_aggregate_new(KEY_BYTES, 100, &a), 0);
	ck_assert_int_eq(weir_aggregate_top(a, WEIR_BY_BYTES, 5, &groups, &count, &rest), 0);
	ck_assert_uint_eq(count, 0);
	free(groups);
	for (unsigned i = 0; i < 100; i++) {
		make_key(i, key);
		ck_assert_int_eq(weir_aggregate_add(a, key, &one), 0);
	}
	make_key(100, key);
	ck_assert_int_eq(weir_aggregate_add(a, key, &one), -E2BIG);
	ck_assert_ptr_null(weir_aggregate_get(a, key));
	make_key(99, key);
	ck_assert_int_eq(weir_aggregate_add(a, key, &one), 0);
	ck_assert_uint_eq(weir_aggregate_get(a, key)->bytes, 6);
	weir_aggregate_free(a);
	weir_aggregate_free(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("aggregate");
	TCase *tcase = tcase_create("aggregate");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, sums_are_exact);
	tcase_add_test(tcase, top_is_right);
	tcase_add_test(tcase, bounded);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
