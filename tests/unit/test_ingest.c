// SPDX-License-Identifier: GPL-2.0
/*
 * test_ingest.c - the ingest thread against a kernel made of functions.
 *
 * The fake keeps the contract of uapi/weir.h: numbered batches, kept until acknowledged, in
 * memory shared with the daemon's process, so it outlives a kill -9 of it. It
 * stops a test that acknowledges what was not sent.
 */
#include <check.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/node/kernel.h"
#include "daemon/node/node.h"
#include "daemon/node/position.h"
#include "daemon/store/rollup.h"
#include "daemon/wire/convert.h"
#include "daemon/wire/hash.h"

enum { RECORDS = 50, WINDOW = 64 };

static struct fake {
	uint64_t instance, sealed, acked, sent;
	uint64_t skip; /* lose the message with this batch once */
	uint64_t again; /* send this one twice */
	bool loaded, owned, end, wrong_sum;
	bool full; /* the disk */
	bool stopped; /* metering is off, and END went unread */
	uint64_t subscriptions, bad_acks;
} *fake;

static char dir[64];
static int ready = -1; /* of this process */
static struct weir_record records[RECORDS];

static struct weir_record record(uint64_t seq, unsigned i)
{
	struct weir_record r = {.ip_version = 4, .protocol = 17};

	r.packets = seq * RECORDS + i;
	r.bytes = r.packets * 100;
	r.start_ns = r.end_ns = seq;
	r.src_addr[15] = i;
	r.in_ifindex = 1;
	return r;
}

static struct weir_totals numbered(uint64_t seq)
{
	struct weir_totals sum = {0};

	for (uint64_t s = 1; s <= seq; s++)
		for (unsigned i = 0; i < RECORDS; i++) {
			struct weir_record r = record(s, i);

			sum.flows++;
			sum.packets += r.packets;
			sum.bytes += r.bytes;
		}
	return sum;
}

static int fake_open(struct weir_kernel **kernel, char *why)
{
	if (!fake->loaded) {
		strcpy(why, "not loaded");
		return -ENOENT;
	}
	*kernel = (struct weir_kernel *)fake;
	return 0;
}

static void fake_close(struct weir_kernel *kernel)
{
	fake->owned = false;
}

static int fake_configure(const struct weir_node_config *config, char *why)
{
	return 0;
}

static int fake_subscribe(struct weir_kernel *kernel, uint64_t instance, uint64_t seq,
			  struct weir_kernel_start *start, char *why)
{
	uint64_t first = fake->acked + 1;

	if (fake->owned)
		return -EBUSY;
	if (fake->stopped)
		return -ENETDOWN;
	*start = (struct weir_kernel_start){.instance = fake->instance};
	if (instance == fake->instance && seq) {
		if (seq < first)
			start->missing = first - seq;
		else
			first = seq;
	}
	fake->acked = fake->sent = first - 1;
	start->seq = first;
	fake->owned = true;
	fake->subscriptions++;
	return 0;
}

static int fake_fd(const struct weir_kernel *kernel)
{
	return ready; /* always readable: the daemon spins a little, the test is quick */
}

static int fake_receive(struct weir_kernel *kernel, struct weir_kernel_event *event)
{
	uint64_t seq = fake->sent + 1;

	if (fake->sent >= fake->sealed || fake->sent - fake->acked >= WINDOW) {
		if (fake->end && fake->sent == fake->sealed) {
			*event = (struct weir_kernel_event){.kind = WEIR_KERNEL_END,
							    .instance = fake->instance,
							    .seq = fake->sealed + 2,
							    .numbered = numbered(fake->sealed + 2),
							    .lost = {0, 3, 300}};
			fake->end = fake->loaded = false;
			return 0;
		}
		usleep(200);
		return -EAGAIN;
	}
	if (seq == fake->skip) {
		fake->skip = 0;
		fake->sent = seq++;
	}
	for (unsigned i = 0; i < RECORDS; i++)
		records[i] = record(seq, i);
	*event = (struct weir_kernel_event){.kind = WEIR_KERNEL_BATCH,
					    .instance = fake->instance,
					    .seq = seq,
					    .numbered = numbered(seq),
					    .record_size = sizeof(records[0]),
					    .records = records,
					    .record_bytes = sizeof(records)};
	if (seq == fake->again)
		fake->again = 0;
	else
		fake->sent = seq;
	return 0;
}

static int fake_ack(struct weir_kernel *kernel, uint64_t instance, uint64_t seq)
{
	if (instance != fake->instance || seq > fake->sent)
		fake->bad_acks++;
	else if (seq > fake->acked)
		fake->acked = seq;
	return 0;
}

