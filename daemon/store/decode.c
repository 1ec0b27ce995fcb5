// SPDX-License-Identifier: GPL-2.0
/*
 * decode.c - reading columns; codec.c writes them.
 *
 * All goes by chunks that stay in the first-level cache, and the inner loops are plain,
 * so that the compiler makes vector code of them. Bytes are not trusted: whatever they
 * say, codes stay below entries, and no more is written than there are records.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/decode.h"

enum { CHUNK = WEIR_PACK_CHUNK };

/* least + divisor * number */
struct frame {
	uint64_t min, divisor;
	struct weir_packed packed;
};

int weir_decode_room_values(struct weir_decode_room *room, unsigned width)
{
	if (!room->values)
		room->values = malloc((size_t)WEIR_DECODE_ROOM * width);
	return room->values ? 0 : -ENOMEM;
}

int weir_decode_room_codes(struct weir_decode_room *room)
{
	if (!room->codes)
		room->codes = malloc(WEIR_DECODE_ROOM * sizeof(*room->codes));
	return room->codes ? 0 : -ENOMEM;
}

static uint32_t chunk_count(uint32_t count, uint32_t first)
{
	return count - first < CHUNK ? count - first : CHUNK;
}

#define STORE(type)                                                                                \
	for (uint32_t i = 0; i < count; i++)                                                       \
	((type *)to)[first + i] = (type)numbers[i]

/* Put numbers where records @first on have their values. */
static void store(const struct weir_column *column, const uint64_t *numbers, uint32_t first,
		  uint32_t count, uint8_t *to)
{
	if (!column->number) {
		for (uint32_t i = 0; i < count; i++)
			weir_column_put(column, numbers[i], to + (size_t)(first + i) * column->width);
		return;
	}
	switch (column->width) {
	case 1:
		STORE(uint8_t);
		break;
	case 2:
		STORE(uint16_t);
		break;
	case 4:
		STORE(uint32_t);
		break;
	default:
		STORE(uint64_t);
		break;
	}
}

static int open_frame(struct weir_decode *d, uint32_t count, struct frame *frame)
{
	frame->min = weir_cursor_number(&d->from, 8);
	frame->divisor = weir_cursor_number(&d->from, 8);
	return weir_unpack(d->unpacker, &d->from, count, &frame->packed);
}

static void read_frame(const struct frame *frame, uint32_t first, uint32_t count,
		       uint64_t *numbers)
{
	weir_packed_read(&frame->packed, first, count, numbers);
	if (frame->divisor == 1)
		for (uint32_t i = 0; i < count; i++)
			numbers[i] += frame->min;
	else
		for (uint32_t i = 0; i < count; i++)
			numbers[i] = frame->min + frame->divisor * numbers[i];
}

static int decode_frame(struct weir_decode *d, struct weir_vector *vector)
{
	uint64_t numbers[CHUNK];
	struct frame frame;
	int ret = open_frame(d, d->count, &frame);

	if (!ret)
		ret = weir_decode_room_values(d->room, d->column->width);
	if (ret)
		return ret;
	for (uint32_t first = 0; first < d->count; first += CHUNK) {
		uint32_t count = chunk_count(d->count, first);

		read_frame(&frame, first, count, numbers);
		store(d->column, numbers, first, count, d->room->values);
	}
	vector->form = WEIR_VECTOR_NUMBERS;
	vector->values = d->room->values;
	return 0;
}

/* Codes of all records into the room, each below @entries. */
static int read_codes(struct weir_decode *d, const struct weir_packed *packed, uint32_t entries)
{
	uint16_t *codes;
	int ret = weir_decode_room_codes(d->room);

	if (ret)
		return ret;
	codes = d->room->codes;
	for (uint32_t first = 0; first < d->count; first += CHUNK) {
		uint32_t count = chunk_count(d->count, first), greatest = 0;

		weir_packed_read16(packed, first, count, codes + first);
		for (uint32_t i = 0; i < count; i++)
			greatest = codes[first + i] > greatest ? codes[first + i] : greatest;
		if (greatest >= entries)
			return -EBADMSG;
	}
	return 0;
}

static int decode_dictionary(struct weir_decode *d, struct weir_vector *vector)
{
	uint32_t entries = (uint32_t)weir_cursor_number(&d->from, 2);
	uint64_t last = 0, numbers[256];
	struct weir_packed packed;
	int ret;

	if (!entries || entries > 256)
		return -EBADMSG;
	for (uint32_t i = 0; i < entries; i++) {
		numbers[i] = weir_cursor_number(&d->from, d->column->width);
		if (i && numbers[i] <= last)
			return -EBADMSG;
		last = numbers[i];
	}
	ret = weir_unpack(d->unpacker, &d->from, d->count, &packed);
	if (!ret)
		ret = read_codes(d, &packed, entries);
	if (!ret)
		ret = weir_decode_room_values(d->room, d->column->width);
	if (ret)
		return ret;
	store(d->column, numbers, 0, entries, d->room->values);
	vector->form = WEIR_VECTOR_DICTIONARY;
	vector->entries = entries;
	vector->codes = d->room->codes;
	vector->values = d->room->values;
	return 0;
}

