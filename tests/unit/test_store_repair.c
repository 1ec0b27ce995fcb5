// SPDX-License-Identifier: GPL-2.0
/* test_store_repair.c - whatever is damaged, after a repair the store opens, is sound, and its
 * ledger says what was lost. */
#include "daemon/store/repair.h"
#include "tests/unit/store_folder.h"

enum {
	DAYS = 3,
	PUTS = 6, /* a day */
};

static char said[8000];

static void say(void *arg, const char *part, const char *sentence)
{
	size_t used = strlen(said);

	snprintf(said + used, sizeof(said) - used, "%s: %s\n", part, sentence);
}

static struct weir_repair_result repair(bool dry_run)
{
	struct weir_repair_options options = {
		.dry_run = dry_run, .say = say, .segment = folder_segment};
	struct weir_repair_result result;

	said[0] = '\0';
	ck_assert_int_eq(weir_repair_store(dir, &options, &result), 0);
	return result;
}

static void take_fault(void *arg, const char *part, const char *sentence)
{
	char *text = arg;

	if (!*text)
		snprintf(text, 400, "%s: %s", part, sentence);
}

static uint64_t check(char first[400])
{
	struct weir_check_options options = {
		.fault = take_fault, .segment = folder_segment, .arg = first};
	struct weir_check *found;
	uint64_t faults;

	*first = '\0';
	ck_assert_int_eq(weir_check_store(dir, &options, &found), 0);
	faults = found->faults;
	if (!faults)
		ck_assert(found->balance_known && found->balanced);
	weir_check_free(found);
	return faults;
}

static void make_store(void)
{
	struct weir_store *store = folder_open(dir, false);

	for (unsigned i = 0; i < DAYS * PUTS; i++)
		ck_assert_int_eq(folder_put(store, START + i / PUTS * DAY, i * 1000, 200 + i), 0);
	weir_store_put_cursor(store, "it", 5);
	weir_store_close(store);
}

/* What the store says now: opens, goes on, is sound. */
static struct weir_store_state open_and_go_on(const char *what)
{
	struct weir_store_options options = {.max_bytes = 1 << 30};
	struct weir_store_state state;
	struct weir_store *store;
	char fault[400];

	ck_assert_msg(!check(fault), "%s: %s\n%s", what, fault, said);
	ck_assert_msg(!weir_store_open(dir, &options, &store), "%s: does not open\n%s", what, said);
	ck_assert_int_eq(weir_store_state(store, &state), 0);
	ck_assert_msg(!folder_put(store, START + DAYS * DAY, 999000, 50), "%s: does not go on",
		      what);
	weir_store_close(store);
	ck_assert_msg(!check(fault), "%s: later: %s", what, fault);
	return state;
}

START_TEST(test_nothing)
{
	struct weir_repair_result result;

	make_store();
	result = repair(false);
	ck_assert_uint_eq(result.parts + result.beyond, 0);
	ck_assert_str_eq(said, "");
	open_and_go_on("sound");
}
END_TEST

static void flip(const char *name, size_t at)
{
	size_t bytes;
	uint8_t *file = folder_read(folder_file(name), &bytes);

	ck_assert_uint_lt(at, bytes);
	file[at] ^= 0x55;
	folder_write(folder_file(name), file, bytes);
	free(file);
}

/* Where the @index-th block of the file is. */
static size_t block_at(const char *name, unsigned index)
{
	size_t bytes, found = 0;
	uint8_t *file = folder_read(folder_file(name), &bytes);

	for (size_t at = 0; at + 4 <= bytes; at += 16)
		if (!memcmp(file + at, "WBLK", 4) && found++ == index) {
			free(file);
			return at;
		}
	ck_abort_msg("no such block");
}

