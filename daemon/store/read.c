// SPDX-License-Identifier: GPL-2.0
/*
 * read.c - small reads: each holds one partition for one short read transaction,
 * takes a copy, and lets go. A partition that is removed meanwhile is passed over.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "daemon/store/internal.h"

int weir_store_state(struct weir_store *store, struct weir_store_state *state)
{
	struct weir_partition *newest;
	struct weir_lmdb_txn txn;
	int ret = weir_partition_refresh(store);

	memset(state, 0, sizeof(*state));
	if (ret)
		return ret;
	ret = weir_partition_hold_newest(store, &newest);
	if (ret)
		return ret == -ENOENT ? 0 : ret;
	ret = weir_lmdb_begin(newest->lmdb, false, &txn);
	if (!ret)
		ret = weir_meta_get_state(&txn, state);
	weir_lmdb_abort(&txn);
	weir_partition_release(store, newest);
	return ret;
}

int weir_store_position(struct weir_store *store, struct weir_store_position *position)
{
	struct weir_store_state state;
	int ret = weir_store_state(store, &state);

	*position = state.position;
	return ret;
}

int weir_store_summed(struct weir_store *store, struct weir_store_summed *summed)
{
	struct weir_store_state state;
	int ret = weir_store_state(store, &state);

	*summed = state.summed;
	return ret;
}

int weir_store_stored(struct weir_store *store, struct weir_totals *stored)
{
	struct weir_store_state state;
	int ret = weir_store_state(store, &state);

	*stored = state.stored;
	return ret;
}

/* Another process may have moved the mark since this one opened the store. */
static uint64_t dropped(struct weir_store *store)
{
	struct weir_lmdb_txn txn;
	uint64_t through;

	if (store->options.read_only && !weir_lmdb_begin(store->state, false, &txn)) {
		if (!weir_meta_get(&txn, 0, "dropped", &through, sizeof(through)))
			atomic_store(&store->dropped, through);
		weir_lmdb_abort(&txn);
	}
	return atomic_load(&store->dropped);
}

static int copy_segment(struct weir_lmdb *lmdb, uint64_t seq, void **body, size_t *body_bytes)
{
	struct weir_lmdb_value value;
	struct weir_lmdb_txn txn;
	int ret = weir_lmdb_begin(lmdb, false, &txn);

	if (!ret)
		ret = weir_lmdb_get_number(&txn, WEIR_DB_SEGMENTS, seq, &value);
	if (!ret) {
		*body = malloc(value.bytes);
		if (*body)
			memcpy(*body, value.data, value.bytes);
		else
			ret = -ENOMEM;
		*body_bytes = value.bytes;
	}
	weir_lmdb_abort(&txn);
	return ret;
}

/* -ENOENT: not in that partition, which may be damaged or gone. */
static int get_segment(struct weir_store *store, uint32_t id, uint64_t seq, void **body,
		       size_t *body_bytes)
{
	struct weir_partition *partition;
	int ret = weir_partition_hold(store, id, &partition);

	if (ret)
		return ret == -EBADMSG || ret == -ESTALE ? -ENOENT : ret;
	ret = copy_segment(partition->lmdb, seq, body, body_bytes);
	weir_partition_release(store, partition);
	return ret;
}

int weir_store_get_segment(struct weir_store *store, uint64_t seq, void **body, size_t *body_bytes)
{
	unsigned count;
	uint32_t *ids;
	int ret = weir_partition_refresh(store);

	if (ret)
		return ret;
	if (seq <= dropped(store))
		return -ENOENT;
	ret = weir_partition_ids(store, &ids, &count);
	if (ret)
		return ret;
	ret = -ENOENT;
	/* A master that keeps up wants the newest. */
	while (count-- && ret == -ENOENT)
		ret = get_segment(store, ids[count], seq, body, body_bytes);
	free(ids);
	return ret;
}

/* The first segment of a partition that is not below @from. -ENOENT: none.
 * *@below: it has one that is, so there are none above in older partitions. */
static int seek_segment(struct weir_store *store, uint32_t id, uint64_t from, uint64_t *seq,
			bool *below)
{
	struct weir_partition *partition;
	struct weir_lmdb_txn txn;
	uint64_t other;
	int ret = weir_partition_hold(store, id, &partition);

	if (ret)
		return ret == -EBADMSG || ret == -ESTALE ? -ENOENT : ret;
	ret = weir_lmdb_begin(partition->lmdb, false, &txn);
	if (!ret)
		ret = weir_lmdb_seek_number(&txn, WEIR_DB_SEGMENTS, from, false, seq, NULL);
	*below = (!ret || ret == -ENOENT) &&
		 !weir_lmdb_seek_number(&txn, WEIR_DB_SEGMENTS, from - 1, true, &other, NULL);
	weir_lmdb_abort(&txn);
	weir_partition_release(store, partition);
	return ret;
}

