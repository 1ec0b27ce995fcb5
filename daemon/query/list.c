// SPDX-License-Identifier: GPL-2.0
/*
 * list.c - the matching flows in order.
 *
 * Each worker has a sorter that keeps the first `limit` flows of what it saw. A record's
 * rank is computed from the column that orders the list; the other columns are read only
 * if a record's rank is good enough, which soon is seldom the case.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/query/engine.h"

enum {
	FOUND_BYTES = 1 << 20, /* it counts as for others; what a block needs is not in it */
	ENOUGH = -ESHUTDOWN, /* the limit of a list as found was reached; not seen outside */
};

struct listing {
	struct weir_list list;
	weir_query_emit *emit;
	void *arg;
	struct weir_sorter sorter[WEIR_QUERY_THREADS_MAX];
	struct finder *finder; /* one a worker */
	/* Of AS_FOUND, under the engine's lock: whose turn it is to hand out, and what. */
	size_t turn;
	uint64_t given;
	const struct finder *ready;
	pthread_cond_t changed;
};

/* A worker's records of one block. */
struct finder {
	struct weir_flow *found; /* of AS_FOUND */
	uint32_t count;
	uint16_t row[WEIR_STORE_BLOCK_RECORDS];
	uint64_t rank[WEIR_STORE_BLOCK_RECORDS];
	struct weir_flow flow[WEIR_COLUMNS_GATHER];
};

static struct listing *listing_of(const struct weir_worker *worker)
{
	return worker->engine->state;
}

static int order_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static uint64_t number_of(const struct weir_column *column, const uint8_t *at)
{
	uint64_t number = 0;

	switch (column->width) {
	case 1:
		return *at;
	case 2:
		return *(const uint16_t *)(const void *)at;
	case 4:
		return *(const uint32_t *)(const void *)at;
	default:
		memcpy(&number, at, sizeof(number));
		return number;
	}
}

static int order_members(const struct weir_flow *x, const struct weir_flow *y)
{
	for (unsigned i = 0; i < weir_column_count; i++) {
		const struct weir_column *column = &weir_column_table[i];
		const uint8_t *a = (const uint8_t *)x + column->offset;
		const uint8_t *b = (const uint8_t *)y + column->offset;
		int order;

		if (column->number)
			order = order_numbers(number_of(column, a), number_of(column, b));
		else
			order = memcmp(a, b, column->width);
		if (order)
			return order;
	}
	return 0;
}

/* Flows of equal rank. */
static int order_flows(const void *arg, const void *x, const void *y)
{
	const struct weir_list *list = arg;
	const struct weir_flow *a = x, *b = y;
	int sign = list->ascending && list->order != WEIR_LIST_BY_QUANTITY ? 1 : -1;
	int order = sign * order_numbers(a->end_ns, b->end_ns);

	if (!order)
		order = sign * order_numbers(a->start_ns, b->start_ns);
	return order ? order : order_members(a, b);
}

static int order_found(const void *x, const void *y, void *arg)
{
	return order_flows(arg, x, y);
}

/* The numbers that order the list, of all records chosen, into ->rank. */
static void get_numbers(struct weir_worker *worker, struct finder *f, uint64_t columns,
			enum weir_column_id column)
{
	const struct weir_select *s = worker->select;
	const struct weir_list *list = &listing_of(worker)->list;
	const uint16_t *rows = s->all ? NULL : s->row;

	if (column) {
		const struct weir_vector *vector = weir_columns_get(worker->columns, column);

		for (uint32_t i = 0; i < s->count; i++)
			f->rank[i] = weir_vector_number(vector, rows ? rows[i] : i);
		return;
	}
	for (uint32_t first = 0; first < s->count; first += WEIR_COLUMNS_GATHER) {
		uint32_t count = s->count - first;

		if (count > WEIR_COLUMNS_GATHER)
			count = WEIR_COLUMNS_GATHER;
		weir_columns_gather(worker->columns, columns, rows, first, count, f->flow);
		for (uint32_t i = 0; i < count; i++)
			f->rank[first + i] = weir_quantity_of(list->quantity, &f->flow[i]);
	}
}

