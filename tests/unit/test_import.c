// SPDX-License-Identifier: GPL-2.0
/* test_import.c - files into a store of their own: once each, on from where it was stopped, and nowhere else. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/common/log.h"
#include "daemon/exchange/import.h"
#include "daemon/store/store.h"
#include "tests/bench/flowgen.h"

enum { COUNT = 150000 }; /* more than two blocks */

static char folder[64], into[80];
static struct weir_import_result result;
static atomic_bool stop;
static struct weir_totals written;

static int put_message(void *arg, const uint8_t *message, size_t bytes)
{
	return fwrite(message, 1, bytes, arg) == bytes ? 0 : -EIO;
}

/* A file of @count flows; @hole: with as many bytes zero in the middle. */
static char *make_file(const char *name, unsigned seed, size_t count, size_t hole)
{
	struct weir_flowgen_options options = {.seed = seed, .tuples = 10000};
	struct weir_flowgen *gen = weir_flowgen_new(&options);
	struct weir_ipfix_writer_options how = {.domain = 3, .name = "else\twhere", .export_time = 1767230000};
	struct weir_ipfix_writer *writer;
	struct weir_flow flow;
	char *path;
	FILE *file;

	ck_assert_int_gt(asprintf(&path, "%s/%s", folder, name), 0);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(weir_ipfix_writer_new(&how, put_message, file, &writer), 0);
	memset(&written, 0, sizeof(written));
	for (size_t i = 0; i < count; i++) {
		weir_flowgen_fill(gen, &flow, 1);
		weir_flow_count(&written, &flow);
		ck_assert_int_eq(weir_ipfix_writer_put(writer, &flow), 0);
	}
	weir_ipfix_writer_end(writer);
	weir_ipfix_writer_free(writer);
	weir_flowgen_free(gen);
	if (hole) {
		fseek(file, ftell(file) / 2, SEEK_SET);
		for (size_t i = 0; i < hole; i++)
			fputc(0, file);
	}
	fclose(file);
	return path;
}

static void stop_there(void *arg, uint64_t offset, const char *sentence)
{
	atomic_store(&stop, true);
}

static int import(const char *path, weir_ipfix_complain *complain)
{
	struct weir_import_options options = {.into = into, .file = path, .stop = &stop, .complain = complain};

	return weir_import_ipfix(&options, &result);
}

static int add_flows(void *arg, uint64_t block, const struct weir_flow *flows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		weir_flow_count(arg, &flows[i]);
	return 0;
}

/* What is in the store, counted, and that its own books say the same. */
static struct weir_totals stored(void)
{
	struct weir_store_options options = {.read_only = true};
	struct weir_totals sum = {0}, books;
	struct weir_store_position position;
	struct weir_store *store;

	ck_assert_int_eq(weir_store_open(into, &options, &store), 0);
	ck_assert_int_eq(weir_store_scan(store, 0, UINT64_MAX, false, add_flows, &sum, NULL), 0);
	ck_assert_int_eq(weir_store_stored(store, &books), 0);
	ck_assert(weir_totals_equal(&sum, &books));
	ck_assert_int_eq(weir_store_position(store, &position), 0);
	weir_totals_add(&position.before, &position.received);
	ck_assert(weir_totals_equal(&sum, &position.before));
	weir_store_close(store);
	return sum;
}

static void read_list(char *text, size_t bytes)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", into, WEIR_STORE_IMPORTS);
	file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	text[fread(text, 1, bytes - 1, file)] = '\0';
	fclose(file);
}

