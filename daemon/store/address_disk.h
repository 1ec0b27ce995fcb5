/* SPDX-License-Identifier: GPL-2.0 */
/*
 * address_disk.h - the dictionary of addresses on disk.
 *
 *   u32 entries, u32 chunks
 *   bitmaps, source and destination, (entries + 7) / 8 bytes each
 *   table   24 bytes a chunk: first address (16 bytes), its index u32, u32 with the bits of a
 *	     field in its lowest byte and the offset of the fields (in "fields") above
 *   fields  of each chunk: the differences to the address before
 *   17 bytes of zero
 */
#ifndef WEIR_STORE_ADDRESS_DISK_H
#define WEIR_STORE_ADDRESS_DISK_H

enum {
	/* A chunk costs 24 bytes, and a search reads one to its end. */
	ADDRESS_CHUNK = 128,
	ADDRESS_CHUNK_BYTES = 24,
	ADDRESS_PADDING = 17,
};

#endif
