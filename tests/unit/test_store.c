// SPDX-License-Identifier: GPL-2.0
/* test_store.c - the store on a real file system: fill, reopen, kill, damage, run out of room. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/store/block.h"
#include "daemon/store/internal.h"

#define DAY   (86400 * WEIR_NS_PER_SECOND)
#define START (20000 * DAY) /* 2024-10-04 */

static char dir[64];

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	return remove(path);
}

static void setup(void)
{
	/* What is tested survives processes, not power failures: memory will do. */
	snprintf(dir, sizeof(dir), "%s/weir-test-store-XXXXXX",
		 access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct weir_store *open_store(bool read_only)
{
	struct weir_store_options options = {.read_only = read_only};
	struct weir_store *store = NULL;

	ck_assert_int_eq(weir_store_open(dir, &options, &store), 0);
	return store;
}

/* Flow @i: every member has a value that depends on it. */
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

/* Commit one block of flows @first .. @first + @count, and a position that says so. */
static int put(struct weir_store *store, uint64_t now, uint64_t first, size_t count)
{
	struct weir_flow *flows = calloc(count, sizeof(*flows));
	struct weir_store_position position;
	struct weir_store_txn *txn;
	int ret;

	ck_assert_int_eq(weir_store_position(store, &position), 0);
	for (size_t i = 0; i < count; i++) {
		flows[i] = make_flow(first + i);
		weir_flow_count(&position.received, &flows[i]);
	}
	position.seq++;
	ret = weir_store_begin(store, now, &txn);
	if (!ret) {
		weir_store_put_block(txn, flows, count);
		weir_store_put_position(txn, &position);
		ret = weir_store_commit(txn);
	}
	free(flows);
	return ret;
}

struct seen {
	uint64_t blocks, flows, last_block;
	uint64_t next; /* flow expected */
	bool backward, exact;
	struct weir_totals totals;
};

static int by_packets(const void *a, const void *b)
{
	const struct weir_flow *left = a, *right = b;

	return left->packets < right->packets ? -1 : left->packets > right->packets;
}

/* Records of a block come in any order; make_flow() numbers them by their packets. */
static void check_exact(struct seen *seen, const struct weir_flow *flows, size_t count)
{
	struct weir_flow *sorted = malloc(count * sizeof(*sorted));

	memcpy(sorted, flows, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), by_packets);
	for (size_t i = 0; i < count; i++) {
		struct weir_flow expected = make_flow(seen->next++);

		ck_assert_mem_eq(&expected, &sorted[i], sizeof(expected));
	}
	free(sorted);
}

static int visit(void *arg, uint64_t block, const struct weir_flow *flows, size_t count)
{
	struct seen *seen = arg;

	if (seen->blocks)
		ck_assert(seen->backward ? block < seen->last_block : block > seen->last_block);
	seen->blocks++;
	seen->last_block = block;
	for (size_t i = 0; i < count; i++)
		weir_flow_count(&seen->totals, &flows[i]);
	if (seen->exact)
		check_exact(seen, flows, count);
	seen->flows += count;
	return 0;
}

static void check_whole(struct weir_store *store)
{
	struct weir_store_state state;
	struct seen seen = {0};
	uint64_t damaged;

	ck_assert_int_eq(weir_store_state(store, &state), 0);
	ck_assert_int_eq(weir_store_scan(store, 0, UINT64_MAX, false, visit, &seen, &damaged), 0);
	ck_assert_uint_eq(damaged, 0);
	ck_assert(weir_totals_equal(&seen.totals, &state.stored));
	ck_assert(weir_totals_equal(&seen.totals, &state.position.received));
	ck_assert_uint_eq(seen.blocks, state.last_block);
	ck_assert_uint_eq(state.position.seq, state.last_block);
}

/* In the place of libc's: the n-th sync of a folder from now on fails. */
static unsigned fail_folder_sync;

int fsync(int fd)
{
	struct stat status;

	if (fail_folder_sync && !fstat(fd, &status) && S_ISDIR(status.st_mode) &&
	    !--fail_folder_sync) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

START_TEST(test_fill_and_reopen)
{
	static const size_t sizes[] = {1, 511, 512, 513, 4000, WEIR_STORE_BLOCK_RECORDS, 2};
	struct weir_store_identity identity;
	struct weir_store_figures figures;
	struct weir_store *store = open_store(false);
	struct seen seen = {.exact = true};
	uint64_t next = 0;

	identity = *weir_store_identity(store);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		ck_assert_int_eq(put(store, START, next, sizes[i]), 0);
		next += sizes[i];
		if (i % 2) {
			weir_store_close(store);
			store = open_store(false);
		}
	}
	check_whole(store);
	ck_assert_mem_eq(&identity, weir_store_identity(store), sizeof(identity));
	ck_assert_int_eq(weir_store_scan(store, 0, UINT64_MAX, false, visit, &seen, NULL), 0);
	ck_assert_uint_eq(seen.flows, next);
	ck_assert_int_eq(weir_store_figures(store, &figures), 0);
	ck_assert_uint_eq(figures.records, next);
	ck_assert_uint_eq(figures.blocks, 7);
	ck_assert_uint_eq(figures.partitions, 1);
	ck_assert_uint_eq(figures.oldest_ns, START);
	ck_assert_uint_eq(figures.newest_ns, START + (next - 1) * 1000 + 500);
	ck_assert_uint_gt(figures.disk_bytes, next * 10);
	ck_assert_int_eq(put(store, START, 0, 0), -EINVAL);
	ck_assert_int_eq(put(store, START, 0, WEIR_STORE_BLOCK_RECORDS + 1), -EINVAL);
	check_whole(store);
	weir_store_close(store);
}
END_TEST

START_TEST(test_days)
{
	/* Forward, back by a clock that was set, far ahead, and back again. */
	static const int days[] = {0, 0, 1, 0, 2, 1, 400, 3, 401};
	struct weir_store *store = open_store(false);
	struct weir_store_figures figures;
	struct seen seen = {.exact = true}, back = {.backward = true}, some = {0};

	for (unsigned i = 0; i < sizeof(days) / sizeof(*days); i++) {
		ck_assert_int_eq(put(store, START + days[i] * DAY, i * 10, 10), 0);
		if (i == 4) {
			weir_store_close(store);
			store = open_store(false);
		}
	}
	check_whole(store);
	ck_assert_int_eq(weir_store_figures(store, &figures), 0);
	ck_assert_uint_eq(figures.partitions, 5);
	ck_assert_int_eq(weir_store_scan(store, 0, UINT64_MAX, false, visit, &seen, NULL), 0);
	ck_assert_uint_eq(seen.flows, 90);
	ck_assert_int_eq(weir_store_scan(store, 0, UINT64_MAX, true, visit, &back, NULL), 0);
	ck_assert_uint_eq(back.flows, 90);
	ck_assert_uint_eq(back.last_block, 1);
	/* Flows 20..29 were alive in [START + 20 us, START + 29.5 us]; block 3 and no other. */
	ck_assert_int_eq(weir_store_scan(store, START + 21000, START + 22000, false, visit, &some,
					 NULL), 0);
	ck_assert_uint_eq(some.blocks, 1);
	ck_assert_uint_eq(some.last_block, 3);
	memset(&some, 0, sizeof(some));
	ck_assert_int_eq(weir_store_scan_after(store, 6, visit, &some), 0);
	ck_assert_uint_eq(some.blocks, 3);
	ck_assert_uint_eq(some.last_block, 9);
	weir_store_close(store);
}
END_TEST

static void put_segments(struct weir_store *store, uint64_t now, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct weir_store_summed summed;
		struct weir_store_txn *txn;
		char body[3000];

		ck_assert_int_eq(weir_store_summed(store, &summed), 0);
		summed.seq++;
		summed.hash[0] = summed.seq;
		memset(body, summed.seq, sizeof(body));
		ck_assert_int_eq(weir_store_begin(store, now, &txn), 0);
		weir_store_put_segment(txn, &summed, body, sizeof(body));
		ck_assert_int_eq(weir_store_commit(txn), 0);
	}
}

