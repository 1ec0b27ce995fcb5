// SPDX-License-Identifier: GPL-2.0
/*
 * test_merge_query.c - questions asked while blocks are stored and merged.
 *
 * Flow n has n bytes. Whenever an answer is made, it is of flows 1 to some n, each once: so its
 * bytes are n (n + 1) / 2, and n is between what was stored before and after.
 */
#include <check.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/query/query.h"
#include "daemon/store/rollup.h"
#include "daemon/store/store.h"

#define START (20000 * 86400 * WEIR_NS_PER_SECOND)

static char dir[64];
static struct weir_store *store;
static atomic_bool stop;
static _Atomic unsigned answers;

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	return remove(path);
}

static void setup(void)
{
	struct weir_store_options options = {0};

	snprintf(dir, sizeof(dir), "%s/weir-test-merge-XXXXXX",
		 access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(weir_store_open(dir, &options, &store), 0);
}

static void teardown(void)
{
	weir_store_close(store);
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A block of the next @count flows, a segment that covers it, and a roll-up of that. */
static void put(size_t count)
{
	struct weir_flow *flows = calloc(count, sizeof(*flows));
	struct weir_rollup_head head = {0};
	struct weir_store_state state;
	struct weir_store_txn *txn;

	ck_assert_int_eq(weir_store_state(store, &state), 0);
	for (size_t i = 0; i < count; i++) {
		flows[i].packets = 1;
		flows[i].bytes = state.stored.flows + 1 + i;
		flows[i].ip_version = 4;
		flows[i].protocol = 6;
		flows[i].start_ns = flows[i].end_ns = START + flows[i].bytes;
	}
	ck_assert_int_eq(weir_store_begin(store, START, &txn), 0);
	weir_store_put_block(txn, flows, count);
	head.first_segment = head.last_segment = ++state.summed.seq;
	head.first_block = head.last_block = state.summed.block = state.last_block + 1;
	head.end_ns = state.summed.seq;
	weir_store_put_segment(txn, &state.summed, "segment", 7);
	ck_assert_int_eq(weir_store_commit(txn), 0);
	ck_assert_int_eq(weir_rollup_put(store, WEIR_ROLLUP_MINUTE, &head, "minute", 6), 0);
	free(flows);
}

static int ignore(void *arg, const uint8_t *key, const uint64_t *value)
{
	return 0;
}

static void ask(unsigned threads)
{
	struct weir_query query = {.threads = threads};
	struct weir_query_spec spec = {0};
	struct weir_query_result result;
	struct weir_totals before, after;
	uint64_t n;

	ck_assert_int_eq(weir_fields_parse("proto", &spec.fields, NULL), 0);
	spec.order = WEIR_ORDER_KEY;
	ck_assert_int_eq(weir_store_stored(store, &before), 0);
	ck_assert_int_eq(weir_query_groups(store, &query, &spec, ignore, NULL, NULL, &result), 0);
	ck_assert_int_eq(weir_store_stored(store, &after), 0);
	n = result.matched.flows;
	ck_assert_uint_eq(result.blocks_gone, 0);
	ck_assert_uint_eq(result.blocks_damaged, 0);
	ck_assert_uint_ge(n, before.flows);
	ck_assert_uint_le(n, after.flows);
	ck_assert_uint_eq(result.matched.packets, n);
	ck_assert_uint_eq(result.matched.bytes, n * (n + 1) / 2);
}

static void *ask_on(void *arg)
{
	while (!atomic_load(&stop)) {
		ask(*(unsigned *)arg);
		atomic_fetch_add(&answers, 1);
	}
	return NULL;
}

START_TEST(test_answers)
{
	unsigned threads[] = {1, 2};
	pthread_t asking[2];
	struct weir_store_figures figures;
	uint64_t puts = 0;

	for (unsigned i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&asking[i], NULL, ask_on, &threads[i]), 0);
	while (puts < 400 || atomic_load(&answers) < 20) {
		put(1 + (size_t)random() % 100);
		ck_assert_int_ge(weir_store_merge(store, START), 0);
		puts++;
	}
	atomic_store(&stop, true);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(asking[i], NULL);
	ck_assert_int_eq(weir_store_figures(store, &figures), 0);
	ck_assert_uint_lt(figures.blocks, puts / 4);
	ask(1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("merge_query");
	TCase *tests = tcase_create("merge_query");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 240);
	tcase_add_test(tests, test_answers);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
