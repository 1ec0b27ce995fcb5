// SPDX-License-Identifier: GPL-2.0
/*
 * test_merge.c - merging small blocks changes how records lie, and nothing else.
 *
 * Every flow has a number of its own (in packets), so that "each exactly once" can be seen.
 */
#include <check.h>
#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/store/internal.h"
#include "daemon/store/rollup.h"
#include "daemon/store/view.h"

#define DAY    (86400 * WEIR_NS_PER_SECOND)
#define START  (20000 * DAY)
#define MINUTE (60 * WEIR_NS_PER_SECOND)

enum { LARGE = 40960, GROWTH = 8 }; /* as in merge.c */

static char dir[64];
static unsigned seed; /* of the run; printed when something fails */

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	return remove(path);
}

static void setup(void)
{
	const char *given = getenv("WEIR_SEED");

	snprintf(dir, sizeof(dir), "%s/weir-test-merge-XXXXXX",
		 access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	seed = given ? (unsigned)atoi(given) : (unsigned)weir_clock_now_ns();
	srandom(seed);
}

static void teardown(void)
{
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct weir_store *open_store(void)
{
	struct weir_store_options options = {0};
	struct weir_store *store = NULL;

	ck_assert_int_eq(weir_store_open(dir, &options, &store), 0);
	return store;
}

static void make_flows(struct weir_flow *flows, uint64_t first, size_t count)
{
	memset(flows, 0, count * sizeof(*flows));
	for (size_t i = 0; i < count; i++) {
		uint64_t id = first + i;

		flows[i].packets = id;
		flows[i].bytes = id * 40 + id % 7;
		flows[i].ip_version = 4;
		flows[i].protocol = 6;
		flows[i].src_addr[15] = (uint8_t)(id * 31 >> 3);
		flows[i].dst_addr[14] = (uint8_t)(id >> 5);
		flows[i].start_ns = START + id * 1000;
		flows[i].end_ns = flows[i].start_ns + id % 5000;
	}
}

/* As the keeper does: an entry for a minute, when its segment is there. Each segment is a minute.
 */
static int roll(struct weir_store *store)
{
	struct weir_rollup_head head = {0};
	struct weir_store_state state;
	struct weir_rollup_sums sums;

	ck_assert_int_eq(weir_store_state(store, &state), 0);
	ck_assert_int_eq(weir_rollup_sums(store, WEIR_ROLLUP_MINUTE, &sums), 0);
	if (sums.segment == state.summed.seq)
		return 0;
	head.first_segment = sums.segment + 1;
	head.last_segment = state.summed.seq;
	head.first_block = sums.block + 1;
	head.last_block = state.summed.block;
	head.start_ns = START + (head.first_segment - 1) * MINUTE;
	head.end_ns = START + head.last_segment * MINUTE;
	return weir_rollup_put(store, WEIR_ROLLUP_MINUTE, &head, "minute", 6);
}

/* Store the next @count flows as a block, and with @segment cover all there is by a segment. The
 * position counts flows, so that after a kill it says how many there must be. */
static int put(struct weir_store *store, uint64_t now_ns, size_t count, bool segment)
{
	struct weir_flow *flows = malloc(count * sizeof(*flows));
	struct weir_store_state state;
	struct weir_store_txn *txn;
	int ret;

	ck_assert_int_eq(weir_store_state(store, &state), 0);
	make_flows(flows, state.stored.flows + 1, count);
	ret = weir_store_begin(store, now_ns, &txn);
	if (ret)
		return ret;
	state.position.received.flows += count;
	state.position.seq++;
	weir_store_put_block(txn, flows, count);
	weir_store_put_position(txn, &state.position);
	if (segment) {
		state.summed.seq++;
		state.summed.block = state.last_block + 1;
		weir_store_put_segment(txn, &state.summed, "segment", 7);
	}
	free(flows);
	ret = weir_store_commit(txn);
	return ret || !segment ? ret : roll(store);
}

/* Which flows a reader has seen. */
struct seen {
	uint8_t *times;
	uint64_t count, most;
	uint64_t last_block;
};

static int see(void *arg, uint64_t block, const struct weir_flow *flows, size_t count)
{
	struct seen *seen = arg;

	ck_assert_uint_gt(block, seen->last_block);
	seen->last_block = block;
	for (size_t i = 0; i < count; i++) {
		uint64_t id = flows[i].packets;
		struct weir_flow expected;

		ck_assert_uint_le(id, seen->most);
		make_flows(&expected, id, 1);
		ck_assert_mem_eq(&flows[i], &expected, offsetof(struct weir_flow, dst_mac));
		ck_assert_msg(!seen->times[id]++, "flow %llu twice, seed %u",
			      (unsigned long long)id, seed);
	}
	seen->count += count;
	return 0;
}

/* Every flow ever stored is there, once; and the store's own figures say so. */
static void check_all(struct weir_store *store)
{
	struct weir_store_figures figures;
	struct weir_store_block *blocks;
	struct weir_store_state state;
	struct seen seen = {0};
	uint64_t damaged;
	size_t count;

	ck_assert_int_eq(weir_store_state(store, &state), 0);
	seen.most = state.stored.flows;
	seen.times = calloc(seen.most + 1, 1);
	ck_assert_int_eq(weir_store_scan(store, 0, UINT64_MAX, false, see, &seen, &damaged), 0);
	ck_assert_msg(seen.count == state.stored.flows, "%llu of %llu, seed %u",
		      (unsigned long long)seen.count, (unsigned long long)state.stored.flows, seed);
	ck_assert_uint_eq(damaged, 0);
	ck_assert_uint_eq(state.position.received.flows, state.stored.flows);
	free(seen.times);
	ck_assert_int_eq(weir_store_figures(store, &figures), 0);
	ck_assert_int_eq(weir_store_plan(store, 0, UINT64_MAX, &blocks, &count, NULL), 0);
	ck_assert_uint_eq(figures.blocks, count);
	ck_assert_uint_eq(figures.records, state.stored.flows);
	weir_store_plan_free(store, blocks);
}

/* Records in blocks that @now has and @before had not: what merging wrote. */
static uint64_t count_written(const struct weir_store_block *before, size_t before_count,
			      const struct weir_store_block *now, size_t now_count)
{
	uint64_t written = 0;

	for (size_t i = 0, j = 0; i < now_count; i++) {
		while (j < before_count && before[j].number < now[i].number)
			j++;
		if (j == before_count || before[j].number != now[i].number ||
		    before[j].records != now[i].records)
			written += now[i].records;
	}
	return written;
}

static uint64_t merge_all(struct weir_store *store, uint64_t now_ns)
{
	struct weir_store_block *before, *now;
	size_t before_count, now_count;
	uint64_t written;
	int ret;

	ck_assert_int_eq(weir_store_plan(store, 0, UINT64_MAX, &before, &before_count, NULL), 0);
	do
		ret = weir_store_merge(store, now_ns);
	while (ret > 0);
	ck_assert_int_eq(ret, 0);
	ck_assert_int_eq(weir_store_plan(store, 0, UINT64_MAX, &now, &now_count, NULL), 0);
	written = count_written(before, before_count, now, now_count);
	weir_store_plan_free(store, before);
	weir_store_plan_free(store, now);
	return written;
}

static size_t some_size(void)
{
	static const size_t sizes[] = {1, 30, 300, 300, 300, 300, 2000, 9000};

	return 1 + (size_t)random() % sizes[random() % 8];
}

/* How often a record of a block of @size may be written again. */
static unsigned times_allowed(size_t size)
{
	unsigned times = 1;

	for (; size < LARGE; size *= GROWTH)
		times++;
	return size >= LARGE && times == 1 ? 0 : times;
}

START_TEST(test_any_sizes)
{
	struct weir_store *store = open_store();
	uint64_t written = 0, allowed = 0, now = START;
	struct weir_store_state before, after;

	for (unsigned i = 0; i < 90; i++) {
		size_t size = i % 40 == 20 ? 50000 : some_size();

		if (i == 60)
			now += DAY; /* what is left of the day before stays as it is */
		ck_assert_int_eq(put(store, now, size, random() % 10 == 0), 0);
		allowed += size * times_allowed(size);
		ck_assert_int_eq(weir_store_state(store, &before), 0);
		written += merge_all(store, now);
		ck_assert_int_eq(weir_store_state(store, &after), 0);
		ck_assert_mem_eq(&before, &after, sizeof(before));
	}
	check_all(store);
	ck_assert_msg(written <= allowed, "%llu > %llu, seed %u", (unsigned long long)written,
		      (unsigned long long)allowed, seed);
	weir_store_close(store);
	/* What was known of small blocks is found again. */
	store = open_store();
	merge_all(store, now);
	check_all(store);
	weir_store_close(store);
}
END_TEST

/* Ten minutes of a quiet node. */
START_TEST(test_quiet_node)
{
	struct weir_store *store = open_store();
	struct weir_store_block *blocks;
	struct weir_store_state state;
	uint64_t written = 0;
	size_t count, small = 0;

	for (unsigned second = 1; second <= 600; second++) {
		ck_assert_int_eq(put(store, START, 300, second % 10 == 0), 0);
		written += merge_all(store, START);
	}
	ck_assert_int_eq(weir_store_state(store, &state), 0);
	ck_assert_int_eq(weir_store_plan(store, 0, UINT64_MAX, &blocks, &count, NULL), 0);
	for (size_t i = 0; i < count; i++)
		small += blocks[i].records < LARGE;
	ck_assert_uint_le(small, 5 * (GROWTH - 1));
	ck_assert_uint_le(count - small, 600 * 300 / LARGE);
	ck_assert_uint_le(written, 3ULL * 600 * 300);
	weir_store_plan_free(store, blocks);
	check_all(store);
	weir_store_close(store);
}
END_TEST

/* Blocks that no segment covers are not touched: a restart sums them up by their numbers. */
START_TEST(test_not_summed)
{
	struct weir_store *store = open_store();

	for (unsigned i = 0; i < 20; i++)
		ck_assert_int_eq(put(store, START, 10, i == 7), 0);
	ck_assert_uint_eq(merge_all(store, START), 80);
	ck_assert_uint_eq(merge_all(store, START), 0);
	check_all(store);
	weir_store_close(store);
}
END_TEST

static bool has_block(struct weir_store *store, uint64_t number)
{
	struct weir_store_block *blocks;
	bool found = false;
	size_t count;

	ck_assert_int_eq(weir_store_plan(store, 0, UINT64_MAX, &blocks, &count, NULL), 0);
	for (size_t i = 0; i < count; i++)
		found |= blocks[i].number == number;
	weir_store_plan_free(store, blocks);
	return found;
}

/* Answers pass from roll-ups to records at the end of the first minute, hour or day of a partition:
 * no block reaches across, also when the store is opened again. */
START_TEST(test_seams)
{
	enum { MINUTES = 70, BLOCKS = 12 };
	struct weir_store *store = open_store();
	struct weir_store_figures figures;
	struct weir_store_state state;
	uint64_t now = START, seams[4];
	size_t count = 0;

	for (unsigned day = 0; day < 2; day++, now += DAY) {
		ck_assert_int_eq(put(store, now, 10, false), 0);
		ck_assert_int_eq(weir_store_state(store, &state), 0);
		for (unsigned minute = 1; minute <= MINUTES; minute++) {
			for (unsigned i = 0; i < BLOCKS; i++)
				ck_assert_int_eq(put(store, now, 10, i == BLOCKS - 1), 0);
			ck_assert_int_eq(weir_store_state(store, &state), 0);
			/* The second day begins 70 minutes after an hour did. */
			if (minute == 1 || (day ? state.summed.seq == 120 : minute == 60))
				seams[count++] = state.summed.block;
			if (random() % 4 == 0)
				merge_all(store, now);
			if (random() % 20 == 0) {
				weir_store_close(store);
				store = open_store();
			}
		}
		merge_all(store, now);
	}
	ck_assert_uint_eq(count, 4);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_msg(has_block(store, seams[i]), "seam %u, seed %u", i, seed);
	ck_assert_int_eq(weir_store_figures(store, &figures), 0);
	ck_assert_uint_lt(figures.blocks, 2 * MINUTES * BLOCKS / 8);
	check_all(store);
	weir_store_close(store);
}
END_TEST

static void read_plan(struct weir_store *store, const struct weir_store_block *blocks, size_t count,
		      struct seen *seen)
{
	struct weir_flow *flows = malloc(WEIR_STORE_BLOCK_RECORDS * sizeof(*flows));
	struct weir_store_view *view;

	ck_assert_int_eq(weir_store_view_new(store, &view), 0);
	for (size_t i = 0; i < count; i++) {
		ck_assert_int_eq(weir_store_view_open(view, &blocks[i]), 0);
		ck_assert_uint_eq(weir_store_view_records(view), blocks[i].records);
		ck_assert_int_eq(weir_store_view_rows(view, WEIR_COLUMN_ALL, flows), 0);
		see(seen, blocks[i].number, flows, blocks[i].records);
		weir_store_view_close(view);
	}
	weir_store_view_free(view);
	free(flows);
}

/* Plans made at different times each see what was there, however much was merged since. */
START_TEST(test_plans)
{
	enum { PLANS = 6 };
	struct weir_store *store = open_store();
	struct weir_store_block *blocks[PLANS];
	uint64_t flows[PLANS] = {0};
	size_t count[PLANS];

	for (unsigned p = 0; p < PLANS; p++) {
		struct weir_store_state state;

		for (unsigned i = 0; i < 30; i++)
			ck_assert_int_eq(put(store, START, 1 + (size_t)random() % 200, i % 5 == 0),
					 0);
		ck_assert_int_eq(weir_store_state(store, &state), 0);
		flows[p] = state.stored.flows;
		ck_assert_int_eq(weir_store_plan(store, 0, UINT64_MAX, &blocks[p], &count[p], NULL),
				 0);
		merge_all(store, START);
	}
	ck_assert_uint_gt(weir_replaced_bytes(store->replaced), 0);
	for (unsigned p = 0; p < PLANS; p++) {
		unsigned i = (p + 3) % PLANS; /* in no order */
		struct seen seen = {.most = flows[i], .times = calloc(flows[i] + 1, 1)};

		read_plan(store, blocks[i], count[i], &seen);
		ck_assert_uint_eq(seen.count, flows[i]);
		free(seen.times);
		weir_store_plan_free(store, blocks[i]);
	}
	ck_assert_uint_eq(weir_replaced_bytes(store->replaced), 0);
	check_all(store);
	weir_store_close(store);
}
END_TEST

/* A reader in another process: has a plan, is told to go on, and counts what it finds. */
static void read_beside(int go, int told)
{
	struct weir_store_options options = {.read_only = true};
	struct weir_store_block *blocks;
	struct weir_store_view *view;
	struct weir_store *store;
	uint64_t found = 0;
	size_t count;
	char one;

	if (weir_store_open(dir, &options, &store) || weir_store_view_new(store, &view) ||
	    weir_store_plan(store, 0, UINT64_MAX, &blocks, &count, NULL) ||
	    write(told, "x", 1) != 1 || read(go, &one, 1) != 1)
		_exit(1);
	for (size_t i = 0; i < count; i++)
		if (!weir_store_view_open(view, &blocks[i])) {
			found += weir_store_view_records(view);
			weir_store_view_close(view);
		}
	weir_store_plan_free(store, blocks);
	weir_store_view_free(view);
	if (write(told, &found, sizeof(found)) != sizeof(found) || read(go, &one, 1) != 1)
		_exit(1);
	weir_store_close(store);
	_exit(0);
}

START_TEST(test_other_process)
{
	struct weir_store *store = open_store();
	int go[2], told[2], status;
	uint64_t found = 0;
	char one;
	pid_t pid;

	ck_assert_int_eq(pipe(go) | pipe(told), 0);
	weir_store_close(store);
	pid = fork();
	if (!pid) {
		char begin;

		if (read(go[0], &begin, 1) != 1)
			_exit(1);
		read_beside(go[0], told[1]);
	}
	store = open_store();
	for (unsigned i = 0; i < 100; i++)
		ck_assert_int_eq(put(store, START, 100, true), 0);
	ck_assert_int_eq(write(go[1], "x", 1), 1);
	ck_assert_int_eq(read(told[0], &one, 1), 1);
	/* Storing goes on; merging waits until the plan is freed, not until the process ends. */
	ck_assert_int_eq(put(store, START, 100, true), 0);
	ck_assert_uint_eq(merge_all(store, START), 0);
	ck_assert_int_eq(write(go[1], "x", 1), 1);
	ck_assert_int_eq(read(told[0], &found, sizeof(found)), sizeof(found));
	ck_assert_uint_eq(found, 100 * 100);
	ck_assert_uint_gt(merge_all(store, START), 0);
	ck_assert_int_eq(write(go[1], "x", 1), 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	check_all(store);
	weir_store_close(store);
}
END_TEST

/* While a writer stores and merges, every reader's sum is that of the moment it planned. */
struct busy {
	struct weir_store *store;
	atomic_bool stop;
	_Atomic unsigned rounds;
};

static void read_round(struct weir_store *store)
{
	struct weir_store_block *blocks;
	struct weir_store_state state;
	struct seen seen = {0};
	size_t count;

	/* As an audit does: figures and plan of the same blocks. */
	weir_store_merge_pause(store);
	ck_assert_int_eq(weir_store_state(store, &state), 0);
	ck_assert_int_eq(weir_store_plan(store, 0, UINT64_MAX, &blocks, &count, NULL), 0);
	weir_store_merge_resume(store);
	while (count && blocks[count - 1].number > state.last_block)
		count--;
	seen.most = state.stored.flows;
	seen.times = calloc(seen.most + 1, 1);
	read_plan(store, blocks, count, &seen);
	ck_assert_uint_eq(seen.count, state.stored.flows);
	free(seen.times);
	weir_store_plan_free(store, blocks);
}

static void *read_on(void *arg)
{
	struct busy *busy = arg;

	while (!atomic_load(&busy->stop)) {
		read_round(busy->store);
		atomic_fetch_add(&busy->rounds, 1);
	}
	return NULL;
}

START_TEST(test_concurrent)
{
	enum { READERS = 3 };
	struct busy busy = {.store = open_store()};
	pthread_t threads[READERS];
	unsigned puts = 0;

	for (unsigned i = 0; i < READERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, read_on, &busy), 0);
	while (puts < 300 || atomic_load(&busy.rounds) < 3 * READERS) {
		ck_assert_int_eq(put(busy.store, START, 1 + (size_t)random() % 150, puts % 3 == 0),
				 0);
		puts++;
		ck_assert_int_ge(weir_store_merge(busy.store, START), 0);
	}
	atomic_store(&busy.stop, true);
	for (unsigned i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(weir_replaced_bytes(busy.store->replaced), 0);
	check_all(busy.store);
	weir_store_close(busy.store);
}
END_TEST

/* Stores and merges until it is killed. */
static void write_on(void)
{
	struct weir_store *store = open_store();

	for (unsigned i = 0;; i++)
		if (put(store, START, 1 + (size_t)random() % 60, i % 4 == 3) ||
		    weir_store_merge(store, START) < 0)
			_exit(1);
}

START_TEST(test_kill)
{
	uint64_t before = 0, blocks = 0;

	for (unsigned round = 0; round < 12; round++) {
		struct weir_store_figures figures;
		struct weir_store *store;
		pid_t pid = fork();
		int status;

		if (!pid) {
			srandom(seed + round);
			write_on();
		}
		usleep((useconds_t)(20000 + random() % 60000));
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		ck_assert(WIFSIGNALED(status));
		store = open_store();
		check_all(store);
		ck_assert_int_eq(weir_store_figures(store, &figures), 0);
		before = figures.records;
		blocks = figures.blocks;
		weir_store_close(store);
	}
	/* It was no empty loop: blocks of 30 on average were stored, and larger ones are there. */
	ck_assert_uint_gt(before, 40 * blocks);
}
END_TEST

/* A block that cannot be read stays where it is, to be counted and repaired, and costs no other. */
START_TEST(test_damaged)
{
	struct weir_lmdb_options options = {
		.dbs = (const char *const[]){"meta", "blocks", "times", "segments", NULL}};
	struct weir_store *store = open_store();
	struct weir_lmdb_value value;
	struct weir_lmdb_txn txn;
	struct weir_lmdb *lmdb;
	uint64_t damaged;
	struct seen seen;
	uint8_t *copy;
	char path[128];

	for (unsigned i = 0; i < 30; i++)
		ck_assert_int_eq(put(store, START, 100, i == 29), 0);
	snprintf(path, sizeof(path), "%s/%s", dir, "20241004");
	weir_store_close(store);
	ck_assert_int_eq(weir_lmdb_open(path, &options, &lmdb), 0);
	ck_assert_int_eq(weir_lmdb_begin(lmdb, true, &txn), 0);
	ck_assert_int_eq(weir_lmdb_get_number(&txn, WEIR_DB_BLOCKS, 4, &value), 0);
	copy = malloc(value.bytes);
	memcpy(copy, value.data, value.bytes);
	memset(copy + value.bytes / 2, 0xa5, value.bytes / 4);
	weir_lmdb_put_number(&txn, WEIR_DB_BLOCKS, 4, copy, value.bytes);
	free(copy);
	ck_assert_int_eq(weir_lmdb_commit(&txn), 0);
	weir_lmdb_close(lmdb);

	store = open_store();
	merge_all(store, START);
	seen = (struct seen){.most = 3000, .times = calloc(3001, 1)};
	ck_assert_int_eq(weir_store_scan(store, 0, UINT64_MAX, false, see, &seen, &damaged), 0);
	ck_assert_uint_eq(damaged, 1);
	ck_assert_uint_eq(seen.count, 2900);
	for (unsigned id = 301; id <= 400; id++)
		ck_assert_uint_eq(seen.times[id], 0);
	free(seen.times);
	weir_store_close(store);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("merge");
	TCase *tests = tcase_create("merge");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 240);
	tcase_add_test(tests, test_any_sizes);
	tcase_add_test(tests, test_quiet_node);
	tcase_add_test(tests, test_not_summed);
	tcase_add_test(tests, test_seams);
	tcase_add_test(tests, test_plans);
	tcase_add_test(tests, test_other_process);
	tcase_add_test(tests, test_concurrent);
	tcase_add_test(tests, test_kill);
	tcase_add_test(tests, test_damaged);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
