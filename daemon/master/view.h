/* SPDX-License-Identifier: GPL-2.0 */
/*
 * view.h - the largest keys of a whole cluster, from lists that each name only
 * their own largest, with proven bounds.
 *
 * A list (one dimension of one segment) names some keys exactly and says the
 * largest value L among those it leaves out. For any key k the true sum lies between
 *   low(k)  = sum of what lists say about k
 *   high(k) = low(k) + sum of L over the lists that leave something out and do not name k
 * An exact answer of a node is a list that leaves nothing out. Not thread-safe.
 */
#ifndef WEIR_MASTER_VIEW_H
#define WEIR_MASTER_VIEW_H

#include "daemon/query/aggregate.h"
#include "weir.pb-c.h"

struct weir_view;

struct weir_view_line {
	const uint8_t *key; /* valid until the view changes */
	struct weir_totals low, high;
};

struct weir_view_result {
	struct weir_view_line *lines; /* malloc'ed; in order of low, ties by key */
	size_t count;
	uint64_t rest_groups;	 /* at least so many more keys */
	bool rest_groups_exact;	 /* not more either: every list is complete */
	struct weir_totals rest; /* what the lines' low values leave of the total: exact */
	bool exact; /* every line's value, which keys they are, and their order are proven, and
		     * there are as many as were asked for, or as there are */
};

int weir_view_new(unsigned key_bytes, size_t max_groups, struct weir_view **view);
void weir_view_free(struct weir_view *view);
/* Add dimension @fields of @segment. A segment without it, or with one that cannot be read,
 * is a list that names nothing and leaves out everything: then 1. -ENOMEM, -E2BIG. */
int weir_view_add_segment(struct weir_view *view, const char *fields,
			  const Weir__Wire__Segment *segment);
/* Add a list that names nothing and leaves out @totals. */
void weir_view_add_unlisted(struct weir_view *view, const struct weir_totals *totals);
/* Add one key of a list that is complete. */
int weir_view_add_exact(struct weir_view *view, const uint8_t *key,
			const struct weir_totals *totals);
int weir_view_result(const struct weir_view *view, enum weir_order order, size_t limit,
		     struct weir_view_result *result);

#endif
