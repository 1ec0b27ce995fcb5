// SPDX-License-Identifier: GPL-2.0
/* block_index.c - what is known of a block without decoding its columns. */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "daemon/store/block_reader.h"

int weir_block_check(struct weir_block_reader *reader)
{
	int ret = weir_block_check_section(reader, &reader->dictionary);

	for (unsigned id = 1; id < WEIR_COLUMN_END && !ret; id++)
		ret = weir_block_check_section(reader, &reader->columns[id]);
	return ret;
}

/* An offset or length of an entry that does not fit is left for the reader to find. */
static void reseal_section(uint8_t *block, size_t bytes, uint8_t *at)
{
	struct block_entry entry;

	memcpy(&entry, at, sizeof(entry));
	if (le32toh(entry.offset) > bytes || le32toh(entry.bytes) > bytes - le32toh(entry.offset))
		return;
	entry.checksum = htole64(weir_block_section_checksum(
		le16toh(entry.id), block + le32toh(entry.offset), le32toh(entry.bytes)));
	memcpy(at, &entry, sizeof(entry));
}

void weir_block_reseal(uint64_t number, uint8_t *block, size_t bytes)
{
	struct block_header header;

	if (bytes < sizeof(header))
		return;
	memcpy(&header, block, sizeof(header));
	if (le16toh(header.version) == 1) {
		weir_block_seal_format1(number, block, bytes);
		return;
	}
	header.bytes = htole32((uint32_t)bytes);
	memcpy(block, &header, sizeof(header));
	if (le32toh(header.head_bytes) < sizeof(header) || le32toh(header.head_bytes) > bytes)
		return;
	for (size_t i = 0, at = sizeof(header);
	     i < le16toh(header.sections) &&
	     le32toh(header.entry_bytes) >= sizeof(struct block_entry) &&
	     at + sizeof(struct block_entry) <= le32toh(header.head_bytes);
	     i++, at += le32toh(header.entry_bytes))
		reseal_section(block, bytes, block + at);
	weir_block_seal(number, block, bytes);
}

int weir_block_open_addresses(struct weir_block_reader *reader)
{
	const struct section *section = &reader->dictionary;
	int ret = 0;

	if (reader->searchable)
		return 0;
	if (!section->present)
		return -EBADMSG;
	ret = weir_block_check_section(reader, &reader->dictionary);
	if (!ret)
		ret = weir_addresses_open(&reader->addresses, reader->data + section->entry.offset,
					  section->entry.bytes);
	reader->searchable = !ret;
	return ret;
}

enum weir_address_side weir_block_side(enum weir_column_id id)
{
	return id == WEIR_COLUMN_SRC_ADDR ? WEIR_ADDRESS_SRC : WEIR_ADDRESS_DST;
}

bool weir_block_range(struct weir_block_reader *reader, enum weir_column_id id, uint64_t *min,
		      uint64_t *max)
{
	const struct weir_column *column = weir_column_find(id);

	if (!column || !column->number)
		return false;
	*min = reader->columns[id].entry.min;
	*max = reader->columns[id].entry.max;
	/* Format 1 has no ranges, but a column that is not there is zero. */
	return !reader->columns[id].present || reader->header.version > 1;
}

static weir_address mask_of(unsigned bits)
{
	return bits ? ~(weir_address)0 << (128 - (bits > 128 ? 128 : bits)) : 0;
}

int weir_block_prefix(struct weir_block_reader *reader, enum weir_column_id id,
		      const uint8_t address[16], unsigned bits, uint32_t *first, uint32_t *end)
{
	weir_address mask = mask_of(bits), low = weir_address_load(address) & mask;
	int ret;

	if (id > WEIR_COLUMN_DST_ADDR || reader->header.version == 1)
		return -ENODATA;
	ret = weir_block_open_addresses(reader);
	if (!ret)
		weir_addresses_range(&reader->addresses, weir_block_side(id), low, low | ~mask,
				     first, end);
	return ret;
}

bool weir_block_may_hold_prefix(struct weir_block_reader *reader, enum weir_column_id id,
				const uint8_t address[16], unsigned bits)
{
	weir_address mask = mask_of(bits), low = weir_address_load(address) & mask;

	/* What is damaged is found when it is decoded, and counted then. */
	if (id > WEIR_COLUMN_DST_ADDR || reader->header.version == 1 ||
	    weir_block_open_addresses(reader))
		return true;
	return weir_addresses_hold(&reader->addresses, weir_block_side(id), low, low | ~mask);
}

static bool any_bit(const uint8_t *bits, uint32_t first, uint32_t last)
{
	for (; first <= last; first++)
		if (bits[first / 8] >> first % 8 & 1)
			return true;
	return false;
}

bool weir_block_may_hold_number(struct weir_block_reader *reader, enum weir_column_id id,
				uint64_t low, uint64_t high)
{
	const uint8_t *filter = reader->data + reader->columns[id].entry.filter;
	uint64_t min, max;

	if (!weir_block_range(reader, id, &min, &max))
		return true;
	low = low < min ? min : low;
	high = high > max ? max : high;
	if (low > high)
		return false;
	if (!reader->columns[id].entry.filter || high > UINT16_MAX)
		return true;
	if (high < 1024)
		return any_bit(filter, (uint32_t)low, (uint32_t)high);
	return any_bit(filter + 128, (uint32_t)low / 64, (uint32_t)high / 64);
}

static const char *codec_name(const struct block_entry *entry)
{
	static const char *const names[WEIR_CODEC_END] = {
		[WEIR_CODEC_PLAIN] = "plain",
		[WEIR_CODEC_FRAME] = "frame",
		[WEIR_CODEC_DICTIONARY] = "dictionary",
		[WEIR_CODEC_FREQUENT] = "frequent",
		[WEIR_CODEC_DELTA] = "delta",
		[WEIR_CODEC_MAP] = "map",
		[WEIR_CODEC_RUNS] = "runs",
		[WEIR_CODEC_ASCENDING] = "ascending",
		[WEIR_CODEC_CODES] = "codes",
	};

	if (!entry->bytes)
		return "constant";
	return entry->codec < WEIR_CODEC_END ? names[entry->codec] : "unknown";
}

unsigned weir_block_sections(const struct weir_block_reader *reader,
			     struct weir_block_section sections[WEIR_BLOCK_SECTIONS_MAX])
{
	const struct block_header *header = &reader->header;
	uint32_t head = header->version > 1 ? header->head_bytes
					    : BLOCK1_HEADER_BYTES + BLOCK1_CHECKSUM_BYTES +
						      header->sections * header->entry_bytes;
	unsigned count = 0;

	sections[count++] = (struct weir_block_section){"head", "-", 0, head};
	if (reader->dictionary.present)
		sections[count++] = (struct weir_block_section){"addresses", "sorted", 0,
								reader->dictionary.entry.bytes};
	for (unsigned id = 1; id < WEIR_COLUMN_END; id++) {
		const struct section *section = &reader->columns[id];

		if (section->present)
			sections[count++] = (struct weir_block_section){
				weir_column_find(id)->name, codec_name(&section->entry),
				section->entry.base, section->entry.bytes};
	}
	return count;
}

uint32_t weir_block_column_bytes(const struct weir_block_reader *reader, enum weir_column_id id)
{
	uint32_t bytes = reader->columns[id].entry.bytes;

	return id == WEIR_COLUMN_SRC_ADDR ? bytes + reader->dictionary.entry.bytes : bytes;
}
