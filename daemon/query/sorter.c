// SPDX-License-Identifier: GPL-2.0
/*
 * sorter.c - put rows in order and keep the first ones.
 *
 * Rows stay where they were put; what is sorted is pairs of rank and row number, as most
 * comparisons end with the rank. With a limit, twice as many rows are let in before
 * they are sorted and the second half is dropped, so a row costs a comparison with the
 * worst one kept, or log(limit).
 */
#include "daemon/query/sorter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	FIRST_ROOM = 64,
	INSERTION = 12, /* rows that are sorted by insertion */
	ROWS_MAX = 1 << 30,
	WORTH_CUTTING = 8, /* one of so many rows must go */
};

void weir_sorter_init(struct weir_sorter *sorter, const struct weir_sorter_order *order,
		      struct weir_budget *budget, struct weir_spill *spill)
{
	memset(sorter, 0, sizeof(*sorter));
	sorter->order = *order;
	sorter->budget = budget;
	sorter->spill = spill;
}

static void free_rows(struct weir_sorter *s)
{
	free(s->rows);
	free(s->sorted);
	s->rows = NULL;
	s->sorted = NULL;
	weir_budget_give(s->budget, s->taken_bytes);
	s->taken_bytes = s->count = s->room = 0;
}

void weir_sorter_free(struct weir_sorter *sorter)
{
	if (!sorter->budget)
		return;
	free_rows(sorter);
	free(sorter->scratch);
	for (size_t i = 0; i < sorter->runs; i++)
		weir_stream_free(&sorter->run[i]);
	free(sorter->run);
	memset(sorter, 0, sizeof(*sorter));
}

static void *row_at(const struct weir_sorter *s, size_t row)
{
	return s->rows + row * s->order.row_bytes;
}

static int compare(const struct weir_sorter *s, const struct weir_sorted *x,
		   const struct weir_sorted *y)
{
	int order = weir_rank_order(&x->rank, &y->rank);

	return order ? order : s->order.compare(s->order.arg, row_at(s, x->row), row_at(s, y->row));
}

static void swap(struct weir_sorted *x, struct weir_sorted *y)
{
	struct weir_sorted t = *x;

	*x = *y;
	*y = t;
}

static void insertion_sort(const struct weir_sorter *s, struct weir_sorted *list, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct weir_sorted one = list[i];
		size_t at = i;

		for (; at && compare(s, &one, &list[at - 1]) < 0; at--)
			list[at] = list[at - 1];
		list[at] = one;
	}
}

static void sift_down(const struct weir_sorter *s, struct weir_sorted *heap, size_t count,
		      size_t at)
{
	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= count)
			return;
		if (child + 1 < count && compare(s, &heap[child], &heap[child + 1]) < 0)
			child++;
		if (compare(s, &heap[at], &heap[child]) >= 0)
			return;
		swap(&heap[at], &heap[child]);
		at = child;
	}
}

static void heap_sort(const struct weir_sorter *s, struct weir_sorted *list, size_t count)
{
	for (size_t i = count / 2; i-- > 0;)
		sift_down(s, list, count, i);
	while (count > 1) {
		swap(&list[0], &list[--count]);
		sift_down(s, list, count, 0);
	}
}

/* Around the median of three. Returns where the two parts meet. */
static size_t partition(const struct weir_sorter *s, struct weir_sorted *list, size_t count)
{
	size_t middle = count / 2, low = 0, high = count - 1;
	struct weir_sorted pivot;

	if (compare(s, &list[middle], &list[0]) < 0)
		swap(&list[middle], &list[0]);
	if (compare(s, &list[high], &list[middle]) < 0)
		swap(&list[high], &list[middle]);
	if (compare(s, &list[middle], &list[0]) < 0)
		swap(&list[middle], &list[0]);
	pivot = list[middle];
	for (;;) {
		while (compare(s, &list[low], &pivot) < 0)
			low++;
		while (compare(s, &pivot, &list[high]) < 0)
			high--;
		if (low >= high)
			return high + 1;
		swap(&list[low++], &list[high--]);
	}
}

/* Values are chosen by strangers: past @depth bad pivots, the heap bounds the work. */
static void sort(const struct weir_sorter *s, struct weir_sorted *list, size_t count,
		 unsigned depth)
{
	while (count > INSERTION) {
		size_t left;

		if (!depth--) {
			heap_sort(s, list, count);
			return;
		}
		left = partition(s, list, count);
		if (left < count - left) {
			sort(s, list, left, depth);
			list += left;
			count -= left;
		} else {
			sort(s, list + left, count - left, depth);
			count = left;
		}
	}
	insertion_sort(s, list, count);
}

static void sort_all(struct weir_sorter *s)
{
	unsigned depth = 0;

	for (size_t n = s->count; n; n /= 2)
		depth += 2;
	sort(s, s->sorted, s->count, depth);
}

static void drop(struct weir_sorter *s, const void *row)
{
	s->dropped++;
	if (s->drop)
		s->drop(s->drop_arg, row);
}

/* There are as many rows as the limit says, sorted: whoever is behind them is too late. */
static void set_worst(struct weir_sorter *s)
{
	uint64_t worst = s->sorted[s->order.limit - 1].rank.first;

	if (!s->has_worst || worst < s->worst)
		s->worst = worst;
	s->has_worst = true;
}

