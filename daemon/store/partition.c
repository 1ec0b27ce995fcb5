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
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/common/log.h"
#include "daemon/store/internal.h"

enum {
	DESCRIPTORS_EACH = 3, /* LMDB: data, data for synchronous writes, lock */
	DESCRIPTORS_KEPT = 256, /* connections, and some */
	DESCRIPTORS_MAX = 12000, /* ten years of days; a map each */
	HOLD_TRIES = 100,
};

const char *const weir_partition_dbs[] = {"meta", "blocks", "times", "segments", NULL};

static const uint64_t map_bytes_default = 1ULL << 40;

bool weir_newest_is_name(const char *name)
{
	return strlen(name) == WEIR_STORE_PARTITION_NAME - 1 &&
	       strspn(name, "0123456789") == WEIR_STORE_PARTITION_NAME - 1;
}

/* What closing another partition may help against. */
static bool is_shortage(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM;
}

/* These say something about this process or machine, and nothing about the file. */
static bool is_passing(int error)
{
	return is_shortage(error) || error == -EAGAIN || error == -ENOSPC || error == -EDQUOT;
}

/* @newest: will be written to, so it gets a large map. */
static int open_partition(struct weir_store *store, const char *name, bool newest,
			  struct weir_lmdb **lmdb)
{
	struct weir_lmdb_options options = {.dbs = weir_partition_dbs,
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
		if (newest || !is_passing(ret))
			weir_log_error("%s: partition cannot be opened: %s", path, strerror(-ret));
		weir_lmdb_close(*lmdb);
		*lmdb = NULL;
	}
	free(path);
	return ret;
}

/* Under store->lock, held alone, as all that follows. */
static void close_at(struct weir_store *store, unsigned index)
{
	if (!store->partitions[index].lmdb)
		return;
	weir_lmdb_close(store->partitions[index].lmdb);
	store->partitions[index].lmdb = NULL;
	store->open_count--;
}

static int open_at(struct weir_store *store, unsigned index)
{
	struct weir_partition *partition = &store->partitions[index];
	bool newest = index == store->partition_count - 1;
	int ret;

	if (partition->lmdb)
		return 0;
	ret = open_partition(store, partition->name, newest, &partition->lmdb);
	partition->damaged = ret && !is_passing(ret);
	if (!ret)
		store->open_count++;
	return ret;
}

/* Close some older partition other than @index. False: there is none to close. */
static bool make_room(struct weir_store *store, unsigned index)
{
	for (unsigned i = 1; i < store->partition_count; i++) {
		if (++store->victim >= store->partition_count - 1)
			store->victim = 0;
		if (store->victim == index || !store->partitions[store->victim].lmdb)
			continue;
		close_at(store, store->victim);
		return true;
	}
	return false;
}

/* What is read next is wanted more than what was read before. */
static int open_wanted(struct weir_store *store, unsigned index)
{
	int ret;

	if (store->open_count >= store->open_max)
		make_room(store, index);
	do
		ret = open_at(store, index);
	while (is_shortage(ret) && make_room(store, index));
	return ret;
}

int weir_partition_hold(struct weir_store *store, unsigned index, struct weir_lmdb **lmdb)
{
	/* Between the two locks another reader may close it again, to open its own. */
	for (unsigned i = 0; i < HOLD_TRIES; i++) {
		bool damaged;
		int ret;

		pthread_rwlock_rdlock(&store->lock);
		*lmdb = store->partitions[index].lmdb;
		if (*lmdb)
			return 0;
		damaged = store->partitions[index].damaged;
		pthread_rwlock_unlock(&store->lock);
		if (damaged)
			return -EBADMSG;
		pthread_rwlock_wrlock(&store->lock);
		ret = open_wanted(store, index);
		pthread_rwlock_unlock(&store->lock);
		if (ret)
			return is_passing(ret) ? ret : -EBADMSG;
	}
	return -EAGAIN;
}

static int only_partitions(const struct dirent *entry)
{
	return weir_newest_is_name(entry->d_name);
}

static void append(struct weir_store *store, const char *name, struct weir_lmdb *lmdb)
{
	struct weir_partition *last = &store->partitions[store->partition_count++];

	memset(last, 0, sizeof(*last));
	memcpy(last->name, name, WEIR_STORE_PARTITION_NAME);
	last->lmdb = lmdb;
	if (lmdb)
		store->open_count++;
}

/* The newest so far gives its address space back. If it cannot be mapped any more, it is
 * opened again when it is read. */
