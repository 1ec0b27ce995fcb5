/* SPDX-License-Identifier: GPL-2.0 */
/*
 * groups.h - sums by key: what its three stages share.
 *
 * 1. gather.c: each worker sums up what it reads, in tables of its own. Level 0 has the
 *    groups and their sums; each distinct count has a level whose table is the set of (group,
 *    value) seen. A worker whose tables outgrow its memory writes them to its streams, one for
 *    each partition of the keys' hash, and begins anew.
 * 2. drain.c: partition by partition, what the workers have is joined; a partition
 *    that does not fit is split by further bits of the hash. First the levels of distinct counts:
 *    each member of a set adds one to its group, in level 0. So a set may be larger than memory
 *    even if it is that of one group.
 * 3. groups.c: the groups of level 0 go through sorters.
 */
#ifndef WEIR_QUERY_GROUPS_H
#define WEIR_QUERY_GROUPS_H

#include "daemon/query/engine.h"
#include "daemon/query/keys.h"
#include "daemon/query/table.h"

enum {
	WEIR_GROUPS_LEVELS = 1 + WEIR_QUERY_MEASURES_MAX,
	WEIR_GROUPS_PARTITIONS = 64,
	WEIR_GROUPS_PARTITION_BITS = 6,
	WEIR_GROUPS_SPLIT = 16, /* of a partition that does not fit */
	WEIR_GROUPS_SPLIT_BITS = 4,
	WEIR_GROUPS_SPLITS_MAX = 6, /* one in the other */
};

struct weir_level {
	struct weir_keys keys;
	struct weir_table_form form;
	unsigned measure; /* of a distinct count */
};

/* The query as all workers see it. */
struct weir_groups {
	struct weir_query_spec spec;
	struct weir_level level[WEIR_GROUPS_LEVELS];
	unsigned levels;
	struct weir_gather *gather[WEIR_QUERY_THREADS_MAX]; /* one a worker */
	unsigned drained; /* the level that is being drained; those above it are done */
	weir_query_emit_group *emit;
	void *arg;
	uint64_t emitted;
	struct weir_query_rest *rest;
	struct weir_engine *engine;
};

/* Rows of a table in the order of their partitions. */
struct weir_parted {
	uint32_t *row;
	uint32_t first[WEIR_GROUPS_PARTITIONS + 1];
};

/* What a worker has. */
struct weir_gather {
	struct weir_budget scan; /* tables of all levels */
	struct weir_budget drain; /* the partition at hand */
	struct weir_budget sort;
	struct weir_table *table[WEIR_GROUPS_LEVELS];
	struct weir_stream stream[WEIR_GROUPS_LEVELS][WEIR_GROUPS_PARTITIONS];
	struct weir_parted parted[WEIR_GROUPS_LEVELS];
	struct weir_sorter sorter;
	struct weir_query_rest rest; /* of what its sorter dropped */
	/* Work space: values by record; records and sums by code (a count and a value for each
	 * measure, together, as they are wanted together); rows, and a batch of keys and values. */
	uint64_t *value[WEIR_QUERY_MEASURES_MAX];
	const uint64_t *values[WEIR_QUERY_MEASURES_MAX];
	uint64_t *sum;
	uint16_t one_of[2][WEIR_STORE_BLOCK_RECORDS]; /* a record of each code, by end */
	uint16_t code[2][WEIR_STORE_BLOCK_RECORDS];
	uint16_t row[3][WEIR_STORE_BLOCK_RECORDS];
	struct weir_flow flow[WEIR_COLUMNS_GATHER];
	uint64_t key[WEIR_TABLE_BATCH * WEIR_TABLE_KEY_WORDS];
	uint64_t batch[WEIR_TABLE_BATCH * (WEIR_TABLE_KEY_WORDS + WEIR_TABLE_VALUES)];
};

/* gather.c */
int weir_gather_new(struct weir_groups *groups, struct weir_worker *worker,
		    struct weir_gather **gather);
void weir_gather_free(struct weir_groups *groups, struct weir_gather *gather);
/* Sum up the records chosen in the worker's block (a weir_engine_block). */
int weir_gather_block(struct weir_worker *worker, size_t index);
/* Add rows to the worker's table of a level, spilling if it must. */
int weir_gather_add(struct weir_worker *worker, unsigned level, const uint64_t *keys,
		    size_t key_stride, const uint64_t *values, size_t value_stride, size_t count);

/* drain.c: each row of partition @partition of the level, over all workers, once. */
typedef int weir_drain_visit(struct weir_worker *worker, const uint64_t *row);
int weir_drain(struct weir_worker *worker, unsigned level, size_t partition,
	       weir_drain_visit *visit);
/* Put the rows of a worker's tables in the order of their partitions: before weir_drain(), and only if
 * there is more than one worker. A weir_engine_task, of worker @index. */
int weir_drain_prepare(struct weir_worker *worker, size_t index);
/* Where a row's key belongs; @depth 0: the partition, else the part of a split. */
unsigned weir_drain_part(const struct weir_table_form *form, const uint64_t *key, unsigned depth);

#endif
