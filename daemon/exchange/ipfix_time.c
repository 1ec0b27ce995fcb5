// SPDX-License-Identifier: GPL-2.0
/* ipfix_time.c - the ways in which IPFIX writes a time. */
#include "daemon/exchange/element.h"

#define NTP_TO_UNIX 2208988800U /* seconds from 1900 to 1970 */
#define SECOND	    1000000000ULL

static uint64_t saturated(uint64_t whole, uint64_t unit_ns, uint64_t rest_ns)
{
	uint64_t ns;

	if (__builtin_mul_overflow(whole, unit_ns, &ns) || __builtin_add_overflow(ns, rest_ns, &ns))
		return UINT64_MAX;
	return ns;
}

/* The seconds wrap in 2036 and every 136 years: the one nearest to @near is meant. */
static uint64_t from_ntp(uint64_t ntp, uint64_t near)
{
	uint32_t seconds = (uint32_t)(ntp >> 32) - NTP_TO_UNIX;
	int64_t away = (int32_t)(seconds - (uint32_t)near);
	uint64_t fraction_ns = ((ntp & 0xffffffff) * SECOND + 0x80000000) >> 32;

	if (away < 0 && (uint64_t)-away > near)
		away += 1LL << 32; /* it would be before 1970 */
	return saturated(near + (uint64_t)away, SECOND, fraction_ns);
}

uint64_t weir_ipfix_time_ntp(uint64_t ns)
{
	uint64_t fraction = (((ns % SECOND) << 32) + SECOND - 1) / SECOND;

	return (uint64_t)((uint32_t)(ns / SECOND) + NTP_TO_UNIX) << 32 | fraction;
}

static uint64_t nearest_us(uint64_t ns)
{
	return ns > UINT64_MAX - 500 ? ns : (ns + 500) / 1000 * 1000;
}

/* Milliseconds since the start of the exporter, which wrap after 49.7 days: the time nearest to the export is
 * meant. */
static uint64_t from_uptime(uint64_t uptime_ms, uint64_t boot_ms, uint32_t export_time)
{
	uint64_t near_ms = export_time * 1000ULL;
	int32_t away_ms = (int32_t)((uint32_t)(boot_ms + uptime_ms) - (uint32_t)near_ms);

	if (away_ms < 0 && near_ms < (uint64_t)-(int64_t)away_ms)
		return 0;
	return near_ms + (uint64_t)(int64_t)away_ms;
}

static bool has(const struct weir_ipfix_reading *reading, enum weir_ipfix_form form)
{
	return reading->got >> form & 1;
}

uint64_t weir_ipfix_time_ns(const struct weir_ipfix_reading *r, uint32_t export_time, uint64_t boot_ms)
{
	uint64_t near = export_time, delta_us;

	if (has(r, WEIR_IPFIX_MS))
		near = r->value[WEIR_IPFIX_MS] / 1000;
	if (has(r, WEIR_IPFIX_NTP_NS))
		return from_ntp(r->value[WEIR_IPFIX_NTP_NS], near);
	if (has(r, WEIR_IPFIX_NTP_US)) /* the lowest 11 bits mean nothing, RFC 7011 6.1.9: half a microsecond */
		return nearest_us(from_ntp(r->value[WEIR_IPFIX_NTP_US] & ~0x7ffULL, near));
	if (has(r, WEIR_IPFIX_MS))
		return saturated(r->value[WEIR_IPFIX_MS], 1000000, 0);
	if (has(r, WEIR_IPFIX_DELTA_US)) {
		delta_us = r->value[WEIR_IPFIX_DELTA_US];
		if (delta_us > export_time * 1000000ULL)
			return 0;
		return (export_time * 1000000ULL - delta_us) * 1000;
	}
	if (has(r, WEIR_IPFIX_S))
		return saturated(r->value[WEIR_IPFIX_S], SECOND, 0);
	if (has(r, WEIR_IPFIX_UPTIME_MS) && boot_ms)
		return saturated(from_uptime(r->value[WEIR_IPFIX_UPTIME_MS], boot_ms, export_time), 1000000, 0);
	return 0;
}
