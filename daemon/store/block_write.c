// SPDX-License-Identifier: GPL-2.0
/*
 * block_write.c - records into a block.
 *
 * Rows are sorted by source, then destination address: then sources cost next to nothing, and
 * whatever depends on who talks to whom lies together. They are cut into columns some at a time,
 * from the first-level cache.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/address.h"
#include "daemon/store/block.h"
#include "daemon/store/block_disk.h"
#include "daemon/store/choose.h"

enum {
	COLUMNS = WEIR_COLUMN_SAMPLING - WEIR_COLUMN_DST_ADDR - 1, /* that are always cut */
	/* Rows fetched between two columns: more at a time would wait for each other. */
	FETCH = 6,
	STRIDE = FETCH * COLUMNS, /* rows cut at a time, while the next ones come into the cache */
	/* A filter is not worth its bytes in a block that has fewer records. */
	FILTER_RECORDS_MIN = 4096,
};

struct weir_block_writer {
	struct weir_address_maker *addresses;
	struct weir_coder *coder;
	struct weir_chooser *chooser;
	struct weir_codec_choice forced[WEIR_COLUMN_END];
	struct weir_codec_rows rows;
	struct weir_bytes block, trial;
	struct block_entry entries[WEIR_COLUMN_END + 1];
	unsigned sections;
	bool tail; /* some record has something in it */
	uint16_t order[WEIR_BLOCK_RECORDS_MAX], half_order[WEIR_BLOCK_RECORDS_MAX];
	uint16_t codes[WEIR_ADDRESS_SIDES][WEIR_BLOCK_RECORDS_MAX];
	uint32_t starts[WEIR_BLOCK_RECORDS_MAX];
};

/* A plane has to save one part of so many to be compressed. In addresses and ports there are planes
 * that are half noise, which save a fifth or less. Nearly every query reads them: left as they
 * are they make a block 2 % larger, and a filter on ports and addresses a fifth faster. */
static const struct {
	unsigned key_parts, parts;
} expected[] = {
	[WEIR_BLOCK_LEVEL_NONE] = {0, 0},
	[WEIR_BLOCK_LEVEL_HOT] = {5, 32},
	[WEIR_BLOCK_LEVEL_COLD] = {32, 32},
};

int weir_block_writer_new(enum weir_block_level level, struct weir_block_writer **writer)
{
	struct weir_block_writer *new = calloc(1, sizeof(*new));
	int ret = new ? 0 : -ENOMEM;

	if (!ret)
		ret = weir_address_maker_new(&new->addresses);
	if (!ret)
		ret = weir_coder_new(expected[level].key_parts, expected[level].parts, &new->coder);
	if (!ret)
		ret = weir_chooser_new(level == WEIR_BLOCK_LEVEL_COLD, &new->chooser);
	for (unsigned id = WEIR_COLUMN_DST_ADDR + 1; id < WEIR_COLUMN_END && !ret; id++) {
		new->rows.values[id] =
			calloc(1, (size_t)WEIR_BLOCK_RECORDS_MAX * weir_column_find(id)->width + 2);
		if (!new->rows.values[id])
			ret = -ENOMEM;
	}
	if (ret) {
		weir_block_writer_free(new);
		return ret;
	}
	*writer = new;
	return 0;
}

void weir_block_writer_free(struct weir_block_writer *writer)
{
	if (!writer)
		return;
	for (unsigned id = 0; id < WEIR_COLUMN_END; id++)
		free(writer->rows.values[id]);
	weir_bytes_free(&writer->block);
	weir_bytes_free(&writer->trial);
	weir_chooser_free(writer->chooser);
	weir_coder_free(writer->coder);
	weir_address_maker_free(writer->addresses);
	free(writer);
}

void weir_block_force(struct weir_block_writer *writer, enum weir_column_id id,
		      struct weir_codec_choice choice)
{
	writer->forced[id] = choice;
}

