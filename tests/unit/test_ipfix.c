// SPDX-License-Identifier: GPL-2.0
/* test_ipfix.c - what weir writes it reads again to the last byte; what others write, and what is damaged. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/exchange/element.h"
#include "daemon/exchange/ipfix.h"
#include "tests/bench/flowgen.h"

enum { FLOWS_MAX = 20000, FILE_MAX = 8 << 20, COMPLAINTS = 64 };

static uint8_t file[FILE_MAX];
static size_t file_bytes, messages, largest;
static struct weir_flow got[FLOWS_MAX];
static size_t got_count;
static struct {
	uint64_t offset;
	char sentence[200];
} complaint[COMPLAINTS];
static unsigned complaints;

static int keep_message(void *arg, const uint8_t *message, size_t bytes)
{
	ck_assert_uint_le(file_bytes + bytes, FILE_MAX);
	memcpy(file + file_bytes, message, bytes);
	file_bytes += bytes;
	largest = bytes > largest ? bytes : largest;
	messages++;
	return 0;
}

static int keep_flow(void *arg, struct weir_flow *flow)
{
	if (got_count < FLOWS_MAX)
		got[got_count] = *flow;
	got_count++;
	return 0;
}

static void keep_complaint(void *arg, uint64_t offset, const char *sentence)
{
	if (complaints < COMPLAINTS) {
		complaint[complaints].offset = offset;
		strncpy(complaint[complaints].sentence, sentence, sizeof(complaint[0].sentence) - 1);
	}
	complaints++;
}

static void write_file(const struct weir_flow *flows, size_t count, size_t message_bytes)
{
	struct weir_ipfix_writer_options options = {
		.domain = 7, .name = "r1.example", .message_bytes = message_bytes, .export_time = 1767230000};
	struct weir_ipfix_writer *writer;

	file_bytes = messages = largest = 0;
	ck_assert_int_eq(weir_ipfix_writer_new(&options, keep_message, NULL, &writer), 0);
	for (size_t i = 0; i < count; i++)
		ck_assert_int_eq(weir_ipfix_writer_put(writer, &flows[i]), 0);
	ck_assert_int_eq(weir_ipfix_writer_end(writer), 0);
	weir_ipfix_writer_free(writer);
}

/* All of it; what the file layer returned at the end. */
static int read_file(const uint8_t *data, size_t bytes, struct weir_ipfix_counts *counts, char *name)
{
	struct weir_ipfix_reader *reader;
	struct weir_ipfix_file *source;
	const uint8_t *message;
	uint64_t offset;
	size_t length;
	FILE *temporary = tmpfile();
	int ret;

	got_count = complaints = 0;
	ck_assert_ptr_nonnull(temporary);
	ck_assert_uint_eq(fwrite(data, 1, bytes, temporary), bytes);
	rewind(temporary);
	ck_assert_int_eq(weir_ipfix_reader_new(keep_complaint, NULL, &reader), 0);
	ck_assert_int_eq(weir_ipfix_file_new(fileno(temporary), &source), 0);
	while ((ret = weir_ipfix_file_next(source, reader, &message, &length, &offset)) == 1) {
		ck_assert_uint_le(offset + length, bytes);
		ck_assert_mem_eq(message, data + offset, length);
		ck_assert_int_eq(weir_ipfix_read_message(reader, message, length, offset, keep_flow, NULL), 0);
	}
	*counts = *weir_ipfix_reader_counts(reader);
	if (name)
		strcpy(name, weir_ipfix_reader_name(reader));
	weir_ipfix_reader_free(reader);
	weir_ipfix_file_free(source);
	fclose(temporary);
	return ret;
}

/* An address beyond NAT, none now and then. */
static void random_beyond(bool ipv4, uint64_t *high, uint64_t *low)
{
	if (random() % 3 == 0)
		*high = *low = 0;
	if (ipv4 && *low && random() % 20) {
		*high = 0;
		*low = 0xffffULL << 32 | ((uint32_t)random() & (random() % 50 ? UINT32_MAX : 0));
	}
}