START_TEST(test_segments)
{
	struct weir_store *store = open_store(false);
	struct weir_store_summed summed;
	struct weir_store_figures figures;
	struct weir_store_txn *txn;
	uint64_t oldest, cursor;
	size_t bytes;
	void *body;

	ck_assert_int_eq(weir_store_oldest_segment(store, &oldest), 0);
	ck_assert_uint_eq(oldest, 0);
	put_segments(store, START, 100);
	put_segments(store, START + DAY, 100);
	ck_assert_int_eq(weir_store_get_segment(store, 37, &body, &bytes), 0);
	ck_assert_uint_eq(bytes, 3000);
	ck_assert_int_eq(((char *)body)[2999], 37);
	free(body);
	ck_assert_int_eq(weir_store_get_segment(store, 201, &body, &bytes), -ENOENT);
	ck_assert_int_eq(weir_store_drop_segments(store, 150), 0);
	ck_assert_int_eq(weir_store_get_segment(store, 150, &body, &bytes), -ENOENT);
	put_segments(store, START + DAY, 1); /* deletes */
	weir_store_close(store);
	store = open_store(false);
	ck_assert_int_eq(weir_store_oldest_segment(store, &oldest), 0);
	ck_assert_uint_eq(oldest, 151);
	ck_assert_int_eq(weir_store_figures(store, &figures), 0);
	ck_assert_uint_eq(figures.segments, 51);
	ck_assert_int_eq(weir_store_summed(store, &summed), 0);
	ck_assert_uint_eq(summed.seq, 201);
	ck_assert_uint_eq(summed.hash[0], 201);
	/* Only the next number is accepted. */
	summed.seq = 203;
	ck_assert_int_eq(weir_store_begin(store, START, &txn), 0);
	ck_assert_int_eq(weir_store_put_segment(txn, &summed, "x", 1), -EINVAL);
	ck_assert_int_eq(weir_store_commit(txn), -EINVAL);
	ck_assert_int_eq(weir_store_get_cursor(store, "a", &cursor), 0);
	ck_assert_uint_eq(cursor, 0);
	ck_assert_int_eq(weir_store_put_cursor(store, "a", 77), 0);
	ck_assert_int_eq(weir_store_get_cursor(store, "a", &cursor), 0);
	ck_assert_uint_eq(cursor, 77);
	weir_store_close(store);
}
END_TEST

