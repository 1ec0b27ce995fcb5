// SPDX-License-Identifier: GPL-2.0
/*
 * merge.c - small blocks become large ones.
 *
 * A quiet node commits a block of some hundreds of records every second. Thousands of
 * those take more room than their records in one block, and more time to read. So
 * runs of adjacent blocks of the newest partition are rewritten as one, once a segment and a
 * roll-up cover them (until then they are what a restart sums up again), and not across
 * the places where answers pass from roll-ups to records (seam.h).
 *
 * Which: a run of at most WEIR_STORE_BLOCK_RECORDS records is merged if that
 * makes a block GROWTH times as large as the largest in it, or a large one (LARGE, half a
 * block and some; those are left alone for ever). So but for the last time, a record is only
 * written again into a block GROWTH times the size of the one it was in: at most
 * log8(40960 / records of the first block) + 1 times, 3 to 4 for the blocks of a quiet node.
 *
 * A merge is a transaction of its own, of the writer between two commits, over no more
 * records than a full block: it takes about as long as any commit may. Killed in
 * it, LMDB has all of it or nothing. The new block has the number of the last one
 * it replaces, so numbers go on growing along the file, and whatever a segment or a
 * cursor says of blocks up to a number stays true. Readers: replaced.h.
 *
 * What is known of the blocks is in memory only: a run is looked for as blocks become due,
 * one after the other, on a short stack of those that are still small. At start it
 * begins with the first block of the partition, and finds what it would have found.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/block.h"
#include "daemon/store/internal.h"
#include "daemon/store/seam.h"

enum {
	GROWTH = 8,
	LARGE = 40960,
	/* Small blocks remembered; those before them stay as they are. With sizes that fit no
	 * run, seven blocks of each of five sizes at most lie there. */
	SMALL_MAX = 64,
	/* Entries of the index looked at in one call. */
	LOOK_MAX = 1024,
	/* Copies for plans in memory: past this, wait until some are freed. */
	COPIES_BYTES_MAX = 64 << 20,
};

struct small {
	uint64_t number;
	uint32_t records;
};

/* What is known of the newest partition. */
struct known {
	uint32_t partition; /* its id; 0: none */
	uint64_t next;	    /* block to look at */
	unsigned count;
	struct small small[SMALL_MAX];
};

struct weir_store_merge {
	struct known known;
	struct weir_block_reader *reader;
	struct weir_block_writer *writer; /* made when it is first wanted: 10 MB */
};

/* One call. */
struct work {
	struct weir_store *store;
	struct weir_store_txn *txn;
	struct known known; /* becomes what is known if the commit succeeds */
	struct weir_seams seams;
	size_t records; /* rewritten */
	bool more;
};

int weir_store_merge_new(struct weir_store_merge **merge)
{
	struct weir_store_merge *new = calloc(1, sizeof(*new));
	int ret;

	if (!new)
		return -ENOMEM;
	ret = weir_block_reader_new(&new->reader);
	if (ret)
		free(new);
	else
		*merge = new;
	return ret;
}

void weir_store_merge_free(struct weir_store_merge *merge)
{
	if (!merge)
		return;
	weir_block_reader_free(merge->reader);
	weir_block_writer_free(merge->writer);
	free(merge);
}

/* The longest run at the end of the stack that is to be merged: its length, 0 for none. */
static unsigned find_run(const struct known *known, size_t *records)
{
	size_t sum = 0, largest = 0;
	unsigned best = 0;

	for (unsigned length = 1; length <= known->count; length++) {
		size_t one = known->small[known->count - length].records;

		sum += one;
		if (one > largest)
			largest = one;
		if (sum > WEIR_STORE_BLOCK_RECORDS)
			break;
		if (length > 1 && (sum >= LARGE || sum >= GROWTH * largest)) {
			best = length;
			*records = sum;
		}
	}
	return best;
}

