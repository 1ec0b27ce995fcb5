// SPDX-License-Identifier: GPL-2.0
/* Names in filters that only the machine asked can resolve: binding, patterns, interfaces. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/sample.h"

static void bind_refuses(const struct weir_names *names, const char *text, size_t at,
			 const char *sentence)
{
	struct weir_filter *filter = sample_filter(text);
	char error[256] = "";
	size_t found = 0;

	ck_assert_int_eq(weir_filter_bind(filter, names, error, sizeof(error), &found), -EINVAL);
	ck_assert_str_eq(error, sentence);
	ck_assert_uint_eq(found, at);
	weir_filter_free(filter);
}

START_TEST(binding)
{
	struct weir_names *names = sample_names(), *nowhere;
	struct weir_filter *filter = sample_filter("out if {wan* 3 eth0} and node router-1");
	struct weir_flow flow = sample_client();
	size_t at;

	ck_assert(!weir_filter_match(filter, &flow));
	ck_assert_int_eq(weir_filter_bind(filter, names, NULL, 0, &at), 0);
	ck_assert_int_eq(weir_filter_bind(filter, names, NULL, 0, &at), 0); /* harmless */
	ck_assert(weir_filter_match(filter, &flow));
	flow.netns = 4026532000u; /* where the same number is another interface */
	ck_assert(!weir_filter_match(filter, &flow));
	/* node and site cost nothing once bound */
	ck_assert_uint_eq(weir_filter_columns(filter), WEIR_COLUMN_BIT(WEIR_COLUMN_OUT_IFINDEX) |
							       WEIR_COLUMN_BIT(WEIR_COLUMN_NETNS));
	weir_filter_free(filter);
	ck_assert_int_eq(weir_filter_bind(NULL, names, NULL, 0, &at), 0);
	bind_refuses(names, "tcp and in if {eth0 eth9}", 20,
		     "there is no interface \"eth9\" here now");
	bind_refuses(names, "tcp and out if \"wan\"", 15, "there is no interface \"wan\" here now");
	ck_assert_int_eq(weir_names_new(NULL, NULL, &nowhere), 0);
	bind_refuses(nowhere, "tcp and node a", 13,
		     "\"node\" can be asked of nodes only, not here");
	bind_refuses(nowhere, "site {a b}", 6, "\"site\" can be asked of nodes only, not here");
	weir_names_free(nowhere);
	weir_names_free(names);
}
END_TEST

START_TEST(patterns)
{
	static const struct {
		const char *pattern, *text;
		bool match;
	} rows[] = {{"", "", true},
		    {"*", "", true},
		    {"*", "abc", true},
		    {"a", "A", true},
		    {"a", "ab", false},
		    {"a*", "abc", true},
		    {"*c", "abc", true},
		    {"*b", "abc", false},
		    {"a*c", "abbbc", true},
		    {"a*b*c", "aXbYbZc", true},
		    {"a*b*c", "aXcYb", false},
		    {"?", "", false},
		    {"a?c", "abc", true},
		    {"**", "x", true},
		    {"*?", "x", true},
		    {"*??", "x", false},
		    {"wan*", "lan0", false}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_msg(weir_names_match(rows[i].pattern, rows[i].text) == rows[i].match,
			      "%s on %s", rows[i].pattern, rows[i].text);
}
END_TEST

START_TEST(the_machines_own_interfaces)
{
	struct weir_names *names;

	ck_assert_int_eq(weir_names_new("a", NULL, &names), 0);
	ck_assert_int_eq(weir_names_read(names), 0);
	ck_assert_uint_ge(names->count, 1); /* lo at least */
	for (size_t i = 1; i < names->count; i++)
		ck_assert_uint_lt(names->interfaces[i - 1].index, names->interfaces[i].index);
	ck_assert_str_eq(weir_names_interface(names, names->interfaces[0].index),
			 names->interfaces[0].name);
	ck_assert_ptr_null(weir_names_interface(names, 0));
	weir_names_free(names);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("names");
	TCase *tcase = tcase_create("names");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, binding);
	tcase_add_test(tcase, patterns);
	tcase_add_test(tcase, the_machines_own_interfaces);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
