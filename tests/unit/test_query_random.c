// SPDX-License-Identifier: GPL-2.0
/*
 * test_query_random.c - the engine against naive.c: random questions about random stores,
 * with any number of threads and so little memory that most must be spilled. Both answers,
 * written out with all members, must be the same text.
 *
 * A failure names its seed and question; WEIR_SEED=N runs that seed, WEIR_ROUNDS=N more rounds.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/common/log.h"
#include "tests/unit/naive.h"
#include "tests/unit/random_query.h"

enum {
	BLOCKS_MAX = 24,
	ROWS_MAX = 4000,
	ROUNDS = 100, /* questions of each kind to each store */
};

#define BASE (1795446000ULL * WEIR_NS_PER_SECOND)
#define DAY  (86400 * WEIR_NS_PER_SECOND)

struct one_store {
	struct random_flows flows;
	unsigned blocks, block_rows;
	unsigned days;
	bool damaged;
};

static const struct one_store stores[] = {
	{{BASE, 20, 0, 0, false, false}, 5, 300, 1, false},    /* common hosts */
	{{BASE, 40, 60, 20, false, false}, 8, 250, 1, false},  /* rare hosts, some IPv6 */
	{{BASE, 10, 5, 50, true, false}, 4, 500, 1, false},    /* constants */
	{{BASE, 30, 10, 10, false, true}, 12, 150, 3, false},  /* several partitions, pairs */
	{{BASE, 15, 10, 30, false, true}, 20, 60, 2, true},    /* one block is damaged */
	{{BASE, 3, 0, 100, false, true}, 6, 1, 1, false},      /* blocks of one record */
	{{BASE, 10, 20, 20, false, true}, 20, 2, 1, false},    /* blocks of two */
	{{BASE, 20, 50, 10, false, true}, 1, 3000, 1, false},  /* one block */
	{{BASE, 20, 50, 10, false, true}, 0, 0, 1, false},     /* nothing */
};

static struct weir_flow rows[ROWS_MAX];
static size_t row_count;
static struct weir_store *store;
static char folder[64];

/* An answer as text. */
struct text {
	char *at;
	size_t length, room;
};

static void add_bytes(struct text *text, const void *bytes, size_t count)
{
	static const char digits[] = "0123456789abcdef";

	if (text->length + 2 * count + 2 > text->room) {
		text->room = 2 * (text->room + 2 * count + 2);
		text->at = realloc(text->at, text->room);
		ck_assert_ptr_nonnull(text->at);
	}
	for (size_t i = 0; i < count; i++) {
		uint8_t byte = ((const uint8_t *)bytes)[i];

		text->at[text->length++] = digits[byte >> 4];
		text->at[text->length++] = digits[byte & 15];
	}
	text->at[text->length++] = ' ';
	text->at[text->length] = '\0';
}

static void add_number(struct text *text, uint64_t number)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%" PRIu64, number);
	if (text->length + 32 > text->room) {
		text->room = 2 * (text->room + 32);
		text->at = realloc(text->at, text->room);
		ck_assert_ptr_nonnull(text->at);
	}
	text->length += (size_t)sprintf(text->at + text->length, "%s ", digits);
}

static void end_line(struct text *text)
{
	add_bytes(text, NULL, 0);
	text->at[text->length - 1] = '\n';
}

static int write_flow(void *arg, const struct weir_flow *f)
{
	struct text *text = arg;

	for (unsigned i = 0; i < weir_column_count; i++)
		add_bytes(text, (const uint8_t *)f + weir_column_table[i].offset,
			  weir_column_table[i].width);
	end_line(text);
	return 0;
}

struct group_text {
	struct text text;
	const struct weir_query_spec *spec;
};

static int write_group(void *arg, const uint8_t *key, const uint64_t *value)
{
	struct group_text *g = arg;

	add_bytes(&g->text, key, g->spec->fields.key_bytes);
	for (unsigned m = 0; m < g->spec->measures; m++)
		add_number(&g->text, value[m]);
	end_line(&g->text);
	return 0;
}

static void write_side(struct text *text, const struct weir_pair_side *side)
{
	add_number(text, side->records);
	add_number(text, side->packets);
	add_number(text, side->bytes);
	add_number(text, side->start_ns);
	add_number(text, side->end_ns);
	add_number(text, side->retransmitted);
	add_number(text, side->out_of_order);
	add_number(text, side->fragments);
	add_number(text, side->tcp_flags);
	add_number(text, side->min_ttl);
	add_number(text, side->end_reason);
}

