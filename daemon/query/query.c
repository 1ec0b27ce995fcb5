// SPDX-License-Identifier: GPL-2.0
/* query.c - ask one store: list the newest flows, or sum them up. */
#include "daemon/query/query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A flow kept for the answer; @found breaks ties, so the answer does not depend on the heap. */
struct kept {
	struct weir_flow flow;
	uint64_t found;
};

struct listing {
	const struct weir_query *query;
	struct weir_query_result *result;
	weir_query_emit *emit;
	void *arg;
	struct kept *heap; /* the oldest on top */
	size_t count, room;
	uint64_t found;
};

static uint64_t end_of(const struct weir_query *query)
{
	return query->to_ns ? query->to_ns : UINT64_MAX;
}

static bool selects(const struct weir_query *query, const struct weir_flow *flow)
{
	return flow->end_ns >= query->from_ns &&
	       (flow->start_ns < end_of(query) || end_of(query) == UINT64_MAX) &&
	       weir_filter_match(query->filter, flow);
}

static int start_block(const struct weir_query *query, struct weir_query_result *result)
{
	if (query->cancel && atomic_load_explicit(query->cancel, memory_order_relaxed))
		return -ECANCELED;
	result->blocks_read++;
	return 0;
}

/* Below 0: @x is newer, and comes first. */
static int newer(const void *x, const void *y)
{
	const struct kept *a = x, *b = y;

	if (a->flow.end_ns != b->flow.end_ns)
		return a->flow.end_ns > b->flow.end_ns ? -1 : 1;
	if (a->flow.start_ns != b->flow.start_ns)
		return a->flow.start_ns > b->flow.start_ns ? -1 : 1;
	return a->found < b->found ? -1 : a->found > b->found;
}

static void sift_up(struct kept *heap, size_t at, const struct kept *one)
{
	for (; at > 0; at = (at - 1) / 2) {
		size_t parent = (at - 1) / 2;

		if (newer(&heap[parent], one) >= 0)
			break;
		heap[at] = heap[parent];
	}
	heap[at] = *one;
}

/* Put @one into the place of the top. */
static void sift_down(struct kept *heap, size_t count, const struct kept *one)
{
	size_t at = 0;

	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= count)
			break;
		if (child + 1 < count && newer(&heap[child + 1], &heap[child]) > 0)
			child++;
		if (newer(&heap[child], one) <= 0)
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = *one;
}

static int make_room(struct listing *l)
{
	size_t room = l->room ? 2 * l->room : 256;
	struct kept *heap;

	if (l->count < l->room)
		return 0;
	heap = realloc(l->heap, room * sizeof(*heap));
	if (!heap)
		return -ENOMEM;
	l->heap = heap;
	l->room = room;
	return 0;
}

/* Keep @flow if it is among the newest; with no limit, keep all of this block. */
static int keep(struct listing *l, const struct weir_flow *flow)
{
	struct kept one = {.flow = *flow, .found = l->found++};

	if (l->query->limit && l->count == l->query->limit) {
		if (newer(&one, &l->heap[0]) < 0)
			sift_down(l->heap, l->count, &one);
		return 0;
	}
	if (make_room(l))
		return -ENOMEM;
	sift_up(l->heap, l->count++, &one);
	return 0;
}

static int hand_out(struct listing *l)
{
	int ret = 0;

	if (l->count)
		qsort(l->heap, l->count, sizeof(*l->heap), newer);
	for (size_t i = 0; i < l->count && !ret; i++)
		ret = l->emit(l->arg, &l->heap[i].flow);
	l->count = 0;
	return ret;
}

static int list_block(void *arg, uint64_t block, const struct weir_flow *flows, size_t count)
{
	struct listing *l = arg;
	int ret = start_block(l->query, l->result);

	for (size_t i = 0; i < count && !ret; i++) {
		if (!selects(l->query, &flows[i]))
			continue;
		weir_flow_count(&l->result->matched, &flows[i]);
		ret = keep(l, &flows[i]);
	}
	if (!ret && !l->query->limit)
		ret = hand_out(l);
	return ret;
}

int weir_query_list(struct weir_store *store, const struct weir_query *query, weir_query_emit *emit,
		    void *arg, struct weir_query_result *result)
{
	struct weir_query_result ignored;
	struct listing l = {
		.query = query, .result = result ? result : &ignored, .emit = emit, .arg = arg};
	int ret;

	memset(l.result, 0, sizeof(*l.result));
	if (query->limit > WEIR_QUERY_LIMIT_MAX)
		return -E2BIG;
	ret = weir_store_scan(store, query->from_ns, end_of(query), true, list_block, &l,
			      &l.result->blocks_damaged);
	if (!ret)
		ret = hand_out(&l);
	free(l.heap);
	return ret;
}

struct summing {
	const struct weir_query *query;
	const struct weir_fields *fields;
	struct weir_aggregate *aggregate;
	struct weir_query_result *result;
};

static int sum_flow(const struct summing *s, const struct weir_flow *flow)
{
	const struct weir_totals one = {1, flow->packets, flow->bytes};
	uint8_t keys[2][WEIR_FIELDS_KEY_MAX];
	unsigned count = weir_fields_keys(s->fields, flow, keys);
	int ret = 0;

	for (unsigned i = 0; i < count && !ret; i++)
		ret = weir_aggregate_add(s->aggregate, keys[i], &one);
	return ret;
}

static int sum_block(void *arg, uint64_t block, const struct weir_flow *flows, size_t count)
{
	struct summing *s = arg;
	int ret = start_block(s->query, s->result);

	for (size_t i = 0; i < count && !ret; i++) {
		if (!selects(s->query, &flows[i]))
			continue;
		weir_flow_count(&s->result->matched, &flows[i]);
		ret = sum_flow(s, &flows[i]);
	}
	return ret;
}

int weir_query_aggregate(struct weir_store *store, const struct weir_query *query,
			 const struct weir_fields *fields, struct weir_aggregate *aggregate,
			 struct weir_query_result *result)
{
	struct weir_query_result ignored;
	struct summing s = {.query = query,
			    .fields = fields,
			    .aggregate = aggregate,
			    .result = result ? result : &ignored};

	memset(s.result, 0, sizeof(*s.result));
	return weir_store_scan(store, query->from_ns, end_of(query), false, sum_block, &s,
			       &s.result->blocks_damaged);
}
