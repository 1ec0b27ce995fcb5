// SPDX-License-Identifier: GPL-2.0
/* test_rollup.c - minutes, hours and days: exact in sum, once each, whatever is killed, within bounds. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/node/cover.h"
#include "daemon/node/merge.h"
#include "daemon/node/rollup.h"
#include "daemon/node/summary.h"

#define SECOND WEIR_NS_PER_SECOND
#define DAY    (86400 * SECOND)
#define START  (20000 * DAY) /* 2024-10-04 */

enum {
	HOSTS = 64, /* sources; there are as many destinations */
	RECORDS = 40, /* in a segment */
	TOP = 6,
};

static char dir[64];
static struct weir_node node;
static struct weir_summary *summary;
static uint64_t clock_ns; /* end of the last interval */

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	return remove(path);
}

static void open_node(void)
{
	struct weir_store_options options = {.max_bytes = 1 << 30};

	node = (struct weir_node){.segment_fd = -1,
				  .config = {.name = (char *)"t", .rollup_top = TOP}};
	ck_assert_int_eq(weir_store_open(dir, &options, &node.store), 0);
	ck_assert_int_eq(weir_summary_new(100000, &summary), 0);
}

static void close_node(void)
{
	weir_summary_free(summary);
	weir_store_close(node.store);
}

