// SPDX-License-Identifier: GPL-2.0
/* test_store_backup.c - copies of a store in use, what becomes of them, and reading them beside it. */
#include <lmdb.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "daemon/store/backup.h"
#include "daemon/store/check.h"
#include "daemon/store/view.h"
#include "tests/unit/store_folder.h"

static char to[96], said[4000];

static void setup(void)
{
	folder_setup();
	snprintf(to, sizeof(to), "%s/backup", base);
	said[0] = '\0';
}

static void say(void *arg, const char *part, const char *sentence)
{
	size_t used = strlen(said);

	snprintf(said + used, sizeof(said) - used, "%s: %s\n", part, sentence);
}

static const struct weir_backup_options quiet = {.say = say};

static struct weir_backup_result backup(void)
{
	struct weir_backup_result result;

	ck_assert_int_eq(weir_backup_make(dir, to, &quiet, &result), 0);
	return result;
}

static void verify(void)
{
	struct weir_backup_result result;

	ck_assert_int_eq(weir_backup_verify(to, &quiet, &result), 0);
	ck_assert_msg(!result.damaged, "%s", said);
}

static void take_fault(void *arg, const char *part, const char *sentence)
{
	snprintf(arg, 400, "%s: %s", part, sentence);
}

static void check(const char *path)
{
	char fault[400] = "";
	struct weir_check_options options = {
		.fault = take_fault, .segment = folder_segment, .arg = fault};
	struct weir_check *found;

	ck_assert_int_eq(weir_check_store(path, &options, &found), 0);
	ck_assert_msg(!found->faults, "%s: %s", path, fault);
	ck_assert(found->balance_known && found->balanced);
	weir_check_free(found);
}

static void fill(struct weir_store *store, unsigned days, unsigned puts, unsigned first)
{
	for (unsigned i = first * puts; i < days * puts; i++)
		ck_assert_int_eq(folder_put(store, START + i / puts * DAY, i * 1000, 100 + i), 0);
}

/* Everything a query would see. */
static struct folder_seen see(struct weir_store *store)
{
	struct weir_store_block *blocks;
	struct weir_flow *flows = malloc(65536 * sizeof(*flows));
	struct folder_seen seen = {0};
	struct weir_store_view *view;
	size_t count;

	ck_assert_int_eq(weir_store_view_new(store, &view), 0);
	ck_assert_int_eq(weir_store_plan(store, 0, UINT64_MAX, &blocks, &count, NULL), 0);
	for (size_t i = 0; i < count; i++) {
		uint32_t records;

		ck_assert_int_eq(weir_store_view_open(view, &blocks[i]), 0);
		records = weir_store_view_records(view);
		ck_assert_int_eq(weir_store_view_rows(view, WEIR_COLUMN_ALL, flows), 0);
		weir_store_view_close(view);
		folder_visit(&seen, blocks[i].number, flows, records);
	}
	weir_store_view_free(view);
	weir_store_plan_free(store, blocks);
	free(flows);
	return seen;
}

static bool same(struct folder_seen a, struct folder_seen b)
{
	return a.flows == b.flows && a.digest == b.digest && weir_totals_equal(&a.totals, &b.totals);
}

START_TEST(test_new_store)
{
	struct weir_store *store = folder_open(dir, false);
	struct weir_backup_result result;
	struct weir_store_identity was;
	struct weir_store_state state, restored;
	struct folder_seen seen;
	char new[128];

	fill(store, 3, 4, 0);
	weir_store_drop_segments(store, 2);
	ck_assert_int_eq(weir_store_state(store, &state), 0);
	was = *weir_store_identity(store);
	seen = see(store);
	weir_store_close(store);
	result = backup();
	ck_assert_uint_eq(result.records, seen.flows);
	verify();
	snprintf(new, sizeof(new), "%s/new", base);
	ck_assert_int_eq(weir_restore_new(to, new, &quiet, &result), 0);
	check(new);
	store = folder_open(new, false);
	ck_assert(same(seen, see(store)));
	ck_assert_int_eq(weir_store_state(store, &restored), 0);
	ck_assert_mem_eq(&state, &restored, sizeof(state));
	ck_assert_mem_eq(was.node_id, weir_store_identity(store)->node_id, 16);
	ck_assert_mem_ne(was.epoch, weir_store_identity(store)->epoch, 16);
	/* It goes on as a store. */
	ck_assert_int_eq(folder_put(store, START + 3 * DAY, 77000, 10), 0);
	weir_store_close(store);
	check(new);
	/* Nothing is written over. */
	ck_assert_int_eq(weir_restore_new(to, new, &quiet, &result), -EEXIST);
	check(new);
}
END_TEST

