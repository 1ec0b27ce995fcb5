// SPDX-License-Identifier: GPL-2.0
/*
 * view.c - blocks of the store, opened one at a time.
 *
 * A read transaction pins every page that was in use when it began, and the
 * file grows by all that is written meanwhile. So a transaction lives for one
 * block; what the reader does with the records in between is its own time.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "daemon/common/log.h"
#include "daemon/store/block.h"
#include "daemon/store/internal.h"
#include "daemon/store/view.h"

struct weir_store_view {
	struct weir_store *store;
	struct weir_block_reader *reader;
	struct weir_partition *partition; /* held while a block is open */
	struct weir_lmdb_txn txn;
	struct weir_store_block block; /* the one that is open */
	bool open;
	bool warned; /* about this block */
};

int weir_store_view_new(struct weir_store *store, struct weir_store_view **view)
{
	struct weir_store_view *new = calloc(1, sizeof(*new));
	int ret;

	if (!new)
		return -ENOMEM;
	new->store = store;
	ret = weir_block_reader_new(&new->reader);
	if (ret) {
		free(new);
		return ret;
	}
	*view = new;
	return 0;
}

void weir_store_view_free(struct weir_store_view *view)
{
	if (!view)
		return;
	weir_store_view_close(view);
	weir_block_reader_free(view->reader);
	free(view);
}

/* Name the block in the log, once for each time it is opened. */
static int note_damage(struct weir_store_view *view, int ret)
{
	if ((ret != -EBADMSG && ret != -ENOTSUP) || view->warned)
		return ret;
	view->warned = true;
	weir_log_warn("%s/%s: block %" PRIu64 " %s; its records are left out", view->store->dir,
		      view->partition->name, view->block.number,
		      ret == -ENOTSUP ? "was written by a later weir" : "is damaged");
	return ret;
}

/* -ESTALE: the index does not have the block as it was planned. If it does, it must be there. */
static int find_planned(struct weir_store_view *view)
{
	struct weir_lmdb_value value;
	struct weir_meta_times times;
	int ret = weir_lmdb_get_number(&view->txn, WEIR_DB_TIMES, view->block.number, &value);

	if (ret)
		return ret == -ENOENT ? -ESTALE : ret;
	weir_meta_decode(value.data, value.bytes, &times, sizeof(times));
	return times.records == view->block.records ? 0 : -ESTALE;
}

static int open_stored(struct weir_store_view *view)
{
	struct weir_lmdb_value value;
	int ret = weir_lmdb_get_number(&view->txn, WEIR_DB_BLOCKS, view->block.number, &value);

	if (!ret)
		ret = weir_block_open(view->reader, view->block.number, value.data, value.bytes);
	if (ret == -ENOENT || (!ret && weir_block_count(view->reader) != view->block.records))
		ret = -EBADMSG;
	return ret;
}

/* As it was before it was merged into another, if the plan is that old. */
static int open_replaced(struct weir_store_view *view)
{
	const void *block;
	size_t bytes;
	int ret;

	if (!weir_replaced_find(view->store->replaced, view->block.number, view->block.records,
				&block, &bytes))
		return -ESTALE;
	ret = weir_block_open(view->reader, view->block.number, block, bytes);
	return ret == -ENOTSUP ? ret : ret ? -EBADMSG : 0;
}

static int open_block(struct weir_store_view *view)
{
	int ret = find_planned(view);

	if (!ret)
		ret = open_stored(view);
	else if (ret == -ESTALE)
		ret = open_replaced(view);

	return note_damage(view, ret);
}

int weir_store_view_open(struct weir_store_view *view, const struct weir_store_block *block)
{
	int ret;

	weir_store_view_close(view);
	ret = weir_partition_hold(view->store, block->partition, &view->partition);
	if (ret)
		return ret;
	view->block = *block;
	view->warned = false;
	view->open = true;
	ret = weir_lmdb_begin(view->partition->lmdb, false, &view->txn);
	if (!ret)
		ret = open_block(view);
	if (ret)
		weir_store_view_close(view);
	return ret;
}

void weir_store_view_close(struct weir_store_view *view)
{
	if (!view->open)
		return;
	weir_lmdb_abort(&view->txn);
	weir_partition_release(view->store, view->partition);
	view->open = false;
}

uint32_t weir_store_view_records(const struct weir_store_view *view)
{
	return weir_block_count(view->reader);
}

bool weir_store_view_range(struct weir_store_view *view, enum weir_column_id id, uint64_t *min,
			   uint64_t *max)
{
	return weir_block_range(view->reader, id, min, max);
}

bool weir_store_view_may_hold_prefix(struct weir_store_view *view, enum weir_column_id id,
				     const uint8_t address[16], unsigned bits)
{
	return weir_block_may_hold_prefix(view->reader, id, address, bits);
}

bool weir_store_view_may_hold_number(struct weir_store_view *view, enum weir_column_id id,
				     uint64_t low, uint64_t high)
{
	return weir_block_may_hold_number(view->reader, id, low, high);
}

int weir_store_view_column(struct weir_store_view *view, enum weir_column_id id,
			   struct weir_vector *vector)
{
	return note_damage(view, weir_block_column(view->reader, id, vector));
}

int weir_store_view_codes(struct weir_store_view *view, enum weir_column_id id,
			  struct weir_vector *vector)
{
	return note_damage(view, weir_block_codes(view->reader, id, vector));
}

int weir_store_view_prefix(struct weir_store_view *view, enum weir_column_id id,
			   const uint8_t address[16], unsigned bits, uint32_t *first,
			   uint32_t *end)
{
	return note_damage(view,
			   weir_block_prefix(view->reader, id, address, bits, first, end));
}

int weir_store_view_run_rows(struct weir_store_view *view, enum weir_column_id id, uint32_t first,
			     uint32_t end, uint32_t *from, uint32_t *to)
{
	return note_damage(view, weir_block_run_rows(view->reader, id, first, end, from, to));
}

int weir_store_view_rows(struct weir_store_view *view, uint64_t columns, struct weir_flow *flows)
{
	return note_damage(view, weir_block_rows(view->reader, columns, flows));
}

uint32_t weir_store_view_column_bytes(const struct weir_store_view *view, enum weir_column_id id)
{
	return weir_block_column_bytes(view->reader, id);
}
