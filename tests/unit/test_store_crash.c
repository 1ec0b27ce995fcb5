// SPDX-License-Identifier: GPL-2.0
/*
 * test_store_crash.c - kill -9 and power failures at every single call by which the store changes a
 * file, and after each of them the ledger, exact.
 *
 * What must hold of a store found after a crash: it opens; its position is not before the last
 * commit that returned and not after the last one that was begun; its sums, its blocks and its
 * segments are those of exactly that position; and it goes on.
 */
#include <signal.h>
#include <sys/wait.h>

#include "daemon/store/backup.h"
#include "daemon/store/check.h"
#include "daemon/store/repair.h"
#include "daemon/store/rollup.h"
#include "tests/unit/disk.h"
#include "tests/unit/store_folder.h"

enum {
	PUTS = 14,
};

static bool merging; /* all in one day, in blocks that are soon merged; else in many partitions */
static char copy[96]; /* where what was left by a power failure is built */

/* Two partitions in a day, which has five: see live(). */
static uint64_t when(uint64_t i)
{
	if (merging)
		return START;
	return START + i / 5 * DAY + i % 5 * 25 * WEIR_NS_PER_SECOND;
}

static size_t flows_of(uint64_t i)
{
	return merging ? 20 : 20 + i % 5 * 40;
}

/* What puts @first + 1 .. @last brought. */
static struct folder_seen expected(uint64_t first, uint64_t last)
{
	struct folder_seen seen = {0};

	ck_assert_uint_le(last, PUTS + 1);
	for (uint64_t i = first; i < last; i++) {
		struct weir_flow flows[200];
		size_t count = flows_of(i);

		for (size_t k = 0; k < count; k++)
			flows[k] = folder_flow(i * 1000 + k);
		folder_visit(&seen, 0, flows, count);
	}
	return seen;
}

static int put_next(struct weir_store *store, uint64_t i)
{
	return folder_put(store, when(i), i * 1000, flows_of(i));
}

static void tell(int fd, uint64_t mark)
{
	disk_mark(mark);
	if (fd >= 0)
		ck_assert_int_eq(syscall(SYS_write, fd, &mark, 8), 8);
}

static struct weir_store *begin(void)
{
	struct weir_store *store = folder_open(dir, false);
	struct weir_store_quota quota = {.keep_ns = 16 * 60 * WEIR_NS_PER_SECOND};

	/* Of this only that partitions are cut after a minute. */
	if (!merging)
		weir_store_set_quota(store, &quota);
	return store;
}

/* Blocks that a segment covers become larger ones. */
static void merge(struct weir_store *store, uint64_t now_ns)
{
	int ret;

	while ((ret = weir_store_merge(store, now_ns)) > 0)
		;
	ck_assert_int_eq(ret, 0);
}

/* The segments behind the last roll-up become one. */
static int roll_up(struct weir_store *store, uint64_t through)
{
	struct weir_rollup_head head = {.last_segment = through, .end_ns = when(through)};
	struct weir_rollup_sums sums;
	char body[500];

	ck_assert_int_eq(weir_rollup_sums(store, WEIR_ROLLUP_MINUTE, &sums), 0);
	head.first_segment = sums.segment + 1;
	head.first_block = sums.block + 1;
	head.last_block = through; /* a block for each segment */
	head.totals = expected(sums.segment, through).totals;
	head.cumulative = expected(0, through).totals;
	memset(body, (int)through, sizeof(body));
	return weir_rollup_put(store, WEIR_ROLLUP_MINUTE, &head, body, sizeof(body));
}

/* Partitions up to block @through may go, and are too old. */
static void retain(struct weir_store *store, uint64_t through)
{
	struct weir_store_quota quota = {
		.keep_ns = 1, .release_block = through, .release_segment = through};
	struct weir_store_retained retained;

	ck_assert_int_eq(weir_store_retain(store, &quota, when(PUTS), &retained), 0);
	ck_assert_uint_ge(retained.removed, 1);
}

/* All that happens to a store, from its creation on. @fd: where what returned is told. */
static void live(int fd)
{
	struct weir_store *store = begin();
	uint64_t rolled = 0;

	for (uint64_t i = 0; i < PUTS; i++) {
		ck_assert_int_eq(put_next(store, i), 0);
		tell(fd, (i + 1) | rolled << 32);
		/* No block is merged with one behind the first minute, nor beyond the last one. */
		if (merging ? i == 0 || i == 10 : i % 4 == 2) {
			ck_assert_int_eq(roll_up(store, i + 1), 0);
			rolled = i + 1;
			tell(fd, (i + 1) | rolled << 32);
		}
		if (merging)
			merge(store, when(i));
		if (i == 3)
			ck_assert_int_eq(weir_store_put_cursor(store, "it", i), 0);
		if (i == 5)
			ck_assert_int_eq(weir_store_drop_segments(store, 2), 0);
		if (!merging && (i == 7 || i == 12))
			retain(store, i);
		if (i == 9) {
			weir_store_close(store);
			store = begin();
		}
	}
	weir_store_close(store);
}

