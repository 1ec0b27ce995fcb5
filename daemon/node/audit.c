// SPDX-License-Identifier: GPL-2.0
/*
 * audit.c - the ledger of this node, hop by hop: kernel -> stream -> store -> summary.
 *
 * Each Check is an equation. The store's figures are all as of one commit, and records that
 * came after it are left out of the counting; the kernel's are read in one message of
 * their own. What could not be read does not hold, and says so.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/node/answer.h"
#include "daemon/node/kernel.h"
#include "daemon/node/position.h"
#include "daemon/wire/convert.h"

enum {
	TERMS_MAX = 8,
};

/* A Check with room for what it points to. */
struct check {
	Weir__Wire__Check message;
	Weir__Wire__Totals left, right, term_totals[TERMS_MAX];
	Weir__Wire__Term term[TERMS_MAX], *pointer[TERMS_MAX];
	struct weir_totals left_sum, right_sum;
	char note[256];
	bool remark; /* the note says something else than why it could not be checked */
};

static void check_open(struct check *check, struct weir_node *node, char *hop, char *left_name,
		       const struct weir_totals *left, char *right_name)
{
	memset(check, 0, sizeof(*check));
	weir__wire__check__init(&check->message);
	check->message.node = node->config.name;
	check->message.hop = hop;
	check->message.left_name = left_name;
	check->message.right_name = right_name;
	check->left_sum = *left;
	check->message.terms = check->pointer;
	check->message.note = check->note;
}

static void check_term(struct check *check, const char *name, const struct weir_totals *totals)
{
	size_t i = check->message.n_terms++;

	weir_totals_add(&check->right_sum, totals);
	weir_convert_totals_put(&check->term_totals[i], totals);
	weir__wire__term__init(&check->term[i]);
	check->term[i].name = (char *)name;
	check->term[i].totals = &check->term_totals[i];
	check->pointer[i] = &check->term[i];
}

static int check_send(struct check *check, struct weir_job *job)
{
	Weir__Wire__Part part = WEIR__WIRE__PART__INIT;
	Weir__Wire__Check *pointer = &check->message;

	weir_convert_totals_put(&check->left, &check->left_sum);
	weir_convert_totals_put(&check->right, &check->right_sum);
	check->message.left = &check->left;
	check->message.right = &check->right;
	if (!check->note[0] || check->remark)
		check->message.holds = weir_totals_equal(&check->left_sum, &check->right_sum);
	part.n_checks = 1;
	part.checks = &pointer;
	return weir_job_part(job, &part);
}

static const char *const lost_name[__WEIR_LOST_COUNT] = {
	[WEIR_LOST_NO_ROOM] = "lost: no room",
	[WEIR_LOST_DISCARDED] = "lost: discarded",
};

/* LOST counts packets that found no flow, so its flows are no part of seen. */
static int audit_kernel(struct weir_job *job, struct weir_node *node,
			const struct weir_kernel_stats *stats, int error)
{
	struct check check;

	check_open(&check, node, "kernel", "seen", &stats->seen,
		   "table + pending + acknowledged + lost");
	if (error == -ENOENT) {
		snprintf(check.note, sizeof(check.note), "the module weir is not loaded");
		return check_send(&check, job);
	}
	if (error) {
		snprintf(check.note, sizeof(check.note), "the kernel's figures: %s",
			 error == -ENETDOWN ? "metering is off" : strerror(-error));
		return check_send(&check, job);
	}
	check_term(&check, "table", &stats->table);
	check_term(&check, "pending", &stats->pending);
	check_term(&check, "acknowledged", &stats->acked);
	for (unsigned i = 0; i < __WEIR_LOST_COUNT; i++)
		check_term(&check, lost_name[i], &stats->lost[i]);
	return check_send(&check, job);
}

