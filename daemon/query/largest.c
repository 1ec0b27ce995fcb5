// SPDX-License-Identifier: GPL-2.0
/* largest.c - the first groups of a list, by a heap of as many as are wanted. */
#include <stdlib.h>

#include "daemon/query/largest.h"

static int rank(const struct weir_largest *of, uint32_t x, uint32_t y)
{
	return of->rank(of->context, x, y);
}

static int compare(const void *x, const void *y, void *of)
{
	return rank(of, *(const uint32_t *)x, *(const uint32_t *)y);
}

/* Restore the heap, the last in rank on top, below @at. */
static void sift_down(const struct weir_largest *of, uint32_t *heap, size_t count, size_t at)
{
	for (;;) {
		size_t child = 2 * at + 1;
		uint32_t moved = heap[at];

		if (child >= count)
			return;
		if (child + 1 < count && rank(of, heap[child + 1], heap[child]) > 0)
			child++;
		if (rank(of, heap[child], moved) <= 0)
			return;
		heap[at] = heap[child];
		heap[child] = moved;
		at = child;
	}
}

static void leave_out(struct weir_rest *rest, const struct weir_totals *t)
{
	rest->groups++;
	weir_totals_add(&rest->totals, t);
	if (t->flows > rest->largest.flows)
		rest->largest.flows = t->flows;
	if (t->packets > rest->largest.packets)
		rest->largest.packets = t->packets;
	if (t->bytes > rest->largest.bytes)
		rest->largest.bytes = t->bytes;
}

void weir_largest_pick(const struct weir_largest *of, uint32_t *picked, uint32_t limit,
		       struct weir_rest *rest)
{
	for (uint32_t i = 0; i < limit; i++)
		picked[i] = i;
	if (limit < of->count)
		for (size_t i = limit / 2; i-- > 0;)
			sift_down(of, picked, limit, i);
	for (uint32_t i = limit; i < of->count; i++) {
		uint32_t loser = i;

		if (limit && rank(of, i, picked[0]) < 0) {
			loser = picked[0];
			picked[0] = i;
			sift_down(of, picked, limit, 0);
		}
		leave_out(rest, of->totals(of->context, loser));
	}
	qsort_r(picked, limit, sizeof(*picked), compare, (void *)of);
}
