// SPDX-License-Identifier: GPL-2.0
/*
 * intake.c - what is held between the kernel and the disk.
 *
 * A commit whose outcome is not known (the disk failed while LMDB wrote its
 * root) is found out by the number of the next block when the store opens again: if
 * the block is there, so is its position, as one transaction held both.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "daemon/common/clock.h"
#include "daemon/common/log.h"
#include "daemon/node/batch.h"
#include "daemon/node/intake.h"
#include "daemon/node/position.h"

static int rebuild_block(void *arg, uint64_t block, const struct weir_flow *flows, size_t count)
{
	struct weir_intake *intake = arg;
	int ret = 0;

	if (!weir_summary_fits(intake->summary, count))
		ret = weir_intake_close_interval(intake);
	return ret ? ret : weir_summary_add(intake->summary, block, flows, count);
}

/* Sum up what was committed after the last segment. */
static int rebuild(struct weir_intake *intake)
{
	struct weir_store_summed summed;
	int ret = weir_store_summed(intake->node->store, &summed);

	if (!ret)
		intake->last_segment = summed.seq;
	weir_summary_clear(intake->summary);
	intake->summary_stale = false;
	intake->rebuilding = true;
	if (!ret)
		ret = weir_store_scan_after(intake->node->store, summed.block, rebuild_block,
					    intake);
	intake->rebuilding = false;
	if (ret)
		intake->summary_stale = true;
	return ret;
}

/* Intervals end at multiples of their length, so those of all nodes coincide;
 * measured on the monotonic clock, so a clock that is set moves one end only. */
static void open_interval(struct weir_intake *intake, uint64_t start_ns)
{
	uint64_t length = intake->node->config.interval_ns, now = weir_clock_now_ns();

	/* A clock that was ahead and was set back costs one interval, not all until it catches up. */
	intake->start_ns = start_ns < now ? start_ns : now;
	intake->close_ns = weir_clock_monotonic_ns() + length - now % length;
}

int weir_intake_open(struct weir_intake *intake, struct weir_node *node)
{
	struct weir_store_state state;
	int ret;

	memset(intake, 0, sizeof(*intake));
	intake->node = node;
	/* Zeroed for the padding: nothing else is left as it is. */
	intake->flows = calloc(WEIR_STORE_BLOCK_RECORDS, sizeof(*intake->flows));
	ret = intake->flows ? weir_summary_new(WEIR_SUMMARY_GROUPS, &intake->summary) : -ENOMEM;
	if (!ret)
		ret = weir_store_state(node->store, &state);
	if (ret) {
		weir_intake_close(intake);
		return ret;
	}
	intake->position = state.position;
	intake->last_block = state.last_block;
	intake->last_segment = state.summed.seq;
	/* An interval that was cut short goes on; one without records begins now. */
	open_interval(intake, state.last_block > state.summed.block && state.summed.end_ns ?
				      state.summed.end_ns : UINT64_MAX);
	ret = rebuild(intake);
	/* A full disk can stand in the way of an early segment; later then. */
	if (ret == -ENOSPC)
		ret = 0;
	if (ret)
		weir_intake_close(intake);
	return ret;
}

void weir_intake_close(struct weir_intake *intake)
{
	weir_summary_free(intake->summary);
	free(intake->flows);
	intake->summary = NULL;
	intake->flows = NULL;
}

bool weir_intake_has_room(const struct weir_intake *intake)
{
	return intake->count + WEIR_INTAKE_BATCH_MAX <= WEIR_STORE_BLOCK_RECORDS;
}

void weir_intake_touch(struct weir_intake *intake)
{
	if (!intake->dirty)
		intake->since_ns = weir_clock_monotonic_ns();
	intake->dirty = true;
}

int weir_intake_take(struct weir_intake *intake, const struct weir_kernel_event *batch)
{
	struct weir_totals totals = {0};
	size_t count;
	int ret = weir_batch_count(batch->record_bytes, batch->record_size, &count);

	if (ret)
		return ret;
	if (count > WEIR_STORE_BLOCK_RECORDS - intake->count)
		return -EBADMSG;
	weir_batch_convert(batch->records, count, batch->record_size, batch->clock_offset_ns,
			   intake->flows + intake->count, &totals);
	intake->count += count;
	intake->batches++;
	weir_intake_touch(intake);
	return weir_position_accept(&intake->position, batch, &totals);
}

uint64_t weir_intake_commit_due(const struct weir_intake *intake)
{
	return intake->dirty ? intake->since_ns + intake->node->config.commit_ns : UINT64_MAX;
}

static int write_block(struct weir_intake *intake, uint64_t *block)
{
	struct weir_store_txn *txn;
	int ret = weir_store_begin(intake->node->store, weir_clock_now_ns(), &txn);

	if (ret)
		return ret;
	*block = weir_store_next_block(txn);
	if (intake->count && *block != intake->last_block + 1) {
		/* The last try reached the disk after all. */
		weir_store_abort(txn);
		*block = intake->last_block + 1;
		return 0;
	}
	if (intake->count)
		weir_store_put_block(txn, intake->flows, intake->count);
	weir_store_put_position(txn, &intake->position);
	return weir_store_commit(txn);
}

