// SPDX-License-Identifier: GPL-2.0
/*
 * block.c - encode and decode one block.
 *
 *   header     32 bytes: magic, version, columns, count, directory bytes, min_ns, max_ns
 *   directory  16 bytes for each column: id, codec, offset, bytes
 *   columns    where the directory says, in any order
 *   checksum   XXH3-64 of all before it, seeded with the block's number
 *
 * The directory is what later versions grow by: a column with an unknown id is
 * passed over, one that is missing reads as zero, a new codec needs a reader that
 * knows it. Only a change of the header itself needs a new version.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "daemon/store/block.h"
#include "daemon/store/column.h"

enum {
	MAGIC = 0x4b4c4257, /* "WBLK" */
	CODEC_PLAIN = 0,
	CHECKSUM_BYTES = 8,
	COLUMNS_MAX = 1024,
	RECORDS_MAX = 65536,
	/* Records handled column after column before the next ones: their structs
	 * (68 KB) stay in the second-level cache for all 27 passes. */
	STRIDE = 512,
};

struct header {
	uint32_t magic;
	uint16_t version;
	uint16_t columns;
	uint32_t count;
	uint32_t entry_bytes; /* of one directory entry, may grow */
	uint64_t min_ns;
	uint64_t max_ns;
};

struct entry {
	uint16_t id;
	uint16_t codec;
	uint32_t reserved;
	uint32_t offset; /* from the start of the block */
	uint32_t bytes;
};

_Static_assert(sizeof(struct header) == 32, "on disk");
_Static_assert(sizeof(struct entry) == 16, "on disk");

static size_t columns_start(void)
{
	return sizeof(struct header) + weir_column_count * sizeof(struct entry);
}

size_t weir_block_bytes(size_t count)
{
	size_t width = 0;

	for (unsigned i = 0; i < weir_column_count; i++)
		width += weir_column_table[i].width;
	return columns_start() + count * width + CHECKSUM_BYTES;
}

static uint64_t checksum(uint64_t number, const uint8_t *block, size_t bytes)
{
	return XXH3_64bits_withSeed(block, bytes - CHECKSUM_BYTES, number);
}

void weir_block_seal(uint64_t number, uint8_t *block, size_t bytes)
{
	uint64_t sum = htole64(checksum(number, block, bytes));

	memcpy(block + bytes - CHECKSUM_BYTES, &sum, sizeof(sum));
}

static struct weir_block_times span(const struct weir_flow *flows, size_t count)
{
	struct weir_block_times times = {UINT64_MAX, 0};

	for (size_t i = 0; i < count; i++) {
		if (flows[i].start_ns < times.min_ns)
			times.min_ns = flows[i].start_ns;
		if (flows[i].end_ns > times.max_ns)
			times.max_ns = flows[i].end_ns;
	}
	/* A clock that was set back between first and last packet. */
	if (times.min_ns > times.max_ns)
		times.max_ns = times.min_ns;
	return times;
}

void weir_block_encode(uint64_t number, const struct weir_flow *flows, size_t count, uint8_t *to,
		       struct weir_block_times *times)
{
	size_t offset = columns_start();
	struct header header;

	*times = span(flows, count);
	header = (struct header){
		.magic = htole32(MAGIC),
		.version = htole16(WEIR_BLOCK_VERSION),
		.columns = htole16(weir_column_count),
		.count = htole32(count),
		.entry_bytes = htole32(sizeof(struct entry)),
		.min_ns = htole64(times->min_ns),
		.max_ns = htole64(times->max_ns),
	};
	memcpy(to, &header, sizeof(header));
	for (unsigned i = 0; i < weir_column_count; i++) {
		const struct weir_column *column = &weir_column_table[i];
		struct entry entry = {
			.id = htole16(column->id),
			.codec = htole16(CODEC_PLAIN),
			.offset = htole32(offset),
			.bytes = htole32(count * column->width),
		};

		memcpy(to + sizeof(header) + i * sizeof(entry), &entry, sizeof(entry));
		offset += count * column->width;
	}
	for (size_t at = 0; at < count; at += STRIDE) {
		size_t some = count - at < STRIDE ? count - at : STRIDE;

		offset = columns_start();
		for (unsigned i = 0; i < weir_column_count; i++) {
			const struct weir_column *column = &weir_column_table[i];

			weir_column_pack(column, flows + at, some,
					 to + offset + at * column->width);
			offset += count * column->width;
		}
	}
	weir_block_seal(number, to, offset + CHECKSUM_BYTES);
}

