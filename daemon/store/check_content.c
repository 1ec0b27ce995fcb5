// SPDX-License-Identifier: GPL-2.0
/* check_content.c - what a partition holds: blocks against their index, sums, segments. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/store/block.h"
#include "daemon/store/check_part.h"

static void check_times(struct weir_check_run *run, struct weir_check_part *part, uint64_t number,
			const struct weir_meta_times *says, const struct weir_meta_times *is)
{
	if (says->records != is->records)
		weir_check_say(run, part, "block %" PRIu64 " has %" PRIu64
			       " records; the index of times says %" PRIu64,
			       number, is->records, says->records);
	else if (says->min_ns != is->min_ns || says->max_ns != is->max_ns)
		weir_check_say(run, part, "block %" PRIu64 " has another time than the index of "
			       "times says", number);
}

static void add_columns(struct weir_check_run *run, struct weir_check_part *part)
{
	for (unsigned i = 0; i < weir_column_count; i++)
		part->column_bytes[weir_column_table[i].id] +=
			weir_block_column_bytes(run->reader, weir_column_table[i].id);
}

static int check_head(struct weir_check_run *run, uint64_t number,
		      const struct weir_lmdb_value *block, struct weir_meta_times *is, char *why,
		      size_t why_bytes)
{
	int ret = weir_block_open(run->reader, number, block->data, block->bytes);
	struct weir_block_times span;

	if (ret) {
		snprintf(why, why_bytes, "%s", ret == -ENOTSUP ? "it was written by a later weir" :
								 "its head is wrong");
		return ret;
	}
	span = weir_block_times(run->reader);
	*is = (struct weir_meta_times){span.min_ns, span.max_ns, weir_block_count(run->reader)};
	return 0;
}

/* @says: of the index of times, NULL: it does not know the block. */
static void check_block(struct weir_check_run *run, struct weir_check_part *part, uint64_t number,
			const struct weir_lmdb_value *block, const struct weir_meta_times *says)
{
	struct weir_meta_times is = {0};
	struct weir_totals totals = {0};
	char why[160] = "";
	int ret;

	part->blocks++;
	part->records += says ? says->records : 0;
	if (run->options->depth == WEIR_CHECK_INDEX)
		ret = check_head(run, number, block, &is, why, sizeof(why));
	else
		ret = weir_check_block(run->reader, run->flows, number, block->data, block->bytes,
				       &is, &totals, why, sizeof(why));
	if (ret) {
		part->damaged_blocks++;
		part->damaged_records += says ? says->records : 0;
		weir_check_say(run, part, "block %" PRIu64 ": %s", number, why);
		return;
	}
	weir_totals_add(&part->totals, &totals);
	if (number > part->meta.state.summed.block)
		weir_totals_add(&part->unsummed, &totals);
	add_columns(run, part);
	if (!says) {
		part->records += is.records;
		weir_check_say(run, part, "block %" PRIu64 " is missing in the index of times",
			       number);
		return;
	}
	check_times(run, part, number, says, &is);
}

static void check_missing(struct weir_check_run *run, struct weir_check_part *part,
			  uint64_t number, const struct weir_meta_times *says)
{
	part->blocks++;
	part->damaged_blocks++;
	part->records += says->records;
	part->damaged_records += says->records;
	weir_check_say(run, part, "block %" PRIu64 " is in the index of times, but not there",
		       number);
}

/* Both databases side by side, by number. */
static int check_blocks(struct weir_check_run *run, struct weir_check_part *part,
			struct weir_lmdb_txn *txn)
{
	struct weir_lmdb_value block, times;
	uint64_t next = 0;

	while (!weir_check_cancelled(run)) {
		uint64_t with_block = UINT64_MAX, with_times = UINT64_MAX;
		struct weir_meta_times says = {0};
		int no_block = weir_lmdb_seek_number(txn, WEIR_DB_BLOCKS, next, false, &with_block,
						     &block);
		int no_times = weir_lmdb_seek_number(txn, WEIR_DB_TIMES, next, false, &with_times,
						     &times);

		if (txn->error)
			return txn->error;
		if (no_block && no_times)
			return 0;
		if (!no_times)
			weir_meta_decode(times.data, times.bytes, &says, sizeof(says));
		if (!no_block && (no_times || with_block < with_times))
			check_block(run, part, with_block, &block, NULL);
		else if (!no_block && with_block == with_times)
			check_block(run, part, with_block, &block, &says);
		else
			check_missing(run, part, with_times, &says);
		next = (with_block < with_times ? with_block : with_times) + 1;
		run->done += no_block ? 0 : block.bytes;
		if (run->options->progress)
			run->options->progress(run->options->arg, run->done, run->total);
	}
	return -ECANCELED;
}