int weir_intake_commit(struct weir_intake *intake)
{
	uint64_t block;
	int ret = 0;

	if (!intake->dirty)
		return 0;
	/* Exact or not at all: rather a short interval than a group left out. */
	if (!intake->summary_stale && !weir_summary_fits(intake->summary, intake->count))
		ret = weir_intake_close_interval(intake);
	if (!ret)
		ret = write_block(intake, &block);
	if (ret)
		return ret;
	if (intake->count) {
		intake->last_block = block;
		if (!intake->summary_stale &&
		    weir_summary_add(intake->summary, block, intake->flows, intake->count))
			intake->summary_stale = true;
	}
	intake->count = 0;
	intake->batches = 0;
	intake->dirty = false;
	return 0;
}

/* The summary and the segments together are everything stored, unless a block is damaged. */
static void compare_sums(struct weir_intake *intake, const struct weir_store_state *state)
{
	struct weir_totals sum = state->summed.totals;

	weir_totals_add(&sum, weir_summary_totals(intake->summary));
	if (weir_totals_equal(&sum, &state->stored) || intake->sums_differ || intake->rebuilding)
		return;
	intake->sums_differ = true;
	weir_log_error("summaries hold %llu flows where %llu were stored: a block was damaged "
		       "before it was summed up; \"weir audit\" shows the difference",
		       (unsigned long long)sum.flows, (unsigned long long)state->stored.flows);
}

/* Whether some master has not acknowledged all of 1..@through, as far as its cursor tells. */
static bool is_awaited(const struct weir_intake *intake, uint64_t through)
{
	const struct weir_node_config *config = &intake->node->config;

	for (unsigned i = 0; i < config->masters; i++) {
		uint64_t seq;

		if (!weir_store_get_cursor(intake->node->store, config->master[i].name, &seq) &&
		    seq < through)
			return true;
	}
	return false;
}

static void keep_quota(struct weir_intake *intake)
{
	const struct weir_node_config *config = &intake->node->config;
	uint64_t oldest, through;
	bool losing;

	if (!config->spool_segments || intake->last_segment <= config->spool_segments)
		return;
	through = intake->last_segment - config->spool_segments;
	if (weir_store_oldest_segment(intake->node->store, &oldest) || !oldest || oldest > through)
		return;
	losing = is_awaited(intake, through);
	if (losing && !intake->losing)
		weir_log_warn("the spool of %" PRIu64 " segments is full: from segment %" PRIu64
			      " on they are dropped before every master has them; \"weir nodes\" "
			      "tells which is behind", config->spool_segments, oldest);
	else if (!losing && intake->losing)
		weir_log_info("every master has segment %" PRIu64 ", the last one dropped: no "
			      "more are lost", through);
	intake->losing = losing;
	weir_store_drop_segments(intake->node->store, through);
}

static int write_segment(struct weir_intake *intake, const struct weir_store_state *state,
			 uint64_t end_ns)
{
	const struct weir_node *node = intake->node;
	struct weir_kernel_stats stats;
	struct weir_summary_frame frame = {.identity = weir_store_identity(node->store),
					   .name = node->config.name,
					   .state = state,
					   .start_ns = intake->start_ns,
					   .end_ns = end_ns,
					   .top = node->config.summary_top};
	struct weir_store_summed next;
	struct weir_store_txn *txn;
	size_t body_bytes;
	uint8_t *body;
	int ret;

	ret = node->kernel->get_stats(&stats);
	if (!ret)
		frame.kernel = &stats;
	intake->kernel_gone = ret == -ENOENT || ret == -ENETDOWN ||
			      (!ret && (stats.stopped ||
					stats.instance != intake->position.instance));
	ret = weir_summary_encode(intake->summary, &frame, &body, &body_bytes, &next);
	if (ret)
		return ret;
	ret = weir_store_begin(node->store, weir_clock_now_ns(), &txn);
	if (!ret) {
		weir_store_put_segment(txn, &next, body, body_bytes);
		ret = weir_store_commit(txn);
	}
	free(body);
	return ret;
}

static void notify(const struct weir_intake *intake)
{
	if (intake->node->segment_fd >= 0 && eventfd_write(intake->node->segment_fd, 1))
		weir_log_debug("segment notification: %s", strerror(errno));
}

/* The last try reached the disk after all: that segment covers what it covers, and what was
 * committed since belongs to the next. */
static int take_up(struct weir_intake *intake, const struct weir_store_summed *summed)
{
	int ret = rebuild(intake);

	if (ret)
		return ret;
	open_interval(intake, summed->end_ns);
	notify(intake);
	return 0;
}

int weir_intake_close_interval(struct weir_intake *intake)
{
	uint64_t now = weir_clock_now_ns(), end_ns = now;
	struct weir_store_state state;
	int ret = intake->summary_stale ? rebuild(intake) : 0;

	if (!ret)
		ret = weir_store_state(intake->node->store, &state);
	if (ret)
		return ret;
	if (end_ns < intake->start_ns) /* the clock was set back */
		end_ns = intake->start_ns;
	if (state.summed.seq != intake->last_segment)
		return take_up(intake, &state.summed);
	compare_sums(intake, &state);
	ret = write_segment(intake, &state, end_ns);
	if (ret)
		return ret;
	intake->last_segment++;
	weir_summary_clear(intake->summary);
	open_interval(intake, now);
	keep_quota(intake);
	notify(intake);
	return 0;
}