/* One of the numbers that are not among the frequent ones, after another. */
struct others {
	struct frame frame;
	uint32_t count, next;
	uint64_t numbers[CHUNK];
};

static void refill(struct others *others)
{
	uint32_t count = chunk_count(others->count, others->next);

	read_frame(&others->frame, others->next, count, others->numbers);
}

static int fill_frequent(struct weir_decode *d, const struct weir_packed *packed,
			 const uint64_t *values, unsigned used, struct others *others)
{
	uint64_t numbers[CHUNK];
	uint16_t codes[CHUNK];

	for (uint32_t first = 0; first < d->count; first += CHUNK) {
		uint32_t count = chunk_count(d->count, first);

		weir_packed_read16(packed, first, count, codes);
		for (uint32_t i = 0; i < count; i++) {
			if (codes[i] < used) {
				numbers[i] = values[codes[i]];
				continue;
			}
			if (others->next == others->count)
				return -EBADMSG;
			if (others->next % CHUNK == 0)
				refill(others);
			numbers[i] = others->numbers[others->next++ % CHUNK];
		}
		store(d->column, numbers, first, count, d->room->values);
	}
	return others->next == others->count ? 0 : -EBADMSG;
}

static int decode_frequent(struct weir_decode *d, struct weir_vector *vector)
{
	unsigned used = (unsigned)weir_cursor_number(&d->from, 1);
	struct weir_packed packed;
	struct others others;
	uint64_t values[256];
	int ret;

	for (unsigned i = 0; i < used; i++)
		values[i] = weir_cursor_number(&d->from, 2);
	ret = weir_unpack(d->unpacker, &d->from, d->count, &packed);
	others.count = (uint32_t)weir_cursor_number(&d->from, 4);
	others.next = 0;
	if (ret || others.count > d->count)
		return ret ? ret : -EBADMSG;
	ret = open_frame(d, others.count, &others.frame);
	if (!ret)
		ret = weir_decode_room_values(d->room, d->column->width);
	if (!ret)
		ret = fill_frequent(d, &packed, values, used, &others);
	vector->form = WEIR_VECTOR_NUMBERS;
	vector->values = d->room->values;
	return ret;
}

/* Records @first on of the column that differences are to. */
static void read_base(const struct weir_vector *base, uint32_t first, uint32_t count,
		      uint64_t *numbers)
{
	if (base->form == WEIR_VECTOR_NUMBERS && base->width == 8)
		memcpy(numbers, (const uint64_t *)base->values + first, count * sizeof(*numbers));
	else
		for (uint32_t i = 0; i < count; i++)
			numbers[i] = weir_vector_number(base, first + i);
}

enum { DELTA_BELOW = 1, DELTA_NONE = 2 };

static int decode_delta(struct weir_decode *d, struct weir_vector *vector)
{
	unsigned flags = (unsigned)weir_cursor_number(&d->from, 1);
	uint64_t numbers[CHUNK], bases[CHUNK], sign = flags & DELTA_BELOW ? UINT64_MAX : 0;
	uint64_t none = flags & DELTA_NONE ? UINT64_MAX : 0;
	struct frame frame;
	int ret = d->base->width > 8 ? -EBADMSG : open_frame(d, d->count, &frame);

	if (!ret)
		ret = weir_decode_room_values(d->room, d->column->width);
	if (ret)
		return ret;
	for (uint32_t first = 0; first < d->count; first += CHUNK) {
		uint32_t count = chunk_count(d->count, first);

		weir_packed_read(&frame.packed, first, count, numbers);
		read_base(d->base, first, count, bases);
		for (uint32_t i = 0; i < count; i++) {
			uint64_t mask = numbers[i] ? UINT64_MAX : ~none;
			uint64_t difference = frame.min +
					      frame.divisor * (numbers[i] - (none & 1));

			numbers[i] = (bases[i] + ((difference ^ sign) - sign)) & mask;
		}
		store(d->column, numbers, first, count, d->room->values);
	}
	vector->form = WEIR_VECTOR_NUMBERS;
	vector->values = d->room->values;
	return 0;
}

/* Values of exceptions over those of their addresses. */
static int put_exceptions(struct weir_decode *d, uint32_t exceptions)
{
	uint64_t distances[CHUNK], numbers[CHUNK], row = 0;
	struct frame rows, values;
	int ret = open_frame(d, exceptions, &rows);

	if (!ret)
		ret = open_frame(d, exceptions, &values);
	if (ret)
		return ret;
	for (uint32_t first = 0; first < exceptions; first += CHUNK) {
		uint32_t count = chunk_count(exceptions, first);

		read_frame(&rows, first, count, distances);
		read_frame(&values, first, count, numbers);
		for (uint32_t i = 0; i < count; i++) {
			if (distances[i] >= d->count - row)
				return -EBADMSG;
			row += distances[i];
			store(d->column, &numbers[i], (uint32_t)row++, 1, d->room->values);
		}
	}
	return 0;
}