static int fake_stats(struct weir_kernel_stats *stats)
{
	if (!fake->loaded)
		return -ENOENT;
	memset(stats, 0, sizeof(*stats));
	stats->instance = fake->instance;
	stats->stopped = fake->stopped;
	stats->cpus = 1;
	stats->log_batches = WINDOW;
	return 0;
}

/* In the place of libc's: a disk that is full when the test says so. */
int statvfs(const char *path, struct statvfs *fs)
{
	*fs = (struct statvfs){.f_frsize = 4096, .f_bavail = fake->full ? 0 : 1 << 30};
	return 0;
}

static const struct weir_kernel_ops ops = {fake_open,	 fake_close,   fake_configure,
					   fake_subscribe, fake_fd,    fake_receive,
					   fake_ack,	 fake_stats};

static struct weir_node *start_node(void)
{
	struct weir_store_options options = {0};
	struct weir_node *node = calloc(1, sizeof(*node));

	ready = eventfd(1, 0);
	node->kernel = &ops;
	node->config = (struct weir_node_config){.name = (char *)"t",
						 .state = dir,
						 .interval_ns = WEIR_NS_PER_SECOND / 10,
						 .commit_ns = WEIR_NS_PER_SECOND / 50,
						 .summary_top = 10,
						 .configure_kernel = true};
	node->segment_fd = eventfd(0, EFD_NONBLOCK);
	ck_assert_int_eq(weir_store_open(dir, &options, &node->store), 0);
	ck_assert_int_eq(weir_ingest_start(node), 0);
	return node;
}

static void stop_node(struct weir_node *node)
{
	weir_ingest_stop(node);
	weir_store_close(node->store);
	close(node->segment_fd);
	close(ready);
	free(node);
}

static void wait_acked(uint64_t seq)
{
	for (unsigned i = 0; i < 20000 && *(volatile uint64_t *)&fake->acked < seq; i++)
		usleep(1000);
	ck_assert_uint_eq(fake->acked, seq);
}

struct seen {
	uint64_t flows, next;
};

/* Every record once: packets count up from block to block, in any order within one. */
static int visit(void *arg, uint64_t block, const struct weir_flow *flows, size_t count)
{
	bool *there = calloc(count, sizeof(*there));
	struct seen *seen = arg;

	for (size_t i = 0; i < count; i++) {
		uint64_t number = flows[i].packets - seen->next;

		ck_assert_uint_lt(number, count);
		ck_assert(!there[number]);
		there[number] = true;
	}
	free(there);
	seen->flows += count;
	seen->next += count;
	return 0;
}

static void check_chain(struct weir_store *store, const struct weir_store_summed *summed)
{
	uint8_t hash[32] = {0};
	struct weir_totals sum = {0};

	for (uint64_t seq = 1; seq <= summed->seq; seq++) {
		Weir__Wire__Segment *segment;
		struct weir_totals totals;
		size_t bytes;
		void *body;

		ck_assert_int_eq(weir_store_get_segment(store, seq, &body, &bytes), 0);
		segment = weir__wire__segment__unpack(NULL, bytes, body);
		ck_assert_ptr_nonnull(segment);
		ck_assert_uint_eq(segment->seq, seq);
		ck_assert_uint_eq(segment->prev_hash.len, 32);
		ck_assert_mem_eq(segment->prev_hash.data, hash, 32);
		totals = weir_convert_totals_get(segment->totals);
		weir_totals_add(&sum, &totals);
		totals = weir_convert_totals_get(segment->cumulative);
		ck_assert(weir_totals_equal(&sum, &totals));
		ck_assert_int_eq(weir_hash_segment(body, bytes, hash), 0);
		weir__wire__segment__free_unpacked(segment, NULL);
		free(body);
	}
	ck_assert_mem_eq(hash, summed->hash, 32);
	ck_assert(weir_totals_equal(&sum, &summed->totals));
}

/* The store has batches 1..@seq of the fake's first instance, each once. */
static void check_store(uint64_t seq, bool summed_too)
{
	struct weir_store_options options = {.read_only = true};
	struct weir_totals expected = numbered(seq);
	struct weir_store_state state;
	struct seen seen = {.next = RECORDS};
	struct weir_store *store;

	ck_assert_int_eq(weir_store_open(dir, &options, &store), 0);
	ck_assert_int_eq(weir_store_state(store, &state), 0);
	ck_assert_uint_eq(state.position.seq, seq);
	ck_assert(weir_totals_equal(&state.position.numbered, &expected));
	ck_assert(weir_totals_equal(&state.position.received, &expected));
	ck_assert(weir_totals_equal(&state.stored, &expected));
	ck_assert_uint_eq(state.position.missing_batches, 0);
	ck_assert_int_eq(weir_store_scan(store, 0, UINT64_MAX, false, visit, &seen, NULL), 0);
	ck_assert_uint_eq(seen.flows, expected.flows);
	check_chain(store, &state.summed);
	if (summed_too)
		ck_assert(weir_totals_equal(&state.summed.totals, &expected));
	weir_store_close(store);
	ck_assert_uint_eq(fake->bad_acks, 0);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	return remove(path);
}

