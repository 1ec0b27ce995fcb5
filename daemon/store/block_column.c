// SPDX-License-Identifier: GPL-2.0
/* block_column.c - columns of a block, decoded when they are asked for, and kept. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/block_reader.h"

enum {
	/* Records handled column after column before the next ones: their structs
	 * (24 KB) stay in the first-level cache for all passes. */
	STRIDE = 128,
};

/* Room for the values of an address column, whose codes are decoded by what follows. */
static int open_dictionary(struct weir_block_reader *reader, enum weir_column_id id,
			   struct weir_vector *vector)
{
	int ret = weir_block_open_addresses(reader);
	uint32_t entries;

	if (ret)
		return ret;
	entries = reader->addresses.side_entries[weir_block_side(id)];
	if (!entries || entries > reader->header.count)
		return -EBADMSG;
	ret = weir_decode_room_values(&reader->room[id], 16);
	vector->form = WEIR_VECTOR_DICTIONARY;
	vector->entries = entries;
	vector->values = reader->room[id].values;
	return ret;
}

/* The values of both address columns: one pass over the dictionary makes the two. */
static int spell_addresses(struct weir_block_reader *reader)
{
	uint8_t(*to[WEIR_ADDRESS_SIDES])[16];
	int ret = 0;

	if (reader->spelled)
		return 0;
	for (unsigned id = WEIR_COLUMN_SRC_ADDR; id <= WEIR_COLUMN_DST_ADDR && !ret; id++) {
		struct weir_vector ignored;

		ret = open_dictionary(reader, id, &ignored);
		to[weir_block_side(id)] = (uint8_t(*)[16])reader->room[id].values;
	}
	if (!ret)
		ret = weir_addresses_decode(&reader->addresses, to);
	reader->spelled = !ret;
	return ret;
}

/* What is on disk is neither aligned nor in host order everywhere. */
static int decode_plain(struct weir_block_reader *reader, const struct weir_column *column,
			struct weir_vector *vector)
{
	const struct block_entry *entry = &reader->columns[column->id].entry;
	struct weir_decode_room *room = &reader->room[column->id];
	int ret = weir_decode_room_values(room, column->width);

	if (ret)
		return ret;
	memcpy(room->values, reader->data + entry->offset, entry->bytes);
	if (column->number)
		weir_column_to_host(room->values, column->width, reader->header.count);
	vector->form = WEIR_VECTOR_NUMBERS;
	vector->values = room->values;
	return 0;
}

static int decode_constant(struct weir_block_reader *reader, const struct weir_column *column,
			   struct weir_vector *vector)
{
	int ret = weir_decode_room_values(&reader->room[column->id], column->width);

	if (ret)
		return ret;
	weir_column_put(column, reader->columns[column->id].entry.min,
			reader->room[column->id].values);
	vector->values = reader->room[column->id].values;
	return 0;
}

static struct weir_decode start_decode(struct weir_block_reader *reader,
				       const struct weir_column *column)
{
	const struct block_entry *entry = &reader->columns[column->id].entry;

	return (struct weir_decode){
		.unpacker = reader->unpacker,
		.column = column,
		.count = reader->header.count,
		.codec = entry->codec,
		.from = {.at = reader->data + entry->offset, .left = entry->bytes},
		.room = &reader->room[column->id]};
}

static int decode_coded(struct weir_block_reader *reader, const struct weir_column *column,
			struct weir_vector *vector)
{
	const struct block_entry *entry = &reader->columns[column->id].entry;
	struct weir_vector base;
	struct weir_decode decode = start_decode(reader, column);
	int ret = weir_block_check_section(reader, &reader->columns[column->id]);

