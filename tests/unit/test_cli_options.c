// SPDX-License-Identifier: GPL-2.0
/* options.c and table.c: what the command line takes, and how columns stand. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/cli/groups.h"
#include "daemon/cli/json.h"
#include "daemon/common/clock.h"

static int nothing(const struct weir_cli_options *o)
{
	return 0;
}

static const struct weir_cli_verb query = {"query", nothing, "s", "[FILTER]",
					   "jcnftbUKGIoAEFXxNMS", NULL, true, true};
static const struct weir_cli_verb sums = {"sums", nothing, "s", "[FILTER]", "jcF", NULL, true, false};
static const struct weir_cli_verb bare = {"bare", nothing, "s", "", "jv", NULL, false, false};

/* Words separated by blanks, as a shell would split them. */
static int parse(const struct weir_cli_verb *verb, const char *line, struct weir_cli_options *o)
{
	static char copy[256], *argv[32];
	char *rest = copy;
	int argc = 0;

	snprintf(copy, sizeof(copy), "%s", line);
	while ((argv[argc] = strsep(&rest, " ")))
		argc++;
	return weir_cli_options_parse(verb, argc, argv, o);
}

START_TEST(taken)
{
	struct weir_cli_options o;

	ck_assert_int_eq(
		parse(&query, "query tcp --limit 5 and port 80 -x --master=/tmp/s -o flows", &o),
		0);
	ck_assert_str_eq(o.words, "tcp and port 80");
	ck_assert_uint_eq(o.limit, 5);
	ck_assert(o.exact && o.limit_given && !o.json);
	ck_assert_int_eq(o.target, WEIR_TARGET_MASTER);
	ck_assert_str_eq(o.socket, "/tmp/s");
	ck_assert_str_eq(o.order, "flows");
	ck_assert_ptr_nonnull(o.filter);
	weir_cli_options_free(&o);
	ck_assert_int_eq(parse(&query, "query --sum bytes,packets --distinct dst --max rtt --distinct "
				       "dst,dport --every 5m --ascending --explain", &o), 0);
	ck_assert_uint_eq(o.figures, 4);
	ck_assert_str_eq(o.figure[0].kind, "sum");
	ck_assert_str_eq(o.figure[0].words, "bytes,packets");
	ck_assert_str_eq(o.figure[3].kind, "distinct");
	ck_assert_str_eq(o.figure[3].words, "dst,dport");
	ck_assert_str_eq(o.every, "5m");
	ck_assert_uint_eq(o.every_ns, 300000000000);
	ck_assert(o.ascending && o.explain);
	weir_cli_options_free(&o);
	ck_assert_int_eq(parse(&query, "query --node --socket /x --from @5 --to @6", &o), 0);
	ck_assert_int_eq(o.target, WEIR_TARGET_NODE);
	ck_assert_str_eq(o.socket, "/x");
	ck_assert_uint_eq(o.from_ns, 5000000000);
	ck_assert_uint_eq(o.to_ns, 6000000000);
	weir_cli_options_free(&o);
	/* --help wins over what is wrong besides */
	ck_assert_int_eq(parse(&bare, "bare words --help", &o), 0);
	ck_assert(o.help);
	weir_cli_options_free(&o);
}
END_TEST

START_TEST(refused)
{
	static const char *const lines[] = {
		"query --limt 5",     "query --limit",
		"query --limit x",    "query --limit -1",
		"query -q",	      "query --json --csv",
		"query --json=yes",   "query --node --master",
		"query --from 5x",    "query --from @6 --to @6",
		"query --order",      "query port x",
		"query tcp udp",      "query --output xml",
		"query --every 0",    "query --every soon",
		"query --csv --output json",
		"query --sum a --sum b --sum c --sum d --sum e --sum f --sum g --sum h --sum i",
	};
	struct weir_cli_options o;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		ck_assert_msg(parse(&query, lines[i], &o) == -EINVAL, "%s", lines[i]);
		weir_cli_options_free(&o);
	}
	ck_assert_int_eq(parse(&sums, "sums --output nfdump", &o), -EINVAL);
	weir_cli_options_free(&o);
	ck_assert_int_eq(parse(&bare, "bare word", &o), -EINVAL);
	weir_cli_options_free(&o);
	ck_assert_int_eq(parse(&bare, "bare --limit 1", &o), -EINVAL);
	weir_cli_options_free(&o);
}
END_TEST

