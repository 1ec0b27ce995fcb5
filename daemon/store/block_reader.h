/* SPDX-License-Identifier: GPL-2.0 */
/* block_reader.h - what the files that read blocks share: block.c, block_column.c, block_index.c. */
#ifndef WEIR_STORE_BLOCK_READER_H
#define WEIR_STORE_BLOCK_READER_H

#include "daemon/store/address.h"
#include "daemon/store/block.h"
#include "daemon/store/block_disk.h"
#include "daemon/store/decode.h"

struct section {
	struct block_entry entry; /* in host order */
	bool present;
	bool checked; /* its checksum */
};

struct weir_block_reader {
	const uint8_t *data;
	struct block_header header; /* in host order */
	struct section columns[WEIR_COLUMN_END];
	struct section dictionary;
	bool searchable; /* addresses are open */
	bool spelled; /* the values of both address columns are in their rooms */
	struct weir_addresses addresses;
	uint64_t decoded; /* columns that are in vectors[] */
	uint64_t busy; /* columns being decoded */
	struct weir_vector vectors[WEIR_COLUMN_END];
	struct weir_decode_room room[WEIR_COLUMN_END];
	struct weir_unpacker *unpacker;
};

/* Check the checksum of what is there, once. -EBADMSG: it is wrong. */
int weir_block_check_section(struct weir_block_reader *reader, struct section *section);
/* Make reader->addresses ready for searching. */
int weir_block_open_addresses(struct weir_block_reader *reader);
enum weir_address_side weir_block_side(enum weir_column_id id);

#endif
