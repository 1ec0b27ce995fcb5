// SPDX-License-Identifier: GPL-2.0
/* test_block.c - blocks as bytes: written, read, damaged, and of earlier versions. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/clock.h"
#include "daemon/store/block.h"

#define START (20000 * 86400 * WEIR_NS_PER_SECOND)

/* Flow @i: every member has a value that depends on it. The block of format 1 in
 * tests/unit/data was made from these by weir as it was then; so this stays as it is. */
static struct weir_flow make_flow(uint64_t i)
{
	struct weir_flow flow;

	memset(&flow, 0, sizeof(flow));
	for (unsigned at = 0; at < 16; at++) {
		flow.src_addr[at] = i * 7 + at;
		flow.dst_addr[at] = i * 11 + at;
	}
	flow.packets = i + 1;
	flow.bytes = (i + 1) * 100;
	flow.start_ns = START + i * 1000;
	flow.end_ns = flow.start_ns + 500;
	flow.second_ns = flow.start_ns + 1;
	flow.payload_ns = flow.start_ns + 2;
	flow.in_ifindex = i + 3;
	flow.out_ifindex = i + 4;
	flow.mark = i + 5;
	flow.fragments = i + 6;
	flow.retransmitted = i + 7;
	flow.out_of_order = i + 8;
	flow.src_port = i + 9;
	flow.dst_port = i + 10;
	flow.vlan_id = i + 11;
	flow.tcp_flags = i + 12;
	flow.flags = i + 13;
	flow.protocol = i + 14;
	flow.tos = i + 15;
	flow.ip_version = i + 16;
	flow.end_reason = i + 17;
	flow.observed = i + 18;
	flow.min_ttl = i + 19;
	for (unsigned at = 0; at < 6; at++) {
		flow.src_mac[at] = i + 20 + at;
		flow.dst_mac[at] = i + 30 + at;
	}
	return flow;
}

enum { RECORDS_MAX = WEIR_BLOCK_RECORDS_MAX };

static struct weir_flow *input, *output;
static struct weir_block_writer *writer;
static struct weir_block_reader *reader;
static uint64_t dice;

static void setup(void)
{
	input = calloc(RECORDS_MAX, sizeof(*input));
	output = calloc(RECORDS_MAX, sizeof(*output));
	ck_assert(input && output);
	ck_assert_int_eq(weir_block_writer_new(WEIR_BLOCK_LEVEL_HOT, &writer), 0);
	ck_assert_int_eq(weir_block_reader_new(&reader), 0);
	dice = 1;
}

static void teardown(void)
{
	weir_block_reader_free(reader);
	weir_block_writer_free(writer);
	free(output);
	free(input);
}

static uint64_t draw(void)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return dice * 0x2545f4914f6cdd1dULL;
}

/* Everything about a flow is chance: no codec has anything to hold on to. */
static void make_noise(size_t count)
{
	for (size_t i = 0; i < count; i++) {
		memset(&input[i], 0, sizeof(input[i]));
		for (unsigned id = 1; id < WEIR_COLUMN_END; id++) {
			const struct weir_column *column = weir_column_find(id);
			uint64_t value[2] = {draw(), draw()};

			memcpy((uint8_t *)&input[i] + column->offset, value, column->width);
		}
	}
}

static void make_constant(size_t count)
{
	for (size_t i = 0; i < count; i++)
		input[i] = make_flow(77);
}

static void make_zero(size_t count)
{
	memset(input, 0, count * sizeof(*input));
}

static void make_steps(size_t count)
{
	for (size_t i = 0; i < count; i++)
		input[i] = make_flow(i);
}