static int decode_map(struct weir_decode *d, struct weir_vector *vector)
{
	uint32_t entries = d->base->entries, exceptions;
	uint64_t *table, numbers[CHUNK];
	struct frame frame;
	int ret;

	if (d->base->form != WEIR_VECTOR_DICTIONARY)
		return -EBADMSG;
	ret = open_frame(d, entries, &frame);
	exceptions = (uint32_t)weir_cursor_number(&d->from, 4);
	if (!ret && exceptions > d->count)
		ret = -EBADMSG;
	if (!ret)
		ret = weir_decode_room_values(d->room, d->column->width);
	if (ret)
		return ret;
	table = malloc(entries * sizeof(*table));
	if (!table)
		return -ENOMEM;
	for (uint32_t first = 0; first < entries; first += CHUNK)
		read_frame(&frame, first, chunk_count(entries, first), table + first);
	for (uint32_t first = 0; first < d->count; first += CHUNK) {
		uint32_t count = chunk_count(d->count, first);

		for (uint32_t i = 0; i < count; i++)
			numbers[i] = table[d->base->codes[first + i]];
		store(d->column, numbers, first, count, d->room->values);
	}
	free(table);
	vector->form = WEIR_VECTOR_NUMBERS;
	vector->values = d->room->values;
	return put_exceptions(d, exceptions);
}

static int decode_runs(struct weir_decode *d, struct weir_vector *vector)
{
	uint64_t numbers[CHUNK];
	struct weir_packed packed;
	uint32_t row = 0;
	int ret = weir_unpack(d->unpacker, &d->from, d->entries, &packed);

	if (!ret)
		ret = weir_decode_room_codes(d->room);
	if (ret)
		return ret;
	for (uint32_t first = 0; first < d->entries; first += CHUNK) {
		uint32_t count = chunk_count(d->entries, first);

		weir_packed_read(&packed, first, count, numbers);
		for (uint32_t i = 0; i < count; i++) {
			uint16_t *to = d->room->codes + row;

			if (numbers[i] >= d->count - row)
				return -EBADMSG;
			row += (uint32_t)numbers[i] + 1;
			for (uint32_t left = (uint32_t)numbers[i] + 1; left; left--)
				*to++ = (uint16_t)(first + i);
		}
	}
	vector->codes = d->room->codes;
	return row == d->count ? 0 : -EBADMSG;
}

static int decode_codes(struct weir_decode *d, struct weir_vector *vector)
{
	struct weir_packed packed;
	int ret = weir_unpack(d->unpacker, &d->from, d->count, &packed);

	if (!ret)
		ret = read_codes(d, &packed, d->entries);
	vector->codes = d->room->codes;
	return ret;
}

static int decode_ascending(struct weir_decode *d, struct weir_vector *vector)
{
	const uint16_t *base = d->base->codes;
	uint32_t code = 0, greatest = 0, last = UINT32_MAX;
	int ret;

	if (d->base->form != WEIR_VECTOR_DICTIONARY)
		return -EBADMSG;
	ret = decode_codes(d, vector);
	if (ret)
		return ret;
	for (uint32_t i = 0; i < d->count; i++) {
		code = (base[i] == last ? code : 0) + d->room->codes[i];
		last = base[i];
		greatest = code > greatest ? code : greatest;
		d->room->codes[i] = (uint16_t)code;
	}
	return greatest < d->entries ? 0 : -EBADMSG;
}

int weir_decode_column(struct weir_decode *decode, struct weir_vector *vector)
{
	bool address = decode->column->id <= WEIR_COLUMN_DST_ADDR;

	if (decode->codec >= WEIR_CODEC_END)
		return -ENOTSUP;
	if (address != (decode->codec >= WEIR_CODEC_RUNS))
		return -EBADMSG;
	switch (decode->codec) {
	case WEIR_CODEC_FRAME:
		return decode_frame(decode, vector);
	case WEIR_CODEC_DICTIONARY:
		return decode_dictionary(decode, vector);
	case WEIR_CODEC_FREQUENT:
		return decode_frequent(decode, vector);
	case WEIR_CODEC_DELTA:
		return decode_delta(decode, vector);
	case WEIR_CODEC_MAP:
		return decode_map(decode, vector);
	case WEIR_CODEC_RUNS:
		return decode_runs(decode, vector);
	case WEIR_CODEC_ASCENDING:
		return decode_ascending(decode, vector);
	case WEIR_CODEC_CODES:
		return decode_codes(decode, vector);
	default:
		return -EBADMSG;
	}
}
