// SPDX-License-Identifier: GPL-2.0
/* clock.c - the time, and its text, which is UTC: nodes of one cluster sit in many zones. */
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

/* Not strtoull(): it takes signs and blanks. */
int weir_clock_take_digits(const char **text, uint64_t *value)
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
	int ret = weir_clock_take_digits(&text, &value);

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
