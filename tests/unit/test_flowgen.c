// SPDX-License-Identifier: GPL-2.0
/* test_flowgen.c - what tests/bench/flowgen.h says of the flows that benchmarks run on. */
#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/record.h"
#include "tests/bench/flowgen.h"

enum { COUNT = 50000 };

static struct weir_flow *flows_of(uint64_t seed, bool milliseconds, size_t a_time)
{
	struct weir_flowgen_options options = {.seed = seed, .tuples = 50000, .milliseconds = milliseconds};
	struct weir_flowgen *gen = weir_flowgen_new(&options);
	struct weir_flow *flows = calloc(COUNT, sizeof(*flows));

	ck_assert_ptr_nonnull(gen);
	ck_assert_ptr_nonnull(flows);
	for (size_t i = 0; i < COUNT; i += a_time)
		weir_flowgen_fill(gen, flows + i, a_time < COUNT - i ? a_time : COUNT - i);
	weir_flowgen_free(gen);
	return flows;
}

START_TEST(same_seed_same_flows)
{
	struct weir_flow *a = flows_of(1, false, 4096), *b = flows_of(1, false, 1), *c = flows_of(2, false, 4096);

	ck_assert_mem_eq(a, b, COUNT * sizeof(*a));
	ck_assert_mem_ne(a, c, COUNT * sizeof(*a));
	free(a);
	free(b);
	free(c);
}
END_TEST

static size_t flows_with(const struct weir_flow *flows, const char *text)
{
	uint8_t address[16] = {[10] = 0xff, [11] = 0xff};
	size_t count = 0;

	if (inet_pton(AF_INET, text, address + 12) != 1)
		ck_assert_int_eq(inet_pton(AF_INET6, text, address), 1);
	for (size_t i = 0; i < COUNT; i++)
		count += !memcmp(flows[i].src_addr, address, 16) || !memcmp(flows[i].dst_addr, address, 16);
	return count;
}

START_TEST(hosts_are_there_or_not)
{
	struct weir_flow *flows = flows_of(3, false, 4096);

	ck_assert_uint_gt(flows_with(flows, WEIR_FLOWGEN_COMMON), COUNT / 100);
	ck_assert_uint_gt(flows_with(flows, WEIR_FLOWGEN_SECOND), COUNT / 100);
	ck_assert_uint_eq(flows_with(flows, WEIR_FLOWGEN_ABSENT), 0);
	ck_assert_uint_eq(flows_with(flows, WEIR_FLOWGEN_ABSENT6), 0);
	free(flows);
}
END_TEST

START_TEST(flows_are_possible)
{
	struct weir_flow *flows = flows_of(4, _i, 4096);
	size_t ipv6 = 0;

	for (size_t i = 0; i < COUNT; i++) {
		const struct weir_flow *f = &flows[i];

		ipv6 += f->ip_version == 6;
		if (!f->packets || f->bytes < f->packets * 28)
			ck_abort_msg("flow %zu has an impossible size", i);
		if (f->start_ns > f->end_ns || f->second_ns > f->end_ns || f->payload_ns > f->end_ns ||
		    (f->second_ns != 0) != (f->packets > 1))
			ck_abort_msg("flow %zu has impossible times", i);
		/* 1000000 is a multiple of 64 */
		if (_i && (f->start_ns | f->end_ns | f->second_ns | f->payload_ns) % 64)
			ck_abort_msg("flow %zu has times of less than a millisecond", i);
	}
	ck_assert_uint_gt(ipv6, COUNT / 10);
	ck_assert_uint_lt(ipv6, COUNT / 7);
	free(flows);
}
END_TEST

START_TEST(a_record_reads_back)
{
	struct weir_flow *flows = flows_of(5, false, 4096), back;
	struct weir_record record;

	for (size_t i = 0; i < 1000; i++) {
		weir_flowgen_record(&flows[i], 1234567890123, &record);
		weir_record_read(&record, sizeof(record), 1234567890123, &back);
		ck_assert_mem_eq(&back, &flows[i], sizeof(back));
	}
	free(flows);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("flowgen");
	TCase *tests = tcase_create("flowgen");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tests, same_seed_same_flows);
	tcase_add_test(tests, hosts_are_there_or_not);
	tcase_add_loop_test(tests, flows_are_possible, 0, 2);
	tcase_add_test(tests, a_record_reads_back);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