/* Which of the records chosen can be among the first, into ->row, and their rank. */
static void pick(struct weir_worker *worker, struct finder *f)
{
	const struct listing *l = listing_of(worker);
	const struct weir_sorter *sorter = &l->sorter[worker->index];
	const struct weir_select *s = worker->select;
	bool by_quantity = l->list.order == WEIR_LIST_BY_QUANTITY;

	get_numbers(worker, f, by_quantity ? l->list.quantity->columns : 0,
		    by_quantity ? l->list.quantity->column : WEIR_COLUMN_END_NS);
	f->count = 0;
	for (uint32_t i = 0; i < s->count; i++) {
		uint64_t rank = l->list.ascending ? f->rank[i] : ~f->rank[i];

		if (!weir_sorter_wants(sorter, rank))
			continue;
		f->row[f->count] = s->all ? (uint16_t)i : s->row[i];
		f->rank[f->count++] = rank;
	}
}

/* The second number is what order_flows() compares first of flows that are equal in the first. */
static struct weir_rank rank_of(const struct listing *l, uint64_t first,
				const struct weir_flow *flow)
{
	if (l->list.order == WEIR_LIST_BY_QUANTITY)
		return (struct weir_rank){first, ~flow->end_ns};
	return (struct weir_rank){first, l->list.ascending ? flow->start_ns : ~flow->start_ns};
}

static int list_block(struct weir_worker *worker, size_t index)
{
	struct listing *l = listing_of(worker);
	struct finder *f = &l->finder[worker->index];
	int ret = 0;

	pick(worker, f);
	if (!f->count)
		return 0;
	ret = weir_columns_load(worker->columns, WEIR_COLUMN_ALL);
	for (uint32_t first = 0; first < f->count && !ret; first += WEIR_COLUMNS_GATHER) {
		uint32_t count = f->count - first;

		if (count > WEIR_COLUMNS_GATHER)
			count = WEIR_COLUMNS_GATHER;
		weir_columns_gather(worker->columns, WEIR_COLUMN_ALL, f->row, first, count,
				    f->flow);
		for (uint32_t i = 0; i < count && !ret; i++)
			ret = weir_sorter_add(&l->sorter[worker->index],
					      rank_of(l, f->rank[first + i], &f->flow[i]),
					      &f->flow[i]);
	}
	if (ret == -E2BIG)
		weir_engine_bound(worker->engine, "sorted flows");
	return ret;
}

static int find_block(struct weir_worker *worker, size_t index)
{
	struct listing *l = listing_of(worker);
	struct finder *f = &l->finder[worker->index];
	const struct weir_select *s = worker->select;
	int ret = weir_columns_load(worker->columns, WEIR_COLUMN_ALL);

	if (ret)
		return ret;
	if (!f->found)
		f->found = calloc(WEIR_STORE_BLOCK_RECORDS, sizeof(*f->found));
	if (!f->found)
		return -ENOMEM;
	weir_columns_gather(worker->columns, WEIR_COLUMN_ALL, s->all ? NULL : s->row, 0, s->count,
			    f->found);
	return 0;
}

/* Hand out what was found in a block, when all blocks before it are through. */
static int hand_over(struct weir_worker *worker, size_t index)
{
	struct listing *l = listing_of(worker);
	struct weir_engine *e = worker->engine;
	struct finder *f = &l->finder[worker->index];

	f->count = worker->select->count;
	if (f->count)
		qsort_r(f->found, f->count, sizeof(*f->found), order_found, &l->list);
	pthread_mutex_lock(&e->lock);
	while (l->turn != index && !weir_engine_stops(e))
		pthread_cond_wait(&l->changed, &e->lock);
	if (f->count && !weir_engine_stops(e)) {
		l->ready = f;
		e->woken = true;
		pthread_cond_broadcast(&e->wake);
		while (l->ready && !weir_engine_stops(e))
			pthread_cond_wait(&l->changed, &e->lock);
	}
	l->turn++;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&e->lock);
	return weir_engine_stops(e) ? -ECANCELED : 0;
}

