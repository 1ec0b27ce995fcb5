/* SPDX-License-Identifier: GPL-2.0 */
/*
 * largest.h - the first groups of a list in some order, and the exact rest.
 *
 * The list is whatever the owner has: it is asked for two groups' order and a group's totals by their
 * place, below count.
 */
#ifndef WEIR_QUERY_LARGEST_H
#define WEIR_QUERY_LARGEST_H

#include "daemon/query/aggregate.h"

struct weir_largest {
	const void *context; /* of the functions */
	/* Below 0: @x comes before @y. Never 0 for two groups, so that the answer is always the same. */
	int (*rank)(const void *context, uint32_t x, uint32_t y);
	const struct weir_totals *(*totals)(const void *context, uint32_t i);
	uint32_t count;
};

/* Put the first @limit (at most count) into @picked, in order, and add the others to @rest. */
void weir_largest_pick(const struct weir_largest *of, uint32_t *picked, uint32_t limit,
		       struct weir_rest *rest);

#endif