static void setup(void)
{
	strcpy(folder, "/tmp/weir-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(into, sizeof(into), "%s/store", folder);
	atomic_store(&stop, false);
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	ck_assert_int_eq(system(command), 0);
}

START_TEST(once_each)
{
	char *a = make_file("a", 1, COUNT, 0), *b, list[1024];
	struct weir_totals sum = written, now;

	ck_assert_int_eq(import(a, NULL), 0);
	ck_assert(weir_totals_equal(&result.added, &written));
	ck_assert_str_eq(result.name, "else\twhere");
	ck_assert_int_eq(import(a, NULL), -EEXIST);
	b = make_file("b", 2, 10, 0);
	weir_totals_add(&sum, &written);
	ck_assert_int_eq(import(b, NULL), 0);
	ck_assert_int_eq(import(a, NULL), -EEXIST); /* also when it is not the last one */
	now = stored();
	ck_assert(weir_totals_equal(&now, &sum));
	read_list(list, sizeof(list));
	ck_assert_ptr_nonnull(strstr(list, "\t150000\telse?where\t/tmp/"));
	ck_assert_ptr_nonnull(strstr(list, "\tdone\t"));
	ck_assert_ptr_null(strstr(list, "\tbegun\t"));
	free(a);
	free(b);
}
END_TEST

START_TEST(goes_on)
{
	char *a = make_file("a", 3, COUNT, 20000);
	struct weir_totals first, all;

	ck_assert_int_eq(import(a, stop_there), -ECANCELED);
	first = stored();
	ck_assert(weir_totals_equal(&first, &result.added));
	ck_assert_uint_gt(first.flows, COUNT / 3);
	ck_assert_uint_lt(first.flows, COUNT * 2 / 3);
	atomic_store(&stop, false);
	ck_assert_int_eq(import(a, NULL), 0);
	ck_assert_uint_eq(result.before, first.flows);
	all = stored();
	ck_assert_uint_eq(all.flows, result.before + result.added.flows);
	ck_assert_uint_eq(all.flows, result.counts.flows);
	ck_assert_uint_lt(all.flows, COUNT);
	ck_assert_uint_gt(all.flows, COUNT - 1000);
	ck_assert_int_eq(import(a, NULL), -EEXIST);
	free(a);
}
END_TEST

/* The place in a file is forgotten when another one is begun: it is not imported a second time then. */
START_TEST(not_in_two_parts)
{
	char *a = make_file("a", 4, COUNT, 20000), *b = make_file("b", 5, 10, 0), list[1024];
	uint64_t part;

	ck_assert_int_eq(import(a, stop_there), -ECANCELED);
	part = result.added.flows;
	atomic_store(&stop, false);
	ck_assert_int_eq(import(b, NULL), 0);
	ck_assert_int_eq(import(a, NULL), -EEXIST);
	ck_assert_ptr_nonnull(strstr(result.why, "a part of it"));
	ck_assert_uint_eq(stored().flows, part + 10);
	read_list(list, sizeof(list));
	ck_assert_ptr_nonnull(strstr(list, "\tpart.\t"));
	free(a);
	free(b);
}
END_TEST

START_TEST(nothing_of_what_is_no_ipfix)
{
	char *a = make_file("a", 6, 10, 0), list[256];

	ck_assert_int_eq(import("/proc/self/exe", NULL), -EPROTO);
	read_list(list, sizeof(list));
	ck_assert_str_eq(list, "");
	ck_assert_int_eq(import(a, NULL), 0);
	ck_assert_int_eq(import("/nowhere", NULL), -ENOENT);
	ck_assert_uint_eq(stored().flows, 10);
	free(a);
}
END_TEST

/* Neither do imports come into a node's store, nor does a node write into one of imports. */
START_TEST(apart)
{
	struct weir_store_options options = {0};
	struct weir_store *store;
	char *a = make_file("a", 7, 10, 0);

	ck_assert_int_eq(weir_store_open(into, &options, &store), 0);
	weir_store_close(store);
	ck_assert_int_eq(import(a, NULL), -EPERM);
	snprintf(into, sizeof(into), "%s/other", folder);
	ck_assert_int_eq(import(a, NULL), 0);
	ck_assert_int_eq(weir_store_open(into, &options, &store), -EPERM);
	free(a);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("import");
	TCase *tests = tcase_create("import");
	SRunner *runner = srunner_create(suite);
	int failed;

	weir_log_init("test_import", false);
	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, once_each);
	tcase_add_test(tests, goes_on);
	tcase_add_test(tests, not_in_two_parts);
	tcase_add_test(tests, nothing_of_what_is_no_ipfix);
	tcase_add_test(tests, apart);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