static void push(struct known *known, uint64_t number, uint32_t records)
{
	if (records >= LARGE) {
		known->count = 0;
		return;
	}
	if (known->count == SMALL_MAX)
		memmove(known->small, known->small + 1, --known->count * sizeof(known->small[0]));
	known->small[known->count++] = (struct small){number, records};
}

/* Decode the block behind @flows, and keep a copy for plans. */
static int read_block(struct work *work, const struct small *small, struct weir_flow *flows)
{
	struct weir_block_reader *reader = work->store->merge->reader;
	struct weir_lmdb_value value;
	int ret = weir_lmdb_get_number(&work->txn->lmdb, WEIR_DB_BLOCKS, small->number, &value);

	if (!ret)
		ret = weir_block_open(reader, small->number, value.data, value.bytes);
	if (!ret && weir_block_count(reader) != small->records)
		ret = -EBADMSG;
	if (!ret)
		ret = weir_block_rows(reader, WEIR_COLUMN_ALL, flows);
	if (!ret)
		ret = weir_replaced_add(work->store->replaced, small->number, small->records,
					value.data, value.bytes);
	return ret == -ENOENT ? -EBADMSG : ret;
}

/* There is time: these are packed as tightly as can be. */
static int write_block(struct weir_store_merge *merge, const struct weir_flow *flows,
		       size_t records, uint8_t **block, size_t *bytes,
		       struct weir_block_times *span)
{
	int ret = 0;

	if (!merge->writer)
		ret = weir_block_writer_new(WEIR_BLOCK_LEVEL_COLD, &merge->writer);
	return ret ? ret : weir_block_write(merge->writer, flows, records, block, bytes, span);
}

static int replace(struct work *work, const struct small *run, unsigned length,
		   const struct weir_flow *flows, size_t records)
{
	uint64_t number = run[length - 1].number;
	struct weir_lmdb_txn *lmdb = &work->txn->lmdb;
	struct weir_block_times span;
	struct weir_meta_times times;
	uint8_t packed[sizeof(times)], *block;
	size_t bytes;
	int ret = write_block(work->store->merge, flows, records, &block, &bytes, &span);

	if (ret)
		return ret;
	weir_block_seal(number, block, bytes);
	times = (struct weir_meta_times){span.min_ns, span.max_ns, records};
	weir_meta_encode(&times, sizeof(times), packed);
	for (unsigned i = 0; i < length; i++) {
		weir_lmdb_delete_number(lmdb, WEIR_DB_BLOCKS, run[i].number);
		weir_lmdb_delete_number(lmdb, WEIR_DB_TIMES, run[i].number);
	}
	weir_lmdb_put_number(lmdb, WEIR_DB_BLOCKS, number, block, bytes);
	weir_lmdb_put_number(lmdb, WEIR_DB_TIMES, number, packed, sizeof(packed));
	work->txn->held.blocks -= length - 1;
	work->txn->bytes += bytes;
	return lmdb->error;
}

/* Rewrite the last @length blocks of the stack as one. */
static int merge_run(struct work *work, unsigned length, size_t records)
{
	struct known *known = &work->known;
	struct small *run = &known->small[known->count - length];
	struct weir_flow *flows = malloc(records * sizeof(*flows));
	size_t at = 0;
	int ret = flows ? 0 : -ENOMEM;

	for (unsigned i = 0; i < length && !ret; i++) {
		ret = read_block(work, &run[i], flows + at);
		at += run[i].records;
		/* What cannot be read stays where it is, and nothing is merged across it. */
		if (ret == -EBADMSG || ret == -ENOTSUP) {
			memmove(known->small, &run[i + 1], (length - i - 1) * sizeof(*run));
			known->count = length - i - 1;
			free(flows);
			return 0;
		}
	}
	if (!ret)
		ret = replace(work, run, length, flows, records);
	free(flows);
	if (ret)
		return ret;
	work->records += records;
	known->count -= length - 1;
	known->small[known->count - 1] = (struct small){run[length - 1].number, (uint32_t)records};
	if (records >= LARGE)
		known->count = 0;
	return 0;
}