/* What networks send, and each thing that can go wrong in it now and then. */
static void make_traffic(size_t count)
{
	memset(input, 0, count * sizeof(*input));
	for (size_t i = 0; i < count; i++) {
		struct weir_flow *flow = &input[i];
		unsigned host = draw() % 300, other = draw() % 5000, magnitude = draw() % 20;

		flow->ip_version = other % 8 ? 4 : 6;
		memcpy(flow->src_addr + 10, "\xff\xff\x0a\x01", 4);
		flow->src_addr[14] = host >> 8;
		flow->src_addr[15] = host;
		memcpy(flow->dst_addr, other % 8 ? "\0\0" : "\x20\x01", 2);
		memcpy(flow->dst_addr + 8, &other, sizeof(other));
		flow->src_port = draw() % 28000 + 32768;
		flow->dst_port = draw() % 4 ? 443 : draw() % 1000;
		flow->protocol = draw() % 4 ? 6 : 17;
		flow->packets = 1 + draw() % (1ULL << magnitude);
		flow->bytes = flow->packets * (40 + draw() % 1460);
		flow->end_ns = START + draw() % 2000 * 1000000;
		flow->start_ns = flow->end_ns - draw() % 60000 * 1000000;
		flow->second_ns = flow->packets > 1 ? flow->start_ns + 1000000 : 0;
		flow->payload_ns = draw() % 2 ? flow->end_ns : 0;
		flow->tos = 0x10;
		flow->min_ttl = 64 - host % 5;
		memcpy(flow->src_mac, "\x02\x00\x5e\x00", 4);
		memcpy(flow->src_mac + 4, &host, 2);
		flow->in_ifindex = draw() % 100 ? host % 4 + 1 : 9;
		switch (draw() % 2000) {
		case 0: /* the clock was set back */
			flow->end_ns = flow->start_ns - 5;
			break;
		case 1:
			flow->start_ns = UINT64_MAX;
			break;
		case 2:
			flow->end_ns = 1;
			break;
		case 3:
			flow->second_ns = UINT64_MAX - 1;
			break;
		case 4:
			flow->mark = UINT32_MAX;
			break;
		}
	}
}

/* A router that translates addresses, samples, and looks inside tunnels now and then. */
static void make_tails(size_t count)
{
	make_traffic(count);
	for (size_t i = 0; i < count; i++) {
		struct weir_flow *flow = &input[i];

		flow->sampling = 100;
		if (draw() % 3) {
			flow->nat_src_low = 0xffffc6336400ULL + draw() % 4;
			flow->nat_src_port = draw() % 50 ? flow->src_port : draw();
		}
		if (!(draw() % 9)) {
			flow->nat_dst_high = 0x20010db800000000;
			flow->nat_dst_low = draw() % 300;
			flow->nat_dst_port = 443;
		}
		if (!(draw() % 7)) {
			flow->tunnel = WEIR_TUNNEL_VXLAN;
			flow->tunnel_id = draw() % 5000;
			flow->inner_vlan_id = draw() % 3;
		}
		flow->netns = draw() % 10 ? 0 : 4026532000 + draw() % 9;
		flow->pppoe_session = draw() % 200 ? 0 : draw();
	}
}

/* The greatest values there are, and in one of a thousand records the least. */
static void make_edge(size_t count)
{
	for (size_t i = 0; i < count; i++) {
		memset(&input[i], 0, sizeof(input[i]));
		for (unsigned id = 1; id < WEIR_COLUMN_END; id++) {
			const struct weir_column *column = weir_column_find(id);
			uint8_t *at = (uint8_t *)&input[i] + column->offset;

			memset(at, 0xff, column->width);
			*(column->number ? at : at + column->width - 1) -= draw() % 3;
			if (id % 2 && !(draw() % 1000))
				memset(at, 0, column->width);
		}
	}
}

static const struct {
	const char *name;
	void (*make)(size_t count);
} kinds[] = {
	{"noise", make_noise}, {"constant", make_constant}, {"zero", make_zero},
	{"steps", make_steps}, {"traffic", make_traffic}, {"edge", make_edge},
	{"tails", make_tails},
};
enum { KINDS = sizeof(kinds) / sizeof(*kinds) };

static int compare_flows(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct weir_flow));
}