static void random_tail(struct weir_flow *f)
{
	f->mpls_label &= 0xfffff;
	f->sampling = random() % 2 ? 0 : 2 + (uint32_t)random();
	f->observed = (uint8_t)(random() % 9);
	random_beyond(f->ip_version == 4, &f->nat_src_high, &f->nat_src_low);
	random_beyond(f->ip_version == 4, &f->nat_dst_high, &f->nat_dst_low);
	if (random() % 4 == 0)
		f->nat_dst_port = 0;
	f->unused = 0;
}

/* Any bits that a record may have, and then those that make it one. */
static void random_flow(struct weir_flow *f)
{
	static const uint8_t protocols[] = {1, 6, 17, 47, 58, 132};
	uint8_t *bytes = (uint8_t *)f;

	for (size_t i = 0; i < sizeof(*f); i++)
		bytes[i] = (uint8_t)(random() >> 8);
	f->protocol = protocols[random() % 6];
	f->ip_version = random() % 2 ? 4 : 6;
	if (random() % 4 == 0)
		f->src_port = 0;
	if (random() % 3 == 0) /* of our time; the others are of any */
		f->start_ns = 1767225600000000000ULL + (uint64_t)random() * 1000 + (uint64_t)random() % 1000;
	if (random() % 50 == 0)
		f->end_ns = random() % 2 ? 0 : UINT64_MAX;
	if (f->ip_version == 4 && random() % 20) {
		memset(f->src_addr, 0, 10);
		memset(f->src_addr + 10, 0xff, 2);
		memcpy(f->dst_addr, f->src_addr, 12);
		if (random() % 20 == 0)
			memset(f->dst_addr + 12, 0, 4);
	}
	if (random() % 3)
		memset((uint8_t *)f + WEIR_FLOW_TAIL_AT, 0, WEIR_FLOW_TAIL_BYTES);
	else
		random_tail(f);
}

static struct weir_flow *random_flows(unsigned seed, size_t count)
{
	struct weir_flow *flows = calloc(count, sizeof(*flows));

	srandom(seed);
	ck_assert_ptr_nonnull(flows);
	for (size_t i = 0; i < count; i++)
		random_flow(&flows[i]);
	return flows;
}

static void expect_same(const struct weir_flow *flows, size_t count)
{
	ck_assert_uint_eq(got_count, count);
	for (size_t i = 0; i < count; i++)
		if (memcmp(&flows[i], &got[i], sizeof(got[i])))
			ck_abort_msg("flow %zu of %zu is not what was written", i, count);
}

START_TEST(round_trip)
{
	static const size_t counts[] = {1, 2, 97, 5000, FLOWS_MAX};
	struct weir_flow *flows = random_flows((unsigned)_i + 1, counts[_i]);
	struct weir_ipfix_counts c;
	char name[WEIR_IPFIX_NAME_BYTES];

	write_file(flows, counts[_i], _i == 2 ? 1 : _i == 3 ? 60000 : 0);
	ck_assert_uint_le(largest, _i == 2 ? 4096 : _i == 3 ? 60000 : WEIR_IPFIX_WRITE_BYTES);
	ck_assert_int_eq(read_file(file, file_bytes, &c, name), 0);
	expect_same(flows, counts[_i]);
	ck_assert_str_eq(name, "r1.example");
	ck_assert_uint_eq(c.flows, counts[_i]);
	ck_assert_uint_eq(c.messages, messages);
	ck_assert_uint_eq(c.damaged + c.passed_bytes + c.unknown_sets + c.missing + c.clipped, 0);
	ck_assert_uint_eq(complaints, 0);
	free(flows);
}
END_TEST

/* What a collector is told of a flow whose destination was translated before it was seen: where it was sent to,
 * and behind that where it went. In other modes the record has it so already. */