static void take_fault(void *arg, const char *part, const char *sentence)
{
	char *text = arg;

	if (!*text)
		snprintf(text, 400, "%s: %s", part, sentence);
}

static void check_sound(const char *path, const char *what)
{
	char fault[400] = "";
	struct weir_check_options options = {
		.fault = take_fault, .segment = folder_segment, .arg = fault};
	struct weir_check *check;

	ck_assert_msg(!weir_check_store(path, &options, &check), "%s: cannot be checked", what);
	ck_assert_msg(!check->faults, "%s: %s", what, fault);
	weir_check_free(check);
}

static void check_rollups(struct weir_store *store, uint64_t rolled, uint64_t seq,
			  const char *what)
{
	struct weir_rollup_sums sums;
	struct folder_seen want;

	ck_assert_int_eq(weir_rollup_sums(store, WEIR_ROLLUP_MINUTE, &sums), 0);
	ck_assert_msg(sums.segment >= rolled && sums.segment <= seq,
		      "%s: rolled up to %" PRIu64 ", acknowledged %" PRIu64, what, sums.segment,
		      rolled);
	want = expected(0, sums.segment);
	ck_assert_msg(weir_totals_equal(&want.totals, &sums.held), "%s: roll-ups", what);
	ck_assert_msg(sums.entries == (merging ? (sums.segment + 10) / 11 + sums.segment / 11 : (sums.segment + 1) / 4),
		      "%s: %" PRIu64 " roll-ups", what, sums.entries);
}

static void check_state(struct weir_store *store, uint64_t acknowledged, const char *what,
			uint64_t *seq)
{
	struct folder_seen seen = folder_scan(store), all, held;
	struct weir_store_expired expired;
	struct weir_store_state state;

	ck_assert_int_eq(weir_store_state(store, &state), 0);
	ck_assert_int_eq(weir_store_expired(store, &expired), 0);
	*seq = state.position.seq;
	ck_assert_msg(*seq >= acknowledged && *seq <= acknowledged + 1,
		      "%s: position %" PRIu64 ", acknowledged %" PRIu64, what, *seq, acknowledged);
	all = expected(0, *seq);
	held = expected(expired.last_block, *seq);
	ck_assert_msg(seen.flows == held.flows && seen.digest == held.digest, "%s: other records",
		      what);
	ck_assert_msg(merging ? seen.blocks <= held.blocks : seen.blocks == held.blocks,
		      "%s: other blocks", what);
	weir_totals_add(&seen.totals, &expired.totals);
	ck_assert_msg(weir_totals_equal(&all.totals, &seen.totals), "%s: held + expired", what);
	ck_assert_msg(weir_totals_equal(&all.totals, &state.stored), "%s: stored", what);
	ck_assert_msg(weir_totals_equal(&all.totals, &state.position.received), "%s: received",
		      what);
	ck_assert_msg(weir_totals_equal(&all.totals, &state.summed.totals), "%s: summed", what);
	ck_assert_msg(state.last_block == *seq && state.summed.seq == *seq, "%s: numbers", what);
}

/* The store in @path was found after a crash. */
static void check_found(const char *path, uint64_t mark, const char *what)
{
	struct weir_store_options options = {.max_bytes = 1 << 30};
	struct weir_store *store;
	uint64_t seq;

	ck_assert_msg(!weir_store_open(path, &options, &store), "%s: does not open", what);
	check_state(store, (uint32_t)mark, what, &seq);
	check_rollups(store, mark >> 32, seq, what);
	if (seq < PUTS)
		ck_assert_msg(!put_next(store, seq), "%s: does not go on", what);
	weir_store_close(store);
	check_sound(path, what);
}

static void kill_everywhere(void)
{
	for (size_t call = 0, killed = 1; killed; call++) {
		uint64_t acknowledged = 0;
		int told[2], status;
		char what[64];
		pid_t pid;

		ck_assert_int_eq(pipe(told), 0);
		pid = fork();
		ck_assert_int_ge(pid, 0);
		if (!pid) {
			close(told[0]);
			disk_begin(base);
			disk_kill_at(call / 2, call % 2);
			live(told[1]);
			_exit(0);
		}
		close(told[1]);
		while (read(told[0], &acknowledged, 8) == 8)
			;
		close(told[0]);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
		ck_assert(killed || (WIFEXITED(status) && !WEXITSTATUS(status)));
		snprintf(what, sizeof(what), "killed at call %zu", call);
		check_found(dir, acknowledged, what);
		folder_remove(dir);
		if (!killed)
			ck_assert_uint_ge(call, 100);
	}
}

