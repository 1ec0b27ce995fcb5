// SPDX-License-Identifier: GPL-2.0
/* test_intake.c - intervals, when the clock is set and when a commit's outcome was not known. */
#include <check.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/node/intake.h"
#include "daemon/wire/convert.h"

enum { RECORDS = 20 };

static const uint64_t hour_ns = 3600 * WEIR_NS_PER_SECOND;

static int64_t ahead_seconds; /* how wrong this machine's clock is */
static char dir[64];
static struct weir_node node;
static struct weir_intake intake;
static uint64_t batch_seq;

/* In the place of libc's: CLOCK_REALTIME can be set back without touching the machine's. */
int clock_gettime(clockid_t id, struct timespec *ts)
{
	int ret = (int)syscall(SYS_clock_gettime, id, ts);

	if (!ret && id == CLOCK_REALTIME)
		ts->tv_sec += ahead_seconds;
	return ret;
}

static int no_stats(struct weir_kernel_stats *stats)
{
	return -ENOENT;
}

static const struct weir_kernel_ops ops = {.get_stats = no_stats};

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	return remove(path);
}

static void open_intake(void)
{
	struct weir_store_options options = {0};

	ck_assert_int_eq(weir_store_open(dir, &options, &node.store), 0);
	ck_assert_int_eq(weir_intake_open(&intake, &node), 0);
}

static void close_intake(void)
{
	weir_intake_close(&intake);
	weir_store_close(node.store);
}

static void setup(void)
{
	node = (struct weir_node){.kernel = &ops, .segment_fd = -1};
	node.config = (struct weir_node_config){
		.name = (char *)"t", .state = dir, .interval_ns = hour_ns, .summary_top = 10};
	strcpy(dir, "/tmp/weir-test-intake-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ahead_seconds = 0;
	batch_seq = 0;
}

static void teardown(void)
{
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* One batch of records of one packet and a hundred bytes each, committed. */
static void take(void)
{
	struct weir_record records[RECORDS] = {0};
	uint64_t flows = ++batch_seq * RECORDS;
	struct weir_kernel_event batch = {.kind = WEIR_KERNEL_BATCH,
					  .instance = intake.position.instance,
					  .seq = batch_seq,
					  .numbered = {flows, flows, flows * 100},
					  .record_size = sizeof(records[0]),
					  .records = records,
					  .record_bytes = sizeof(records)};

	for (unsigned i = 0; i < RECORDS; i++)
		records[i] = (struct weir_record){
			.ip_version = 4, .protocol = 17, .packets = 1, .bytes = 100};
	ck_assert_int_eq(weir_intake_take(&intake, &batch), 0);
	ck_assert_int_eq(weir_intake_commit(&intake), 0);
}

struct interval {
	uint64_t start_ns, end_ns, flows, cumulative;
};

static struct interval get_segment(uint64_t seq)
{
	Weir__Wire__Segment *segment;
	struct interval interval;
	size_t bytes;
	void *body;

	ck_assert_int_eq(weir_store_get_segment(node.store, seq, &body, &bytes), 0);
	segment = weir__wire__segment__unpack(NULL, bytes, body);
	ck_assert_ptr_nonnull(segment);
	interval = (struct interval){segment->start_ns, segment->end_ns, segment->totals->flows,
				     segment->cumulative->flows};
	weir__wire__segment__free_unpacked(segment, NULL);
	free(body);
	return interval;
}

/* Between its end, or now, there is no more than the test takes. */
static bool is_now(uint64_t ns)
{
	uint64_t now = weir_clock_now_ns();

	return ns <= now && now - ns < 60 * WEIR_NS_PER_SECOND;
}

START_TEST(test_clock_set_back)
{
	struct interval first, second;

	ahead_seconds = 7200;
	open_intake();
	take();
	ahead_seconds = 0;
	ck_assert_int_eq(weir_intake_close_interval(&intake), 0);
	take();
	ck_assert_int_eq(weir_intake_close_interval(&intake), 0);
	first = get_segment(1);
	second = get_segment(2);
	ck_assert_uint_ge(first.end_ns, first.start_ns); /* that one is lost to the future */
	ck_assert(is_now(second.start_ns));
	ck_assert(is_now(second.end_ns));
	ck_assert_uint_eq(second.cumulative, 2 * RECORDS);
	close_intake();
}
END_TEST

/* The same while the node was not running. */
START_TEST(test_clock_set_back_between)
{
	ahead_seconds = 7200;
	open_intake();
	take();
	ck_assert_int_eq(weir_intake_close_interval(&intake), 0);
	take();
	close_intake();
	ahead_seconds = 0;
	open_intake();
	ck_assert_int_eq(weir_intake_close_interval(&intake), 0);
	ck_assert(is_now(get_segment(2).start_ns));
	ck_assert(is_now(get_segment(2).end_ns));
	ck_assert_uint_eq(get_segment(2).flows, RECORDS);
	close_intake();
}
END_TEST

/* A segment that was thought to have failed is on the disk; a block was committed since. */
START_TEST(test_segment_reached_the_disk)
{
	open_intake();
	take();
	ck_assert_int_eq(weir_intake_close_interval(&intake), 0);
	intake.last_segment = 0; /* as after a commit that returned an error */
	take();
	ck_assert_int_eq(weir_intake_close_interval(&intake), 0);
	ck_assert_uint_eq(intake.last_segment, 1);
	ck_assert_int_eq(weir_intake_close_interval(&intake), 0);
	ck_assert_uint_eq(get_segment(2).flows, RECORDS);
	ck_assert_uint_eq(get_segment(2).cumulative, 2 * RECORDS);
	ck_assert(!intake.sums_differ);
	close_intake();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("intake");
	TCase *tests = tcase_create("intake");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, test_clock_set_back);
	tcase_add_test(tests, test_clock_set_back_between);
	tcase_add_test(tests, test_segment_reached_the_disk);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