START_TEST(nat_as_ipfix_has_it)
{
	static const uint8_t ends[8] = {10, 0, 0, 1, 192, 0, 2, 80};
	static const uint8_t sent[8] = {10, 0, 0, 1, 203, 0, 113, 5};
	static const uint8_t beyond[8] = {198, 51, 100, 7, 192, 0, 2, 80};
	static const uint8_t beyond_as_is[8] = {198, 51, 100, 7, 203, 0, 113, 5};
	struct weir_flow f = {.ip_version = 4, .protocol = 6, .src_port = 40000, .dst_port = 8080,
			      .src_addr = {[10] = 0xff, 0xff, 10, 0, 0, 1},
			      .dst_addr = {[10] = 0xff, 0xff, 192, 0, 2, 80},
			      .nat_src_low = 0xffffc6336407, .nat_src_port = 1024,
			      .nat_dst_low = 0xffffcb007105, .nat_dst_port = 80};

	f.observed = WEIR_OBSERVED_FORWARD;
	write_file(&f, 1, 0);
	ck_assert_ptr_nonnull(memmem(file, file_bytes, sent, 8));
	ck_assert_ptr_nonnull(memmem(file, file_bytes, beyond, 8));
	ck_assert_ptr_null(memmem(file, file_bytes, ends, 8));
	f.observed = WEIR_OBSERVED_PRE_ROUTING;
	write_file(&f, 1, 0);
	ck_assert_ptr_nonnull(memmem(file, file_bytes, ends, 8));
	ck_assert_ptr_nonnull(memmem(file, file_bytes, beyond_as_is, 8));
}
END_TEST

/* What leaves through an interface was translated, both its ends: a collector is told what came first. */
START_TEST(nat_of_what_leaves)
{
	static const uint8_t came[8] = {10, 0, 0, 1, 203, 0, 113, 5};
	static const uint8_t left[8] = {198, 51, 100, 7, 192, 0, 2, 80};
	static const uint8_t came_ports[4] = {40000 >> 8, 40000 & 255, 0, 80};
	static const uint8_t left_ports[4] = {1024 >> 8, 0, 8080 >> 8, 8080 & 255};
	const struct weir_flow f = {.ip_version = 4, .protocol = 6, .src_port = 1024, .dst_port = 8080,
				    .src_addr = {[10] = 0xff, 0xff, 198, 51, 100, 7},
				    .dst_addr = {[10] = 0xff, 0xff, 192, 0, 2, 80},
				    .nat_src_low = 0xffff0a000001, .nat_src_port = 40000,
				    .nat_dst_low = 0xffffcb007105, .nat_dst_port = 80,
				    .observed = WEIR_OBSERVED_EGRESS};
	struct weir_ipfix_counts c;
	const uint8_t *at, *beyond;

	write_file(&f, 1, 0);
	at = memmem(file, file_bytes, came, 8);
	beyond = memmem(file, file_bytes, left, 8);
	ck_assert(at && beyond && at < beyond);
	at = memmem(file, file_bytes, came_ports, 4);
	beyond = memmem(file, file_bytes, left_ports, 4);
	ck_assert(at && beyond && at < beyond);
	ck_assert_int_eq(read_file(file, file_bytes, &c, NULL), 0);
	expect_same(&f, 1);
}
END_TEST

START_TEST(no_flows)
{
	struct weir_ipfix_counts c;

	write_file(NULL, 0, 0);
	ck_assert_uint_eq(messages, 1);
	ck_assert_int_eq(read_file(file, file_bytes, &c, NULL), 0);
	ck_assert_uint_eq(c.flows, 0);
	ck_assert_uint_eq(complaints, 0);
	ck_assert_int_eq(read_file(file, 0, &c, NULL), 0);
	ck_assert_int_eq(read_file((const uint8_t *)"PK\3\4 and no flow in it", 23, &c, NULL), -EPROTO);
}
END_TEST

