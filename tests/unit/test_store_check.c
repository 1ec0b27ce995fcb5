// SPDX-License-Identifier: GPL-2.0
/* test_store_check.c - a store that was damaged in every place is found to be so. */
#include <signal.h>
#include <sys/wait.h>

#include "daemon/store/check.h"
#include "tests/unit/store_folder.h"

struct found {
	uint64_t faults;
	char first[400];
};

static void take_fault(void *arg, const char *part, const char *sentence)
{
	struct found *found = arg;

	if (!found->faults++)
		snprintf(found->first, sizeof(found->first), "%s: %s", part, sentence);
}

static struct weir_check *run_check(struct found *found)
{
	struct weir_check_options options = {
		.fault = take_fault, .segment = folder_segment, .arg = found};
	struct weir_check *check = NULL;

	*found = (struct found){0};
	ck_assert_int_eq(weir_check_store(dir, &options, &check), 0);
	ck_assert_uint_eq(check->faults, found->faults);
	return check;
}

static void make_store(unsigned days)
{
	struct weir_store *store = folder_open(dir, false);

	for (unsigned i = 0; i < 4 * days; i++)
		ck_assert_int_eq(folder_put(store, START + i / 4 * DAY, i * 1000, 500 + i), 0);
	ck_assert_int_eq(weir_store_drop_segments(store, 2), 0);
	ck_assert_int_eq(folder_put(store, START + (days - 1) * DAY, 900000, 100), 0);
	weir_store_close(store);
}

START_TEST(test_sound)
{
	struct weir_check *check;
	struct found found;

	make_store(3);
	check = run_check(&found);
	ck_assert_msg(!found.faults, "%s", found.first);
	ck_assert_uint_eq(check->blocks, 13);
	ck_assert_uint_eq(check->records, 12 * 500 + 66 + 100);
	ck_assert(check->balance_known);
	ck_assert(check->balanced);
	ck_assert_uint_eq(check->stored.flows, check->records);
	ck_assert_uint_ge(check->segments, 11);
	weir_check_free(check);
}
END_TEST

START_TEST(test_missing_parts)
{
	struct weir_check_options options = {.fault = take_fault};
	struct weir_check *check;
	struct found found;
	char path[160];

	ck_assert_int_eq(weir_check_store("/nonexistent", &options, &check), -ENOENT);
	make_store(3);
	/* The middle one: stored is more than what is held then. */
	snprintf(path, sizeof(path), "%s/20241005", dir);
	folder_remove(path);
	check = run_check(&found);
	ck_assert_uint_ge(found.faults, 1);
	ck_assert(!check->balanced);
	weir_check_free(check);
}
END_TEST

/* Cut files, also in the middle of a page: said, never a crash. */
START_TEST(test_cut)
{
	size_t bytes;
	uint8_t *file;

	make_store(2);
	file = folder_read(folder_file("20241004"), &bytes);
	for (size_t keep = 0; keep < bytes; keep += bytes / 37 + 1) {
		struct weir_check *check;
		struct found found;

		folder_write(folder_file("20241004"), file, keep);
		check = run_check(&found);
		ck_assert_msg(found.faults, "%zu of %zu bytes", keep, bytes);
		weir_check_free(check);
	}
	free(file);
}
END_TEST

struct content {
	struct folder_seen seen;
	struct weir_store_state state;
	uint64_t segments;
};

static struct content read_content(void)
{
	struct weir_store *store = folder_open(dir, true);
	struct content content;
	size_t bytes;
	void *body;

	memset(&content, 0, sizeof(content));
	content.seen = folder_scan(store);
	ck_assert_int_eq(weir_store_state(store, &content.state), 0);
	for (uint64_t seq = 1; seq <= content.state.summed.seq; seq++) {
		if (weir_store_get_segment(store, seq, &body, &bytes))
			continue;
		content.segments = content.segments * 31 + bytes + *(uint8_t *)body;
		free(body);
	}
	weir_store_close(store);
	return content;
}

/* Some byte of a partition is changed, again and again, by any value: either check finds it,
 * or everything that can be read is as it was, since the byte means nothing. */
START_TEST(test_any_byte)
{
	const char *names[] = {"20241004", "20241005"};
	unsigned found_faults = 0;
	struct content before;

	make_store(2);
	before = read_content();
	srandom(20261125);
	for (unsigned round = 0; round < 600; round++) {
		const char *path = folder_file(names[round % 2]);
		struct weir_check *check;
		struct found found;
		size_t bytes, at;
		uint8_t *file = folder_read(path, &bytes), was;

		/* Half of them in what is not a block: roots, indexes, meta. */
		at = (size_t)random() % bytes;
		if (round % 4 >= 2)
			at = (size_t)random() % (round % 8 >= 4 ? 8192 : 65536) % bytes;
		was = file[at];
		file[at] ^= (uint8_t)(1 + random() % 255);
		folder_write(path, file, bytes);
		check = run_check(&found);
		found_faults += !!found.faults;
		if (!found.faults) {
			struct content after = read_content();

			ck_assert_msg(!memcmp(&before, &after, sizeof(before)),
				      "byte %zu of %s: not found", at, path);
		}
		weir_check_free(check);
		file[at] = was;
		folder_write(path, file, bytes);
		free(file);
	}
	ck_assert_uint_ge(found_faults, 100);
}
END_TEST