START_TEST(outputs)
{
	static const struct {
		const char *line;
		enum weir_cli_output output;
		bool json, csv;
	} cases[] = {
		{"query", WEIR_OUTPUT_TABLE, false, false},
		{"query --output table", WEIR_OUTPUT_TABLE, false, false},
		{"query -j", WEIR_OUTPUT_JSON, true, false},
		{"query --json --output json", WEIR_OUTPUT_JSON, true, false},
		{"query --output JSONL", WEIR_OUTPUT_JSON_LINES, true, false},
		{"query --csv", WEIR_OUTPUT_CSV, false, true},
		{"query --output nfdump", WEIR_OUTPUT_NFDUMP, false, false},
	};
	struct weir_cli_options o;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_msg(parse(&query, cases[i].line, &o) == 0, "%s", cases[i].line);
		ck_assert_int_eq(o.output, cases[i].output);
		ck_assert_int_eq(o.json, cases[i].json);
		ck_assert_int_eq(o.csv, cases[i].csv);
		weir_cli_options_free(&o);
	}
}
END_TEST

/* What is written to stderr while @line is parsed. */
static const char *complaint(const char *line)
{
	static char text[512];
	struct weir_cli_options o;
	FILE *out = tmpfile();
	int saved = dup(STDERR_FILENO);
	size_t bytes;

	dup2(fileno(out), STDERR_FILENO);
	ck_assert_int_eq(parse(&query, line, &o), -EINVAL);
	weir_cli_options_free(&o);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(out);
	bytes = fread(text, 1, sizeof(text) - 1, out);
	text[bytes] = '\0';
	fclose(out);
	return text;
}

START_TEST(suggestions)
{
	ck_assert_ptr_nonnull(strstr(complaint("query --limt 5"), "did you mean --limit?"));
	ck_assert_ptr_nonnull(strstr(complaint("query --disinct dst"), "did you mean --distinct?"));
	ck_assert_ptr_nonnull(strstr(complaint("query --colour"), "see weir query --help"));
	/* The caret stands under the word at fault. */
	ck_assert_ptr_nonnull(strstr(complaint("query src prot 80"), "  src prot 80\n      ^\n"));
}
END_TEST

/* One moment in each form, in a zone that is not UTC. */
START_TEST(times)
{
	char text[48];

	setenv("TZ", "EST5", 1); /* POSIX: five hours behind, no summer time */
	tzset();
	ck_assert_str_eq(weir_cli_time_local(1795617185292006006, 3, text, sizeof(text)),
			 "2026-11-25 09:33:05.292");
	ck_assert_str_eq(weir_cli_time_local(1795617185292006006, 0, text, sizeof(text)),
			 "2026-11-25 09:33:05");
	ck_assert_str_eq(weir_cli_time_exact(1795617185292006006, text, sizeof(text)),
			 "2026-11-25T14:33:05.292006006Z");
	ck_assert_str_eq(weir_cli_show_duration(1234567, false, text, sizeof(text)), "1.23ms");
	ck_assert_str_eq(weir_cli_show_duration(45678901, false, text, sizeof(text)), "45.6ms");
	ck_assert_str_eq(weir_cli_show_duration(850000, false, text, sizeof(text)), "850us");
	ck_assert_str_eq(weir_cli_show_duration(1234567, true, text, sizeof(text)), "1234567");
}
END_TEST