static uint8_t *write_block(uint64_t number, size_t count, size_t *bytes)
{
	struct weir_block_times times;
	uint8_t *block, *copy;

	ck_assert_int_eq(weir_block_write(writer, input, count, &block, bytes, &times), 0);
	copy = malloc(*bytes);
	ck_assert_ptr_nonnull(copy);
	memcpy(copy, block, *bytes);
	weir_block_seal(number, copy, *bytes);
	return copy;
}

/* The records of the block are those put in, in some order. Sorts input. */
static void check_same(size_t count)
{
	ck_assert_uint_eq(weir_block_count(reader), count);
	ck_assert_int_eq(weir_block_rows(reader, WEIR_COLUMN_ALL, output), 0);
	qsort(input, count, sizeof(*input), compare_flows);
	qsort(output, count, sizeof(*output), compare_flows);
	ck_assert_mem_eq(input, output, count * sizeof(*input));
}

/* Open block @number of @count records, kept as tests/unit/data/@name. */
static uint8_t *open_kept(const char *name, uint64_t number, size_t *bytes)
{
	enum { BYTES_MAX = 32768 };
	uint8_t *block = malloc(BYTES_MAX);
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "tests/unit/data/%s", name);
	file = fopen(path, "rb");
	ck_assert(file && block);
	*bytes = fread(block, 1, BYTES_MAX, file);
	fclose(file);
	ck_assert_int_eq(weir_block_open(reader, number, block, *bytes), 0);
	return block;
}

/* Blocks written by earlier versions are read for ever. */
START_TEST(test_format1)
{
	enum { NUMBER = 7, COUNT = 40 };
	size_t bytes;
	uint8_t *block = open_kept("block-format1", NUMBER, &bytes);

	ck_assert_uint_eq(weir_block_times(reader).min_ns, START);
	ck_assert_uint_eq(weir_block_times(reader).max_ns, START + 39500);
	make_steps(COUNT);
	check_same(COUNT);
	ck_assert_int_eq(weir_block_open(reader, NUMBER + 1, block, bytes), -EBADMSG);
	free(block);
}
END_TEST

/* The first writer of format 2, which made use of each codec. make_traffic() stays as it is. */
START_TEST(test_format2)
{
	static const char *const codecs[] = {"constant", "frame", "dictionary", "frequent", "delta",
					     "map", "runs", "ascending"};
	enum { NUMBER = 3, COUNT = 400 };
	struct weir_block_section sections[WEIR_BLOCK_SECTIONS_MAX];
	size_t bytes;
	uint8_t *block = open_kept("block-format2", NUMBER, &bytes);
	unsigned count = weir_block_sections(reader, sections);

	for (unsigned i = 0; i < sizeof(codecs) / sizeof(*codecs); i++) {
		unsigned at = 0;

		while (at < count && strcmp(sections[at].codec, codecs[i]))
			at++;
		ck_assert_msg(at < count, "no column is %s", codecs[i]);
	}
	make_traffic(COUNT);
	check_same(COUNT);
	free(block);
}
END_TEST

START_TEST(test_round_trip)
{
	static const size_t sizes[] = {1, 2, 7, 8, 9, 511, 512, 513, 5000, RECORDS_MAX - 1, RECORDS_MAX};

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		size_t bytes;
		uint8_t *block;

		kinds[_i].make(sizes[i]);
		block = write_block(i + 1, sizes[i], &bytes);
		ck_assert_int_eq(weir_block_open(reader, i + 1, block, bytes), 0);
		ck_assert_int_eq(weir_block_check(reader), 0);
		check_same(sizes[i]);
		ck_assert_int_eq(weir_block_open(reader, i + 2, block, bytes), -EBADMSG);
		free(block);
	}
}
END_TEST

START_TEST(test_refused)
{
	struct weir_block_times times;
	uint8_t *block;
	size_t bytes;

	ck_assert_int_eq(weir_block_write(writer, input, 0, &block, &bytes, &times), -EINVAL);
	ck_assert_int_eq(weir_block_write(writer, input, RECORDS_MAX + 1, &block, &bytes, &times),
			 -EINVAL);
}
END_TEST

