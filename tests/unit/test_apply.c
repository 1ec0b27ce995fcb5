// SPDX-License-Identifier: GPL-2.0
/* apply.c and keep.c: each segment counts once, whatever is sent, and across restarts. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/master/apply.h"
#include "daemon/wire/convert.h"
#include "daemon/wire/hash.h"

enum { ROOM = 4096, CHAIN = 10 };

/* A chain of segments as a node writes it. */
struct body {
	uint8_t bytes[ROOM];
	size_t count;
	uint8_t hash[WEIR_HASH_BYTES];
	struct weir_totals totals, cumulative;
};

static char dir[64];
static struct weir_keep *keep;
static struct body chain[CHAIN + 1];
static struct weir_apply_peer peer;

static void make(struct body *body, const struct body *before, uint64_t seq, uint64_t salt)
{
	Weir__Wire__Segment segment = WEIR__WIRE__SEGMENT__INIT;
	Weir__Wire__Totals totals, cumulative;

	body->totals = (struct weir_totals){seq + salt, 10 * seq, 1000 * seq};
	body->cumulative = before->cumulative;
	weir_totals_add(&body->cumulative, &body->totals);
	weir_convert_totals_put(&totals, &body->totals);
	weir_convert_totals_put(&cumulative, &body->cumulative);
	segment.node_id.data = peer.node_id;
	segment.node_id.len = sizeof(peer.node_id);
	segment.epoch.data = peer.epoch;
	segment.epoch.len = sizeof(peer.epoch);
	segment.seq = seq;
	segment.prev_hash.data = (uint8_t *)before->hash;
	segment.prev_hash.len = sizeof(before->hash);
	segment.start_ns = seq * 10;
	segment.end_ns = seq * 10 + 10;
	segment.totals = &totals;
	segment.cumulative = &cumulative;
	segment.name = "n";
	body->count = weir__wire__segment__pack(&segment, body->bytes);
	ck_assert_int_eq(weir_hash_segment(body->bytes, body->count, body->hash), 0);
}

static void open_keep(void)
{
	ck_assert_int_eq(weir_keep_open(dir, 0, &keep), 0);
}

