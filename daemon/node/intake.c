// SPDX-License-Identifier: GPL-2.0
/*
 * intake.c - what is held between the kernel and the disk.
 *
 * A commit whose outcome is not known (the disk failed while LMDB wrote its
 * root) is found out by the number of the next block when the store opens again: if
 * the block is there, so is its position, as one transaction held both.
 *
 * Below min_free records are refused (when_full = summaries): a segment that sums them up, with
 * all that was stored since the one before, is committed with the position behind them,
 * from the reserve that min_free is. So they are counted once, as stored or as refused, wherever
 * we are killed. Commits come an interval apart then, or when the kernel's window or our
 * block is full, as each takes a segment. When the reserve is gone too, the
 * commit fails, nothing is acknowledged, and the kernel keeps what it has.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "daemon/common/clock.h"
#include "daemon/common/large.h"
#include "daemon/common/log.h"
#include "daemon/node/batch.h"
#include "daemon/node/intake.h"
#include "daemon/node/position.h"

/* A block or a segment is less, mostly. */
static const uint64_t room_bytes = 1 << 20;

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
	intake->refuses = node->config.when_full && !strcmp(node->config.when_full, "summaries");
	/* A block is sorted: its records are read in no order. */
	intake->flows = weir_large_alloc(WEIR_STORE_BLOCK_RECORDS * sizeof(*intake->flows), 0);
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
	if (intake->dirty && atomic_load(&intake->node->refusing))
		return intake->close_ns;
	return intake->dirty ? intake->since_ns + intake->node->config.commit_ns : UINT64_MAX;
}

/* The summary and the segments together are everything stored or refused, unless a block is damaged. */
static void compare_sums(struct weir_intake *intake, const struct weir_store_state *state)
{
	struct weir_totals refused = weir_position_refused(&state->position);
	struct weir_totals sum = state->summed.totals, stored = state->stored;

	weir_totals_add(&sum, weir_summary_totals(intake->summary));
	weir_totals_add(&stored, &refused);
	if (weir_totals_equal(&sum, &stored) || intake->sums_differ || intake->rebuilding)
		return;
	intake->sums_differ = true;
	weir_log_error("summaries hold %llu flows where %llu were stored: a block was damaged "
		       "before it was summed up; \"weir audit\" shows the difference",
		       (unsigned long long)sum.flows, (unsigned long long)state->stored.flows);
}

/* With @state->position, which is what is committed unless the caller moved it. */
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
	ret = intake->refuses ?
		      weir_store_begin_reserved(node->store, weir_clock_now_ns(), &txn) :
		      weir_store_begin(node->store, weir_clock_now_ns(), &txn);
	if (!ret) {
		weir_store_put_segment(txn, &next, body, body_bytes);
		weir_store_put_position(txn, &state->position);
		ret = weir_store_commit(txn);
	}
	free(body);
	return ret;
}