/* The tail is looked at only where there is one: it is found in whatever column and record it is, and
 * a block without has no trace of it. */
START_TEST(test_tail)
{
	enum { COUNT = 1000 };
	struct weir_block_section sections[WEIR_BLOCK_SECTIONS_MAX];

	for (unsigned id = WEIR_COLUMN_SAMPLING; id < WEIR_COLUMN_END; id++) {
		const struct weir_column *column = weir_column_find(id);
		unsigned count;
		size_t bytes;
		uint8_t *block;

		make_traffic(COUNT);
		block = write_block(5, COUNT, &bytes);
		ck_assert_int_eq(weir_block_open(reader, 5, block, bytes), 0);
		count = weir_block_sections(reader, sections);
		ck_assert_str_eq(sections[count - 1].name, "src_mac");
		free(block);
		((uint8_t *)&input[draw() % COUNT])[column->offset + draw() % column->width] = 1;
		block = write_block(6, COUNT, &bytes);
		ck_assert_int_eq(weir_block_open(reader, 6, block, bytes), 0);
		count = weir_block_sections(reader, sections);
		ck_assert_str_eq(sections[count - 1].name, column->name);
		check_same(COUNT);
		free(block);
	}
}
END_TEST

/* What is the same in all records is an entry of the directory and nothing else. */
START_TEST(test_constant_tail)
{
	enum { COUNT = 1000 };
	size_t without, with;

	make_traffic(COUNT);
	free(write_block(5, COUNT, &without));
	for (size_t i = 0; i < COUNT; i++)
		input[i].sampling = 100;
	free(write_block(5, COUNT, &with));
	ck_assert_uint_eq(with - without, 40);
}
END_TEST

/* Each column by each codec, whatever the writer would think of it. */
START_TEST(test_forced)
{
	enum { COUNT = 3000 };

	for (unsigned id = 1; id < WEIR_COLUMN_END; id++) {
		for (unsigned codec = WEIR_CODEC_FRAME; codec < WEIR_CODEC_END; codec++) {
			static const uint8_t number_bases[] = {WEIR_COLUMN_END_NS,
							       WEIR_COLUMN_START_NS};
			struct weir_codec_choice choice = {.codec = codec};
			size_t bytes;
			uint8_t *block;

			if ((id <= WEIR_COLUMN_DST_ADDR) != (codec >= WEIR_CODEC_RUNS))
				continue;
			if (codec == WEIR_CODEC_DELTA)
				choice.base = number_bases[id == WEIR_COLUMN_END_NS];
			if (codec == WEIR_CODEC_MAP || codec == WEIR_CODEC_ASCENDING)
				choice.base = 3 - (id == WEIR_COLUMN_DST_ADDR ? 2 : 1 + id % 2);
			/* Sources first, or the two would need each other. */
			if (codec == WEIR_CODEC_ASCENDING && id == WEIR_COLUMN_SRC_ADDR)
				continue;
			/* Start is a difference to end by itself. */
			if (codec == WEIR_CODEC_DELTA && id == WEIR_COLUMN_END_NS)
				weir_block_force(writer, WEIR_COLUMN_START_NS,
						 (struct weir_codec_choice){WEIR_CODEC_FRAME, 0});
			weir_block_force(writer, id, choice);
			kinds[_i].make(COUNT);
			block = write_block(5, COUNT, &bytes);
			ck_assert_int_eq(weir_block_open(reader, 5, block, bytes), 0);
			check_same(COUNT);
			weir_block_force(writer, id, (struct weir_codec_choice){0});
			weir_block_force(writer, WEIR_COLUMN_START_NS,
					 (struct weir_codec_choice){0});
			free(block);
		}
	}
}
END_TEST

