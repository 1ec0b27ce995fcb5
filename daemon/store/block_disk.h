/* SPDX-License-Identifier: GPL-2.0 */
/* block_disk.h - how blocks begin on disk, format 1 and 2. Little endian. docs/store.md */
#ifndef WEIR_STORE_BLOCK_DISK_H
#define WEIR_STORE_BLOCK_DISK_H

#include <stddef.h>
#include <stdint.h>

enum {
	BLOCK_MAGIC = 0x4b4c4257, /* "WBLK" */
	BLOCK_ENTRY_BYTES_MAX = 4096,
	BLOCK_SECTIONS_MAX = 1024,
	BLOCK1_CHECKSUM_BYTES = 8, /* at the end */
	BLOCK_SECTION_ADDRESSES = 1024, /* no column, but what both address columns refer to */
	/* Ports below 1024 have a bit each, then all ports one for each 64. */
	BLOCK_FILTER_BYTES = 256,
};

/* Format 1 has the first 32 bytes of it. */
struct block_header {
	uint32_t magic;
	uint16_t version;
	uint16_t sections; /* in the directory */
	uint32_t count; /* records */
	uint32_t entry_bytes; /* of one directory entry, may grow */
	uint64_t min_ns;
	uint64_t max_ns;
	uint32_t bytes; /* of the block */
	uint32_t head_bytes; /* header, directory, filters */
	uint64_t checksum; /* of the head */
};

struct block1_entry {
	uint16_t id;
	uint16_t codec;
	uint32_t reserved;
	uint32_t offset; /* from the start of the block */
	uint32_t bytes;
};

struct block_entry {
	uint16_t id;
	uint8_t codec; /* enum weir_codec */
	uint8_t base; /* column that the codec refers to */
	uint32_t offset; /* from the start of the block */
	uint32_t bytes; /* 0: all records have the value min */
	uint32_t filter; /* offset of the filter, 0: none */
	uint64_t min;
	uint64_t max;
	uint64_t checksum; /* of the bytes */
};

enum {
	BLOCK1_HEADER_BYTES = 32,
	BLOCK_HEADER_BYTES = sizeof(struct block_header),
	BLOCK_CHECKSUM_AT = 40,
};

_Static_assert(sizeof(struct block_header) == 48, "on disk");
_Static_assert(sizeof(struct block1_entry) == 16, "on disk");
_Static_assert(sizeof(struct block_entry) == 40, "on disk");

/* Of the head of block @number. */
uint64_t weir_block_head_checksum(uint64_t number, const uint8_t *block, uint32_t head_bytes);
/* Of one section. */
uint64_t weir_block_section_checksum(uint16_t id, const uint8_t *from, uint32_t bytes);
/* For tests: of a whole block of format 1, which has at least the 8 bytes that are written. */
void weir_block_seal_format1(uint64_t number, uint8_t *block, size_t bytes);

#endif
