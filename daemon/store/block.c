// SPDX-License-Identifier: GPL-2.0
/*
 * block.c - reading a block, of format 1 or 2.
 *
 * The head of a block of format 2 (header, directory, filters) has one checksum and each section
 * its own, checked when it is first used: a query pays for what it reads. Format 1 has
 * one for all. Nothing that a block says is believed before it was checked
 * against the bytes there are, and a checksum is no proof against those who can compute it.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "daemon/store/block_reader.h"

uint64_t weir_block_head_checksum(uint64_t number, const uint8_t *block, uint32_t head_bytes)
{
	uint64_t sum = XXH3_64bits_withSeed(block, BLOCK_CHECKSUM_AT, number);

	return XXH3_64bits_withSeed(block + BLOCK_HEADER_BYTES, head_bytes - BLOCK_HEADER_BYTES,
				    sum);
}

uint64_t weir_block_section_checksum(uint16_t id, const uint8_t *from, uint32_t bytes)
{
	return XXH3_64bits_withSeed(from, bytes, id);
}

void weir_block_seal_format1(uint64_t number, uint8_t *block, size_t bytes)
{
	size_t end = bytes - BLOCK1_CHECKSUM_BYTES;
	uint64_t sum = htole64(XXH3_64bits_withSeed(block, end, number));

	memcpy(block + end, &sum, sizeof(sum));
}

int weir_block_reader_new(struct weir_block_reader **reader)
{
	struct weir_block_reader *new = calloc(1, sizeof(*new));
	int ret;

	if (!new)
		return -ENOMEM;
	ret = weir_unpacker_new(&new->unpacker);
	if (ret) {
		free(new);
		return ret;
	}
	*reader = new;
	return 0;
}

void weir_block_reader_free(struct weir_block_reader *reader)
{
	if (!reader)
		return;
	for (unsigned i = 0; i < WEIR_COLUMN_END; i++) {
		free(reader->room[i].values);
		free(reader->room[i].codes);
	}
	weir_unpacker_free(reader->unpacker);
	free(reader);
}

static void load_header(struct block_header *header, const uint8_t *from, size_t bytes)
{
	memset(header, 0, sizeof(*header));
	memcpy(header, from, bytes);
	header->magic = le32toh(header->magic);
	header->version = le16toh(header->version);
	header->sections = le16toh(header->sections);
	header->count = le32toh(header->count);
	header->entry_bytes = le32toh(header->entry_bytes);
	header->min_ns = le64toh(header->min_ns);
	header->max_ns = le64toh(header->max_ns);
	header->bytes = le32toh(header->bytes);
	header->head_bytes = le32toh(header->head_bytes);
	header->checksum = le64toh(header->checksum);
}

static void load_entry(struct block_entry *entry, const uint8_t *from)
{
	memcpy(entry, from, sizeof(*entry));
	entry->id = le16toh(entry->id);
	entry->offset = le32toh(entry->offset);
	entry->bytes = le32toh(entry->bytes);
	entry->filter = le32toh(entry->filter);
	entry->min = le64toh(entry->min);
	entry->max = le64toh(entry->max);
	entry->checksum = le64toh(entry->checksum);
}

/* Where the section of @id belongs. NULL: nothing this version knows. */
static struct section *section_of(struct weir_block_reader *reader, uint16_t id)
{
	if (id == BLOCK_SECTION_ADDRESSES)
		return &reader->dictionary;
	return weir_column_find(id) ? &reader->columns[id] : NULL;
}

static bool is_sound(const struct weir_block_reader *reader, const struct block_entry *entry)
{
	const struct block_header *header = &reader->header;

	if (entry->offset < header->head_bytes || entry->offset > header->bytes ||
	    entry->bytes > header->bytes - entry->offset)
		return false;
	if (entry->filter &&
	    (entry->filter < BLOCK_HEADER_BYTES || entry->filter > header->head_bytes ||
	     header->head_bytes - entry->filter < BLOCK_FILTER_BYTES))
		return false;
	/* Addresses always have bytes. */
	if (!entry->bytes && (entry->id == BLOCK_SECTION_ADDRESSES ||
			      entry->id <= WEIR_COLUMN_DST_ADDR || entry->min != entry->max))
		return false;
	return entry->min <= entry->max;
}