/* On a terminal one line is rewritten from the second second on, and gone when a part comes. */
START_TEST(progress)
{
	Weir__Wire__Progress state = WEIR__WIRE__PROGRESS__INIT;
	Weir__Wire__Part part = WEIR__WIRE__PART__INIT;
	struct weir_cli_progress p = {.started_ns = weir_clock_monotonic_ns()};
	int terminal, screen, saved = dup(STDERR_FILENO);
	char text[256] = "";
	ssize_t bytes;

	ck_assert_int_eq(openpty(&screen, &terminal, NULL, NULL, NULL), 0);
	dup2(terminal, STDERR_FILENO);
	state.blocks = 3;
	state.blocks_total = 12;
	state.records = 3 * 65536;
	part.state = &state;
	weir_cli_progress_show(&p, &part);
	ck_assert(!p.shown); /* too early */
	p.started_ns -= 2 * WEIR_NS_PER_SECOND;
	weir_cli_progress_show(&p, &part);
	ck_assert(p.shown);
	part.state = NULL;
	weir_cli_progress_show(&p, &part);
	ck_assert(!p.shown);
	dup2(saved, STDERR_FILENO);
	close(saved);
	/* What was written arrives in pieces. */
	for (size_t used = 0; used < 5 || strcmp(text + used - 5, "d\r\033[K"); used += (size_t)bytes) {
		bytes = read(screen, text + used, sizeof(text) - 1 - used);
		ck_assert_int_gt(bytes, 0);
	}
	ck_assert_ptr_nonnull(strstr(text, "\r\033[K 25 %  3 of 12 blocks, 196 k records, "));
	close(terminal);
	close(screen);
}
END_TEST

START_TEST(table)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);
	struct weir_cli_table *t = weir_cli_table_new(out, "NAME|>COUNT|STATE");

	weir_cli_table_cell(t, "a");
	weir_cli_table_number(t, 12345678, false);
	weir_cli_table_cell(t, "x\033[2J");
	weir_cli_table_cell(t, "longer");
	weir_cli_table_number(t, 12345678, true);
	weir_cli_table_cell(t, "");
	ck_assert_int_eq(weir_cli_table_end(t), 0);
	fclose(out);
	ck_assert_str_eq(text, "NAME       COUNT  STATE\n"
			       "a         12.3 M  x?[2J\n"
			       "longer  12345678\n");
	free(text);
}
END_TEST

/* What nodes say goes to a terminal too. */
START_TEST(said)
{
	FILE *out = tmpfile();
	int saved = dup(STDERR_FILENO);
	char text[64] = "";

	dup2(fileno(out), STDERR_FILENO);
	weir_cli_say("missing: %s", "n\033[2J\x7f: no\nweir: all is well");
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(out);
	ck_assert_uint_gt(fread(text, 1, sizeof(text) - 1, out), 0);
	fclose(out);
	ck_assert_str_eq(text, "weir: missing: n?[2J?: no?weir: all is well\n");
}
END_TEST

static void check_caret(const char *filter, size_t at, const char *expected)
{
	FILE *out = tmpfile();
	int saved = dup(STDERR_FILENO);
	char text[200] = "";

	dup2(fileno(out), STDERR_FILENO);
	weir_cli_say_at("no", filter, at);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(out);
	ck_assert_uint_gt(fread(text, 1, sizeof(text) - 1, out), 0);
	fclose(out);
	ck_assert_ptr_nonnull(strstr(text, "See "));
	*strstr(text, "See ") = '\0';
	ck_assert_str_eq(text, expected);
}

/* It stands below the word, whatever is before it. */
START_TEST(caret)
{
	check_caret("port htp", 5, "weir: no\n  port htp\n       ^\n");
	check_caret("site K\xc3\xb6ln htp", 11, "weir: no\n  site K\xc3\xb6ln htp\n            ^\n");
	check_caret("a\nor\tport htp", 10, "weir: no\n  a or port htp\n            ^\n");
	check_caret("tcp and", 7, "weir: no\n  tcp and\n         ^\n");
}
END_TEST

static void check_order(const char *line, unsigned order, unsigned measures)
{
	struct weir_cli_options o;
	struct weir_cli_groups g;

	ck_assert_int_eq(parse(&query, line, &o), 0);
	ck_assert_int_eq(weir_cli_groups_new(&g, &o, "src"), 0);
	ck_assert_uint_eq(g.order, order);
	ck_assert_uint_eq(g.measures, measures);
	weir_cli_groups_free(&g);
	weir_cli_options_free(&o);
}

