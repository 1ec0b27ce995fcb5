// SPDX-License-Identifier: GPL-2.0
/* groups.c - sums by key: the stages one after another, and the order of the groups. */
#include "daemon/query/groups.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int check_spec(const struct weir_query_spec *spec)
{
	if (spec->measures > WEIR_QUERY_MEASURES_MAX || spec->order < WEIR_ORDER_KEY ||
	    spec->order >= (int)spec->measures)
		return -EINVAL;
	for (unsigned m = 0; m < spec->measures; m++) {
		const struct weir_measure *measure = &spec->measure[m];

		if (measure->kind == WEIR_MEASURE_DISTINCT ? !measure->distinct.count :
							     !measure->quantity)
			return -EINVAL;
	}
	return 0;
}

static enum weir_join join_of(enum weir_measure_kind kind)
{
	switch (kind) {
	case WEIR_MEASURE_MIN:
		return WEIR_JOIN_MIN;
	case WEIR_MEASURE_MAX:
		return WEIR_JOIN_MAX;
	default:
		return WEIR_JOIN_ADD;
	}
}

static int make_levels(struct weir_groups *groups)
{
	const struct weir_query_spec *spec = &groups->spec;
	struct weir_level *level = &groups->level[groups->levels++];
	int ret;

	weir_keys_init(&level->keys);
	weir_keys_add(&level->keys, &spec->fields);
	level->form.key_words = level->keys.words;
	level->form.values = spec->measures;
	for (unsigned m = 0; m < spec->measures; m++)
		level->form.join[m] = (uint8_t)join_of(spec->measure[m].kind);
	ret = weir_table_secrets(&level->form);
	for (unsigned m = 0; m < spec->measures && !ret; m++) {
		if (spec->measure[m].kind != WEIR_MEASURE_DISTINCT)
			continue;
		level = &groups->level[groups->levels++];
		weir_keys_init(&level->keys);
		weir_keys_add(&level->keys, &spec->fields);
		weir_keys_add(&level->keys, &spec->measure[m].distinct);
		level->form.key_words = level->keys.words;
		level->measure = m;
		ret = weir_table_secrets(&level->form);
	}
	return ret;
}

static uint64_t columns_of(const struct weir_groups *groups)
{
	const struct weir_query_spec *spec = &groups->spec;
	uint64_t columns = 0;

	for (unsigned i = 0; i < groups->levels; i++)
		columns |= groups->level[i].keys.columns;
	for (unsigned m = 0; m < spec->measures; m++) {
		if (spec->measure[m].kind != WEIR_MEASURE_DISTINCT)
			columns |= spec->measure[m].quantity->columns;
	}
	return columns;
}

/* Groups of equal rank. Rows are key words, then values. */
static int order_groups(const void *arg, const void *x, const void *y)
{
	const struct weir_groups *groups = arg;
	int order = memcmp(x, y, groups->spec.fields.key_bytes);

	return groups->spec.order == WEIR_ORDER_KEY && groups->spec.reverse ? -order : order;
}

/* A word of the key, padded with zeros, in the order of its bytes. */
static uint64_t key_word(const struct weir_groups *groups, const uint64_t *row, unsigned word)
{
	return word < groups->level[0].form.key_words ? be64toh(row[word]) : 0;
}

static struct weir_rank rank_of(const struct weir_groups *groups, const uint64_t *row)
{
	const struct weir_query_spec *spec = &groups->spec;
	struct weir_rank rank = {key_word(groups, row, 0), key_word(groups, row, 1)};
	uint64_t value;

	if (spec->order == WEIR_ORDER_KEY) {
		if (spec->reverse)
			rank = (struct weir_rank){~rank.first, ~rank.second};
		return rank;
	}
	value = row[groups->level[0].form.key_words + (unsigned)spec->order];
	return (struct weir_rank){spec->reverse ? value : ~value, rank.first};
}

static void leave_out(const struct weir_groups *groups, struct weir_query_rest *rest,
		      const uint64_t *value)
{
	const struct weir_table_form *form = &groups->level[0].form;

	rest->groups++;
	weir_join_values(form, rest->value, value);
	for (unsigned m = 0; m < form->values; m++) {
		if (value[m] > rest->largest[m])
			rest->largest[m] = value[m];
	}
}

/* Of a worker's sorter. */
static int drop_group(void *arg, const void *row)
{
	struct weir_worker *worker = arg;
	const struct weir_groups *groups = worker->engine->state;

	leave_out(groups, &groups->gather[worker->index]->rest,
		  (const uint64_t *)row + groups->level[0].form.key_words);
	return 0;
}