struct weir_block_reader {
	const uint8_t *data;
	struct header header;
	uint64_t decoded; /* columns that are in vectors[] */
	const uint8_t *columns[WEIR_COLUMN_END]; /* NULL: not in this block */
	struct weir_vector vectors[WEIR_COLUMN_END];
	void *room[WEIR_COLUMN_END]; /* for the values of vectors[], if they are copied */
};

int weir_block_reader_new(struct weir_block_reader **reader)
{
	*reader = calloc(1, sizeof(**reader));
	return *reader ? 0 : -ENOMEM;
}

void weir_block_reader_free(struct weir_block_reader *reader)
{
	if (!reader)
		return;
	for (unsigned i = 0; i < WEIR_COLUMN_END; i++)
		free(reader->room[i]);
	free(reader);
}

static int read_header(uint64_t number, const uint8_t *from, size_t bytes, struct header *header)
{
	uint64_t sum;

	if (bytes < sizeof(*header) + CHECKSUM_BYTES)
		return -EBADMSG;
	memcpy(&sum, from + bytes - CHECKSUM_BYTES, sizeof(sum));
	if (le64toh(sum) != checksum(number, from, bytes))
		return -EBADMSG;
	memcpy(header, from, sizeof(*header));
	header->magic = le32toh(header->magic);
	header->version = le16toh(header->version);
	header->columns = le16toh(header->columns);
	header->count = le32toh(header->count);
	header->entry_bytes = le32toh(header->entry_bytes);
	header->min_ns = le64toh(header->min_ns);
	header->max_ns = le64toh(header->max_ns);
	if (header->magic != MAGIC)
		return -EBADMSG;
	if (header->version != WEIR_BLOCK_VERSION)
		return -ENOTSUP;
	if (header->entry_bytes < sizeof(struct entry) || header->entry_bytes > 4096 ||
	    header->columns > COLUMNS_MAX || !header->count || header->count > RECORDS_MAX)
		return -EBADMSG;
	return 0;
}

static int read_directory(struct weir_block_reader *reader, size_t end)
{
	const struct header *header = &reader->header;

	memset(reader->columns, 0, sizeof(reader->columns));
	if (sizeof(*header) + (size_t)header->columns * header->entry_bytes > end)
		return -EBADMSG;
	for (unsigned i = 0; i < header->columns; i++) {
		const struct weir_column *column;
		struct entry entry;
		size_t offset, bytes;

		memcpy(&entry, reader->data + sizeof(*header) + (size_t)i * header->entry_bytes,
		       sizeof(entry));
		offset = le32toh(entry.offset);
		bytes = le32toh(entry.bytes);
		if (offset > end || bytes > end - offset)
			return -EBADMSG;
		column = weir_column_find(le16toh(entry.id));
		if (!column)
			continue;
		if (le16toh(entry.codec) != CODEC_PLAIN)
			return -ENOTSUP;
		if (bytes != (size_t)header->count * column->width || reader->columns[column->id])
			return -EBADMSG;
		reader->columns[column->id] = reader->data + offset;
	}
	return 0;
}

int weir_block_open(struct weir_block_reader *reader, uint64_t number, const uint8_t *from,
		    size_t bytes)
{
	int ret = read_header(number, from, bytes, &reader->header);

	reader->data = from;
	reader->decoded = 0;
	return ret ? ret : read_directory(reader, bytes - CHECKSUM_BYTES);
}

