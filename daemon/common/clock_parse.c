// SPDX-License-Identifier: GPL-2.0
/*
 * clock_parse.c - points in time as people write them.
 *
 * What names no zone is in the zone of who asks (TZ, /etc/localtime), as with date(1) and
 * nfdump. Days of 23 and 25 hours are days: dates are counted in the calendar and only then
 * become seconds.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "daemon/common/clock.h"

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

static bool take_word(const char **text, const char *word)
{
	size_t length = strlen(word);

	if (strncasecmp(*text, word, length))
		return false;
	*text += length;
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

/* A moment on a calendar and a clock; not yet seconds, as the zone decides. */
struct moment {
	struct tm tm; /* year from 1900, month from 0 */
	uint64_t fraction_ns;
	bool has_zone;
	int east; /* seconds; with has_zone */
};

/* "Z", "UTC", "+01:00", "-0530", "+01", a blank before it or not; or nothing. */
static int take_zone(const char **text, struct moment *m)
{
	int sign, hours, minutes = 0;

	while (take_char(text, ' '))
		;
	m->has_zone = **text;
	if (take_word(text, "Z") || take_word(text, "UTC") || !**text)
		return 0;
	sign = **text == '-' ? -1 : 1;
	if (!take_char(text, '+') && !take_char(text, '-'))
		return -EINVAL;
	if (!take(text, 2, &hours))
		return -EINVAL;
	if (take_char(text, ':') || **text) {
		if (!take(text, 2, &minutes))
			return -EINVAL;
	}
	if (hours > 14 || minutes > 59)
		return -EINVAL;
	m->east = sign * (hours * 3600 + minutes * 60);
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

/* "14:00", "14:00:05.5", and with @hour_alone "14". */
static int take_time_of_day(const char **text, bool hour_alone, struct moment *m)
{
	struct tm *tm = &m->tm;

	if (!take(text, 2, &tm->tm_hour))
		return -EINVAL;
	if (!take_char(text, ':'))
		return hour_alone && tm->tm_hour < 24 ? 0 : -EINVAL;
	if (!take(text, 2, &tm->tm_min))
		return -EINVAL;
	if (take_char(text, ':') &&
	    (!take(text, 2, &tm->tm_sec) || take_fraction(text, &m->fraction_ns)))
		return -EINVAL;
	return tm->tm_hour > 23 || tm->tm_min > 59 || tm->tm_sec > 60 ? -EINVAL : 0;
}

/* "2026-11-25", or with slashes as nfdump writes them. */
static int take_date(const char **text, struct moment *m)
{
	struct tm *tm = &m->tm;
	char between;

	if (!take(text, 4, &tm->tm_year))
		return -EINVAL;
	between = **text == '/' ? '/' : '-';
	if (!take_char(text, between) || !take(text, 2, &tm->tm_mon) || !take_char(text, between) ||
	    !take(text, 2, &tm->tm_mday))
		return -EINVAL;
	tm->tm_year -= 1900;
	tm->tm_mon -= 1;
	return valid_date(tm) ? 0 : -EINVAL;
}

static long offset_at(time_t seconds)
{
	struct tm tm;

	return localtime_r(&seconds, &tm) ? tm.tm_gmtoff : 0;
}

/*
 * Seconds of a local date and time. When clocks are put back, an hour is there twice: the
 * first is meant. When they are put forward, an hour is not there: half past in it is half an
 * hour after the change. Not mktime(): what it makes of these differs between C libraries.
 */
static time_t local_seconds(const struct tm *given)
{
	struct tm tm = *given;
	time_t utc = timegm(&tm);
	/* The offsets in force well before and well after; nowhere do they change daily. */
	long before = offset_at(utc - 86400), after = offset_at(utc + 86400);
	time_t early = utc - (before > after ? before : after);
	time_t late = utc - (before > after ? after : before);

	if (offset_at(early) == utc - early)
		return early;
	if (offset_at(late) == utc - late)
		return late;
	return utc - before;
}

static int finish(const struct moment *m, uint64_t *ns)
{
	struct tm tm = m->tm;
	time_t seconds = m->has_zone ? timegm(&tm) - m->east : local_seconds(&tm);

	if (seconds < 0)
		return -EINVAL;
	*ns = (uint64_t)seconds * WEIR_NS_PER_SECOND + m->fraction_ns;
	return 0;
}

/* A date, and perhaps a time of day and a zone. */
static int parse_date(const char *text, uint64_t *ns)
{
	struct moment m = {0};
	bool nfdump = strchr(text, '/');

	if (take_date(&text, &m))
		return -EINVAL;
	if (*text) {
		if (!take_char(&text, 'T') && !take_char(&text, 't') && !take_char(&text, ' ') &&
		    !(nfdump && take_char(&text, '.')))
			return -EINVAL;
		if (take_time_of_day(&text, nfdump, &m) || take_zone(&text, &m) || *text)
			return -EINVAL;
	}
	return finish(&m, ns);
}

/* Behind "today", "yesterday" or nothing: the end, or a time of day; of the day @back days ago. */
static int parse_day(const char *text, int back, uint64_t now_ns, uint64_t *ns)
{
	time_t now = (time_t)(now_ns / WEIR_NS_PER_SECOND);
	struct moment m = {0};
	struct tm today;

	while (take_char(&text, ' '))
		;
	if (*text && (take_time_of_day(&text, false, &m) || take_zone(&text, &m) || *text))
		return -EINVAL;
	/* With a zone, it is today there. */
	now += m.east;
	if (!(m.has_zone ? gmtime_r(&now, &today) : localtime_r(&now, &today)))
		return -EINVAL;
	m.tm.tm_year = today.tm_year;
	m.tm.tm_mon = today.tm_mon;
	m.tm.tm_mday = today.tm_mday - back;
	return finish(&m, ns);
}

/* "1h", "1h30m", "2d12h": how long ago. */
static int parse_ago(const char *text, uint64_t now_ns, uint64_t *ns)
{
	uint64_t ago = 0, one;
	char part[32];

	do {
		size_t digits = strspn(text, "0123456789");
		size_t length = digits + strcspn(text + digits, "0123456789");

		/* "1h30" is minutes to some and seconds to others. */
		if (length >= sizeof(part) || (length == digits && ago))
			return -EINVAL;
		memcpy(part, text, length);
		part[length] = '\0';
		if (weir_clock_parse_duration(part, &one) || __builtin_add_overflow(ago, one, &ago))
			return -EINVAL;
		text += length;
	} while (*text);
	if (ago > now_ns)
		return -EINVAL;
	*ns = now_ns - ago;
	return 0;
}

static int parse_seconds(const char *text, uint64_t *ns)
{
	uint64_t seconds, fraction;

	if (weir_clock_take_digits(&text, &seconds) || take_fraction(&text, &fraction) || *text ||
	    __builtin_mul_overflow(seconds, WEIR_NS_PER_SECOND, ns) ||
	    __builtin_add_overflow(*ns, fraction, ns))
		return -EINVAL;
	return 0;
}

int weir_clock_parse_time(const char *text, uint64_t now_ns, uint64_t *ns)
{
	tzset();
	if (!strcasecmp(text, "now")) {
		*ns = now_ns;
		return 0;
	}
	if (text[0] == '-')
		return parse_ago(text + 1, now_ns, ns);
	if (text[0] == '@')
		return parse_seconds(text + 1, ns);
	if (take_word(&text, "today"))
		return *text && *text != ' ' ? -EINVAL : parse_day(text, 0, now_ns, ns);
	if (take_word(&text, "yesterday"))
		return *text && *text != ' ' ? -EINVAL : parse_day(text, 1, now_ns, ns);
	if (text[0] && text[1] && text[2] == ':')
		return parse_day(text, 0, now_ns, ns);
	return parse_date(text, ns);
}
