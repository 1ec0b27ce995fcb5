// SPDX-License-Identifier: GPL-2.0
/* test_summary.c - sums of an interval against a plain recount, as a master would read them. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/node/summary.h"
#include "daemon/query/aggregate.h"
#include "daemon/query/fields.h"
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

enum { MANY = 30000, MANY_GROUPS = 1 << 17 };

/* Anything a stranger may send, with many hosts and few, both versions in one address. */
static void make_anything(struct weir_flow *many)
{
	static const uint8_t protocols[] = {1, 6, 17, 33, 47, 50, 58, 132, 136, 255};

	srandom(11);
	memset(many, 0, MANY * sizeof(*many));
	for (unsigned i = 0; i < MANY; i++) {
		struct weir_flow *f = &many[i];
		unsigned hosts = random() % 3 ? 20000 : 5;

		f->ip_version = random() % 2 ? 4 : 6;
		f->src_addr[0] = random() % 2 * 0x20;
		f->src_addr[14] = (uint8_t)(random() % hosts >> 8);
		f->src_addr[15] = (uint8_t)(random() % hosts);
		memcpy(f->dst_addr, f->src_addr, 16);
		if (random() % 4)
			f->dst_addr[7] = (uint8_t)random();
		f->protocol = protocols[random() % sizeof(protocols)];
		f->src_port = (uint16_t)random();
		f->dst_port = random() % 2 ? 443 : (uint16_t)random();
		f->in_ifindex = random() % 4 ? 2 : (uint32_t)random();
		f->out_ifindex = (uint32_t)(random() % 9);
		f->packets = (uint64_t)random() % 4; /* many ties */
		f->bytes = f->packets * (random() % 5) << random() % 40;
	}
}

/* What the dimension must hold, by the words it goes by and one flow at a time. */
static void compare_dimension(const Weir__Wire__Dimension *got, const struct weir_flow *many)
{
	uint8_t keys[2][WEIR_FIELDS_KEY_MAX];
	struct weir_aggregate *expected;
	struct weir_fields fields;
	struct weir_group *groups;
	struct weir_rest rest;
	struct weir_totals t;
	size_t count;

	ck_assert_int_eq(weir_fields_parse(got->fields, &fields, NULL), 0);
	ck_assert_int_eq(weir_aggregate_new(fields.key_bytes, MANY_GROUPS, &expected), 0);
	for (unsigned i = 0; i < MANY; i++) {
		struct weir_totals one = {1, many[i].packets, many[i].bytes};
		unsigned n = weir_fields_keys(&fields, &many[i], keys);

		for (unsigned k = 0; k < n; k++)
			ck_assert_int_eq(weir_aggregate_add(expected, keys[k], &one), 0);
	}
	ck_assert_int_eq(weir_aggregate_top(expected, WEIR_BY_BYTES, TOP, &groups, &count, &rest), 0);
	ck_assert_uint_eq(got->n_top, count);
	for (size_t i = 0; i < count; i++) {
		ck_assert_uint_eq(got->top[i]->key.len, fields.key_bytes);
		ck_assert_mem_eq(got->top[i]->key.data, groups[i].key, fields.key_bytes);
		t = weir_convert_totals_get(got->top[i]->totals);
		ck_assert(weir_totals_equal(&t, &groups[i].totals));
	}
	ck_assert_uint_eq(got->rest_groups, rest.groups);
	t = weir_convert_totals_get(got->rest);
	ck_assert(weir_totals_equal(&t, &rest.totals));
	t = weir_convert_totals_get(got->largest);
	ck_assert(weir_totals_equal(&t, &rest.largest));
	free(groups);
	weir_aggregate_free(expected);
}

static void compare_interfaces(const Weir__Wire__Segment *segment, const struct weir_flow *many)
{
	for (size_t i = 0; i < segment->n_interfaces; i++) {
		const Weir__Wire__Interface *got = segment->interfaces[i];
		struct weir_totals in = {0}, out = {0}, t = {0};

		ck_assert(!i || segment->interfaces[i - 1]->index < got->index);
		for (unsigned f = 0; f < MANY; f++) {
			if (many[f].in_ifindex == got->index)
				weir_flow_count(&in, &many[f]);
			if (many[f].out_ifindex == got->index)
				weir_flow_count(&out, &many[f]);
		}
		if (got->in)
			t = weir_convert_totals_get(got->in);
		ck_assert(weir_totals_equal(&t, &in));
		t = (struct weir_totals){0};
		if (got->out)
			t = weir_convert_totals_get(got->out);
		ck_assert(weir_totals_equal(&t, &out));
	}
}

START_TEST(test_against_fields)
{
	struct weir_flow *many = malloc(MANY * sizeof(*many));
	struct weir_store_state state = {0};
	struct weir_store_summed next;
	struct weir_summary *summary;
	Weir__Wire__Segment *segment;

	make_anything(many);
	ck_assert_int_eq(weir_summary_new(MANY_GROUPS, &summary), 0);
	/* Twice: what the first interval left must not show in the second. */
	for (unsigned round = 0; round < 2; round++) {
		size_t at = 0;

		for (uint64_t block = 1; at < MANY; block++) {
			size_t some = 1 + (size_t)random() % 999;

			if (some > MANY - at)
				some = MANY - at;
			ck_assert(weir_summary_fits(summary, some));
			ck_assert_int_eq(weir_summary_add(summary, block, many + at, some), 0);
			at += some;
		}
		segment = encode(summary, &state, &next);
		for (unsigned d = 0; d < segment->n_dimensions; d++)
			compare_dimension(segment->dimensions[d], many);
		compare_interfaces(segment, many);
		ck_assert_uint_eq(segment->totals->flows, MANY);
		weir__wire__segment__free_unpacked(segment, NULL);
		weir_summary_clear(summary);
	}
	weir_summary_free(summary);
	free(many);
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
	tcase_add_test(tests, test_against_fields);
	tcase_set_timeout(tests, 60);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
