// SPDX-License-Identifier: GPL-2.0
/* query.c over a real store, against loops over an array. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/query/measure.h"
#include "daemon/query/query.h"

enum {
	BLOCKS = 7,
	BLOCK_FLOWS = 300,
	FLOWS = BLOCKS * BLOCK_FLOWS,
};

#define BASE (1795446000ULL * WEIR_NS_PER_SECOND)

static struct weir_flow flows[FLOWS];
static char folder[64];
static struct weir_store *store;

static void make_flow(struct weir_flow *flow, unsigned i)
{
	memset(flow, 0, sizeof(*flow));
	flow->ip_version = 4;
	flow->src_addr[10] = flow->src_addr[11] = 0xff;
	flow->dst_addr[10] = flow->dst_addr[11] = 0xff;
	flow->src_addr[12] = flow->dst_addr[12] = 10;
	flow->src_addr[15] = (uint8_t)(random() % 20);
	flow->dst_addr[15] = (uint8_t)(random() % 20); /* sometimes to itself */
	flow->protocol = random() % 2 ? 6 : 17;
	flow->src_port = (uint16_t)(1024 + random() % 100);
	flow->dst_port = random() % 2 ? 443 : 53;
	flow->packets = (uint64_t)(1 + random() % 50);
	flow->bytes = flow->packets * (uint64_t)(40 + random() % 1400);
	/* Out of order across blocks, with ties. */
	flow->start_ns = BASE + (i + (unsigned)random() % 400) * (WEIR_NS_PER_SECOND / 10);
	flow->end_ns = flow->start_ns + (uint64_t)(random() % 20) * WEIR_NS_PER_SECOND;
	if (i / BLOCK_FLOWS == 3 && i % 2)
		flow->sampling = 100;
	if (i / BLOCK_FLOWS == 5) {
		flow->sampling = 10;
		flow->sampling_method = WEIR_SAMPLING_FLOWS;
	}
}

