/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pack.h - arrays of small numbers as bytes. docs/store.md, "Packed numbers".
 *
 * A number is cut into bytes, and the first bytes of all numbers, the second ones, and so
 * on, make a plane each. Planes of small values are narrowed to fields of 1, 2, or 4
 * bits, and each plane is compressed on its own if that pays: low planes are
 * often noise and stay as they are, high ones nearly vanish.
 */
#ifndef WEIR_STORE_PACK_H
#define WEIR_STORE_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	WEIR_PACK_PLANES_MAX = 8,
	WEIR_PACK_COUNT_MAX = 131072, /* numbers in an array */
	/* Reading starts at multiples of this. */
	WEIR_PACK_CHUNK = 512,
};

/* A buffer that grows; error: -ENOMEM once it could not. */
struct weir_bytes {
	uint8_t *data;
	size_t count, room;
	int error;
};

void weir_bytes_reset(struct weir_bytes *bytes);
void weir_bytes_free(struct weir_bytes *bytes);
/* Room for @count more, which are counted at once. NULL: no memory, kept in error. */
uint8_t *weir_bytes_add(struct weir_bytes *bytes, size_t count);
void weir_bytes_put(struct weir_bytes *bytes, const void *data, size_t count);
void weir_bytes_put_number(struct weir_bytes *bytes, uint64_t value, unsigned width);

/* Bytes being read; after an attempt to read beyond them error is -EBADMSG and all reads are 0. */
struct weir_cursor {
	const uint8_t *at;
	size_t left;
	int error;
};

uint64_t weir_cursor_number(struct weir_cursor *cursor, unsigned width);
const uint8_t *weir_cursor_take(struct weir_cursor *cursor, size_t count);

/* What compressing needs; one thread's. */
struct weir_packer;
int weir_packer_new(struct weir_packer **packer);
/* From now on a plane is compressed if that saves at least one part in @parts of it; 0: never. */
void weir_packer_expect(struct weir_packer *packer, unsigned parts);
void weir_packer_free(struct weir_packer *packer);
/* Append @count numbers to @to; the three write the same for the same numbers. */
void weir_pack(struct weir_packer *packer, const uint64_t *numbers, size_t count,
	       struct weir_bytes *to);
void weir_pack16(struct weir_packer *packer, const uint16_t *numbers, size_t count,
		 struct weir_bytes *to);
void weir_pack8(struct weir_packer *packer, const uint8_t *numbers, size_t count,
		struct weir_bytes *to);

/* Packed numbers made ready for reading. */
struct weir_packed {
	unsigned planes;
	uint32_t count;
	struct {
		const uint8_t *bytes;
		uint8_t bits; /* of one field: 1, 2, 4, 8 */
	} plane[WEIR_PACK_PLANES_MAX];
};

/* Memory and state for decompressing; one thread's. What was unpacked with it is valid
 * until its reset. */
struct weir_unpacker;
int weir_unpacker_new(struct weir_unpacker **unpacker);
void weir_unpacker_free(struct weir_unpacker *unpacker);
void weir_unpacker_reset(struct weir_unpacker *unpacker);
/* Read what weir_pack() wrote of @count numbers. -EBADMSG: not well formed. */
int weir_unpack(struct weir_unpacker *unpacker, struct weir_cursor *from, size_t count,
		struct weir_packed *packed);
/* Numbers @first .. @first + @count; @first is a multiple of the chunk, @count at most one. */
void weir_packed_read(const struct weir_packed *packed, size_t first, size_t count,
		      uint64_t *numbers);
/* The same cut to 16 bits. */
void weir_packed_read16(const struct weir_packed *packed, size_t first, size_t count,
			uint16_t *numbers);

#endif