static int audit_stream(struct weir_job *job, struct weir_node *node, const struct weir_store_state *state)
{
	const struct weir_store_position *position = &state->position;
	struct check check;

	check_open(&check, node, "stream", "numbered", &position->numbered,
		   "received + missing + refused");
	check_term(&check, "received", &position->received);
	check_term(&check, "missing", &position->missing);
	check_term(&check, "refused", &position->refused);
	if (position->instances_unfinished) {
		check.remark = true;
		snprintf(check.note, sizeof(check.note),
			 "%llu of %llu instances of the module ended unseen: what they had last "
			 "is not in any figure",
			 (unsigned long long)position->instances_unfinished,
			 (unsigned long long)position->instances);
	}
	return check_send(&check, job);
}

static int audit_store(struct weir_job *job, struct weir_node *node, const struct weir_store_state *state)
{
	struct check check;

	check_open(&check, node, "store", "stored", &state->stored,
		   "received before + received from this instance");
	check_term(&check, "received before", &state->position.before);
	check_term(&check, "received from this instance", &state->position.received);
	return check_send(&check, job);
}

struct count {
	const atomic_bool *cancel;
	struct weir_totals totals;
	uint64_t through; /* the newest block of the state compared with: what came since is left out */
};

static int count_block(void *arg, uint64_t block, const struct weir_flow *flows, size_t n)
{
	struct count *count = arg;

	if (atomic_load(count->cancel))
		return -ECANCELED;
	for (size_t i = 0; i < n && block <= count->through; i++)
		weir_flow_count(&count->totals, &flows[i]);
	return 0;
}

/* Whether retention took away a block above @block meanwhile: then the counting begins again, with
 * the state as it is now. A count is faster than that, or nobody could ever tell. */
static bool is_outrun(struct weir_node *node, uint64_t block, struct weir_store_state *state,
		      int *result)
{
	struct weir_store_expired expired;

	*result = weir_store_expired(node->store, &expired);
	if (*result || expired.last_block <= block)
		return false;
	*result = weir_store_state(node->store, state);
	return !*result;
}

/* Of what no segment covers. */
static int count_rest(struct weir_job *job, struct weir_node *node, struct weir_store_state *state,
		      struct weir_totals *totals)
{
	int result;

	do {
		struct count count = {.cancel = weir_job_cancelled(job),
				      .through = state->last_block};

		result = weir_store_scan_after(node->store, state->summed.block, count_block,
					       &count);
		*totals = count.totals;
	} while (!result && is_outrun(node, state->summed.block, state, &result));
	return result;
}

/* stored (and refused for lack of room) = in segments + what came since. The second is counted
 * from the records. */
static int audit_summary(struct weir_job *job, struct weir_node *node,
			 const struct weir_store_state *was)
{
	struct weir_store_state now = *was, *state = &now;
	struct weir_totals rest = {0}, sum, refused;
	struct check check;
	int result = count_rest(job, node, &now, &rest);

	if (result == -ECANCELED)
		return result;
	sum = state->stored;
	refused = weir_position_refused(&state->position);
	weir_totals_add(&sum, &refused);
	check_open(&check, node, "summary", refused.flows ? "stored + refused" : "stored", &sum,
		   "in segments + since the last one");
	if (result)
		snprintf(check.note, sizeof(check.note), "reading the store: %s", strerror(-result));
	check.message.seq = state->summed.seq;
	check_term(&check, "in segments", &state->summed.totals);
	check_term(&check, "since the last one", &rest);
	return check_send(&check, job);
}

/* Records counted by the partition they are in, so that those of one that is removed while they
 * are counted can be taken for expired as a whole. */
struct recount {
	struct count count; /* of the partition that is being read */
	const uint64_t *ends; /* last block of each partition, when this began */
	unsigned partitions, at;
	struct weir_totals *totals; /* by partition; the last one is what came behind all of them */
};

static int recount_block(void *arg, uint64_t block, const struct weir_flow *flows, size_t n)
{
	struct recount *recount = arg;

	while (recount->at < recount->partitions && block > recount->ends[recount->at]) {
		recount->totals[recount->at++] = recount->count.totals;
		memset(&recount->count.totals, 0, sizeof(recount->count.totals));
	}
	return count_block(&recount->count, block, flows, n);
}

/* All that is in partitions that @expired does not cover. */
static struct weir_totals held(struct recount *recount, const struct weir_store_expired *expired)
{
	struct weir_totals sum = {0};

