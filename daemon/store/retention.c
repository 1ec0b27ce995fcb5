// SPDX-License-Identifier: GPL-2.0
/*
 * retention.c - the oldest partitions go, by age and by bytes.
 *
 * Removal is two steps: a transaction in "state" that adds what the partition held to what
 * is expired and names it, and then its folder. Killed in between, the next start finds the name
 * and finishes; killed before, nothing happened. Since partitions go from the oldest
 * on, and each says what was stored up to its end, what is expired after a removal is
 * what that partition says, so that no removal can be counted twice or left out.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/clock.h"
#include "daemon/common/log.h"
#include "daemon/store/internal.h"

enum {
	/* A quota is kept to within a sixteenth of itself. */
	PIECES = 16,
};

/* A partition without records has 0.1 MB. */
static const uint64_t cut_bytes_min = 1 << 20, cut_bytes_max = 4ULL << 30;
/* A day ends a partition anyway, but one that is named for a day to come. */
static const uint64_t cut_ns_min = 60 * WEIR_NS_PER_SECOND, cut_ns_max = 86400 * WEIR_NS_PER_SECOND;

/* What decides about a partition. */
struct piece {
	char name[WEIR_STORE_PARTITION_NAME];
	struct weir_store_expired after; /* what is expired when it is gone, but for the count */
	uint64_t newest_ns; /* of its records */
};

static uint64_t clamp(uint64_t value, uint64_t least, uint64_t most)
{
	if (value < least)
		return least;
	return value > most ? most : value;
}

void weir_store_set_quota(struct weir_store *store, const struct weir_store_quota *quota)
{
	uint64_t bytes = quota->keep_bytes / PIECES, ns = quota->keep_ns / PIECES;

	atomic_store(&store->cut_bytes,
		     quota->keep_bytes ? clamp(bytes, cut_bytes_min, cut_bytes_max) : 0);
	atomic_store(&store->cut_ns, quota->keep_ns ? clamp(ns, cut_ns_min, cut_ns_max) : 0);
}

int weir_store_expired(struct weir_store *store, struct weir_store_expired *expired)
{
	return weir_state_get_expired(store, expired);
}

static int look_inside(struct weir_partition *partition, struct piece *piece)
{
	struct weir_store_state state;
	struct weir_meta_held held;
	struct weir_lmdb_txn txn;
	int ret = weir_lmdb_begin(partition->lmdb, false, &txn);

	if (!ret)
		ret = weir_meta_get_state(&txn, &state);
	if (!ret)
		ret = weir_meta_get(&txn, WEIR_DB_META, "held", &held, sizeof(held));
	weir_lmdb_abort(&txn);
	if (ret)
		return ret == -ENOENT ? -EBADMSG : ret;
	memcpy(piece->name, partition->name, sizeof(piece->name));
	/* Without records, it is as old as its summaries. */
	piece->newest_ns = held.blocks ? held.max_ns : state.summed.end_ns;
	piece->after = (struct weir_store_expired){.totals = state.stored,
						   .last_block = state.last_block,
						   .max_ns = held.blocks ? held.max_ns : 0,
						   .last_segment = state.summed.seq};
	return 0;
}

/* One that cannot be read ended where the next began. -EBADMSG: that one does not tell either. */
static int look_behind(struct weir_partition *next, struct piece *piece)
{
	struct weir_meta_base base;
	struct weir_lmdb_txn txn;
	int ret = weir_lmdb_begin(next->lmdb, false, &txn);

	if (!ret)
		ret = weir_meta_get(&txn, WEIR_DB_META, "base", &base, sizeof(base));
	weir_lmdb_abort(&txn);
	if (ret)
		return ret == -ENOENT ? -EBADMSG : ret;
	piece->newest_ns = base.begun_ns;
	piece->after = (struct weir_store_expired){.totals = base.stored,
						   .last_block = base.last_block,
						   .max_ns = base.begun_ns,
						   .last_segment = base.segment};
	return 0;
}