START_TEST(test_levels)
{
	static const enum weir_block_level levels[] = {
		WEIR_BLOCK_LEVEL_NONE, WEIR_BLOCK_LEVEL_HOT, WEIR_BLOCK_LEVEL_COLD};
	size_t bytes[3];

	for (unsigned i = 0; i < 3; i++) {
		uint8_t *block;

		weir_block_writer_free(writer);
		ck_assert_int_eq(weir_block_writer_new(levels[i], &writer), 0);
		dice = 1;
		make_traffic(20000);
		block = write_block(1, 20000, &bytes[i]);
		ck_assert_int_eq(weir_block_open(reader, 1, block, bytes[i]), 0);
		check_same(20000);
		free(block);
	}
	ck_assert_uint_lt(bytes[1], bytes[0]);
	ck_assert_uint_le(bytes[2], bytes[1]);
}
END_TEST

/* One bit wrong anywhere: never taken for right. */
START_TEST(test_flipped_bits)
{
	enum { COUNT = 800, FLIPS = 3000 };
	size_t bytes;
	uint8_t *block;

	make_traffic(COUNT);
	block = write_block(9, COUNT, &bytes);
	for (unsigned i = 0; i < FLIPS; i++) {
		size_t at = i < 8 * 48 ? i / 8 : draw() % bytes;
		uint8_t bit = 1 << (i < 8 * 48 ? i % 8 : draw() % 8);
		int ret;

		block[at] ^= bit;
		ret = weir_block_open(reader, 9, block, bytes);
		if (!ret) {
			ck_assert_int_eq(weir_block_check(reader), -EBADMSG);
			ret = weir_block_rows(reader, WEIR_COLUMN_ALL, output);
		}
		ck_assert(ret == -EBADMSG || ret == -ENOTSUP);
		block[at] ^= bit;
	}
	for (size_t cut = 0; cut < bytes; cut += 1 + cut / 50) {
		uint8_t *less = malloc(cut + 1);

		memcpy(less, block, cut);
		ck_assert_int_eq(weir_block_open(reader, 9, less, cut), -EBADMSG);
		free(less);
	}
	ck_assert_int_eq(weir_block_open(reader, 9, block, bytes), 0);
	check_same(COUNT);
	free(block);
}
END_TEST

/* A damaged column costs its readers the block, and no one else. */
START_TEST(test_damaged_column)
{
	struct weir_block_section sections[WEIR_BLOCK_SECTIONS_MAX];
	struct weir_vector vector;
	unsigned count;
	size_t bytes;
	uint8_t *block;

	make_traffic(1000);
	block = write_block(1, 1000, &bytes);
	ck_assert_int_eq(weir_block_open(reader, 1, block, bytes), 0);
	count = weir_block_sections(reader, sections);
	ck_assert_uint_gt(count, 10);
	/* The last column with bytes is at the end. */
	ck_assert_str_eq(sections[count - 1].name, "src_mac");
	block[bytes - 1] ^= 1;
	ck_assert_int_eq(weir_block_open(reader, 1, block, bytes), 0);
	ck_assert_int_eq(weir_block_column(reader, WEIR_COLUMN_SRC_MAC, &vector), -EBADMSG);
	ck_assert_int_eq(weir_block_column(reader, WEIR_COLUMN_BYTES, &vector), 0);
	ck_assert_int_eq(weir_block_column(reader, WEIR_COLUMN_DST_ADDR, &vector), 0);
	ck_assert_int_eq(weir_block_rows(reader, WEIR_COLUMN_ALL, output), -EBADMSG);
	free(block);
}
END_TEST

static uint64_t number_of(const struct weir_flow *flow, const struct weir_column *column)
{
	uint64_t value = 0;

	memcpy(&value, (const uint8_t *)flow + column->offset, column->width);
	return value;
}

static void check_numbers(const struct weir_flow *flow)
{
	for (unsigned id = WEIR_COLUMN_SRC_PORT; id < WEIR_COLUMN_END; id++) {
		const struct weir_column *column = weir_column_find(id);
		uint64_t value, min, max, away = draw() % 3000;

		if (!column->number)
			continue;
		value = number_of(flow, column);
		ck_assert(weir_block_range(reader, id, &min, &max));
		ck_assert(min <= value && value <= max);
		ck_assert(weir_block_may_hold_number(reader, id, value, value));
		ck_assert(weir_block_may_hold_number(reader, id, value < away ? 0 : value - away,
						     value > UINT64_MAX - away ? UINT64_MAX :
										 value + away));
	}
}