/* An order is the column that is there, in whatever way it is written. */
START_TEST(order_of_groups)
{
	check_order("query", 0, 3);
	check_order("query --order packets", 1, 3);
	check_order("query --order PACKETS", 1, 3);
	check_order("query --sum out_of_order,bytes,packets --order out-of-order", 0, 3);
	check_order("query --sum duration,bytes --order Duration", 0, 2);
	check_order("query --max rtt --order max-rtt", 0, 4);
	check_order("query --sum bytes --order packets", 1, 2);
	check_order("query --distinct dst --distinct dport --order distinct_dport", 1, 5);
}
END_TEST

START_TEST(times_at_the_ends)
{
	struct weir_cli_options o;

	/* 0 means no end to a node. */
	ck_assert_int_eq(parse(&query, "query --to @0", &o), 0);
	ck_assert_uint_eq(o.to_ns, 1);
	weir_cli_options_free(&o);
	ck_assert_int_eq(parse(&query, "query --from @0", &o), 0);
	ck_assert_uint_eq(o.to_ns, 0);
	weir_cli_options_free(&o);
}
END_TEST

START_TEST(numbers_in_json)
{
	json_t *number = weir_cli_json_number(UINT64_MAX);

	ck_assert(json_integer_value(number) == INT64_MAX);
	json_decref(number);
	number = weir_cli_json_totals(&(struct weir_totals){1, 2, 1ULL << 63});
	ck_assert(json_integer_value(json_object_get(number, "bytes")) == INT64_MAX);
	json_decref(number);
}
END_TEST

/* A flow as another JSON reader sees it. */
static json_t *read_back(const struct weir_cli_flow *flow, bool with_node)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);
	json_t *object;

	weir_cli_json_flow(out, flow, with_node, false);
	fclose(out);
	object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_msg(object, "%s", text);
	free(text);
	return object;
}

START_TEST(icmp_of_type_and_code_zero)
{
	struct weir_cli_flow flow = {.node = "", .in_name = "", .out_name = ""};
	json_t *object;

	flow.flow.ip_version = 4;
	flow.flow.protocol = 1;
	object = read_back(&flow, false);
	ck_assert(json_is_integer(json_object_get(object, "icmp_type")));
	ck_assert_ptr_null(json_object_get(object, "dport"));
	json_decref(object);
	flow.flow.protocol = 47; /* has neither */
	object = read_back(&flow, false);
	ck_assert_ptr_null(json_object_get(object, "icmp_type"));
	json_decref(object);
}
END_TEST

/* Names are what other machines say they are. */
START_TEST(names_in_json)
{
	static const struct {
		const char *name, *read;
	} cases[] = {
		{"router-1", "router-1"},
		{"a \"b\" \\ c", "a \"b\" \\ c"},
		{"line\nbreak\033[2J", "line\nbreak\033[2J"},
		{"M\xc3\xbcnchen", "M\xc3\xbcnchen"},
		{"broken\xff", "broken?"},
		{"", ""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct weir_cli_flow flow = {.node = cases[i].name, .in_name = "", .out_name = ""};
		json_t *object = read_back(&flow, true);

		ck_assert_str_eq(json_string_value(json_object_get(object, "node")), cases[i].read);
		json_decref(object);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cli_options");
	TCase *tcase = tcase_create("cli_options");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, taken);
	tcase_add_test(tcase, refused);
	tcase_add_test(tcase, outputs);
	tcase_add_test(tcase, suggestions);
	tcase_add_test(tcase, times);
	tcase_add_test(tcase, progress);
	tcase_add_test(tcase, table);
	tcase_add_test(tcase, said);
	tcase_add_test(tcase, caret);
	tcase_add_test(tcase, order_of_groups);
	tcase_add_test(tcase, times_at_the_ends);
	tcase_add_test(tcase, numbers_in_json);
	tcase_add_test(tcase, icmp_of_type_and_code_zero);
	tcase_add_test(tcase, names_in_json);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
