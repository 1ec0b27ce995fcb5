/* SPDX-License-Identifier: GPL-2.0 */
/*
 * view.h - the store read block by block, column by column.
 *
 * A reader asks for the plan of a time span once, opens one block of it after
 * another with a view, asks the block's index whether it can matter at all, and
 * decodes the columns it needs. Several threads may share a plan; each has its own view.
 */
#ifndef WEIR_STORE_VIEW_H
#define WEIR_STORE_VIEW_H

#include "daemon/store/store.h"
#include "daemon/store/vector.h"

/* Where a block is. Small, as there can be millions of them. */
struct weir_store_block {
	uint32_t partition;
	uint32_t records;
	uint64_t number;
	uint64_t min_ns, max_ns; /* earliest start, latest end */
};

/**
 * weir_store_plan - all blocks that may hold a flow alive in [@from_ns, @to_ns), as of now.
 * Those of mounted backups (mount.h) among them.
 * Oldest first, *@blocks for weir_store_plan_free() (NULL when there are none). Damaged partitions are named in the log
 * and added to *@damaged (may be NULL), and the rest is planned.
 */
int weir_store_plan(struct weir_store *store, uint64_t from_ns, uint64_t to_ns,
		    struct weir_store_block **blocks, size_t *count, uint64_t *damaged);
/* The same without the backups that are mounted: what the ledger counts. */
int weir_plan_own(struct weir_store *store, uint64_t from_ns, uint64_t to_ns,
		  struct weir_store_block **blocks, size_t *count, uint64_t *damaged);
/* The same for all blocks numbered above @after, regardless of time. */
int weir_store_plan_after(struct weir_store *store, uint64_t after,
			  struct weir_store_block **blocks, size_t *count, uint64_t *damaged);

/* Plans are freed by this and nothing else: as long as one is there, blocks of it that are merged
 * into others can be opened as they were (replaced.h). @blocks may be NULL. */
void weir_store_plan_free(struct weir_store *store, struct weir_store_block *blocks);

/* One block opened for reading. An object for one thread, which is used for block after block. */
struct weir_store_view;

int weir_store_view_new(struct weir_store *store, struct weir_store_view **view);
void weir_store_view_free(struct weir_store_view *view);

/**
 * weir_store_view_open - open @block; its header and index are checked, columns are not yet.
 * Holds a read transaction until weir_store_view_close(), which must come from the
 * same thread: never wait for a client or take long between the two, and call nothing
 * else of the store. -EBADMSG: damaged (logged; count it). -ENOTSUP: of a later weir (logged; the
 * same). -ESTALE: retention removed it meanwhile; or, if another process has the store open for
 * writing, that one merged it into another.
 */
int weir_store_view_open(struct weir_store_view *view, const struct weir_store_block *block);
void weir_store_view_close(struct weir_store_view *view);

/* Records in the block. */
uint32_t weir_store_view_records(const struct weir_store_view *view);

/* From the block's index alone: all values of a column of numbers are in [*@min, *@max].
 * False: not known. */
bool weir_store_view_range(struct weir_store_view *view, enum weir_column_id id, uint64_t *min,
			   uint64_t *max);
/* Whether an address column may hold an address of which the first @bits are those of @address.
 * Never false if it does. Decodes nothing. */
bool weir_store_view_may_hold_prefix(struct weir_store_view *view, enum weir_column_id id,
				     const uint8_t address[16], unsigned bits);
/* Whether a column of numbers may hold a value in [@low, @high]. */
bool weir_store_view_may_hold_number(struct weir_store_view *view, enum weir_column_id id,
				     uint64_t low, uint64_t high);

/**
 * weir_store_view_column - decode column @id, if that was not done yet, and check its checksum.
 * *@vector is valid until the view is closed. A column that the block does not have is CONSTANT 0.
 * -EBADMSG: damaged (logged): the block's records are lost, count it. -ENOTSUP: the codec is of a
 * later weir (logged).
 */
int weir_store_view_column(struct weir_store_view *view, enum weir_column_id id,
			   struct weir_vector *vector);
/* The same without the values of a dictionary of addresses, which may not have been spelled out. */
int weir_store_view_codes(struct weir_store_view *view, enum weir_column_id id,
			  struct weir_vector *vector);
/* Of an address column that is a dictionary: the codes [*@first, *@end) are those of all addresses of which
 * the first @bits are those of @address. Decodes nothing. -ENODATA: it is none; -EBADMSG: damaged (logged). */
int weir_store_view_prefix(struct weir_store_view *view, enum weir_column_id id,
			   const uint8_t address[16], unsigned bits, uint32_t *first,
			   uint32_t *end);
/* Of an address column whose records are sorted by it: those with a code in [@first, @end) are the records
 * [*@from, *@to). -ENODATA: it is not; -EBADMSG: damaged (logged). */
int weir_store_view_run_rows(struct weir_store_view *view, enum weir_column_id id, uint32_t first,
			     uint32_t end, uint32_t *from, uint32_t *to);
/* Put all records into @flows (room for weir_store_view_records()), with the members of @columns
 * (WEIR_COLUMN_BIT()s) read from the block and all others zero. */
int weir_store_view_rows(struct weir_store_view *view, uint64_t columns, struct weir_flow *flows);
/* Bytes that column @id takes in the block. */
uint32_t weir_store_view_column_bytes(const struct weir_store_view *view, enum weir_column_id id);

#endif