START_TEST(test_incremental)
{
	struct weir_store *store = folder_open(dir, false);
	struct weir_backup_result result;

	fill(store, 4, 4, 0);
	weir_store_close(store);
	result = backup();
	ck_assert_uint_eq(result.parts, result.copied);
	result = backup();
	ck_assert_uint_eq(result.copied, 0);
	ck_assert_uint_eq(result.copied_bytes, 0);
	verify();
	store = folder_open(dir, false);
	fill(store, 5, 4, 4);
	ck_assert_int_eq(folder_put(store, START + 4 * DAY, 99000, 10), 0);
	weir_store_close(store);
	/* The day before got no more records, so only the new one is copied. */
	result = backup();
	ck_assert_uint_eq(result.copied, 1);
	ck_assert_uint_eq(result.removed, 0);
	store = folder_open(dir, false);
	ck_assert_int_eq(folder_put(store, START + 4 * DAY, 99100, 10), 0);
	weir_store_close(store);
	result = backup();
	ck_assert_uint_eq(result.copied, 1);
	ck_assert_uint_eq(result.removed, 1);
	verify();
}
END_TEST

START_TEST(test_foreign)
{
	struct weir_backup_result result;
	struct weir_store *store = folder_open(dir, false);

	fill(store, 1, 2, 0);
	weir_store_close(store);
	backup();
	folder_remove(dir);
	store = folder_open(dir, false);
	fill(store, 1, 2, 0);
	weir_store_close(store);
	ck_assert_int_eq(weir_backup_make(dir, to, &quiet, &result), -EEXIST);
	verify();
	ck_assert_int_eq(weir_backup_verify(dir, &quiet, &result), -ENOENT);
}
END_TEST

START_TEST(test_damaged_copy)
{
	struct weir_backup_result result;
	struct weir_store *store = folder_open(dir, false);
	char path[160], new[128], cmd[300];
	FILE *find;

	fill(store, 2, 3, 0);
	weir_store_close(store);
	backup();
	snprintf(cmd, sizeof(cmd), "ls -d %s/20241004-*", to);
	find = popen(cmd, "r");
	ck_assert_ptr_nonnull(fgets(path, sizeof(path), find));
	pclose(find);
	path[strcspn(path, "\n")] = '\0';
	snprintf(cmd, sizeof(cmd), "printf x | dd of=%s/data.mdb bs=1 seek=30000 conv=notrunc "
		 "2>/dev/null", path);
	ck_assert_int_eq(system(cmd), 0);
	ck_assert_int_eq(weir_backup_verify(to, &quiet, &result), 0);
	ck_assert_uint_eq(result.damaged, 1);
	snprintf(new, sizeof(new), "%s/new", base);
	ck_assert_int_eq(weir_restore_new(to, new, &quiet, &result), -EBADMSG);
	ck_assert_int_ne(access(new, F_OK), 0);
	snprintf(cmd, sizeof(cmd), "sed -i s/^node/nodf/ %s/manifest", to);
	ck_assert_int_eq(system(cmd), 0);
	ck_assert_int_eq(weir_backup_verify(to, &quiet, &result), -EBADMSG);
}
END_TEST

