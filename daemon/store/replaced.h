/* SPDX-License-Identifier: GPL-2.0 */
/*
 * replaced.h - blocks that were merged into others, kept in memory for the plans that name them.
 *
 * A plan names blocks by number and count of records, and is worked through outside of any
 * transaction. A merge that comes in between takes small blocks from the disk and puts a large
 * one in their place; a plan made before must still find each of them, and none of the large one,
 * or records would be lost or counted twice. So a merge leaves a copy of what it replaces here,
 * before it commits, and the copy stays until the last plan that was begun before the commit is
 * freed. Mostly there is none, and it goes at once.
 *
 * This holds for plans of the process that merges. Another process, which reads only, has no copies:
 * as long as it has a plan, or paused, it holds a shared lock on the file "plans" of the store, and meanwhile nothing
 * is merged.
 */
#ifndef WEIR_STORE_REPLACED_H
#define WEIR_STORE_REPLACED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct weir_replaced;	   /* of a store */
struct weir_replaced_plan; /* one plan that is alive */

/* @dir: of the store. @read_only: of a process that does not merge. */
int weir_replaced_new(const char *dir, bool read_only, struct weir_replaced **replaced);
/* By the process that merges, once it has the store for itself: readers find the file from now on. */
void weir_replaced_share(struct weir_replaced *replaced);
void weir_replaced_free(struct weir_replaced *replaced);

/* Before the plan reads the first index. NULL: no memory. */
struct weir_replaced_plan *weir_replaced_begin_plan(struct weir_replaced *replaced);
/* Once it is made: @blocks is what its user has of it. */
void weir_replaced_name_plan(struct weir_replaced *replaced, struct weir_replaced_plan *plan,
			     const void *blocks);
struct weir_replaced_plan *weir_replaced_find_plan(struct weir_replaced *replaced,
						   const void *blocks);
/* @plan may be NULL. */
void weir_replaced_end_plan(struct weir_replaced *replaced, struct weir_replaced_plan *plan);
/* Block @number as it was with @records, for a plan that is alive, and valid as long as that. */
bool weir_replaced_find(struct weir_replaced *replaced, uint64_t number, uint32_t records,
			const void **block, size_t *bytes);

/* The writer begins to replace blocks. False: not now, it is paused, or another process has a plan. */
bool weir_replaced_begin(struct weir_replaced *replaced);
/* Copy a block that is about to be replaced. */
int weir_replaced_add(struct weir_replaced *replaced, uint64_t number, uint32_t records,
		      const void *block, size_t bytes);
/* What was added is replaced now; or it may be, if the commit failed: nobody knows whether it
 * reached the disk. */
void weir_replaced_done(struct weir_replaced *replaced);
/* What all copies take. */
size_t weir_replaced_bytes(struct weir_replaced *replaced);

/* Between the two nothing is replaced; may be nested. The first waits for the end of a merge. */
void weir_replaced_pause(struct weir_replaced *replaced);
void weir_replaced_resume(struct weir_replaced *replaced);

#endif