static void setup(void)
{
	fake = mmap(NULL, sizeof(*fake), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	*fake = (struct fake){.instance = 0xabcd, .loaded = true};
	snprintf(dir, sizeof(dir), "%s/weir-test-ingest-XXXXXX",
		 access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	munmap(fake, sizeof(*fake));
}

START_TEST(test_stream)
{
	struct weir_node *node = start_node();

	fake->sealed = 300;
	wait_acked(300);
	fake->sealed = 301;
	wait_acked(301);
	usleep(400000); /* intervals close, empty ones too */
	stop_node(node);
	check_store(301, true);
}
END_TEST

/* A message lost on the way is fetched again, a repeated one passed over. */
/* As the keeper does, only that it would wait for the end of a minute. */
static void roll(struct weir_store *store)
{
	struct weir_store_summed summed;
	struct weir_rollup_sums sums;
	struct weir_rollup_head head = {.end_ns = 1};

	ck_assert_int_eq(weir_store_summed(store, &summed), 0);
	ck_assert_int_eq(weir_rollup_sums(store, WEIR_ROLLUP_MINUTE, &sums), 0);
	if (sums.segment == summed.seq)
		return;
	head.first_segment = sums.segment + 1;
	head.last_segment = summed.seq;
	head.first_block = sums.block + 1;
	head.last_block = summed.block;
	ck_assert_int_eq(weir_rollup_put(store, WEIR_ROLLUP_MINUTE, &head, "minute", 6), 0);
}

/* A block each time, and later a few for all of them: merged in idle moments. */
START_TEST(test_quiet)
{
	enum { BLOCKS = 100 };
	struct weir_node *node = start_node();
	struct weir_store_figures figures;
	struct weir_store_state state;

	for (uint64_t seq = 1; seq <= BLOCKS; seq++) {
		fake->sealed = seq;
		wait_acked(seq);
	}
	ck_assert_int_eq(weir_store_state(node->store, &state), 0);
	ck_assert_uint_eq(state.last_block, BLOCKS);
	for (unsigned i = 0; i < 20000; i++) {
		roll(node->store);
		ck_assert_int_eq(weir_store_figures(node->store, &figures), 0);
		if (figures.blocks <= BLOCKS / 5)
			break;
		usleep(1000);
	}
	ck_assert_uint_le(figures.blocks, BLOCKS / 5);
	ck_assert_uint_eq(figures.records, BLOCKS * RECORDS);
	stop_node(node);
	check_store(BLOCKS, false);
}
END_TEST

START_TEST(test_gap_and_repetition)
{
	struct weir_node *node = start_node();

	fake->skip = 20;
	fake->again = 40;
	fake->sealed = 100;
	wait_acked(100);
	stop_node(node);
	check_store(100, false);
	ck_assert_uint_eq(fake->subscriptions, 2);
}
END_TEST

/* The module goes and comes back; two batches did not reach us, which END tells. */
START_TEST(test_end_and_new_instance)
{
	struct weir_node *node = start_node();
	struct weir_totals first = numbered(30), all = numbered(32), second = numbered(10);
	struct weir_store_position position;

	fake->sealed = 30;
	wait_acked(30);
	fake->end = true;
	for (unsigned i = 0; i < 5000 && *(volatile bool *)&fake->loaded; i++)
		usleep(1000);
	usleep(100000);
	ck_assert(!atomic_load(&node->attached));
	*fake = (struct fake){.instance = 0x1234, .loaded = true, .sealed = 10};
	wait_acked(10);
	stop_node(node);

	struct weir_store_options options = {.read_only = true};
	struct weir_store *store;

	ck_assert_int_eq(weir_store_open(dir, &options, &store), 0);
	ck_assert_int_eq(weir_store_position(store, &position), 0);
	ck_assert_uint_eq(position.instance, 0x1234);
	ck_assert_uint_eq(position.instances, 2);
	ck_assert_uint_eq(position.seq, 10);
	ck_assert(weir_totals_equal(&position.before, &first));
	ck_assert(weir_totals_equal(&position.received, &second));
	ck_assert_uint_eq(position.missing_batches, 2);
	weir_totals_subtract(&all, &first);
	ck_assert(weir_totals_equal(&position.missing_before, &all));
	ck_assert(weir_totals_equal(&position.missing, &(struct weir_totals){0}));
	ck_assert_uint_eq(position.instances_unfinished, 0);
	ck_assert(weir_totals_equal(&position.lost, &(struct weir_totals){0, 3, 300}));
	weir_store_close(store);
}
END_TEST

/* The module goes while nobody reads: that this cannot be accounted for is said, and counted. */
START_TEST(test_instance_ends_unseen)
{
	struct weir_node *node = start_node();
	struct weir_store_position position;

	fake->sealed = 30;
	wait_acked(30);
	fake->stopped = true;
	for (unsigned i = 0; i < 12000 && atomic_load(&node->attached); i++)
		usleep(1000);
	ck_assert_msg(!atomic_load(&node->attached), "a stream that is over is still waited for");
	*fake = (struct fake){.instance = 0x1234, .loaded = true, .sealed = 10};
	wait_acked(10);
	ck_assert_int_eq(weir_store_position(node->store, &position), 0);
	ck_assert_uint_eq(position.instances, 2);
	ck_assert_uint_eq(position.instances_unfinished, 1);
	ck_assert_uint_eq(position.ended, 0);
	stop_node(node);
}
END_TEST

/* Missing is kept apart for each instance, so the audit's equation holds after several. */
START_TEST(test_missing_of_each_instance)
{
	struct weir_store_position position = {0};
	struct weir_totals two = {2, 20, 200}, sum = {0};

	for (uint64_t instance = 1; instance <= 3; instance++) {
		struct weir_kernel_start start = {.instance = instance, .seq = 1};
		struct weir_kernel_event batch = {.seq = 1, .numbered = {5, 50, 500}};
		struct weir_kernel_event end = {.seq = 2, .numbered = {7, 70, 700}};

		ck_assert(weir_position_start(&position, &start));
		ck_assert_int_eq(weir_position_accept(&position, &batch, &batch.numbered), 0);
		ck_assert_uint_eq(weir_position_end(&position, &end), 1);
		sum = position.received;
		weir_totals_add(&sum, &position.missing);
		ck_assert(weir_totals_equal(&sum, &position.numbered));
	}
	weir_totals_add(&two, &(struct weir_totals){2, 20, 200});
	ck_assert(weir_totals_equal(&position.missing_before, &two));
	ck_assert_uint_eq(position.missing_batches, 3);
	ck_assert_uint_eq(position.instances_unfinished, 0);
}
END_TEST

/* How often the log has @text, when it was sent to @path. */
static unsigned count_lines(const char *path, const char *text)
{
	FILE *log = fopen(path, "r");
	unsigned count = 0;
	char line[512];

	ck_assert_ptr_nonnull(log);
	while (fgets(line, sizeof(line), log))
		count += strstr(line, text) != NULL;
	fclose(log);
	return count;
}

/* No records come, so it is the interval that cannot be closed: said once, not every second. */
START_TEST(test_full_while_idle)
{
	char path[80];
	struct weir_node *node;

	snprintf(path, sizeof(path), "%s.log", dir);
	ck_assert_ptr_nonnull(freopen(path, "w", stderr));
	node = start_node();
	fake->sealed = 5;
	wait_acked(5);
	fake->full = true;
	usleep(3500000);
	ck_assert_uint_eq(count_lines(path, "the disk is full"), 1);
	ck_assert_uint_eq(count_lines(path, "storing again"), 0);
	ck_assert_int_eq(atomic_load(&node->store_error), -ENOSPC);
	fake->full = false;
	for (unsigned i = 0; i < 3000 && atomic_load(&node->store_error); i++)
		usleep(1000);
	fake->sealed = 6;
	wait_acked(6);
	ck_assert_uint_eq(count_lines(path, "storing again"), 1);
	stop_node(node);
	unlink(path);
}
END_TEST

/* kill -9 at random moments while batches come; then one run to the end. */
START_TEST(test_kill)
{
	srandom(7);
	for (unsigned round = 0; round < 20; round++) {
		pid_t pid = fork();
		int status;

		ck_assert_int_ge(pid, 0);
		if (!pid) {
			start_node();
			for (;;) {
				fake->sealed++;
				usleep(2000);
			}
		}
		usleep(100000 + random() % 200000);
		kill(pid, SIGKILL);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(WIFSIGNALED(status));
		fake->owned = false; /* the kernel sees the socket close */
	}
	struct weir_node *node = start_node();

	ck_assert_uint_gt(fake->sealed, 100);
	wait_acked(fake->sealed);
	usleep(300000);
	stop_node(node);
	check_store(fake->sealed, true);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ingest");
	TCase *tests = tcase_create("ingest");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, test_stream);
	tcase_add_test(tests, test_quiet);
	tcase_add_test(tests, test_gap_and_repetition);
	tcase_add_test(tests, test_end_and_new_instance);
	tcase_add_test(tests, test_instance_ends_unseen);
	tcase_add_test(tests, test_missing_of_each_instance);
	tcase_add_test(tests, test_full_while_idle);
	tcase_add_test(tests, test_kill);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