START_TEST(test_kill)
{
	kill_everywhere();
}
END_TEST

START_TEST(test_kill_merge)
{
	merging = true;
	kill_everywhere();
}
END_TEST

static void check_power(size_t call, enum disk_variant variant, uint64_t seed)
{
	char what[300], store[128];
	uint64_t acknowledged;

	snprintf(copy, sizeof(copy), "%s.after", base);
	ck_assert_int_eq(mkdir(copy, 0700), 0);
	acknowledged = disk_build(call, variant, seed, copy);
	snprintf(what, sizeof(what), "power failed at call %zu, variant %d, seed %" PRIu64 ", %s",
		 call, (int)variant, seed, call < disk_calls() ? disk_name(call) : "the end");
	snprintf(store, sizeof(store), "%s/store", copy);
	check_found(store, acknowledged, what);
	folder_remove(copy);
}

static void check_every_call(void)
{
	size_t calls = disk_calls();

	for (size_t call = 0; call <= calls; call++) {
		if (call < calls && disk_is_mark(call))
			continue;
		check_power(call, DISK_NOTHING, 1);
		check_power(call, DISK_ALL, 1);
		check_power(call, call % 2 ? DISK_NAMES : DISK_DATA, 1);
		for (unsigned i = 0; i < 2; i++)
			check_power(call, DISK_SOME, call * 2 + i + 1);
	}
}

START_TEST(test_power)
{
	disk_begin(base);
	live(-1);
	disk_end();
	ck_assert_uint_ge(disk_calls(), 100);
	check_every_call();
}
END_TEST

static void no_word(void *arg, const char *part, const char *sentence)
{
}

START_TEST(test_power_merge)
{
	struct weir_store *store;

	merging = true;
	disk_begin(base);
	live(-1);
	disk_end();
	store = folder_open(dir, true);
	ck_assert_uint_lt(folder_scan(store).blocks, PUTS);
	weir_store_close(store);
	check_every_call();
}
END_TEST

/* Backups one after the other: whenever power fails, the last one that was reported is there, and
 * the next try succeeds. */
START_TEST(test_power_backup)
{
	struct weir_backup_options options = {.say = no_word};
	struct weir_backup_result result;
	struct weir_store *store;
	char to[128], store_copy[128], backup_copy[128], new[128];
	size_t begin_at;

	snprintf(to, sizeof(to), "%s/backup", base);
	disk_begin(base);
	store = folder_open(dir, false);
	for (uint64_t i = 0; i < 7; i++)
		ck_assert_int_eq(put_next(store, i), 0);
	weir_store_close(store);
	begin_at = disk_calls();
	for (uint64_t round = 1; round <= 3; round++) {
		ck_assert_int_eq(weir_backup_make(dir, to, &options, &result), 0);
		disk_mark(round);
		store = folder_open(dir, false);
		ck_assert_int_eq(put_next(store, 6 + round), 0);
		weir_store_close(store);
	}
	disk_end();
	snprintf(copy, sizeof(copy), "%s.after", base);
	snprintf(store_copy, sizeof(store_copy), "%s/store", copy);
	snprintf(backup_copy, sizeof(backup_copy), "%s/backup", copy);
	snprintf(new, sizeof(new), "%s/new", copy);
	for (size_t call = begin_at; call <= disk_calls(); call++) {
		enum disk_variant variant = (enum disk_variant)(call % DISK_VARIANTS);
		uint64_t mark;
		int ret;

		ck_assert_int_eq(mkdir(copy, 0700), 0);
		mark = disk_build(call, variant, call + 1, copy);
		ret = weir_backup_verify(backup_copy, &options, &result);
		if (mark || ret != -ENOENT)
			ck_assert_msg(!ret && !result.damaged && result.parts >= 3,
				      "call %zu, variant %d: %d, backup %" PRIu64, call,
				      (int)variant, ret, mark);
		ck_assert_int_eq(weir_backup_make(store_copy, backup_copy, &options, &result), 0);
		ck_assert_int_eq(weir_backup_verify(backup_copy, &options, &result), 0);
		ck_assert_uint_eq(result.damaged, 0);
		ck_assert_int_eq(weir_restore_new(backup_copy, new, &options, &result), 0);
		check_sound(new, "restored");
		folder_remove(copy);
	}
}
END_TEST