static size_t message_bytes_at(size_t at)
{
	return weir_ipfix_number(file + at + 2, 2);
}

/* RFC 7011, 3.1: of all data records of the domain before the message, those of options too. */
START_TEST(sequence_numbers)
{
	struct weir_flow *flows = random_flows(9, 2000);
	struct weir_ipfix_counts c = {0};
	struct weir_ipfix_reader *reader;
	uint64_t records;
	size_t at = 0, second;

	write_file(flows, 2000, 4096);
	ck_assert_uint_gt(messages, 64); /* the templates came again */
	ck_assert_int_eq(weir_ipfix_reader_new(NULL, NULL, &reader), 0);
	for (; at < file_bytes; at += message_bytes_at(at)) {
		ck_assert_uint_eq(weir_ipfix_number(file + at + 4, 4), 1767230000);
		ck_assert_uint_eq(weir_ipfix_number(file + at + 8, 4), c.flows + c.options);
		ck_assert_uint_eq(weir_ipfix_number(file + at + 12, 4), 7);
		weir_ipfix_read_message(reader, file + at, message_bytes_at(at), at, keep_flow, NULL);
		c = *weir_ipfix_reader_counts(reader);
	}
	weir_ipfix_reader_free(reader);
	ck_assert_uint_gt(c.options, 9);
	/* One message taken out of the middle is missed by as many records as it had. */
	second = message_bytes_at(0);
	at = second + message_bytes_at(second);
	records = weir_ipfix_number(file + at + 8, 4) - weir_ipfix_number(file + second + 8, 4);
	memmove(file + second, file + at, file_bytes - at);
	ck_assert_int_eq(read_file(file, file_bytes - (at - second), &c, NULL), 0);
	ck_assert_uint_eq(c.missing, records);
	free(flows);
}
END_TEST

/* A file cut anywhere: all that was whole is read, nothing else, and that it is cut is said. */
START_TEST(cut_short)
{
	struct weir_flow *flows = random_flows(11, 20);
	struct weir_ipfix_counts c;
	size_t before = 0;

	write_file(flows, 20, 4096);
	for (size_t cut = 1; cut < file_bytes; cut += 1 + cut % 7) {
		int ret = read_file(file, cut, &c, NULL);

		ck_assert_int_eq(ret, cut < 16 ? -EPROTO : 0);
		ck_assert_uint_ge(got_count, before);
		ck_assert_uint_le(got_count, before + 1);
		before = got_count;
		expect_same(flows, got_count);
		if (cut != message_bytes_at(0))
			ck_assert(ret == -EPROTO || (complaints && c.damaged));
	}
	ck_assert_uint_ge(before, 19);
	free(flows);
}
END_TEST

/* Flows are full of what may be taken for a header (interface 10): where a file is cut is said once, not
 * made sense of. */
START_TEST(cut_among_tens)
{
	struct weir_flowgen *gen = weir_flowgen_new(NULL);
	struct weir_flow *flows = calloc(400, sizeof(*flows));
	struct weir_ipfix_counts c;

	weir_flowgen_fill(gen, flows, 400);
	weir_flowgen_free(gen);
	write_file(flows, 400, 0);
	for (size_t cut = message_bytes_at(0) + 1; cut < file_bytes; cut += 61) {
		ck_assert_int_eq(read_file(file, cut, &c, NULL), 0);
		expect_same(flows, got_count);
		ck_assert_uint_le(c.damaged, 3);
		ck_assert_uint_eq(c.unknown_sets, 0);
	}
	free(flows);
}
END_TEST