static void open_store(void)
{
	struct weir_store_position position = {.instance = 1};
	const struct weir_store_options options = {.max_bytes = 64 << 20};
	struct weir_store_txn *txn;

	strcpy(folder, "/tmp/weir-test-query-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(weir_store_open(folder, &options, &store), 0);
	srandom(11);
	for (unsigned i = 0; i < FLOWS; i++)
		make_flow(&flows[i], i);
	for (unsigned i = 0; i < BLOCKS; i++) {
		position.seq = i + 1;
		ck_assert_int_eq(weir_store_begin(store, BASE, &txn), 0);
		weir_store_put_block(txn, flows + i * BLOCK_FLOWS, BLOCK_FLOWS);
		weir_store_put_position(txn, &position);
		ck_assert_int_eq(weir_store_commit(txn), 0);
	}
}

static void close_store(void)
{
	char command[96];

	weir_store_close(store);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	ck_assert_int_eq(system(command), 0);
}

static bool selected(const struct weir_query *q, const struct weir_flow *f)
{
	return f->end_ns >= q->from_ns && (!q->to_ns || f->start_ns < q->to_ns) &&
	       weir_filter_match(q->filter, f);
}

static int compare_ends(const void *x, const void *y)
{
	uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

	return a > b ? -1 : a < b;
}

struct seen {
	uint64_t ends[FLOWS];
	size_t count, stop_at;
	struct weir_totals totals;
};

static int take(void *arg, const struct weir_flow *flow)
{
	struct seen *s = arg;

	s->ends[s->count++] = flow->end_ns;
	weir_flow_count(&s->totals, flow);
	return s->stop_at && s->count == s->stop_at ? 77 : 0;
}

static void check_list(const struct weir_query *q, const struct weir_list *list)
{
	static uint64_t expected[FLOWS];
	static struct seen seen;
	struct weir_query_result result;
	struct weir_totals matched = {0, 0, 0};
	size_t count = 0;

	memset(&seen, 0, sizeof(seen));
	for (unsigned i = 0; i < FLOWS; i++) {
		if (!selected(q, &flows[i]))
			continue;
		weir_flow_count(&matched, &flows[i]);
		expected[count++] = flows[i].end_ns;
	}
	qsort(expected, count, sizeof(*expected), compare_ends);
	ck_assert_int_eq(weir_query_list(store, q, list, take, &seen, &result), 0);
	ck_assert(weir_totals_equal(&result.matched, &matched));
	ck_assert_uint_eq(result.blocks_damaged, 0);
	if (list->limit && list->limit < count)
		count = list->limit;
	else
		ck_assert(weir_totals_equal(&seen.totals, &matched));
	ck_assert_uint_eq(seen.count, count);
	ck_assert_mem_eq(seen.ends, expected, count * sizeof(*expected));
}

START_TEST(lists)
{
	static const uint64_t limits[] = {0, 1, 20, 299, 2000, FLOWS, 100000};
	static const uint64_t from[] = {0, 20, 100}, to[] = {0, 60, 130};
	struct weir_query q = {.to_ns = UINT64_MAX};
	struct weir_list list = {0};
	struct weir_filter *filter;
	char error[128];

	ck_assert_int_eq(weir_filter_parse("tcp and port 443", &filter, error, sizeof(error), NULL),
			 0);
	for (unsigned i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		for (unsigned k = 0; k < 3; k++) {
			list.limit = limits[i];
			q.from_ns = from[k] ? BASE + from[k] * WEIR_NS_PER_SECOND : 0;
			q.to_ns = to[k] ? BASE + to[k] * WEIR_NS_PER_SECOND : 0;
			q.filter = NULL;
			check_list(&q, &list);
			q.filter = filter;
			check_list(&q, &list);
		}
	}
	weir_filter_free(filter);
}
END_TEST

START_TEST(stops)
{
	static struct seen seen;
	const struct weir_list list = {.limit = 10};
	struct weir_query_result result;
	atomic_bool cancel = true;
	struct weir_query q = {0};

	memset(&seen, 0, sizeof(seen));
	seen.stop_at = 4;
	ck_assert_int_eq(weir_query_list(store, &q, &list, take, &seen, NULL), 77);
	ck_assert_uint_eq(seen.count, 4);
	q.memory_bytes = 1000;
	ck_assert_int_eq(weir_query_list(store, &q, NULL, take, &seen, &result), -E2BIG);
	ck_assert_ptr_nonnull(result.bound);
	q.memory_bytes = 0;
	q.cancel = &cancel;
	ck_assert_int_eq(weir_query_list(store, &q, NULL, take, &seen, NULL), -ECANCELED);
	ck_assert_uint_eq(seen.count, 4);
}
END_TEST

struct hosts {
	struct weir_totals expected[20];
	unsigned count;
};

static int take_host(void *arg, const uint8_t *key, const uint64_t *value)
{
	struct hosts *hosts = arg;
	const struct weir_totals totals = {value[0], value[1], value[2]};

	ck_assert_uint_eq(key[0], 4);
	ck_assert_uint_eq(key[16], hosts->count);
	ck_assert(weir_totals_equal(&totals, &hosts->expected[hosts->count]));
	hosts->count++;
	return 0;
}

START_TEST(sums)
{
	static struct hosts hosts;
	struct weir_totals matched = {0, 0, 0};
	struct weir_query q = {.from_ns = BASE + 20 * WEIR_NS_PER_SECOND};
	struct weir_query_spec spec = {.measures = 3, .order = WEIR_ORDER_KEY};
	struct weir_query_result result;

	memset(&hosts, 0, sizeof(hosts));
	ck_assert_int_eq(weir_fields_parse("host", &spec.fields, NULL), 0);
	spec.measure[0].quantity = weir_quantity_find("flows", 5);
	spec.measure[1].quantity = weir_quantity_find("packets", 7);
	spec.measure[2].quantity = weir_quantity_find("bytes", 5);
	for (unsigned i = 0; i < FLOWS; i++) {
		if (!selected(&q, &flows[i]))
			continue;
		weir_flow_count(&matched, &flows[i]);
		weir_flow_count(&hosts.expected[flows[i].src_addr[15]], &flows[i]);
		if (flows[i].src_addr[15] != flows[i].dst_addr[15])
			weir_flow_count(&hosts.expected[flows[i].dst_addr[15]], &flows[i]);
	}
	ck_assert_int_eq(weir_query_groups(store, &q, &spec, take_host, &hosts, NULL, &result), 0);
	ck_assert(weir_totals_equal(&result.matched, &matched));
	ck_assert_uint_eq(hosts.count, 20);
}
END_TEST

static int take_sums(void *arg, const uint8_t *key, const uint64_t *value)
{
	memcpy(arg, value, 3 * sizeof(*value));
	return 0;
}

static struct weir_query_result sum_scaled(const char *text, uint64_t got[3])
{
	static const char *const measures[] = {"sum scaled_bytes", "sum scaled_packets",
					       "sum scaled_flows"};
	struct weir_query_spec spec = {.measures = 3};
	struct weir_query_result result;
	struct weir_filter *filter;
	struct weir_query q = {0};
	char error[256];
	size_t at;

	ck_assert_int_eq(weir_filter_parse(text, &filter, error, sizeof(error), &at), 0);
	q.filter = filter;
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(weir_measure_parse(measures[i], &spec.measure[i], error,
						    sizeof(error)),
				 0);
	memset(got, 0, 3 * sizeof(*got));
	ck_assert_int_eq(weir_query_groups(store, &q, &spec, take_sums, got, NULL, &result), 0);
	weir_filter_free(filter);
	return result;
}

/* Figures are as counted, the answer says that they are of a sample, and what multiplies is asked for by name. */
START_TEST(sampled)
{
	uint64_t got[3], expected[3] = {0}, counted = 0;
	struct weir_query_result result = sum_scaled("any", got);

	for (unsigned i = 0; i < FLOWS; i++) {
		uint64_t times = flows[i].sampling ? flows[i].sampling : 1;

		expected[0] += times * flows[i].bytes;
		expected[1] += times * flows[i].packets;
		expected[2] += flows[i].sampling_method == WEIR_SAMPLING_FLOWS ? times : 1;
		counted += flows[i].bytes;
	}
	ck_assert_uint_eq(got[0], expected[0]);
	ck_assert_uint_eq(got[1], expected[1]);
	ck_assert_uint_eq(got[2], expected[2]);
	ck_assert_uint_eq(result.matched.bytes, counted);
	ck_assert_uint_eq(result.sampled, 100);
	result = sum_scaled("sampling 10", got);
	ck_assert_uint_eq(result.sampled, 10);
	ck_assert_uint_eq(result.matched.flows, BLOCK_FLOWS);
	ck_assert_uint_eq(got[2], 10 * BLOCK_FLOWS);
	result = sum_scaled("sampling 10 and proto 200", got);
	ck_assert_uint_eq(result.sampled, 0); /* nothing of a sample is in it */
}
END_TEST

/* Where the packets of one connection were seen; of GTP-U each direction has an id of its own. */
static const struct sight {
	uint32_t netns, id, id_back;
	uint8_t tunnel;
} sights[] = {
	{0, 0, 0, WEIR_TUNNEL_NONE},
	{4026532001u, 0, 0, WEIR_TUNNEL_NONE},
	{4026532002u, 0, 0, WEIR_TUNNEL_NONE},
	{0, 0, 0, WEIR_TUNNEL_IPIP},
	{0, 7, 7, WEIR_TUNNEL_GRE},
	{0, 7, 7, WEIR_TUNNEL_VXLAN},
	{0, 8, 8, WEIR_TUNNEL_VXLAN},
	{0, 9, 10, WEIR_TUNNEL_GTPU},
};

enum { SIGHTS = sizeof(sights) / sizeof(sights[0]), MS = 1000000 };

/* A handshake, a question and an answer; each further place sees each packet a little later. */
static void make_sight(unsigned i, struct weir_flow there_and_back[2])
{
	struct weir_flow *there = &there_and_back[0], *back = &there_and_back[1];

	make_flow(there, 0);
	there->protocol = 6;
	there->tcp_flags = 0x1b;
	there->src_addr[15] = 1;
	there->dst_addr[15] = 2;
	there->src_port = 40000;
	there->dst_port = 443;
	there->packets = 5;
	there->bytes = 500;
	there->tunnel = sights[i].tunnel;
	there->tunnel_id = sights[i].id;
	there->netns = sights[i].netns;
	there->start_ns = BASE + i * MS;
	there->end_ns = there->start_ns + 100 * MS;
	there->second_ns = there->start_ns + 30 * MS;
	there->payload_ns = there->start_ns + 31 * MS;
	*back = *there;
	memcpy(back->src_addr, there->dst_addr, 16);
	memcpy(back->dst_addr, there->src_addr, 16);
	back->src_port = there->dst_port;
	back->dst_port = there->src_port;
	back->tunnel_id = sights[i].id_back;
	back->start_ns += 20 * MS;
	back->second_ns += 20 * MS;
	back->payload_ns += 20 * MS;
}

static int take_pair(void *arg, const struct weir_pair *pair)
{
	unsigned *count = arg;

	ck_assert_uint_lt(*count, SIGHTS);
	ck_assert_uint_eq(pair->start_ns, BASE + (*count)++ * MS);
	ck_assert(pair->initiator_seen);
	ck_assert_uint_eq(pair->forward.records, 1);
	ck_assert_uint_eq(pair->reverse.records, 1);
	ck_assert_uint_eq(pair->forward.bytes, 500);
	ck_assert_uint_eq(pair->reverse.bytes, 500);
	ck_assert_uint_eq(pair->server_rtt_ns, 20 * MS);
	ck_assert_uint_eq(pair->client_rtt_ns, 10 * MS);
	ck_assert_uint_eq(pair->response_ns, 20 * MS);
	return 0;
}

/* What is seen in two places is two conversations: together they would have twice the bytes, and the second sight
 * of the first packet would pass for the second packet. */
START_TEST(seen_twice)
{
	const struct weir_pairs pairs = {.ascending = true};
	struct weir_store_position position = {.instance = 1, .seq = BLOCKS + 1};
	struct weir_query query = {0};
	struct weir_query_result result;
	struct weir_filter *filter;
	struct weir_flow sight[2 * SIGHTS];
	char error[512];
	struct weir_store_txn *txn;
	unsigned count = 0;
	uint64_t all;

	for (unsigned i = 0; i < SIGHTS; i++)
		make_sight(i, sight + i * 2);
	ck_assert_int_eq(weir_store_begin(store, BASE, &txn), 0);
	weir_store_put_block(txn, sight, 2 * SIGHTS);
	weir_store_put_position(txn, &position);
	ck_assert_int_eq(weir_store_commit(txn), 0);
	ck_assert_int_eq(weir_filter_parse("port 40000", &filter, error, sizeof(error), NULL), 0);
	query.filter = filter;
	ck_assert_int_eq(weir_query_pairs(store, &query, &pairs, take_pair, &count, &all, &result), 0);
	weir_filter_free(filter);
	ck_assert_uint_eq(count, SIGHTS);
	ck_assert_uint_eq(all, SIGHTS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("query");
	TCase *tcase = tcase_create("query");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, open_store, close_store);
	tcase_add_test(tcase, lists);
	tcase_add_test(tcase, stops);
	tcase_add_test(tcase, sums);
	tcase_add_test(tcase, sampled);
	tcase_add_test(tcase, seen_twice);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
