// SPDX-License-Identifier: GPL-2.0
/*
 * partition.c - one LMDB environment for each UTC day, in a folder named for it.
 *
 * Only the newest is written. A day that begins makes the next one, which
 * starts with a copy of the state of the one before, in its first transaction:
 * so the newest partition alone says how far the store is, and the older ones can be
 * removed or restored without a word to anyone. Which one is newest is decided by
 * name and never goes back: if the clock is set back, records go on into the
 * newest there is, so block numbers, which grow for ever, also grow from
 * partition to partition. (A clock that was years ahead leaves one partition that
 * takes everything until then; queries do not mind, retention by day does.)
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/common/clock.h"
#include "daemon/common/log.h"
#include "daemon/store/internal.h"

static const char *const partition_dbs[] = {"meta", "blocks", "times", "segments", NULL};

static const uint64_t map_bytes_default = 1ULL << 40;

static bool is_partition(const char *name)
{
	return strlen(name) == WEIR_STORE_PARTITION_NAME - 1 &&
	       strspn(name, "0123456789") == WEIR_STORE_PARTITION_NAME - 1;
}

/* @newest: will be written to, so it gets a large map. */
static int open_partition(struct weir_store *store, const char *name, bool newest,
			  struct weir_lmdb **lmdb)
{
	struct weir_lmdb_options options = {.dbs = partition_dbs,
					    .read_only = store->options.read_only,
					    .map_bytes = 1};
	char *path = weir_folder_path(store->dir, name);
	struct weir_lmdb_txn txn;
	int ret;

	if (!path)
		return -ENOMEM;
	if (newest)
		options.map_bytes = store->options.read_only ? 0 : store->options.max_bytes;
	*lmdb = NULL;
	ret = weir_lmdb_open(path, &options, lmdb);
	if (!ret) {
		weir_lmdb_begin(*lmdb, false, &txn);
		ret = txn.error ? txn.error : weir_meta_check_format(&txn, WEIR_DB_META, path);
		weir_lmdb_abort(&txn);
	}
	if (ret) {
		weir_log_error("%s: partition cannot be opened: %s", path, strerror(-ret));
		weir_lmdb_close(*lmdb);
		*lmdb = NULL;
	}
	free(path);
	return ret;
}

/* Under store->lock, held alone. Address space is given back by the one before. */
static int append(struct weir_store *store, const char *name, struct weir_lmdb *lmdb)
{
	struct weir_partition *grown =
		reallocarray(store->partitions, store->partition_count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	store->partitions = grown;
	if (store->partition_count && grown[store->partition_count - 1].lmdb)
		weir_lmdb_shrink(grown[store->partition_count - 1].lmdb);
	memcpy(grown[store->partition_count].name, name, WEIR_STORE_PARTITION_NAME);
	grown[store->partition_count++].lmdb = lmdb;
	return 0;
}

static int only_partitions(const struct dirent *entry)
{
	return is_partition(entry->d_name);
}

/* Take in every folder later than the newest known. Under store->lock, held alone. */
static int take_in(struct weir_store *store)
{
	struct dirent **names;
	int count = scandir(store->dir, &names, only_partitions, alphasort), ret = 0;
	const char *newest =
		store->partition_count ? store->partitions[store->partition_count - 1].name : "";

	if (count < 0)
		return -errno;
	for (int i = 0; i < count; i++) {
		struct weir_lmdb *lmdb;
		int error;

		if (ret || strcmp(names[i]->d_name, newest) <= 0) {
			free(names[i]);
			continue;
		}
		error = open_partition(store, names[i]->d_name, i == count - 1, &lmdb);
		/* An older one that is damaged costs its records, the newest the position. */
		if (error && i == count - 1)
			ret = error;
		else
			ret = append(store, names[i]->d_name, lmdb);
		if (ret)
			weir_lmdb_close(lmdb);
		newest = store->partition_count ?
				 store->partitions[store->partition_count - 1].name :
				 "";
		free(names[i]);
	}
	free(names);
	return ret;
}

int weir_partition_load(struct weir_store *store)
{
	if (!store->options.max_bytes)
		store->options.max_bytes = map_bytes_default;
	return take_in(store);
}

void weir_partition_unload(struct weir_store *store)
{
	for (unsigned i = 0; i < store->partition_count; i++)
		weir_lmdb_close(store->partitions[i].lmdb);
	free(store->partitions);
	store->partitions = NULL;
	store->partition_count = 0;
}

int weir_partition_refresh(struct weir_store *store)
{
	int ret;

	if (!store->options.read_only)
		return 0;
	pthread_rwlock_wrlock(&store->lock);
	ret = take_in(store);
	pthread_rwlock_unlock(&store->lock);
	return ret;
}

static int fill(struct weir_store *store, const char *path)
{
	struct weir_lmdb_options options = {.dbs = partition_dbs,
					    .create = true,
					    .map_bytes = store->options.max_bytes};
	struct weir_meta_held held = {0};
	struct weir_store_state state;
	struct weir_lmdb_txn txn;
	struct weir_lmdb *lmdb;
	int ret = weir_store_state(store, &state);

	if (!ret)
		ret = weir_lmdb_open(path, &options, &lmdb);
	if (ret)
		return ret;
	if (!weir_lmdb_begin(lmdb, true, &txn)) {
		weir_meta_put_format(&txn, WEIR_DB_META);
		weir_meta_put(&txn, WEIR_DB_META, "held", &held, sizeof(held));
		weir_meta_put_state(&txn, &state);
		weir_lmdb_commit(&txn);
	}
	weir_lmdb_close(lmdb);
	return txn.error;
}

static void day_name(uint64_t now_ns, char name[WEIR_STORE_PARTITION_NAME])
{
	time_t seconds = now_ns / WEIR_NS_PER_SECOND;
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) || !strftime(name, WEIR_STORE_PARTITION_NAME, "%Y%m%d", &tm))
		strcpy(name, "19700101");
}

int weir_partition_current(struct weir_store *store, uint64_t now_ns,
			   struct weir_partition **partition)
{
	char name[WEIR_STORE_PARTITION_NAME];
	int ret;

	day_name(now_ns, name);
	if (!store->partition_count ||
	    strcmp(name, store->partitions[store->partition_count - 1].name) > 0) {
		ret = weir_folder_create(store, name, fill);
		if (ret)
			return ret;
		pthread_rwlock_wrlock(&store->lock);
		ret = take_in(store);
		pthread_rwlock_unlock(&store->lock);
		if (ret)
			return ret;
	}
	*partition = &store->partitions[store->partition_count - 1];
	return 0;
}

int weir_partition_reopen(struct weir_store *store, struct weir_partition *partition)
{
	int ret;

	pthread_rwlock_wrlock(&store->lock);
	weir_lmdb_close(partition->lmdb);
	ret = open_partition(store, partition->name, true, &partition->lmdb);
	pthread_rwlock_unlock(&store->lock);
	return ret;
}