/* A byte changed anywhere costs what is in that message at most, and that of the one it runs into. */
START_TEST(damaged_headers)
{
	struct weir_flow *flows = random_flows(12, 3000);
	struct weir_ipfix_counts c;
	size_t second, third;

	flows[0].sampling = 7; /* so all templates are in the first message */
	write_file(flows, 3000, 0);
	second = message_bytes_at(0);
	third = second + message_bytes_at(second);
	for (unsigned i = 0; i < 4; i++) {
		uint8_t old = file[second + i];

		for (unsigned bit = 0; bit < 8; bit++) {
			file[second + i] = old ^ (uint8_t)(1 << bit);
			ck_assert_int_eq(read_file(file, file_bytes, &c, NULL), 0);
			ck_assert_uint_gt(c.damaged, 0);
			ck_assert_uint_ge(complaint[0].offset, second);
			ck_assert_uint_lt(complaint[0].offset, third);
			ck_assert_uint_gt(got_count, 2700);
			ck_assert_mem_eq(&got[got_count - 1], &flows[2999], sizeof(got[0]));
		}
		file[second + i] = old;
	}
	free(flows);
}
END_TEST

/* ---- messages of others ---- */

static size_t begin(uint32_t export_time)
{
	memset(file, 0, 256);
	weir_ipfix_put_number(file, 10, 2);
	weir_ipfix_put_number(file + 4, export_time, 4);
	weir_ipfix_put_number(file + 12, 1, 4);
	return 16;
}

static size_t set_of(size_t at, uint16_t id, const void *data, size_t bytes)
{
	weir_ipfix_put_number(file + at, id, 2);
	weir_ipfix_put_number(file + at + 2, bytes + 4, 2);
	memcpy(file + at + 4, data, bytes);
	weir_ipfix_put_number(file + 2, at + 4 + bytes, 2);
	return at + 4 + bytes;
}

/* Template 300: the fields given and both addresses; a record with the numbers given. */
struct value {
	uint32_t enterprise;
	uint16_t id, bytes;
	uint64_t number;
};

static size_t message_of(const struct value *v, size_t count, uint32_t export_time)
{
	uint8_t template[256], record[256];
	size_t t = 4, r = 0;

	weir_ipfix_put_number(template, 300, 2);
	weir_ipfix_put_number(template + 2, count + 2, 2);
	for (size_t i = 0; i < count; i++) {
		weir_ipfix_put_number(template + t, v[i].id | (v[i].enterprise ? 0x8000 : 0), 2);
		weir_ipfix_put_number(template + t + 2, v[i].bytes, 2);
		t += 4;
		if (v[i].enterprise) {
			weir_ipfix_put_number(template + t, v[i].enterprise, 4);
			t += 4;
		}
		weir_ipfix_put_number(record + r, v[i].number, v[i].bytes);
		r += v[i].bytes;
	}
	memcpy(template + t, "\0\10\0\4\0\14\0\4", 8);
	memcpy(record + r, "\12\0\0\1\12\0\0\2", 8);
	return set_of(set_of(begin(export_time), 2, template, t + 8), 300, record, r + 8);
}

static void expect_times(const struct value *v, uint32_t export_time, uint64_t start_ns, uint64_t end_ns)
{
	struct weir_ipfix_counts c;

	ck_assert_int_eq(read_file(file, message_of(v, 2, export_time), &c, NULL), 0);
	ck_assert_uint_eq(got_count, 1);
	ck_assert_uint_eq(got[0].start_ns, start_ns);
	ck_assert_uint_eq(got[0].end_ns, end_ns);
	ck_assert_uint_eq(got[0].ip_version, 4);
}

START_TEST(times_of_others)
{
	const uint64_t s = 1767225600, ns = s * 1000000000;

	expect_times((struct value[]){{0, 150, 4, s}, {0, 151, 4, s + 9}}, s, ns, ns + 9000000000);
	expect_times((struct value[]){{0, 152, 8, s * 1000 + 7}, {0, 153, 8, s * 1000 + 8}}, s, ns + 7000000,
		     ns + 8000000);
	expect_times((struct value[]){{0, 158, 4, 3000000}, {0, 159, 4, 1}}, s, ns - 3000000000, ns - 1000);
	/* NTP: a half second; and both sides of the day in 2036 on which it wraps. */
	expect_times((struct value[]){{0, 154, 8, (s + 2208988800) << 32 | 0x80000000},
				      {0, 156, 8, (s + 2208988800) << 32 | 0x80000000}},
		     s, ns + 500000000, 0);
	expect_times((struct value[]){{0, 156, 8, 0xffffffffULL << 32}, {0, 157, 8, 5ULL << 32}}, 2085978500,
		     2085978495000000000, 2085978501000000000);
	expect_times((struct value[]){{0, 22, 4, 1}, {0, 21, 4, 2}}, s, 0, 0); /* of what, is not said */
}
END_TEST

