// SPDX-License-Identifier: GPL-2.0
/*
 * The engine against the second definition of the filter language in language.c: flows in a
 * store of several blocks, random filters, and the flows that a list finds. WEIR_SEED=N repeats a
 * run.
 */
#include "tests/unit/store_folder.h"

#include "daemon/query/filter.h"
#include "daemon/query/names.h"
#include "daemon/query/query.h"
#include "tests/unit/language.h"

enum { ROUNDS = 12, EXPRESSIONS = 120 };

#define HOUR (3600 * WEIR_NS_PER_SECOND)

static const unsigned block_sizes[] = {1, 15, 16, 32};
static uint64_t base_ns; /* of the first flow */

/* Flow i begins i hours after the first: that tells them apart and no filter asks for it. */
static void move_flows(void)
{
	for (unsigned i = 0; i < LANGUAGE_FLOWS; i++) {
		struct weir_flow *f = &language_flows[i];

		base_ns = i ? base_ns : f->start_ns;
		f->start_ns += i * HOUR;
		f->end_ns += i * HOUR;
		f->second_ns += f->second_ns ? i * HOUR : 0;
		f->payload_ns += f->payload_ns ? i * HOUR : 0;
	}
}

static struct weir_store *make_store(void)
{
	struct weir_store *store = folder_open(dir, false);
	struct weir_store_position position = {.instance = 1};
	struct weir_store_txn *txn;
	unsigned first = 0;

	for (unsigned i = 0; i < sizeof(block_sizes) / sizeof(block_sizes[0]); i++) {
		position.seq = i + 1;
		ck_assert_int_eq(weir_store_begin(store, base_ns, &txn), 0);
		weir_store_put_block(txn, language_flows + first, block_sizes[i]);
		weir_store_put_position(txn, &position);
		ck_assert_int_eq(weir_store_commit(txn), 0);
		first += block_sizes[i];
	}
	ck_assert_uint_eq(first, LANGUAGE_FLOWS);
	return store;
}

static int take(void *arg, const struct weir_flow *flow)
{
	uint64_t *found = arg, bit = 1ULL << (flow->start_ns - base_ns) / HOUR;

	ck_assert_msg(!(*found & bit), "a flow came twice");
	*found |= bit;
	return 0;
}

static void ask(struct weir_store *store, const struct weir_names *names,
		const struct expression *e)
{
	static const struct weir_list list = {.order = WEIR_LIST_AS_FOUND};
	struct weir_query query = {.threads = 1 + language_up_to(2)};
	struct weir_query_result result;
	struct weir_filter *filter;
	char error[256] = "";
	uint64_t found = 0;

	ck_assert_msg(weir_filter_parse(e->text, &filter, error, sizeof(error), NULL) == 0,
		      "%s: %s", e->text, error);
	ck_assert_int_eq(weir_filter_bind(filter, names, error, sizeof(error), NULL), 0);
	query.filter = filter;
	ck_assert_int_eq(weir_query_list(store, &query, &list, take, &found, &result), 0);
	ck_assert_msg(found == e->holds, "%s: found %016" PRIx64 ", not %016" PRIx64, e->text,
		      found, e->holds);
	ck_assert_uint_eq(result.matched.flows, (uint64_t)__builtin_popcountll(e->holds));
	weir_filter_free(filter);
}

START_TEST(engine_and_language)
{
	const char *wanted = getenv("WEIR_SEED");
	struct expression *e = malloc(sizeof(*e));
	struct weir_names *names;

	srandom(wanted ? (unsigned)atoi(wanted) : 20261125);
	ck_assert_int_eq(weir_names_new("here", "some where", &names), 0);
	ck_assert_int_eq(weir_names_add(names, 3, "eth0"), 0);
	ck_assert_int_eq(weir_names_add(names, 4, "eth1"), 0);
	ck_assert_int_eq(weir_names_add(names, 5, "wan0"), 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct weir_store *store;

		folder_setup();
		language_make_flows();
		move_flows();
		store = make_store();
		for (unsigned i = 0; i < EXPRESSIONS; i++) {
			memset(e, 0, sizeof(*e));
			language_make(e, 2);
			if (strlen(e->text) + 1 < sizeof(e->text))
				ask(store, names, e);
		}
		weir_store_close(store);
		folder_teardown();
	}
	weir_names_free(names);
	free(e);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("query_language");
	TCase *tcase = tcase_create("query_language");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 240);
	tcase_add_test(tcase, engine_and_language);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
