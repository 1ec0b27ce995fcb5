// SPDX-License-Identifier: GPL-2.0
/* sorter.c: the work of a limit, however little memory there is beyond it. */
#include <check.h>
#include <stdlib.h>

#include "daemon/query/sorter.h"

enum {
	ROWS = 60000,
	LIMIT = 4095, /* one row less than what there is room for */
	ROOM_BYTES = 4096 * (sizeof(uint64_t) + sizeof(struct weir_sorted)),
};

static uint64_t compared;

/* Called for equal ranks only, which all of them have. */
static int order_rows(const void *arg, const void *x, const void *y)
{
	const uint64_t *a = x, *b = y;

	compared++;
	return *a < *b ? -1 : *a > *b;
}

static int see_row(void *arg, const void *row)
{
	uint64_t *next = arg;

	ck_assert_uint_eq(*(const uint64_t *)row, *next);
	++*next;
	return 0;
}

/* The best row comes last, so each is wanted. */
START_TEST(limit_of_all_memory)
{
	const struct weir_sorter_order order = {
		.row_bytes = sizeof(uint64_t), .compare = order_rows, .limit = LIMIT};
	struct weir_budget budget = {.bound_bytes = ROOM_BYTES};
	struct weir_sorter sorter, *sorters[] = {&sorter};
	_Atomic uint64_t used = 0;
	struct weir_spill spill;
	uint64_t next = 0, dropped;

	weir_spill_init(&spill, "/tmp", 4096, &used, UINT64_MAX);
	weir_sorter_init(&sorter, &order, &budget, &spill);
	for (uint64_t i = ROWS; i-- > 0;)
		ck_assert_int_eq(weir_sorter_add(&sorter, (struct weir_rank){1, 1}, &i), 0);
	ck_assert_int_eq(weir_sorter_finish(&sorter), 0);
	ck_assert_uint_lt(compared, ROWS * 100);
	ck_assert_uint_eq(weir_sorter_rows(sorters, 1, &dropped) + dropped, ROWS);
	ck_assert_int_eq(weir_sorter_read(sorters, 1, see_row, NULL, &next), 0);
	ck_assert_uint_eq(next, LIMIT);
	weir_sorter_free(&sorter);
	weir_spill_close(&spill);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sorter");
	TCase *tcase = tcase_create("sorter");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, limit_of_all_memory);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
