// SPDX-License-Identifier: GPL-2.0
/* clock.c: durations and points in time as people write them. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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
		    {"-90m", NOW - 5400 * S},
		    {"-1h30m", NOW - 5400 * S},
		    {"-2d12h", NOW - 60 * 3600 * S},
		    {"NOW", NOW},
		    {"Yesterday", 1795305600ULL * S},
		    {"yesterday 14:00", 1795305600ULL * S + 14 * 3600 * S},
		    {"today 14:00:01.5", 1795392000ULL * S + 14 * 3600 * S + S + S / 2},
		    {"14:00", 1795392000ULL * S + 14 * 3600 * S},
		    {"23:59:59", 1795392000ULL * S + 86399 * S}, /* not come yet */
		    {"15:04 +01:00", 1795446240ULL * S - 3600 * S},
		    {"yesterday 15:04Z", 1795446240ULL * S - 86400 * S},
		    {"2026-11-23T15:04Z", 1795446240ULL * S},
		    {"2026-11-23 15:04 UTC", 1795446240ULL * S},
		    {"2026-11-23 16:04 +01", 1795446240ULL * S},
		    {"2026-11-23 10:04-0500", 1795446240ULL * S},
		    {"2026/11/23", 1795392000ULL * S},
		    {"2026/11/23.15:04:05", 1795446245ULL * S},
		    {"2026/11/23.15:04", 1795446240ULL * S},
		    {"2026/11/23.15", 1795392000ULL * S + 15 * 3600 * S},
		    {"2026/11/23 15:04", 1795446240ULL * S},
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
		    {"2026-11-23.15:04", 0},
		    {"2026/11-23", 0},
		    {"2026-11-23 15", 0},
		    {"2026-11-23 15:04 CET", 0},
		    {"2026-11-23T15:04+1", 0},
		    {"2026-11-23T15:04+15:00", 0},
		    {"yesterdayx", 0},
		    {"today 24:00", 0},
		    {"today Z", 0},
		    {"14:0", 0},
		    {"24:00", 0},
		    {"-", 0},
		    {"-1h30", 0},
		    {"-1h-30m", 0},
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

/* NOW is 2026-11-23T15:04:05.678Z: 16:04 in Berlin, the 24th on Kiritimati. */
static void expect(const char *zone, const char *text, const char *utc)
{
	uint64_t ns = 0;
	char found[40];

	ck_assert_int_eq(setenv("TZ", zone, 1), 0);
	ck_assert_msg(weir_clock_parse_time(text, NOW, &ns) == 0, "%s: %s", zone, text);
	ck_assert_msg(!strcmp(weir_clock_text(ns, found, sizeof(found)), utc), "%s: %s: %s", zone,
		      text, found);
	ck_assert_int_eq(setenv("TZ", "UTC", 1), 0);
}

/* The rules of a zone are given, as a machine without tzdata has none. */
#define BERLIN	   "CET-1CEST,M3.5.0,M10.5.0/3"
#define NEW_YORK   "EST5EDT,M3.2.0,M11.1.0"
#define KIRITIMATI "<+14>-14"
#define SANTIAGO   "<-04>4<-03>,M9.1.6/24,M4.1.6/24"

START_TEST(zones)
{
	expect(BERLIN, "2026-11-25 14:00", "2026-11-25T13:00:00.000Z");
	expect(BERLIN, "2026-07-25 14:00", "2026-07-25T12:00:00.000Z");
	expect(BERLIN, "2026-07-25 14:00Z", "2026-07-25T14:00:00.000Z");
	expect(BERLIN, "today", "2026-11-22T23:00:00.000Z");
	expect(BERLIN, "yesterday 14:00", "2026-11-22T13:00:00.000Z");
	expect(BERLIN, "14:00", "2026-11-23T13:00:00.000Z");
	expect(BERLIN, "-1h", "2026-11-23T14:04:05.678Z");
	expect(KIRITIMATI, "today", "2026-11-23T10:00:00.000Z");
	expect(KIRITIMATI, "yesterday", "2026-11-22T10:00:00.000Z");
	expect(KIRITIMATI, "00:00 Z", "2026-11-23T00:00:00.000Z");
	expect(KIRITIMATI, "2026/11/24.05:00", "2026-11-23T15:00:00.000Z");
	expect(NEW_YORK, "2026-11-25", "2026-11-25T05:00:00.000Z");
	expect("UTC", "today 02:00 +14:00", "2026-11-23T12:00:00.000Z");
}
END_TEST