START_TEST(elements_of_others)
{
	const struct value v[] = {
		{0, 4, 1, 17}, {0, 85, 4, 1500}, {0, 1, 4, 900}, {0, 86, 4, 3}, {0, 195, 1, 46},
		{0, 10, 2, 7}, {9999, 1, 4, 77}, {0, 58, 4, 70000}, {0, 176, 1, 3}, {29305, 1, 4, 11},
		{29305, 2, 8, 2}, {0, 7, 2, 1234}, {0, 11, 2, 53}, {0, 6, 1, 0x12}};
	struct weir_ipfix_counts c;

	ck_assert_int_eq(read_file(file, message_of(v, 14, 1767225600), &c, NULL), 0);
	ck_assert_uint_eq(got_count, 2);
	ck_assert_uint_eq(c.clipped, 1);
	ck_assert_uint_eq(got[0].bytes, 900);
	ck_assert_uint_eq(got[0].packets, 3);
	ck_assert_uint_eq(got[0].tos, 46 * 4);
	ck_assert_uint_eq(got[0].in_ifindex, 7);
	ck_assert_uint_eq(got[0].vlan_id, 65535);
	ck_assert_uint_eq(got[0].tcp_flags, 0x12);
	ck_assert_uint_eq(got[0].dst_port, 53); /* an ICMP type in a record of UDP means nothing */
	/* The answer is a flow of its own (RFC 5103). */
	ck_assert_uint_eq(got[1].bytes, 11);
	ck_assert_uint_eq(got[1].packets, 2);
	ck_assert_uint_eq(got[1].src_port, 53);
	ck_assert_uint_eq(got[1].dst_port, 1234);
	ck_assert_uint_eq(got[1].src_addr[15], 2);
	ck_assert_uint_eq(got[1].out_ifindex, 7);
}
END_TEST

/* What made libfixbuf give records without end, and other templates that cannot be meant. */
START_TEST(strange_templates)
{
	static const struct {
		uint16_t set;
		const char *data;
		size_t bytes;
	} t[] = {
		{2, "\1\0\0\1\0\122\0\0", 8},			/* a field of no length */
		{3, "\1\0\0\1\0\1\0\122\0\0", 10},		/* and in options */
		{3, "\1\0\0\1\0\0\0\122\0\4", 10},		/* scope of nothing */
		{3, "\1\0\0\1\0\2\0\122\0\4", 10},		/* of more than there is */
		{2, "\1\0\0\3\0\1\0\4", 8},			/* cut */
		{2, "\1\0\0\2\200\1\0\4\0\0\0\11\200\2\0\4", 16}, /* cut in an enterprise number */
		{2, "\1\0\377\377\0\1\0\4", 8},
	};
	struct weir_ipfix_counts c;
	size_t bytes;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		bytes = set_of(set_of(begin(1), t[i].set, t[i].data, t[i].bytes), 256, "12345678", 8);
		ck_assert_int_eq(read_file(file, bytes, &c, NULL), 0);
		ck_assert_uint_eq(got_count, 0);
		ck_assert_uint_eq(c.damaged, 1);
		ck_assert_uint_eq(c.unknown_sets, 1);
		ck_assert_uint_eq(complaint[0].offset, 20);
	}
}
END_TEST