static void setup(void)
{
	strcpy(dir, "/tmp/weir-test-apply-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	memset(&peer, 0x11, sizeof(peer));
	strcpy(peer.name, "n");
	peer.first_seq = 1;
	memset(chain, 0, sizeof(chain));
	for (uint64_t seq = 1; seq <= CHAIN; seq++)
		make(&chain[seq], &chain[seq - 1], seq, 0);
	open_keep();
}

static void teardown(void)
{
	char path[128];

	weir_keep_close(keep);
	for (const char *const *name = (const char *const[]){"data.mdb", "lock.mdb", "lock", NULL};
	     *name; name++) {
		snprintf(path, sizeof(path), "%s/%s", dir, *name);
		unlink(path);
	}
	ck_assert_int_eq(rmdir(dir), 0);
}

static Weir__Wire__Applied push_bytes(const void *bytes, size_t count, bool commit)
{
	struct weir_apply_verdict verdict;
	struct weir_keep_txn *txn;

	ck_assert_int_eq(weir_keep_begin(keep, &txn), 0);
	ck_assert_int_eq(weir_apply_push(txn, &peer, bytes, count, 1, &verdict), 0);
	if (commit)
		ck_assert_int_eq(weir_keep_commit(txn), 0);
	else
		weir_keep_abort(txn);
	ck_assert_int_eq(verdict.reason[0] != 0,
			 verdict.applied == WEIR__WIRE__APPLIED__APPLIED_NEVER);
	return verdict.applied;
}

static Weir__Wire__Applied push(const struct body *body)
{
	return push_bytes(body->bytes, body->count, true);
}

static void expect(uint64_t last_seq, uint64_t segments, const struct weir_totals *applied,
		   const struct weir_totals *missing)
{
	static const struct weir_totals none;
	struct weir_keep_stream stream = {0};

	weir_keep_stream(keep, peer.node_id, peer.epoch, &stream);
	ck_assert_uint_eq(stream.last_seq, last_seq);
	ck_assert_uint_eq(stream.segments, segments);
	ck_assert(weir_totals_equal(&stream.applied, applied));
	ck_assert(weir_totals_equal(&stream.missing, missing ? missing : &none));
}

static int count_segment(void *arg, uint64_t seq, const void *body, size_t bytes)
{
	++*(unsigned *)arg;
	return 0;
}

static unsigned held(uint64_t from_ns, uint64_t to_ns)
{
	unsigned count = 0;

	ck_assert_int_eq(weir_keep_scan(keep, 1, from_ns, to_ns, NULL, count_segment, &count), 0);
	return count;
}

#define NOW WEIR__WIRE__APPLIED__APPLIED_NOW
#define BEFORE WEIR__WIRE__APPLIED__APPLIED_BEFORE
#define NEVER WEIR__WIRE__APPLIED__APPLIED_NEVER

START_TEST(once)
{
	for (unsigned seq = 1; seq <= CHAIN; seq++) {
		ck_assert_int_eq(push(&chain[seq]), NOW);
		ck_assert_int_eq(push(&chain[seq]), BEFORE);
		ck_assert_int_eq(push(&chain[1]), BEFORE);
		expect(seq, seq, &chain[seq].cumulative, NULL);
	}
	ck_assert_uint_eq(held(0, UINT64_MAX), CHAIN);
	ck_assert_uint_eq(held(20, 30), 1); /* segment 2 is [20, 30) */
	ck_assert_uint_eq(held(25, 45), 3);
}
END_TEST

START_TEST(restart)
{
	uint8_t id[WEIR_KEEP_ID_BYTES];

	memcpy(id, weir_keep_master_id(keep), sizeof(id));
	ck_assert_int_eq(push(&chain[1]), NOW);
	/* killed between apply and commit: as if it never came */
	ck_assert_int_eq(push_bytes(chain[2].bytes, chain[2].count, false), NOW);
	expect(1, 1, &chain[1].cumulative, NULL);
	weir_keep_close(keep);
	open_keep();
	ck_assert_mem_eq(id, weir_keep_master_id(keep), sizeof(id));
	expect(1, 1, &chain[1].cumulative, NULL);
	ck_assert_int_eq(push(&chain[1]), BEFORE);
	ck_assert_int_eq(push(&chain[2]), NOW);
	expect(2, 2, &chain[2].cumulative, NULL);
}
END_TEST

START_TEST(other_history)
{
	struct body other;

	ck_assert_int_eq(push(&chain[1]), NOW);
	ck_assert_int_eq(push(&chain[2]), NOW);
	make(&other, &chain[1], 2, 5); /* another segment 2 */
	ck_assert_int_eq(push(&other), NEVER);
	make(&other, &other, 3, 0); /* and what follows it */
	ck_assert_int_eq(push(&other), NEVER);
	other = chain[2];
	other.cumulative.bytes++; /* the hash is right, the sum is not */
	make(&other, &(struct body){.cumulative = other.cumulative}, 3, 0);
	ck_assert_int_eq(push(&other), NEVER);
	expect(2, 2, &chain[2].cumulative, NULL);
	ck_assert_int_eq(push(&chain[3]), NOW);
}
END_TEST

START_TEST(wrong_sum_with_right_hash)
{
	struct body before = chain[1], wrong;

	ck_assert_int_eq(push(&chain[1]), NOW);
	before.cumulative.bytes -= 1;
	make(&wrong, &before, 2, 0);
	ck_assert_int_eq(push(&wrong), NEVER);
	before.cumulative.bytes += 2;
	make(&wrong, &before, 2, 0);
	ck_assert_int_eq(push(&wrong), NEVER);
	expect(1, 1, &chain[1].cumulative, NULL);
}
END_TEST

START_TEST(gap)
{
	struct weir_totals missing = chain[5].cumulative, applied = chain[2].cumulative;

	ck_assert_int_eq(push(&chain[1]), NOW);
	ck_assert_int_eq(push(&chain[2]), NOW);
	ck_assert_int_eq(push(&chain[6]), NEVER); /* the node has the ones between */
	peer.first_seq = 6;
	ck_assert_int_eq(push(&chain[7]), NEVER); /* and this is not its oldest */
	ck_assert_int_eq(push(&chain[6]), NOW);
	weir_totals_subtract(&missing, &chain[2].cumulative);
	weir_totals_add(&applied, &chain[6].totals);
	expect(6, 3, &applied, &missing);
	ck_assert_int_eq(push(&chain[6]), BEFORE);
	ck_assert_int_eq(push(&chain[4]), NEVER); /* counted as missing already */
	ck_assert_int_eq(push(&chain[7]), NOW);
	weir_totals_add(&applied, &chain[7].totals);
	expect(7, 4, &applied, &missing);
	weir_keep_close(keep);
	open_keep();
	expect(7, 4, &applied, &missing);
}
END_TEST

START_TEST(new_master_gets_the_rest)
{
	peer.first_seq = 4;
	ck_assert_int_eq(push(&chain[4]), NOW);
	expect(4, 1, &chain[4].totals, &chain[3].cumulative);
}
END_TEST

START_TEST(not_its_own)
{
	struct weir_apply_peer own = peer;
	static const struct weir_totals none;

	ck_assert_int_eq(push_bytes("rubbish", 7, true), NEVER);
	ck_assert_int_eq(push_bytes("", 0, true), NEVER);
	peer.epoch[3]++;
	ck_assert_int_eq(push(&chain[1]), NEVER);
	peer = own;
	peer.node_id[0]++;
	ck_assert_int_eq(push(&chain[1]), NEVER);
	expect(0, 0, &none, NULL);
	peer = own;
	expect(0, 0, &none, NULL);
	ck_assert_int_eq(push(&chain[1]), NOW);
}
END_TEST

/* A sentence for the one that is too many, and nothing in the way of the others. */
START_TEST(too_many_streams)
{
	struct weir_apply_peer own = peer;
	struct body other;

	weir_keep_limit(keep, 1);
	ck_assert_int_eq(push(&chain[1]), NOW);
	peer.epoch[0]++;
	make(&other, &chain[0], 1, 0);
	ck_assert_int_eq(push(&other), NEVER);
	peer = own;
	ck_assert_int_eq(push(&chain[2]), NOW);
	expect(2, 2, &chain[2].cumulative, NULL);
}
END_TEST

/* The Hello's name was checked; a segment's may be anything. */
START_TEST(called_as_it_said_hello)
{
	struct weir_keep_stream stream;

	strcpy(peer.name, "greeted");
	ck_assert_int_eq(push(&chain[1]), NOW);
	ck_assert_int_eq(weir_keep_stream(keep, peer.node_id, peer.epoch, &stream), 0);
	ck_assert_str_eq(stream.name, "greeted");
}
END_TEST

START_TEST(impossible_numbers)
{
	struct body wrong = {.cumulative = {0}};
	static const struct weir_totals none;

	make(&wrong, &(struct body){0}, 1, UINT64_MAX - 1);
	ck_assert_int_eq(push(&wrong), NEVER);
	make(&wrong, &(struct body){0}, 0, 0);
	ck_assert_int_eq(push(&wrong), NEVER);
	expect(0, 0, &none, NULL);
}
END_TEST

START_TEST(one_process)
{
	struct weir_keep *second;

	ck_assert_int_eq(weir_keep_open(dir, 0, &second), -EBUSY);
}
END_TEST

START_TEST(no_room)
{
	struct weir_keep_txn *txn;

	ck_assert_int_eq(push(&chain[1]), NOW);
	weir_keep_close(keep);
	ck_assert_int_eq(weir_keep_open(dir, UINT64_MAX, &keep), 0);
	ck_assert_int_eq(weir_keep_begin(keep, &txn), -ENOSPC);
	expect(1, 1, &chain[1].cumulative, NULL);
	ck_assert_uint_eq(held(0, UINT64_MAX), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("apply");
	TCase *tcase = tcase_create("apply");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, once);
	tcase_add_test(tcase, restart);
	tcase_add_test(tcase, other_history);
	tcase_add_test(tcase, wrong_sum_with_right_hash);
	tcase_add_test(tcase, gap);
	tcase_add_test(tcase, new_master_gets_the_rest);
	tcase_add_test(tcase, not_its_own);
	tcase_add_test(tcase, too_many_streams);
	tcase_add_test(tcase, called_as_it_said_hello);
	tcase_add_test(tcase, impossible_numbers);
	tcase_add_test(tcase, one_process);
	tcase_add_test(tcase, no_room);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