static int look(struct weir_store *store, uint32_t id, uint32_t next, struct piece *piece)
{
	struct weir_partition *partition;
	int ret = weir_partition_hold(store, id, &partition);

	if (!ret) {
		ret = look_inside(partition, piece);
		weir_partition_release(store, partition);
	}
	if (ret != -EBADMSG)
		return ret;
	ret = weir_partition_hold(store, next, &partition);
	if (!ret) {
		ret = look_behind(partition, piece);
		weir_partition_release(store, partition);
	}
	return ret;
}

/* The two oldest, if there are two: the newest is none of what goes. */
static bool oldest_two(struct weir_store *store, uint32_t *id, uint32_t *next,
		       char name[WEIR_STORE_PARTITION_NAME])
{
	bool two;

	pthread_mutex_lock(&store->lock);
	two = store->partition_count > 1;
	if (two) {
		*id = store->partitions[0]->id;
		*next = store->partitions[1]->id;
		memcpy(name, store->partitions[0]->name, WEIR_STORE_PARTITION_NAME);
	}
	pthread_mutex_unlock(&store->lock);
	return two;
}

/* Of all partitions. */
static int count_bytes(struct weir_store *store, uint64_t *bytes)
{
	char (*names)[WEIR_STORE_PARTITION_NAME];
	unsigned count;

	pthread_mutex_lock(&store->lock);
	count = store->partition_count;
	names = malloc((count + 1) * sizeof(*names));
	for (unsigned i = 0; i < count && names; i++)
		memcpy(names[i], store->partitions[i]->name, sizeof(names[i]));
	pthread_mutex_unlock(&store->lock);
	if (!names)
		return -ENOMEM;
	*bytes = 0;
	for (unsigned i = 0; i < count; i++)
		*bytes += weir_partition_disk_bytes(store, names[i]);
	free(names);
	return 0;
}

static bool is_due(const struct weir_store_quota *quota, const struct piece *piece, uint64_t bytes,
		   uint64_t now_ns)
{
	if (quota->keep_bytes && bytes > quota->keep_bytes)
		return true;
	return quota->keep_ns && now_ns > piece->newest_ns &&
	       now_ns - piece->newest_ns > quota->keep_ns;
}

/* A record that is in no segment yet is needed to make one. */
static bool is_released(const struct weir_store_quota *quota, const struct piece *piece,
			const struct weir_store_state *state)
{
	return piece->after.last_block <= state->summed.block &&
	       piece->after.last_block <= quota->release_block &&
	       piece->after.last_segment <= quota->release_segment;
}

static int remove_piece(struct weir_store *store, struct piece *piece, uint32_t id)
{
	struct weir_store_expired was;
	int ret = weir_state_get_expired(store, &was);

	if (ret)
		return ret;
	/* One that somebody put back was counted when it went first. */
	if (piece->after.last_block < was.last_block)
		piece->after = was;
	if (piece->after.max_ns < was.max_ns)
		piece->after.max_ns = was.max_ns;
	piece->after.partitions = was.partitions + 1;
	ret = weir_state_put_expired(store, &piece->after, piece->name);
	if (ret)
		return ret;
	pthread_mutex_lock(&store->lock);
	for (unsigned i = 0; i < store->partition_count; i++)
		if (store->partitions[i]->id == id) {
			weir_partition_forget(store, i);
			break;
		}
	pthread_mutex_unlock(&store->lock);
	return weir_retention_finish(store);
}

static int retain(struct weir_store *store, const struct weir_store_quota *quota, uint64_t now_ns,
		  struct weir_store_retained *retained)
{
	struct weir_store_state state;
	uint32_t id, next;
	uint64_t bytes = 0;
	int ret = weir_store_state(store, &state);

	if (!ret && quota->keep_bytes)
		ret = count_bytes(store, &bytes);
	while (!ret) {
		struct piece piece = {0};
		uint64_t own;

		if (!oldest_two(store, &id, &next, piece.name))
			return 0;
		ret = look(store, id, next, &piece);
		if (ret == -EBADMSG) {
			retained->waiting = true;
			return 0;
		}
		if (!ret)
			piece.newest_ns = weir_ages_end(store, id, piece.newest_ns, now_ns);
		if (ret || !is_due(quota, &piece, bytes, now_ns))
			return ret;
		if (!is_released(quota, &piece, &state)) {
			retained->waiting = true;
			return 0;
		}
		own = weir_partition_disk_bytes(store, piece.name);
		ret = remove_piece(store, &piece, id);
		if (ret)
			return ret;
		weir_log_debug("%s/%s: removed; records up to block %" PRIu64 " are expired",
			       store->dir, piece.name, piece.after.last_block);
		bytes = bytes > own ? bytes - own : 0;
		retained->removed++;
	}
	return ret;
}

