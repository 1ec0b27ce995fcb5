// SPDX-License-Identifier: GPL-2.0
/*
 * newest.c - the partition that is written, and when the next one begins.
 *
 * A day that begins makes the next partition, and so does one that has grown as
 * large or as old as retention wants its pieces. It starts with a copy of the state of
 * the one before, in its first transaction: so the newest partition alone says
 * how far the store is. Which one is newest is decided by name and never goes back: if
 * the clock is set back, records go on into the newest there is, so block
 * numbers, which grow for ever, also grow from partition to partition. (A clock that was
 * years ahead leaves a day that takes everything until then. It is cut like any other.)
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/store/internal.h"

enum {
	DAY_BYTES = 8, /* "20261123" */
	CUTS_MAX = 9999, /* of a day; then the last one takes the rest */
};

static const uint64_t day_ns = 86400 * WEIR_NS_PER_SECOND;

/* "20261123" or "20261123.0001" */
bool weir_newest_is_name(const char *name)
{
	size_t digits = strspn(name, "0123456789");

	if (digits != DAY_BYTES)
		return false;
	return !name[digits] || (name[digits] == '.' && strspn(name + digits + 1, "0123456789") == 4 &&
				 strlen(name) == DAY_BYTES + 5);
}

static int only_partitions(const struct dirent *entry)
{
	return weir_newest_is_name(entry->d_name);
}

/* As bytes, whatever the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* The newest so far gives its address space back. If it cannot be mapped any more, it is
 * opened again when it is read. */
static void retire(struct weir_store *store, struct weir_partition *partition)
{
	weir_partition_drain(store, partition);
	if (partition->lmdb && weir_lmdb_shrink(partition->lmdb)) {
		weir_lmdb_close(partition->lmdb);
		partition->lmdb = NULL;
		store->open_count--;
	}
	weir_partition_drained(store, partition);
}

/* Take in @names, all later than what is known. The newest first: it has the
 * position, and without it nothing goes. An older one that is damaged costs its
 * records. */
static int take_in_names(struct weir_store *store, struct dirent **names, unsigned count)
{
	struct weir_lmdb *lmdb;
	int ret;

	weir_partition_make_room(store);
	ret = weir_partition_open(store, names[count - 1]->d_name, true, &lmdb);
	if (ret)
		return ret;
	if (store->partition_count)
		retire(store, store->partitions[store->partition_count - 1]);
	for (unsigned i = 0; i < count && !ret; i++)
		ret = weir_partition_append(store, names[i]->d_name, i == count - 1 ? lmdb : NULL);
	if (ret)
		weir_lmdb_close(lmdb);
	return ret;
}

/* Another process removed it. */
static bool is_among(const char *name, struct dirent **names, int count)
{
	for (int i = 0; i < count; i++)
		if (!strcmp(name, names[i]->d_name))
			return true;
	return false;
}

int weir_newest_take_in(struct weir_store *store)
{
	struct dirent **names;
	int count = scandir(store->dir, &names, only_partitions, by_name), first = 0, ret = 0;
	const char *newest =
		store->partition_count ? store->partitions[store->partition_count - 1]->name : "";

	if (count < 0)
		return -errno;
	while (first < count && strcmp(names[first]->d_name, newest) <= 0)
		first++;
	if (first < count)
		ret = take_in_names(store, names + first, (unsigned)(count - first));
	/* The oldest go first, so what is there ends the search. */
	while (!ret && store->options.read_only && store->partition_count > 1 &&
	       !is_among(store->partitions[0]->name, names, count))
		weir_partition_forget(store, 0);
	for (int i = 0; i < count; i++)
		free(names[i]);
	free(names);
	return ret;
}

int weir_partition_refresh(struct weir_store *store)
{
	int ret;

	if (!store->options.read_only)
		return 0;
	/* The lock is given up while the newest so far is drained. */
	pthread_mutex_lock(&store->changes);
	pthread_mutex_lock(&store->lock);
	ret = weir_newest_take_in(store);
	pthread_mutex_unlock(&store->lock);
	pthread_mutex_unlock(&store->changes);
	return ret;
}