/* @to: the rows of @from (NULL: as they are) in the order of their @codes, else as they were. */
static void sort_by(struct weir_block_writer *writer, const uint16_t *codes, uint32_t entries,
		    const uint16_t *from, uint16_t *to)
{
	uint32_t *starts = writer->starts, sum = 0, count = writer->rows.count;

	memset(starts, 0, entries * sizeof(*starts));
	for (uint32_t i = 0; i < count; i++)
		starts[codes[i]]++;
	for (uint32_t i = 0; i < entries; i++) {
		uint32_t here = starts[i];

		starts[i] = sum;
		sum += here;
	}
	for (uint32_t i = 0; i < count; i++) {
		uint16_t row = from ? from[i] : (uint16_t)i;

		to[starts[codes[row]]++] = row;
	}
}

static void sort(struct weir_block_writer *writer, const struct weir_flow *flows)
{
	static const enum weir_column_id ids[] = {WEIR_COLUMN_SRC_ADDR, WEIR_COLUMN_DST_ADDR};
	struct weir_address_maker *addresses = writer->addresses;
	uint32_t count = writer->rows.count;

	weir_address_make(addresses, flows, count);
	sort_by(writer, weir_address_codes(addresses, WEIR_ADDRESS_DST),
		weir_address_entries(addresses, WEIR_ADDRESS_DST), NULL, writer->half_order);
	sort_by(writer, weir_address_codes(addresses, WEIR_ADDRESS_SRC),
		weir_address_entries(addresses, WEIR_ADDRESS_SRC), writer->half_order,
		writer->order);
	for (unsigned side = 0; side < WEIR_ADDRESS_SIDES; side++) {
		const uint16_t *codes = weir_address_codes(addresses, side);
		uint16_t *ordered = writer->codes[side];

		for (uint32_t i = 0; i < count; i++)
			ordered[i] = codes[writer->order[i]];
		writer->rows.codes[ids[side]] = writer->codes[side];
		writer->rows.entries[ids[side]] = weir_address_entries(addresses, side);
	}
}

#define CUT(bytes)                                                                                 \
	for (uint32_t i = 0; i < count; i++)                                                       \
	memcpy(to + (size_t)i * (bytes), rows[i] + column->offset, bytes)

static inline void cut_column(const struct weir_column *column, const uint8_t *const *rows, uint32_t count,
		       uint8_t *to)
{
	switch (column->width) {
	case 1:
		CUT(1);
		break;
	case 2:
		CUT(2);
		break;
	case 4:
		CUT(4);
		break;
	case 6:
		CUT(6);
		break;
	default:
		CUT(8);
		break;
	}
}

/* Where rows @first .. @first + @count are; on their way into the cache from now on. */
static void fetch(const struct weir_block_writer *writer, const struct weir_flow *flows,
		  uint32_t first, uint32_t count, const uint8_t **rows)
{
	for (uint32_t i = 0; i < count; i++) {
		rows[i] = (const uint8_t *)&flows[writer->order[first + i]];
		/* Addresses, the first 32 bytes, are done with. */
		__builtin_prefetch(rows[i] + 32);
		__builtin_prefetch(rows[i] + 96);
		__builtin_prefetch(rows[i] + sizeof(*flows) - 1);
	}
}

/* Whether there is something in the tail of any row. It is asked of every record: 60 bytes in
 * four pieces of 16, of which the last two share four bytes. */
static bool any_tail(const uint8_t *const *rows, uint32_t count)
{
	typedef uint64_t piece __attribute__((vector_size(16)));
	enum { PIECES = 4, LAST = WEIR_FLOW_TAIL_BYTES - sizeof(piece) };
	static const unsigned at[PIECES] = {0, 16, 32, LAST};
	piece any = {0};

	for (uint32_t i = 0; i < count; i++) {
		for (unsigned k = 0; k < PIECES; k++) {
			piece one;

			memcpy(&one, rows[i] + WEIR_FLOW_TAIL_AT + at[k], sizeof(one));
			any |= one;
		}
	}
	return any[0] | any[1];
}

/* Columns of the tail, when all others are cut and there is one. */
static void cut_tail(struct weir_block_writer *writer, const struct weir_flow *flows)
{
	for (uint32_t first = 0; first < writer->rows.count; first += STRIDE) {
		uint32_t left = writer->rows.count - first, count = left < STRIDE ? left : STRIDE;
		const uint8_t *rows[STRIDE];

		fetch(writer, flows, first, count, rows);
		for (unsigned id = WEIR_COLUMN_SAMPLING; id < WEIR_COLUMN_END; id++) {
			const struct weir_column *column = &weir_column_table[id - 1];

			cut_column(column, rows, count,
				   writer->rows.values[id] + (size_t)first * column->width);
		}
	}
}