static void setup(void)
{
	snprintf(dir, sizeof(dir), "%s/weir-test-rollup-XXXXXX",
		 access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	clock_ns = START;
}

static void teardown(void)
{
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct weir_totals truth[HOSTS]; /* by source */

static void address(uint8_t to[16], unsigned net, unsigned host)
{
	memset(to, 0, 16);
	to[10] = to[11] = 0xff;
	to[12] = 10;
	to[14] = (uint8_t)net;
	to[15] = (uint8_t)host;
}

/* Few hosts have much, and which ones changes with time, so that lists differ. */
static void make_flow(struct weir_flow *flow, uint64_t seq, unsigned i)
{
	unsigned host = (unsigned)((random() % 8) * (random() % 8) + seq / 7) % HOSTS;

	memset(flow, 0, sizeof(*flow));
	address(flow->src_addr, 1, host);
	address(flow->dst_addr, 2, (unsigned)random() % HOSTS);
	flow->ip_version = 4;
	flow->protocol = random() % 2 ? 6 : 17;
	flow->in_ifindex = 1 + (uint32_t)random() % 3;
	flow->src_port = 40000;
	flow->dst_port = 443;
	flow->packets = 1 + (uint64_t)random() % 100;
	flow->bytes = flow->packets * (40 + (uint64_t)random() % 1460);
	flow->start_ns = clock_ns;
	flow->end_ns = clock_ns + i;
}

/* One block and its segment, which covers the @interval_ns that follow. */
static int put_segment(uint64_t interval_ns)
{
	struct weir_flow flows[RECORDS];
	struct weir_store_summed next;
	struct weir_store_state state;
	struct weir_summary_frame frame = {.identity = weir_store_identity(node.store),
					   .name = "t",
					   .state = &state,
					   .start_ns = clock_ns,
					   .end_ns = clock_ns + interval_ns,
					   .top = TOP};
	struct weir_store_txn *txn;
	size_t body_bytes;
	uint8_t *body;
	int ret = weir_store_state(node.store, &state);

	srandom((unsigned)state.summed.seq);
	weir_summary_clear(summary);
	for (unsigned i = 0; i < RECORDS; i++)
		make_flow(&flows[i], state.summed.seq, i);
	clock_ns += interval_ns;
	if (!ret)
		ret = weir_store_begin(node.store, clock_ns, &txn);
	if (ret)
		return ret;
	weir_summary_add(summary, weir_store_next_block(txn), flows, RECORDS);
	weir_store_put_block(txn, flows, RECORDS);
	ret = weir_summary_encode(summary, &frame, &body, &body_bytes, &next);
	weir_store_put_segment(txn, &next, body, body_bytes);
	free(body);
	ret = weir_store_commit(txn);
	for (unsigned i = 0; i < RECORDS && !ret; i++)
		weir_flow_count(&truth[flows[i].src_addr[15]], &flows[i]);
	return ret;
}

/* Without gaps, exact in sum: what a level has, had and skipped is the running sum of the last
 * segment it took in. */
static void check_level(enum weir_rollup_level level)
{
	struct weir_rollup_head *heads;
	struct weir_rollup_sums sums;
	struct weir_totals held = {0}, all = {0};
	size_t count;

	ck_assert_int_eq(weir_rollup_sums(node.store, level, &sums), 0);
	ck_assert_int_eq(weir_rollup_heads(node.store, level, 0, &heads, &count), 0);
	ck_assert_uint_eq(count, sums.entries);
	for (size_t i = 0; i < count; i++) {
		weir_totals_add(&held, &heads[i].totals);
		if (i)
			ck_assert_uint_eq(heads[i].first_segment, heads[i - 1].last_segment + 1);
		/* Intervals of these tests are shorter than an hour, but not than a minute. */
		if (level != WEIR_ROLLUP_MINUTE)
			ck_assert_uint_le(heads[i].end_ns - 1,
				heads[i].start_ns - heads[i].start_ns % weir_rollup_ns[level] +
				weir_rollup_ns[level]);
	}
	ck_assert(weir_totals_equal(&held, &sums.held));
	weir_totals_add(&all, &sums.held);
	weir_totals_add(&all, &sums.expired);
	weir_totals_add(&all, &sums.skipped);
	if (count) {
		ck_assert_uint_eq(heads[count - 1].last_segment, sums.segment);
		ck_assert(weir_totals_equal(&all, &heads[count - 1].cumulative));
	}
	free(heads);
}

static void check_levels(void)
{
	for (int level = 0; level < WEIR_ROLLUP_LEVELS; level++)
		check_level((enum weir_rollup_level)level);
}

static size_t count_entries(enum weir_rollup_level level)
{
	struct weir_rollup_sums sums;

	ck_assert_int_eq(weir_rollup_sums(node.store, level, &sums), 0);
	return sums.entries;
}

/* All entries of a level as one. */
static struct weir_merge *merge_level(enum weir_rollup_level level)
{
	struct weir_rollup_head *heads;
	struct weir_merge *merge;
	size_t count;

	ck_assert_int_eq(weir_merge_new(-1, &merge), 0);
	ck_assert_int_eq(weir_rollup_heads(node.store, level, 0, &heads, &count), 0);
	for (size_t i = 0; i < count; i++) {
		struct weir_rollup_head head;
		size_t bytes;
		void *body;

		ck_assert_int_eq(weir_rollup_get(node.store, level, heads[i].last_segment, &head,
						 &body, &bytes), 0);
		ck_assert_mem_eq(&head, &heads[i], sizeof(head));
		ck_assert_int_eq(weir_merge_add_rollup(merge, &head, body, bytes), 0);
		free(body);
	}
	free(heads);
	return merge;
}

static bool is_within(const struct weir_totals *t, const struct weir_totals *low,
		      const struct weir_totals *high)
{
	return t->flows >= low->flows && t->packets >= low->packets && t->bytes >= low->bytes &&
	       t->flows <= high->flows && t->packets <= high->packets && t->bytes <= high->bytes;
}

/* Whatever a level says of a host, the truth lies within; and lows and rest are all there was. */
static void check_hosts(struct weir_merge *merge)
{
	struct weir_bounds *bounds = weir_merge_bounds(merge, weir_merge_find("host"));
	struct weir_bounds_result result;
	struct weir_totals sum = {0};
	bool seen[HOSTS] = {0};
	unsigned wide = 0;

	ck_assert_int_eq(weir_bounds_result(bounds, WEIR_BY_BYTES, SIZE_MAX, &result), 0);
	ck_assert_uint_ge(result.count, TOP);
	for (size_t i = 0; i < result.count; i++) {
		const struct weir_bounds_line *line = &result.lines[i];

		weir_totals_add(&sum, &line->low);
		if (line->key[15] != 1) /* a destination */
			continue;
		seen[line->key[16]] = true;
		wide += !weir_totals_equal(&line->low, &line->high);
		ck_assert(is_within(&truth[line->key[16]], &line->low, &line->high));
	}
	for (unsigned i = 0; i < HOSTS; i++)
		ck_assert(seen[i] || is_within(&truth[i], &(struct weir_totals){0}, &result.largest));
	ck_assert_uint_gt(wide, 0); /* or nothing was tested */
	weir_totals_add(&sum, &result.rest);
	/* Each flow has two hosts. */
	ck_assert_uint_eq(sum.bytes, 2 * weir_merge_head(merge)->totals.bytes);
	ck_assert_uint_eq(sum.flows, 2 * weir_merge_head(merge)->totals.flows);
	free(result.lines);
}

/* Interfaces are exact however much is merged. */
static void check_interfaces(struct weir_merge *merge)
{
	struct weir_bounds *bounds = weir_merge_bounds(merge, weir_merge_find("in_if"));
	struct weir_bounds_result result;
	struct weir_totals sum = {0};

	ck_assert_int_eq(weir_bounds_result(bounds, WEIR_BY_BYTES, SIZE_MAX, &result), 0);
	ck_assert_uint_eq(result.count, 3);
	ck_assert(result.exact);
	for (size_t i = 0; i < result.count; i++)
		weir_totals_add(&sum, &result.lines[i].low);
	ck_assert(weir_totals_equal(&sum, &weir_merge_head(merge)->totals));
	free(result.lines);
}

START_TEST(test_levels)
{
	memset(truth, 0, sizeof(truth));
	open_node();
	/* Two days and a bit, by the quarter of an hour. */
	for (unsigned i = 0; i < 2 * 96 + 1; i++) {
		struct weir_totals before[HOSTS];

		memcpy(before, truth, sizeof(before));
		ck_assert_int_eq(put_segment(900 * SECOND), 0);
		if (i == 2 * 96) /* this one ends the day and is not in it */
			memcpy(truth, before, sizeof(before));
		ck_assert_int_eq(weir_rollup_run(&node), 0);
		check_levels();
	}
	ck_assert_uint_eq(count_entries(WEIR_ROLLUP_MINUTE), 192);
	ck_assert_uint_eq(count_entries(WEIR_ROLLUP_HOUR), 47); /* the last one waits for a minute */
	ck_assert_int_eq(put_segment(900 * SECOND), 0);
	ck_assert_int_eq(weir_rollup_run(&node), 0);
	ck_assert_uint_eq(count_entries(WEIR_ROLLUP_HOUR), 48);
	ck_assert_uint_eq(count_entries(WEIR_ROLLUP_DAY), 1);
	close_node();
}
END_TEST

/* Ten seconds at a time, merged by sixes; then what each level says of each host. */
START_TEST(test_bounds)
{
	memset(truth, 0, sizeof(truth));
	open_node();
	for (unsigned i = 0; i < 720; i++)
		ck_assert_int_eq(put_segment(10 * SECOND), 0);
	/* Behind the day: closes all levels, with nothing that counts. */
	struct weir_totals before[HOSTS];

	memcpy(before, truth, sizeof(before));
	clock_ns = START + DAY;
	for (unsigned i = 0; i < 3; i++, clock_ns += 3600 * SECOND)
		ck_assert_int_eq(put_segment(10 * SECOND), 0);
	memcpy(truth, before, sizeof(before));
	ck_assert_int_eq(weir_rollup_run(&node), 0);
	ck_assert_uint_eq(count_entries(WEIR_ROLLUP_MINUTE), 122);
	ck_assert_uint_eq(count_entries(WEIR_ROLLUP_HOUR), 3);
	ck_assert_uint_eq(count_entries(WEIR_ROLLUP_DAY), 1);
	struct weir_merge *merge = merge_level(WEIR_ROLLUP_DAY);

	check_hosts(merge);
	check_interfaces(merge);
	weir_merge_free(merge);
	check_levels();
	close_node();
}
END_TEST

/* Old ones go by age and by bytes, but not before the next level has them. */
START_TEST(test_quotas)
{
	struct weir_rollup_sums minutes, was;
	unsigned removed;

	open_node();
	for (unsigned i = 0; i < 60 * 3 + 5; i++)
		ck_assert_int_eq(put_segment(60 * SECOND), 0);
	ck_assert_int_eq(weir_rollup_run(&node), 0);
	ck_assert_int_eq(weir_rollup_sums(node.store, WEIR_ROLLUP_MINUTE, &was), 0);
	ck_assert_int_eq(weir_rollup_retain(node.store, WEIR_ROLLUP_MINUTE, 7200 * SECOND, 0,
					    clock_ns, &removed), 0);
	ck_assert_uint_ge(removed, 64);
	ck_assert_uint_le(removed, 66);
	check_levels();
	ck_assert_int_eq(weir_rollup_retain(node.store, WEIR_ROLLUP_MINUTE, 0, was.bytes / 4,
					    clock_ns, &removed), 0);
	ck_assert_uint_gt(removed, 40);
	ck_assert_int_eq(weir_rollup_sums(node.store, WEIR_ROLLUP_MINUTE, &minutes), 0);
	ck_assert_uint_le(minutes.bytes, was.bytes / 4);
	ck_assert_uint_gt(minutes.expired_ns, START);
	check_levels();
	/* All but those of the hour that goes on. */
	ck_assert_int_eq(weir_rollup_retain(node.store, WEIR_ROLLUP_MINUTE, 1, 1, clock_ns + DAY,
					    &removed), 0);
	ck_assert_uint_eq(count_entries(WEIR_ROLLUP_MINUTE), 4);
	/* No day is over: hours stay. */
	ck_assert_int_eq(weir_rollup_retain(node.store, WEIR_ROLLUP_HOUR, 1, 1, clock_ns + DAY,
					    &removed), 0);
	ck_assert_uint_eq(removed, 0);
	check_levels();
	close_node();
	open_node();
	check_levels();
	ck_assert_int_eq(weir_rollup_run(&node), 0);
	ck_assert_uint_eq(count_entries(WEIR_ROLLUP_MINUTE), 4);
	close_node();
}
END_TEST

/* A clock that goes back, and one that jumps ahead: each segment once, in its order. */
START_TEST(test_clock)
{
	static const int64_t jumps[] = {0, -7200, 0, 86400 * 400LL, -86400 * 401LL, 0, 3600};

	open_node();
	for (unsigned i = 0; i < sizeof(jumps) / sizeof(*jumps); i++) {
		clock_ns += (uint64_t)jumps[i] * SECOND;
		for (unsigned k = 0; k < 20; k++)
			ck_assert_int_eq(put_segment(30 * SECOND), 0);
		ck_assert_int_eq(weir_rollup_run(&node), 0);
		check_levels();
	}
	close_node();
}
END_TEST

/* Entries of when the clock was ahead, and those behind them, go when they are old. */
START_TEST(test_clock_ahead)
{
	unsigned removed;

	open_node();
	for (unsigned i = 0; i < 130; i++)
		ck_assert_int_eq(put_segment(60 * SECOND), 0);
	clock_ns += 400 * DAY;
	for (unsigned i = 0; i < 130; i++)
		ck_assert_int_eq(put_segment(60 * SECOND), 0);
	clock_ns -= 400 * DAY;
	for (unsigned i = 0; i < 10; i++)
		ck_assert_int_eq(put_segment(60 * SECOND), 0);
	ck_assert_int_eq(weir_rollup_run(&node), 0);
	/* As old as what came next, and no older. */
	ck_assert_int_eq(weir_rollup_retain(node.store, WEIR_ROLLUP_MINUTE, 3600 * SECOND, 0, clock_ns,
					    &removed), 0);
	ck_assert_uint_ge(count_entries(WEIR_ROLLUP_MINUTE), 130);
	for (unsigned i = 0; i < 180; i++)
		ck_assert_int_eq(put_segment(60 * SECOND), 0);
	ck_assert_int_eq(weir_rollup_run(&node), 0);
	ck_assert_int_eq(weir_rollup_retain(node.store, WEIR_ROLLUP_MINUTE, 3600 * SECOND, 0, clock_ns,
					    &removed), 0);
	ck_assert_uint_ge(count_entries(WEIR_ROLLUP_MINUTE), 58);
	ck_assert_uint_le(count_entries(WEIR_ROLLUP_MINUTE), 62);
	check_levels();
	close_node();
}
END_TEST

/* Segments that were gone before there were roll-ups are known in sum. */
START_TEST(test_gap)
{
	struct weir_rollup_sums sums;

	open_node();
	for (unsigned i = 0; i < 100; i++)
		ck_assert_int_eq(put_segment(60 * SECOND), 0);
	ck_assert_int_eq(weir_store_drop_segments(node.store, 30), 0);
	ck_assert_int_eq(weir_rollup_run(&node), 0);
	ck_assert_int_eq(weir_rollup_sums(node.store, WEIR_ROLLUP_MINUTE, &sums), 0);
	ck_assert_uint_eq(sums.skipped.flows, 30 * RECORDS);
	ck_assert_uint_eq(sums.held.flows, 69 * RECORDS);
	check_levels();
	close_node();
}
END_TEST

static void live(int tell)
{
	struct weir_store_summed summed;

	open_node();
	weir_store_summed(node.store, &summed);
	if (summed.end_ns)
		clock_ns = summed.end_ns;
	for (;;) {
		struct weir_store_quota quota = {0, 2 << 20, 0, 0};
		struct weir_store_retained retained;
		struct weir_rollup_sums sums;
		unsigned removed;

		for (unsigned i = 0; i < 4; i++)
			if (put_segment(300 * SECOND))
				_exit(1);
		if (weir_rollup_run(&node))
			_exit(2);
		for (unsigned i = 0; i < WEIR_ROLLUP_LEVELS; i++)
			if (weir_rollup_retain(node.store, i, 0, 300000 * (i + 1), clock_ns, &removed))
				_exit(3);
		weir_rollup_sums(node.store, WEIR_ROLLUP_MINUTE, &sums);
		quota.release_block = sums.block;
		quota.release_segment = sums.segment;
		weir_store_set_quota(node.store, &quota);
		if (weir_store_retain(node.store, &quota, clock_ns, &retained) ||
		    write(tell, "", 1) != 1)
			_exit(4);
	}
}

/* kill -9 at any moment: every level has each segment once, and what was stored is all there. */
START_TEST(test_kill)
{
	uint64_t last = 0;

	for (unsigned round = 0; round < 25; round++) {
		struct weir_rollup_sums sums;
		struct weir_store_state state;
		int tell[2], status;
		pid_t pid;

		ck_assert_int_eq(pipe(tell), 0);
		pid = fork();
		if (!pid)
			live(tell[1]);
		close(tell[1]);
		for (unsigned i = 0; i < 8; i++)
			ck_assert_int_eq(read(tell[0], &(char){0}, 1), 1);
		usleep((useconds_t)(random() % 20000));
		kill(pid, SIGKILL);
		close(tell[0]);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(WIFSIGNALED(status));
		open_node();
		check_levels();
		ck_assert_int_eq(weir_rollup_sums(node.store, WEIR_ROLLUP_MINUTE, &sums), 0);
		ck_assert_uint_ge(sums.segment, last);
		last = sums.segment;
		ck_assert_uint_eq(sums.skipped.flows, 0);
		/* What is behind the minutes is still there, as segments. */
		ck_assert_int_eq(weir_store_state(node.store, &state), 0);
		ck_assert_uint_eq(sums.held.flows + sums.expired.flows, sums.segment * RECORDS);
		ck_assert_uint_eq(state.stored.flows, state.summed.seq * RECORDS);
		for (uint64_t seq = sums.segment + 1; seq <= state.summed.seq; seq++) {
			size_t bytes;
			void *body;

			ck_assert_int_eq(weir_store_get_segment(node.store, seq, &body, &bytes), 0);
			free(body);
		}
		close_node();
	}
	ck_assert_uint_gt(last, 400);
	open_node();
	struct weir_store_expired expired;

	ck_assert_int_eq(weir_store_expired(node.store, &expired), 0);
	ck_assert_uint_gt(expired.partitions, 0);
	ck_assert_uint_gt(count_entries(WEIR_ROLLUP_DAY), 0);
	close_node();
}
END_TEST

/* A damaged entry is named and left out; what is made of it has the gap in its sums. */
START_TEST(test_damaged)
{
	struct weir_rollup_sums sums;
	struct weir_rollup_head head;
	char path[128], *file, key[8] = {0};
	struct stat status;
	unsigned found = 0;
	size_t bytes;
	void *body;
	int fd;

	open_node();
	for (unsigned i = 0; i < 61; i++)
		ck_assert_int_eq(put_segment(60 * SECOND), 0);
	ck_assert_int_eq(weir_rollup_run(&node), 0);
	close_node();
	snprintf(path, sizeof(path), "%s/rollups/data.mdb", dir);
	fd = open(path, O_RDWR);
	ck_assert_int_eq(fstat(fd, &status), 0);
	file = malloc((size_t)status.st_size);
	ck_assert_int_eq(pread(fd, file, (size_t)status.st_size, 0), status.st_size);
	key[0] = 20; /* first_segment of the 20th minute, which follows magic, size and two times */
	for (off_t at = 24; at + 8 < status.st_size; at++)
		if (!memcmp(file + at, key, 8) && !memcmp(file + at - 24, "WRUP", 4)) {
			ck_assert_int_eq(pwrite(fd, "\xff", 1, at + 150), 1);
			found++;
		}
	ck_assert_uint_gt(found, 0);
	free(file);
	close(fd);
	open_node();
	ck_assert_int_eq(weir_rollup_get(node.store, WEIR_ROLLUP_MINUTE, 20, &head, &body, &bytes),
			 -EBADMSG);
	ck_assert_int_eq(weir_rollup_get(node.store, WEIR_ROLLUP_MINUTE, 21, &head, &body, &bytes), 0);
	free(body);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_int_eq(put_segment(60 * SECOND), 0);
	ck_assert_int_eq(weir_rollup_run(&node), 0);
	ck_assert_int_eq(weir_rollup_sums(node.store, WEIR_ROLLUP_HOUR, &sums), 0);
	ck_assert_uint_eq(sums.held.flows + sums.skipped.flows, 60 * RECORDS);
	close_node();
}
END_TEST

enum { COVERED = 3 * 96 };

static struct weir_rollup_head segments[COVERED + 1]; /* by number: when, and which block */

/* Which segments some level still has. */
static void note_held(bool held[COVERED + 1])
{
	memset(held, 0, (COVERED + 1) * sizeof(*held));
	for (int level = 0; level < WEIR_ROLLUP_LEVELS; level++) {
		struct weir_rollup_head *heads;
		size_t count;

		ck_assert_int_eq(weir_rollup_heads(node.store, (enum weir_rollup_level)level, 0,
						   &heads, &count), 0);
		for (size_t i = 0; i < count; i++)
			for (uint64_t seq = heads[i].first_segment; seq <= heads[i].last_segment; seq++)
				held[seq] = true;
		free(heads);
	}
}

/* Every segment that is asked for, and that some level has, exactly once; nothing twice; and what is
 * covered besides is in a piece that has to be there. Returns how many pieces there are. */
static size_t check_cover(uint64_t from_ns, uint64_t to_ns, uint64_t through)
{
	bool held[COVERED + 1], wanted[COVERED + 1] = {0};
	uint8_t covered[COVERED + 1] = {0};
	struct weir_cover cover;
	uint64_t last_block = 0;
	size_t count;

	note_held(held);
	for (unsigned seq = 1; seq <= COVERED; seq++)
		wanted[seq] = held[seq] && segments[seq].end_ns > from_ns &&
			      segments[seq].start_ns < to_ns && seq <= through;
	ck_assert_int_eq(weir_cover_find(node.store, from_ns, to_ns, through, &cover), 0);
	for (size_t i = 0; i < cover.count; i++) {
		const struct weir_rollup_head *head = &cover.pieces[i].head;
		bool needed = false;

		for (uint64_t seq = head->first_segment; seq <= head->last_segment; seq++) {
			covered[seq]++;
			/* Both of the time and not behind @through, if not in the same segment. */
			needed = needed || (segments[seq].end_ns > from_ns &&
					    segments[seq].start_ns < to_ns &&
					    head->first_segment <= through);
		}
		ck_assert(needed);
		last_block = head->last_block;
	}
	for (unsigned seq = 1; seq <= COVERED; seq++) {
		ck_assert_uint_le(covered[seq], 1);
		ck_assert(!wanted[seq] || covered[seq]);
	}
	ck_assert_uint_eq(cover.last_block, last_block);
	count = cover.count;
	free(cover.pieces);
	return count;
}

START_TEST(test_cover)
{
	unsigned removed;

	open_node();
	for (unsigned seq = 1; seq <= COVERED; seq++) {
		segments[seq].start_ns = clock_ns;
		ck_assert_int_eq(put_segment(900 * SECOND), 0);
		segments[seq].end_ns = clock_ns;
	}
	ck_assert_int_eq(weir_rollup_run(&node), 0);
	/* All of it: two days, and of the last day what no larger one has. */
	ck_assert_uint_eq(check_cover(0, UINT64_MAX, UINT64_MAX), 2 + 23 + 3);
	/* A little: quarters of hours at both ends. */
	ck_assert_uint_eq(check_cover(START + 3600 * SECOND + 1, START + 4 * 3600 * SECOND - 1,
				      UINT64_MAX), 4 + 1 + 4);
	for (unsigned round = 0; round < 600; round++) {
		uint64_t from = START + (uint64_t)random() % (3 * 86400) * SECOND;
		uint64_t to = from + (uint64_t)random() % (2 * 86400) * SECOND;
		uint64_t through = random() % 3 ? 1 + (uint64_t)random() % COVERED : UINT64_MAX;

		check_cover(random() % 8 ? from : 0, random() % 8 ? to : UINT64_MAX, through);
		/* Quarters go, then hours. */
		if (round % 50 == 49)
			ck_assert_int_eq(weir_rollup_retain(
				node.store, round < 400 ? WEIR_ROLLUP_MINUTE : WEIR_ROLLUP_HOUR,
				(uint64_t)(random() % 60) * 3600 * SECOND + 1, 0, clock_ns, &removed), 0);
	}
	close_node();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rollup");
	TCase *tests = tcase_create("rollup");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, test_levels);
	tcase_add_test(tests, test_bounds);
	tcase_add_test(tests, test_quotas);
	tcase_add_test(tests, test_clock);
	tcase_add_test(tests, test_clock_ahead);
	tcase_add_test(tests, test_gap);
	tcase_add_test(tests, test_kill);
	tcase_add_test(tests, test_damaged);
	tcase_add_test(tests, test_cover);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
