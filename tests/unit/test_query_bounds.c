// SPDX-License-Identifier: GPL-2.0
/*
 * test_query_bounds.c - what a query may not do: take more memory, threads or disk than it
 * was given, go on when told to stop, leave anything behind, or keep quiet about what it left out.
 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/query/query.h"
#include "tests/unit/naive.h"
#include "tests/unit/random_query.h"

enum {
	BLOCKS = 40,
	BLOCK_FLOWS = 400,
	FLOWS = BLOCKS * BLOCK_FLOWS,
};

#define BASE (1795446000ULL * WEIR_NS_PER_SECOND)

static struct weir_flow flows[FLOWS];
static char folder[64], spill_folder[96];
static struct weir_store *store;

static void open_store(void)
{
	const struct random_flows kind = {BASE, 40, 80, 10, false, true};
	const struct weir_store_options options = {.max_bytes = 256 << 20};
	struct weir_store_position position = {.instance = 1};
	struct weir_store_txn *txn;

	strcpy(folder, "/tmp/weir-test-bounds-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	strcpy(spill_folder, "/tmp/weir-test-spill-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(spill_folder));
	ck_assert_int_eq(weir_store_open(folder, &options, &store), 0);
	srandom(5);
	for (unsigned i = 0; i < FLOWS; i++) {
		random_flow(&kind, i ? &flows[i - 1] : NULL, &flows[i]);
		flows[i].start_ns += i * (WEIR_NS_PER_SECOND / 50);
		flows[i].end_ns += i * (WEIR_NS_PER_SECOND / 50);
	}
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
	char command[192];

	weir_store_close(store);
	snprintf(command, sizeof(command), "rm -rf %s && rmdir %s", folder, spill_folder);
	ck_assert_int_eq(system(command), 0); /* rmdir: nothing was left there */
}

/* What an emit function sees, and when it has enough. */
struct seen {
	uint64_t count, stop_at;
	int result; /* at stop_at */
	atomic_bool *cancel; /* set at stop_at */
	uint64_t last_end_ns, falls; /* how often the end was later than that before */
	struct weir_totals totals;
};

static int see(struct seen *seen)
{
	if (++seen->count != seen->stop_at)
		return 0;
	if (seen->cancel)
		atomic_store(seen->cancel, true);
	return seen->result;
}

static int see_flow(void *arg, const struct weir_flow *flow)
{
	struct seen *seen = arg;

	seen->falls += seen->count && flow->end_ns > seen->last_end_ns;
	seen->last_end_ns = flow->end_ns;
	naive_count(&seen->totals, flow);
	return see(seen);
}

static int see_group(void *arg, const uint8_t *key, const uint64_t *value)
{
	return see(arg);
}

static int see_pair(void *arg, const struct weir_pair *pair)
{
	return see(arg);
}

/* Of every kind of query. */
enum kind { SORTED, AS_FOUND, GROUPS, DISTINCT, PAIRS, KINDS };

static int ask(enum kind kind, const struct weir_query *query, struct seen *seen,
	       struct weir_query_result *result)
{
	struct weir_query_spec spec = {.order = WEIR_ORDER_KEY, .measures = 1};
	const struct weir_list found = {.order = WEIR_LIST_AS_FOUND};

	switch (kind) {
	case SORTED:
		return weir_query_list(store, query, NULL, see_flow, seen, result);
	case AS_FOUND:
		return weir_query_list(store, query, &found, see_flow, seen, result);
	case PAIRS:
		return weir_query_pairs(store, query, NULL, see_pair, seen, NULL, result);
	default:
		break;
	}
	ck_assert_int_eq(weir_fields_parse("src,dst,sport", &spec.fields, NULL), 0);
	spec.measure[0].quantity = weir_quantity_find("bytes", 5);
	if (kind == DISTINCT) {
		spec.measure[0].kind = WEIR_MEASURE_DISTINCT;
		ck_assert_int_eq(weir_fields_parse("dport", &spec.measure[0].distinct, NULL), 0);
	}
	return weir_query_groups(store, query, &spec, see_group, seen, NULL, result);
}