static void cut(struct weir_block_writer *writer, const struct weir_flow *flows)
{
	const uint8_t *rows[2][STRIDE];
	uint32_t all = writer->rows.count, count = all < STRIDE ? all : STRIDE;
	bool tail = false;
	unsigned now = 0;

	fetch(writer, flows, 0, count, rows[now]);
	for (uint32_t first = 0; first < all; now = !now) {
		uint32_t next = first + count, left = all - next < STRIDE ? all - next : STRIDE;
		uint32_t fetched = 0;

		for (unsigned id = WEIR_COLUMN_DST_ADDR + 1; id < WEIR_COLUMN_SAMPLING; id++) {
			const struct weir_column *column = &weir_column_table[id - 1];
			uint32_t some = left - fetched < FETCH ? left - fetched : FETCH;

			fetch(writer, flows, next + fetched, some, rows[!now] + fetched);
			fetched += some;
			cut_column(column, rows[now], count,
				   writer->rows.values[id] + (size_t)first * column->width);
		}
		tail = tail || any_tail(rows[now], count);
		first = next;
		count = left;
	}
	writer->tail = tail;
	if (tail)
		cut_tail(writer, flows);
}

static struct weir_block_times span(const struct weir_codec_rows *rows)
{
	const uint64_t *starts = (const uint64_t *)rows->values[WEIR_COLUMN_START_NS];
	const uint64_t *ends = (const uint64_t *)rows->values[WEIR_COLUMN_END_NS];
	struct weir_block_times times = {UINT64_MAX, 0};

	for (uint32_t i = 0; i < rows->count; i++) {
		times.min_ns = starts[i] < times.min_ns ? starts[i] : times.min_ns;
		times.max_ns = ends[i] > times.max_ns ? ends[i] : times.max_ns;
	}
	/* A clock that was set back between first and last packet. */
	if (times.min_ns > times.max_ns)
		times.max_ns = times.min_ns;
	return times;
}

static void add_entry(struct weir_block_writer *writer, struct block_entry entry, size_t offset)
{
	uint32_t bytes = (uint32_t)(writer->block.count - offset);

	entry.offset = htole32((uint32_t)offset);
	entry.bytes = htole32(bytes);
	if (!writer->block.error)
		entry.checksum = htole64(
			weir_block_section_checksum(entry.id, writer->block.data + offset, bytes));
	entry.id = htole16(entry.id);
	entry.min = htole64(entry.min);
	entry.max = htole64(entry.max);
	writer->entries[writer->sections++] = entry;
}

static void write_column(struct weir_block_writer *writer, enum weir_column_id id)
{
	struct block_entry entry = {.id = (uint16_t)id};
	struct weir_codec_choice choice = writer->forced[id];
	size_t offset = writer->block.count;

	weir_coder_load(writer->coder, &writer->rows, id, &entry.min, &entry.max);
	/* A column that is missing reads as zero, one without bytes as its least value. */
	if (id > WEIR_COLUMN_DST_ADDR && !entry.max)
		return;
	if (id <= WEIR_COLUMN_DST_ADDR || entry.min != entry.max) {
		if (!choice.codec || !weir_coder_write(writer->coder, choice, &writer->block))
			choice = weir_chooser_write(writer->chooser, writer->coder, id,
						    writer->rows.count, &writer->block);
		entry.codec = choice.codec;
		entry.base = choice.base;
	} else {
		entry.codec = WEIR_CODEC_FRAME;
	}
	add_entry(writer, entry, offset);
}

static void put_filter(struct weir_block_writer *writer, enum weir_column_id id, uint8_t *filter)
{
	const uint16_t *ports = (const uint16_t *)writer->rows.values[id];
	uint32_t count = writer->rows.count;

	memset(filter, 0, BLOCK_FILTER_BYTES);
	for (uint32_t i = 0; i < count; i++) {
		uint16_t port = ports[i];

		if (port < 1024)
			filter[port / 8] |= 1 << port % 8;
		filter[128 + port / 512] |= 1 << port / 64 % 8;
	}
}

