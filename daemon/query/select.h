/* SPDX-License-Identifier: GPL-2.0 */
/*
 * select.h - which records of a block a query is about.
 *
 * The filter's steps are worked through for all records of the block at once: each step
 * has the set of records that reach it, and hands those that pass to one step and the others to
 * another. Before that, the block's index is asked about each step; if no way leads
 * to "true" any more, no column is read.
 */
#ifndef WEIR_QUERY_SELECT_H
#define WEIR_QUERY_SELECT_H

#include "daemon/query/columns.h"
#include "daemon/query/filter.h"

enum {
	WEIR_SELECT_WORDS = WEIR_STORE_BLOCK_RECORDS / 64,
};

/* Records of a block as bits. */
struct weir_bits {
	uint64_t word[WEIR_SELECT_WORDS];
};

enum weir_verdict { WEIR_UNKNOWN, WEIR_NEVER, WEIR_ALWAYS };

struct weir_select {
	uint64_t from_ns, to_ns;
	const struct weir_filter *filter;
	bool either_way; /* a record is chosen too if the filter holds with its ends swapped */
	uint8_t *verdict; /* of each step, for this block */
	bool *reached;
	struct weir_bits **reach; /* of each step */
	struct weir_bits *pool[8]; /* not in use */
	unsigned pooled;
	struct weir_bits chosen, scratch[3];
	uint8_t lut[WEIR_STORE_BLOCK_RECORDS];
	struct weir_flow flow[WEIR_COLUMNS_GATHER];
	/* The answer: `all` records of the block, or those in row[]. */
	bool all;
	uint32_t count;
	uint32_t counting; /* so many of row[] are 0, 1, 2, ... */
	uint16_t row[WEIR_STORE_BLOCK_RECORDS];
};

int weir_select_new(const struct weir_query *query, bool either_way, struct weir_select **select);
void weir_select_free(struct weir_select *select);

/* Whether the index of the open block says that none can match. */
bool weir_select_skips(struct weir_select *select, struct weir_columns *columns);
/* Fill in the answer for the open block, after weir_select_skips(). -EBADMSG, -ENOTSUP, -ENOMEM. */
int weir_select_run(struct weir_select *select, struct weir_columns *columns);

/* test.c: the records of @in for which @step holds, into @out (other than @in). */
int weir_select_test(struct weir_select *select, struct weir_columns *columns,
		     const struct weir_step *step, const struct weir_bits *in,
		     struct weir_bits *out);
/* Keep only those of @bits whose number in the loaded column @id is in @range. */
void weir_select_range(struct weir_select *select, struct weir_columns *columns,
		       enum weir_column_id id, const struct weir_range *range,
		       struct weir_bits *bits);
/* index.c: what the block's index knows of @step. */
enum weir_verdict weir_select_verdict(struct weir_columns *columns,
				      const struct weir_filter *filter,
				      const struct weir_step *step);
/* kernel.c: of the records in @in, those whose number is in one of @count ranges, into @out. */
void weir_kernel_ranges(const struct weir_vector *vector, const struct weir_range *range,
			unsigned count, const struct weir_bits *in, struct weir_bits *out);
/* Those whose code is in [@low, @high). */
void weir_kernel_codes(const uint16_t *codes, uint32_t records, uint32_t low, uint32_t high,
		       const struct weir_bits *in, struct weir_bits *out);
/* Those whose byte in @lut (0 or 1), at their code, is set. */
void weir_kernel_lut(const uint16_t *codes, uint32_t records, const uint8_t *lut,
		     const struct weir_bits *in, struct weir_bits *out);

#endif
