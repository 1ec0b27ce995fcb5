// SPDX-License-Identifier: GPL-2.0
/*
 * reply_pairs.c - the conversations of the cluster, as each node saw them: ask every node for its
 * first, merge. Directions that crossed different nodes are not joined: the round trips
 * would mix two clocks.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/master/reply.h"
#include "daemon/query/query.h"
#include "daemon/wire/convert.h"

enum {
	HELD_MAX = 1000000, /* of all nodes, held for the merge, about 500 MB */
	PAIRS_A_PART = 256,
};

struct held {
	Weir__Wire__Pair *pair;
	size_t leg;
	uint64_t value; /* what is compared first */
};

struct merge {
	enum weir_pair_order order;
	bool ascending;
	struct weir_reply_progress progress;
	struct held *held;
	size_t count, room;
	uint64_t *left_out; /* by leg */
	size_t legs;
};

static int take_pair(struct merge *merge, size_t leg, Weir__Wire__Pair *message)
{
	struct weir_pair pair;
	uint64_t value = 0;

	if (merge->count == merge->room) {
		size_t room = merge->room ? merge->room * 2 : 1024;
		struct held *grown = realloc(merge->held, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		merge->held = grown;
		merge->room = room;
	}
	/* What cannot be read comes last; the command line will say it. */
	if (!weir_convert_pair_get(message, &pair))
		value = weir_pair_value(&pair, merge->order);
	merge->held[merge->count++] = (struct held){message, leg, value};
	return 0;
}

static int take_left_out(struct merge *merge, size_t leg, uint64_t left_out)
{
	if (leg >= merge->legs) {
		uint64_t *grown = realloc(merge->left_out, (leg + 1) * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		memset(grown + merge->legs, 0, (leg + 1 - merge->legs) * sizeof(*grown));
		merge->left_out = grown;
		merge->legs = leg + 1;
	}
	merge->left_out[leg] = left_out;
	return 0;
}

/* Pairs are moved out of @part one by one; what is left in it is freed by the caller. */
static int take_part(void *arg, size_t leg, const char *name, Weir__Wire__Part *part)
{
	struct merge *merge = arg;

	if (weir_reply_progress_take(&merge->progress, leg, part))
		return 0;
	if (part->remainder && take_left_out(merge, leg, part->remainder->groups))
		return -ENOMEM;
	while (part->n_pairs) {
		int result = merge->count < HELD_MAX ?
				     take_pair(merge, leg, part->pairs[part->n_pairs - 1]) :
				     -EFBIG;

		if (result)
			return result;
		part->n_pairs--;
	}
	free(part->pairs);
	part->pairs = NULL;
	return 0;
}

/* As the nodes have it: by the order asked for, then newest first. */
static int compare(const void *a, const void *b, void *arg)
{
	const struct held *x = a, *y = b;
	const struct merge *merge = arg;
	bool descending = !merge->ascending;

	if (x->value != y->value)
		return (x->value > y->value) == descending ? -1 : 1;
	if (x->pair->end_ns != y->pair->end_ns)
		return x->pair->end_ns > y->pair->end_ns ? -1 : 1;
	if (x->pair->start_ns != y->pair->start_ns)
		return x->pair->start_ns > y->pair->start_ns ? -1 : 1;
	return x->leg < y->leg ? -1 : x->leg > y->leg;
}

static void drop_unanswered(struct merge *merge, const struct weir_legs *legs)
{
	size_t kept = 0;

	for (size_t i = 0; i < merge->count; i++) {
		struct held *held = &merge->held[i];

		if (held->leg < legs->count && legs->leg[held->leg].answered)
			merge->held[kept++] = *held;
		else
			weir__wire__pair__free_unpacked(held->pair, NULL);
	}
	merge->count = kept;
}

/* A name a node made up itself is not passed on. */
static int name_pairs(struct merge *merge, const struct weir_legs *legs)
{
	for (size_t i = 0; i < merge->count; i++) {
		Weir__Wire__Pair *pair = merge->held[i].pair;
		char *name = strdup(legs->leg[merge->held[i].leg].name);

		if (!name)
			return -ENOMEM;
		if (pair->node != protobuf_c_empty_string)
			free(pair->node);
		pair->node = name;
	}
	return 0;
}

static int send_pairs(struct weir_job *job, const struct merge *merge, size_t count,
		      uint64_t left_out)
{
	Weir__Wire__Remainder remainder = WEIR__WIRE__REMAINDER__INIT;
	Weir__Wire__Pair *pointer[PAIRS_A_PART];
	int result = 0;

	remainder.groups = left_out + merge->count - count;
	for (size_t sent = 0; sent < count && !result;) {
		Weir__Wire__Part part = WEIR__WIRE__PART__INIT;

		if (!sent)
			part.remainder = &remainder;
		while (part.n_pairs < PAIRS_A_PART && sent < count)
			pointer[part.n_pairs++] = merge->held[sent++].pair;
		part.pairs = pointer;
		result = weir_job_part(job, &part);
	}
	return result;
}

static void send_merged(struct weir_job *job, struct merge *merge, const struct weir_legs *legs,
			uint64_t limit)
{
	struct weir_ending ending = {0};
	uint64_t left_out = 0;
	size_t count;
	int result;

	drop_unanswered(merge, legs);
	if (merge->count) /* qsort() must not get NULL */
		qsort_r(merge->held, merge->count, sizeof(*merge->held), compare, merge);
	result = name_pairs(merge, legs);
	count = merge->count < limit ? merge->count : limit;
	weir_ending_legs(&ending, legs);
	for (size_t i = 0; i < merge->legs && i < legs->count; i++)
		left_out += legs->leg[i].answered ? merge->left_out[i] : 0;
	if (legs->count > 1)
		weir_ending_note(&ending, "conversations are as each node saw them: one that crossed "
					  "two nodes is listed for each");
	if (!result)
		result = send_pairs(job, merge, count, left_out);
	weir_ending_send(&ending, job, result);
}

void weir_reply_pairs(struct weir_job *job, const Weir__Wire__Ask *ask, struct weir_master *master)
{
	struct merge merge = {.ascending = ask->ascending, .progress.job = job};
	Weir__Wire__Ask to_nodes = *ask;
	struct weir_legs legs;
	int result;

	if (*ask->order_by && weir_pair_order_parse(ask->order_by, &merge.order)) {
		weir_job_fail(job, -EINVAL, 0,
			      "conversations cannot be ordered by \"%s\"; there are %s",
			      ask->order_by, WEIR_PAIR_ORDERS);
		return;
	}
	if (!ask->limit || ask->limit > WEIR_QUERY_LIMIT_MAX)
		to_nodes.limit = WEIR_QUERY_LIMIT_MAX;
	result = weir_fanout_ask(master->fanout, &to_nodes, weir_job_cancelled(job), take_part,
				 &merge, &legs);
	if (result == -EFBIG)
		weir_job_fail(job, result, 0, "more than %d conversations to merge; give a smaller "
			      "limit", HELD_MAX);
	else if (result)
		weir_job_fail(job, result, 0, "%s", strerror(-result));
	else if (!weir_ending_fault(job, &legs))
		send_merged(job, &merge, &legs, to_nodes.limit);
	for (size_t i = 0; i < merge.count; i++)
		weir__wire__pair__free_unpacked(merge.held[i].pair, NULL);
	free(merge.held);
	free(merge.left_out);
	weir_reply_progress_free(&merge.progress);
	if (!result)
		weir_legs_free(&legs);
}