/* Directory and filters go between header and sections; room for all is left before. */
static size_t put_head(struct weir_block_writer *writer, struct block_header *header)
{
	size_t at = BLOCK_HEADER_BYTES + writer->sections * sizeof(struct block_entry);

	for (unsigned i = 0; i < writer->sections; i++) {
		uint16_t id = le16toh(writer->entries[i].id);

		if ((id != WEIR_COLUMN_SRC_PORT && id != WEIR_COLUMN_DST_PORT) ||
		    !writer->entries[i].bytes || writer->rows.count < FILTER_RECORDS_MIN)
			continue;
		put_filter(writer, id, writer->block.data + at);
		writer->entries[i].filter = htole32((uint32_t)at);
		at += BLOCK_FILTER_BYTES;
	}
	header->head_bytes = htole32((uint32_t)at);
	memcpy(writer->block.data, header, sizeof(*header));
	memcpy(writer->block.data + BLOCK_HEADER_BYTES, writer->entries,
	       writer->sections * sizeof(struct block_entry));
	return at;
}

/* Offsets were counted from behind the most that a head can take: close the gap. */
static void close_gap(struct weir_block_writer *writer, size_t room, size_t head_bytes)
{
	uint32_t gap = (uint32_t)(room - head_bytes);

	memmove(writer->block.data + head_bytes, writer->block.data + room,
		writer->block.count - room);
	writer->block.count -= gap;
	for (unsigned i = 0; i < writer->sections; i++) {
		uint8_t *at = writer->block.data + BLOCK_HEADER_BYTES +
			      i * sizeof(struct block_entry) + offsetof(struct block_entry, offset);
		uint32_t offset = htole32(le32toh(writer->entries[i].offset) - gap);

		memcpy(at, &offset, sizeof(offset));
	}
}

int weir_block_write(struct weir_block_writer *writer, const struct weir_flow *flows, size_t count,
		     uint8_t **block, size_t *bytes, struct weir_block_times *times)
{
	static const size_t room = BLOCK_HEADER_BYTES + 2 * BLOCK_FILTER_BYTES +
				   (WEIR_COLUMN_END + 1) * sizeof(struct block_entry);
	struct block_header header = {.magic = htole32(BLOCK_MAGIC),
				      .version = htole16(WEIR_BLOCK_VERSION),
				      .entry_bytes = htole32(sizeof(struct block_entry))};
	size_t head_bytes;
	uint32_t total;

	if (!count || count > WEIR_BLOCK_RECORDS_MAX)
		return -EINVAL;
	writer->rows.count = (uint32_t)count;
	writer->sections = 0;
	sort(writer, flows);
	cut(writer, flows);
	*times = span(&writer->rows);
	weir_bytes_reset(&writer->block);
	weir_bytes_add(&writer->block, room);
	weir_address_write(writer->addresses, &writer->block);
	add_entry(writer, (struct block_entry){.id = BLOCK_SECTION_ADDRESSES}, room);
	for (unsigned id = 1; id < (writer->tail ? WEIR_COLUMN_END : WEIR_COLUMN_SAMPLING); id++)
		write_column(writer, id);
	if (writer->block.error)
		return writer->block.error;
	header.count = htole32((uint32_t)count);
	header.sections = htole16((uint16_t)writer->sections);
	header.min_ns = htole64(times->min_ns);
	header.max_ns = htole64(times->max_ns);
	head_bytes = put_head(writer, &header);
	close_gap(writer, room, head_bytes);
	total = htole32((uint32_t)writer->block.count);
	memcpy(writer->block.data + offsetof(struct block_header, bytes), &total, sizeof(total));
	*block = writer->block.data;
	*bytes = writer->block.count;
	return 0;
}

void weir_block_seal(uint64_t number, uint8_t *block, size_t bytes)
{
	uint32_t head_bytes;
	uint64_t sum;

	memcpy(&head_bytes, block + offsetof(struct block_header, head_bytes), sizeof(head_bytes));
	sum = htole64(weir_block_head_checksum(number, block, le32toh(head_bytes)));
	memcpy(block + BLOCK_CHECKSUM_AT, &sum, sizeof(sum));
}
