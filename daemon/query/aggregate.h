/* SPDX-License-Identifier: GPL-2.0 */
/*
 * aggregate.h - exact sums by key, and the largest of them.
 *
 * A hash table of keys (all of one width) to totals. It is bounded: past
 * max_groups, weir_aggregate_add() refuses with -E2BIG and the caller says so;
 * it never silently leaves a group out. Not thread-safe.
 */
#ifndef WEIR_QUERY_AGGREGATE_H
#define WEIR_QUERY_AGGREGATE_H

#include "daemon/common/flow.h"

struct weir_aggregate;

enum weir_order { WEIR_BY_BYTES, WEIR_BY_PACKETS, WEIR_BY_FLOWS };

struct weir_group {
	const uint8_t *key; /* owned by the aggregate, valid until it changes */
	struct weir_totals totals;
};

/* What a list of the largest left out. */
struct weir_rest {
	uint64_t groups;
	struct weir_totals totals; /* sum over them: exact */
	struct weir_totals largest; /* the largest value of each counter among them */
};

int weir_aggregate_new(unsigned key_bytes, size_t max_groups, struct weir_aggregate **aggregate);
void weir_aggregate_free(struct weir_aggregate *aggregate);
void weir_aggregate_clear(struct weir_aggregate *aggregate);
size_t weir_aggregate_groups(const struct weir_aggregate *aggregate);
/* -ENOMEM, -E2BIG: nothing was added. */
int weir_aggregate_add(struct weir_aggregate *aggregate, const uint8_t *key,
		       const struct weir_totals *totals);
/* NULL if the key has none. */
const struct weir_totals *weir_aggregate_get(const struct weir_aggregate *aggregate,
					     const uint8_t *key);
/**
 * weir_aggregate_top - the @limit largest groups in @order, largest first; 0: all groups.
 * Ties go to the smaller key bytes, so the answer is the same on every machine.
 * *@groups is malloc'ed, *@count its length; *@rest (may be NULL) tells of what is not in it.
 */
int weir_aggregate_top(const struct weir_aggregate *aggregate, enum weir_order order, size_t limit,
		       struct weir_group **groups, size_t *count, struct weir_rest *rest);

#endif