START_TEST(as_found)
{
	const struct weir_list few = {.order = WEIR_LIST_AS_FOUND, .limit = 700};
	struct weir_query q = {.threads = 3};
	struct weir_query_result result;
	struct weir_totals all = {0, 0, 0};
	struct seen seen = {0};

	for (unsigned i = 0; i < FLOWS; i++)
		naive_count(&all, &flows[i]);
	ck_assert_int_eq(ask(AS_FOUND, &q, &seen, &result), 0);
	ck_assert(weir_totals_equal(&seen.totals, &all));
	ck_assert(weir_totals_equal(&result.matched, &all));
	/* Sorted in each block; out of order only where the next, older one begins. */
	ck_assert_uint_le(seen.falls, BLOCKS - 1);
	memset(&seen, 0, sizeof(seen));
	ck_assert_int_eq(weir_query_list(store, &q, &few, see_flow, &seen, &result), 0);
	ck_assert_uint_eq(seen.count, 700);
	ck_assert_uint_lt(result.blocks_read, BLOCKS);
}
END_TEST

START_TEST(stops)
{
	enum kind kind = (enum kind)_i;
	atomic_bool cancel = true;
	struct weir_query q = {.threads = 2, .cancel = &cancel};
	struct weir_query_result result;
	struct seen seen = {0};

	ck_assert_int_eq(ask(kind, &q, &seen, &result), -ECANCELED);
	ck_assert_uint_eq(seen.count, 0);
	atomic_store(&cancel, false);
	seen.stop_at = 300;
	seen.result = 77;
	ck_assert_int_eq(ask(kind, &q, &seen, &result), 77);
	ck_assert_uint_eq(seen.count, 300);
	memset(&seen, 0, sizeof(seen));
	seen.stop_at = 300;
	seen.cancel = &cancel;
	ck_assert_int_eq(ask(kind, &q, &seen, &result), -ECANCELED);
	ck_assert_uint_lt(seen.count, 300 + 257);
}
END_TEST

START_TEST(memory)
{
	enum kind kind = (enum kind)_i;
	struct weir_query q = {.threads = 2, .memory_bytes = 64 << 10};
	struct weir_query_result result;
	struct seen all = {0}, seen = {0};

	ck_assert_int_eq(ask(kind, &(struct weir_query){0}, &all, &result), 0);
	ck_assert_uint_eq(result.spilled_bytes, 0);
	if (kind == AS_FOUND)
		return; /* has no use for it */
	ck_assert_int_eq(ask(kind, &q, &seen, &result), -E2BIG);
	ck_assert_uint_eq(seen.count, 0);
	ck_assert_ptr_nonnull(result.bound);
	ck_assert_uint_eq(result.bound_bytes, 64 << 10);
	q.spill_dir = spill_folder;
	ck_assert_int_eq(ask(kind, &q, &seen, &result), 0);
	ck_assert_uint_eq(seen.count, all.count);
	ck_assert_uint_gt(result.spilled_bytes, 64 << 10);
	ck_assert_ptr_null(result.bound);
	q.spill_bytes = result.spilled_bytes / 4;
	ck_assert_int_eq(ask(kind, &q, &seen, &result), -EDQUOT);
	q.spill_bytes = 0;
	/* There never is so much free space. */
	q.spill_keep_bytes = UINT64_MAX;
	ck_assert_int_eq(ask(kind, &q, &seen, &result), -EDQUOT);
	q.spill_keep_bytes = 0;
	q.spill_dir = "/tmp/weir-there-is-no-such-folder";
	ck_assert_int_lt(ask(kind, &q, &seen, &result), 0);
}
END_TEST

