// SPDX-License-Identifier: GPL-2.0
/*
 * reply_groups.c - any figures by any fields, of the cluster.
 *
 * Sums add, least and largest values compare: every node is asked for all its groups. Distinct
 * counts do neither: the nodes are asked for the values themselves, as groups by the fields
 * and what is counted, and the master counts what is left when equal ones are one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/master/gather.h"

enum {
	GROUPS_A_PART = 4096,
};

struct groups {
	struct weir_master *master;
	struct weir_job *job;
	const Weir__Wire__Ask *ask;
	struct weir_fields fields;
	struct weir_measure measure[WEIR_QUERY_MEASURES_MAX];
	struct weir_reply_progress progress;
	struct weir_ending ending;
	struct weir_gather_rows table; /* all columns; keys ascending */
	size_t *order;		       /* rows in the order asked for */
};

static bool prepare(struct groups *g)
{
	const Weir__Wire__Ask *ask = g->ask;
	const char *word = "";
	char error[512];

	if (weir_fields_parse(ask->fields, &g->fields, &word)) {
		weir_job_fail(g->job, -EINVAL, 0, "%s",
			      weir_fields_complain(ask->fields, word, error, sizeof(error)));
		return false;
	}
	if (!ask->n_measures || ask->n_measures > WEIR_QUERY_MEASURES_MAX ||
	    ask->order_column >= ask->n_measures) {
		weir_job_fail(g->job, -EINVAL, 0, "1 to %d figures can be asked for at once",
			      WEIR_QUERY_MEASURES_MAX);
		return false;
	}
	for (size_t i = 0; i < ask->n_measures; i++) {
		if (weir_measure_parse(ask->measures[i], &g->measure[i], error, sizeof(error))) {
			weir_job_fail(g->job, -EINVAL, 0, "%s", error);
			return false;
		}
	}
	return true;
}

static bool is_named(const struct weir_ending *ending, const char *node)
{
	for (size_t i = 0; i < ending->missings; i++) {
		if (!strcmp(ending->missing[i].node, node))
			return true;
	}
	return false;
}

/* A second question may have lost a node that answered the first. */
static void take_legs(struct groups *g, const struct weir_legs *legs, bool first)
{
	if (first) {
		weir_ending_legs(&g->ending, legs);
		return;
	}
	for (size_t i = 0; i < legs->count; i++) {
		const struct weir_leg *leg = &legs->leg[i];

		g->ending.blocks_read += leg->blocks_read;
		weir_ending_explain(&g->ending, leg);
		if (!leg->answered && !is_named(&g->ending, leg->name))
			weir_ending_missing(&g->ending, leg->name, "%s", leg->reason);
	}
}

/* 1: the job was told that the question is at fault. */
static int ask_nodes(struct groups *g, struct weir_gather *gather, const Weir__Wire__Ask *ask,
		     bool first)
{
	struct weir_legs legs;
	int result;

	gather->progress = &g->progress;
	result = weir_gather_run(gather, g->master, g->job, ask, &legs);
	if (result)
		return result;
	if (weir_ending_fault(g->job, &legs))
		result = 1;
	else
		take_legs(g, &legs, first);
	weir_legs_free(&legs);
	return result;
}

/* Spread the columns that add up over the table, which gets a row for each key. */
static int take_sums(struct groups *g, const struct weir_gather *gather, const unsigned *column)
{
	uint64_t values[WEIR_QUERY_MEASURES_MAX];
	int result = 0;

	for (size_t row = 0; row < gather->merged.count && !result; row++) {
		memset(values, 0, sizeof(values));
		for (unsigned i = 0; i < gather->columns; i++)
			if (column[i] < g->ask->n_measures)
				values[column[i]] = gather->merged.values[row * gather->columns + i];
		result = weir_gather_add(&g->table, g->fields.key_bytes,
					 (unsigned)g->ask->n_measures,
					 gather->merged.keys + row * gather->key_bytes, values);
	}
	return result;
}

static int ask_sums(struct groups *g)
{
	struct weir_measure measure[WEIR_QUERY_MEASURES_MAX];
	struct weir_gather gather = {.key_bytes = g->fields.key_bytes, .measure = measure};
	char *measures[WEIR_QUERY_MEASURES_MAX], flows[] = "sum flows";
	unsigned column[WEIR_QUERY_MEASURES_MAX];
	Weir__Wire__Ask ask = *g->ask;
	int result;

	for (unsigned i = 0; i < g->ask->n_measures; i++) {
		if (g->measure[i].kind == WEIR_MEASURE_DISTINCT)
			continue;
		measure[gather.columns] = g->measure[i];
		measures[gather.columns] = g->ask->measures[i];
		column[gather.columns++] = i;
	}
	if (!gather.columns) { /* the keys alone are wanted */
		measure[0] = (struct weir_measure){.kind = WEIR_MEASURE_SUM};
		measures[0] = flows;
		column[gather.columns++] = UINT32_MAX;
	}
	ask.measures = measures;
	ask.n_measures = gather.columns;
	ask.order_column = 0;
	ask.by_key = true;
	result = ask_nodes(g, &gather, &ask, true);
	if (!result)
		result = take_sums(g, &gather, column);
	weir_gather_free(&gather);
	return result;
}

/* Keys of both are ascending, and @gather's begin with those of the table. */
static void count_distinct(struct groups *g, const struct weir_gather *gather, unsigned column)
{
	unsigned key_bytes = g->fields.key_bytes;
	size_t row = 0;

	for (size_t i = 0; i < gather->merged.count; i++) {
		const uint8_t *key = gather->merged.keys + i * gather->key_bytes;

		while (row < g->table.count &&
		       memcmp(g->table.keys + row * key_bytes, key, key_bytes) < 0)
			row++;
		if (row < g->table.count && !memcmp(g->table.keys + row * key_bytes, key, key_bytes))
			g->table.values[row * g->ask->n_measures + column]++;
	}
}