START_TEST(clocks_put_forward_and_back)
{
	/* Berlin: 2026-03-29 02:00 becomes 03:00, and 2026-10-25 03:00 becomes 02:00. */
	expect(BERLIN, "2026-03-29", "2026-03-28T23:00:00.000Z");
	expect(BERLIN, "2026-03-29 01:59:59", "2026-03-29T00:59:59.000Z");
	expect(BERLIN, "2026-03-29 02:00", "2026-03-29T01:00:00.000Z");
	expect(BERLIN, "2026-03-29 02:30", "2026-03-29T01:30:00.000Z"); /* 03:30 */
	expect(BERLIN, "2026-03-29 03:00", "2026-03-29T01:00:00.000Z");
	expect(BERLIN, "2026-03-30", "2026-03-29T22:00:00.000Z"); /* a day of 23 hours */
	expect(BERLIN, "2026-10-25", "2026-10-24T22:00:00.000Z");
	expect(BERLIN, "2026-10-25 01:59:59", "2026-10-24T23:59:59.000Z");
	expect(BERLIN, "2026-10-25 02:30", "2026-10-25T00:30:00.000Z");	      /* the first of two */
	expect(BERLIN, "2026-10-25 02:30+01:00", "2026-10-25T01:30:00.000Z"); /* the other */
	expect(BERLIN, "2026-10-25 03:00", "2026-10-25T02:00:00.000Z");
	expect(BERLIN, "2026-10-26", "2026-10-25T23:00:00.000Z"); /* a day of 25 hours */
	expect(NEW_YORK, "2026-11-01 01:30", "2026-11-01T05:30:00.000Z");
	expect(NEW_YORK, "2026-03-08 02:30", "2026-03-08T07:30:00.000Z");
	/* Where clocks are put forward at midnight a day begins at one. */
	expect(SANTIAGO, "2026-09-06", "2026-09-06T04:00:00.000Z");
}
END_TEST

/* Yesterday is the day before in the calendar, however long. */
START_TEST(yesterday_of_a_long_day)
{
	const uint64_t noon_ns = 1792926000ULL * S; /* 2026-10-25T11:00Z, Berlin's noon */
	const uint64_t next_ns = noon_ns + 86400 * S;
	uint64_t today, yesterday;

	setenv("TZ", BERLIN, 1);
	ck_assert_int_eq(weir_clock_parse_time("today", noon_ns, &today), 0);
	ck_assert_int_eq(weir_clock_parse_time("yesterday", next_ns, &yesterday), 0);
	ck_assert_uint_eq(today, yesterday);
	ck_assert_int_eq(weir_clock_parse_time("today", next_ns, &today), 0);
	ck_assert_uint_eq(today - yesterday, 25 * 3600 * S);
	setenv("TZ", "UTC", 1);
}
END_TEST

/* Local time and back, for every half hour of two years: the moment found reads as it was
 * asked, unless that is an hour that was not there. */
START_TEST(all_half_hours)
{
	static const char *const zones_tried[] = {BERLIN, NEW_YORK, KIRITIMATI, SANTIAGO, "UTC"};

	for (size_t z = 0; z < sizeof(zones_tried) / sizeof(zones_tried[0]); z++) {
		unsigned gone = 0;

		setenv("TZ", zones_tried[z], 1);
		tzset();
		for (time_t t = 1767225600; t < 1767225600 + 2 * 365 * 86400; t += 1800) {
			char asked[32], found[32];
			struct tm tm;
			uint64_t ns;
			time_t back;

			gmtime_r(&t, &tm); /* any calendar time of these years */
			strftime(asked, sizeof(asked), "%Y-%m-%d %H:%M:%S", &tm);
			ck_assert_int_eq(weir_clock_parse_time(asked, NOW, &ns), 0);
			back = (time_t)(ns / S);
			localtime_r(&back, &tm);
			strftime(found, sizeof(found), "%Y-%m-%d %H:%M:%S", &tm);
			gone += strcmp(asked, found) != 0;
		}
		/* an hour each spring */
		ck_assert_uint_eq(gone, z == 2 || z == 4 ? 0 : 4);
	}
	setenv("TZ", "UTC", 1);
	tzset();
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

	setenv("TZ", "UTC", 1); /* times of no zone are in the reader's */
	tcase_add_test(tcase, texts);
	tcase_add_test(tcase, durations);
	tcase_add_test(tcase, times);
	tcase_add_test(tcase, zones);
	tcase_add_test(tcase, clocks_put_forward_and_back);
	tcase_add_test(tcase, yesterday_of_a_long_day);
	tcase_add_test(tcase, all_half_hours);
	tcase_add_test(tcase, text_and_back);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
