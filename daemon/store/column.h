/* SPDX-License-Identifier: GPL-2.0 */
/*
 * column.h - how the members of struct weir_flow lie in a block.
 *
 * One table drives encoding and decoding. Ids are on disk: append, never reuse.
 */
#ifndef WEIR_STORE_COLUMN_H
#define WEIR_STORE_COLUMN_H

#include "daemon/common/flow.h"

struct weir_column {
	uint16_t id;
	uint16_t offset; /* in struct weir_flow */
	uint8_t width; /* bytes of one value */
	bool number; /* little endian on disk; else bytes as they are */
};

extern const struct weir_column weir_column_table[];
extern const unsigned weir_column_count;

/* NULL: a column of a later version. */
const struct weir_column *weir_column_find(uint16_t id);
/* Gather @count values into @to (count * width bytes), and scatter them back. */
void weir_column_pack(const struct weir_column *column, const struct weir_flow *flows, size_t count,
		      uint8_t *to);
void weir_column_unpack(const struct weir_column *column, const uint8_t *from, size_t count,
			struct weir_flow *flows);

#endif