static int drop_late(void *arg, const void *row)
{
	const struct weir_groups *groups = arg;

	leave_out(groups, groups->rest, (const uint64_t *)row + groups->level[0].form.key_words);
	return 0;
}

/* A complete group. */
static int take_group(struct weir_worker *worker, const uint64_t *row)
{
	const struct weir_groups *groups = worker->engine->state;
	const struct weir_table_form *form = &groups->level[0].form;
	uint64_t whole[WEIR_TABLE_KEY_WORDS + WEIR_TABLE_VALUES];
	uint64_t *value = whole + form->key_words;
	int ret;

	memcpy(whole, row, weir_table_row_bytes(form));
	for (unsigned m = 0; m < form->values; m++) {
		/* Nothing was known of any record. */
		if (form->join[m] == WEIR_JOIN_MIN && value[m] == UINT64_MAX)
			value[m] = 0;
	}
	ret = weir_sorter_add(&groups->gather[worker->index]->sorter, rank_of(groups, whole),
			      whole);
	if (ret == -E2BIG)
		weir_engine_bound(worker->engine, "sorted groups");
	return ret;
}

/* A member of the set of a distinct count: one for its group. */
static int take_member(struct weir_worker *worker, const uint64_t *row)
{
	const struct weir_groups *groups = worker->engine->state;
	const struct weir_table_form *form = &groups->level[0].form;
	uint64_t value[WEIR_TABLE_VALUES];

	weir_join_nothing(form, value);
	value[groups->level[groups->drained].measure] = 1;
	return weir_gather_add(worker, 0, row, form->key_words, value, form->values, 1);
}

static int drain_members(struct weir_worker *worker, size_t partition)
{
	const struct weir_groups *groups = worker->engine->state;
	uint64_t began_ns = weir_engine_ns();
	int ret = weir_drain(worker, groups->drained, partition, take_member);

	worker->figures.aggregate_ns += weir_engine_ns() - began_ns;
	return ret;
}

static int drain_groups(struct weir_worker *worker, size_t partition)
{
	uint64_t began_ns = weir_engine_ns();
	int ret = weir_drain(worker, 0, partition, take_group);

	worker->figures.aggregate_ns += weir_engine_ns() - began_ns;
	return ret;
}

static bool is_spilled(const struct weir_gather *g, unsigned level)
{
	for (unsigned p = 0; p < WEIR_GROUPS_PARTITIONS; p++) {
		if (g->stream[level][p].bytes)
			return true;
	}
	return false;
}

/* One worker, all in memory: there is nothing to join. */
static int visit_table(struct weir_worker *worker, size_t index)
{
	const struct weir_groups *groups = worker->engine->state;
	const struct weir_table *table = groups->gather[0]->table[groups->drained];
	weir_drain_visit *visit = groups->drained ? take_member : take_group;
	size_t count = weir_table_count(table);
	int ret = 0;

	for (size_t i = 0; i < count && !ret; i++) {
		ret = visit(worker, weir_table_row(table, i));
		if (i % 4096 == 0 && weir_engine_stops(worker->engine))
			ret = -ECANCELED;
	}
	return ret;
}

static int drain_level(struct weir_engine *e, struct weir_groups *groups, unsigned level)
{
	int ret;

	groups->drained = level;
	if (e->threads == 1 && !is_spilled(groups->gather[0], level))
		return weir_engine_each(e, 1, visit_table);
	ret = weir_engine_each(e, e->threads, weir_drain_prepare);
	if (!ret)
		ret = weir_engine_each(e, WEIR_GROUPS_PARTITIONS,
				       level ? drain_members : drain_groups);
	return ret;
}

/* Its memory is wanted by those that follow. */
static void clear_level(struct weir_engine *e, struct weir_groups *groups, unsigned level)
{
	for (unsigned i = 0; i < e->threads; i++) {
		struct weir_gather *g = groups->gather[i];

		weir_table_clear(g->table[level]);
		free(g->parted[level].row);
		g->parted[level].row = NULL;
		for (unsigned p = 0; p < WEIR_GROUPS_PARTITIONS; p++)
			weir_stream_free(&g->stream[level][p]);
	}
}

static int finish_sorter(struct weir_worker *worker, size_t index)
{
	struct weir_groups *groups = worker->engine->state;
	uint64_t began_ns = weir_engine_ns();
	int ret = weir_sorter_finish(&groups->gather[index]->sorter);

	worker->figures.sort_ns += weir_engine_ns() - began_ns;
	return ret;
}

