/* SPDX-License-Identifier: GPL-2.0 */
/*
 * measure.h - the figures of a group in words, as an Ask names them: "sum bytes", "min ttl",
 * "max rtt", "distinct dst,dport".
 */
#ifndef WEIR_QUERY_MEASURE_H
#define WEIR_QUERY_MEASURE_H

#include "daemon/query/query.h"

enum {
	WEIR_MEASURE_NAME = 128, /* room for the longest name */
};

/* -EINVAL: @error gets a sentence that names the word at fault. */
int weir_measure_parse(const char *text, struct weir_measure *measure, char *error,
		       size_t error_bytes);
/* A column's name for programs, its unit in it where the word does not say it: "bytes",
 * "duration_ns", "max_rtt_ns", "distinct_dst_dport". Returns @text. */
const char *weir_measure_name(const struct weir_measure *measure, char *text, size_t text_bytes);
/* What two partial figures of one group are together. Not for DISTINCT. */
uint64_t weir_measure_merge(const struct weir_measure *measure, uint64_t a, uint64_t b);

#endif