/* A part of the store is damaged: its earlier copy stays, the rest goes on. */
START_TEST(test_damaged_store)
{
	struct weir_backup_result result;
	struct weir_store *store = folder_open(dir, false);
	size_t bytes;
	uint8_t *file;

	fill(store, 3, 3, 0);
	weir_store_close(store);
	result = backup();
	file = folder_read(folder_file("20241005"), &bytes);
	folder_write(folder_file("20241005"), file, bytes / 2);
	free(file);
	ck_assert_int_eq(weir_backup_make(dir, to, &quiet, &result), 0);
	ck_assert_uint_eq(result.damaged, 1);
	ck_assert_uint_eq(result.parts, 5);
	verify();
}
END_TEST

/* While a node writes, and days change: each backup is the store as of some commit. */
START_TEST(test_live)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct weir_store *store = folder_open(dir, false);

		for (uint64_t i = 0; i < 100000; i++) {
			if (folder_put(store, START + i / 40 * DAY, i * 100, 1 + i % 60))
				_exit(1);
			usleep(500);
		}
		_exit(2);
	}
	usleep(200000);
	for (unsigned i = 0; i < 8; i++) {
		struct weir_backup_result result;
		char new[128];

		backup();
		verify();
		snprintf(new, sizeof(new), "%s/new%u", base, i);
		ck_assert_int_eq(weir_restore_new(to, new, &quiet, &result), 0);
		check(new);
		folder_remove(new);
	}
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	check(dir);
}
END_TEST

START_TEST(test_mount)
{
	struct weir_store *store = folder_open(dir, false);
	struct weir_store_quota quota = {
		.keep_ns = 1, .release_block = 8, .release_segment = 8};
	struct weir_store_retained retained;
	struct weir_backup_result result;
	struct folder_seen all, own;
	struct weir_store_state state, after;

	fill(store, 4, 4, 0);
	all = see(store);
	weir_store_close(store);
	backup();
	store = folder_open(dir, false);
	/* All of it is there: nothing to mount. */
	ck_assert_int_eq(weir_restore_mount(dir, to, "all", &quiet, &result), -ENODATA);
	ck_assert(same(all, see(store)));
	ck_assert_int_eq(weir_store_retain(store, &quota, START + 30 * DAY, &retained), 0);
	ck_assert_uint_eq(retained.removed, 2);
	own = see(store);
	ck_assert_uint_lt(own.flows, all.flows);
	ck_assert_int_eq(weir_store_state(store, &state), 0);
	/* While the store is open: at once, and once. */
	weir_store_close(store);
	ck_assert_int_eq(weir_restore_mount(dir, to, "old", &quiet, &result), 0);
	ck_assert_uint_eq(result.parts, 2);
	store = folder_open(dir, false);
	ck_assert(same(all, see(store)));
	/* The ledger does not know it. */
	ck_assert(same(own, folder_scan(store)));
	ck_assert_int_eq(weir_store_state(store, &after), 0);
	ck_assert_mem_eq(&state, &after, sizeof(state));
	weir_store_close(store);
	/* The same once more under another name counts once. */
	ck_assert_int_eq(weir_restore_mount(dir, to, "again", &quiet, &result), 0);
	ck_assert_int_eq(weir_restore_mount(dir, to, "again", &quiet, &result), -EEXIST);
	ck_assert_int_eq(weir_restore_mount(dir, to, "../x", &quiet, &result), -EINVAL);
	store = folder_open(dir, false);
	ck_assert(same(all, see(store)));
	ck_assert_int_eq(weir_restore_unmount(dir, "old"), 0);
	ck_assert(same(all, see(store)));
	ck_assert_int_eq(weir_restore_unmount(dir, "again"), 0);
	ck_assert(same(own, see(store)));
	ck_assert_int_eq(weir_restore_unmount(dir, "again"), -ENOENT);
	ck_assert_int_eq(folder_put(store, START + 4 * DAY, 50000, 10), 0);
	weir_store_close(store);
	check(dir);
}
END_TEST

