// SPDX-License-Identifier: GPL-2.0
/*
 * partition.c - the list of partitions, and who is reading which.
 *
 * A partition is one LMDB environment in a folder named for the UTC day it was
 * begun on ("20261123"), or for its place in that day ("20261123.0001") when the day was cut
 * so that retention has small pieces to remove. Names sort in the order of time.
 * Only the newest is written (newest.c); the oldest goes first (retention.c).
 *
 * Older partitions are opened when they are read and closed when descriptors run
 * short. Nobody closes, removes or remaps one that is held; internal.h has the rules.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/common/log.h"
#include "daemon/store/mount.h"

enum {
	DESCRIPTORS_EACH = 3, /* LMDB: data, data for synchronous writes, lock */
	DESCRIPTORS_KEPT = 256, /* connections, and some */
	DESCRIPTORS_MAX = 12000, /* ten years of days; a map each */
};

const char *const weir_partition_dbs[] = {"meta", "blocks", "times", "segments", NULL};

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

int weir_partition_open(struct weir_store *store, const char *name, bool newest,
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
	ret = weir_trust(path);
	if (!ret)
		ret = weir_lmdb_open(path, &options, lmdb);
	if (!ret) {
		weir_lmdb_begin(*lmdb, false, &txn);
		ret = txn.error ? txn.error : weir_meta_check_format(&txn, WEIR_DB_META, path);
		weir_lmdb_abort(&txn);
	}
	if (ret) {
		/* The writer of another process may have removed it this moment. */
		if (newest || (!is_passing(ret) && !(store->options.read_only && ret == -ENOENT)))
			weir_log_error("%s: partition cannot be opened: %s", path, strerror(-ret));
		weir_lmdb_close(*lmdb);
		*lmdb = NULL;
	}
	free(path);
	return ret;
}

/* Under store->lock, as all that follows up to the functions others call. */
static void close_it(struct weir_store *store, struct weir_partition *partition)
{
	if (!partition->lmdb)
		return;
	weir_lmdb_close(partition->lmdb);
	partition->lmdb = NULL;
	store->open_count--;
}

static bool is_newest(const struct weir_store *store, const struct weir_partition *partition)
{
	return partition == store->partitions[store->partition_count - 1];
}

static int open_it(struct weir_store *store, struct weir_partition *partition)
{
	int ret;

	if (partition->lmdb)
		return 0;
	if (*partition->mount)
		ret = weir_mount_open(store, partition);
	else
		ret = weir_partition_open(store, partition->name, is_newest(store, partition),
					  &partition->lmdb);
	partition->damaged = ret && !is_passing(ret);
	if (!ret)
		store->open_count++;
	return ret;
}

/* Of those that may be closed: all but the newest, and those of backups. */
static struct weir_partition *victim_at(const struct weir_store *store, unsigned index)
{
	unsigned older = store->partition_count ? store->partition_count - 1 : 0;

	if (index < older)
		return store->partitions[index];
	index -= older;
	return index < store->mounted_count ? store->mounted[index] : NULL;
}

/* Close some older partition that nobody holds. False: there is none to close. */
static bool make_room(struct weir_store *store)
{
	for (unsigned i = 0; i < store->partition_count + store->mounted_count; i++) {
		struct weir_partition *victim = victim_at(store, ++store->victim);

		if (!victim)
			victim = victim_at(store, store->victim = 0);
		if (!victim || victim->refs || !victim->lmdb)
			continue;
		close_it(store, victim);
		return true;
	}
	return false;
}

/* What is read next is wanted more than what was read before. */
static int open_wanted(struct weir_store *store, struct weir_partition *partition)
{
	int ret;

	if (!partition->lmdb && store->open_count >= store->open_max)
		make_room(store);
	do
		ret = open_it(store, partition);
	while (is_shortage(ret) && make_room(store));
	return ret;
}

/* Ids grow along the list. */
static struct weir_partition *find(struct weir_store *store, uint32_t id)
{
	unsigned low = 0, high = store->partition_count;