/* The folder of a new day is there, but the sync after that failed: storing goes on a second
 * later, and what was stored in the meantime counts. */
START_TEST(test_day_begins_twice)
{
	struct weir_store *store = open_store(false);

	ck_assert_int_eq(put(store, START, 0, 10), 0);
	fail_folder_sync = 2; /* of the folder itself, then of the one it is in */
	ck_assert_int_eq(put(store, START + DAY, 10, 10), -EIO);
	ck_assert_int_eq(put(store, START, 10, 10), 0);
	ck_assert_int_eq(put(store, START + DAY, 20, 10), 0);
	check_whole(store);
	weir_store_close(store);
	store = open_store(false);
	check_whole(store);
	weir_store_close(store);
}
END_TEST

/* The newest partition could not be opened again once, and then a day begins. */
START_TEST(test_newest_not_open)
{
	struct weir_store *store = open_store(false);
	char there[80], away[80];

	ck_assert_int_eq(put(store, START, 0, 10), 0);
	snprintf(there, sizeof(there), "%s/%s", dir, store->partitions[0]->name);
	snprintf(away, sizeof(away), "%s/away", dir);
	ck_assert_int_eq(rename(there, away), 0);
	ck_assert_int_ne(weir_partition_reopen(store, store->partitions[0]), 0);
	ck_assert_int_eq(rename(away, there), 0);
	/* put() reads the position first, which nobody can at this moment. */
	struct weir_partition *partition;

	ck_assert_int_eq(weir_partition_current(store, START + DAY, &partition), 0);
	ck_assert_int_eq(put(store, START + DAY, 10, 10), 0);
	check_whole(store);
	weir_store_close(store);
}
END_TEST

/* More days than descriptors allow to have open. */
START_TEST(test_many_days)
{
	enum { DAYS = 60 };
	struct rlimit few = {72, 72};
	struct weir_store_figures figures;
	struct weir_store *store;
	uint64_t oldest;
	size_t bytes;
	void *body;

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	store = open_store(false);
	put_segments(store, START, 1);
	for (unsigned i = 0; i < DAYS; i++)
		ck_assert_int_eq(put(store, START + i * DAY, i * 10, 10), 0);
	for (unsigned i = 0; i < 2; i++) {
		check_whole(store);
		ck_assert_int_eq(weir_store_get_segment(store, 1, &body, &bytes), 0);
		free(body);
		ck_assert_int_eq(weir_store_oldest_segment(store, &oldest), 0);
		ck_assert_uint_eq(oldest, 1);
		ck_assert_int_eq(weir_store_figures(store, &figures), 0);
		ck_assert_uint_eq(figures.partitions, DAYS);
		ck_assert_uint_eq(figures.records, DAYS * 10);
		weir_store_close(store);
		store = open_store(false);
	}
	weir_store_close(store);
}
END_TEST

