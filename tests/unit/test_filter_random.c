// SPDX-License-Identifier: GPL-2.0
/*
 * Random filters against the second definition of the language in language.c: parsed, bound, and
 * matched with each of the flows. WEIR_SEED=N repeats a run.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/query/filter.h"
#include "daemon/query/names.h"
#include "tests/unit/language.h"

enum { ROUNDS = 40, EXPRESSIONS = 250 };

static void check_expression(const struct expression *e, const struct weir_names *names)
{
	struct weir_filter *filter;
	char error[256] = "";
	size_t at = 0;

	ck_assert_msg(weir_filter_parse(e->text, &filter, error, sizeof(error), &at) == 0,
		      "%s: %s at %zu", e->text, error, at);
	ck_assert_msg(weir_filter_bind(filter, names, error, sizeof(error), &at) == 0, "%s: %s",
		      e->text, error);
	for (unsigned i = 0; i < LANGUAGE_FLOWS; i++)
		ck_assert_msg(weir_filter_match(filter, &language_flows[i]) == (e->holds >> i & 1),
			      "%s: flow %u should%s match", e->text, i,
			      e->holds >> i & 1 ? "" : " not");
	weir_filter_free(filter);
}

START_TEST(random_filters)
{
	const char *wanted = getenv("WEIR_SEED");
	unsigned seed = wanted ? (unsigned)atoi(wanted) : 20261125, mixed = 0;
	struct expression *e = malloc(sizeof(*e));
	struct weir_names *names;

	srandom(seed);
	ck_assert_int_eq(weir_names_new("here", "some where", &names), 0);
	ck_assert_int_eq(weir_names_add(names, 3, "eth0"), 0);
	ck_assert_int_eq(weir_names_add(names, 4, "eth1"), 0);
	ck_assert_int_eq(weir_names_add(names, 5, "wan0"), 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		language_make_flows();
		for (unsigned i = 0; i < EXPRESSIONS; i++) {
			memset(e, 0, sizeof(*e));
			language_make(e, 3);
			if (strlen(e->text) + 1 == sizeof(e->text))
				continue; /* cut */
			check_expression(e, names);
			mixed += e->holds && e->holds != ~0ULL;
		}
	}
	/* Most tell some flows from others: a test of tests. */
	ck_assert_uint_gt(mixed, ROUNDS * EXPRESSIONS / 2);
	weir_names_free(names);
	free(e);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("filter_random");
	TCase *tcase = tcase_create("filter_random");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 240);
	tcase_add_test(tcase, random_filters);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
