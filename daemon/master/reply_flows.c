// SPDX-License-Identifier: GPL-2.0
/*
 * reply_flows.c - the first flows of the cluster in an order: ask every node for its first, merge.
 *
 * What a node sent that did not finish is not shown: its place in the order is unknown.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/master/reply.h"
#include "daemon/query/query.h"
#include "daemon/wire/convert.h"

enum {
	HELD_MAX = 1000000, /* flows of all nodes held for the merge, about 500 MB */
	FLOWS_A_PART = 256,
};

struct held {
	Weir__Wire__Flow *flow;
	size_t leg;
	uint64_t value; /* of the quantity asked for */
};

struct merge {
	const struct weir_quantity *quantity; /* NULL: by time */
	bool ascending;
	struct weir_reply_progress progress;
	struct held *held;
	size_t count, room;
};

static int take_flow(struct merge *merge, size_t leg, Weir__Wire__Flow *flow)
{
	uint64_t value = 0;

	if (merge->count == merge->room) {
		size_t room = merge->room ? merge->room * 2 : 1024;
		struct held *grown = realloc(merge->held, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		merge->held = grown;
		merge->room = room;
	}
	if (merge->quantity) {
		struct weir_flow whole;

		/* What cannot be read comes last; the command line will say it. */
		if (!weir_convert_flow_get(flow, &whole))
			value = weir_quantity_of(merge->quantity, &whole);
	}
	merge->held[merge->count++] = (struct held){flow, leg, value};
	return 0;
}

/* Flows are moved out of @part one by one; what is left in it is freed by the caller. */
static int take_part(void *arg, size_t leg, const char *name, Weir__Wire__Part *part)
{
	struct merge *merge = arg;

	if (weir_reply_progress_take(&merge->progress, leg, part))
		return 0;
	while (part->n_flows) {
		int result = merge->count < HELD_MAX ?
				     take_flow(merge, leg, part->flows[part->n_flows - 1]) :
				     -EFBIG;

		if (result)
			return result;
		part->n_flows--;
	}
	free(part->flows);
	part->flows = NULL;
	return 0;
}

static int by_time(const struct held *x, const struct held *y, bool ascending)
{
	int sign = ascending ? -1 : 1;

	if (x->flow->end_ns != y->flow->end_ns)
		return x->flow->end_ns > y->flow->end_ns ? -sign : sign;
	if (x->flow->start_ns != y->flow->start_ns)
		return x->flow->start_ns > y->flow->start_ns ? -sign : sign;
	return x->leg < y->leg ? -1 : x->leg > y->leg;
}

/* As the nodes have it: by the quantity, then newest first. */
static int compare(const void *a, const void *b, void *arg)
{
	const struct held *x = a, *y = b;
	const struct merge *merge = arg;

	if (!merge->quantity)
		return by_time(x, y, merge->ascending);
	if (x->value != y->value)
		return (x->value > y->value) != merge->ascending ? -1 : 1;
	return by_time(x, y, false);
}

static void free_flow(Weir__Wire__Flow *flow)
{
	flow->node = (char *)protobuf_c_empty_string; /* the leg's, see send_flows() */
	weir__wire__flow__free_unpacked(flow, NULL);
}

static void drop_unanswered(struct merge *merge, const struct weir_legs *legs)
{
	size_t kept = 0;

	for (size_t i = 0; i < merge->count; i++) {
		struct held *held = &merge->held[i];

		if (held->leg < legs->count && legs->leg[held->leg].answered)
			merge->held[kept++] = *held;
		else
			weir__wire__flow__free_unpacked(held->flow, NULL);
	}
	merge->count = kept;
}

/* A name a node made up itself is not passed on. */
static void name_flows(struct merge *merge, const struct weir_legs *legs)
{
	for (size_t i = 0; i < merge->count; i++) {
		Weir__Wire__Flow *flow = merge->held[i].flow;

		if (flow->node != protobuf_c_empty_string)
			free(flow->node);
		flow->node = (char *)legs->leg[merge->held[i].leg].name;
	}
}

static int send_flows(struct weir_job *job, const struct merge *merge, size_t count)
{
	Weir__Wire__Flow *pointer[FLOWS_A_PART];
	int result = 0;

	for (size_t sent = 0; sent < count && !result;) {
		Weir__Wire__Part part = WEIR__WIRE__PART__INIT;

		while (part.n_flows < FLOWS_A_PART && sent < count)
			pointer[part.n_flows++] = merge->held[sent++].flow;
		part.flows = pointer;
		result = weir_job_part(job, &part);
	}
	return result;
}

static void send_merged(struct weir_job *job, struct merge *merge, const struct weir_legs *legs,
			uint64_t limit)
{
	struct weir_ending ending = {0};
	size_t count;
	int result;

	drop_unanswered(merge, legs);
	if (merge->count) /* qsort() must not get NULL */
		qsort_r(merge->held, merge->count, sizeof(*merge->held), compare, merge);
	name_flows(merge, legs);
	count = merge->count < limit ? merge->count : limit;
	weir_ending_legs(&ending, legs);
	if (ending.matched.flows > count && limit == WEIR_QUERY_LIMIT_MAX)
		weir_ending_note(&ending,
				 "only the first %zu of %llu flows are shown: a master sorts at "
				 "most %d; ask for a shorter time, or filter", count,
				 (unsigned long long)ending.matched.flows, WEIR_QUERY_LIMIT_MAX);
	result = send_flows(job, merge, count);
	weir_ending_send(&ending, job, result);
}

void weir_reply_flows(struct weir_job *job, const Weir__Wire__Ask *ask, struct weir_master *master)
{
	Weir__Wire__Ask to_nodes = *ask;
	struct merge merge = {.ascending = ask->ascending, .progress.job = job};
	struct weir_legs legs;
	int result;

	if (*ask->order_by) {
		merge.quantity = weir_quantity_find(ask->order_by, strlen(ask->order_by));
		if (!merge.quantity) {
			weir_job_fail(job, -EINVAL, 0,
				      "flows cannot be ordered by \"%s\"; there are %s",
				      ask->order_by, weir_quantity_words(false));
			return;
		}
	}
	if (!ask->limit || ask->limit > WEIR_QUERY_LIMIT_MAX)
		to_nodes.limit = WEIR_QUERY_LIMIT_MAX;
	result = weir_fanout_ask(master->fanout, &to_nodes, weir_job_cancelled(job), take_part,
				 &merge, &legs);
	if (result == -EFBIG)
		weir_job_fail(job, result, 0,
			      "more than %d flows to merge; give a smaller limit", HELD_MAX);
	else if (result)
		weir_job_fail(job, result, 0, "%s", strerror(-result));
	else if (!weir_ending_fault(job, &legs))
		send_merged(job, &merge, &legs, to_nodes.limit);
	for (size_t i = 0; i < merge.count; i++) {
		/* Before they are named, a node's own name may be there. */
		if (!result && legs.leg && merge.held[i].leg < legs.count &&
		    merge.held[i].flow->node == legs.leg[merge.held[i].leg].name)
			free_flow(merge.held[i].flow);
		else
			weir__wire__flow__free_unpacked(merge.held[i].flow, NULL);
	}
	free(merge.held);
	weir_reply_progress_free(&merge.progress);
	if (!result)
		weir_legs_free(&legs);
}
