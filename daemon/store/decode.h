/* SPDX-License-Identifier: GPL-2.0 */
/* decode.h - columns of a block of format 2 read back. */
#ifndef WEIR_STORE_DECODE_H
#define WEIR_STORE_DECODE_H

#include "daemon/store/codec.h"
#include "daemon/store/vector.h"

enum {
	/* Values that a room has place for: every record, and one that is written in vain. */
	WEIR_DECODE_ROOM = WEIR_CODEC_ROWS_MAX + 1,
};

/* Where a column is decoded to; owned by whoever reads, used again for the next block. */
struct weir_decode_room {
	uint8_t *values;
	uint16_t *codes;
};

struct weir_decode {
	struct weir_unpacker *unpacker;
	const struct weir_column *column;
	uint32_t count; /* records */
	uint8_t codec; /* enum weir_codec */
	struct weir_cursor from;
	const struct weir_vector *base; /* the other column, decoded, if the codec has one */
	uint32_t entries; /* of an address column */
	struct weir_decode_room *room;
};

/* Memory for values or codes, once. -ENOMEM. */
int weir_decode_room_values(struct weir_decode_room *room, unsigned width);
int weir_decode_room_codes(struct weir_decode_room *room);
/* Decode into *@vector: all but the values of an address column. -EBADMSG: not well formed.
 * -ENOTSUP: of a later version. */
int weir_decode_column(struct weir_decode *decode, struct weir_vector *vector);
/* Of an address column whose records come in runs, one for each code: the records of the codes
 * [@first, @end) are [*@from, *@to). -ENODATA: it is no such column; -EBADMSG. */
int weir_decode_run_rows(struct weir_decode *decode, uint32_t first, uint32_t end, uint32_t *from,
			 uint32_t *to);

#endif
