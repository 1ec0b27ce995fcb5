/* SPDX-License-Identifier: GPL-2.0 */
/* clock.h - nanoseconds since the Unix epoch, durations, and their text. */
#ifndef WEIR_COMMON_CLOCK_H
#define WEIR_COMMON_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define WEIR_NS_PER_SECOND 1000000000ULL

uint64_t weir_clock_now_ns(void);       /* CLOCK_REALTIME */
uint64_t weir_clock_monotonic_ns(void); /* for intervals within one process */

/* "2026-11-23T15:04:05.678Z" (RFC 3339, UTC). Returns @text. */
const char *weir_clock_text(uint64_t ns, char *text, size_t text_bytes);
/* "850ms", "12.3s", "4m05s", "3h10m". Returns @text. */
const char *weir_clock_duration_text(uint64_t ns, char *text, size_t text_bytes);
/* "10s", "500ms", "1m", "2h", "7d", "90" (seconds). -EINVAL, -ERANGE. */
int weir_clock_parse_duration(const char *text, uint64_t *ns);
/* A point in time: "-1h", "-1h30m" (before @now_ns), RFC 3339, "2026-11-23", "2026-11-23 15:04", "15:04",
 * "now", "today", "yesterday", "yesterday 15:04", nfdump's "2026/11/23.15:04:05", "@SECONDS". A day is
 * its beginning. Without a zone ("Z", "+01:00", "UTC") it is the time zone of this process. -EINVAL. */
int weir_clock_parse_time(const char *text, uint64_t now_ns, uint64_t *ns);
/* Digits at *@text, stepped over. -EINVAL, -ERANGE. */
int weir_clock_take_digits(const char **text, uint64_t *value);

#endif
