// SPDX-License-Identifier: GPL-2.0
/*
 * scan.c - read blocks in order.
 *
 * A read transaction pins every page that was in use when it began, and the
 * file grows by all that is written meanwhile. So a transaction lives for one
 * block: find it in the index of times, check it, decode it into memory of our
 * own, end. The visitor runs outside of it and may take as long as it likes. How far
 * the scan goes in a partition is settled when it gets there.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/log.h"
#include "daemon/store/block.h"
#include "daemon/store/internal.h"

struct scan {
	struct weir_store *store;
	uint64_t from_ns, to_ns;
	bool backward;
	weir_store_visit *visit;
	void *arg;
	uint64_t damaged;
	uint64_t next; /* block to look at first, in the direction of the scan */
	uint64_t last; /* block of this partition to end with */
	struct weir_flow *flows; /* room for one block */
	size_t count; /* in flows */
};

static bool overlaps(const struct scan *scan, const struct weir_lmdb_value *value)
{
	struct weir_meta_times times;

	weir_meta_decode(value->data, value->bytes, &times, sizeof(times));
	return times.min_ns < scan->to_ns && times.max_ns >= scan->from_ns;
}

static bool beyond(const struct scan *scan, uint64_t number)
{
	return scan->backward ? number < scan->last : number > scan->last;
}

/* The next block that may match, at or after scan->next. -ENOENT: none. */
static int find(struct scan *scan, struct weir_lmdb_txn *txn, uint64_t *number)
{
	struct weir_lmdb_value value;

	for (;;) {
		int ret = weir_lmdb_seek_number(txn, WEIR_DB_TIMES, scan->next, scan->backward,
						number, &value);

		if (ret)
			return ret;
		if (beyond(scan, *number))
			return -ENOENT;
		scan->next = scan->backward ? *number - 1 : *number + 1;
		if (overlaps(scan, &value))
			return 0;
	}
}

/* -EBADMSG, -ENOTSUP, -ENOBUFS: block *@number is there but cannot be read.
 * -EUCLEAN: the index itself is damaged. */
static int load(struct scan *scan, struct weir_lmdb *lmdb, uint64_t *number)
{
	struct weir_lmdb_value block;
	struct weir_lmdb_txn txn;
	int ret = weir_lmdb_begin(lmdb, false, &txn);

	if (!ret)
		ret = find(scan, &txn, number);
	if (ret == -EBADMSG)
		ret = -EUCLEAN;
	if (!ret) {
		ret = weir_lmdb_get_number(&txn, WEIR_DB_BLOCKS, *number, &block);
		if (ret == -ENOENT)
			ret = -EBADMSG;
	}
	if (!ret)
		ret = weir_block_decode(*number, block.data, block.bytes, scan->flows,
					WEIR_STORE_BLOCK_RECORDS, &scan->count);
	weir_lmdb_abort(&txn);
	return ret;
}

/* Set the bounds for one partition. -ENOENT: nothing in it. */
static int enter(struct scan *scan, struct weir_lmdb *lmdb, uint64_t after)
{
	struct weir_lmdb_txn txn;
	uint64_t first, last;
	int ret = weir_lmdb_begin(lmdb, false, &txn);

	if (!ret)
		ret = weir_lmdb_seek_number(&txn, WEIR_DB_TIMES, after + 1, false, &first, NULL);
	if (!ret)
		ret = weir_lmdb_seek_number(&txn, WEIR_DB_TIMES, UINT64_MAX, true, &last, NULL);
	weir_lmdb_abort(&txn);
	scan->next = scan->backward ? last : first;
	scan->last = scan->backward ? first : last;
	return ret;
}

/* Count and name what cannot be read. Returns whether the scan of the partition goes on. */
static bool note_damage(struct scan *scan, const char *name, uint64_t number, int ret)
{
	scan->damaged++;
	if (ret == -EUCLEAN) {
		weir_log_warn("%s/%s: the index is damaged; what follows is left out",
			      scan->store->dir, name);
		return false;
	}
	weir_log_warn("%s/%s: block %" PRIu64 " %s; its records are left out", scan->store->dir,
		      name, number,
		      ret == -ENOTSUP ? "was written by a later weir" : "is damaged");
	return true;
}

static bool is_damage(int ret)
{
	return ret == -EBADMSG || ret == -ENOTSUP || ret == -ENOBUFS || ret == -EUCLEAN;
}

static int enter_partition(struct scan *scan, uint32_t id, uint64_t after, char *name)
{
	struct weir_partition *partition;
	int ret = weir_partition_hold(scan->store, id, &partition);

	if (ret)
		return ret;
	memcpy(name, partition->name, sizeof(partition->name));
	ret = enter(scan, partition->lmdb, after);
	weir_partition_release(scan->store, partition);
	return ret;
}

static int load_from(struct scan *scan, uint32_t id, uint64_t *number)
{
	struct weir_partition *partition;
	int ret = weir_partition_hold(scan->store, id, &partition);

	if (ret)
		return ret == -EBADMSG ? -EIO : ret;
	ret = load(scan, partition->lmdb, number);
	weir_partition_release(scan->store, partition);
	return ret;
}

static int scan_partition(struct scan *scan, uint32_t id, uint64_t after)
{
	char name[WEIR_STORE_PARTITION_NAME];
	int ret = enter_partition(scan, id, after, name);

	if (ret == -EBADMSG)
		scan->damaged++;
	if (ret)
		return ret == -ENOENT || ret == -EBADMSG || ret == -ESTALE ? 0 : ret;
	for (;;) {
		uint64_t number = 0;

		ret = load_from(scan, id, &number);
		if (is_damage(ret)) {
			if (note_damage(scan, name, number, ret))
				continue;
			return 0;
		}
		if (ret)
			return ret == -ENOENT || ret == -ESTALE ? 0 : ret;
		ret = scan->visit(scan->arg, number, scan->flows, scan->count);
		if (ret)
			return ret;
	}
}

static int run(struct scan *scan, uint64_t after)
{
	unsigned count;
	uint32_t *ids;
	int ret = weir_partition_refresh(scan->store);

	if (!ret)
		ret = weir_partition_ids(scan->store, &ids, &count);
	if (ret)
		return ret;
	scan->flows = malloc(WEIR_STORE_BLOCK_RECORDS * sizeof(*scan->flows));
	if (!scan->flows)
		ret = -ENOMEM;
	for (unsigned i = 0; i < count && !ret; i++)
		ret = scan_partition(scan, ids[scan->backward ? count - 1 - i : i], after);
	free(scan->flows);
	free(ids);
	return ret;
}

int weir_store_scan(struct weir_store *store, uint64_t from_ns, uint64_t to_ns, bool backward,
		    weir_store_visit *visit, void *arg, uint64_t *damaged)
{
	struct scan scan = {.store = store,
			    .from_ns = from_ns,
			    .to_ns = to_ns,
			    .backward = backward,
			    .visit = visit,
			    .arg = arg};
	int ret = run(&scan, 0);

	if (damaged)
		*damaged = scan.damaged;
	return ret;
}

int weir_store_scan_after(struct weir_store *store, uint64_t after, weir_store_visit *visit,
			  void *arg)
{
	struct scan scan = {.store = store, .to_ns = UINT64_MAX, .visit = visit, .arg = arg};

	return run(&scan, after);
}
