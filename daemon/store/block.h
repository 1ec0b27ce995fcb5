/* SPDX-License-Identifier: GPL-2.0 */
/*
 * block.h - records stored together, column by column. docs/store.md has the format.
 *
 * Nothing here knows of LMDB: a block is bytes with a number.
 */
#ifndef WEIR_STORE_BLOCK_H
#define WEIR_STORE_BLOCK_H

#include "daemon/store/vector.h"

enum {
	WEIR_BLOCK_VERSION = 1,
};

struct weir_block_times {
	uint64_t min_ns; /* earliest start */
	uint64_t max_ns; /* latest end */
};

/* Bytes that @count records take. */
size_t weir_block_bytes(size_t count);
/* Fill @to, which has weir_block_bytes(@count) bytes. @number goes into the
 * checksum, so a block cannot pass for another. */
void weir_block_encode(uint64_t number, const struct weir_flow *flows, size_t count, uint8_t *to,
		       struct weir_block_times *times);

/* One block after another, read by one thread. Owns the memory that columns are decoded into. */
struct weir_block_reader;

int weir_block_reader_new(struct weir_block_reader **reader);
void weir_block_reader_free(struct weir_block_reader *reader);

/**
 * weir_block_open - look at block @number in @from, which stays there until the next one is opened.
 * Header and directory are checked. -EBADMSG: damaged. -ENOTSUP: of a later version.
 */
int weir_block_open(struct weir_block_reader *reader, uint64_t number, const uint8_t *from,
		    size_t bytes);
uint32_t weir_block_count(const struct weir_block_reader *reader);
struct weir_block_times weir_block_times(const struct weir_block_reader *reader);
/* Bytes that column @id takes, 0 if there is none. */
uint32_t weir_block_column_bytes(const struct weir_block_reader *reader, enum weir_column_id id);

/* See view.h for these. */
bool weir_block_range(struct weir_block_reader *reader, enum weir_column_id id, uint64_t *min,
		      uint64_t *max);
bool weir_block_may_hold_prefix(struct weir_block_reader *reader, enum weir_column_id id,
				const uint8_t address[16], unsigned bits);
bool weir_block_may_hold_number(struct weir_block_reader *reader, enum weir_column_id id,
				uint64_t low, uint64_t high);
int weir_block_column(struct weir_block_reader *reader, enum weir_column_id id,
		      struct weir_vector *vector);
int weir_block_rows(struct weir_block_reader *reader, uint64_t columns, struct weir_flow *flows);

/* For tests: compute the checksum of what is in @block and write it at its end. */
void weir_block_seal(uint64_t number, uint8_t *block, size_t bytes);

#endif
