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

#include "daemon/common/log.h"
#include "daemon/store/internal.h"
#include "daemon/store/view.h"

struct plan {
	struct weir_store *store;
	uint64_t from_ns, to_ns;
	uint64_t after; /* block number */
	struct weir_store_block *blocks;
	size_t count, room;
	uint64_t damaged;
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

static int read_indexes(struct plan *plan)
{
	uint32_t *ids = NULL;
	unsigned partitions = 0;
	int ret = weir_partition_refresh(plan->store);

	if (!ret)
		ret = weir_partition_ids(plan->store, &ids, &partitions);
	for (unsigned i = 0; i < partitions && !ret; i++)
		ret = plan_partition(plan, ids[i]);
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
	struct plan plan = {.store = store, .from_ns = from_ns, .to_ns = to_ns};

	return make(&plan, blocks, count, damaged);
}

int weir_store_plan_after(struct weir_store *store, uint64_t after,
			  struct weir_store_block **blocks, size_t *count, uint64_t *damaged)
{
	struct plan plan = {.store = store, .to_ns = UINT64_MAX, .after = after};

	return make(&plan, blocks, count, damaged);
}