/* Run @body in another process: LMDB allows one handle per process. */
static int in_child(int (*body)(void))
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (!pid)
		_exit(body());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static int second_writer(void)
{
	struct weir_store_options options = {0};
	struct weir_store *store;

	return weir_store_open(dir, &options, &store) == -EBUSY ? 0 : 1;
}

static int reader_counts_20(void)
{
	struct weir_store_options options = {.read_only = true};
	struct weir_store *store;
	struct seen seen = {0};

	if (weir_store_open(dir, &options, &store) ||
	    weir_store_scan(store, 0, UINT64_MAX, false, visit, &seen, NULL) ||
	    weir_store_put_cursor(store, "a", 1) != -EROFS)
		return 1;
	weir_store_close(store);
	return seen.flows == 20 ? 0 : 2;
}

START_TEST(test_two_processes)
{
	struct weir_store *store = open_store(false);

	ck_assert_int_eq(put(store, START, 0, 10), 0);
	ck_assert_int_eq(put(store, START + DAY, 10, 10), 0);
	ck_assert_int_eq(in_child(second_writer), 0);
	ck_assert_int_eq(in_child(reader_counts_20), 0);
	weir_store_close(store);
}
END_TEST

/* A reader that stays open sees the partitions made after it opened. */
START_TEST(test_reader_follows)
{
	struct weir_store *store = open_store(false);
	int go[2], status;
	pid_t pid;

	ck_assert_int_eq(put(store, START, 0, 10), 0);
	weir_store_close(store);
	ck_assert_int_eq(pipe(go), 0);
	pid = fork();
	if (!pid) {
		struct seen seen = {0};
		char byte;

		store = open_store(true);
		if (write(go[1], "r", 1) != 1)
			_exit(3);
		while (weir_store_scan(store, 0, UINT64_MAX, false, visit, &seen, NULL) == 0 &&
		       seen.flows < 30) {
			memset(&seen, 0, sizeof(seen));
			usleep(1000);
		}
		byte = seen.flows == 30 ? 0 : 1;
		weir_store_close(store);
		_exit(byte);
	}
	ck_assert_int_eq(read(go[0], &(char){0}, 1), 1);
	store = open_store(false);
	ck_assert_int_eq(put(store, START, 10, 10), 0);
	ck_assert_int_eq(put(store, START + DAY, 20, 10), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	weir_store_close(store);
}
END_TEST

/* kill -9 at random moments, day switches among them: what is on the disk is
 * always some commit, and never less than what was reported as committed. */
START_TEST(test_kill)
{
	uint64_t flows = 0;

	srandom(20261123);
	for (unsigned round = 0; round < 15; round++) {
		struct weir_store_state state;
		struct weir_store *store;
		uint64_t reported = 0, got;
		int tell[2], status;
		pid_t pid;

		ck_assert_int_eq(pipe(tell), 0);
		pid = fork();
		if (!pid) {
			close(tell[0]);
			store = open_store(false);
			for (uint64_t i = 0;; i++) {
				if (put(store, START + (round + i / 8) * DAY, i, 700))
					_exit(1);
				weir_store_position(store, &state.position);
				if (write(tell[1], &state.position.seq, 8) != 8)
					_exit(2);
			}
		}
		close(tell[1]);
		/* After the first commit at the earliest, in the middle of any later one. */
		while (read(tell[0], &got, 8) == 8) {
			if (!reported) {
				usleep(random() % 60000);
				kill(pid, SIGKILL);
			}
			reported = got;
		}
		close(tell[0]);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(WIFSIGNALED(status));
		store = open_store(false);
		ck_assert_int_eq(weir_store_state(store, &state), 0);
		ck_assert_uint_ge(state.position.seq, reported);
		ck_assert_uint_le(state.position.seq, reported + 1);
		ck_assert_uint_eq(state.stored.flows, state.position.seq * 700);
		ck_assert_uint_gt(state.stored.flows, flows);
		flows = state.stored.flows;
		check_whole(store);
		weir_store_close(store);
	}
}
END_TEST

/* Flip a byte in the middle of the second block of the only partition. */
static void damage(void)
{
	static const uint8_t magic[] = {'W', 'B', 'L', 'K', WEIR_BLOCK_VERSION, 0};
	char path[160], *file;
	struct stat status;
	unsigned found = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/20241004/data.mdb", dir);
	fd = open(path, O_RDWR);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &status), 0);
	file = malloc(status.st_size);
	ck_assert_int_eq(pread(fd, file, status.st_size, 0), status.st_size);
	for (off_t at = 0; at + 6 <= status.st_size; at++) {
		if (memcmp(file + at, magic, sizeof(magic)) || ++found != 2)
			continue;
		file[at + 1000] ^= 1;
		ck_assert_int_eq(pwrite(fd, file + at + 1000, 1, at + 1000), 1);
	}
	ck_assert_uint_ge(found, 2);
	free(file);
	close(fd);
}