/* Sort, and drop what is behind the limit; the rows kept move to the front. */
static int cut(struct weir_sorter *s)
{
	uint8_t *place; /* which numbers below the limit are in use */
	size_t limit = s->order.limit, next = 0;

	sort_all(s);
	place = calloc(1, limit);
	if (!place)
		return -ENOMEM;
	for (size_t i = limit; i < s->count; i++)
		drop(s, row_at(s, s->sorted[i].row));
	for (size_t i = 0; i < limit; i++) {
		if (s->sorted[i].row < limit)
			place[s->sorted[i].row] = 1;
	}
	for (size_t i = 0; i < limit; i++) {
		if (s->sorted[i].row < limit)
			continue;
		while (place[next])
			next++;
		memcpy(row_at(s, next), row_at(s, s->sorted[i].row), s->order.row_bytes);
		s->sorted[i].row = (uint32_t)next++;
	}
	free(place);
	s->count = limit;
	set_worst(s);
	return 0;
}

static int add_run(struct weir_sorter *s)
{
	if (s->runs == s->run_room) {
		size_t room = s->run_room ? 2 * s->run_room : 8;
		struct weir_stream *grown = realloc(s->run, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		s->run = grown;
		s->run_room = room;
	}
	memset(&s->run[s->runs++], 0, sizeof(*s->run));
	return 0;
}

static int write_run(struct weir_sorter *s)
{
	size_t kept = s->count, row_bytes = s->order.row_bytes;
	struct weir_stream *run;
	int ret;

	if (!s->spill->dir)
		return -E2BIG;
	sort_all(s);
	if (s->order.limit && kept > s->order.limit)
		kept = s->order.limit;
	for (size_t i = kept; i < s->count; i++)
		drop(s, row_at(s, s->sorted[i].row));
	if (!s->scratch)
		s->scratch = malloc(sizeof(struct weir_rank) + row_bytes);
	if (!s->scratch)
		return -ENOMEM;
	ret = add_run(s);
	run = ret ? NULL : &s->run[s->runs - 1];
	for (size_t i = 0; i < kept && !ret; i++) {
		weir_sorter_prefetch(s, i + WEIR_SORTER_AHEAD);
		memcpy(s->scratch, &s->sorted[i].rank, sizeof(struct weir_rank));
		memcpy(s->scratch + sizeof(struct weir_rank), row_at(s, s->sorted[i].row), row_bytes);
		ret = weir_stream_write(run, s->spill, s->scratch, sizeof(struct weir_rank) + row_bytes);
	}
	if (!ret)
		ret = weir_stream_flush(run);
	if (s->order.limit && kept == s->order.limit)
		set_worst(s);
	s->count = 0;
	return ret;
}

/* Room for at least one row more, a few in any case. False: the memory is used up. */
static int grow(struct weir_sorter *s, bool *grown)
{
	size_t room = s->room ? 2 * s->room : FIRST_ROOM, bytes;
	void *p;

	if (s->order.limit && room > 2 * s->order.limit && s->room < 2 * s->order.limit)
		room = 2 * s->order.limit; /* as much as is ever needed */
	bytes = (room - s->room) * (s->order.row_bytes + sizeof(*s->sorted));
	*grown = room <= ROWS_MAX && (!s->room || weir_budget_take(s->budget, bytes));
	if (!*grown)
		return 0;
	if (!s->room)
		weir_budget_insist(s->budget, bytes);
	s->taken_bytes += bytes;
	p = realloc(s->rows, room * s->order.row_bytes);
	if (!p)
		return -ENOMEM;
	s->rows = p;
	p = realloc(s->sorted, room * sizeof(*s->sorted));
	if (!p)
		return -ENOMEM;
	s->sorted = p;
	s->room = room;
	return 0;
}

static int make_room(struct weir_sorter *s)
{
	bool grown;
	int ret;

	if (s->order.limit && s->count >= s->order.limit && s->count / 2 >= s->order.limit)
		return cut(s);
	ret = grow(s, &grown);
	if (ret || grown)
		return ret;
	/* To sort all for the few rows behind the limit would be sorting nearly once for each row. */
	if (s->order.limit && s->count > s->order.limit &&
	    (!s->spill->dir || s->count - s->order.limit >= s->count / WORTH_CUTTING))
		return cut(s);
	return write_run(s);
}

int weir_sorter_add(struct weir_sorter *sorter, struct weir_rank rank, const void *row)
{
	struct weir_sorter *s = sorter;

	if (!weir_sorter_wants(s, rank.first)) {
		drop(s, row);
		return 0;
	}
	if (s->count == s->room || (s->order.limit && s->count / 2 >= s->order.limit)) {
		int ret = make_room(s);

		if (ret)
			return ret;
	}
	memcpy(row_at(s, s->count), row, s->order.row_bytes);
	s->sorted[s->count] = (struct weir_sorted){rank, (uint32_t)s->count};
	s->count++;
	return 0;
}

int weir_sorter_finish(struct weir_sorter *sorter)
{
	if (sorter->order.limit && sorter->count > sorter->order.limit)
		return cut(sorter);
	sort_all(sorter);
	return 0;
}

uint64_t weir_sorter_rows(struct weir_sorter *const *sorters, size_t count, uint64_t *dropped)
{
	uint64_t rows = 0;

	*dropped = 0;
	for (size_t i = 0; i < count; i++) {
		const struct weir_sorter *s = sorters[i];

		rows += s->count;
		for (size_t k = 0; k < s->runs; k++)
			rows += s->run[k].bytes / (sizeof(struct weir_rank) + s->order.row_bytes);
		*dropped += s->dropped;
	}
	return rows;
}
