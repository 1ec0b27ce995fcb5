// SPDX-License-Identifier: GPL-2.0
/* test_summary.c - sums of an interval against a plain recount, as a master would read them. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/node/summary.h"
#include "daemon/wire/convert.h"
#include "daemon/wire/hash.h"

enum { FLOWS = 3000, HOSTS = 40, TOP = 5 };

static struct weir_flow flows[FLOWS];

static void make_flows(void)
{
	srandom(3);
	memset(flows, 0, sizeof(flows));
	for (unsigned i = 0; i < FLOWS; i++) {
		struct weir_flow *f = &flows[i];

		f->ip_version = 4;
		f->src_addr[10] = f->src_addr[11] = f->dst_addr[10] = f->dst_addr[11] = 0xff;
		f->src_addr[15] = random() % HOSTS;
		f->dst_addr[15] = random() % HOSTS; /* sometimes its own source */
		f->protocol = random() % 2 ? 6 : 17;
		f->src_port = 40000 + random() % 100;
		f->dst_port = random() % 20 + 1;
		f->in_ifindex = random() % 3;
		f->out_ifindex = random() % 3;
		f->packets = random() % 50 + 1;
		f->bytes = f->packets * 700;
	}
}

static struct weir_totals recount_host(uint8_t host)
{
	struct weir_totals sum = {0};

	for (unsigned i = 0; i < FLOWS; i++)
		if (flows[i].src_addr[15] == host || flows[i].dst_addr[15] == host)
			weir_flow_count(&sum, &flows[i]);
	return sum;
}

static Weir__Wire__Segment *encode(const struct weir_summary *summary,
				   const struct weir_store_state *state,
				   struct weir_store_summed *next)
{
	static const struct weir_store_identity identity = {.node_id = {1}, .epoch = {2}};
	struct weir_kernel_stats stats = {.instance = 99, .seq = 4};
	struct weir_summary_frame frame = {.identity = &identity,
					   .name = "n",
					   .state = state,
					   .kernel = &stats,
					   .start_ns = 10,
					   .end_ns = 20,
					   .top = TOP};
	Weir__Wire__Segment *segment;
	uint8_t *body, hash[32];
	size_t bytes;

	ck_assert_int_eq(weir_summary_encode(summary, &frame, &body, &bytes, next), 0);
	weir_hash_segment(body, bytes, hash);
	ck_assert_mem_eq(hash, next->hash, 32);
	segment = weir__wire__segment__unpack(NULL, bytes, body);
	ck_assert_ptr_nonnull(segment);
	free(body);
	return segment;
}

static void check_hosts(const Weir__Wire__Dimension *dimension)
{
	struct weir_totals rest = {0}, largest = {0}, got;
	bool listed[256] = {false};
	uint64_t groups = 0;

	ck_assert_str_eq(dimension->fields, "host");
	ck_assert_uint_eq(dimension->n_top, TOP);
	for (unsigned i = 0; i < TOP; i++) {
		uint8_t host = dimension->top[i]->key.data[16];
		struct weir_totals expected = recount_host(host);

		ck_assert_uint_eq(dimension->top[i]->key.len, 17);
		got = weir_convert_totals_get(dimension->top[i]->totals);
		ck_assert(weir_totals_equal(&got, &expected));
		if (i)
			ck_assert_uint_le(got.bytes, dimension->top[i - 1]->totals->bytes);
		listed[host] = true;
	}
	for (unsigned host = 0; host < HOSTS; host++) {
		struct weir_totals one = recount_host(host);

		if (listed[host])
			continue;
		groups++;
		weir_totals_add(&rest, &one);
		if (one.bytes > largest.bytes)
			largest.bytes = one.bytes;
	}
	got = weir_convert_totals_get(dimension->rest);
	ck_assert(weir_totals_equal(&got, &rest));
	ck_assert_uint_eq(dimension->rest_groups, groups);
	ck_assert_uint_eq(dimension->largest->bytes, largest.bytes);
}