START_TEST(test_damaged_block)
{
	struct weir_store *store = open_store(false);
	struct seen seen = {0};
	uint64_t damaged = 0;

	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(put(store, START, i * 100, 100), 0);
	weir_store_close(store);
	damage();
	store = open_store(false);
	ck_assert_int_eq(weir_store_scan(store, 0, UINT64_MAX, false, visit, &seen, &damaged), 0);
	ck_assert_uint_eq(damaged, 1);
	ck_assert_uint_eq(seen.blocks, 2);
	ck_assert_int_eq(put(store, START, 300, 100), 0);
	weir_store_close(store);
}
END_TEST

START_TEST(test_newer_format)
{
	static const char *const dbs[] = {"meta", "cursors", NULL};
	struct weir_lmdb_options options = {.dbs = dbs};
	uint64_t format[3] = {0x52494557, 9, 9};
	struct weir_store_options store_options = {0};
	struct weir_store *store = open_store(false);
	struct weir_lmdb_txn txn;
	struct weir_lmdb *lmdb;
	char path[160];

	weir_store_close(store);
	snprintf(path, sizeof(path), "%s/state", dir);
	ck_assert_int_eq(weir_lmdb_open(path, &options, &lmdb), 0);
	ck_assert_int_eq(weir_lmdb_begin(lmdb, true, &txn), 0);
	weir_meta_put(&txn, 0, "format", format, sizeof(format));
	ck_assert_int_eq(weir_lmdb_commit(&txn), 0);
	weir_lmdb_close(lmdb);
	ck_assert_int_eq(weir_store_open(dir, &store_options, &store), -ENOTSUP);
	format[2] = 1; /* newer, but says that we can read it */
	ck_assert_int_eq(weir_lmdb_open(path, &options, &lmdb), 0);
	ck_assert_int_eq(weir_lmdb_begin(lmdb, true, &txn), 0);
	weir_meta_put(&txn, 0, "format", format, sizeof(format));
	ck_assert_int_eq(weir_lmdb_commit(&txn), 0);
	weir_lmdb_close(lmdb);
	store = open_store(false);
	weir_store_close(store);
}
END_TEST

/* A later version appends members to the values of the state: they are passed over, and so they are where
 * they are missing. */