	if (id & WEIR_MOUNT_BIT)
		return weir_mount_find(store, id);
	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (store->partitions[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == store->partition_count || store->partitions[low]->id != id)
		return NULL;
	return store->partitions[low];
}

static int hold(struct weir_store *store, uint32_t id, struct weir_partition **out)
{
	struct weir_partition *partition = find(store, id);
	int ret;

	while (partition && partition->draining) {
		pthread_cond_wait(&store->released, &store->lock);
		partition = find(store, id);
	}
	if (!partition)
		return -ESTALE;
	if (partition->damaged)
		return -EBADMSG;
	ret = open_wanted(store, partition);
	if (ret == -ENOENT && (store->options.read_only || *partition->mount)) {
		partition->damaged = false;
		return -ESTALE;
	}
	if (ret)
		return is_passing(ret) ? ret : -EBADMSG;
	partition->refs++;
	*out = partition;
	return 0;
}

int weir_partition_hold(struct weir_store *store, uint32_t id, struct weir_partition **partition)
{
	int ret;

	pthread_mutex_lock(&store->lock);
	ret = hold(store, id, partition);
	pthread_mutex_unlock(&store->lock);
	return ret;
}

int weir_partition_hold_newest(struct weir_store *store, struct weir_partition **partition)
{
	int ret = -ENOENT;

	pthread_mutex_lock(&store->lock);
	if (store->partition_count)
		ret = hold(store, store->partitions[store->partition_count - 1]->id, partition);
	pthread_mutex_unlock(&store->lock);
	return ret;
}

static void free_partition(struct weir_store *store, struct weir_partition *partition)
{
	close_it(store, partition);
	free(partition);
}

void weir_partition_release(struct weir_store *store, struct weir_partition *partition)
{
	pthread_mutex_lock(&store->lock);
	partition->refs--;
	if (!partition->refs && partition->gone)
		free_partition(store, partition);
	else if (!partition->refs && partition->draining)
		pthread_cond_broadcast(&store->released);
	pthread_mutex_unlock(&store->lock);
}

void weir_partition_drain(struct weir_store *store, struct weir_partition *partition)
{
	partition->draining = true;
	while (partition->refs)
		pthread_cond_wait(&store->released, &store->lock);
}

void weir_partition_drained(struct weir_store *store, struct weir_partition *partition)
{
	partition->draining = false;
	pthread_cond_broadcast(&store->released);
}

int weir_partition_ids(struct weir_store *store, uint32_t **ids, unsigned *count)
{
	int ret = 0;

	pthread_mutex_lock(&store->lock);
	*count = store->partition_count;
	*ids = malloc((*count + 1) * sizeof(**ids)); /* + 1: not NULL for none */
	if (!*ids)
		ret = -ENOMEM;
	for (unsigned i = 0; i < *count && !ret; i++)
		(*ids)[i] = store->partitions[i]->id;
	pthread_mutex_unlock(&store->lock);
	return ret;
}

int weir_partition_append(struct weir_store *store, const char *name, struct weir_lmdb *lmdb)
{
	struct weir_partition *new = calloc(1, sizeof(*new));
	struct weir_partition **grown =
		reallocarray(store->partitions, store->partition_count + 1, sizeof(*grown));

	if (grown)
		store->partitions = grown;
	if (!new || !grown) {
		free(new);
		return -ENOMEM;
	}
	snprintf(new->name, sizeof(new->name), "%s", name);
	new->id = ++store->last_id;
	new->lmdb = lmdb;
	if (lmdb)
		store->open_count++;
	store->partitions[store->partition_count++] = new;
	return 0;
}

void weir_partition_drop(struct weir_store *store, struct weir_partition *partition)
{
	partition->gone = true;
	if (!partition->refs)
		free_partition(store, partition);
}

void weir_partition_forget(struct weir_store *store, unsigned index)
{
	struct weir_partition *partition = store->partitions[index];

	store->partition_count--;
	memmove(store->partitions + index, store->partitions + index + 1,
		(store->partition_count - index) * sizeof(*store->partitions));
	weir_partition_drop(store, partition);
}

void weir_partition_make_room(struct weir_store *store)
{
	if (store->open_count >= store->open_max)
		make_room(store);
}

/* What is there first is open first: up to as many as may be. */
void weir_partition_open_older(struct weir_store *store)
{
	for (unsigned i = store->partition_count; i > 1; i--)
		if (store->open_count >= store->open_max ||
		    is_passing(open_it(store, store->partitions[i - 2])))
			break;
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
	int ret;

	store->open_max = most_open();
	pthread_mutex_lock(&store->lock);
	ret = weir_newest_take_in(store);
	if (!ret)
		weir_partition_open_older(store);
	pthread_mutex_unlock(&store->lock);
	return ret;
}

void weir_partition_unload(struct weir_store *store)
{
	weir_mount_unload(store);
	while (store->partition_count)
		weir_partition_forget(store, store->partition_count - 1);
	free(store->partitions);
	store->partitions = NULL;
}

int weir_partition_reopen(struct weir_store *store, struct weir_partition *partition)
{
	int ret;

	pthread_mutex_lock(&store->lock);
	weir_partition_drain(store, partition);
	close_it(store, partition);
	ret = open_it(store, partition);
	/* The writer tries the newest again, whatever was the matter. */
	partition->damaged = false;
	weir_partition_drained(store, partition);
	pthread_mutex_unlock(&store->lock);
	return ret;
}
