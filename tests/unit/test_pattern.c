// SPDX-License-Identifier: GPL-2.0
/* kmod/pattern.c against a table, and against fnmatch() with random patterns. */
#include <check.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

#include "kmod/pattern.h"

static const struct {
	const char *patterns, *name;
	bool matches;
} table[] = {
	{ "eth0", "eth0", true },
	{ "eth0", "eth01", false },
	{ "eth01", "eth0", false },
	{ "", "eth0", false },
	{ "   ", "eth0", false },
	{ "*", "eth0", true },
	{ "eth*", "eth0", true },
	{ "eth*", "eth", true },
	{ "eth*", "et", false },
	{ "eth? tap*", "tap0", true },
	{ "  eth?   tap*  ", "eth7", true },
	{ "eth?", "eth", false },
	{ "eth?", "eth10", false },
	{ "eth* !eth3", "eth3", false },
	{ "eth* !eth3", "eth30", true },
	{ "!eth3 eth*", "eth3", false },
	{ "!eth3", "eth4", false },	/* nothing is put in */
	{ "* !lo !docker*", "docker0", false },
	{ "* !lo !docker*", "eth0", true },
	{ "!", "eth0", false },
	{ "* !", "eth0", true },
	{ "eth[0-3]", "eth3", true },
	{ "eth[0-3]", "eth4", false },
	{ "eth[!0-3]", "eth4", true },
	{ "eth[!0-3]", "eth3", false },
	{ "eth[135]", "eth3", true },
	{ "eth[]]", "eth]", true },
	{ "eth[", "eth[", true },
	{ "eth[12", "eth1", false },
	{ "eth[0-]", "eth-", true },
	{ "*a*b*", "xxaxxbxx", true },
	{ "*a*b*", "xxbxxaxx", false },
	{ "*.5", "eth0.5", true },
	{ "a**b", "ab", true },
	{ "*a", "aaab", false },
};

START_TEST(test_table)
{
	ck_assert_msg(weir_pattern_match(table[_i].patterns, table[_i].name) == table[_i].matches,
		      "\"%s\" and \"%s\"", table[_i].patterns, table[_i].name);
}
END_TEST

static void random_string(char *to, unsigned int max, const char *alphabet, unsigned int n)
{
	unsigned int i, length = (unsigned int)rand() % (max + 1);

	for (i = 0; i < length; i++)
		to[i] = alphabet[(unsigned int)rand() % n];
	to[length] = '\0';
}

/* Without brackets, where fnmatch() has more to say. */
START_TEST(test_as_fnmatch)
{
	char pattern[10], name[9];
	unsigned int i, matched = 0;

	srand(1);
	for (i = 0; i < 200000; i++) {
		bool want;

		random_string(pattern, sizeof(pattern) - 1, "ab*?", 4);
		random_string(name, sizeof(name) - 1, "ab", 2);
		want = *pattern && !fnmatch(pattern, name, 0);
		matched += want;
		ck_assert_msg(weir_pattern_match(pattern, name) == want, "\"%s\" and \"%s\"",
			      pattern, name);
	}
	ck_assert_uint_gt(matched, 1000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pattern");
	TCase *tcase = tcase_create("pattern");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, test_table, 0, sizeof(table) / sizeof(*table));
	tcase_add_test(tcase, test_as_fnmatch);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