static int fill(struct weir_store *store, const char *path)
{
	struct weir_lmdb_options options = {.dbs = weir_partition_dbs,
					    .create = true,
					    .map_bytes = store->options.max_bytes};
	struct weir_meta_held held = {0};
	struct weir_meta_base base;
	struct weir_store_state state;
	struct weir_lmdb_txn txn;
	struct weir_lmdb *lmdb;
	int ret = weir_store_state(store, &state);

	if (!ret)
		ret = weir_lmdb_open(path, &options, &lmdb);
	if (ret)
		return ret;
	base = (struct weir_meta_base){store->begun_ns, state.last_block, state.summed.seq,
				       state.stored};
	if (!weir_lmdb_begin(lmdb, true, &txn)) {
		weir_meta_put_format(&txn, WEIR_DB_META);
		weir_meta_put(&txn, WEIR_DB_META, "held", &held, sizeof(held));
		weir_meta_put(&txn, WEIR_DB_META, "base", &base, sizeof(base));
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

/* The name after @name in its day. False: there were too many. */
static bool cut_name(const char *name, char next[WEIR_STORE_PARTITION_NAME])
{
	unsigned cut = name[DAY_BYTES] ? (unsigned)strtoul(name + DAY_BYTES + 1, NULL, 10) + 1 : 1;

	if (cut > CUTS_MAX)
		return false;
	snprintf(next, WEIR_STORE_PARTITION_NAME, "%.*s.%04u", DAY_BYTES, name, cut);
	return true;
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

static int make(struct weir_store *store, const char *name, uint64_t now_ns)
{
	int ret;

	store->begun_ns = now_ns;
	ret = make_folder(store, name);
	if (ret)
		return ret;
	pthread_mutex_lock(&store->lock);
	ret = weir_newest_take_in(store);
	pthread_mutex_unlock(&store->lock);
	return ret;
}

/* Whether retention wants the newest one ended here: it is large or old enough, and not empty. Or
 * it was begun when the clock was days ahead. */
static bool wants_cut(struct weir_store *store, const struct weir_partition *newest,
		      uint64_t now_ns)
{
	uint64_t cut_bytes = atomic_load(&store->cut_bytes), cut_ns = atomic_load(&store->cut_ns);
	bool large = cut_bytes && weir_lmdb_bytes(newest->lmdb) >= cut_bytes;
	struct weir_store_state state;
	struct weir_meta_base base;
	struct weir_lmdb_txn txn;
	bool old, wanted = false;

	if (!large && !cut_ns)
		return false;
	if (!weir_lmdb_begin(newest->lmdb, false, &txn) && !weir_meta_get_state(&txn, &state)) {
		/* One of format 1 does not say when it began: at its day. */
		if (weir_meta_get(&txn, WEIR_DB_META, "base", &base, sizeof(base)))
			base = (struct weir_meta_base){0};
		old = now_ns > base.begun_ns ? now_ns - base.begun_ns >= cut_ns :
					       base.begun_ns - now_ns > day_ns;
		wanted = (large || (cut_ns && old)) &&
			 (state.last_block > base.last_block || state.summed.seq > base.segment);
	}
	weir_lmdb_abort(&txn);
	return wanted;
}

/* The list may become shorter at any moment; what is newest is this thread's to change. NULL: none. */
static struct weir_partition *find_newest(struct weir_store *store)
{
	struct weir_partition *newest = NULL;

	pthread_mutex_lock(&store->lock);
	if (store->partition_count)
		newest = store->partitions[store->partition_count - 1];
	pthread_mutex_unlock(&store->lock);
	return newest;
}

int weir_partition_current(struct weir_store *store, uint64_t now_ns,
			   struct weir_partition **partition)
{
	struct weir_partition *newest = find_newest(store);
	char name[WEIR_STORE_PARTITION_NAME];
	int ret = 0;

	day_name(now_ns, name);
	if (newest && !newest->lmdb)
		ret = weir_partition_reopen(store, newest);
	if (ret)
		return ret;
	if (!newest || strncmp(name, newest->name, DAY_BYTES) > 0)
		ret = make(store, name, now_ns);
	else if (wants_cut(store, newest, now_ns) && cut_name(newest->name, name))
		/* Not now? It can as well become larger. */
		make(store, name, now_ns);
	if (ret)
		return ret;
	*partition = find_newest(store);
	return 0;
}
