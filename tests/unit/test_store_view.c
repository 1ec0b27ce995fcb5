// SPDX-License-Identifier: GPL-2.0
/* test_store_view.c - plans and views against the rows that were put in. */
#include <check.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/store/internal.h"
#include "daemon/store/view.h"

#define DAY   (86400 * WEIR_NS_PER_SECOND)
#define START (20000 * DAY)

enum { BLOCKS = 5, EACH = 300 };

static char dir[64];
static struct weir_flow put_flows[BLOCKS][EACH];

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	return remove(path);
}

static void setup(void)
{
	snprintf(dir, sizeof(dir), "%s/weir-test-view-XXXXXX",
		 access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void fill(uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		bytes[i] = random();
}

/* Anything in every member, but for the times, which say where a block belongs, and
 * the packets, which number the flows. */
static void make_flows(unsigned block)
{
	memset(put_flows[block], 0, sizeof(put_flows[block]));
	for (unsigned i = 0; i < EACH; i++) {
		struct weir_flow *flow = &put_flows[block][i];

		for (unsigned id = 1; id < WEIR_COLUMN_END; id++) {
			const struct weir_column *column = weir_column_find(id);

			fill((uint8_t *)flow + column->offset, column->width);
		}
		flow->start_ns = START + block * DAY / 2 + i;
		flow->end_ns = flow->start_ns + 1000;
		flow->packets = block * EACH + i;
	}
}

static struct weir_store *fill_store(void)
{
	struct weir_store_options options = {0};
	struct weir_store_txn *txn;
	struct weir_store *store;

	srandom(1);
	ck_assert_int_eq(weir_store_open(dir, &options, &store), 0);
	for (unsigned i = 0; i < BLOCKS; i++) {
		make_flows(i);
		ck_assert_int_eq(weir_store_begin(store, START + i * DAY / 2, &txn), 0);
		ck_assert_int_eq(weir_store_put_block(txn, put_flows[i], EACH), 0);
		ck_assert_int_eq(weir_store_commit(txn), 0);
	}
	return store;
}

START_TEST(test_plan)
{
	static const struct {
		uint64_t from_ns, to_ns;
		unsigned first, count;
	} cases[] = {
		{0, UINT64_MAX, 0, BLOCKS},
		{0, START, 0, 0},
		{0, START + 1, 0, 1},
		{START + EACH + 1000, UINT64_MAX, 1, BLOCKS - 1},
		{START + EACH + 999, UINT64_MAX, 0, BLOCKS},
		{START + DAY / 2, START + DAY + 1, 1, 2},
		{START + 4 * DAY, UINT64_MAX, 0, 0},
	};
	struct weir_store *store = fill_store();
	struct weir_store_block *blocks;
	uint64_t damaged = 0;
	size_t count;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		ck_assert_int_eq(weir_store_plan(store, cases[i].from_ns, cases[i].to_ns, &blocks,
						 &count, &damaged),
				 0);
		ck_assert_uint_eq(count, cases[i].count);
		for (unsigned j = 0; j < count; j++) {
			ck_assert_uint_eq(blocks[j].number, cases[i].first + j + 1);
			ck_assert_uint_eq(blocks[j].records, EACH);
			ck_assert_uint_eq(blocks[j].min_ns,
					  START + (cases[i].first + j) * DAY / 2);
		}
		weir_store_plan_free(store, blocks);
	}
	ck_assert_int_eq(weir_store_plan_after(store, 3, &blocks, &count, NULL), 0);
	ck_assert_uint_eq(count, BLOCKS - 3);
	ck_assert_uint_eq(blocks[0].number, 4);
	weir_store_plan_free(store, blocks);
	ck_assert_uint_eq(damaged, 0);
	weir_store_close(store);
}
END_TEST

/* Rows may come in another order than they were put; packets tell which is which. */
static void check_columns(struct weir_store_view *view, unsigned block)
{
	struct weir_vector packets, vector;

	ck_assert_uint_eq(weir_store_view_records(view), EACH);
	ck_assert_int_eq(weir_store_view_column(view, WEIR_COLUMN_PACKETS, &packets), 0);
	for (unsigned id = 1; id < WEIR_COLUMN_END; id++) {
		const struct weir_column *column = weir_column_find(id);

		ck_assert_int_eq(weir_store_view_column(view, id, &vector), 0);
		ck_assert_uint_eq(vector.count, EACH);
		ck_assert_uint_eq(vector.width, column->width);
		for (unsigned row = 0; row < EACH; row++) {
			uint64_t number = weir_vector_number(&packets, row) - block * EACH;

			ck_assert_uint_lt(number, EACH);
			ck_assert_mem_eq(weir_vector_at(&vector, row),
					 (uint8_t *)&put_flows[block][number] + column->offset,
					 column->width);
		}
		ck_assert_uint_gt(weir_store_view_column_bytes(view, id), 0);
	}
}

static void check_rows(struct weir_store_view *view, unsigned block)
{
	uint64_t columns = WEIR_COLUMN_BIT(WEIR_COLUMN_PACKETS) |
			   WEIR_COLUMN_BIT(WEIR_COLUMN_SRC_MAC);
	struct weir_flow rows[EACH];

	ck_assert_int_eq(weir_store_view_rows(view, columns, rows), 0);
	for (unsigned row = 0; row < EACH; row++) {
		struct weir_flow expected = {.packets = rows[row].packets};

		memcpy(expected.src_mac,
		       put_flows[block][rows[row].packets - block * EACH].src_mac, 6);
		ck_assert_mem_eq(&rows[row], &expected, sizeof(expected));
	}
}

/* The index may say yes to what is not there, but never no to what is. */
static void check_index(struct weir_store_view *view, unsigned block)
{
	for (unsigned i = 0; i < EACH; i++) {
		const struct weir_flow *flow = &put_flows[block][i];

		for (unsigned id = 1; id < WEIR_COLUMN_END; id++) {
			const struct weir_column *column = weir_column_find(id);
			uint64_t value = 0, min, max;

			if (!column->number)
				continue;
			memcpy(&value, (const uint8_t *)flow + column->offset, column->width);
			if (weir_store_view_range(view, id, &min, &max)) {
				ck_assert_uint_le(min, value);
				ck_assert_uint_ge(max, value);
			}
			ck_assert(weir_store_view_may_hold_number(view, id, value, value));
			ck_assert(weir_store_view_may_hold_number(view, id, 0, UINT64_MAX));
		}
		for (unsigned bits = 0; bits <= 128; bits++)
			ck_assert(weir_store_view_may_hold_prefix(view, WEIR_COLUMN_DST_ADDR,
								  flow->dst_addr, bits));
	}
}

START_TEST(test_view)
{
	struct weir_store *store = fill_store();
	struct weir_store_block *blocks;
	struct weir_store_view *view;
	size_t count;

	ck_assert_int_eq(weir_store_plan(store, 0, UINT64_MAX, &blocks, &count, NULL), 0);
	ck_assert_uint_eq(count, BLOCKS);
	ck_assert_int_eq(weir_store_view_new(store, &view), 0);
	for (unsigned i = 0; i < count; i++) {
		ck_assert_int_eq(weir_store_view_open(view, &blocks[i]), 0);
		check_columns(view, i);
		check_rows(view, i);
		check_index(view, i);
		if (i % 2)
			weir_store_view_close(view);
	}
	blocks[0].number = BLOCKS + 1;
	ck_assert_int_eq(weir_store_view_open(view, &blocks[0]), -ESTALE);
	blocks[1].records++; /* as if the plan were older than a merge */
	ck_assert_int_eq(weir_store_view_open(view, &blocks[1]), -ESTALE);
	weir_store_view_free(view);
	weir_store_plan_free(store, blocks);
	weir_store_close(store);
}
END_TEST

/* Flip the last byte of the first block of the first day, which is of its last column. */
static void damage(void)
{
	char path[160], *file;
	uint32_t bytes;
	long size, at = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/20241004/data.mdb", dir);
	f = fopen(path, "r+b");
	ck_assert_ptr_nonnull(f);
	fseek(f, 0, SEEK_END);
	size = ftell(f);
	rewind(f);
	file = malloc(size);
	ck_assert_uint_eq(fread(file, 1, size, f), size);
	while (at + 48 < size && memcmp(file + at, "WBLK\2", 6))
		at++;
	ck_assert_int_lt(at + 48, size);
	memcpy(&bytes, file + at + 32, sizeof(bytes));
	at += bytes - 1;
	fseek(f, at, SEEK_SET);
	fputc(file[at] ^ 1, f);
	fclose(f);
	free(file);
}

static int count_blocks(void *arg, uint64_t block, const struct weir_flow *flows, size_t count)
{
	++*(unsigned *)arg;
	return 0;
}

/* Found by whoever reads the column, and by none else; the rest of the store is served. */
START_TEST(test_damaged_column)
{
	struct weir_store_options options = {0};
	struct weir_store_block *blocks;
	struct weir_store_view *view;
	struct weir_vector vector;
	uint64_t damaged = 0;
	unsigned whole = 0, hit = 0;
	struct weir_store *store;
	size_t count;

	weir_store_close(fill_store());
	damage();
	ck_assert_int_eq(weir_store_open(dir, &options, &store), 0);
	ck_assert_int_eq(weir_store_plan(store, 0, UINT64_MAX, &blocks, &count, NULL), 0);
	ck_assert_uint_eq(count, BLOCKS);
	ck_assert_int_eq(weir_store_view_new(store, &view), 0);
	for (unsigned i = 0; i < count; i++) {
		int ret;

		ck_assert_int_eq(weir_store_view_open(view, &blocks[i]), 0);
		ck_assert_int_eq(weir_store_view_column(view, WEIR_COLUMN_BYTES, &vector), 0);
		ret = weir_store_view_column(view, WEIR_COLUMN_END - 1, &vector);
		ck_assert(!ret || ret == -EBADMSG);
		hit += ret == -EBADMSG;
	}
	ck_assert_uint_eq(hit, 1);
	weir_store_view_free(view);
	free(blocks);
	ck_assert_int_eq(weir_store_scan(store, 0, UINT64_MAX, false, count_blocks, &whole,
					 &damaged),
			 0);
	ck_assert_uint_eq(damaged, 1);
	ck_assert_uint_eq(whole, BLOCKS - 1);
	weir_store_close(store);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_view");
	TCase *core = tcase_create("core");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, core);
	tcase_add_checked_fixture(core, setup, teardown);
	tcase_set_timeout(core, 120);
	tcase_add_test(core, test_plan);
	tcase_add_test(core, test_view);
	tcase_add_test(core, test_damaged_column);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