/* More days in a backup than descriptors allow to have open. */
START_TEST(test_mount_many)
{
	enum { DAYS = 60 };
	struct rlimit few = {72, 72};
	struct weir_store *store = folder_open(dir, false);
	struct weir_backup_result result;
	struct folder_seen all;

	fill(store, DAYS, 1, 0);
	all = see(store);
	weir_store_close(store);
	backup();
	folder_remove(dir);
	store = folder_open(dir, false);
	ck_assert_int_eq(folder_put(store, START, 0, 10), 0);
	weir_store_close(store);
	ck_assert_int_eq(weir_restore_mount(dir, to, "other", &quiet, &result), 0);
	ck_assert_uint_eq(result.parts, DAYS);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	store = folder_open(dir, false);
	for (unsigned i = 0; i < 2; i++) {
		int fd;

		ck_assert_uint_eq(see(store).flows, all.flows + 10);
		/* Some are left for others. */
		fd = dup(0);
		ck_assert_int_ge(fd, 0);
		ck_assert_int_lt(fd, 60);
		close(fd);
	}
	weir_store_close(store);
}
END_TEST

/* As format 1 had it: a partition does not say where it began. */
static void forget_base(const char *name)
{
	MDB_val key = {4, "base"};
	char path[160];
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	ck_assert_int_eq(mdb_env_create(&env), 0);
	mdb_env_set_maxdbs(env, 4);
	ck_assert_int_eq(mdb_env_open(env, path, 0, 0600), 0);
	ck_assert_int_eq(mdb_txn_begin(env, NULL, 0, &txn), 0);
	ck_assert_int_eq(mdb_dbi_open(txn, "meta", 0, &dbi), 0);
	ck_assert_int_eq(mdb_del(txn, dbi, &key, NULL), 0);
	ck_assert_int_eq(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
}

/* What an earlier weir wrote can be mounted too. */
START_TEST(test_mount_format_1)
{
	struct weir_store *store = folder_open(dir, false);
	struct weir_store_quota quota = {
		.keep_ns = 1, .release_block = 8, .release_segment = 8};
	struct weir_store_retained retained;
	struct weir_backup_result result;
	struct folder_seen all;

	fill(store, 4, 4, 0);
	all = see(store);
	weir_store_close(store);
	forget_base("20241004");
	forget_base("20241005");
	forget_base("20241006");
	forget_base("20241007");
	check(dir);
	backup();
	store = folder_open(dir, false);
	ck_assert(same(all, see(store)));
	ck_assert_int_eq(weir_store_retain(store, &quota, START + 30 * DAY, &retained), 0);
	ck_assert_uint_eq(retained.removed, 2);
	weir_store_close(store);
	ck_assert_int_eq(weir_restore_mount(dir, to, "old", &quiet, &result), 0);
	ck_assert_uint_eq(result.parts, 2);
	store = folder_open(dir, false);
	ck_assert(same(all, see(store)));
	weir_store_close(store);
}
END_TEST

/* The backup of another node has numbers of its own: all of it is shown. */
START_TEST(test_mount_other)
{
	struct weir_store *store = folder_open(dir, false);
	struct weir_backup_result result;
	struct folder_seen seen, more;

	fill(store, 2, 4, 0);
	seen = see(store);
	weir_store_close(store);
	backup();
	folder_remove(dir);
	store = folder_open(dir, false);
	fill(store, 2, 4, 0);
	weir_store_close(store);
	ck_assert_int_eq(weir_restore_mount(dir, to, "other", &quiet, &result), 0);
	store = folder_open(dir, false);
	more = see(store);
	ck_assert_uint_eq(more.flows, 2 * seen.flows);
	ck_assert_uint_eq(more.digest, 2 * seen.digest);
	weir_store_close(store);
	check(dir);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_backup");
	TCase *tests = tcase_create("store_backup");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, setup, folder_teardown);
	tcase_set_timeout(tests, 200);
	tcase_add_test(tests, test_new_store);
	tcase_add_test(tests, test_incremental);
	tcase_add_test(tests, test_foreign);
	tcase_add_test(tests, test_damaged_copy);
	tcase_add_test(tests, test_damaged_store);
	tcase_add_test(tests, test_live);
	tcase_add_test(tests, test_mount);
	tcase_add_test(tests, test_mount_many);
	tcase_add_test(tests, test_mount_format_1);
	tcase_add_test(tests, test_mount_other);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