static int open_format2(struct weir_block_reader *reader, uint64_t number, size_t bytes)
{
	const struct block_header *header = &reader->header;

	if (header->bytes != bytes || header->head_bytes > bytes ||
	    header->head_bytes < BLOCK_HEADER_BYTES ||
	    weir_block_head_checksum(number, reader->data, header->head_bytes) != header->checksum)
		return -EBADMSG;
	if (header->entry_bytes < sizeof(struct block_entry) ||
	    header->entry_bytes > BLOCK_ENTRY_BYTES_MAX ||
	    (size_t)header->sections * header->entry_bytes >
		    header->head_bytes - BLOCK_HEADER_BYTES)
		return -EBADMSG;
	for (unsigned i = 0; i < header->sections; i++) {
		struct section *section;
		struct block_entry entry;

		load_entry(&entry,
			   reader->data + BLOCK_HEADER_BYTES + (size_t)i * header->entry_bytes);
		section = section_of(reader, entry.id);
		if (!section)
			continue;
		if (section->present || !is_sound(reader, &entry))
			return -EBADMSG;
		*section = (struct section){.entry = entry, .present = true};
	}
	return 0;
}

/* One checksum over all of it, and columns that are nothing but their values. */
static int open_format1(struct weir_block_reader *reader, uint64_t number, size_t bytes)
{
	struct block_header *header = &reader->header;
	size_t end = bytes - BLOCK1_CHECKSUM_BYTES;
	uint64_t sum;

	memcpy(&sum, reader->data + end, sizeof(sum));
	if (le64toh(sum) != XXH3_64bits_withSeed(reader->data, end, number))
		return -EBADMSG;
	if (header->entry_bytes < sizeof(struct block1_entry) ||
	    header->entry_bytes > BLOCK_ENTRY_BYTES_MAX || header->sections > BLOCK_SECTIONS_MAX ||
	    BLOCK1_HEADER_BYTES + (size_t)header->sections * header->entry_bytes > end)
		return -EBADMSG;
	for (unsigned i = 0; i < header->sections; i++) {
		const struct weir_column *column;
		struct block1_entry entry;
		struct section *section;

		memcpy(&entry, reader->data + BLOCK1_HEADER_BYTES + (size_t)i * header->entry_bytes,
		       sizeof(entry));
		entry.offset = le32toh(entry.offset);
		entry.bytes = le32toh(entry.bytes);
		if (entry.offset > end || entry.bytes > end - entry.offset)
			return -EBADMSG;
		column = weir_column_find(le16toh(entry.id));
		if (!column)
			continue;
		section = &reader->columns[column->id];
		if (le16toh(entry.codec) != WEIR_CODEC_PLAIN)
			return -ENOTSUP;
		if (section->present || entry.bytes != (size_t)header->count * column->width)
			return -EBADMSG;
		*section = (struct section){.present = true, .checked = true};
		section->entry = (struct block_entry){.id = column->id,
						      .codec = WEIR_CODEC_PLAIN,
						      .offset = entry.offset,
						      .bytes = entry.bytes};
	}
	return 0;
}

int weir_block_open(struct weir_block_reader *reader, uint64_t number, const uint8_t *from,
		    size_t bytes)
{
	struct block_header *header = &reader->header;

	reader->data = from;
	reader->decoded = 0;
	reader->busy = 0;
	reader->searchable = false;
	reader->spelled = false;
	memset(reader->columns, 0, sizeof(reader->columns));
	memset(&reader->dictionary, 0, sizeof(reader->dictionary));
	weir_unpacker_reset(reader->unpacker);
	if (bytes < BLOCK1_HEADER_BYTES + BLOCK1_CHECKSUM_BYTES)
		return -EBADMSG;
	load_header(header, from, bytes < sizeof(*header) ? BLOCK1_HEADER_BYTES : sizeof(*header));
	if (header->magic != BLOCK_MAGIC || !header->count ||
	    header->count > WEIR_BLOCK_RECORDS_MAX)
		return -EBADMSG;
	if (header->version == 1)
		return open_format1(reader, number, bytes);
	if (header->version != WEIR_BLOCK_VERSION)
		return -ENOTSUP;
	return open_format2(reader, number, bytes);
}

uint32_t weir_block_count(const struct weir_block_reader *reader)
{
	return reader->header.count;
}

struct weir_block_times weir_block_times(const struct weir_block_reader *reader)
{
	return (struct weir_block_times){reader->header.min_ns, reader->header.max_ns};
}

int weir_block_check_section(struct weir_block_reader *reader, struct section *section)
{
	const struct block_entry *entry = &section->entry;

	if (!section->present || section->checked)
		return 0;
	if (weir_block_section_checksum(entry->id, reader->data + entry->offset, entry->bytes) !=
	    entry->checksum)
		return -EBADMSG;
	section->checked = true;
	return 0;
}
