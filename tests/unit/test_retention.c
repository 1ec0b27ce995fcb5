// SPDX-License-Identifier: GPL-2.0
/* test_retention.c - partitions are cut and go, by age and by bytes, with readers in them and kills around. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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
#include "daemon/store/view.h"

#define DAY   (86400 * WEIR_NS_PER_SECOND)
#define HOUR  (3600 * WEIR_NS_PER_SECOND)
#define START (20000 * DAY) /* 2024-10-04 */

enum { RECORDS = 2000 };

static char dir[64];

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	return remove(path);
}

static void setup(void)
{
	snprintf(dir, sizeof(dir), "%s/weir-test-retention-XXXXXX",
		 access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct weir_store *open_store(bool read_only)
{
	struct weir_store_options options = {.read_only = read_only, .max_bytes = 1 << 30};
	struct weir_store *store = NULL;

	ck_assert_int_eq(weir_store_open(dir, &options, &store), 0);
	return store;
}

/* A block of records that ended at @now, hard to compress, and the segment that covers it. */
static int put(struct weir_store *store, uint64_t now, bool segment)
{
	static struct weir_flow flows[RECORDS];
	struct weir_store_state state;
	struct weir_store_txn *txn;
	struct weir_totals sum = {0};
	int ret;

	weir_store_state(store, &state);
	srandom((unsigned)state.last_block);
	memset(flows, 0, sizeof(flows));
	for (unsigned i = 0; i < RECORDS; i++) {
		for (unsigned at = 0; at < 16; at++)
			flows[i].src_addr[at] = (uint8_t)random();
		flows[i].packets = 1 + (uint64_t)random() % 1000;
		flows[i].bytes = (uint64_t)random() << 20;
		flows[i].start_ns = now - 1000;
		flows[i].end_ns = now;
		weir_flow_count(&sum, &flows[i]);
	}
	ret = weir_store_begin(store, now, &txn);
	if (ret)
		return ret;
	weir_store_put_block(txn, flows, RECORDS);
	if (segment) {
		state.summed.block = weir_store_next_block(txn) - 1;
		state.summed.seq++;
		state.summed.end_ns = now;
		weir_totals_add(&state.summed.totals, &sum);
		weir_store_put_segment(txn, &state.summed, "body", 4);
	}
	return weir_store_commit(txn);
}

static int add(void *arg, uint64_t block, const struct weir_flow *flows, size_t count)
{
	struct weir_totals *sum = arg;

	for (size_t i = 0; i < count; i++)
		weir_flow_count(sum, &flows[i]);
	return 0;
}

/* stored = held + expired, exactly; and the blocks held are those behind the expired ones. */
static struct weir_store_expired check_ledger(struct weir_store *store)
{
	struct weir_store_expired expired;
	struct weir_store_figures figures;
	struct weir_totals sum = {0};
	struct weir_store_state state;
	uint64_t damaged;

	ck_assert_int_eq(weir_store_expired(store, &expired), 0);
	ck_assert_int_eq(weir_store_state(store, &state), 0);
	ck_assert_int_eq(weir_store_figures(store, &figures), 0);
	ck_assert_int_eq(weir_store_scan(store, 0, UINT64_MAX, false, add, &sum, &damaged), 0);
	ck_assert_uint_eq(damaged, 0);
	ck_assert_uint_eq(figures.records, sum.flows);
	ck_assert_uint_eq(figures.blocks, state.last_block - expired.last_block);
	weir_totals_add(&sum, &expired.totals);
	ck_assert(weir_totals_equal(&sum, &state.stored));
	return expired;
}

static unsigned count_folders(const char *ending)
{
	DIR *folder = opendir(dir);
	struct dirent *entry;
	unsigned count = 0;

	while ((entry = readdir(folder))) {
		size_t length = strlen(entry->d_name);

		if (length >= strlen(ending) &&
		    !strcmp(entry->d_name + length - strlen(ending), ending))
			count++;
	}
	closedir(folder);
	return count;
}

static struct weir_store_retained retain(struct weir_store *store, uint64_t keep_ns,
					 uint64_t keep_bytes, uint64_t now)
{
	struct weir_store_quota quota = {keep_ns, keep_bytes, UINT64_MAX, UINT64_MAX};
	struct weir_store_retained retained;

	ck_assert_int_eq(weir_store_retain(store, &quota, now, &retained), 0);
	return retained;
}

static void set_quota(struct weir_store *store, uint64_t keep_ns, uint64_t keep_bytes)
{
	struct weir_store_quota quota = {.keep_ns = keep_ns, .keep_bytes = keep_bytes};

	weir_store_set_quota(store, &quota);
}

START_TEST(test_bytes)
{
	const uint64_t keep = 16 << 20;
	struct weir_store *store = open_store(false);
	struct weir_store_figures figures;
	uint64_t most = 0, horizon = 0;

	set_quota(store, 0, keep);
	for (unsigned i = 0; i < 600; i++) {
		ck_assert_int_eq(put(store, START + i * WEIR_NS_PER_SECOND, true), 0);
		retain(store, 0, keep, START);
		ck_assert_int_eq(weir_store_figures(store, &figures), 0);
		if (figures.disk_bytes > most)
			most = figures.disk_bytes;
		/* The horizon moves on and never back. */
		ck_assert_uint_ge(figures.oldest_ns, horizon);
		horizon = figures.oldest_ns;
	}
	ck_assert_uint_le(most, keep);
	ck_assert_uint_gt(most, keep - keep / 8);
	ck_assert_uint_gt(horizon, START + WEIR_NS_PER_SECOND);
	ck_assert_uint_gt(figures.partitions, 8); /* in one day */
	ck_assert_uint_gt(check_ledger(store).partitions, 8);
	weir_store_close(store);
	store = open_store(false);
	ck_assert_uint_gt(check_ledger(store).partitions, 8);
	/* A smaller quota is kept at once, but for the newest. */
	retain(store, 0, 4 << 20, START);
	ck_assert_int_eq(weir_store_figures(store, &figures), 0);
	ck_assert_uint_le(figures.disk_bytes, 4 << 20);
	retain(store, 0, 1, START);
	ck_assert_int_eq(weir_store_figures(store, &figures), 0);
	ck_assert_uint_eq(figures.partitions, 1);
	check_ledger(store);
	ck_assert_uint_eq(count_folders(".old"), 0);
	weir_store_close(store);
}
END_TEST

START_TEST(test_age)
{
	struct weir_store *store = open_store(false);
	struct weir_store_figures figures;

	for (unsigned i = 0; i < 10; i++)
		ck_assert_int_eq(put(store, START + i * DAY, true), 0);
	ck_assert_uint_eq(retain(store, 100 * DAY, 0, START + 9 * DAY).removed, 0);
	/* Exactly as old as that stays. */
	ck_assert_uint_eq(retain(store, 6 * DAY, 0, START + 9 * DAY).removed, 3);
	ck_assert_int_eq(weir_store_figures(store, &figures), 0);
	ck_assert_uint_eq(figures.oldest_ns, START + 3 * DAY - 1000);
	ck_assert_uint_eq(check_ledger(store).max_ns, START + 2 * DAY);
	/* The newest stays, however old. */
	ck_assert_uint_eq(retain(store, 6 * DAY, 0, START + 900 * DAY).removed, 6);
	ck_assert_uint_eq(check_ledger(store).partitions, 9);
	/* Hours: a day is cut, so that what goes is not a day older than it should be. */
	set_quota(store, 8 * HOUR, 0);
	for (unsigned i = 1; i <= 96; i++) {
		ck_assert_int_eq(put(store, START + 900 * DAY + i * HOUR / 4, true), 0);
		retain(store, 8 * HOUR, 0, START + 900 * DAY + i * HOUR / 4);
	}
	ck_assert_int_eq(weir_store_figures(store, &figures), 0);
	ck_assert_uint_le(figures.oldest_ns, START + 900 * DAY + 16 * HOUR);
	ck_assert_uint_ge(figures.oldest_ns, START + 900 * DAY + 15 * HOUR);
	check_ledger(store);
	weir_store_close(store);
}
END_TEST

static unsigned retain_as_keeper(struct weir_store *store, uint64_t keep_ns, uint64_t now)
{
	return retain(store, keep_ns, 0, weir_store_age_clock(store, now)).removed;
}

/* A clock that runs ahead by years for an hour costs nothing, and age counts again when it is right; it is
 * believed after a day. */
START_TEST(test_clock_ahead)
{
	const uint64_t ahead = 5000 * DAY, right = START + 9 * DAY;
	struct weir_store *store = open_store(false);
	struct weir_store_expired expired;

	for (unsigned i = 0; i < 10; i++)
		ck_assert_int_eq(put(store, START + i * DAY, true), 0);
	ck_assert_uint_eq(weir_store_age_clock(store, right + HOUR), right + HOUR);
	/* It jumps; the first block and the first segment come, and pieces are cut. */
	ck_assert_int_eq(put(store, right + ahead, true), 0);
	set_quota(store, 8 * HOUR, 0);
	for (unsigned i = 1; i < 8; i++) {
		uint64_t now = right + ahead + i * HOUR / 2;

		ck_assert_int_eq(put(store, now, true), 0);
		ck_assert_uint_eq(weir_store_age_clock(store, now), right + i * HOUR / 2);
		ck_assert_uint_eq(retain_as_keeper(store, 20 * DAY, now), 0);
	}
	/* What is due by the right clock goes. */
	ck_assert_uint_eq(retain_as_keeper(store, 6 * DAY, right + ahead + 4 * HOUR), 4);
	/* It is set right: nothing is held up by what it did. */
	ck_assert_uint_eq(weir_store_age_clock(store, right + 4 * HOUR), right + 4 * HOUR);
	for (unsigned i = 0; i < 24 * 8; i++)
		ck_assert_int_eq(put(store, right + 4 * HOUR + i * HOUR, true), 0);
	ck_assert_uint_gt(retain_as_keeper(store, 2 * DAY, right + 8 * DAY), 0);
	expired = check_ledger(store);
	/* All of the days before, of the hours ahead, and of those after it, but for two days and a piece. */
	ck_assert_uint_ge(expired.last_block, 10 + 8 + 5 * 24);
	ck_assert_uint_le(expired.last_block, 10 + 8 + 6 * 24);
	weir_store_close(store);
}
END_TEST

/* The same where days are the pieces. */
START_TEST(test_clock_ahead_days)
{
	const uint64_t ahead = 5000 * DAY, right = START + 9 * DAY;
	struct weir_store *store = open_store(false);

	set_quota(store, 20 * DAY, 0);
	for (unsigned i = 0; i < 10; i++)
		ck_assert_int_eq(put(store, START + i * DAY, true), 0);
	ck_assert_int_eq(put(store, right + ahead, true), 0);
	for (unsigned i = 1; i < 60; i++)
		ck_assert_int_eq(put(store, right + i * DAY, true), 0);
	ck_assert_uint_gt(retain_as_keeper(store, 20 * DAY, right + 59 * DAY), 0);
	ck_assert_uint_ge(check_ledger(store).last_block, 10 + 1 + 38);
	ck_assert_uint_le(check_ledger(store).last_block, 10 + 1 + 40);
	weir_store_close(store);
}
END_TEST

/* A clock that stays ahead for a day is right: the machine was off. */
START_TEST(test_clock_believed)
{
	struct weir_store *store = open_store(false);

	ck_assert_int_eq(put(store, START, true), 0);
	ck_assert_int_eq(put(store, START + 100 * DAY, true), 0);
	ck_assert_int_eq(put(store, START + 101 * DAY, true), 0);
	ck_assert_uint_eq(retain_as_keeper(store, 20 * DAY, START + 101 * DAY - 1), 0);
	ck_assert_uint_eq(retain_as_keeper(store, 20 * DAY, START + 101 * DAY), 1);
	weir_store_close(store);
}
END_TEST

START_TEST(test_both_and_neither)
{
	struct weir_store *store = open_store(false);

	for (unsigned i = 0; i < 10; i++)
		ck_assert_int_eq(put(store, START + i * DAY, true), 0);
	ck_assert_uint_eq(retain(store, 0, 0, START + 900 * DAY).removed, 0);
	ck_assert_uint_eq(retain(store, 7 * DAY, 1ULL << 40, START + 9 * DAY).removed, 2);
	ck_assert_uint_eq(retain(store, 900 * DAY, 1, START + 9 * DAY).removed, 7);
	check_ledger(store);
	weir_store_close(store);
}
END_TEST

/* What somebody still needs stays. */
START_TEST(test_released)
{
	struct weir_store *store = open_store(false);
	struct weir_store_quota quota = {.keep_ns = 1};
	struct weir_store_retained retained;

	for (unsigned i = 0; i < 5; i++)
		ck_assert_int_eq(put(store, START + i * DAY, i < 3), 0);
	quota.release_block = quota.release_segment = 1;
	ck_assert_int_eq(weir_store_retain(store, &quota, START + 9 * DAY, &retained), 0);
	ck_assert_uint_eq(retained.removed, 1);
	ck_assert(retained.waiting);
	quota.release_block = 5;
	ck_assert_int_eq(weir_store_retain(store, &quota, START + 9 * DAY, &retained), 0);
	ck_assert_uint_eq(retained.removed, 0);
	quota.release_segment = 5;
	quota.release_block = 1;
	ck_assert_int_eq(weir_store_retain(store, &quota, START + 9 * DAY, &retained), 0);
	ck_assert_uint_eq(retained.removed, 0);
	/* Blocks 4 and 5 are in no segment, whatever is said to be released. */
	quota.release_block = 5;
	ck_assert_int_eq(weir_store_retain(store, &quota, START + 9 * DAY, &retained), 0);
	ck_assert_uint_eq(retained.removed, 2);
	ck_assert(retained.waiting);
	ck_assert_uint_eq(check_ledger(store).last_block, 3);
	weir_store_close(store);
}
END_TEST

/* Whoever reads a block reads it to its end. */
START_TEST(test_reader)
{
	struct weir_store *store = open_store(false);
	struct weir_store_block *blocks;
	struct weir_store_view *view;
	struct weir_vector vector;
	uint64_t damaged = 0;
	size_t count;

	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(put(store, START + i * DAY, true), 0);
		ck_assert_int_eq(put(store, START + i * DAY, true), 0);
	}
	ck_assert_int_eq(weir_store_plan(store, 0, UINT64_MAX, &blocks, &count, &damaged), 0);
	ck_assert_uint_eq(count, 6);
	ck_assert_int_eq(weir_store_view_new(store, &view), 0);
	ck_assert_int_eq(weir_store_view_open(view, &blocks[0]), 0);
	ck_assert_uint_eq(retain(store, 1, 0, START + 9 * DAY).removed, 2);
	ck_assert_int_eq(weir_store_view_column(view, WEIR_COLUMN_SRC_ADDR, &vector), 0);
	ck_assert_uint_eq(vector.count, RECORDS);
	weir_store_view_close(view);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(weir_store_view_open(view, &blocks[i]), -ESTALE);
	ck_assert_int_eq(weir_store_view_open(view, &blocks[4]), 0);
	weir_store_view_close(view);
	weir_store_view_free(view);
	weir_store_plan_free(store, blocks);
	check_ledger(store);
	weir_store_close(store);
}
END_TEST

struct readers {
	struct weir_store *store;
	atomic_bool stop;
	atomic_ulong read, stale;
};

static void *read_on(void *arg)
{
	struct readers *readers = arg;
	struct weir_flow *flows = malloc(RECORDS * sizeof(*flows));
	struct weir_store_view *view;

	ck_assert_int_eq(weir_store_view_new(readers->store, &view), 0);
	while (!atomic_load(&readers->stop)) {
		struct weir_store_block *blocks;
		size_t count;

		ck_assert_int_eq(weir_store_plan(readers->store, 0, UINT64_MAX, &blocks, &count,
						 NULL), 0);
		for (size_t i = 0; i < count; i++) {
			int ret = weir_store_view_open(view, &blocks[i]);

			if (!ret)
				ret = weir_store_view_rows(view, WEIR_COLUMN_ALL, flows);
			weir_store_view_close(view);
			ck_assert(ret == 0 || ret == -ESTALE);
			atomic_fetch_add(ret ? &readers->stale : &readers->read, 1);
		}
		weir_store_plan_free(readers->store, blocks);
	}
	weir_store_view_free(view);
	free(flows);
	return NULL;
}

/* As the keeper of a node: another thread than the one that writes. */
static void *remove_on(void *arg)
{
	struct readers *readers = arg;

	while (!atomic_load(&readers->stop))
		retain(readers->store, 0, 2 << 20, START);
	return NULL;
}

/* Days begin, are cut and go while threads read everything there is, again and again. */
START_TEST(test_readers_all_the_time)
{
	struct readers readers = {.store = open_store(false)};
	pthread_t thread[4];

	set_quota(readers.store, 0, 16 << 20);
	ck_assert_int_eq(put(readers.store, START, true), 0);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, read_on, &readers), 0);
	ck_assert_int_eq(pthread_create(&thread[3], NULL, remove_on, &readers), 0);
	for (unsigned i = 0; i < 500; i++) {
		ck_assert_int_eq(put(readers.store, START + i * HOUR, true), 0);
		if (i % 16 == 0) {
			struct weir_store *store = readers.store;
			struct weir_partition *newest;

			pthread_mutex_lock(&store->lock);
			newest = store->partitions[store->partition_count - 1];
			pthread_mutex_unlock(&store->lock);
			ck_assert_int_eq(weir_partition_reopen(store, newest), 0);
		}
	}
	atomic_store(&readers.stop, true);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	ck_assert_uint_gt(atomic_load(&readers.read), 100);
	ck_assert_uint_gt(atomic_load(&readers.stale), 0);
	check_ledger(readers.store);
	weir_store_close(readers.store);
}
END_TEST