START_TEST(test_block)
{
	struct weir_repair_result result, dry;
	struct weir_store_state state;
	struct stat status;
	char path[200], fault[400];

	make_store();
	flip("20241005", block_at("20241005", 2) + 500);
	ck_assert_uint_ge(check(fault), 1);
	dry = repair(true);
	ck_assert_uint_eq(dry.parts, 1);
	ck_assert_uint_eq(dry.lost_blocks, 1);
	ck_assert_uint_ge(check(fault), 1);
	snprintf(path, sizeof(path), "%s/damaged", dir);
	ck_assert_int_ne(stat(path, &status), 0);
	result = repair(false);
	ck_assert_uint_eq(result.lost_blocks, 1);
	ck_assert_uint_ge(result.lost_records, 200 + PUTS);
	ck_assert_uint_lt(result.lost_records, 200 + 2 * PUTS);
	ck_assert_uint_eq(result.damaged.flows, result.lost_records);
	ck_assert_uint_eq(dry.damaged.flows, result.damaged.flows);
	ck_assert(!result.new_epoch);
	snprintf(path, sizeof(path), "%s/damaged/20241005-1/block-%" PRIu64, dir,
		 result.lost_records - 200 + 1);
	ck_assert_int_eq(stat(path, &status), 0);
	state = open_and_go_on("a block");
	ck_assert_uint_eq(state.position.seq, DAYS * PUTS);
	/* Once more, and again: what was lost is not counted twice. */
	flip("20241005", block_at("20241005", 0) + 500);
	result = repair(false);
	ck_assert_uint_eq(result.lost_blocks, 1);
	open_and_go_on("another block");
	result = repair(false);
	ck_assert_uint_eq(result.parts, 0);
}
END_TEST

/* A block is lost before a segment summed it up: its records never came, as far as anybody knows. */
START_TEST(test_unsummed)
{
	struct weir_repair_result result;
	struct weir_store_state before, after;
	struct weir_store *store;
	char fault[400];

	make_store();
	store = folder_open(dir, false);
	folder_no_segments = true;
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(folder_put(store, START + (DAYS - 1) * DAY, 500000 + i * 1000, 70),
				 0);
	folder_no_segments = false;
	ck_assert_int_eq(weir_store_state(store, &before), 0);
	weir_store_close(store);
	ck_assert_uint_eq(check(fault), 0);
	/* Whichever of the three that is: find one that has 70 records. */
	for (unsigned i = 0;; i++) {
		size_t at = block_at("20241006", i) + 400;

		flip("20241006", at);
		result = repair(true);
		if (result.lost_records == 70)
			break;
		flip("20241006", at);
	}
	result = repair(false);
	ck_assert_uint_eq(result.beyond, 0);
	ck_assert_uint_eq(result.damaged.flows, 0);
	after = open_and_go_on("unsummed");
	ck_assert_uint_eq(after.position.missing.flows, 70);
	ck_assert_uint_eq(after.stored.flows + 70, before.stored.flows);
	ck_assert_uint_eq(after.position.received.flows + 70, before.position.received.flows);
}
END_TEST

/* Wherever a byte of an older partition goes wrong, the rest is kept; of the newest, too. */
static void any_byte(const char *name, unsigned rounds, bool small)
{
	size_t bytes;
	uint8_t *whole;
	char what[80], fault[400], cmd[300];

	make_store();
	snprintf(cmd, sizeof(cmd), "cp -a %s %s/whole", dir, base);
	ck_assert_int_eq(system(cmd), 0);
	whole = folder_read(folder_file(name), &bytes);
	for (unsigned i = 0; i < rounds; i++) {
		size_t at = (size_t)random() % (small ? 65536 : bytes);
		struct weir_repair_result result;
		struct weir_store_state state;

		snprintf(what, sizeof(what), "byte %zu of %s", at, name);
		flip(name, at);
		if (check(fault)) {
			result = repair(false);
			ck_assert_msg(result.parts && !result.beyond, "%s: %s\n%s", what, fault,
				      said);
			state = open_and_go_on(what);
			/* One page holds a few blocks at most, and all but the newest know more. */
			ck_assert_msg(result.damaged.flows <= PUTS * (200 + DAYS * PUTS),
				      "%s: %s", what, said);
			ck_assert_uint_ge(state.position.seq, (DAYS - 1) * PUTS);
		}
		snprintf(cmd, sizeof(cmd), "rm -rf %s && cp -a %s/whole %s", dir, base, dir);
		ck_assert_int_eq(system(cmd), 0);
	}
	free(whole);
}

START_TEST(test_any_byte_older)
{
	srandom(1);
	any_byte("20241004", 60, true);
}
END_TEST

START_TEST(test_any_byte_newest)
{
	srandom(2);
	any_byte("20241006", 60, true);
}
END_TEST

