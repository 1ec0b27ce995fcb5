// SPDX-License-Identifier: GPL-2.0
/* times.c - a point in time for a table, in this machine's zone, and for programs, exact. */
#include <inttypes.h>
#include <time.h>

#include "daemon/cli/cli.h"
#include "daemon/common/clock.h"

const char *weir_cli_time_local(uint64_t ns, unsigned digits, char *text, size_t text_bytes)
{
	static const uint64_t divisors[] = {[3] = 1000000, [6] = 1000, [9] = 1};
	time_t seconds = (time_t)(ns / WEIR_NS_PER_SECOND);
	char date[32];
	struct tm tm;

	if (!localtime_r(&seconds, &tm) || !strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm))
		snprintf(text, text_bytes, "%" PRIu64 "ns", ns);
	else if (!digits)
		snprintf(text, text_bytes, "%s", date);
	else
		snprintf(text, text_bytes, "%s.%0*llu", date, (int)digits,
			 ns % WEIR_NS_PER_SECOND / divisors[digits]);
	return text;
}

const char *weir_cli_time_exact(uint64_t ns, char *text, size_t text_bytes)
{
	/* Flows of a list are near each other: most are of the second the last one was of. */
	static time_t last = -1;
	static char date[32];
	time_t seconds = (time_t)(ns / WEIR_NS_PER_SECOND);
	struct tm tm;

	if (seconds != last) {
		last = -1;
		if (!gmtime_r(&seconds, &tm) ||
		    !strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm)) {
			snprintf(text, text_bytes, "%" PRIu64 "ns", ns);
			return text;
		}
		last = seconds;
	}
	snprintf(text, text_bytes, "%s.%09lluZ", date, ns % WEIR_NS_PER_SECOND);
	return text;
}