static int write_pair(void *arg, const struct weir_pair *pair)
{
	struct text *text = arg;

	add_bytes(text, pair->src_addr, 16);
	add_bytes(text, pair->dst_addr, 16);
	add_number(text, pair->src_port);
	add_number(text, pair->dst_port);
	add_number(text, pair->protocol);
	add_number(text, pair->ip_version);
	add_number(text, pair->netns);
	add_number(text, pair->tunnel);
	add_number(text, pair->tunnel_id);
	add_number(text, pair->initiator_seen);
	add_number(text, pair->start_ns);
	add_number(text, pair->end_ns);
	write_side(text, &pair->forward);
	write_side(text, &pair->reverse);
	add_number(text, pair->server_rtt_ns);
	add_number(text, pair->client_rtt_ns);
	add_number(text, pair->rtt_ns);
	add_number(text, pair->response_ns);
	end_line(text);
	return 0;
}

static void write_totals(struct text *text, const struct weir_query_result *result)
{
	add_number(text, result->matched.flows);
	add_number(text, result->matched.packets);
	add_number(text, result->matched.bytes);
	end_line(text);
}

static void put_blocks(const struct one_store *one)
{
	struct weir_store_position position = {.instance = 1};
	struct weir_store_txn *txn;

	row_count = 0;
	for (unsigned i = 0; i < one->blocks; i++) {
		uint64_t day = one->days * i / one->blocks;
		struct random_flows kind = one->flows;
		size_t first = row_count;

		kind.base_ns += day * DAY + i * 7 * WEIR_NS_PER_SECOND;
		for (unsigned k = 0; k < one->block_rows; k++, row_count++)
			random_flow(&kind, k ? &rows[row_count - 1] : NULL, &rows[row_count]);
		position.seq = i + 1;
		ck_assert_int_eq(weir_store_begin(store, BASE + day * DAY, &txn), 0);
		weir_store_put_block(txn, rows + first, one->block_rows);
		weir_store_put_position(txn, &position);
		ck_assert_int_eq(weir_store_commit(txn), 0);
	}
}

/* Change the number of records in the header of a block in the oldest partition. */
static void damage_block(void)
{
	char path[160], day[16], *file, *found;
	time_t seconds = (time_t)(BASE / WEIR_NS_PER_SECOND);
	struct stat status;
	struct tm tm;
	int fd;

	strftime(day, sizeof(day), "%Y%m%d", gmtime_r(&seconds, &tm));
	snprintf(path, sizeof(path), "%s/%s/data.mdb", folder, day);
	fd = open(path, O_RDWR);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &status), 0);
	file = malloc((size_t)status.st_size);
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(pread(fd, file, (size_t)status.st_size, 0), status.st_size);
	found = memmem(file, (size_t)status.st_size, "WBLK", 4);
	ck_assert_ptr_nonnull(found);
	found[8] ^= 1;
	ck_assert_int_eq(pwrite(fd, found + 8, 1, found + 8 - file), 1);
	free(file);
	close(fd);
}

static int mark_block(void *arg, uint64_t block, const struct weir_flow *flows, size_t count)
{
	((bool *)arg)[block] = true;
	return 0;
}

/* The naive side does without the block that cannot be read, too. */
static void forget_damaged(const struct one_store *one)
{
	bool readable[BLOCKS_MAX + 2] = {false};
	uint64_t damaged = 0;
	size_t kept = 0;

	ck_assert_int_eq(weir_store_scan(store, 0, UINT64_MAX, false, mark_block, readable,
					 &damaged), 0);
	ck_assert_uint_eq(damaged, 1);
	for (unsigned i = 0; i < one->blocks; i++) {
		if (!readable[i + 1])
			continue;
		memmove(rows + kept, rows + i * one->block_rows,
			one->block_rows * sizeof(*rows));
		kept += one->block_rows;
	}
	row_count = kept;
}

