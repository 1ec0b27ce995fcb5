/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sorter.h - put rows in order and keep the first ones, in bounded memory.
 *
 * A row has one size and a rank of two numbers: rows come by rank, and those of equal rank by
 * compare().
 * With a limit, what cannot be among the first is dropped as soon as that is known. Past
 * the memory, sorted runs go to the spill file. One thread fills a sorter; then all sorters of a
 * query are read together as one sequence.
 */
#ifndef WEIR_QUERY_SORTER_H
#define WEIR_QUERY_SORTER_H

#include "daemon/query/budget.h"
#include "daemon/query/spill.h"

/* Below 0: @x comes first. Rows that compare equal must be interchangeable. */
typedef int weir_sorter_compare(const void *arg, const void *x, const void *y);
typedef int weir_sorter_visit(void *arg, const void *row);

enum {
	WEIR_SORTER_AHEAD = 12, /* rows that are fetched before they are needed */
};

struct weir_sorter_order {
	size_t row_bytes;
	weir_sorter_compare *compare;
	const void *arg;
	uint64_t limit; /* 0: all */
};

struct weir_rank {
	uint64_t first, second;
};

struct weir_sorted {
	struct weir_rank rank;
	uint32_t row;
};

struct weir_sorter {
	struct weir_sorter_order order;
	struct weir_budget *budget;
	struct weir_spill *spill;
	weir_sorter_visit *drop; /* may be NULL; its result is ignored */
	void *drop_arg;
	uint8_t *rows;
	struct weir_sorted *sorted; /* one a row */
	uint8_t *scratch; /* of one run's row */
	size_t count, room, taken_bytes;
	bool has_worst; /* there are `limit` rows, the first number of whose ranks is worst or less */
	uint64_t worst;
	struct weir_stream *run; /* rank and row, in order */
	size_t runs, run_room;
	uint64_t dropped;
};

void weir_sorter_init(struct weir_sorter *sorter, const struct weir_sorter_order *order,
		      struct weir_budget *budget, struct weir_spill *spill);
void weir_sorter_free(struct weir_sorter *sorter);

/* Rows lie in the order they came: those that are wanted soon are fetched ahead. */
static inline void weir_sorter_prefetch(const struct weir_sorter *sorter, size_t i)
{
	const uint8_t *row;

	if (i >= sorter->count)
		return;
	row = sorter->rows + sorter->sorted[i].row * sorter->order.row_bytes;
	__builtin_prefetch(row);
	__builtin_prefetch(row + 64);
	__builtin_prefetch(row + sorter->order.row_bytes - 1);
}

/* Whether a row whose rank begins with @first can still be among the first. */
static inline bool weir_sorter_wants(const struct weir_sorter *sorter, uint64_t first)
{
	return !sorter->has_worst || first <= sorter->worst;
}

/* Add a row. -E2BIG: no memory, and nothing may be spilled. -ENOMEM, -ENOSPC, -EIO. */
int weir_sorter_add(struct weir_sorter *sorter, struct weir_rank rank, const void *row);

/* Below 0: @x comes first. */
static inline int weir_rank_order(const struct weir_rank *x, const struct weir_rank *y)
{
	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return x->second < y->second ? -1 : x->second > y->second;
}

/* No more come. May run in the thread that filled it. */
int weir_sorter_finish(struct weir_sorter *sorter);

/**
 * weir_sorter_read - the rows of all @count sorters in order, at most the order's limit: one call
 * of @visit each (may be NULL), then one of @drop (may be NULL) for each row behind the limit that was not
 * dropped before. Non-zero of either stops and is the result. May be called again.
 */
int weir_sorter_read(struct weir_sorter *const *sorters, size_t count, weir_sorter_visit *visit,
		     weir_sorter_visit *drop, void *arg);
/* Rows they hold, and rows they dropped. */
uint64_t weir_sorter_rows(struct weir_sorter *const *sorters, size_t count, uint64_t *dropped);

#endif
