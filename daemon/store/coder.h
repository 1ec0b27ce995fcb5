/* SPDX-License-Identifier: GPL-2.0 */
/* coder.h - what the files that write columns share: codec.c, codec_dictionary.c, codec_address.c. */
#ifndef WEIR_STORE_CODER_H
#define WEIR_STORE_CODER_H

#include "daemon/store/clones.h"
#include "daemon/store/codec.h"

enum { ROWS = WEIR_CODEC_ROWS_MAX };

struct weir_coder {
	struct weir_packer *packer;
	unsigned key_parts, parts; /* what it is to expect */
	const struct weir_codec_rows *rows;
	const struct weir_column *column;
	const uint8_t *values; /* the column as it is in rows */
	uint32_t count;
	uint64_t min, max;
	const uint64_t *numbers; /* the column widened, NULL: not yet */
	uint64_t wide[ROWS], base[ROWS]; /* room for it, and for another one */
	uint64_t work[ROWS], rest[ROWS], divided[ROWS];
	uint32_t votes[ROWS], histogram[ROWS];
	uint16_t code_of[ROWS]; /* of each value of 16 bits */
	uint16_t work16[ROWS];
	uint8_t work8[ROWS];
};

/* The column widened to numbers, once. */
const uint64_t *weir_coder_numbers(struct weir_coder *coder);
/* u64 least, u64 divisor, packed. Uses coder->work and coder->divided. */
void weir_coder_put_frame(struct weir_coder *coder, const uint64_t *numbers, uint32_t count,
			  struct weir_bytes *to);

/* Each appends the column, or returns false and appends nothing. docs/store.md, "Codecs" */
bool weir_coder_write_dictionary(struct weir_coder *coder, struct weir_bytes *to);
bool weir_coder_write_frequent(struct weir_coder *coder, struct weir_bytes *to);
bool weir_coder_write_map(struct weir_coder *coder, enum weir_column_id base,
			  struct weir_bytes *to);
bool weir_coder_write_runs(struct weir_coder *coder, struct weir_bytes *to);
bool weir_coder_write_ascending(struct weir_coder *coder, enum weir_column_id base,
				struct weir_bytes *to);
bool weir_coder_write_codes(struct weir_coder *coder, struct weir_bytes *to);

#endif