static void spoil(const char *path, off_t at)
{
	static const char rubbish[64] = "rubbish";
	int fd = open(path, O_WRONLY);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, rubbish, sizeof(rubbish), at), sizeof(rubbish));
	ck_assert_int_eq(fsync(fd), 0);
	close(fd);
}

/* A repair is interrupted at any moment, and done again: nothing more is lost, nothing is counted twice. */
static void power_repair(const char *part, off_t at)
{
	struct weir_repair_options options = {.say = no_word, .segment = folder_segment};
	struct weir_repair_result result;
	struct weir_store_state once, state;
	struct weir_store *store;
	char store_copy[128], what[100];
	struct folder_seen seen;
	size_t begin_at;

	disk_begin(base);
	store = folder_open(dir, false);
	for (uint64_t i = 0; i < PUTS; i++)
		ck_assert_int_eq(put_next(store, i), 0);
	weir_store_close(store);
	spoil(folder_file(part), at);
	begin_at = disk_calls();
	ck_assert_int_eq(weir_repair_store(dir, &options, &result), 0);
	ck_assert_uint_ge(result.parts, 1);
	disk_mark(1);
	disk_end();
	check_sound(dir, "repaired");
	store = folder_open(dir, true);
	seen = folder_scan(store);
	ck_assert_int_eq(weir_store_state(store, &once), 0);
	weir_store_close(store);
	snprintf(copy, sizeof(copy), "%s.after", base);
	snprintf(store_copy, sizeof(store_copy), "%s/store", copy);
	for (size_t call = begin_at; call <= disk_calls(); call++)
		for (unsigned turn = 0; turn < 2; turn++) {
			unsigned v = turn ? (unsigned)(call % DISK_VARIANTS) : DISK_SOME;
			struct folder_seen now;
			uint64_t mark;

			snprintf(what, sizeof(what), "call %zu, variant %u", call, v);
			ck_assert_int_eq(mkdir(copy, 0700), 0);
			mark = disk_build(call, (enum disk_variant)v, call + 1, copy);
			if (mark)
				check_sound(store_copy, what);
			ck_assert_int_eq(weir_repair_store(store_copy, &options, &result), 0);
			ck_assert_msg(!result.beyond, "%s", what);
			check_sound(store_copy, what);
			store = folder_open(store_copy, false);
			now = folder_scan(store);
			ck_assert_int_eq(weir_store_state(store, &state), 0);
			ck_assert_msg(now.flows == seen.flows && now.digest == seen.digest, "%s",
				      what);
			ck_assert_msg(weir_totals_equal(&state.stored, &once.stored), "%s", what);
			ck_assert_msg(state.position.seq == once.position.seq, "%s", what);
			ck_assert_int_eq(put_next(store, PUTS), 0);
			weir_store_close(store);
			folder_remove(copy);
		}
}

START_TEST(test_power_repair_block)
{
	size_t bytes, at = 0;
	struct weir_store *store = folder_open(dir, false);
	uint8_t *file;

	/* Where a block lies does not depend on when that is. */
	for (uint64_t i = 0; i < PUTS; i++)
		ck_assert_int_eq(put_next(store, i), 0);
	weir_store_close(store);
	file = folder_read(folder_file("20241005"), &bytes);
	while (memcmp(file + at, "WBLK", 4))
		at += 16;
	free(file);
	folder_remove(dir);
	power_repair("20241005", (off_t)at + 300);
}
END_TEST

START_TEST(test_power_repair_root)
{
	power_repair("20241004", 16);
}
END_TEST

START_TEST(test_power_repair_newest)
{
	power_repair("20241006", 4096 + 16);
}
END_TEST

START_TEST(test_power_repair_state)
{
	power_repair("state", 16);
}
END_TEST

static void setup(void)
{
	folder_setup();
}

static void teardown(void)
{
	snprintf(copy, sizeof(copy), "%s.after", base);
	folder_remove(copy);
	folder_teardown();
}

int main(void)
{
	Suite *suite = suite_create("store_crash");
	TCase *tests = tcase_create("store_crash");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 300);
	tcase_add_test(tests, test_kill);
	tcase_add_test(tests, test_kill_merge);
	tcase_add_test(tests, test_power);
	tcase_add_test(tests, test_power_merge);
	tcase_add_test(tests, test_power_backup);
	tcase_add_test(tests, test_power_repair_block);
	tcase_add_test(tests, test_power_repair_root);
	tcase_add_test(tests, test_power_repair_newest);
	tcase_add_test(tests, test_power_repair_state);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
