// SPDX-License-Identifier: GPL-2.0
/*
 * txn.c - the one write transaction at a time.
 *
 * It works on a copy of the state as of the last commit and puts the copy back
 * as part of itself, so sums, numbers and blocks are of the same moment.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "daemon/store/block.h"
#include "daemon/store/internal.h"

enum {
	/* Segments deleted by one transaction: an interval makes one, so this
	 * catches up, and a long list does not hold up a commit. */
	DROP_AT_ONCE = 64,
};

static int fail(struct weir_store_txn *txn, int error)
{
	if (!txn->lmdb.error)
		txn->lmdb.error = error;
	return txn->lmdb.error;
}

static int free_bytes(const struct weir_store *store, uint64_t *bytes)
{
	struct statvfs fs;

	if (statvfs(store->dir, &fs))
		return -errno;
	*bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	return 0;
}

bool weir_store_has_room(const struct weir_store *store, uint64_t bytes)
{
	uint64_t there = 0;

	return !free_bytes(store, &there) && there >= store->options.min_free_bytes + bytes;
}

static int check_room(const struct weir_store_txn *txn)
{
	uint64_t there = 0, least = txn->reserved ? 0 : txn->store->options.min_free_bytes;
	int ret = free_bytes(txn->store, &there);

	return !ret && there < least + txn->bytes ? -ENOSPC : ret;
}

static int begin_lmdb(struct weir_store_txn *txn, uint64_t now_ns)
{
	struct weir_partition *partition;
	int ret = check_room(txn);

	if (!ret)
		ret = weir_partition_current(txn->store, now_ns, &partition);
	if (ret)
		return ret;
	ret = partition->lmdb ? weir_lmdb_begin(partition->lmdb, true, &txn->lmdb) :
				-ENOTRECOVERABLE;
	if (ret == -ENOTRECOVERABLE) {
		ret = weir_partition_reopen(txn->store, partition);
		if (!ret)
			ret = weir_lmdb_begin(partition->lmdb, true, &txn->lmdb);
	}
	return ret;
}

static int begin(struct weir_store *store, uint64_t now_ns, bool reserved,
		 struct weir_store_txn **txn)
{
	struct weir_store_txn *new;
	int ret;

	if (store->options.read_only)
		return -EROFS;
	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	new->store = store;
	new->reserved = reserved;
	ret = begin_lmdb(new, now_ns);
	if (!ret)
		ret = weir_meta_get_state(&new->lmdb, &new->state);
	if (!ret)
		ret = weir_meta_get(&new->lmdb, WEIR_DB_META, "held", &new->held,
				    sizeof(new->held));
	if (ret) {
		weir_store_abort(new);
		return ret == -ENOENT ? -EBADMSG : ret;
	}
	*txn = new;
	return 0;
}

int weir_store_begin(struct weir_store *store, uint64_t now_ns, struct weir_store_txn **txn)
{
	return begin(store, now_ns, false, txn);
}

int weir_store_begin_reserved(struct weir_store *store, uint64_t now_ns,
			      struct weir_store_txn **txn)
{
	return begin(store, now_ns, true, txn);
}

static void count_held(struct weir_meta_held *held, const struct weir_meta_times *times)
{
	if (!held->blocks || times->min_ns < held->min_ns)
		held->min_ns = times->min_ns;
	if (!held->blocks || times->max_ns > held->max_ns)
		held->max_ns = times->max_ns;
	held->blocks++;
	held->records += times->records;
}

int weir_store_put_block(struct weir_store_txn *txn, const struct weir_flow *flows, size_t count)
{
	uint64_t number = txn->state.last_block + 1;
	struct weir_block_times span;
	struct weir_meta_times times;
	uint8_t *made, *block, packed[sizeof(times)];
	size_t bytes;
	int ret = 0;

	if (txn->lmdb.error)
		return txn->lmdb.error;
	if (!count || count > WEIR_STORE_BLOCK_RECORDS)
		return fail(txn, -EINVAL);
	if (!txn->store->block_writer)
		ret = weir_block_writer_new(WEIR_BLOCK_LEVEL_HOT, &txn->store->block_writer);
	if (!ret)
		ret = weir_block_write(txn->store->block_writer, flows, count, &made, &bytes,
				       &span);
	if (ret)
		return fail(txn, ret);
	block = weir_lmdb_append_number(&txn->lmdb, WEIR_DB_BLOCKS, number, bytes);
	if (!block)
		return txn->lmdb.error;
	memcpy(block, made, bytes);
	weir_block_seal(number, block, bytes);
	times = (struct weir_meta_times){span.min_ns, span.max_ns, count};
	weir_meta_encode(&times, sizeof(times), packed);
	if (weir_lmdb_put_number(&txn->lmdb, WEIR_DB_TIMES, number, packed, sizeof(packed)))
		return txn->lmdb.error;
	for (size_t i = 0; i < count; i++)
		weir_flow_count(&txn->state.stored, &flows[i]);
	count_held(&txn->held, &times);
	txn->state.last_block = number;
	txn->bytes += bytes;
	return 0;
}

int weir_store_put_position(struct weir_store_txn *txn, const struct weir_store_position *position)
{
	txn->state.position = *position;
	return txn->lmdb.error;
}

int weir_store_put_segment(struct weir_store_txn *txn, const struct weir_store_summed *summed,
			   const void *body, size_t body_bytes)
{
	void *to;

	if (txn->lmdb.error)
		return txn->lmdb.error;
	if (summed->seq != txn->state.summed.seq + 1 || !body_bytes)
		return fail(txn, -EINVAL);
	to = weir_lmdb_append_number(&txn->lmdb, WEIR_DB_SEGMENTS, summed->seq, body_bytes);
	if (!to)
		return txn->lmdb.error;
	memcpy(to, body, body_bytes);
	txn->state.summed = *summed;
	txn->bytes += body_bytes;
	return 0;
}

uint64_t weir_store_next_block(const struct weir_store_txn *txn)
{
	return txn->state.last_block + 1;
}

static void drop_segments(struct weir_store_txn *txn)
{
	uint64_t dropped = atomic_load(&txn->store->dropped), seq;

	for (unsigned i = 0; i < DROP_AT_ONCE; i++) {
		if (weir_lmdb_seek_number(&txn->lmdb, WEIR_DB_SEGMENTS, 0, false, &seq, NULL) ||
		    seq > dropped)
			return;
		weir_lmdb_delete_number(&txn->lmdb, WEIR_DB_SEGMENTS, seq);
	}
}

int weir_store_commit(struct weir_store_txn *txn)
{
	int ret = txn->lmdb.error ? txn->lmdb.error : check_room(txn);

	if (!ret) {
		drop_segments(txn);
		weir_meta_put(&txn->lmdb, WEIR_DB_META, "held", &txn->held, sizeof(txn->held));
		weir_meta_put_state(&txn->lmdb, &txn->state);
		ret = weir_lmdb_commit(&txn->lmdb);
	}
	weir_store_abort(txn);
	return ret;
}

void weir_store_abort(struct weir_store_txn *txn)
{
	weir_lmdb_abort(&txn->lmdb);
	free(txn);
}