START_TEST(figures)
{
	struct weir_query q = {.threads = 2};
	struct weir_query_result result;
	struct seen seen = {0};
	char error[160];
	struct weir_filter *filter;

	ck_assert_int_eq(ask(GROUPS, &q, &seen, &result), 0);
	ck_assert_uint_eq(result.blocks_planned, BLOCKS);
	ck_assert_uint_eq(result.blocks_read, BLOCKS);
	ck_assert_uint_eq(result.records_read, FLOWS);
	ck_assert_uint_gt(result.bytes_read, 0);
	ck_assert_uint_eq(result.threads, 2);
	/* A network that is in no block costs no column. */
	ck_assert_int_eq(weir_filter_parse("tcp and (host 192.0.2.1 or host 192.0.2.2)", &filter,
					   error, sizeof(error), NULL), 0);
	q.filter = filter;
	ck_assert_int_eq(ask(GROUPS, &q, &seen, &result), 0);
	ck_assert_uint_eq(result.blocks_skipped, BLOCKS);
	ck_assert_uint_eq(result.blocks_read, 0);
	ck_assert_uint_eq(result.bytes_read, 0);
	weir_filter_free(filter);
	/* Nor does a time after the last block's. */
	q = (struct weir_query){0};
	for (unsigned i = 0; i < FLOWS; i++) {
		if (flows[i].end_ns >= q.from_ns)
			q.from_ns = flows[i].end_ns + 1;
	}
	ck_assert_int_eq(ask(GROUPS, &q, &seen, &result), 0);
	ck_assert_uint_eq(result.blocks_planned, 0);
}
END_TEST

struct told {
	unsigned calls;
	uint64_t total;
	pthread_t thread;
};

static void tell(void *arg, uint64_t done, uint64_t total, uint64_t records)
{
	struct told *told = arg;

	ck_assert(pthread_equal(told->thread, pthread_self()));
	ck_assert_uint_le(done, total);
	ck_assert_uint_le(records, FLOWS);
	told->calls++;
	told->total = total;
}

static int take_long(void *arg, const struct weir_flow *flow)
{
	if (++*(unsigned *)arg % 4000 == 0)
		usleep(200000);
	return 0;
}

START_TEST(progress)
{
	const struct weir_list found = {.order = WEIR_LIST_AS_FOUND};
	struct told told = {.thread = pthread_self()};
	struct weir_query q = {.progress = tell, .progress_arg = &told};
	unsigned count = 0;

	ck_assert_int_eq(weir_query_list(store, &q, &found, take_long, &count, NULL), 0);
	ck_assert_uint_eq(count, FLOWS);
	ck_assert_uint_gt(told.calls, 0);
	ck_assert_uint_eq(told.total, BLOCKS);
}
END_TEST

/* A query that holds what the governor gave it until it is let go. */
struct holder {
	struct weir_query query;
	const struct weir_list *list;
	struct weir_query_result result;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool there, go;
	int ret;
};

static int hold_on(void *arg, const struct weir_flow *flow)
{
	struct holder *holder = arg;

	pthread_mutex_lock(&holder->lock);
	holder->there = true;
	pthread_cond_broadcast(&holder->changed);
	while (!holder->go)
		pthread_cond_wait(&holder->changed, &holder->lock);
	pthread_mutex_unlock(&holder->lock);
	return 0;
}

static void *hold(void *arg)
{
	struct holder *holder = arg;

	holder->ret = weir_query_list(store, &holder->query, holder->list, hold_on, holder,
				      &holder->result);
	return NULL;
}

static void *cancel_soon(void *arg)
{
	usleep(100000);
	atomic_store((atomic_bool *)arg, true);
	return NULL;
}

static void start_holder(struct holder *holder, pthread_t *thread)
{
	ck_assert_int_eq(pthread_create(thread, NULL, hold, holder), 0);
	pthread_mutex_lock(&holder->lock);
	while (!holder->there)
		pthread_cond_wait(&holder->changed, &holder->lock);
	pthread_mutex_unlock(&holder->lock);
}

static void stop_holder(struct holder *holder, pthread_t thread)
{
	pthread_mutex_lock(&holder->lock);
	holder->go = true;
	pthread_cond_broadcast(&holder->changed);
	pthread_mutex_unlock(&holder->lock);
	pthread_join(thread, NULL);
	ck_assert_int_eq(holder->ret, 0);
}

