// SPDX-License-Identifier: GPL-2.0
/* answer_pairs.c - VERB_PAIRS: both directions of conversations, joined. */
#include <errno.h>
#include <stdlib.h>

#include "daemon/node/answer.h"
#include "daemon/wire/convert.h"

enum {
	PAIRS_A_PART = 256,
};

struct batch {
	struct weir_answer *answer;
	uint64_t limit, total;
	unsigned count;
	bool sent;
	struct weir_pair pair[PAIRS_A_PART];
	Weir__Wire__Pair message[PAIRS_A_PART];
	Weir__Wire__PairSide side[2 * PAIRS_A_PART];
	Weir__Wire__Pair *pointer[PAIRS_A_PART];
};

static int send_pairs(struct batch *batch)
{
	Weir__Wire__Remainder remainder = WEIR__WIRE__REMAINDER__INIT;
	Weir__Wire__Part part = WEIR__WIRE__PART__INIT;

	if (!batch->count)
		return 0;
	part.n_pairs = batch->count;
	part.pairs = batch->pointer;
	if (batch->limit && batch->total > batch->limit)
		remainder.groups = batch->total - batch->limit;
	if (!batch->sent)
		part.remainder = &remainder;
	batch->count = 0;
	batch->sent = true;
	return weir_job_part(batch->answer->job, &part);
}

static int add_pair(void *arg, const struct weir_pair *pair)
{
	struct batch *batch = arg;
	unsigned i = batch->count++;

	batch->pair[i] = *pair;
	weir_convert_pair_put(&batch->message[i], &batch->side[2 * i], &batch->pair[i]);
	batch->pointer[i] = &batch->message[i];
	return batch->count == PAIRS_A_PART ? send_pairs(batch) : 0;
}

void weir_answer_pairs(struct weir_answer *answer)
{
	const Weir__Wire__Ask *ask = answer->ask;
	struct weir_pairs how = {.ascending = ask->ascending, .limit = ask->limit};
	struct batch *batch;
	int result = -ENOMEM;

	if (*ask->order_by && weir_pair_order_parse(ask->order_by, &how.order)) {
		weir_job_fail(answer->job, -EINVAL, 0,
			      "conversations cannot be ordered by \"%s\"; there are %s",
			      ask->order_by, WEIR_PAIR_ORDERS);
		return;
	}
	batch = calloc(1, sizeof(*batch));
	if (batch) {
		batch->answer = answer;
		batch->limit = ask->limit;
		result = weir_query_pairs(answer->node->store, &answer->query, &how, add_pair, batch,
					  &batch->total, &answer->result);
		if (result == 0)
			result = send_pairs(batch);
	}
	weir_answer_end(answer, result);
	free(batch);
}