/* Whatever is wrong with a file: who opens the store and reads all of it lives on, and says what it
 * could not read. LMDB by itself would end the process. */
START_TEST(test_open_any_byte)
{
	static const char *const names[] = {"20241004", "20241005", "state"};
	unsigned refused = 0, skipped = 0;

	make_store(2);
	srandom(7);
	for (unsigned round = 0; round < 300; round++) {
		const char *path = folder_file(names[round % 3]);
		size_t bytes, at, some = 1 + (size_t)random() % 64;
		uint8_t *file = folder_read(path, &bytes), *was = malloc(bytes);
		int status;
		pid_t pid;

		memcpy(was, file, bytes);
		at = (size_t)random() % (bytes < 65536 ? bytes : 65536);
		for (size_t i = at; i < at + some && i < bytes; i++)
			file[i] = (uint8_t)random();
		folder_write(path, file, bytes);
		pid = fork();
		if (!pid) {
			struct weir_store_options options = {.read_only = true};
			struct folder_seen seen = {0};
			struct weir_store *store;
			uint64_t damaged = 0;

			if (weir_store_open(dir, &options, &store))
				_exit(1);
			if (weir_store_scan(store, 0, UINT64_MAX, false, folder_visit, &seen,
					    &damaged))
				_exit(3);
			weir_store_close(store);
			_exit(damaged ? 2 : 0);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) <= 2,
			      "byte %zu of %s: status %x", at, path, status);
		refused += WEXITSTATUS(status) == 1;
		skipped += WEXITSTATUS(status) == 2;
		folder_write(path, was, bytes);
		free(was);
		free(file);
	}
	ck_assert_uint_ge(refused, 1);
	ck_assert_uint_ge(skipped, 10);
}
END_TEST

/* The page at which LMDB begins says that it is a branch with one child: LMDB's own assertion. */
START_TEST(test_open_assertion)
{
	struct folder_seen seen = {0};
	struct weir_store *store;
	uint64_t damaged = 0, root;
	size_t bytes;
	uint8_t *file;

	make_store(2);
	file = folder_read(folder_file("20241004"), &bytes);
	/* docs of the format: pages.c. Of the newer of the two roots, the main database's. */
	memcpy(&root, file + (memcmp(file + 144, file + 4096 + 144, 1) > 0 ? 0 : 4096) + 128, 8);
	ck_assert_uint_lt((root + 1) * 4096, bytes + 1);
	file[root * 4096 + 10] = 1;
	file[root * 4096 + 12] = 18;
	folder_write(folder_file("20241004"), file, bytes);
	free(file);
	store = folder_open(dir, false);
	ck_assert_int_eq(weir_store_scan(store, 0, UINT64_MAX, false, folder_visit, &seen,
					 &damaged), 0);
	ck_assert_uint_ge(damaged, 1);
	ck_assert_uint_eq(seen.blocks, 5);
	weir_store_close(store);
}
END_TEST

/* A writer commits all the time, on a file that is small enough that pages are reused at
 * once: no fault is seen that is not there. */
START_TEST(test_while_written)
{
	struct weir_check *check;
	struct found found;
	int status;
	pid_t pid;

	make_store(2);
	pid = fork();
	if (!pid) {
		struct weir_store *store = folder_open(dir, false);

		for (uint64_t i = 0;; i++) {
			if (folder_put(store, START + DAY, i * 10, 1 + i % 7))
				_exit(1);
			if (i % 16 == 0)
				weir_store_drop_segments(store, 9 + i);
			usleep(300);
		}
	}
	for (unsigned i = 0; i < 40; i++) {
		check = run_check(&found);
		ck_assert_msg(!found.faults, "%s", found.first);
		weir_check_free(check);
	}
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
}
END_TEST

/* While the second day is looked at, retention takes the first, which was looked at before. */
static bool remove_first(void *arg, uint64_t seq, const void *body, size_t body_bytes,
			 const uint8_t *hash, char *why, size_t why_bytes)
{
	if (seq == 5)
		ck_assert_int_eq(weir_folder_remove(dir, "20241004"), 0);
	return true;
}

START_TEST(test_removed_meanwhile)
{
	struct weir_check_options options = {.fault = take_fault, .segment = remove_first};
	struct found found = {0};
	struct weir_check *check;

	options.arg = &found;
	make_store(3);
	ck_assert_int_eq(weir_check_store(dir, &options, &check), 0);
	ck_assert_msg(!found.faults, "%s", found.first);
	ck_assert(check->balance_known);
	ck_assert(check->balanced);
	weir_check_free(check);
	/* Now it is gone from the beginning. */
	check = run_check(&found);
	ck_assert_msg(!found.faults, "%s", found.first);
	ck_assert(check->balanced);
	weir_check_free(check);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_check");
	TCase *tests = tcase_create("store_check");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, folder_setup, folder_teardown);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, test_sound);
	tcase_add_test(tests, test_missing_parts);
	tcase_add_test(tests, test_cut);
	tcase_add_test(tests, test_any_byte);
	tcase_add_test(tests, test_open_any_byte);
	tcase_add_test(tests, test_open_assertion);
	tcase_add_test(tests, test_while_written);
	tcase_add_test(tests, test_removed_meanwhile);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
