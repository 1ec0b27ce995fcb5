// SPDX-License-Identifier: GPL-2.0
/* merge.c - the runs of all sorters, in memory and spilled, read as one sequence. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/query/sorter.h"

/* One run: rows in memory, or a reader. */
struct source {
	const struct weir_sorter *sorter;
	size_t next; /* row in memory */
	bool spilled;
	struct weir_reader reader;
	struct weir_rank rank;
	const void *row; /* the first that was not taken; NULL: no more */
};

struct merge {
	const struct weir_sorter_order *order;
	struct source *source;
	size_t sources;
	size_t *heap; /* of sources, the first in order on top */
	size_t count;
};

static int advance(struct source *source)
{
	const struct weir_sorter *s = source->sorter;
	const uint8_t *row;
	int ret;

	source->row = NULL;
	if (!source->spilled) {
		if (source->next == s->count)
			return 0;
		weir_sorter_prefetch(s, source->next + WEIR_SORTER_AHEAD);
		source->rank = s->sorted[source->next].rank;
		source->row = s->rows + s->sorted[source->next++].row * s->order.row_bytes;
		return 0;
	}
	ret = weir_reader_next(&source->reader, (const void **)&row);
	if (ret || !row)
		return ret;
	memcpy(&source->rank, row, sizeof(source->rank));
	source->row = row + sizeof(source->rank);
	return 0;
}

static bool before(const struct merge *m, size_t x, size_t y)
{
	const struct source *a = &m->source[x], *b = &m->source[y];

	int order = weir_rank_order(&a->rank, &b->rank);

	if (order)
		return order < 0;
	return m->order->compare(m->order->arg, a->row, b->row) < 0;
}

static void sift_down(struct merge *m, size_t at)
{
	for (;;) {
		size_t child = 2 * at + 1, moved = m->heap[at];

		if (child >= m->count)
			return;
		if (child + 1 < m->count && before(m, m->heap[child + 1], m->heap[child]))
			child++;
		if (!before(m, m->heap[child], moved))
			return;
		m->heap[at] = m->heap[child];
		m->heap[child] = moved;
		at = child;
	}
}

static int add_source(struct merge *m, const struct weir_sorter *sorter,
		      const struct weir_stream *run)
{
	struct source *source = &m->source[m->sources++];
	int ret = 0;

	source->sorter = sorter;
	source->spilled = run != NULL;
	if (run)
		ret = weir_reader_init(&source->reader, run,
				       sizeof(struct weir_rank) + sorter->order.row_bytes);
	if (!ret)
		ret = advance(source);
	if (!ret && source->row)
		m->heap[m->count++] = m->sources - 1;
	return ret;
}

static int open_sources(struct merge *m, struct weir_sorter *const *sorters, size_t count)
{
	size_t sources = 0;
	int ret = 0;

	for (size_t i = 0; i < count; i++)
		sources += 1 + sorters[i]->runs;
	m->source = calloc(sources + 1, sizeof(*m->source));
	m->heap = calloc(sources + 1, sizeof(*m->heap));
	if (!m->source || !m->heap)
		return -ENOMEM;
	for (size_t i = 0; i < count && !ret; i++) {
		ret = add_source(m, sorters[i], NULL);
		for (size_t k = 0; k < sorters[i]->runs && !ret; k++)
			ret = add_source(m, sorters[i], &sorters[i]->run[k]);
	}
	for (size_t i = m->count / 2; i-- > 0;)
		sift_down(m, i);
	return ret;
}

static void close_sources(struct merge *m)
{
	for (size_t i = 0; m->source && i < m->sources; i++) {
		if (m->source[i].spilled)
			weir_reader_free(&m->source[i].reader);
	}
	free(m->source);
	free(m->heap);
}

static int take(struct merge *m)
{
	int ret = advance(&m->source[m->heap[0]]);

	if (!m->source[m->heap[0]].row)
		m->heap[0] = m->heap[--m->count];
	sift_down(m, 0);
	return ret;
}

int weir_sorter_read(struct weir_sorter *const *sorters, size_t count, weir_sorter_visit *visit,
		     weir_sorter_visit *drop, void *arg)
{
	struct merge m = {.order = &sorters[0]->order};
	uint64_t limit = m.order->limit ? m.order->limit : UINT64_MAX;
	int ret = open_sources(&m, sorters, count);

	for (uint64_t i = 0; !ret && m.count && (i < limit || drop); i++) {
		weir_sorter_visit *call = i < limit ? visit : drop;

		if (call)
			ret = call(arg, m.source[m.heap[0]].row);
		if (!ret)
			ret = take(&m);
	}
	close_sources(&m);
	return ret;
}