static void notify(const struct weir_intake *intake)
{
	if (intake->node->segment_fd >= 0 && eventfd_write(intake->node->segment_fd, 1))
		weir_log_debug("segment notification: %s", strerror(errno));
	weir_keeper_wake();
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

/* A segment was committed. */
static void next_interval(struct weir_intake *intake, uint64_t now_ns)
{
	intake->last_segment++;
	weir_summary_clear(intake->summary);
	open_interval(intake, now_ns);
	notify(intake);
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
	next_interval(intake, now);
	return 0;
}

/* What was held is committed, or counted. */
static void taken_care_of(struct weir_intake *intake)
{
	intake->count = 0;
	intake->batches = 0;
	intake->dirty = false;
	intake->unsure = false;
}

/* The last try reached the disk after all, in whatever form: go on from what is there. */
static int settle(struct weir_intake *intake, bool *settled)
{
	struct weir_store_state state;
	int ret = weir_store_state(intake->node->store, &state);

	*settled = false;
	if (ret)
		return ret;
	intake->unsure = false;
	if (!intake->count || state.position.instance != intake->position.instance ||
	    state.position.seq != intake->position.seq)
		return 0;
	*settled = true;
	intake->position = state.position;
	intake->last_block = state.last_block;
	taken_care_of(intake);
	if (state.summed.seq != intake->last_segment)
		return take_up(intake, &state.summed);
	return rebuild(intake);
}

static int write_block(struct weir_intake *intake, uint64_t *block)
{
	struct weir_store *store = intake->node->store;
	uint64_t now = weir_clock_now_ns();
	struct weir_store_txn *txn;
	/* A position alone takes no room. */
	int ret = intake->refuses && !intake->count ? weir_store_begin_reserved(store, now, &txn) :
						      weir_store_begin(store, now, &txn);

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

static bool is_full(int error)
{
	return error == -ENOSPC || error == -EDQUOT;
}

/* One line for each change. */
static void set_refusing(struct weir_intake *intake, bool refusing)
{
	struct weir_totals refused = weir_position_refused(&intake->position);

	if (atomic_exchange(&intake->node->refusing, refusing) == refusing)
		return;
	if (refusing)
		weir_log_error("%s: the disk is full (below min_free): records are refused, "
			       "summaries of them go on", intake->node->config.state);
	else
		weir_log_info("%s: there is room: records are stored again; %llu were refused",
			      intake->node->config.state, (unsigned long long)refused.flows);
}

/* Not right at the mark, or it would go to and fro. */
static bool has_room_again(const struct weir_intake *intake)
{
	return weir_store_has_room(intake->node->store,
				   intake->node->config.min_free_bytes / 8 + room_bytes);
}

/* Sum up what would be the next block, close the interval with it, and commit both with the position. */
static int refuse(struct weir_intake *intake)
{
	struct weir_totals totals = {0};
	uint64_t now = weir_clock_now_ns();
	struct weir_store_state state;
	int ret = intake->summary_stale ? rebuild(intake) : 0;

	if (!ret && !weir_summary_fits(intake->summary, intake->count))
		ret = weir_intake_close_interval(intake);
	if (!ret)
		ret = weir_store_state(intake->node->store, &state);
	if (ret)
		return ret;
	for (size_t i = 0; i < intake->count; i++)
		weir_flow_count(&totals, &intake->flows[i]);
	state.position = intake->position;
	weir_position_refuse(&state.position, &totals, now);
	ret = weir_summary_add(intake->summary, 0, intake->flows, intake->count);
	if (!ret)
		ret = write_segment(intake, &state, now > intake->start_ns ? now : intake->start_ns);
	/* They are in the summary and not on the disk: begin again from what is there. */
	if (ret) {
		intake->summary_stale = true;
		return ret;
	}
	intake->position = state.position;
	taken_care_of(intake);
	next_interval(intake, now);
	set_refusing(intake, true);
	return 0;
}

static int store(struct weir_intake *intake)
{
	uint64_t block;
	int ret = 0;

	/* Exact or not at all: rather a short interval than a group left out. */
	if (!intake->summary_stale && !weir_summary_fits(intake->summary, intake->count))
		ret = weir_intake_close_interval(intake);
	if (!ret)
		ret = write_block(intake, &block);
	if (ret)
		return ret;
	if (intake->count) {
		set_refusing(intake, false);
		intake->last_block = block;
		if (!intake->summary_stale &&
		    weir_summary_add(intake->summary, block, intake->flows, intake->count))
			intake->summary_stale = true;
	}
	taken_care_of(intake);
	return 0;
}

int weir_intake_commit(struct weir_intake *intake)
{
	bool refusing = atomic_load(&intake->node->refusing), settled = false;
	int ret = 0;

	if (!intake->dirty)
		return 0;
	if (intake->unsure)
		ret = settle(intake, &settled);
	if (ret || settled)
		return ret;
	if (refusing && intake->count && !has_room_again(intake))
		ret = -ENOSPC;
	else
		ret = store(intake);
	if (is_full(ret) && intake->refuses && intake->count)
		ret = refuse(intake);
	intake->unsure = ret;
	return ret;
}