/* In the thread that asked. Also wakes those who wait if the query is stopped. */
static int give_out(struct weir_engine *e)
{
	struct listing *l = e->state;
	const struct finder *f;
	int ret = 0;

	pthread_mutex_lock(&e->lock);
	f = weir_engine_stops(e) ? NULL : l->ready;
	pthread_mutex_unlock(&e->lock);
	for (uint32_t i = 0; f && i < f->count && !ret; i++) {
		ret = l->emit(l->arg, &f->found[i]);
		if (!ret && ++l->given == l->list.limit)
			ret = ENOUGH;
		if (!ret && i % 256 == 0 && weir_engine_cancelled(e))
			ret = -ECANCELED;
	}
	pthread_mutex_lock(&e->lock);
	if (f)
		l->ready = NULL;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&e->lock);
	return ret;
}

static int finish_sorter(struct weir_worker *worker, size_t index)
{
	struct weir_engine *e = worker->engine;
	uint64_t began_ns = weir_engine_ns();
	int ret = weir_sorter_finish(&listing_of(worker)->sorter[index]);

	e->workers[index].figures.sort_ns += weir_engine_ns() - began_ns;
	return ret;
}

struct emitting {
	const struct weir_engine *engine;
	const struct listing *listing;
	uint64_t count;
};

static int emit_flow(void *arg, const void *row)
{
	struct emitting *emitting = arg;

	if (emitting->count++ % 256 == 0 && weir_engine_cancelled(emitting->engine))
		return -ECANCELED;
	return emitting->listing->emit(emitting->listing->arg, row);
}

static int list_sorted(struct weir_engine *e, struct listing *l)
{
	const struct weir_sorter_order order = {.row_bytes = sizeof(struct weir_flow),
						.compare = order_flows,
						.arg = &l->list,
						.limit = l->list.limit};
	struct weir_sorter *sorters[WEIR_QUERY_THREADS_MAX];
	struct emitting emitting = {e, l, 0};
	int ret;

	for (unsigned i = 0; i < e->threads; i++) {
		sorters[i] = &l->sorter[i];
		weir_sorter_init(sorters[i], &order, &e->workers[i].budget, &e->workers[i].spill);
	}
	e->columns = l->list.order == WEIR_LIST_BY_QUANTITY ?
			     l->list.quantity->columns :
			     WEIR_COLUMN_BIT(WEIR_COLUMN_END_NS);
	e->newest_first = true;
	e->block = list_block;
	ret = weir_engine_blocks(e);
	if (!ret)
		ret = weir_engine_each(e, e->threads, finish_sorter);
	weir_engine_rest(e);
	if (!ret)
		ret = weir_sorter_read(sorters, e->threads, emit_flow, NULL, &emitting);
	for (unsigned i = 0; i < e->threads; i++)
		weir_sorter_free(sorters[i]);
	return ret;
}

static int list_as_found(struct weir_engine *e, struct listing *l)
{
	int ret;

	e->newest_first = true;
	e->block = find_block;
	e->after = hand_over;
	e->attend = give_out;
	pthread_cond_init(&l->changed, NULL);
	ret = weir_engine_blocks(e);
	pthread_cond_destroy(&l->changed);
	return ret == ENOUGH ? 0 : ret;
}

static int list(struct weir_engine *e, struct listing *l)
{
	int ret;

	l->finder = calloc(e->threads, sizeof(*l->finder));
	if (!l->finder)
		return -ENOMEM;
	e->state = l;
	if (l->list.order == WEIR_LIST_AS_FOUND)
		ret = list_as_found(e, l);
	else
		ret = list_sorted(e, l);
	for (unsigned i = 0; i < e->threads; i++)
		free(l->finder[i].found);
	free(l->finder);
	return ret;
}

int weir_query_list(struct weir_store *store, const struct weir_query *query,
		    const struct weir_list *list_order, weir_query_emit *emit, void *arg,
		    struct weir_query_result *result)
{
	struct weir_query_result ignored;
	struct weir_query q = *query;
	struct weir_engine engine;
	struct listing *l;
	int ret;

	if (list_order && list_order->order == WEIR_LIST_BY_QUANTITY && !list_order->quantity)
		return -EINVAL;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	if (list_order)
		l->list = *list_order;
	l->emit = emit;
	l->arg = arg;
	if (l->list.order == WEIR_LIST_AS_FOUND)
		q.memory_bytes = FOUND_BYTES; /* nothing is collected */
	ret = weir_engine_open(&engine, store, &q, false, result ? result : &ignored);
	if (!ret)
		ret = list(&engine, l);
	weir_engine_close(&engine);
	free(l);
	return ret;
}