/* The two steps of a removal, and the machine stops between them. */
START_TEST(test_half_removed)
{
	struct weir_store *store = open_store(false);
	struct weir_store_expired expired;
	struct weir_store_state state;

	ck_assert_int_eq(put(store, START, true), 0);
	ck_assert_int_eq(weir_store_state(store, &state), 0);
	ck_assert_int_eq(put(store, START + DAY, true), 0);
	expired = (struct weir_store_expired){state.stored, state.last_block, START, 1, 1};
	ck_assert_int_eq(weir_state_put_expired(store, &expired, store->partitions[0]->name), 0);
	weir_store_close(store);
	ck_assert_uint_eq(count_folders("20241004"), 1);
	store = open_store(false);
	ck_assert_uint_eq(count_folders("20241004"), 0);
	check_ledger(store);
	weir_store_close(store);
}
END_TEST

/* kill -9 wherever it comes: what is stored is held or expired, to the byte. */
START_TEST(test_kill)
{
	uint64_t last = 0, partitions = 0;

	for (unsigned round = 0; round < 25; round++) {
		struct weir_store_expired expired;
		struct weir_store_state state;
		struct weir_store *store;
		int tell[2], status;
		pid_t pid;

		ck_assert_int_eq(pipe(tell), 0);
		pid = fork();
		if (!pid) {
			struct weir_store_quota quota = {0, 3 << 20, UINT64_MAX, UINT64_MAX};
			struct weir_store_retained retained;

			store = open_store(false);
			weir_store_set_quota(store, &quota);
			for (uint64_t i = 0;; i++) {
				if (put(store, START + (round + i / 6) * DAY, true) ||
				    weir_store_retain(store, &quota, START, &retained))
					_exit(1);
				if (write(tell[1], "", 1) != 1)
					_exit(2);
			}
		}
		close(tell[1]);
		for (unsigned i = 0; i < 12; i++)
			ck_assert_int_eq(read(tell[0], &(char){0}, 1), 1);
		usleep((useconds_t)(random() % 30000));
		kill(pid, SIGKILL);
		close(tell[0]);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(WIFSIGNALED(status));
		store = open_store(false);
		ck_assert_uint_eq(count_folders(".old"), 0);
		ck_assert_uint_eq(count_folders(".new"), 0);
		ck_assert_int_eq(weir_store_state(store, &state), 0);
		ck_assert_uint_gt(state.last_block, last);
		last = state.last_block;
		expired = check_ledger(store);
		ck_assert_uint_ge(expired.partitions, partitions);
		partitions = expired.partitions;
		weir_store_close(store);
	}
	ck_assert_uint_gt(partitions, 10);
}
END_TEST