/* Whether another run of @records may be rewritten in this call. */
static bool is_enough(const struct work *work, size_t records)
{
	return work->records && work->records + records > WEIR_STORE_BLOCK_RECORDS;
}

/* Merge what can be at the end of the stack, as far as this call may. */
static int settle(struct work *work)
{
	size_t records = 0;
	unsigned length;
	int ret = 0;

	while (!ret && (length = find_run(&work->known, &records))) {
		if (is_enough(work, records)) {
			work->more = true;
			return 0;
		}
		ret = merge_run(work, length, records);
	}
	return ret;
}

static int look(struct work *work)
{
	struct known *known = &work->known;
	uint64_t through = work->seams.through;
	int ret = settle(work); /* what the last call left */

	if (through > work->txn->state.summed.block)
		through = work->txn->state.summed.block;
	if (known->next < work->seams.from) {
		known->next = work->seams.from;
		known->count = 0;
	}

	for (unsigned i = 0; i < LOOK_MAX && !ret && !work->more; i++) {
		struct weir_lmdb_value value;
		struct weir_meta_times times;
		uint64_t number;

		ret = weir_lmdb_seek_number(&work->txn->lmdb, WEIR_DB_TIMES, known->next, false,
					    &number, &value);
		if (ret == -ENOENT || (!ret && number > through))
			return 0;
		if (ret)
			return ret;
		weir_meta_decode(value.data, value.bytes, &times, sizeof(times));
		if (weir_seams_part(&work->seams, known->next - 1, number))
			known->count = 0;
		push(known, number, (uint32_t)times.records);
		known->next = number + 1;
		work->more = i == LOOK_MAX - 1;
		ret = settle(work);
	}
	return ret;
}

static void begin_known(struct work *work)
{
	struct weir_store *store = work->store;
	uint32_t newest;

	pthread_mutex_lock(&store->lock);
	newest = store->partitions[store->partition_count - 1]->id;
	pthread_mutex_unlock(&store->lock);
	work->known = store->merge->known;
	if (work->known.partition != newest)
		work->known = (struct known){.partition = newest, .next = 1};
}

/* Of a partition that does not say where it began, as an earlier version made it, nothing is
 * known. */
static int find_seams(struct work *work)
{
	struct weir_meta_base base;
	int ret = weir_meta_get(&work->txn->lmdb, WEIR_DB_META, "base", &base, sizeof(base));

	if (!ret)
		ret = weir_seams_find(work->store, base.segment, &work->seams);
	return ret == -ENOENT ? 0 : ret;
}

static int merge(struct weir_store *store, uint64_t now_ns)
{
	struct work work = {.store = store};
	int ret = weir_store_begin(store, now_ns, &work.txn);

	if (ret)
		return ret;
	begin_known(&work);
	ret = find_seams(&work);
	if (!ret)
		ret = look(&work);
	if (ret || !work.records)
		weir_store_abort(work.txn);
	else
		ret = weir_store_commit(work.txn);
	if (ret)
		memset(&store->merge->known, 0, sizeof(store->merge->known));
	else
		store->merge->known = work.known;
	return ret ? ret : work.more;
}

int weir_store_merge(struct weir_store *store, uint64_t now_ns)
{
	int ret;

	if (!store->merge)
		return -EROFS;
	if (weir_replaced_bytes(store->replaced) > COPIES_BYTES_MAX ||
	    !weir_replaced_begin(store->replaced))
		return 0;
	ret = merge(store, now_ns);
	weir_replaced_done(store->replaced);
	return ret;
}

void weir_store_merge_pause(struct weir_store *store)
{
	weir_replaced_pause(store->replaced);
}

void weir_store_merge_resume(struct weir_store *store)
{
	weir_replaced_resume(store->replaced);
}
