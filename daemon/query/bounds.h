/* SPDX-License-Identifier: GPL-2.0 */
/*
 * bounds.h - the largest keys of many lists that each name only their own
 * largest, with proven bounds: the segments of a cluster for a master, and what a
 * roll-up is made of.
 *
 * A list names some keys, each with the least that it may be and (in a list that is itself
 * merged) how much more at most, and says the largest value L among the keys it leaves out. For any
 * key k the true sum lies between
 *   low(k)  = sum of what lists say about k at least
 *   high(k) = low(k) + sum of what they say it may be more
 *	       + sum of L over the lists that leave something out and do not name k
 * An exact answer of a node is a list that leaves nothing out. Not thread-safe.
 */
#ifndef WEIR_QUERY_BOUNDS_H
#define WEIR_QUERY_BOUNDS_H

#include "daemon/query/aggregate.h"

struct weir_bounds;

/* What a list is, besides its keys. */
struct weir_bounds_list {
	bool incomplete; /* it leaves keys out */
	uint64_t groups; /* keys in all, named or not; of a merged list at least so many */
	struct weir_totals rest; /* of what it leaves out, and what its lows leave: exact */
	struct weir_totals largest; /* among those it leaves out; zero if it leaves nothing out */
};

struct weir_bounds_line {
	const uint8_t *key; /* valid until the bounds change */
	struct weir_totals low, high;
};

struct weir_bounds_result {
	struct weir_bounds_line *lines; /* malloc'ed; in order of low, ties by key */
	size_t count;
	uint64_t rest_groups;	 /* at least so many more keys */
	bool rest_groups_exact;	 /* not more either: every list is complete */
	struct weir_totals rest; /* what the lines' low values leave of the total: exact */
	bool exact; /* every line's value, which keys they are, and their order are proven, and
		     * there are as many as were asked for, or as there are */
	bool incomplete; /* there are keys without a line */
	struct weir_totals largest; /* none of them is larger, by any counter */
};

int weir_bounds_new(unsigned key_bytes, size_t max_groups, struct weir_bounds **bounds);
void weir_bounds_free(struct weir_bounds *bounds);
/* Add @key of @list; @more: what it may be above @low, NULL for nothing. -ENOMEM, -E2BIG. */
int weir_bounds_add_key(struct weir_bounds *bounds, const struct weir_bounds_list *list,
			const uint8_t *key, const struct weir_totals *low,
			const struct weir_totals *more);
/* Once for each list, when its keys were added. */
void weir_bounds_add_list(struct weir_bounds *bounds, const struct weir_bounds_list *list);
/* Add a list that names nothing and leaves out @totals. */
void weir_bounds_add_unlisted(struct weir_bounds *bounds, const struct weir_totals *totals);
/* Add one key of a list that is complete. */
int weir_bounds_add_exact(struct weir_bounds *bounds, const uint8_t *key,
			  const struct weir_totals *totals);
/* The @limit largest; 0: none. Free result->lines. */
int weir_bounds_result(const struct weir_bounds *bounds, enum weir_order order, size_t limit,
		       struct weir_bounds_result *result);

#endif