static bool matches(const uint8_t *address, const uint8_t *prefix, unsigned bits)
{
	uint8_t mask = 0xff00 >> bits % 8;

	return !memcmp(address, prefix, bits / 8) &&
	       (!mask || (address[bits / 8] & mask) == (prefix[bits / 8] & mask));
}

/* The codes of a prefix are those of the addresses that have it, and so are the records, where
 * they are in the order of their codes. */
static void check_prefix_codes(enum weir_column_id id, const uint8_t *prefix, unsigned bits)
{
	uint32_t first, end, from, to;
	struct weir_vector vector;
	uint32_t wrong = 0;
	int sorted;

	ck_assert_int_eq(weir_block_prefix(reader, id, prefix, bits, &first, &end), 0);
	sorted = weir_block_run_rows(reader, id, first, end, &from, &to);
	ck_assert_int_eq(sorted, id == WEIR_COLUMN_SRC_ADDR ? 0 : -ENODATA);
	ck_assert_int_eq(weir_block_codes(reader, id, &vector), 0);
	ck_assert_int_eq(weir_block_column(reader, id, &vector), 0);
	ck_assert_int_eq(vector.form, WEIR_VECTOR_DICTIONARY);
	for (uint32_t i = 0; i < vector.count; i++) {
		bool there = matches(weir_vector_at(&vector, i), prefix, bits);

		wrong += (vector.codes[i] >= first && vector.codes[i] < end) != there;
		wrong += !sorted && (i >= from && i < to) != there;
	}
	ck_assert_uint_eq(wrong, 0);
}

/* Addresses are exact: a prefix is there if the index says so. */
static void check_prefix(enum weir_column_id id, size_t count, const uint8_t *prefix)
{
	unsigned bits = draw() % 129, offset = weir_column_find(id)->offset;
	bool there = false;

	for (size_t i = 0; i < count && !there; i++)
		there = matches((const uint8_t *)&input[i] + offset, prefix, bits);
	ck_assert_int_eq(weir_block_may_hold_prefix(reader, id, prefix, bits), there);
	if (draw() % 8 == 0)
		check_prefix_codes(id, prefix, bits);
}

START_TEST(test_index)
{
	static const size_t sizes[] = {1, 200, 5000};

	for (unsigned s = 0; s < 3; s++) {
		size_t bytes, count = sizes[s];
		uint8_t *block;

		kinds[_i].make(count);
		weir_block_force(writer, WEIR_COLUMN_SRC_ADDR,
				 (struct weir_codec_choice){WEIR_CODEC_RUNS, 0});
		block = write_block(1, count, &bytes);
		ck_assert_int_eq(weir_block_open(reader, 1, block, bytes), 0);
		for (unsigned i = 0; i < 300; i++) {
			const struct weir_flow *flow = &input[draw() % count];
			uint8_t near[16];

			check_numbers(flow);
			ck_assert(weir_block_may_hold_prefix(reader, WEIR_COLUMN_SRC_ADDR,
							     flow->src_addr, draw() % 129));
			ck_assert(weir_block_may_hold_prefix(reader, WEIR_COLUMN_DST_ADDR,
							     flow->dst_addr, 128));
			memcpy(near, i % 2 ? flow->src_addr : flow->dst_addr, 16);
			near[draw() % 16] ^= draw();
			check_prefix(WEIR_COLUMN_SRC_ADDR, count, near);
			check_prefix(WEIR_COLUMN_DST_ADDR, count, near);
		}
		free(block);
	}
}
END_TEST

