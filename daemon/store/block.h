/* SPDX-License-Identifier: GPL-2.0 */
/*
 * block.h - records stored together, column by column. docs/store.md has the format.
 */
#ifndef WEIR_STORE_BLOCK_H
#define WEIR_STORE_BLOCK_H

#include "daemon/common/flow.h"

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
/**
 * weir_block_decode - check block @number in @from and put its records into @flows.
 * -EBADMSG: damaged. -ENOTSUP: written by a later version in a way this one cannot read.
 * -ENOBUFS: more than @max records. @flows is undefined then.
 */
int weir_block_decode(uint64_t number, const uint8_t *from, size_t bytes, struct weir_flow *flows,
		      size_t max, size_t *count);
/* For tests: compute the checksum of what is in @block and write it at its end. */
void weir_block_seal(uint64_t number, uint8_t *block, size_t bytes);

#endif