uint32_t weir_block_count(const struct weir_block_reader *reader)
{
	return reader->header.count;
}

struct weir_block_times weir_block_times(const struct weir_block_reader *reader)
{
	return (struct weir_block_times){reader->header.min_ns, reader->header.max_ns};
}

uint32_t weir_block_column_bytes(const struct weir_block_reader *reader, enum weir_column_id id)
{
	return reader->columns[id] ? reader->header.count * weir_column_find(id)->width : 0;
}

bool weir_block_range(struct weir_block_reader *reader, enum weir_column_id id, uint64_t *min,
		      uint64_t *max)
{
	const struct weir_column *column = weir_column_find(id);

	if (!column || !column->number || reader->columns[id])
		return false;
	*min = *max = 0;
	return true;
}

bool weir_block_may_hold_prefix(struct weir_block_reader *reader, enum weir_column_id id,
				const uint8_t address[16], unsigned bits)
{
	return true;
}

bool weir_block_may_hold_number(struct weir_block_reader *reader, enum weir_column_id id,
				uint64_t low, uint64_t high)
{
	uint64_t min, max;

	return !weir_block_range(reader, id, &min, &max) || (low <= max && high >= min);
}

/* What is on disk is neither aligned nor in host order everywhere. */
static int decode_plain(struct weir_block_reader *reader, const struct weir_column *column,
			struct weir_vector *vector)
{
	const uint8_t *from = reader->columns[column->id];

	if (!reader->room[column->id])
		reader->room[column->id] = malloc((size_t)RECORDS_MAX * column->width);
	if (!reader->room[column->id])
		return -ENOMEM;
	memcpy(reader->room[column->id], from, (size_t)reader->header.count * column->width);
	if (column->number)
		weir_column_to_host(reader->room[column->id], column->width, reader->header.count);
	vector->form = WEIR_VECTOR_NUMBERS;
	vector->values = reader->room[column->id];
	return 0;
}

int weir_block_column(struct weir_block_reader *reader, enum weir_column_id id,
		      struct weir_vector *vector)
{
	static const uint64_t zero[2];
	const struct weir_column *column = weir_column_find(id);
	struct weir_vector *decoded;
	int ret;

	if (!column)
		return -EINVAL;
	decoded = &reader->vectors[id];
	if (!(reader->decoded & WEIR_COLUMN_BIT(id))) {
		*decoded = (struct weir_vector){.form = WEIR_VECTOR_CONSTANT,
						.width = column->width,
						.count = reader->header.count,
						.values = zero};
		ret = reader->columns[id] ? decode_plain(reader, column, decoded) : 0;
		if (ret)
			return ret;
		reader->decoded |= WEIR_COLUMN_BIT(id);
	}
	*vector = *decoded;
	return 0;
}

int weir_block_rows(struct weir_block_reader *reader, uint64_t columns, struct weir_flow *flows)
{
	uint32_t count = reader->header.count;
	struct weir_vector vector;

	for (unsigned id = 1; id < WEIR_COLUMN_END; id++) {
		int ret = columns & WEIR_COLUMN_BIT(id) ? weir_block_column(reader, id, &vector) :
							  0;

		if (ret)
			return ret;
	}
	/* Padding and columns that are missing or not asked for read as zero. */
	memset(flows, 0, count * sizeof(*flows));
	for (uint32_t at = 0; at < count; at += STRIDE) {
		uint32_t some = count - at < STRIDE ? count - at : STRIDE;

		for (unsigned id = 1; id < WEIR_COLUMN_END; id++)
			if (columns & WEIR_COLUMN_BIT(id) && reader->columns[id])
				weir_vector_scatter(&reader->vectors[id], id, at, some, flows + at);
	}
	return 0;
}