	if (!ret && column->id <= WEIR_COLUMN_DST_ADDR)
		ret = open_dictionary(reader, column->id, vector);
	decode.base = &base;
	decode.entries = vector->entries;
	if (!ret && (entry->codec == WEIR_CODEC_DELTA || entry->codec == WEIR_CODEC_MAP ||
		     entry->codec == WEIR_CODEC_ASCENDING)) {
		/* A circle of columns that need each other. */
		if (!weir_column_find(entry->base) || reader->busy & WEIR_COLUMN_BIT(entry->base))
			return -EBADMSG;
		reader->busy |= WEIR_COLUMN_BIT(column->id);
		ret = weir_block_codes(reader, entry->base, &base);
		reader->busy &= ~WEIR_COLUMN_BIT(column->id);
	}
	return ret ? ret : weir_decode_column(&decode, vector);
}

int weir_block_codes(struct weir_block_reader *reader, enum weir_column_id id,
		     struct weir_vector *vector)
{
	static const uint64_t zero[2];
	const struct weir_column *column = weir_column_find(id);
	const struct section *section = &reader->columns[id];
	struct weir_vector *decoded;
	int ret = 0;

	if (!column)
		return -EINVAL;
	decoded = &reader->vectors[id];
	if (!(reader->decoded & WEIR_COLUMN_BIT(id))) {
		*decoded = (struct weir_vector){.form = WEIR_VECTOR_CONSTANT,
						.width = column->width,
						.count = reader->header.count,
						.values = zero};
		if (!section->present)
			ret = id <= WEIR_COLUMN_DST_ADDR && reader->header.version > 1 ? -EBADMSG
										       : 0;
		else if (section->entry.codec == WEIR_CODEC_PLAIN)
			ret = reader->header.version == 1 ? decode_plain(reader, column, decoded)
							  : -EBADMSG;
		else if (!section->entry.bytes)
			ret = decode_constant(reader, column, decoded);
		else
			ret = decode_coded(reader, column, decoded);
		if (ret)
			return ret;
		reader->decoded |= WEIR_COLUMN_BIT(id);
	}
	*vector = *decoded;
	return 0;
}

int weir_block_run_rows(struct weir_block_reader *reader, enum weir_column_id id, uint32_t first,
			uint32_t end, uint32_t *from, uint32_t *to)
{
	const struct section *section = &reader->columns[id];
	struct weir_decode decode;
	struct weir_vector ignored;
	int ret;

	if (id > WEIR_COLUMN_DST_ADDR || !section->present || !section->entry.bytes)
		return -ENODATA;
	ret = weir_block_check_section(reader, &reader->columns[id]);
	if (!ret)
		ret = open_dictionary(reader, id, &ignored);
	if (ret)
		return ret;
	decode = start_decode(reader, weir_column_find(id));
	decode.entries = ignored.entries;
	return weir_decode_run_rows(&decode, first, end, from, to);
}

int weir_block_column(struct weir_block_reader *reader, enum weir_column_id id,
		      struct weir_vector *vector)
{
	int ret = weir_block_codes(reader, id, vector);

	if (!ret && id <= WEIR_COLUMN_DST_ADDR && vector->form == WEIR_VECTOR_DICTIONARY)
		ret = spell_addresses(reader);
	return ret;
}

int weir_block_rows(struct weir_block_reader *reader, uint64_t columns, struct weir_flow *flows)
{
	uint32_t count = reader->header.count;
	struct weir_vector vector;

	for (unsigned id = 1; id < WEIR_COLUMN_END; id++) {
		int ret =
			columns & WEIR_COLUMN_BIT(id) ? weir_block_column(reader, id, &vector) : 0;

		if (ret)
			return ret;
	}
	for (uint32_t at = 0; at < count; at += STRIDE) {
		uint32_t some = count - at < STRIDE ? count - at : STRIDE;

		/* Padding and columns that are missing or not asked for read as zero. */
		memset(flows + at, 0, some * sizeof(*flows));
		for (unsigned id = 1; id < WEIR_COLUMN_END; id++)
			if (columns & WEIR_COLUMN_BIT(id) && reader->columns[id].present)
				weir_vector_scatter(&reader->vectors[id], id, at, some, flows + at);
	}
	return 0;
}