	recount->totals[recount->at] = recount->count.totals;
	for (unsigned i = 0; i <= recount->partitions; i++)
		if (i == recount->partitions || recount->ends[i] > expired->last_block)
			weir_totals_add(&sum, &recount->totals[i]);
	return sum;
}

static int recount_once(struct weir_node *node, struct recount *recount, uint64_t *damaged,
			struct weir_totals *sum, struct weir_store_expired *expired)
{
	uint64_t *ends;
	int result = weir_store_ends(node->store, &ends, &recount->partitions);

	if (result)
		return result;
	recount->ends = ends;
	recount->totals = calloc(recount->partitions + 1, sizeof(*recount->totals));
	if (!recount->totals)
		result = -ENOMEM;
	if (!result)
		result = weir_store_scan(node->store, 0, UINT64_MAX, false, recount_block, recount,
					 damaged);
	if (!result)
		result = weir_store_expired(node->store, expired);
	if (!result)
		*sum = held(recount, expired);
	free(recount->totals);
	free(ends);
	return result;
}

static int recount_all(struct weir_job *job, struct weir_node *node, struct weir_store_state *state,
		       uint64_t *damaged, struct weir_totals *sum,
		       struct weir_store_expired *expired)
{
	int result;

	do {
		struct recount recount = {.count = {.cancel = weir_job_cancelled(job),
						    .through = state->last_block}};

		result = recount_once(node, &recount, damaged, sum, expired);
	} while (!result && expired->last_block > state->last_block &&
		 is_outrun(node, state->last_block, state, &result));
	return result;
}

/* Every record there is, and what retention took away, against the running sum. */
static int audit_records(struct weir_job *job, struct weir_node *node,
			 const struct weir_store_state *was)
{
	struct weir_store_state now = *was, *state = &now;
	struct weir_store_expired expired = {0};
	struct weir_totals sum = {0}, lost = {0};
	char right[80];
	struct check check;
	uint64_t damaged = 0;
	int result = recount_all(job, node, &now, &damaged, &sum, &expired);

	if (result == -ECANCELED)
		return result;
	if (!result)
		result = weir_store_damaged(node->store, expired.last_block, &lost);
	snprintf(right, sizeof(right), "every record, counted again%s%s",
		 expired.partitions ? " + expired" : "", lost.flows ? " + damaged" : "");
	check_open(&check, node, "records", "stored", &state->stored, right);
	check_term(&check, "records", &sum);
	if (expired.partitions)
		check_term(&check, "expired", &expired.totals);
	if (lost.flows)
		check_term(&check, "damaged", &lost);
	if (result)
		snprintf(check.note, sizeof(check.note), "reading the store: %s", strerror(-result));
	else if (damaged)
		snprintf(check.note, sizeof(check.note), "%llu blocks are damaged",
			 (unsigned long long)damaged);
	return check_send(&check, job);
}

void weir_audit_run(struct weir_job *job, const Weir__Wire__Ask *ask, struct weir_node *node)
{
	struct weir_kernel_stats stats = {0};
	Weir__Wire__End end = WEIR__WIRE__END__INIT;
	struct weir_store_state state;
	int error = node->kernel ? node->kernel->get_stats(&stats) : weir_kernel_get_stats(&stats);
	int result;

	/* A merged block has a higher number than some of its records had: compare numbers with
	 * none of that in between. */
	weir_store_merge_pause(node->store);
	result = weir_store_state(node->store, &state);
	if (result) {
		weir_store_merge_resume(node->store);
		weir_job_fail(job, result, 0, "reading the store: %s", strerror(-result));
		return;
	}
	result = audit_kernel(job, node, &stats, error);
	if (!result)
		result = audit_stream(job, node, &state);
	if (!result)
		result = audit_store(job, node, &state);
	if (!result)
		result = audit_summary(job, node, &state);
	if (!result && ask->deep)
		result = audit_records(job, node, &state);
	weir_store_merge_resume(node->store);
	if (result)
		weir_job_fail(job, result, 0, "%s", strerror(-result));
	else
		weir_job_end(job, &end);
}