static void open_store(const struct one_store *one)
{
	const struct weir_store_options options = {.max_bytes = 64 << 20};

	strcpy(folder, "/tmp/weir-test-random-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(weir_store_open(folder, &options, &store), 0);
	put_blocks(one);
	if (!one->damaged)
		return;
	weir_store_close(store);
	damage_block();
	ck_assert_int_eq(weir_store_open(folder, &options, &store), 0);
	forget_damaged(one);
}

static void close_store(void)
{
	char command[96];

	weir_store_close(store);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	ck_assert_int_eq(system(command), 0);
}

/* A question's beginning: times, filter, threads, memory. */
struct question {
	struct weir_query query;
	struct weir_filter *filter;
	char text[RANDOM_FILTER_MAX];
	char words[RANDOM_FILTER_MAX + 200];
};

/* Somewhere, or just where a flow begins or ends. */
static uint64_t random_time(uint64_t span, bool start)
{
	const struct weir_flow *flow = row_count ? &rows[random_below((unsigned)row_count)] : NULL;

	if (flow && random_below(2))
		return (start ? flow->start_ns : flow->end_ns) + random_below(3) - 1;
	if (random_below(2))
		return BASE + random_below(300) * WEIR_NS_PER_SECOND;
	return BASE + random_below(100) * (span / 100);
}

static void random_question(struct question *q, const struct one_store *one)
{
	static const uint64_t memories[] = {0, 8 << 10, 32 << 10, 128 << 10, 1 << 20};
	uint64_t span = one->days * DAY;
	char error[160];

	memset(&q->query, 0, sizeof(q->query));
	do {
		random_filter(q->text);
		q->filter = NULL;
	} while (*q->text && weir_filter_parse(q->text, &q->filter, error, sizeof(error), NULL));
	q->query.filter = q->filter;
	if (random_below(3) == 0)
		q->query.from_ns = random_time(span, false);
	if (random_below(3) == 0)
		q->query.to_ns = random_time(span, true);
	if (random_below(10) == 0)
		q->query.to_ns = UINT64_MAX;
	q->query.threads = 1 + random_below(3);
	q->query.memory_bytes = memories[random_below(5)];
	q->query.spill_dir = "/tmp";
	q->query.background = random_below(2);
	snprintf(q->words, sizeof(q->words), "\"%s\" from %" PRIu64 " to %" PRIu64
		 ", %u threads, %" PRIu64 " bytes", q->text, q->query.from_ns, q->query.to_ns,
		 q->query.threads, q->query.memory_bytes);
}

static uint64_t spilled; /* of all questions: the test is to show something */

static void compare(const struct question *q, const char *what, const struct text *answer,
		    const struct text *expected)
{
	const char *a = answer->at ? answer->at : "", *b = expected->at ? expected->at : "";
	size_t line = 0;

	if (!strcmp(a, b))
		return;
	for (; *a && *a == *b; a++, b++)
		line += *a == '\n';
	ck_abort_msg("%s %s: line %zu differs: ...%.300s\n  expected ...%.300s", what, q->words,
		     line, a, b);
}

static void ask_list(const struct one_store *one, const struct naive_rows *naive)
{
	struct weir_query_result result, expected_result = {0};
	struct text answer = {0}, expected = {0};
	struct question q;
	struct weir_list list;
	char what[96];

	random_question(&q, one);
	random_list(&list);
	snprintf(what, sizeof(what), "list by %s%s limit %" PRIu64,
		 list.order == WEIR_LIST_BY_END ? "end" : list.quantity->word,
		 list.ascending ? " ascending" : "", list.limit);
	ck_assert_msg(!weir_query_list(store, &q.query, &list, write_flow, &answer, &result),
		      "%s %s", what, q.words);
	ck_assert_int_eq(naive_list(naive, &q.query, &list, write_flow, &expected,
				    &expected_result), 0);
	write_totals(&answer, &result);
	write_totals(&expected, &expected_result);
	compare(&q, what, &answer, &expected);
	spilled += result.spilled_bytes;
	free(answer.at);
	free(expected.at);
	weir_filter_free(q.filter);
}

static void describe(const struct weir_query_spec *spec, char *text, size_t bytes)
{
	char title[WEIR_FIELDS_TEXT_MAX];
	size_t used = (size_t)snprintf(text, bytes, "groups");

	for (unsigned i = 0; i < spec->fields.count; i++)
		used += (size_t)snprintf(text + used, bytes - used, " %s",
					 weir_fields_title(&spec->fields, i, title, sizeof(title)));
	for (unsigned m = 0; m < spec->measures; m++)
		used += (size_t)snprintf(text + used, bytes - used, " %u:%s",
					 (unsigned)spec->measure[m].kind,
					 spec->measure[m].kind == WEIR_MEASURE_DISTINCT ?
						 weir_fields_word(&spec->measure[m].distinct, 0) :
						 spec->measure[m].quantity->word);
	snprintf(text + used, bytes - used, " order %d%s limit %" PRIu64, spec->order,
		 spec->reverse ? " reverse" : "", spec->limit);
}

static void write_rest(struct group_text *g, const struct weir_query_rest *rest)
{
	add_number(&g->text, rest->groups);
	for (unsigned m = 0; m < g->spec->measures; m++) {
		add_number(&g->text, rest->value[m]);
		add_number(&g->text, rest->largest[m]);
	}
}

static void ask_groups(const struct one_store *one, const struct naive_rows *naive)
{
	struct weir_query_result result, expected_result = {0};
	struct weir_query_rest rest, expected_rest = {0};
	struct weir_query_spec spec;
	struct group_text answer = {.spec = &spec}, expected = {.spec = &spec};
	struct question q;
	char what[512];
	int ret;

	random_question(&q, one);
	random_spec(&spec);
	describe(&spec, what, sizeof(what));
	ret = weir_query_groups(store, &q.query, &spec, write_group, &answer, &rest, &result);
	ck_assert_msg(!ret, "%s %s: %d, %s", what, q.words, ret, result.bound);
	ck_assert_int_eq(naive_groups(naive, &q.query, &spec, write_group, &expected,
				      &expected_rest, &expected_result), 0);
	write_rest(&answer, &rest);
	write_rest(&expected, &expected_rest);
	write_totals(&answer.text, &result);
	write_totals(&expected.text, &expected_result);
	compare(&q, what, &answer.text, &expected.text);
	spilled += result.spilled_bytes;
	free(answer.text.at);
	free(expected.text.at);
	weir_filter_free(q.filter);
}

static void ask_pairs(const struct one_store *one, const struct naive_rows *naive)
{
	struct weir_query_result result, expected_result = {0};
	struct text answer = {0}, expected = {0};
	uint64_t count, expected_count;
	struct weir_pairs pairs;
	struct question q;
	char what[96];

	random_question(&q, one);
	random_pairs(&pairs);
	snprintf(what, sizeof(what), "pairs by %u%s limit %" PRIu64 " gap %" PRIu64,
		 (unsigned)pairs.order, pairs.ascending ? " ascending" : "", pairs.limit,
		 pairs.gap_ns);
	ck_assert_msg(!weir_query_pairs(store, &q.query, &pairs, write_pair, &answer, &count,
					&result), "%s %s", what, q.words);
	ck_assert_int_eq(naive_pairs(naive, &q.query, &pairs, write_pair, &expected,
				     &expected_count, &expected_result), 0);
	add_number(&answer, count);
	add_number(&expected, expected_count);
	write_totals(&answer, &result);
	write_totals(&expected, &expected_result);
	compare(&q, what, &answer, &expected);
	spilled += result.spilled_bytes;
	free(answer.at);
	free(expected.at);
	weir_filter_free(q.filter);
}

static unsigned rounds(void)
{
	const char *text = getenv("WEIR_ROUNDS");

	return text ? (unsigned)strtoul(text, NULL, 10) : ROUNDS;
}

START_TEST(same_answers)
{
	const struct one_store *one = &stores[_i];
	const struct naive_rows naive = {rows, 0};
	const char *text = getenv("WEIR_SEED");
	unsigned seed = text ? (unsigned)strtoul(text, NULL, 10) : 1 + (unsigned)_i;
	struct naive_rows all = naive;

	srandom(seed);
	fprintf(stderr, "store %d: seed %u\n", _i, seed);
	open_store(one);
	all.count = row_count;
	spilled = 0;
	for (unsigned i = 0; i < rounds(); i++) {
		ask_list(one, &all);
		ask_groups(one, &all);
		ask_pairs(one, &all);
	}
	if (row_count > 500)
		ck_assert_uint_gt(spilled, 0);
	close_store();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("query_random");
	TCase *tcase = tcase_create("query_random");
	SRunner *runner = srunner_create(suite);
	int failed;

	weir_log_init("test_query_random", false);
	tcase_set_timeout(tcase, 600);
	tcase_add_loop_test(tcase, same_answers, 0, sizeof(stores) / sizeof(stores[0]));
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
