/* SPDX-License-Identifier: GPL-2.0 */
/*
 * flowgen.h - flows as a router at the edge of a network would see them, the
 * same on every machine for the same options, and fast enough not to matter
 * to what is measured with them.
 *
 * Hosts inside (10.0.0.0/12, 2001:db8:N::/64, 16 networks) talk to hosts outside; how often a
 * host takes part falls as one over its rank. A tuple is a connection in one direction; most
 * flows come as two, both directions of a connection, one after the other. Sizes and
 * durations are log-normal. The times of ends advance with the records, a little out of order.
 * All arithmetic is in integers, so no library's rounding shows.
 */
#ifndef WEIR_TESTS_FLOWGEN_H
#define WEIR_TESTS_FLOWGEN_H

#include "daemon/common/flow.h"

/* Hosts to ask for: the busiest of all; the busiest in 10.1.0.0/16; never there, though within the range of
 * addresses of every block. */
#define WEIR_FLOWGEN_COMMON "10.0.0.1"
#define WEIR_FLOWGEN_SECOND "10.1.0.1"
#define WEIR_FLOWGEN_ABSENT "10.1.255.254"
#define WEIR_FLOWGEN_ABSENT6 "2001:db8:1::dead"

/* 0 in any number: the default. */
struct weir_flowgen_options {
	uint64_t seed;
	uint64_t start_ns;	     /* end of the first record, about; 2026-01-01 */
	uint32_t records_per_second; /* of the time in the records; 50000 */
	uint32_t tuples;	     /* 1000000 */
	uint32_t hosts;		     /* inside, and as many outside; 50000, at most 65536 */
	bool milliseconds;	     /* times in whole ms, as most exporters have them; else ns */
};

struct weir_flowgen;

/* NULL without memory. @options may be NULL. About a quarter of a second for a million tuples. */
struct weir_flowgen *weir_flowgen_new(const struct weir_flowgen_options *options);
void weir_flowgen_free(struct weir_flowgen *gen);

/* The next @count flows. */
void weir_flowgen_fill(struct weir_flowgen *gen, struct weir_flow *flows, size_t count);

/* As the kernel would have sent it: times are monotonic with @clock_offset_ns (real minus monotonic). */
void weir_flowgen_record(const struct weir_flow *flow, int64_t clock_offset_ns,
			 struct weir_record *record);

#endif