/* Ports that are not there, in a block that is large enough to say so. */
START_TEST(test_port_filter)
{
	size_t bytes;
	uint8_t *block;

	make_traffic(5000);
	for (unsigned i = 0; i < 5000; i++)
		if (input[i].dst_port == 22 || input[i].dst_port > 1023)
			input[i].dst_port = 23;
	block = write_block(1, 5000, &bytes);
	ck_assert_int_eq(weir_block_open(reader, 1, block, bytes), 0);
	ck_assert(!weir_block_may_hold_number(reader, WEIR_COLUMN_DST_PORT, 22, 22));
	ck_assert(weir_block_may_hold_number(reader, WEIR_COLUMN_DST_PORT, 23, 23));
	ck_assert(weir_block_may_hold_number(reader, WEIR_COLUMN_DST_PORT, 22, 23));
	ck_assert(!weir_block_may_hold_number(reader, WEIR_COLUMN_DST_PORT, 3389, 3389));
	ck_assert(!weir_block_may_hold_number(reader, WEIR_COLUMN_SRC_PORT, 3389, 3389));
	free(block);
}
END_TEST

/* A dictionary is ascending, has no value twice, and none that no record has. */
START_TEST(test_dictionaries)
{
	static bool used[RECORDS_MAX];

	make_traffic(10000);
	for (unsigned id = 1; id < WEIR_COLUMN_END; id++) {
		size_t bytes;
		uint8_t *block = write_block(1, 10000, &bytes);
		const struct weir_column *column = weir_column_find(id);
		struct weir_vector vector;

		ck_assert_int_eq(weir_block_open(reader, 1, block, bytes), 0);
		ck_assert_int_eq(weir_block_column(reader, id, &vector), 0);
		memset(used, 0, sizeof(used));
		for (uint32_t i = 0; vector.form == WEIR_VECTOR_DICTIONARY && i < vector.count; i++) {
			ck_assert_uint_lt(vector.codes[i], vector.entries);
			used[vector.codes[i]] = true;
		}
		for (uint32_t i = 0; vector.form == WEIR_VECTOR_DICTIONARY && i < vector.entries;
		     i++) {
			const uint8_t *here = (const uint8_t *)vector.values + i * vector.width;
			const uint8_t *last = here - vector.width;

			ck_assert(used[i]);
			if (i && column->number)
				ck_assert_uint_lt(weir_codec_number(column, last),
						  weir_codec_number(column, here));
			else if (i)
				ck_assert_int_lt(memcmp(last, here, vector.width), 0);
		}
		free(block);
	}
}
END_TEST

/* More than 65536 addresses: the dictionary of both sides has more than a code can say. */
START_TEST(test_all_distinct)
{
	struct weir_vector vector;
	size_t bytes;
	uint8_t *block;

	make_noise(RECORDS_MAX);
	block = write_block(1, RECORDS_MAX, &bytes);
	ck_assert_int_eq(weir_block_open(reader, 1, block, bytes), 0);
	ck_assert_int_eq(weir_block_column(reader, WEIR_COLUMN_DST_ADDR, &vector), 0);
	ck_assert_uint_eq(vector.entries, RECORDS_MAX);
	check_same(RECORDS_MAX);
	/* It is noise: all that can be asked is not to make it much larger. */
	ck_assert_uint_lt(bytes, RECORDS_MAX * (sizeof(*input) + 4));
	free(block);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("block");
	TCase *core = tcase_create("core");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, core);
	tcase_set_timeout(core, 120);
	tcase_add_checked_fixture(core, setup, teardown);
	tcase_add_test(core, test_format1);
	tcase_add_test(core, test_format2);
	tcase_add_loop_test(core, test_round_trip, 0, KINDS);
	tcase_add_test(core, test_refused);
	tcase_add_loop_test(core, test_forced, 0, KINDS);
	tcase_add_test(core, test_levels);
	tcase_add_test(core, test_tail);
	tcase_add_test(core, test_constant_tail);
	tcase_add_test(core, test_flipped_bits);
	tcase_add_test(core, test_damaged_column);
	tcase_add_loop_test(core, test_index, 0, KINDS);
	tcase_add_test(core, test_port_filter);
	tcase_add_test(core, test_dictionaries);
	tcase_add_test(core, test_all_distinct);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