static int check_segments(struct weir_check_run *run, struct weir_check_part *part,
			  struct weir_lmdb_txn *txn)
{
	const struct weir_store_summed *summed = &part->meta.state.summed;
	uint64_t next = 0, last = 0, seq;
	struct weir_lmdb_value body;
	char why[160];

	while (!weir_lmdb_seek_number(txn, WEIR_DB_SEGMENTS, next, false, &seq, &body)) {
		if (weir_check_cancelled(run))
			return -ECANCELED;
		if (last && seq != last + 1)
			weir_check_say(run, part, "segments %" PRIu64 " to %" PRIu64 " are missing",
				       last + 1, seq - 1);
		if (run->options->segment &&
		    !run->options->segment(run->options->arg, seq, body.data, body.bytes,
					   seq == summed->seq ? summed->hash : NULL, why,
					   sizeof(why)))
			weir_check_say(run, part, "segment %" PRIu64 ": %s", seq, why);
		part->segments++;
		last = seq;
		next = seq + 1;
	}
	if (last && last > summed->seq)
		weir_check_say(run, part, "segment %" PRIu64 " is there, but the last one written "
			       "should be %" PRIu64, last, summed->seq);
	return txn->error;
}

/* The first and the last block are between where the partition begins and where it ends. */
static void check_bounds(struct weir_check_run *run, struct weir_check_part *part,
			 struct weir_lmdb_txn *txn)
{
	uint64_t first, last;

	if (weir_lmdb_seek_number(txn, WEIR_DB_BLOCKS, 0, false, &first, NULL) ||
	    weir_lmdb_seek_number(txn, WEIR_DB_BLOCKS, UINT64_MAX, true, &last, NULL))
		return;
	if (last > part->meta.state.last_block)
		weir_check_say(run, part, "block %" PRIu64 " is there, but the last one stored "
			       "should be %" PRIu64, last, part->meta.state.last_block);
	if (part->meta.has_base && first <= part->meta.base.last_block)
		weir_check_say(run, part, "block %" PRIu64 " belongs to an earlier partition", first);
}

static void check_held(struct weir_check_run *run, struct weir_check_part *part)
{
	const struct weir_meta_held *held = &part->meta.held;

	if (held->blocks != part->blocks)
		weir_check_say(run, part, "%" PRIu64 " blocks are there; it says it holds %" PRIu64,
			       part->blocks, held->blocks);
	else if (held->records != part->records)
		weir_check_say(run, part, "%" PRIu64 " records are there; it says it holds %" PRIu64,
			       part->records, held->records);
}

/* What was stored here, by the state where it began and where it ended. */
static void check_stored(struct weir_check_run *run, struct weir_check_part *part)
{
	struct weir_totals stored = part->meta.state.stored, sum = part->totals;

	if (!part->meta.has_base || part->damaged_blocks || run->options->depth != WEIR_CHECK_ALL)
		return;
	weir_totals_subtract(&stored, &part->meta.base.stored);
	weir_totals_add(&sum, &part->meta.damaged.totals);
	if (!weir_totals_equal(&stored, &sum))
		weir_check_say(run, part, "its blocks hold %" PRIu64 " flows, %" PRIu64 " packets, "
			       "%" PRIu64 " bytes, damaged ones counted; %" PRIu64 ", %" PRIu64
			       ", %" PRIu64 " were stored", (uint64_t)sum.flows,
			       (uint64_t)sum.packets, (uint64_t)sum.bytes, (uint64_t)stored.flows,
			       (uint64_t)stored.packets, (uint64_t)stored.bytes);
}

int weir_check_content(struct weir_check_run *run, struct weir_check_part *part,
		       struct weir_lmdb_txn *txn)
{
	int ret;

	if (run->options->depth == WEIR_CHECK_META)
		return weir_lmdb_entries(txn, WEIR_DB_SEGMENTS, &part->segments);
	ret = check_blocks(run, part, txn);
	if (!ret)
		ret = check_segments(run, part, txn);
	if (ret)
		return ret;
	check_bounds(run, part, txn);
	check_held(run, part);
	check_stored(run, part);
	return 0;
}
