// SPDX-License-Identifier: GPL-2.0
/*
 * series.c - weir series: figures over time.
 *
 * Without --by every step of the time asked for has a row, so that a plot has no holes: a step
 * in which nothing ended is a row of zeros. With --by only what there is has one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/cli/groups.h"
#include "daemon/common/clock.h"

enum {
	ROWS_FILLED_MAX = 1000000, /* a step of a second over twelve days */
};

static uint64_t time_at(const struct weir_cli_groups *g, size_t row)
{
	uint64_t ns = 0;

	weir_cli_groups_time(g, 0, g->keys + row * g->fields.key_bytes, &ns);
	return ns;
}

static uint64_t step_of(const struct weir_cli_groups *g, uint64_t ns)
{
	return ns - ns % g->series_ns;
}

/* The steps to show: of the time asked for, else of what there is. False: none. */
static bool find_span(const struct weir_cli_groups *g, uint64_t *first, uint64_t *last)
{
	const struct weir_cli_options *o = g->options;
	uint64_t now = weir_clock_now_ns();
	uint64_t end = o->to_ns && o->to_ns < now ? o->to_ns - 1 : now;

	*first = o->from_ns ? step_of(g, o->from_ns) : UINT64_MAX;
	*last = o->from_ns || o->to_ns ? step_of(g, end) : 0;
	if (g->count) {
		uint64_t low = time_at(g, 0), high = time_at(g, g->count - 1);

		*first = low < *first ? low : *first;
		*last = high > *last ? high : *last;
	}
	return *first <= *last;
}

static int copy_row(struct weir_cli_groups *into, const struct weir_cli_groups *from, size_t row)
{
	return weir_cli_groups_add(into, from->keys + row * from->fields.key_bytes,
				   from->low + row * from->measures,
				   from->high + row * from->measures);
}

/* 1: too many steps, it stays as it is. */
static int fill(struct weir_cli_groups *g)
{
	static const uint64_t zero[WEIR_QUERY_MEASURES_MAX];
	struct weir_cli_groups full = *g;
	uint64_t first, last;
	size_t row = 0;
	int ret = 0;

	if (!find_span(g, &first, &last))
		return 0;
	if ((last - first) / g->series_ns >= ROWS_FILLED_MAX)
		return 1;
	full.keys = NULL;
	full.low = full.high = NULL;
	full.count = full.room = 0;
	for (uint64_t i = 0; i <= (last - first) / g->series_ns && !ret; i++) {
		uint64_t step = first + i * g->series_ns;
		uint8_t key[8];

		if (row < g->count && time_at(g, row) == step) {
			ret = copy_row(&full, g, row++);
			continue;
		}
		for (unsigned k = 0; k < 8; k++)
			key[k] = (uint8_t)(step >> (56 - 8 * k));
		ret = weir_cli_groups_add(&full, key, zero, NULL);
	}
	free(g->keys);
	free(g->low);
	free(g->high);
	*g = full;
	return ret;
}

static int show(struct weir_cli_groups *g, const struct weir_cli_answer *answer)
{
	int ret = g->fields.count == 1 ? fill(g) : 0;

	if (ret == 1)
		weir_cli_say("note: more than %d steps; those without flows are left out",
			     ROWS_FILLED_MAX);
	if (ret >= 0)
		ret = weir_cli_rows_end(g, answer);
	return ret;
}

static bool is_answered(int status)
{
	return status == WEIR_EXIT_OK || status == WEIR_EXIT_PARTIAL;
}

/* With --by and --limit: which keys are the largest over the whole time. An exit status. */
static int find_largest(const struct weir_cli_options *o, struct weir_cli_groups *largest)
{
	struct weir_cli_answer answer = {0};
	int status = WEIR_EXIT_USAGE;

	if (weir_cli_groups_new(largest, o, o->by) == 0) {
		largest->hold = true;
		status = weir_cli_groups_ask(largest, o->limit, &answer);
	}
	if (is_answered(status) && largest->rest_groups)
		weir_cli_say("note: only the %llu largest are shown, %s%llu more are left out",
			     (unsigned long long)largest->count,
			     largest->rest_groups_exact ? "" : "at least ",
			     (unsigned long long)largest->rest_groups);
	weir_cli_groups_sort(largest);
	weir_cli_client_free(&answer);
	return status;
}

static int run(const struct weir_cli_options *o, const struct weir_cli_groups *largest)
{
	struct weir_cli_answer answer = {0};
	struct weir_cli_groups g = {0};
	int status = WEIR_EXIT_USAGE;
	char by[1024];

	snprintf(by, sizeof(by), "time/%s%s%s", o->every ? o->every : "5m", o->by ? "," : "",
		 o->by ? o->by : "");
	if (weir_cli_groups_new(&g, o, by) == 0) {
		g.series_ns = g.fields.use[0].every_ns;
		g.hold = g.fields.count == 1; /* to be filled up */
		g.only = largest;
		status = weir_cli_groups_ask(&g, 0, &answer);
	}
	if (is_answered(status) && show(&g, &answer)) {
		weir_cli_say("out of memory");
		status = WEIR_EXIT_FAILED;
	}
	weir_cli_client_end(o, &answer);
	weir_cli_groups_free(&g);
	return status;
}

int weir_cli_series(const struct weir_cli_options *o)
{
	struct weir_cli_groups largest = {0};
	bool some = o->by && o->limit_given && o->limit;
	int status;

	if (!o->by && (o->limit_given || o->order)) {
		weir_cli_say("series: --limit and --order choose among the groups of --by");
		return WEIR_EXIT_USAGE;
	}
	status = some ? find_largest(o, &largest) : WEIR_EXIT_OK;
	if (is_answered(status))
		status = run(o, some ? &largest : NULL);
	weir_cli_groups_free(&largest);
	return status;
}
