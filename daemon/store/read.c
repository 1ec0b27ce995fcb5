// SPDX-License-Identifier: GPL-2.0
/*
 * read.c - small reads: each takes the lock of the partitions, one short
 * read transaction, a copy, and lets go. Partitions are only ever added, at the
 * end, so an index stays what it is between two locks.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "daemon/store/internal.h"

int weir_store_state(struct weir_store *store, struct weir_store_state *state)
{
	struct weir_lmdb_txn txn;
	int ret = weir_partition_refresh(store);

	memset(state, 0, sizeof(*state));
	if (ret)
		return ret;
	pthread_rwlock_rdlock(&store->lock);
	if (store->partition_count) {
		struct weir_lmdb *lmdb = store->partitions[store->partition_count - 1].lmdb;

		ret = lmdb ? weir_lmdb_begin(lmdb, false, &txn) : -EBADMSG;
		if (!ret)
			ret = weir_meta_get_state(&txn, state);
		if (lmdb)
			weir_lmdb_abort(&txn);
	}
	pthread_rwlock_unlock(&store->lock);
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

static unsigned count_partitions(struct weir_store *store)
{
	unsigned count;

	pthread_rwlock_rdlock(&store->lock);
	count = store->partition_count;
	pthread_rwlock_unlock(&store->lock);
	return count;
}

int weir_store_get_segment(struct weir_store *store, uint64_t seq, void **body, size_t *body_bytes)
{
	struct weir_lmdb *lmdb;
	int ret = weir_partition_refresh(store);

	if (ret)
		return ret;
	if (seq <= dropped(store))
		return -ENOENT;
	ret = -ENOENT;
	/* A master that keeps up wants the newest. */
	for (unsigned i = count_partitions(store); i-- && ret == -ENOENT;) {
		ret = weir_partition_hold(store, i, &lmdb);
		if (!ret) {
			ret = copy_segment(lmdb, seq, body, body_bytes);
			pthread_rwlock_unlock(&store->lock);
		} else if (ret == -EBADMSG) {
			ret = -ENOENT;
		}
	}
	return ret;
}

/* The first segment of partition @index that is not below @from. -ENOENT: none.
 * *@below: it has one that is, so there are none above in older partitions. */
static int seek_segment(struct weir_store *store, unsigned index, uint64_t from, uint64_t *seq,
			bool *below)
{
	struct weir_lmdb_txn txn;
	struct weir_lmdb *lmdb;
	uint64_t other;
	int ret = weir_partition_hold(store, index, &lmdb);

	if (ret)
		return ret == -EBADMSG ? -ENOENT : ret;
	ret = weir_lmdb_begin(lmdb, false, &txn);
	if (!ret)
		ret = weir_lmdb_seek_number(&txn, WEIR_DB_SEGMENTS, from, false, seq, NULL);
	*below = (!ret || ret == -ENOENT) &&
		 !weir_lmdb_seek_number(&txn, WEIR_DB_SEGMENTS, from - 1, true, &other, NULL);
	weir_lmdb_abort(&txn);
	pthread_rwlock_unlock(&store->lock);
	return ret;
}

int weir_store_next_segment(struct weir_store *store, uint64_t from, uint64_t *seq)
{
	int ret = weir_partition_refresh(store);
	bool below = false;
	uint64_t mark;

	*seq = 0;
	if (ret)
		return ret;
	mark = dropped(store);
	if (from <= mark)
		from = mark + 1;
	/* From the newest on: what is asked for is rarely old, and old ones may have to be opened. */
	for (unsigned i = count_partitions(store); i-- && !below;) {
		ret = seek_segment(store, i, from, seq, &below);
		if (ret && ret != -ENOENT)
			return ret;
	}
	return 0;
}

int weir_store_oldest_segment(struct weir_store *store, uint64_t *seq)
{
	return weir_store_next_segment(store, 0, seq);
}

/* What the file takes on the disk. */
static uint64_t disk_bytes(struct weir_store *store, unsigned index)
{
	char name[WEIR_STORE_PARTITION_NAME], *folder, *path;
	struct stat status;
	uint64_t bytes = 0;

	pthread_rwlock_rdlock(&store->lock);
	memcpy(name, store->partitions[index].name, sizeof(name));
	pthread_rwlock_unlock(&store->lock);
	folder = weir_folder_path(store->dir, name);
	path = folder ? weir_folder_path(folder, "data.mdb") : NULL;
	if (path && !stat(path, &status))
		bytes = (uint64_t)status.st_blocks * 512;
	free(path);
	free(folder);
	return bytes;
}

static int add_partition(struct weir_store *store, unsigned index,
			 struct weir_store_figures *figures)
{
	struct weir_meta_held held;
	struct weir_lmdb_txn txn;
	struct weir_lmdb *lmdb;
	int ret;

	figures->disk_bytes += disk_bytes(store, index);
	ret = weir_partition_hold(store, index, &lmdb);
	if (ret)
		return ret == -EBADMSG ? 0 : ret;
	ret = weir_lmdb_begin(lmdb, false, &txn);
	if (!ret)
		ret = weir_meta_get(&txn, WEIR_DB_META, "held", &held, sizeof(held));
	weir_lmdb_abort(&txn);
	pthread_rwlock_unlock(&store->lock);
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
	int ret = weir_store_state(store, &state);

	memset(figures, 0, sizeof(*figures));
	if (!ret)
		ret = weir_store_oldest_segment(store, &oldest);
	if (ret)
		return ret;
	if (statvfs(store->dir, &fs))
		return -errno;
	figures->free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	/* A commit between the two reads can make oldest the newer one. */
	if (oldest && oldest <= state.summed.seq)
		figures->segments = state.summed.seq - oldest + 1;
	figures->partitions = count_partitions(store);
	for (unsigned i = 0; i < figures->partitions && !ret; i++)
		ret = add_partition(store, i, figures);
	return ret;
}