/* One that cannot be read goes too, and what it held is known from where the next one began. */
START_TEST(test_damaged)
{
	struct weir_store *store = open_store(false);
	char path[128];
	int fd;

	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(put(store, START + i * DAY, true), 0);
	weir_store_close(store);
	snprintf(path, sizeof(path), "%s/20241004/data.mdb", dir);
	fd = open(path, O_WRONLY | O_TRUNC);
	ck_assert_int_eq(write(fd, "x", 1), 1);
	close(fd);
	store = open_store(false);
	ck_assert_uint_eq(retain(store, 0, 1, START + 9 * DAY).removed, 2);
	check_ledger(store);
	weir_store_close(store);
}
END_TEST

/* Another process reads: what goes is passed over. */
START_TEST(test_reading_process)
{
	struct weir_store *store;
	int go[2], back[2], status;
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe(go), 0);
	ck_assert_int_eq(pipe(back), 0);
	store = open_store(false);
	for (unsigned i = 0; i < 5; i++)
		ck_assert_int_eq(put(store, START + i * DAY, true), 0);
	weir_store_close(store);
	pid = fork();
	if (!pid) {
		struct weir_totals sum = {0};

		store = open_store(true);
		if (weir_store_scan(store, 0, UINT64_MAX, false, add, &sum, NULL) ||
		    sum.flows != 5 * RECORDS || write(back[1], "", 1) != 1 ||
		    read(go[0], &byte, 1) != 1)
			_exit(1);
		memset(&sum, 0, sizeof(sum));
		if (weir_store_scan(store, 0, UINT64_MAX, false, add, &sum, NULL))
			_exit(2);
		weir_store_close(store);
		_exit(sum.flows == 2 * RECORDS ? 0 : 3);
	}
	ck_assert_int_eq(read(back[0], &byte, 1), 1);
	store = open_store(false);
	ck_assert_uint_eq(retain(store, 2 * DAY, 0, START + 5 * DAY).removed, 3);
	ck_assert_int_eq(write(go[1], "", 1), 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	weir_store_close(store);
}
END_TEST

START_TEST(test_names)
{
	ck_assert(weir_newest_is_name("20261125"));
	ck_assert(weir_newest_is_name("20261125.0001"));
	ck_assert(!weir_newest_is_name("20261125.new"));
	ck_assert(!weir_newest_is_name("20261125.0001.old"));
	ck_assert(!weir_newest_is_name("20261125.001"));
	ck_assert(!weir_newest_is_name("2026112"));
	ck_assert(!weir_newest_is_name("rollups"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("retention");
	TCase *tests = tcase_create("retention");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, test_bytes);
	tcase_add_test(tests, test_age);
	tcase_add_test(tests, test_clock_ahead);
	tcase_add_test(tests, test_clock_ahead_days);
	tcase_add_test(tests, test_clock_believed);
	tcase_add_test(tests, test_both_and_neither);
	tcase_add_test(tests, test_released);
	tcase_add_test(tests, test_reader);
	tcase_add_test(tests, test_readers_all_the_time);
	tcase_add_test(tests, test_half_removed);
	tcase_add_test(tests, test_kill);
	tcase_add_test(tests, test_damaged);
	tcase_add_test(tests, test_reading_process);
	tcase_add_test(tests, test_names);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