static void retire_newest(struct weir_store *store)
{
	unsigned last = store->partition_count - 1;

	if (store->partition_count && store->partitions[last].lmdb &&
	    weir_lmdb_shrink(store->partitions[last].lmdb))
		close_at(store, last);
}

/* Take in @names, all later than what is known. The newest first: it has the
 * position, and without it nothing goes. An older one that is damaged costs its
 * records. */
static int take_in_names(struct weir_store *store, struct dirent **names, unsigned count)
{
	unsigned first = store->partition_count;
	struct weir_partition *grown =
		reallocarray(store->partitions, first + count, sizeof(*grown));
	struct weir_lmdb *lmdb;
	int ret;

	if (!grown)
		return -ENOMEM;
	store->partitions = grown;
	if (store->open_count >= store->open_max)
		make_room(store, first);
	ret = open_partition(store, names[count - 1]->d_name, true, &lmdb);
	if (ret)
		return ret;
	retire_newest(store);
	for (unsigned i = 0; i < count; i++)
		append(store, names[i]->d_name, i == count - 1 ? lmdb : NULL);
	for (unsigned i = store->partition_count - 1; i-- > first;)
		if (store->open_count >= store->open_max || is_passing(open_at(store, i)))
			break;
	return 0;
}

/* Take in every folder later than the newest known. */
static int take_in(struct weir_store *store)
{
	struct dirent **names;
	int count = scandir(store->dir, &names, only_partitions, alphasort), first = 0, ret = 0;
	const char *newest =
		store->partition_count ? store->partitions[store->partition_count - 1].name : "";

	if (count < 0)
		return -errno;
	while (first < count && strcmp(names[first]->d_name, newest) <= 0)
		first++;
	if (first < count)
		ret = take_in_names(store, names + first, (unsigned)(count - first));
	for (int i = 0; i < count; i++)
		free(names[i]);
	free(names);
	return ret;
}

/* So many that what else the program does finds descriptors. */
static unsigned most_open(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur > DESCRIPTORS_MAX)
		return DESCRIPTORS_MAX / DESCRIPTORS_EACH;
	if (limit.rlim_cur < 2 * DESCRIPTORS_KEPT)
		return (unsigned)limit.rlim_cur / 2 / DESCRIPTORS_EACH;
	return (unsigned)(limit.rlim_cur - DESCRIPTORS_KEPT) / DESCRIPTORS_EACH;
}

int weir_partition_load(struct weir_store *store)
{
	if (!store->options.max_bytes)
		store->options.max_bytes = map_bytes_default;
	store->open_max = most_open();
	return take_in(store);
}

void weir_partition_unload(struct weir_store *store)
{
	for (unsigned i = 0; i < store->partition_count; i++)
		weir_lmdb_close(store->partitions[i].lmdb);
	free(store->partitions);
	store->partitions = NULL;
	store->partition_count = 0;
	store->open_count = 0;
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
	struct weir_lmdb_options options = {.dbs = weir_partition_dbs,
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

/* A folder of that name that was not taken in is of an earlier try, which failed after
 * the folder was there. Nothing was written to it, but to the partition before it perhaps. */
static int make_folder(struct weir_store *store, const char *name)
{
	char *path = weir_folder_path(store->dir, name);
	int ret;

	if (!path)
		return -ENOMEM;
	if (access(path, F_OK)) {
		ret = weir_folder_create(store, name, fill);
	} else {
		ret = fill(store, path);
		if (!ret)
			ret = weir_folder_sync(store->dir);
	}
	free(path);
	return ret;
}

int weir_partition_current(struct weir_store *store, uint64_t now_ns,
			   struct weir_partition **partition)
{
	char name[WEIR_STORE_PARTITION_NAME];
	int ret;

	day_name(now_ns, name);
	if (store->partition_count && !store->partitions[store->partition_count - 1].lmdb) {
		ret = weir_partition_reopen(store,
					    &store->partitions[store->partition_count - 1]);
		if (ret)
			return ret;
	}
	if (!store->partition_count ||
	    strcmp(name, store->partitions[store->partition_count - 1].name) > 0) {
		ret = make_folder(store, name);
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
	unsigned index = (unsigned)(partition - store->partitions);
	int ret;

	pthread_rwlock_wrlock(&store->lock);
	close_at(store, index);
	ret = open_at(store, index);
	/* The writer tries the newest again, whatever was the matter. */
	partition->damaged = false;
	pthread_rwlock_unlock(&store->lock);
	return ret;
}