START_TEST(test_other_members)
{
	static const size_t ends[] = {8, 0, SIZE_MAX - 7}; /* more, the same, fewer */
	static const char *const keys[] = {"position", "stored", "summed"};
	struct weir_store_position position;
	struct weir_partition *partition;
	struct weir_lmdb_value value;
	struct weir_lmdb_txn txn;
	struct weir_store *store = open_store(false);

	ck_assert_int_eq(put(store, START, 0, 10), 0);
	for (unsigned i = 0; i < 3; i++) {
		uint8_t text[1024] = {0};
		uint64_t sum = 0, packed;

		ck_assert_int_eq(weir_partition_hold_newest(store, &partition), 0);
		ck_assert_int_eq(weir_lmdb_begin(partition->lmdb, true, &txn), 0);
		for (unsigned k = 0; k < 3; k++) {
			size_t bytes;

			ck_assert_int_eq(weir_lmdb_get(&txn, WEIR_DB_META, keys[k], &value), 0);
			/* What the writer of today put last is zero here. */
			bytes = value.bytes + (k == 0 ? ends[i] : 0);
			memset(text, i == 0 ? 0xab : 0, sizeof(text));
			memcpy(text, value.data, value.bytes < bytes ? value.bytes : bytes);
			sum = weir_meta_sum_value(sum, text, bytes);
			weir_lmdb_put(&txn, WEIR_DB_META, keys[k], text, bytes);
		}
		weir_meta_encode(&sum, sizeof(sum), &packed);
		weir_lmdb_put(&txn, WEIR_DB_META, "sum", &packed, sizeof(packed));
		ck_assert_int_eq(weir_lmdb_commit(&txn), 0);
		weir_partition_release(store, partition);
		ck_assert_int_eq(weir_store_position(store, &position), 0);
		ck_assert_uint_eq(position.seq, 1 + i);
		ck_assert_uint_eq(position.received.flows, 10 * (i + 1));
		ck_assert_int_eq(put(store, START, 10 * (i + 1), 10), 0);
	}
	weir_store_close(store);
}
END_TEST

START_TEST(test_foreign_folder)
{
	struct weir_store_options options = {.read_only = true};
	struct weir_store *store;

	ck_assert_int_eq(weir_store_open(dir, &options, &store), -ENOENT);
}
END_TEST

static void add_ballast(const char *path, size_t bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	static char zero[4096];

	for (size_t at = 0; at < bytes && write(fd, zero, sizeof(zero)) > 0; at += sizeof(zero))
		;
	close(fd);
}

/* Fill a small tmpfs, with and without a reserve: refused, nothing lost, goes on alone. */
static int disk_full(void)
{
	struct weir_store_options options = {.max_bytes = 1 << 30};
	struct weir_store *store;
	uint64_t blocks = 0;
	char ballast[160];
	int ret;

	if (mount("weir-test", dir, "tmpfs", 0, "size=16m"))
		return 77;
	snprintf(ballast, sizeof(ballast), "%s/ballast", dir);
	add_ballast(ballast, 4 << 20);
	if (weir_store_open(dir, &options, &store))
		return 1;
	while (!(ret = put(store, START, blocks * 5000, 5000)))
		blocks++;
	if (ret != -ENOSPC || blocks < 10)
		return 2;
	check_whole(store);
	/* Not even room for a page. */
	add_ballast(ballast, SIZE_MAX);
	if (put(store, START, blocks * 5000, 10) != -ENOSPC)
		return 3;
	weir_store_close(store);
	if (weir_store_open(dir, &options, &store))
		return 4;
	check_whole(store);
	/* A new day needs a new partition, made whole or not at all. */
	if (put(store, START + DAY, 0, 10) != -ENOSPC)
		return 5;
	unlink(ballast);
	if (put(store, START + DAY, blocks * 5000, 100))
		return 6;
	check_whole(store);
	weir_store_close(store);
	options.min_free_bytes = 1 << 30;
	if (weir_store_open(dir, &options, &store))
		return 7;
	if (put(store, START + DAY, 0, 1) != -ENOSPC)
		return 8;
	weir_store_close(store);
	return umount(dir) ? 9 : 0;
}

static int disk_full_in_namespace(void)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return 77;
	return disk_full();
}

START_TEST(test_disk_full)
{
	int status = in_child(disk_full_in_namespace);

	if (status == 77)
		fprintf(stderr, "SKIP test_disk_full: needs root to mount a small tmpfs\n");
	else
		ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store");
	TCase *tests = tcase_create("store");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, test_fill_and_reopen);
	tcase_add_test(tests, test_days);
	tcase_add_test(tests, test_segments);
	tcase_add_test(tests, test_day_begins_twice);
	tcase_add_test(tests, test_newest_not_open);
	tcase_add_test(tests, test_many_days);
	tcase_add_test(tests, test_two_processes);
	tcase_add_test(tests, test_reader_follows);
	tcase_add_test(tests, test_kill);
	tcase_add_test(tests, test_damaged_block);
	tcase_add_test(tests, test_newer_format);
	tcase_add_test(tests, test_other_members);
	tcase_add_test(tests, test_foreign_folder);
	tcase_add_test(tests, test_disk_full);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