int weir_store_retain(struct weir_store *store, const struct weir_store_quota *quota,
		      uint64_t now_ns, struct weir_store_retained *retained)
{
	int ret;

	memset(retained, 0, sizeof(*retained));
	if (store->options.read_only)
		return -EROFS;
	if (!quota->keep_ns && !quota->keep_bytes)
		return 0;
	pthread_mutex_lock(&store->changes);
	/* One at a time: a folder that could not be removed is the only one that is named. */
	ret = weir_retention_finish(store);
	if (!ret)
		ret = retain(store, quota, now_ns, retained);
	pthread_mutex_unlock(&store->changes);
	return ret;
}

int weir_retention_finish(struct weir_store *store)
{
	char *name;
	int ret = weir_state_get_removing(store, &name);

	if (ret || !name)
		return ret;
	ret = weir_newest_is_name(name) ? weir_folder_remove(store->dir, name) : -ENOENT;
	if (!ret || ret == -ENOENT)
		ret = weir_state_removed(store);
	else
		weir_log_error("%s/%s: is expired and cannot be removed: %s", store->dir, name,
			       strerror(-ret));
	free(name);
	return ret;
}

int weir_store_ends(struct weir_store *store, uint64_t **blocks, unsigned *count)
{
	uint32_t *ids;
	unsigned all;
	int ret = weir_partition_ids(store, &ids, &all);

	if (ret)
		return ret;
	*count = 0;
	*blocks = calloc(all + 1, sizeof(**blocks));
	ret = *blocks ? 0 : -ENOMEM;
	for (unsigned i = 0; i < all && !ret; i++) {
		struct piece piece = {0};

		ret = look(store, ids[i], i + 1 < all ? ids[i + 1] : 0, &piece);
		if (!ret)
			(*blocks)[(*count)++] = piece.after.last_block;
		else if (ret == -ESTALE)
			ret = 0;
		else if (ret == -EBADMSG)
			ret = 0, (*blocks)[*count] = *count ? (*blocks)[*count - 1] : 0, (*count)++;
	}
	free(ids);
	if (ret)
		free(*blocks);
	return ret;
}

/* Whether partition @id settles the question: it has blocks up to @block, or beyond. */
static int ask_partition(struct weir_store *store, uint32_t id, uint64_t block, bool *settled,
			 bool *is_end)
{
	struct weir_partition *partition;
	struct weir_lmdb_txn txn;
	uint64_t number;
	int ret = weir_partition_hold(store, id, &partition);

	if (ret)
		return ret == -ESTALE || ret == -EBADMSG ? 0 : ret;
	ret = weir_lmdb_begin(partition->lmdb, false, &txn);
	if (!ret)
		ret = weir_lmdb_seek_number(&txn, WEIR_DB_TIMES, block, true, &number, NULL);
	if (!ret && number == block)
		*settled = *is_end = true;
	else if (!ret || ret == -ENOENT)
		ret = weir_lmdb_seek_number(&txn, WEIR_DB_TIMES, block, false, &number, NULL);
	if (!ret && !*settled)
		*settled = true;
	weir_lmdb_abort(&txn);
	weir_partition_release(store, partition);
	return ret == -ENOENT ? 0 : ret;
}

int weir_store_is_block_end(struct weir_store *store, uint64_t block, bool *is_end)
{
	struct weir_store_expired expired;
	bool settled = false;
	unsigned count;
	uint32_t *ids;
	int ret = weir_store_expired(store, &expired);

	*is_end = !ret && block <= expired.last_block;
	if (ret || *is_end)
		return ret;
	ret = weir_partition_ids(store, &ids, &count);
	if (ret)
		return ret;
	for (unsigned i = 0; i < count && !ret && !settled; i++)
		ret = ask_partition(store, ids[i], block, &settled, is_end);
	/* Behind all of them. */
	if (!ret && !settled)
		*is_end = true;
	free(ids);
	return ret;
}