START_TEST(test_any_byte_state)
{
	size_t bytes;
	char fault[400];

	make_store();
	free(folder_read(folder_file("state"), &bytes));
	for (size_t at = 0; at < bytes; at += 997) {
		flip("state", at);
		if (check(fault)) {
			repair(false);
			open_and_go_on("state");
		} else {
			flip("state", at);
		}
	}
}
END_TEST

static void cut(const char *name, size_t keep)
{
	size_t bytes;
	uint8_t *file = folder_read(folder_file(name), &bytes);

	folder_write(folder_file(name), file, keep < bytes ? keep : bytes);
	free(file);
}

/* The newest partition is gone altogether: on from the day before, in a new epoch, with numbers that
 * nobody used. */
START_TEST(test_newest_gone)
{
	struct weir_repair_result result;
	struct weir_store_identity identity;
	struct weir_store_state state;
	struct weir_store *store;

	make_store();
	store = folder_open(dir, true);
	identity = *weir_store_identity(store);
	weir_store_close(store);
	cut("20241006", 0);
	result = repair(false);
	ck_assert_uint_eq(result.parts, 1);
	ck_assert(result.new_epoch);
	state = open_and_go_on("newest gone");
	ck_assert_uint_eq(state.position.seq, (DAYS - 1) * PUTS);
	ck_assert_uint_gt(state.last_block, DAYS * PUTS);
	ck_assert_uint_gt(state.summed.seq, DAYS * PUTS);
	store = folder_open(dir, true);
	ck_assert_mem_eq(identity.node_id, weir_store_identity(store)->node_id, 16);
	ck_assert_mem_ne(identity.epoch, weir_store_identity(store)->epoch, 16);
	weir_store_close(store);
}
END_TEST

/* Cut anywhere: what is before the cut is kept where that can be told. */
START_TEST(test_newest_cut)
{
	size_t bytes;
	char what[80], fault[400], cmd[300];

	make_store();
	free(folder_read(folder_file("20241006"), &bytes));
	snprintf(cmd, sizeof(cmd), "cp -a %s %s/whole", dir, base);
	ck_assert_int_eq(system(cmd), 0);
	for (size_t keep = 0; keep < bytes; keep += bytes / 23) {
		struct weir_store_state state;

		cut("20241006", keep);
		snprintf(what, sizeof(what), "cut to %zu of %zu", keep, bytes);
		ck_assert_msg(check(fault), "%s", what);
		repair(false);
		state = open_and_go_on(what);
		ck_assert_uint_ge(state.position.seq, (DAYS - 1) * PUTS);
		ck_assert_uint_le(state.position.seq, DAYS * PUTS);
		snprintf(cmd, sizeof(cmd), "rm -rf %s && cp -a %s/whole %s", dir, base, dir);
		ck_assert_int_eq(system(cmd), 0);
	}
}
END_TEST

START_TEST(test_older_gone)
{
	struct weir_repair_result result;

	make_store();
	cut("20241005", 100);
	result = repair(false);
	ck_assert_uint_eq(result.parts, 1);
	ck_assert_uint_eq(result.damaged.flows, PUTS * 200 + 6 + 7 + 8 + 9 + 10 + 11);
	ck_assert(!result.new_epoch);
	open_and_go_on("an older one");
}
END_TEST

START_TEST(test_locked)
{
	struct weir_repair_options options = {.say = say};
	struct weir_repair_result result;
	struct weir_store *store;

	make_store();
	store = folder_open(dir, false);
	ck_assert_int_eq(weir_repair_store(dir, &options, &result), -EBUSY);
	weir_store_close(store);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_repair");
	TCase *tests = tcase_create("store_repair");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, folder_setup, folder_teardown);
	tcase_set_timeout(tests, 200);
	tcase_add_test(tests, test_nothing);
	tcase_add_test(tests, test_block);
	tcase_add_test(tests, test_unsummed);
	tcase_add_test(tests, test_any_byte_older);
	tcase_add_test(tests, test_any_byte_newest);
	tcase_add_test(tests, test_any_byte_state);
	tcase_add_test(tests, test_newest_gone);
	tcase_add_test(tests, test_newest_cut);
	tcase_add_test(tests, test_older_gone);
	tcase_add_test(tests, test_locked);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