static void check_interfaces(const Weir__Wire__Segment *segment, const struct weir_totals *all)
{
	struct weir_totals in = {0}, out = {0}, one;

	ck_assert_uint_eq(segment->n_interfaces, 3);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(segment->interfaces[i]->index, i);
		one = weir_convert_totals_get(segment->interfaces[i]->in);
		weir_totals_add(&in, &one);
		one = weir_convert_totals_get(segment->interfaces[i]->out);
		weir_totals_add(&out, &one);
	}
	ck_assert(weir_totals_equal(&in, all));
	ck_assert(weir_totals_equal(&out, all));
	ck_assert_str_eq(segment->interfaces[0]->name, "");
	ck_assert_str_eq(segment->interfaces[1]->name, "lo");
}

START_TEST(test_exact)
{
	struct weir_store_state state = {.summed = {.seq = 8, .block = 100, .totals = {1, 2, 3}}};
	struct weir_totals all = {0}, got;
	struct weir_store_summed next;
	struct weir_summary *summary;
	Weir__Wire__Segment *segment;

	make_flows();
	for (unsigned i = 0; i < FLOWS; i++)
		weir_flow_count(&all, &flows[i]);
	ck_assert_int_eq(weir_summary_new(WEIR_SUMMARY_GROUPS, &summary), 0);
	ck_assert_int_eq(weir_summary_add(summary, 101, flows, 1000), 0);
	ck_assert_int_eq(weir_summary_add(summary, 102, flows + 1000, FLOWS - 1000), 0);
	segment = encode(summary, &state, &next);
	ck_assert_uint_eq(segment->seq, 9);
	ck_assert_uint_eq(segment->first_block, 101);
	ck_assert_uint_eq(segment->last_block, 102);
	ck_assert_uint_eq(next.seq, 9);
	ck_assert_uint_eq(next.block, 102);
	ck_assert_uint_eq(next.end_ns, 20);
	got = weir_convert_totals_get(segment->totals);
	ck_assert(weir_totals_equal(&got, &all));
	ck_assert_uint_eq(segment->cumulative->flows, all.flows + 1);
	ck_assert_uint_eq(next.totals.bytes, all.bytes + 3);
	ck_assert_uint_eq(segment->n_dimensions, 4);
	check_hosts(segment->dimensions[0]);
	for (unsigned d = 1; d < 4; d++) { /* a flow counts once in these */
		struct weir_totals sum =
			weir_convert_totals_get(segment->dimensions[d]->rest);

		for (size_t i = 0; i < segment->dimensions[d]->n_top; i++) {
			got = weir_convert_totals_get(segment->dimensions[d]->top[i]->totals);
			weir_totals_add(&sum, &got);
		}
		ck_assert(weir_totals_equal(&sum, &all));
	}
	check_interfaces(segment, &all);
	ck_assert_uint_eq(segment->kernel->instance, 99);
	weir__wire__segment__free_unpacked(segment, NULL);

	/* An empty interval covers no block and moves no sum. */
	state.summed = next;
	weir_summary_clear(summary);
	segment = encode(summary, &state, &next);
	ck_assert_uint_eq(segment->seq, 10);
	ck_assert_uint_gt(segment->first_block, segment->last_block);
	ck_assert_mem_eq(segment->prev_hash.data, state.summed.hash, 32);
	ck_assert_uint_eq(segment->cumulative->flows, all.flows + 1);
	weir__wire__segment__free_unpacked(segment, NULL);
	weir_summary_free(summary);
}
END_TEST

START_TEST(test_bound)
{
	struct weir_summary *summary;

	make_flows();
	ck_assert_int_eq(weir_summary_new(4000, &summary), 0);
	ck_assert(weir_summary_fits(summary, 2000));
	ck_assert(!weir_summary_fits(summary, 2001)); /* two hosts each */
	ck_assert_int_eq(weir_summary_add(summary, 1, flows, 1990), 0);
	ck_assert(!weir_summary_fits(summary, 2000));
	weir_summary_clear(summary);
	ck_assert(weir_summary_fits(summary, 2000));
	weir_summary_free(summary);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("summary");
	TCase *tests = tcase_create("summary");
	SRunner *runner;
	int failed;

	tcase_add_test(tests, test_exact);
	tcase_add_test(tests, test_bound);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
