/* SPDX-License-Identifier: GPL-2.0 */
/*
 * naive.h - the queries of daemon/query/query.h, done a second time in the simplest way.
 *
 * Rows in an array, qsort, linear search, one thread, no bound on memory, an evaluation of
 * filters that knows nothing of columns. What the real engine answers must be
 * equal to the last byte.
 */
#ifndef WEIR_TESTS_NAIVE_H
#define WEIR_TESTS_NAIVE_H

#include "daemon/query/query.h"

/* What the queries are about: an array instead of a store. */
struct naive_rows {
	const struct weir_flow *flow;
	size_t count;
};

/* As weir_query_list(), weir_query_groups() and weir_query_pairs(). Of the result, only what matched. */
int naive_list(const struct naive_rows *rows, const struct weir_query *query,
	       const struct weir_list *list, weir_query_emit *emit, void *arg,
	       struct weir_query_result *result);
int naive_groups(const struct naive_rows *rows, const struct weir_query *query,
		 const struct weir_query_spec *spec, weir_query_emit_group *emit, void *arg,
		 struct weir_query_rest *rest, struct weir_query_result *result);
int naive_pairs(const struct naive_rows *rows, const struct weir_query *query,
		const struct weir_pairs *pairs, weir_query_emit_pair *emit, void *arg,
		uint64_t *count, struct weir_query_result *result);

/* What would be past the end stays there. */
static inline uint64_t naive_sum(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static inline void naive_count(struct weir_totals *sum, const struct weir_flow *flow)
{
	sum->flows++;
	sum->packets = naive_sum(sum->packets, flow->packets);
	sum->bytes = naive_sum(sum->bytes, flow->bytes);
}

#endif
