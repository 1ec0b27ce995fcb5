// SPDX-License-Identifier: GPL-2.0
/* rebuild.c - a partition made anew from what can be read of the damaged one. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/common/clock.h"
#include "daemon/common/log.h"
#include "daemon/store/repair_part.h"

enum {
	/* Bytes in one transaction; LMDB keeps its pages in memory. */
	COMMIT_BYTES = 64 << 20,
};

/* No day has so many. */
static const uint64_t block_margin = 1 << 30, segment_margin = 1 << 20;
static const uint64_t map_bytes = 1ULL << 40;

struct rebuild {
	struct weir_repair *repair;
	struct weir_check_part *part;
	const struct weir_check_part *next;
	struct weir_salvage found; /* without the limits */
	struct weir_survey_meta meta; /* to be */
	struct weir_lmdb *lmdb;
	struct weir_lmdb_txn txn;
	uint64_t bytes; /* in txn */
};

/* Midnight of the partition's day. */
static uint64_t day_of(const char *name)
{
	struct tm tm = {0};

	if (sscanf(name, "%4d%2d%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday) != 3)
		return 0;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	return (uint64_t)timegm(&tm) * WEIR_NS_PER_SECOND;
}

static void choose_base(struct rebuild *r)
{
	const struct weir_store_state *before = &r->repair->before.state;

	if (r->found.has_meta && r->found.meta.has_base) {
		r->meta.base = r->found.meta.base;
	} else {
		r->meta.base.begun_ns = day_of(r->part->survey->name);
		/* Without one before it, this is where the store began, or retention cut it: then the
		 * next one's sums still hold what was lost here. */
		if (r->repair->has_before) {
			r->meta.base.last_block = before->last_block;
			r->meta.base.segment = before->summed.seq;
			r->meta.base.stored = before->stored;
		}
	}
	r->meta.has_base = true;
}

/* Of one that is not the newest only the sums matter, and where it ended. */
static void end_at_next(struct rebuild *r)
{
	const struct weir_meta_base *base = &r->next->meta.base;
	struct weir_store_state *state = &r->meta.state;

	if (r->repair->has_before)
		*state = r->repair->before.state;
	state->stored = base->stored;
	state->last_block = base->last_block;
	if (state->summed.seq != base->segment)
		memset(state->summed.hash, 0, sizeof(state->summed.hash));
	state->summed.seq = base->segment;
	state->summed.block = base->last_block;
	state->summed.end_ns = base->begun_ns;
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Nothing is left that says how far the store was: it goes on from the end of the partition before.
 * The records that were found here are counted as received and numbered: what the kernel says
 * beyond them is missing. */
static void end_unknown(struct rebuild *r)
{
	struct weir_store_state *state = &r->meta.state;

	if (r->repair->has_before)
		*state = r->repair->before.state;
	weir_totals_add(&state->stored, &r->found.totals);
	weir_totals_add(&state->position.received, &r->found.totals);
	weir_totals_add(&state->position.numbered, &r->found.totals);
	state->last_block = most(state->last_block, r->found.highest_block) + block_margin;
}

static void start_epoch(struct rebuild *r)
{
	struct weir_store_summed *summed = &r->meta.state.summed;

	summed->seq = most(most(summed->seq, r->found.highest_segment), r->repair->taken_segment) +
		      segment_margin;
	memset(summed->hash, 0, sizeof(summed->hash));
	r->repair->new_epoch = true;
}

/* A commit is lost. If it wrote a segment, masters may have that. */
static bool segment_lost(const struct rebuild *r)
{
	return !r->found.segments_known ||
	       r->found.highest_segment > r->found.meta.state.summed.seq;
}

static void choose_state(struct rebuild *r)
{
	if (r->found.has_meta == WEIR_SALVAGE_META) {
		r->meta.state = r->found.meta.state;
	} else if (r->next && r->next->known && r->next->meta.has_base) {
		end_at_next(r);
	} else if (r->found.has_meta) {
		r->meta.state = r->found.meta.state;
		if (!r->next && segment_lost(r))
			start_epoch(r);
	} else {
		end_unknown(r);
		if (!r->next)
			start_epoch(r);
	}
}

static void choose_limits(struct rebuild *r, struct weir_salvage *second)
{
	if (r->found.has_meta != WEIR_SALVAGE_OLD_META || r->next)
		return;
	/* Of the commit that is lost the kernel may send everything again. */
	second->block_limit = most(r->found.meta.state.last_block, 1);
	second->segment_limit = most(r->found.meta.state.summed.seq, 1);
}

/* Commit when there is much to commit. */
static int make_room(struct rebuild *r, size_t bytes)
{
	int ret = 0;

	r->bytes += bytes;
	if (r->bytes > COMMIT_BYTES) {
		r->bytes = 0;
		ret = weir_lmdb_commit(&r->txn);
		if (!ret)
			ret = weir_lmdb_begin(r->lmdb, true, &r->txn);
	}
	return ret;
}

static int keep_block(void *arg, uint64_t number, const struct weir_pages_entry *entry,
		      const struct weir_meta_times *times)
{
	uint8_t packed[sizeof(*times)];
	struct rebuild *r = arg;

	weir_meta_encode(times, sizeof(*times), packed);
	weir_lmdb_put_number(&r->txn, WEIR_DB_BLOCKS, number, entry->value, entry->value_bytes);
	weir_lmdb_put_number(&r->txn, WEIR_DB_TIMES, number, packed, sizeof(packed));
	return r->txn.error ? r->txn.error : make_room(r, entry->value_bytes);
}

static int keep_segment(void *arg, uint64_t seq, const struct weir_pages_entry *entry)
{
	struct rebuild *r = arg;

	/* With a new epoch nobody could take the old ones. */
	if (r->repair->new_epoch && !r->next)
		return 0;
	weir_lmdb_put_number(&r->txn, WEIR_DB_SEGMENTS, seq, entry->value, entry->value_bytes);
	return r->txn.error ? r->txn.error : make_room(r, entry->value_bytes);
}

void weir_repair_put_meta(struct weir_lmdb_txn *txn, const struct weir_survey_meta *meta)
{
	weir_meta_put_format(txn, WEIR_DB_META);
	weir_meta_put(txn, WEIR_DB_META, "held", &meta->held, sizeof(meta->held));
	if (meta->has_base)
		weir_meta_put(txn, WEIR_DB_META, "base", &meta->base, sizeof(meta->base));
	weir_meta_put(txn, WEIR_DB_META, "damaged", &meta->damaged, sizeof(meta->damaged));
	weir_meta_put_state(txn, &meta->state);
}

/* What was stored here, less what is. */
static void count_damage(struct rebuild *r, const struct weir_salvage *kept)
{
	struct weir_totals *damaged = &r->meta.damaged.totals;

	*damaged = r->meta.state.stored;
	weir_totals_subtract(damaged, &r->meta.base.stored);
	weir_totals_subtract(damaged, &kept->totals);
	r->meta.damaged.blocks = r->found.meta.damaged.blocks + kept->lost_blocks;
	r->meta.held = kept->held;
	r->repair->result->lost_blocks += kept->lost_blocks;
	r->repair->result->lost_records += kept->lost_records;
	r->repair->result->lost_segments += kept->lost_segments;
	weir_totals_add(&r->repair->result->damaged, damaged);
	if (r->found.has_meta)
		weir_totals_subtract(&r->repair->result->damaged, &r->found.meta.damaged.totals);
	/* Numbers go on above any that was ever seen. */
	if (!r->next)
		r->meta.state.last_block = most(r->meta.state.last_block, r->found.highest_block);
}

static void report(struct rebuild *r, const struct weir_salvage *kept)
{
	const char *name = r->part->survey->name;

	weir_repair_tell(r->repair, name, "%s made anew from what can be read: %" PRIu64
			 " blocks with %" PRIu64 " records, %" PRIu64 " segments",
			 r->repair->options->dry_run ? "would be" : "is", kept->held.blocks,
			 kept->held.records, kept->segments);
	if (r->meta.damaged.totals.flows)
		weir_repair_tell(r->repair, name, "%" PRIu64 " records of it are lost, and counted "
				 "as damaged", (uint64_t)r->meta.damaged.totals.flows);
	if (r->next || r->found.has_meta == WEIR_SALVAGE_META)
		return;
	if (r->found.has_meta)
		weir_repair_tell(r->repair, name, "its last commit is lost; the kernel sends it "
				 "again, or it will be counted as missing");
	else
		weir_repair_tell(r->repair, name, "how far the store was cannot be read: it goes on "
				 "from the end of the partition before; what the kernel was told "
				 "to forget since will be counted as missing");
}

static int fill(struct rebuild *r, const char *path)
{
	struct weir_lmdb_options options = {
		.dbs = weir_partition_dbs, .create = true, .map_bytes = map_bytes};
	struct weir_salvage kept = {.block = keep_block,
				    .segment = keep_segment,
				    .arg = r,
				    .check_segment = r->found.check_segment,
				    .check_arg = r->found.check_arg,
				    .cancel = r->found.cancel};
	int ret = weir_lmdb_open(path, &options, &r->lmdb);

	if (ret)
		return ret;
	choose_limits(r, &kept);
	ret = weir_lmdb_begin(r->lmdb, true, &r->txn);
	if (!ret)
		ret = weir_salvage_partition(r->part->survey->path, &kept);
	if (!ret) {
		count_damage(r, &kept);
		weir_repair_put_meta(&r->txn, &r->meta);
		ret = weir_lmdb_commit(&r->txn);
	}
	weir_lmdb_abort(&r->txn);
	weir_lmdb_close(r->lmdb);
	if (!ret)
		ret = weir_folder_sync(path);
	if (!ret)
		report(r, &kept);
	return ret;
}

static int try_out(struct rebuild *r)
{
	struct weir_salvage kept = {.check_segment = r->found.check_segment,
				    .check_arg = r->found.check_arg,
				    .cancel = r->found.cancel};
	int ret;

	choose_limits(r, &kept);
	ret = weir_salvage_partition(r->part->survey->path, &kept);
	if (ret)
		return ret;
	count_damage(r, &kept);
	report(r, &kept);
	return 0;
}

int weir_rebuild_partition(struct weir_repair *repair, struct weir_check_part *part,
			   const struct weir_check_part *next, struct weir_survey_meta *now)
{
	struct rebuild r = {.repair = repair,
			    .part = part,
			    .next = next,
			    .found = {.check_segment = repair->options->segment,
				      .check_arg = repair->options->arg,
				      .cancel = repair->options->cancel}};
	char *path;
	int ret = weir_salvage_partition(part->survey->path, &r.found);

	if (ret)
		return ret;
	choose_base(&r);
	choose_state(&r);
	if (repair->options->dry_run) {
		ret = try_out(&r);
	} else {
		path = weir_repair_workplace(repair, part->survey->name, &ret);
		if (path)
			ret = fill(&r, path);
		free(path);
		/* Not before masters see a new stream, or the old one would go wrong. */
		if (!ret && repair->new_epoch)
			repair->pending = part->survey->name;
		else if (!ret)
			ret = weir_repair_exchange(repair, part->survey->name);
	}
	*now = r.meta;
	return ret;
}
