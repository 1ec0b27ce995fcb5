// SPDX-License-Identifier: GPL-2.0
/* clock.c - time as people write it. Everything is UTC: nodes of one cluster sit in many zones. */
#include "daemon/common/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static uint64_t read_clock(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * WEIR_NS_PER_SECOND + (uint64_t)t.tv_nsec;
}

uint64_t weir_clock_now_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

uint64_t weir_clock_monotonic_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

const char *weir_clock_text(uint64_t ns, char *text, size_t text_bytes)
{
	time_t seconds = (time_t)(ns / WEIR_NS_PER_SECOND);
	char date[32];
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) || !strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm))
		snprintf(text, text_bytes, "%" PRIu64 "ns", ns);
	else
		snprintf(text, text_bytes, "%s.%03uZ", date,
			 (unsigned)(ns % WEIR_NS_PER_SECOND / 1000000));
	return text;
}

const char *weir_clock_duration_text(uint64_t ns, char *text, size_t text_bytes)
{
	uint64_t ms = ns / 1000000, s = ns / WEIR_NS_PER_SECOND;

	if (ns && ms == 0)
		snprintf(text, text_bytes, "%uus", (unsigned)(ns / 1000));
	else if (ms < 1000)
		snprintf(text, text_bytes, "%ums", (unsigned)ms);
	else if (s < 60)
		snprintf(text, text_bytes, "%u.%us", (unsigned)s, (unsigned)(ms % 1000 / 100));
	else if (s < 3600)
		snprintf(text, text_bytes, "%um%02us", (unsigned)(s / 60), (unsigned)(s % 60));
	else if (s < 86400)
		snprintf(text, text_bytes, "%uh%02um", (unsigned)(s / 3600),
			 (unsigned)(s % 3600 / 60));
	else
		snprintf(text, text_bytes, "%" PRIu64 "d%02uh", s / 86400,
			 (unsigned)(s % 86400 / 3600));
	return text;
}

/* Digits at *@text, stepped over. Not strtoull(): it takes signs and blanks. */
static int parse_digits(const char **text, uint64_t *value)
{
	const char *p = *text;
	uint64_t v = 0;

	if (*p < '0' || *p > '9')
		return -EINVAL;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return -ERANGE;
	}
	*text = p;
	*value = v;
	return 0;
}

static const struct {
	const char *name;
	uint64_t ns;
} units[] = {
	{"", WEIR_NS_PER_SECOND},
	{"ns", 1},
	{"us", 1000},
	{"ms", 1000000},
	{"s", WEIR_NS_PER_SECOND},
	{"m", 60 * WEIR_NS_PER_SECOND},
	{"min", 60 * WEIR_NS_PER_SECOND},
	{"h", 3600 * WEIR_NS_PER_SECOND},
	{"d", 86400 * WEIR_NS_PER_SECOND},
	{"w", 7 * 86400 * WEIR_NS_PER_SECOND},
};

int weir_clock_parse_duration(const char *text, uint64_t *ns)
{
	uint64_t value;
	int ret = parse_digits(&text, &value);

	if (ret)
		return ret;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(text, units[i].name))
			continue;
		if (__builtin_mul_overflow(value, units[i].ns, ns))
			return -ERANGE;
		return 0;
	}
	return -EINVAL;
}

/* Exactly @width digits at *@text, stepped over. */
static bool take(const char **text, unsigned width, int *value)
{
	int v = 0;

	for (unsigned i = 0; i < width; i++) {
		char c = (*text)[i];

		if (c < '0' || c > '9')
			return false;
		v = v * 10 + (c - '0');
	}
	*text += width;
	*value = v;
	return true;
}

static bool take_char(const char **text, char c)
{
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

static int take_fraction(const char **text, uint64_t *ns)
{
	uint64_t scale = WEIR_NS_PER_SECOND / 10;

	*ns = 0;
	if (!take_char(text, '.'))
		return 0;
	if (**text < '0' || **text > '9')
		return -EINVAL;
	for (; **text >= '0' && **text <= '9'; (*text)++) {
		*ns += (uint64_t)(**text - '0') * scale;
		scale /= 10;
	}
	return 0;
}

/* "Z", "+01:00", "-0530" or nothing; in seconds east of UTC. */
static int take_zone(const char **text, int *east)
{
	int sign, hours, minutes;

	*east = 0;
	if (take_char(text, 'Z') || take_char(text, 'z') || !**text)
		return 0;
	sign = **text == '-' ? -1 : 1;
	if (!take_char(text, '+') && !take_char(text, '-'))
		return -EINVAL;
	if (!take(text, 2, &hours))
		return -EINVAL;
	take_char(text, ':');
	if (!take(text, 2, &minutes) || hours > 14 || minutes > 59)
		return -EINVAL;
	*east = sign * (hours * 3600 + minutes * 60);
	return 0;
}

static bool valid_date(const struct tm *tm)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int year = tm->tm_year + 1900, month = tm->tm_mon;
	int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return year >= 1970 && year < 2500 && month >= 0 && month < 12 && tm->tm_mday >= 1 &&
	       tm->tm_mday <= days[month] + (month == 1 ? leap : 0);
}

static int parse_date(const char *text, uint64_t *ns)
{
	struct tm tm = {0};
	uint64_t fraction = 0;
	int east = 0;
	int64_t seconds;

	if (!take(&text, 4, &tm.tm_year) || !take_char(&text, '-') || !take(&text, 2, &tm.tm_mon) ||
	    !take_char(&text, '-') || !take(&text, 2, &tm.tm_mday))
		return -EINVAL;
	if (*text) {
		if (!take_char(&text, 'T') && !take_char(&text, 't') && !take_char(&text, ' '))
			return -EINVAL;
		if (!take(&text, 2, &tm.tm_hour) || !take_char(&text, ':') ||
		    !take(&text, 2, &tm.tm_min))
			return -EINVAL;
		if (take_char(&text, ':') &&
		    (!take(&text, 2, &tm.tm_sec) || take_fraction(&text, &fraction)))
			return -EINVAL;
		if (take_zone(&text, &east) || *text)
			return -EINVAL;
	}
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	if (!valid_date(&tm) || tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
		return -EINVAL;
	seconds = timegm(&tm) - east;
	if (seconds < 0)
		return -EINVAL;
	*ns = (uint64_t)seconds * WEIR_NS_PER_SECOND + fraction;
	return 0;
}

static int parse_seconds(const char *text, uint64_t *ns)
{
	uint64_t seconds, fraction;

	if (parse_digits(&text, &seconds) || take_fraction(&text, &fraction) || *text ||
	    __builtin_mul_overflow(seconds, WEIR_NS_PER_SECOND, ns) ||
	    __builtin_add_overflow(*ns, fraction, ns))
		return -EINVAL;
	return 0;
}

int weir_clock_parse_time(const char *text, uint64_t now_ns, uint64_t *ns)
{
	const uint64_t day = 86400 * WEIR_NS_PER_SECOND;
	uint64_t ago;

	if (!strcmp(text, "now")) {
		*ns = now_ns;
	} else if (!strcmp(text, "today")) {
		*ns = now_ns - now_ns % day;
	} else if (!strcmp(text, "yesterday")) {
		if (now_ns < day)
			return -EINVAL;
		*ns = now_ns - now_ns % day - day;
	} else if (text[0] == '-') {
		if (weir_clock_parse_duration(text + 1, &ago) || ago > now_ns)
			return -EINVAL;
		*ns = now_ns - ago;
	} else if (text[0] == '@') {
		return parse_seconds(text + 1, ns);
	} else {
		return parse_date(text, ns);
	}
	return 0;
}