static int ask_distinct(struct groups *g, unsigned column)
{
	struct weir_measure sum = {.kind = WEIR_MEASURE_SUM};
	struct weir_gather gather = {.columns = 1, .measure = &sum};
	const char *counted = strchr(g->ask->measures[column], ' ');
	char *both = NULL, flows[] = "sum flows", *measures[] = {flows};
	Weir__Wire__Ask ask = *g->ask;
	struct weir_fields fields;
	int result;

	if (asprintf(&both, "%s,%s", g->ask->fields, counted) < 0)
		return -ENOMEM;
	if (weir_fields_parse(both, &fields, NULL)) {
		weir_job_fail(g->job, -EOPNOTSUPP, 0,
			      "a master cannot count distinct%s by %s: the fields of both together "
			      "are too many, or one is in both; ask the nodes one by one, with --node",
			      counted, g->ask->fields);
		free(both);
		return 1;
	}
	gather.key_bytes = fields.key_bytes;
	ask.fields = both;
	ask.measures = measures;
	ask.n_measures = 1;
	ask.order_column = 0;
	ask.by_key = true;
	result = ask_nodes(g, &gather, &ask, false);
	if (!result)
		count_distinct(g, &gather, column);
	weir_gather_free(&gather);
	free(both);
	return result;
}

static int compare(const void *a, const void *b, void *arg)
{
	const size_t *x = a, *y = b;
	const struct groups *g = arg;
	uint64_t left = g->table.values[*x * g->ask->n_measures + g->ask->order_column];
	uint64_t right = g->table.values[*y * g->ask->n_measures + g->ask->order_column];

	if (!g->ask->by_key && left != right)
		return (left > right) != g->ask->ascending ? -1 : 1;
	return *x < *y ? -1 : *x > *y; /* by key */
}

static int sort(struct groups *g)
{
	g->order = malloc((g->table.count + 1) * sizeof(*g->order));
	if (!g->order)
		return -ENOMEM;
	for (size_t i = 0; i < g->table.count; i++)
		g->order[i] = i;
	qsort_r(g->order, g->table.count, sizeof(*g->order), compare, g);
	return 0;
}

static void add_rest(const struct groups *g, size_t shown, uint64_t *rest)
{
	size_t columns = g->ask->n_measures;

	for (size_t i = shown; i < g->table.count; i++) {
		const uint64_t *values = g->table.values + g->order[i] * columns;

		for (unsigned c = 0; c < columns; c++) {
			if (g->measure[c].kind == WEIR_MEASURE_DISTINCT)
				continue;
			rest[c] = i == shown ? values[c] :
					       weir_measure_merge(&g->measure[c], rest[c], values[c]);
		}
	}
}

static int send_some(struct groups *g, size_t from, size_t count,
		     const Weir__Wire__Remainder *remainder)
{
	size_t columns = g->ask->n_measures, key_bytes = g->fields.key_bytes;
	uint8_t *keys = malloc(count * key_bytes);
	uint64_t *values = malloc(count * columns * sizeof(*values));
	Weir__Wire__Groups groups = WEIR__WIRE__GROUPS__INIT;
	Weir__Wire__Part part = WEIR__WIRE__PART__INIT;
	int result = -ENOMEM;

	for (size_t i = 0; keys && values && i < count; i++) {
		size_t row = g->order[from + i];

		memcpy(keys + i * key_bytes, g->table.keys + row * key_bytes, key_bytes);
		memcpy(values + i * columns, g->table.values + row * columns,
		       columns * sizeof(*values));
	}
	groups.count = (uint32_t)count;
	groups.keys.data = keys;
	groups.keys.len = count * key_bytes;
	groups.values = values;
	groups.n_values = count * columns;
	groups.incomplete = g->ending.missings;
	part.groups = &groups;
	part.remainder = (Weir__Wire__Remainder *)remainder;
	if (keys && values)
		result = weir_job_part(g->job, &part);
	free(keys);
	free(values);
	return result;
}

static int send(struct groups *g)
{
	size_t shown = g->ask->limit && g->ask->limit < g->table.count ? g->ask->limit :
									  g->table.count;
	Weir__Wire__Remainder remainder = WEIR__WIRE__REMAINDER__INIT;
	uint64_t rest[WEIR_QUERY_MEASURES_MAX] = {0};
	size_t sent = 0;
	int result = sort(g);

	if (!result)
		add_rest(g, shown, rest);
	remainder.groups = g->table.count - shown;
	remainder.values = rest;
	remainder.n_values = g->ask->n_measures;
	while (!result && sent < shown) {
		size_t n = shown - sent < GROUPS_A_PART ? shown - sent : GROUPS_A_PART;

		result = send_some(g, sent, n, sent ? NULL : &remainder);
		sent += n;
	}
	return result;
}

static int answer(struct groups *g)
{
	int result = ask_sums(g);

	for (unsigned i = 0; i < g->ask->n_measures && !result; i++) {
		if (g->measure[i].kind == WEIR_MEASURE_DISTINCT)
			result = ask_distinct(g, i);
	}
	return result ? result : send(g);
}

void weir_reply_groups(struct weir_job *job, const Weir__Wire__Ask *ask, struct weir_master *master)
{
	struct groups g = {.master = master, .job = job, .ask = ask, .progress.job = job};
	int result;

	if (!prepare(&g))
		return;
	result = answer(&g);
	if (result == 1)
		weir_ending_drop(&g.ending);
	else
		weir_ending_send(&g.ending, job, result);
	weir_reply_progress_free(&g.progress);
	free(g.table.keys);
	free(g.table.values);
	free(g.order);
}
