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

START_TEST(test_format1)
{
	enum { NUMBER = 7, COUNT = 40 };
	static uint8_t block[8192];
	struct weir_flow flows[COUNT];
	struct weir_block_reader *reader;
	FILE *file = fopen("tests/unit/data/block-format1", "rb");
	size_t bytes;

	ck_assert_ptr_nonnull(file);
	bytes = fread(block, 1, sizeof(block), file);
	fclose(file);
	ck_assert_int_eq(weir_block_reader_new(&reader), 0);
	ck_assert_int_eq(weir_block_open(reader, NUMBER, block, bytes), 0);
	ck_assert_uint_eq(weir_block_count(reader), COUNT);
	ck_assert_uint_eq(weir_block_times(reader).min_ns, START);
	ck_assert_uint_eq(weir_block_times(reader).max_ns, START + 39500);
	ck_assert_int_eq(weir_block_rows(reader, WEIR_COLUMN_ALL, flows), 0);
	for (unsigned i = 0; i < COUNT; i++) {
		struct weir_flow expected = make_flow(i);

		ck_assert_mem_eq(&flows[i], &expected, sizeof(expected));
	}
	ck_assert_int_eq(weir_block_open(reader, NUMBER + 1, block, bytes), -EBADMSG);
	weir_block_reader_free(reader);
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
	tcase_add_test(core, test_format1);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