/* Sixteen thousand fields of no length before one byte: 65 KB of data would be a thousand million steps. */
START_TEST(costly_template)
{
	static uint8_t template[65000];
	struct weir_ipfix_counts c;
	unsigned count = sizeof(template) / 4 - 1;
	size_t bytes;

	for (unsigned i = 1; i <= count; i++)
		weir_ipfix_put_number(template + i * 4, 82, 2);
	weir_ipfix_put_number(template, 300, 2);
	weir_ipfix_put_number(template + 2, count, 2);
	weir_ipfix_put_number(template + sizeof(template) - 2, 1, 2);
	bytes = set_of(begin(1), 2, template, sizeof(template));
	ck_assert_int_eq(read_file(file, bytes, &c, NULL), 0);
	ck_assert_uint_eq(c.damaged, 1);
	ck_assert_ptr_nonnull(strstr(complaint[0].sentence, "without length"));
}
END_TEST

START_TEST(withdrawn_templates)
{
	const struct value v[] = {{0, 1, 4, 5}};
	struct weir_ipfix_counts c;
	size_t bytes;

	for (unsigned all = 0; all < 2; all++) {
		bytes = message_of(v, 1, 1);
		bytes = set_of(bytes, 2, all ? "\0\2\0\0" : "\1\54\0\0", 4);
		bytes = set_of(bytes, 300, "\0\0\0\1\12\0\0\1\12\0\0\2", 12);
		ck_assert_int_eq(read_file(file, bytes, &c, NULL), 0);
		ck_assert_uint_eq(got_count, 1);
		ck_assert_uint_eq(c.unknown_sets, 1);
		ck_assert_uint_eq(c.passed_bytes, 12);
	}
}
END_TEST

/* Every nanosecond survives, whether a reader rounds to the nearest or down. */
START_TEST(fractions)
{
	for (uint64_t i = 0; i < 100000; i++) {
		uint64_t ns = 1767225600000000000ULL + i * 9973 + i, ntp = weir_ipfix_time_ntp(ns);
		struct weir_ipfix_reading reading = {.got = 1 << WEIR_IPFIX_NTP_NS};

		reading.value[WEIR_IPFIX_NTP_NS] = ntp;
		if (weir_ipfix_time_ns(&reading, 1767225600, 0) != ns ||
		    (ntp & 0xffffffff) * 1000000000 >> 32 != ns % 1000000000)
			ck_abort_msg("%llu ns is not kept", (unsigned long long)ns);
	}
}
END_TEST

START_TEST(microseconds)
{
	for (uint64_t us = 0; us < 1000000; us += 37) {
		struct weir_ipfix_reading reading = {.got = 1 << WEIR_IPFIX_NTP_US};

		reading.value[WEIR_IPFIX_NTP_US] = (1767225600ULL + 2208988800) << 32 |
						   (((us << 32) / 1000000) & ~0x7ffULL);
		if (weir_ipfix_time_ns(&reading, 1767225600, 0) != 1767225600000000000 + us * 1000)
			ck_abort_msg("%llu us is not kept", (unsigned long long)us);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ipfix");
	TCase *tests = tcase_create("ipfix");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tests, 60);
	tcase_add_loop_test(tests, round_trip, 0, 5);
	tcase_add_test(tests, no_flows);
	tcase_add_test(tests, nat_as_ipfix_has_it);
	tcase_add_test(tests, nat_of_what_leaves);
	tcase_add_test(tests, sequence_numbers);
	tcase_add_test(tests, cut_short);
	tcase_add_test(tests, cut_among_tens);
	tcase_add_test(tests, damaged_headers);
	tcase_add_test(tests, times_of_others);
	tcase_add_test(tests, elements_of_others);
	tcase_add_test(tests, strange_templates);
	tcase_add_test(tests, costly_template);
	tcase_add_test(tests, withdrawn_templates);
	tcase_add_test(tests, fractions);
	tcase_add_test(tests, microseconds);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
