// SPDX-License-Identifier: GPL-2.0
/* test_full.c - the disk is full: records are refused and summed up, or wait; each counted once. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/node/intake.h"
#include "daemon/node/position.h"
#include "daemon/node/rollup.h"

enum {
	RECORDS = 500,
	MIN_FREE = 4 << 20,
};

static char dir[64], state[80], ballast[80];
static struct weir_node node;
static struct weir_intake intake;
static bool have_disk;

static int no_stats(struct weir_kernel_stats *stats)
{
	return -ENOENT;
}

static const struct weir_kernel_ops ops = {.get_stats = no_stats};

/* In a mount namespace of this test's own process, so that it goes with it. */
static void setup(void)
{
	strcpy(dir, "/tmp/weir-test-full-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	have_disk = !unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
		    !mount("weir-test", dir, "tmpfs", 0, "size=24m");
	if (!have_disk)
		fprintf(stderr, "SKIP test_full: needs root to mount a small tmpfs\n");
	snprintf(state, sizeof(state), "%s/store", dir);
	snprintf(ballast, sizeof(ballast), "%s/ballast", dir);
}

static void teardown(void)
{
	if (have_disk)
		umount2(dir, MNT_DETACH);
	rmdir(dir);
}

static void open_intake(const char *when_full)
{
	struct weir_store_options options = {.max_bytes = 1 << 30, .min_free_bytes = MIN_FREE};

	node = (struct weir_node){.kernel = &ops, .segment_fd = -1};
	node.config = (struct weir_node_config){.name = (char *)"t",
						.state = state,
						.interval_ns = 3600 * WEIR_NS_PER_SECOND,
						.min_free_bytes = MIN_FREE,
						.when_full = (char *)when_full,
						.rollup_top = 10,
						.summary_top = 10};
	ck_assert_int_eq(weir_store_open(state, &options, &node.store), 0);
	ck_assert_int_eq(weir_intake_open(&intake, &node), 0);
}

static void close_intake(void)
{
	weir_intake_close(&intake);
	weir_store_close(node.store);
}

static uint64_t free_bytes(void)
{
	struct statvfs fs;

	statvfs(dir, &fs);
	return (uint64_t)fs.f_bavail * fs.f_frsize;
}

/* Leave so many bytes free. */
static void fill(uint64_t leave)
{
	static char zero[4096];
	int fd = open(ballast, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	while (free_bytes() > leave && write(fd, zero, sizeof(zero)) > 0)
		;
	close(fd);
}

/* Take the batch behind the position: records that differ, and compress badly. */
static void take(void)
{
	struct weir_record *records = calloc(RECORDS, sizeof(*records));
	struct weir_kernel_event batch = {.kind = WEIR_KERNEL_BATCH,
					  .instance = intake.position.instance,
					  .seq = intake.position.seq + 1,
					  .numbered = intake.position.numbered,
					  .record_size = sizeof(*records),
					  .records = records,
					  .record_bytes = RECORDS * sizeof(*records)};

	srandom((unsigned)batch.seq);
	for (unsigned i = 0; i < RECORDS; i++) {
		records[i] = (struct weir_record){.ip_version = 4, .protocol = 17};
		records[i].src_addr[10] = records[i].src_addr[11] = 0xff;
		records[i].dst_addr[10] = records[i].dst_addr[11] = 0xff;
		records[i].src_addr[12] = 10;
		records[i].dst_addr[12] = 10;
		records[i].dst_addr[14] = (uint8_t)(random() % 4);
		records[i].src_addr[15] = (uint8_t)random();
		records[i].packets = 1 + (uint64_t)random() % 100000;
		records[i].bytes = (uint64_t)random() << 16;
		records[i].start_ns = (uint64_t)random() << 20;
		records[i].end_ns = records[i].start_ns + (uint64_t)random();
		batch.numbered.flows++;
		batch.numbered.packets += records[i].packets;
		batch.numbered.bytes += records[i].bytes;
	}
	ck_assert_int_eq(weir_intake_take(&intake, &batch), 0);
	free(records);
}

static int count_block(void *arg, uint64_t block, const struct weir_flow *flows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		weir_flow_count(arg, &flows[i]);
	return 0;
}

/* The equations of weir audit, on what is on the disk. */
static struct weir_store_state check_ledger(void)
{
	struct weir_totals sum, rest = {0}, all = {0}, whole;
	struct weir_store_state s;

	ck_assert_int_eq(weir_store_state(node.store, &s), 0);
	sum = s.position.received;
	weir_totals_add(&sum, &s.position.refused);
	ck_assert(weir_totals_equal(&sum, &s.position.numbered));
	ck_assert_uint_eq(sum.flows, s.position.seq * RECORDS);
	ck_assert(weir_totals_equal(&s.position.received, &s.stored));
	ck_assert_int_eq(weir_store_scan_after(node.store, s.summed.block, count_block, &rest), 0);
	ck_assert_int_eq(weir_store_scan_after(node.store, 0, count_block, &all), 0);
	ck_assert(weir_totals_equal(&all, &s.stored));
	weir_totals_add(&rest, &s.summed.totals);
	whole = s.stored;
	weir_totals_add(&whole, &s.position.refused);
	ck_assert(weir_totals_equal(&rest, &whole));
	return s;
}

START_TEST(test_refuse_and_recover)
{
	struct weir_rollup_sums minutes;
	struct weir_store_state s;
	uint64_t stored;

	if (!have_disk)
		return;
	open_intake("summaries");
	while (!atomic_load(&node.refusing)) {
		take();
		ck_assert_int_eq(weir_intake_commit(&intake), 0);
	}
	s = check_ledger();
	ck_assert_uint_gt(s.stored.flows, 10 * RECORDS);
	ck_assert_uint_eq(s.position.refused.flows, RECORDS);
	ck_assert_uint_gt(s.position.refused_first_ns, 0);
	stored = s.stored.flows;
	for (unsigned i = 0; i < 20; i++) {
		take();
		take();
		ck_assert_uint_eq(weir_intake_commit_due(&intake), intake.close_ns);
		ck_assert_int_eq(weir_intake_commit(&intake), 0);
	}
	s = check_ledger();
	ck_assert_uint_eq(s.stored.flows, stored);
	ck_assert_uint_eq(s.position.refused.flows, 41 * RECORDS);
	ck_assert_uint_gt(free_bytes(), 0); /* the reserve is not used up by that */
	/* The same after a restart, which knows nothing of it. */
	close_intake();
	open_intake("summaries");
	check_ledger();
	take();
	ck_assert_int_eq(weir_intake_commit(&intake), 0);
	s = check_ledger();
	ck_assert_uint_eq(s.position.refused.flows, 42 * RECORDS);
	ck_assert(atomic_load(&node.refusing));
	/* Roll-ups go on. A segment of another minute would end this one: there is none. */
	ck_assert_int_eq(weir_rollup_run(&node), 0);
	ck_assert_int_eq(weir_rollup_sums(node.store, WEIR_ROLLUP_MINUTE, &minutes), 0);
	ck_assert_uint_eq(minutes.skipped.flows, 0);
	/* Room: stored again, alone. */
	ck_assert_int_eq(mount(NULL, dir, "tmpfs", MS_REMOUNT, "size=48m"), 0);
	take();
	ck_assert_int_eq(weir_intake_commit(&intake), 0);
	ck_assert(!atomic_load(&node.refusing));
	s = check_ledger();
	ck_assert_uint_eq(s.stored.flows, stored + RECORDS);
	ck_assert_int_eq(weir_intake_close_interval(&intake), 0);
	ck_assert(!intake.sums_differ);
	check_ledger();
	close_intake();
}
END_TEST

/* Room that comes and goes around the mark does not make it flap. */
START_TEST(test_mark)
{
	if (!have_disk)
		return;
	open_intake("summaries");
	take();
	ck_assert_int_eq(weir_intake_commit(&intake), 0);
	fill(MIN_FREE - 4096);
	take();
	ck_assert_int_eq(weir_intake_commit(&intake), 0);
	ck_assert(atomic_load(&node.refusing));
	ck_assert_int_eq(truncate(ballast, 0), 0);
	fill(MIN_FREE + (700 << 10));
	take();
	ck_assert_int_eq(weir_intake_commit(&intake), 0);
	ck_assert(atomic_load(&node.refusing));
	ck_assert_int_eq(truncate(ballast, 0), 0);
	take();
	ck_assert_int_eq(weir_intake_commit(&intake), 0);
	ck_assert(!atomic_load(&node.refusing));
	check_ledger();
	close_intake();
}
END_TEST

/* Not even the reserve: wait, lose nothing, count nothing twice, go on. */
START_TEST(test_no_reserve)
{
	struct weir_store_state s;
	uint64_t seq;

	if (!have_disk)
		return;
	open_intake("summaries");
	take();
	ck_assert_int_eq(weir_intake_commit(&intake), 0);
	fill(0);
	seq = intake.position.seq;
	take();
	for (unsigned i = 0; i < 5; i++) {
		ck_assert_int_eq(weir_intake_commit(&intake), -ENOSPC);
		ck_assert_uint_eq(check_ledger().position.seq, seq);
	}
	ck_assert_int_eq(truncate(ballast, 0), 0);
	fill(MIN_FREE / 2);
	ck_assert_int_eq(weir_intake_commit(&intake), 0);
	s = check_ledger();
	ck_assert_uint_eq(s.position.seq, seq + 1);
	ck_assert_uint_eq(s.position.refused.flows, RECORDS);
	close_intake();
}
END_TEST

/* The same disk, the other policy: nothing is refused, it waits. */
START_TEST(test_wait)
{
	struct weir_store_state s;

	if (!have_disk)
		return;
	open_intake("wait");
	take();
	ck_assert_int_eq(weir_intake_commit(&intake), 0);
	fill(MIN_FREE / 2);
	take();
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(weir_intake_commit(&intake), -ENOSPC);
		ck_assert_int_eq(weir_intake_close_interval(&intake), -ENOSPC);
	}
	ck_assert(!atomic_load(&node.refusing));
	unlink(ballast);
	ck_assert_int_eq(weir_intake_commit(&intake), 0);
	s = check_ledger();
	ck_assert_uint_eq(s.position.refused.flows, 0);
	ck_assert_uint_eq(s.stored.flows, 2 * RECORDS);
	close_intake();
}
END_TEST

/* A commit that said it failed is on the disk, as a block or refused: it is not counted again. */
START_TEST(test_reached_the_disk)
{
	struct weir_intake was;
	struct weir_flow *flows;

	if (!have_disk)
		return;
	open_intake("summaries");
	for (unsigned round = 0; round < 4; round++) {
		take();
		was = intake;
		flows = malloc(was.count * sizeof(*flows));
		memcpy(flows, intake.flows, was.count * sizeof(*flows));
		if (round == 1)
			fill(MIN_FREE / 2);
		ck_assert_int_eq(weir_intake_commit(&intake), 0);
		ck_assert_int_eq(atomic_load(&node.refusing), round > 0);
		/* As if it had returned an error. */
		intake.position = was.position;
		intake.count = was.count;
		memcpy(intake.flows, flows, was.count * sizeof(*flows));
		intake.last_block = was.last_block;
		intake.last_segment = was.last_segment;
		intake.dirty = intake.unsure = intake.summary_stale = true;
		ck_assert_int_eq(weir_intake_commit(&intake), 0);
		ck_assert_uint_eq(check_ledger().position.seq, round + 1);
		free(flows);
	}
	ck_assert_int_eq(weir_intake_close_interval(&intake), 0);
	check_ledger();
	close_intake();
}
END_TEST

/* kill -9 while the disk fills, is full, and has room again. */
START_TEST(test_kill)
{
	uint64_t refused = 0, stored = 0;

	if (!have_disk)
		return;
	for (unsigned round = 0; round < 30; round++) {
		struct weir_store_state s;
		int tell[2], status;
		pid_t pid;

		/* Full, nearly, or not. */
		ck_assert(!truncate(ballast, 0) || errno == ENOENT);
		if (round % 3)
			fill(round % 3 == 1 ? MIN_FREE / 2 : MIN_FREE + (500 << 10));
		ck_assert_int_eq(pipe(tell), 0);
		pid = fork();
		if (!pid) {
			open_intake("summaries");
			for (unsigned i = 0;; i++) {
				take();
				if (weir_intake_commit(&intake))
					_exit(1);
				if (i % 5 == 4 && weir_intake_close_interval(&intake))
					_exit(2);
				if (write(tell[1], "", 1) != 1)
					_exit(3);
				/* Do not fill the little disk for good. */
				if (i > 6 && round % 3 == 0)
					usleep(100000);
			}
		}
		close(tell[1]);
		for (unsigned i = 0; i < 3; i++)
			ck_assert_int_eq(read(tell[0], &(char){0}, 1), 1);
		usleep((useconds_t)(random() % 15000));
		kill(pid, SIGKILL);
		close(tell[0]);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(WIFSIGNALED(status));
		open_intake("summaries");
		s = check_ledger();
		ck_assert_uint_ge(s.position.refused.flows, refused);
		refused = s.position.refused.flows;
		stored = s.stored.flows;
		close_intake();
	}
	ck_assert_uint_gt(refused, 10 * RECORDS);
	ck_assert_uint_gt(stored, 10 * RECORDS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("full");
	TCase *tests = tcase_create("full");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, test_refuse_and_recover);
	tcase_add_test(tests, test_mark);
	tcase_add_test(tests, test_no_reserve);
	tcase_add_test(tests, test_wait);
	tcase_add_test(tests, test_reached_the_disk);
	tcase_add_test(tests, test_kill);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
