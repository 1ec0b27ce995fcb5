// SPDX-License-Identifier: GPL-2.0
/*
 * plan.c - which blocks a reader has to look at, from the index of times alone.
 *
 * Each partition is read in one transaction: the index has 32 bytes for a block of
 * up to 65536 records, so this is short. A partition that is
 * removed meanwhile has nothing to plan.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/log.h"
#include "daemon/store/mount.h"
#include "daemon/store/view.h"

struct plan {
	struct weir_store *store;
	uint64_t from_ns, to_ns;
	uint64_t after; /* block number */
	struct weir_store_block *blocks;
	size_t count, room;
	uint64_t damaged;
	bool with_mounts;
	struct weir_mount_range *taken; /* by partitions that were planned; with mounts only */
	unsigned taken_count;
};

static int append(struct plan *plan, uint32_t partition, uint64_t number,
		  const struct weir_meta_times *times)
{
	if (plan->count == plan->room) {
		size_t room = plan->room ? 2 * plan->room : 64;
		struct weir_store_block *grown = reallocarray(plan->blocks, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		plan->blocks = grown;
		plan->room = room;
	}
	plan->blocks[plan->count++] = (struct weir_store_block){.partition = partition,
								.records = times->records,
								.number = number,
								.min_ns = times->min_ns,
								.max_ns = times->max_ns};
	return 0;
}

/* Add the blocks of one partition. -ENOENT: that was all. */
static int add_blocks(struct plan *plan, struct weir_lmdb_txn *txn, uint32_t partition)
{
	struct weir_lmdb_value value;
	struct weir_meta_times times;
	uint64_t number = plan->after;
	int ret;

	do {
		ret = weir_lmdb_seek_number(txn, WEIR_DB_TIMES, number + 1, false, &number, &value);
		if (ret)
			return ret;
		weir_meta_decode(value.data, value.bytes, &times, sizeof(times));
		if (times.min_ns < plan->to_ns && times.max_ns >= plan->from_ns)
			ret = append(plan, partition, number, &times);
	} while (!ret && number < UINT64_MAX);
	return ret;
}

/* The store's own partition has these numbers, so that no backup is asked for them. */
static int take_range(struct plan *plan, struct weir_lmdb_txn *txn)
{
	struct weir_mount_range *grown, range;
	struct weir_store_state state;
	struct weir_meta_base base;
	int ret = weir_meta_get_state(txn, &state);

	if (ret)
		return ret;
	ret = weir_meta_get(txn, WEIR_DB_META, "base", &base, sizeof(base));
	/* An old one does not say where it begins: at its first block. */
	range.first = base.last_block + 1;
	if (ret == -ENOENT &&
	    weir_lmdb_seek_number(txn, WEIR_DB_TIMES, 0, false, &range.first, NULL))
		return txn->error;
	range.last = state.last_block;
	memcpy(range.node_id, plan->store->identity.node_id, sizeof(range.node_id));
	grown = reallocarray(plan->taken, plan->taken_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	plan->taken = grown;
	plan->taken[plan->taken_count++] = range;
	return txn->error;
}

static int plan_partition(struct plan *plan, uint32_t id)
{
	struct weir_partition *partition;
	struct weir_lmdb_txn txn;
	int ret = weir_partition_hold(plan->store, id, &partition);

	/* Whoever found the partition damaged has said so. */
	if (ret == -EBADMSG)
		plan->damaged++;
	if (ret)
		return ret == -EBADMSG || ret == -ESTALE ? 0 : ret;
	ret = weir_lmdb_begin(partition->lmdb, false, &txn);
	if (!ret && plan->with_mounts && !(id & WEIR_MOUNT_BIT))
		ret = take_range(plan, &txn);
	if (!ret)
		ret = add_blocks(plan, &txn, id);
	weir_lmdb_abort(&txn);
	if (ret == -EBADMSG) {
		plan->damaged++;
		weir_log_warn("%s/%s: the index is damaged; what follows is left out",
			      plan->store->dir, partition->name);
	}
	weir_partition_release(plan->store, partition);
	return ret == -ENOENT || ret == -EBADMSG ? 0 : ret;
}

static bool is_taken(const struct plan *plan, const struct weir_mount_range *range)
{
	for (unsigned i = 0; i < plan->taken_count; i++)
		if (weir_mount_overlap(&plan->taken[i], range))
			return true;
	return false;
}

static int plan_mounted(struct plan *plan, const struct weir_mounted *mounted)
{
	struct weir_mount_range *grown;

	if (is_taken(plan, &mounted->range))
		return 0;
	grown = reallocarray(plan->taken, plan->taken_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	plan->taken = grown;
	plan->taken[plan->taken_count++] = mounted->range;
	return plan_partition(plan, mounted->id);
}

static int by_time(const void *a, const void *b)
{
	const struct weir_store_block *left = a, *right = b;

	return left->min_ns < right->min_ns ? -1 : left->min_ns > right->min_ns;
}

/* Backups come after the store's own; then all are put in order. */
static int plan_mounts(struct plan *plan)
{
	struct weir_mounted *mounted;
	size_t own = plan->count;
	unsigned count;
	int ret = weir_mount_list(plan->store, &mounted, &count);

	for (unsigned i = 0; i < count && !ret; i++)
		ret = plan_mounted(plan, &mounted[i]);
	free(mounted);
	if (!ret && plan->count > own)
		qsort(plan->blocks, plan->count, sizeof(*plan->blocks), by_time);
	return ret;
}

static int read_indexes(struct plan *plan)
{
	uint32_t *ids = NULL;
	unsigned partitions = 0;
	int ret = weir_partition_refresh(plan->store);

	plan->with_mounts = plan->with_mounts && weir_mount_refresh(plan->store);
	if (!ret)
		ret = weir_partition_ids(plan->store, &ids, &partitions);
	for (unsigned i = 0; i < partitions && !ret; i++)
		ret = plan_partition(plan, ids[i]);
	if (!ret && plan->with_mounts)
		ret = plan_mounts(plan);
	free(plan->taken);
	free(ids);
	return ret;
}

static int make(struct plan *plan, struct weir_store_block **blocks, size_t *count,
		uint64_t *damaged)
{
	struct weir_replaced *replaced = plan->store->replaced;
	struct weir_replaced_plan *mark = weir_replaced_begin_plan(replaced);
	int ret = mark ? read_indexes(plan) : -ENOMEM;

	if (ret || !plan->count) {
		weir_replaced_end_plan(replaced, mark);
		free(plan->blocks);
		plan->blocks = NULL;
	} else {
		weir_replaced_name_plan(replaced, mark, plan->blocks);
	}
	if (ret)
		return ret;
	*blocks = plan->blocks;
	*count = plan->count;
	if (damaged)
		*damaged += plan->damaged;
	return 0;
}

void weir_store_plan_free(struct weir_store *store, struct weir_store_block *blocks)
{
	if (blocks)
		weir_replaced_end_plan(store->replaced,
				       weir_replaced_find_plan(store->replaced, blocks));
	free(blocks);
}

int weir_store_plan(struct weir_store *store, uint64_t from_ns, uint64_t to_ns,
		    struct weir_store_block **blocks, size_t *count, uint64_t *damaged)
{
	struct plan plan = {
		.store = store, .from_ns = from_ns, .to_ns = to_ns, .with_mounts = true};

	return make(&plan, blocks, count, damaged);
}

int weir_plan_own(struct weir_store *store, uint64_t from_ns, uint64_t to_ns,
		  struct weir_store_block **blocks, size_t *count, uint64_t *damaged)
{
	struct plan plan = {.store = store, .from_ns = from_ns, .to_ns = to_ns};

	return make(&plan, blocks, count, damaged);
}

int weir_store_plan_after(struct weir_store *store, uint64_t after,
			  struct weir_store_block **blocks, size_t *count, uint64_t *damaged)
{
	struct plan plan = {.store = store, .to_ns = UINT64_MAX, .after = after};

	return make(&plan, blocks, count, damaged);
}
