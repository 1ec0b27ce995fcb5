// SPDX-License-Identifier: GPL-2.0
/*
 * decode.c - reading columns; codec.c writes them.
 *
 * All goes by chunks that stay in the first-level cache, and the inner loops are plain,
 * so that the compiler makes vector code of them. Bytes are not trusted: whatever they
 * say, codes stay below entries, and no more is written than there are records.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/clones.h"
#include "daemon/store/decode.h"

enum {
	CHUNK = WEIR_PACK_CHUNK,
	RUN_STEP = 8, /* codes written at a time */
};

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
		room->codes = malloc((WEIR_DECODE_ROOM + RUN_STEP) * sizeof(*room->codes));
	return room->codes ? 0 : -ENOMEM;
}

static uint32_t chunk_count(uint32_t count, uint32_t first)
{
	return count - first < CHUNK ? count - first : CHUNK;
}

#define STORE(type)                                                                                \
	for (uint32_t i = 0; i < count; i++)                                                       \
	((type *)to)[first + i] = (type)numbers[i]

/* Put numbers where records @first on have their values. What is no number is a MAC address. */
WEIR_CLONES
static void store(const struct weir_column *column, const uint64_t *numbers, uint32_t first,
		  uint32_t count, uint8_t *to)
{
	if (!column->number) {
		for (uint32_t i = 0; i < count; i++) {
			uint64_t bytes = htobe64(numbers[i] << 16);

			memcpy(to + (size_t)(first + i) * 6, &bytes, 6);
		}
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

WEIR_CLONES
static void narrow(const uint64_t *numbers, uint32_t count, uint16_t *to)
{
	for (uint32_t i = 0; i < count; i++)
		to[i] = (uint16_t)numbers[i];
}

static int open_frame(struct weir_decode *d, uint32_t count, struct frame *frame)
{
	frame->min = weir_cursor_number(&d->from, 8);
	frame->divisor = weir_cursor_number(&d->from, 8);
	return weir_unpack(d->unpacker, &d->from, count, &frame->packed);
}

WEIR_CLONES
static void scale(uint64_t *numbers, uint32_t count, uint64_t min, uint64_t divisor)
{
	if (divisor == 1)
		for (uint32_t i = 0; i < count; i++)
			numbers[i] += min;
	else
		for (uint32_t i = 0; i < count; i++)
			numbers[i] = min + divisor * numbers[i];
}

static void read_frame(const struct frame *frame, uint32_t first, uint32_t count, uint64_t *numbers)
{
	weir_packed_read(&frame->packed, first, count, numbers);
	scale(numbers, count, frame->min, frame->divisor);
}

/* Values that are frames of numbers, straight into the room if they are as wide. */
static void fill_frame(struct weir_decode *d, const struct frame *frame)
{
	uint64_t numbers[CHUNK];

	for (uint32_t first = 0; first < d->count; first += CHUNK) {
		uint32_t count = chunk_count(d->count, first);

		if (d->column->number && d->column->width == 8) {
			read_frame(frame, first, count, (uint64_t *)d->room->values + first);
			continue;
		}
		read_frame(frame, first, count, numbers);
		store(d->column, numbers, first, count, d->room->values);
	}
}

static int decode_frame(struct weir_decode *d, struct weir_vector *vector)
{
	struct frame frame;
	int ret = open_frame(d, d->count, &frame);

	if (!ret)
		ret = weir_decode_room_values(d->room, d->column->width);
	if (ret)
		return ret;
	fill_frame(d, &frame);
	vector->form = WEIR_VECTOR_NUMBERS;
	vector->values = d->room->values;
	return 0;
}

/* How many codes are @code, and whether none is above. */
WEIR_CLONES
static uint32_t count_codes(const uint16_t *codes, uint32_t count, uint16_t code, bool *above)
{
	uint16_t greatest = 0;
	uint32_t sum = 0;

	for (uint32_t i = 0; i < count; i++) {
		sum += codes[i] == code;
		greatest = codes[i] > greatest ? codes[i] : greatest;
	}
	*above |= greatest > code;
	return sum;
}

static int check_codes(const struct weir_decode *d, uint32_t entries)
{
	bool above = false;

	count_codes(d->room->codes, d->count, (uint16_t)(entries - 1), &above);
	return above ? -EBADMSG : 0;
}

/* Codes of all records into the room, each below @entries. */
static int read_codes(struct weir_decode *d, const struct weir_packed *packed, uint32_t entries)
{
	uint16_t *codes;
	int ret = weir_decode_room_codes(d->room);

	if (ret)
		return ret;
	codes = d->room->codes;
	for (uint32_t first = 0; first < d->count; first += CHUNK)
		weir_packed_read16(packed, first, chunk_count(d->count, first), codes + first);
	return check_codes(d, entries);
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

/* Half of all codes may stand for others, in no order: without branches. */
static int fill_frequent(struct weir_decode *d, const struct weir_packed *packed,
			 const uint16_t values[256], uint16_t used, const uint16_t *others,
			 uint32_t other_count)
{
	uint16_t codes[CHUNK], *to = (uint16_t *)d->room->values;
	uint32_t next = 0;
	bool above = false;

	for (uint32_t first = 0; first < d->count; first += CHUNK) {
		uint32_t count = chunk_count(d->count, first);

		weir_packed_read16(packed, first, count, codes);
		if (count_codes(codes, count, used, &above) > other_count - next || above)
			return -EBADMSG;
		for (uint32_t i = 0; i < count; i++) {
			uint16_t mask = (uint16_t) - (codes[i] == used), value = values[codes[i]];

			to[first + i] = value ^ ((value ^ others[next]) & mask);
			next += mask & 1;
		}
	}
	return next == other_count ? 0 : -EBADMSG;
}

/* The numbers that are not among the frequent ones, into the room for codes, which is free. */
static int read_others(struct weir_decode *d, uint32_t *count)
{
	uint64_t numbers[CHUNK];
	struct frame frame;
	int ret;

	*count = (uint32_t)weir_cursor_number(&d->from, 4);
	if (*count > d->count)
		return -EBADMSG;
	ret = open_frame(d, *count, &frame);
	if (!ret)
		ret = weir_decode_room_codes(d->room);
	for (uint32_t first = 0; first < *count && !ret; first += CHUNK) {
		uint32_t some = chunk_count(*count, first);

		read_frame(&frame, first, some, numbers);
		narrow(numbers, some, d->room->codes + first);
	}
	return ret;
}

static int decode_frequent(struct weir_decode *d, struct weir_vector *vector)
{
	unsigned used = (unsigned)weir_cursor_number(&d->from, 1);
	uint16_t values[256] = {0};
	struct weir_packed packed;
	uint32_t others = 0;
	int ret;

	/* Narrower columns have dictionaries of all that they can hold. */
	if (d->column->width != 2)
		return -EBADMSG;
	for (unsigned i = 0; i < used; i++)
		values[i] = (uint16_t)weir_cursor_number(&d->from, 2);
	ret = weir_unpack(d->unpacker, &d->from, d->count, &packed);
	if (!ret)
		ret = read_others(d, &others);
	if (!ret)
		ret = weir_decode_room_values(d->room, d->column->width);
	if (!ret)
		ret = fill_frequent(d, &packed, values, (uint16_t)used, d->room->codes, others);
	vector->form = WEIR_VECTOR_NUMBERS;
	vector->values = d->room->values;
	return ret;
}

/* Records @first on of the column that differences are to; where they are, or in @room. */
static const uint64_t *read_base(const struct weir_vector *base, uint32_t first, uint32_t count,
				 uint64_t *room)
{
	if (base->form == WEIR_VECTOR_NUMBERS && base->width == 8)
		return (const uint64_t *)base->values + first;
	for (uint32_t i = 0; i < count; i++)
		room[i] = weir_vector_number(base, first + i);
	return room;
}

/* Numbers of the frame to values. @sign: all ones to go down from the base. @none: 1 if a 0 is
 * the value 0 and others are one more. */
WEIR_CLONES
static void undo_delta(const struct frame *frame, const uint64_t *bases, uint32_t count,
		       uint64_t sign, uint64_t none, uint64_t *numbers)
{
	for (uint32_t i = 0; i < count; i++) {
		uint64_t difference = frame->min + frame->divisor * (numbers[i] - none);
		uint64_t value = bases[i] + ((difference ^ sign) - sign);

		numbers[i] = none && !numbers[i] ? 0 : value;
	}
}

enum { DELTA_BELOW = 1, DELTA_NONE = 2 };

static int decode_delta(struct weir_decode *d, struct weir_vector *vector)
{
	unsigned flags = (unsigned)weir_cursor_number(&d->from, 1);
	uint64_t numbers[CHUNK], room[CHUNK], sign = flags & DELTA_BELOW ? UINT64_MAX : 0;
	struct frame frame;
	int ret = d->base->width > 8 ? -EBADMSG : open_frame(d, d->count, &frame);

	if (!ret)
		ret = weir_decode_room_values(d->room, d->column->width);
	if (ret)
		return ret;
	for (uint32_t first = 0; first < d->count; first += CHUNK) {
		uint32_t count = chunk_count(d->count, first);
		const uint64_t *bases = read_base(d->base, first, count, room);

		weir_packed_read(&frame.packed, first, count, numbers);
		undo_delta(&frame, bases, count, sign, flags & DELTA_NONE ? 1 : 0, numbers);
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

/* Most runs are short: to write some too many, which the next run takes, costs less than
 * not to know how often a loop goes round. */
static void put_run(uint16_t *to, uint16_t code, uint32_t count)
{
	uint64_t four = code * 0x0001000100010001ULL;
	uint16_t *end = to + count;

	do {
		memcpy(to, &four, 8);
		memcpy(to + 4, &four, 8);
		to += RUN_STEP;
	} while (to < end);
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
			if (numbers[i] >= d->count - row)
				return -EBADMSG;
			put_run(d->room->codes + row, (uint16_t)(first + i),
				(uint32_t)numbers[i] + 1);
			row += (uint32_t)numbers[i] + 1;
		}
	}
	vector->codes = d->room->codes;
	return row == d->count ? 0 : -EBADMSG;
}

WEIR_CLONES
static uint32_t sum_lengths(const uint16_t *lengths, uint32_t count)
{
	uint32_t sum = count;

	for (uint32_t i = 0; i < count; i++)
		sum += lengths[i];
	return sum;
}

static uint32_t clamp(uint32_t number, uint32_t low, uint32_t high)
{
	return number < low ? low : number > high ? high : number;
}

int weir_decode_run_rows(struct weir_decode *decode, uint32_t first, uint32_t end, uint32_t *from,
			 uint32_t *to)
{
	uint32_t rows[3] = {0}; /* before, in, and behind the codes */
	uint16_t lengths[CHUNK];
	struct weir_packed packed;
	int ret;

	if (decode->codec != WEIR_CODEC_RUNS)
		return -ENODATA;
	ret = weir_unpack(decode->unpacker, &decode->from, decode->entries, &packed);
	if (!ret && packed.planes > 2)
		ret = -ENODATA;
	for (uint32_t at = 0; at < decode->entries && !ret; at += CHUNK) {
		uint32_t next = at + chunk_count(decode->entries, at);
		uint32_t cut[2] = {clamp(first, at, next) - at, clamp(end, at, next) - at};

		weir_packed_read16(&packed, at, next - at, lengths);
		rows[0] += sum_lengths(lengths, cut[0]);
		rows[1] += sum_lengths(lengths + cut[0], cut[1] - cut[0]);
		rows[2] += sum_lengths(lengths + cut[1], next - at - cut[1]);
	}
	*from = rows[0];
	*to = rows[0] + rows[1];
	return ret || *to + rows[2] == decode->count ? ret : -EBADMSG;
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

/* All ones where a code of the base is that of the record before, else 0. @base[-1] is there, but
 * for record 0. */
WEIR_CLONES
static void mark_runs(const uint16_t *base, uint32_t first, uint32_t count, uint16_t *marks)
{
	for (uint32_t i = first ? 0 : 1; i < count; i++)
		marks[i] = base[first + i] == base[first + i - 1] ? UINT16_MAX : 0;
}

static int decode_ascending(struct weir_decode *d, struct weir_vector *vector)
{
	uint32_t code = 0, greatest = 0;
	uint16_t marks[CHUNK] = {0};
	int ret;

	if (d->base->form != WEIR_VECTOR_DICTIONARY)
		return -EBADMSG;
	ret = decode_codes(d, vector);
	if (ret)
		return ret;
	for (uint32_t first = 0; first < d->count; first += CHUNK) {
		uint32_t count = chunk_count(d->count, first);
		uint16_t *codes = d->room->codes + first;

		mark_runs(d->base->codes, first, count, marks);
		for (uint32_t i = 0; i < count; i++) {
			code = (code & marks[i]) + codes[i];
			greatest |= code;
			codes[i] = (uint16_t)code;
		}
		/* More than 16 bits: it ran over. */
		if (greatest > UINT16_MAX)
			return -EBADMSG;
	}
	return check_codes(d, d->entries);
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