START_TEST(governor)
{
	struct holder holder = {.lock = PTHREAD_MUTEX_INITIALIZER,
				.changed = PTHREAD_COND_INITIALIZER,
				.query = {.threads = 8}};
	struct weir_query_result result;
	struct weir_query q = {.threads = 8};
	struct seen seen = {0};
	atomic_bool cancel = false;
	pthread_t thread, other;

	ck_assert_int_eq(weir_governor_new(2, 96 << 20, &q.governor), 0);
	holder.query.governor = q.governor;
	holder.query.memory_bytes = q.memory_bytes = 64 << 20;
	start_holder(&holder, &thread);
	/* The memory is taken, and nothing may be spilled: the next query waits, until it is cancelled. */
	q.cancel = &cancel;
	ck_assert_int_eq(pthread_create(&other, NULL, cancel_soon, &cancel), 0);
	ck_assert_int_eq(ask(GROUPS, &q, &seen, &result), -ECANCELED);
	ck_assert_uint_eq(result.blocks_read, 0);
	pthread_join(other, NULL);
	stop_holder(&holder, thread);
	ck_assert_uint_eq(holder.result.threads, 2);
	q.cancel = NULL;
	ck_assert_int_eq(ask(GROUPS, &q, &seen, &result), 0);
	ck_assert_uint_eq(result.threads, 2);
	weir_governor_free(q.governor);
}
END_TEST

/* Who asked and does not read on (a pager) holds up nobody: neither with threads nor with memory. */
START_TEST(paused_readers)
{
	static const struct weir_list by_block = {.order = WEIR_LIST_AS_FOUND};
	struct holder holder[6];
	struct weir_query_result result;
	struct weir_query q = {.threads = 8, .memory_bytes = 64 << 20, .spill_dir = "/tmp"};
	struct seen alone = {0}, beside = {0};
	pthread_t thread[6];

	ck_assert_int_eq(weir_governor_new(2, 96 << 20, &q.governor), 0);
	ck_assert_int_eq(ask(GROUPS, &q, &alone, &result), 0);
	for (unsigned i = 0; i < 6; i++) {
		holder[i] = (struct holder){.lock = PTHREAD_MUTEX_INITIALIZER,
					    .changed = PTHREAD_COND_INITIALIZER,
					    .query = q,
					    .list = i % 2 ? &by_block : NULL};
		start_holder(&holder[i], &thread[i]);
	}
	ck_assert_int_eq(ask(GROUPS, &q, &beside, &result), 0);
	ck_assert_uint_eq(beside.count, alone.count);
	for (unsigned i = 0; i < 6; i++)
		stop_holder(&holder[i], thread[i]);
	weir_governor_free(q.governor);
}
END_TEST

START_TEST(refuses)
{
	const struct weir_list list = {.order = WEIR_LIST_BY_QUANTITY};
	struct weir_query q = {0};
	struct weir_query_spec spec = {.order = 1, .measures = 1};
	struct seen seen = {0};

	ck_assert_int_eq(weir_query_list(store, &q, &list, see_flow, &seen, NULL), -EINVAL);
	spec.measure[0].quantity = weir_quantity_find("bytes", 5);
	ck_assert_int_eq(weir_query_groups(store, &q, &spec, see_group, &seen, NULL, NULL),
			 -EINVAL);
	spec.order = 0;
	spec.measure[0].kind = WEIR_MEASURE_DISTINCT;
	ck_assert_int_eq(weir_query_groups(store, &q, &spec, see_group, &seen, NULL, NULL),
			 -EINVAL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("query_bounds");
	TCase *tcase = tcase_create("query_bounds");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, open_store, close_store);
	tcase_add_test(tcase, as_found);
	tcase_add_loop_test(tcase, stops, 0, KINDS);
	tcase_add_loop_test(tcase, memory, 0, KINDS);
	tcase_add_test(tcase, figures);
	tcase_add_test(tcase, progress);
	tcase_add_test(tcase, governor);
	tcase_add_test(tcase, paused_readers);
	tcase_add_test(tcase, refuses);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