static int emit_group(void *arg, const void *row)
{
	struct weir_groups *groups = arg;

	if (groups->emitted++ % 256 == 0 && weir_engine_cancelled(groups->engine))
		return -ECANCELED;
	return groups->emit(groups->arg, row,
			    (const uint64_t *)row + groups->level[0].form.key_words);
}

static void finish_rest(struct weir_engine *e, struct weir_groups *groups)
{
	struct weir_query_rest *rest = groups->rest;

	for (unsigned m = 0; m < groups->spec.measures; m++) {
		if (!rest->groups || groups->spec.measure[m].kind == WEIR_MEASURE_DISTINCT)
			rest->value[m] = 0;
	}
}

static int emit_all(struct weir_engine *e, struct weir_groups *groups)
{
	struct weir_sorter *sorters[WEIR_QUERY_THREADS_MAX];
	uint64_t rows, dropped, limit = groups->spec.limit;
	int ret = 0;

	weir_join_nothing(&groups->level[0].form, groups->rest->value);
	for (unsigned i = 0; i < e->threads; i++) {
		const struct weir_query_rest *one = &groups->gather[i]->rest;

		sorters[i] = &groups->gather[i]->sorter;
		weir_join_values(&groups->level[0].form, groups->rest->value, one->value);
		groups->rest->groups += one->groups;
		for (unsigned m = 0; m < groups->spec.measures; m++) {
			if (one->largest[m] > groups->rest->largest[m])
				groups->rest->largest[m] = one->largest[m];
		}
	}
	rows = weir_sorter_rows(sorters, e->threads, &dropped);
	if (limit && rows > limit)
		ret = weir_sorter_read(sorters, e->threads, NULL, drop_late, groups);
	finish_rest(e, groups);
	weir_engine_settle(e);
	weir_engine_rest(e);
	if (!ret)
		ret = weir_sorter_read(sorters, e->threads, emit_group, NULL, groups);
	return ret;
}

static int run(struct weir_engine *e, struct weir_groups *groups)
{
	const struct weir_sorter_order order = {
		.row_bytes = weir_table_row_bytes(&groups->level[0].form),
		.compare = order_groups,
		.arg = groups,
		.limit = groups->spec.limit};
	int ret = 0;

	for (unsigned i = 0; i < e->threads && !ret; i++) {
		ret = weir_gather_new(groups, &e->workers[i], &groups->gather[i]);
		if (ret)
			break;
		weir_sorter_init(&groups->gather[i]->sorter, &order, &groups->gather[i]->sort,
				 &e->workers[i].spill);
		groups->gather[i]->sorter.drop = drop_group;
		groups->gather[i]->sorter.drop_arg = &e->workers[i];
		weir_join_nothing(&groups->level[0].form, groups->gather[i]->rest.value);
	}
	e->columns = columns_of(groups);
	groups->drained = groups->levels;
	e->block = weir_gather_block;
	if (!ret)
		ret = weir_engine_blocks(e);
	for (unsigned level = groups->levels; level-- > 0 && !ret;) {
		ret = drain_level(e, groups, level);
		clear_level(e, groups, level);
	}
	if (!ret)
		ret = weir_engine_each(e, e->threads, finish_sorter);
	return ret ? ret : emit_all(e, groups);
}

int weir_query_groups(struct weir_store *store, const struct weir_query *query,
		      const struct weir_query_spec *spec, weir_query_emit_group *emit, void *arg,
		      struct weir_query_rest *rest, struct weir_query_result *result)
{
	struct weir_query_result ignored;
	struct weir_query_rest no_rest;
	struct weir_groups *groups;
	struct weir_engine engine;
	int ret = check_spec(spec);

	if (ret)
		return ret;
	groups = calloc(1, sizeof(*groups));
	if (!groups)
		return -ENOMEM;
	groups->spec = *spec;
	groups->emit = emit;
	groups->arg = arg;
	groups->rest = rest ? rest : &no_rest;
	groups->engine = &engine;
	memset(groups->rest, 0, sizeof(*groups->rest));
	ret = weir_engine_open(&engine, store, query, false, result ? result : &ignored);
	engine.state = groups;
	if (!ret)
		ret = make_levels(groups);
	if (!ret)
		ret = run(&engine, groups);
	for (unsigned i = 0; i < WEIR_QUERY_THREADS_MAX; i++)
		weir_gather_free(groups, groups->gather[i]);
	weir_engine_close(&engine);
	free(groups);
	return ret;
}
