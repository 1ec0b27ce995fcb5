// SPDX-License-Identifier: GPL-2.0
/* clock.c: durations and points in time as people write them. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "daemon/common/clock.h"

#define S WEIR_NS_PER_SECOND
/* 2026-11-23T15:04:05.678Z */
#define NOW (1795446245ULL * S + 678000000)

START_TEST(texts)
{
	char text[40];

	ck_assert_str_eq(weir_clock_text(NOW, text, sizeof(text)), "2026-11-23T15:04:05.678Z");
	ck_assert_str_eq(weir_clock_text(0, text, sizeof(text)), "1970-01-01T00:00:00.000Z");
	ck_assert_str_eq(weir_clock_duration_text(0, text, sizeof(text)), "0ms");
	ck_assert_str_eq(weir_clock_duration_text(1500, text, sizeof(text)), "1us");
	ck_assert_str_eq(weir_clock_duration_text(850000000, text, sizeof(text)), "850ms");
	ck_assert_str_eq(weir_clock_duration_text(12345 * S / 1000, text, sizeof(text)), "12.3s");
	ck_assert_str_eq(weir_clock_duration_text(245 * S, text, sizeof(text)), "4m05s");
	ck_assert_str_eq(weir_clock_duration_text(11400 * S, text, sizeof(text)), "3h10m");
	ck_assert_str_eq(weir_clock_duration_text(200000 * S, text, sizeof(text)), "2d07h");
}
END_TEST

START_TEST(durations)
{
	static const struct {
		const char *text;
		int ret;
		uint64_t ns;
	} rows[] = {{"10s", 0, 10 * S},
		    {"500ms", 0, S / 2},
		    {"1m", 0, 60 * S},
		    {"2h", 0, 7200 * S},
		    {"7d", 0, 604800 * S},
		    {"90", 0, 90 * S},
		    {"0", 0, 0},
		    {"6x", -EINVAL, 0},
		    {"", -EINVAL, 0},
		    {"-1s", -EINVAL, 0},
		    {" 1s", -EINVAL, 0},
		    {"1 s", -EINVAL, 0},
		    {"1.5s", -EINVAL, 0},
		    {"300000w", -ERANGE, 0},
		    {"99999999999999999999s", -ERANGE, 0}};
	uint64_t ns;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_msg(weir_clock_parse_duration(rows[i].text, &ns) == rows[i].ret, "%s",
			      rows[i].text);
		if (!rows[i].ret)
			ck_assert_uint_eq(ns, rows[i].ns);
	}
}
END_TEST

START_TEST(times)
{
	static const struct {
		const char *text;
		uint64_t ns; /* 0: refused */
	} rows[] = {{"now", NOW},
		    {"today", 1795392000ULL * S},
		    {"yesterday", 1795305600ULL * S},
		    {"-1h", NOW - 3600 * S},
		    {"-10", NOW - 10 * S},
		    {"@1795446245.678", NOW},
		    {"2026-11-23", 1795392000ULL * S},
		    {"2026-11-23 15:04", 1795446240ULL * S},
		    {"2026-11-23 15:04:05.678", NOW},
		    {"2026-11-23T15:04:05.678Z", NOW},
		    {"2026-11-23T16:04:05.678+01:00", NOW},
		    {"2024-02-29", 1709164800ULL * S},
		    {"2026-02-29", 0},
		    {"2026-13-01", 0},
		    {"2026-11-23 25:00", 0},
		    {"2026-11-23T15", 0},
		    {"2026-11-23x", 0},
		    {"2026-1-2", 0},
		    {"1969-12-31", 0},
		    {"-1y", 0},
		    {"-9999999999", 0},
		    {"@", 0},
		    {"@1.", 0},
		    {"@99999999999999", 0},
		    {"", 0},
		    {"tomorrow", 0}};
	uint64_t ns;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int ret = weir_clock_parse_time(rows[i].text, NOW, &ns);

		ck_assert_msg(ret == (rows[i].ns ? 0 : -EINVAL), "%s: %d", rows[i].text, ret);
		if (!ret)
			ck_assert_msg(ns == rows[i].ns, "%s", rows[i].text);
	}
}
END_TEST

START_TEST(text_and_back)
{
	char text[40];
	uint64_t ns;

	srandom(1);
	for (int i = 0; i < 10000; i++) {
		uint64_t ms = ((uint64_t)random() << 12 ^ (uint64_t)random()) % 16000000000000ULL;

		weir_clock_text(ms * 1000000, text, sizeof(text));
		ck_assert_int_eq(weir_clock_parse_time(text, NOW, &ns), 0);
		ck_assert_uint_eq(ns, ms * 1000000);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("clock");
	TCase *tcase = tcase_create("clock");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, texts);
	tcase_add_test(tcase, durations);
	tcase_add_test(tcase, times);
	tcase_add_test(tcase, text_and_back);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