int weir_store_next_segment(struct weir_store *store, uint64_t from, uint64_t *seq)
{
	int ret = weir_partition_refresh(store);
	bool below = false;
	unsigned count;
	uint64_t mark;
	uint32_t *ids;

	*seq = 0;
	if (!ret)
		ret = weir_partition_ids(store, &ids, &count);
	if (ret)
		return ret;
	mark = dropped(store);
	if (from <= mark)
		from = mark + 1;
	/* From the newest on: what is asked for is rarely old, and old ones may have to be opened. */
	while (count-- && !below && (!ret || ret == -ENOENT))
		ret = seek_segment(store, ids[count], from, seq, &below);
	free(ids);
	return ret == -ENOENT ? 0 : ret;
}

int weir_store_oldest_segment(struct weir_store *store, uint64_t *seq)
{
	return weir_store_next_segment(store, 0, seq);
}

/* What the files take on the disk. */
uint64_t weir_partition_disk_bytes(const struct weir_store *store, const char *name)
{
	static const char *const files[] = {"data.mdb", "lock.mdb"};
	uint64_t bytes = 0;

	for (unsigned i = 0; i < 2; i++) {
		struct stat status;
		char *path;

		if (asprintf(&path, "%s/%s/%s", store->dir, name, files[i]) < 0)
			break;
		if (!stat(path, &status))
			bytes += (uint64_t)status.st_blocks * 512;
		free(path);
	}
	return bytes;
}

static int add_partition(struct weir_store *store, uint32_t id, struct weir_store_figures *figures)
{
	struct weir_partition *partition;
	struct weir_meta_held held;
	struct weir_lmdb_txn txn;
	int ret = weir_partition_hold(store, id, &partition);

	if (ret)
		return ret == -EBADMSG || ret == -ESTALE ? 0 : ret;
	figures->partitions++;
	figures->disk_bytes += weir_partition_disk_bytes(store, partition->name);
	ret = weir_lmdb_begin(partition->lmdb, false, &txn);
	if (!ret)
		ret = weir_meta_get(&txn, WEIR_DB_META, "held", &held, sizeof(held));
	weir_lmdb_abort(&txn);
	weir_partition_release(store, partition);
	if (ret || !held.blocks)
		return ret;
	figures->blocks += held.blocks;
	figures->records += held.records;
	if (!figures->oldest_ns || held.min_ns < figures->oldest_ns)
		figures->oldest_ns = held.min_ns;
	if (held.max_ns > figures->newest_ns)
		figures->newest_ns = held.max_ns;
	return 0;
}

int weir_store_figures(struct weir_store *store, struct weir_store_figures *figures)
{
	struct weir_store_state state;
	struct statvfs fs;
	uint64_t oldest;
	unsigned count;
	uint32_t *ids;
	int ret = weir_store_state(store, &state);

	memset(figures, 0, sizeof(*figures));
	if (!ret)
		ret = weir_store_oldest_segment(store, &oldest);
	if (ret)
		return ret;
	if (statvfs(store->dir, &fs))
		return -errno;
	figures->rollup_bytes = weir_partition_disk_bytes(store, "rollups");
	figures->free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	/* A commit between the two reads can make oldest the newer one. */
	if (oldest && oldest <= state.summed.seq)
		figures->segments = state.summed.seq - oldest + 1;
	ret = weir_partition_ids(store, &ids, &count);
	if (ret)
		return ret;
	for (unsigned i = 0; i < count && !ret; i++)
		ret = add_partition(store, ids[i], figures);
	free(ids);
	return ret;
}

static int add_damaged(struct weir_store *store, uint32_t id, uint64_t after,
		       struct weir_totals *sum)
{
	struct weir_meta_damaged damaged = {0};
	struct weir_partition *partition;
	struct weir_store_state state;
	struct weir_lmdb_txn txn;
	int ret = weir_partition_hold(store, id, &partition);

	/* Of one that cannot be read nothing is known before it is repaired. */
	if (ret)
		return ret == -EBADMSG || ret == -ESTALE ? 0 : ret;
	ret = weir_lmdb_begin(partition->lmdb, false, &txn);
	if (!ret)
		ret = weir_meta_get_state(&txn, &state);
	if (!ret)
		ret = weir_meta_get(&txn, WEIR_DB_META, "damaged", &damaged, sizeof(damaged));
	weir_lmdb_abort(&txn);
	weir_partition_release(store, partition);
	if (!ret && state.last_block > after)
		weir_totals_add(sum, &damaged.totals);
	return ret == -ENOENT || ret == -EBADMSG ? 0 : ret;
}

int weir_store_damaged(struct weir_store *store, uint64_t after, struct weir_totals *damaged)
{
	uint32_t *ids;
	unsigned count;
	int ret = weir_partition_ids(store, &ids, &count);

	memset(damaged, 0, sizeof(*damaged));
	if (ret)
		return ret;
	for (unsigned i = 0; i < count && !ret; i++)
		ret = add_damaged(store, ids[i], after, damaged);
	free(ids);
	return ret;
}
