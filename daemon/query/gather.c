// SPDX-License-Identifier: GPL-2.0
/* gather.c - sums by key, first stage: each worker sums up what it reads. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/query/groups.h"

/* The same of every record: a distinct count, whose level has the records, or a quantity that reads
 * none. */
static bool is_constant(const struct weir_measure *measure)
{
	return measure->kind == WEIR_MEASURE_DISTINCT || !measure->quantity->columns;
}

static void fill_constant(const struct weir_measure *measure, uint64_t *value)
{
	const struct weir_flow nothing = {0};
	uint64_t number = 0;

	if (measure->kind != WEIR_MEASURE_DISTINCT && !measure->quantity->get(&nothing, &number))
		number = measure->kind == WEIR_MEASURE_MIN ? UINT64_MAX : 0;
	for (uint32_t i = 0; i < WEIR_STORE_BLOCK_RECORDS; i++)
		value[i] = number;
}

int weir_gather_new(struct weir_groups *groups, struct weir_worker *worker,
		    struct weir_gather **gather)
{
	struct weir_gather *g = calloc(1, sizeof(*g));
	uint64_t share = worker->budget.bound_bytes;
	int ret = 0;

	if (!g)
		return -ENOMEM;
	*gather = g;
	/* Five bytes a row, a sixth at most, come on top when they are parted (drain.c). */
	g->scan.bound_bytes = share / 12 * 5;
	g->drain.bound_bytes = share / 4;
	g->sort.bound_bytes = share / 4;
	for (unsigned i = 0; i < groups->levels && !ret; i++)
		ret = weir_table_new(&groups->level[i].form, &g->scan, &g->table[i]);
	for (unsigned m = 0; m < groups->spec.measures && !ret; m++) {
		g->value[m] = malloc(WEIR_STORE_BLOCK_RECORDS * sizeof(uint64_t));
		ret = g->value[m] ? 0 : -ENOMEM;
		if (!ret && is_constant(&groups->spec.measure[m]))
			fill_constant(&groups->spec.measure[m], g->value[m]);
	}
	g->sum = malloc((groups->spec.measures + 1) * WEIR_STORE_BLOCK_RECORDS * sizeof(uint64_t));
	if (!ret && !g->sum)
		ret = -ENOMEM;
	return ret;
}

void weir_gather_free(struct weir_groups *groups, struct weir_gather *gather)
{
	if (!gather)
		return;
	for (unsigned i = 0; i < groups->levels; i++) {
		weir_table_free(gather->table[i]);
		free(gather->parted[i].row);
		for (unsigned p = 0; p < WEIR_GROUPS_PARTITIONS; p++)
			weir_stream_free(&gather->stream[i][p]);
	}
	for (unsigned m = 0; m < WEIR_QUERY_MEASURES_MAX; m++)
		free(gather->value[m]);
	free(gather->sum);
	weir_sorter_free(&gather->sorter);
	free(gather);
}

/* Write the table of a level to the streams of its partitions and empty it. */
static int spill(struct weir_worker *worker, struct weir_gather *g, unsigned level)
{
	struct weir_groups *groups = worker->engine->state;
	const struct weir_table_form *form = &groups->level[level].form;
	struct weir_table *table = g->table[level];
	size_t count = weir_table_count(table);

	for (size_t i = 0; i < count; i++) {
		const uint64_t *row = weir_table_row(table, i);
		int ret = weir_stream_write(&g->stream[level][weir_drain_part(form, row, 0)],
					    &worker->spill, row, weir_table_row_bytes(form));

		if (ret)
			return ret;
		if (i % 4096 == 0 && weir_engine_stops(worker->engine))
			return -ECANCELED;
	}
	weir_table_clear(table);
	return 0;
}

/* Spill the largest table that nobody reads. -E2BIG: all are empty, so there is nothing to win; or nothing
 * may be spilled. */
static int make_room(struct weir_worker *worker, struct weir_gather *g)
{
	struct weir_groups *groups = worker->engine->state;
	size_t most_bytes = 0;
	unsigned largest = 0;
	int ret = -E2BIG;

	for (unsigned i = 0; i < groups->drained; i++) {
		size_t bytes = weir_table_count(g->table[i]) *
			       (weir_table_row_bytes(&groups->level[i].form) + 1);

		if (bytes > most_bytes) {
			most_bytes = bytes;
			largest = i;
		}
	}
	if (most_bytes && worker->spill.dir)
		ret = spill(worker, g, largest);
	if (ret == -E2BIG)
		weir_engine_bound(worker->engine, "groups");
	return ret;
}

int weir_gather_add(struct weir_worker *worker, unsigned level, const uint64_t *keys,
		    size_t key_stride, const uint64_t *values, size_t value_stride, size_t count)
{
	struct weir_groups *groups = worker->engine->state;
	struct weir_gather *g = groups->gather[worker->index];

	for (;;) {
		size_t done;
		int ret = weir_table_add(g->table[level], keys, key_stride, values, value_stride,
					 count, &done);

		if (ret != -EDQUOT)
			return ret;
		keys += done * key_stride;
		values += done * value_stride;
		count -= done;
		ret = make_room(worker, g);
		if (ret)
			return ret;
	}
}

/* What a record counts as in a measure: itself, or nothing if the quantity is not known of it. */
static void compute(const struct weir_measure *measure, const struct weir_columns *columns,
		    const uint16_t *rows, uint32_t count, struct weir_gather *g, uint64_t *value)
{
	uint64_t nothing = measure->kind == WEIR_MEASURE_MIN ? UINT64_MAX : 0;

	for (uint32_t first = 0; first < count; first += WEIR_COLUMNS_GATHER) {
		uint32_t n = count - first;

		if (n > WEIR_COLUMNS_GATHER)
			n = WEIR_COLUMNS_GATHER;
		weir_columns_gather(columns, measure->quantity->columns, rows, first, n, g->flow);
		for (uint32_t i = 0; i < n; i++) {
			uint64_t number = nothing;

			if (!measure->quantity->get(&g->flow[i], &number))
				number = nothing;
			value[rows[first + i]] = number;
		}
	}
}

/* The numbers of all measures, by record, at ->values. */
static void get_values(const struct weir_query_spec *spec, const struct weir_columns *columns,
		       const uint16_t *rows, uint32_t count, struct weir_gather *g)
{
	for (unsigned m = 0; m < spec->measures; m++) {
		const struct weir_measure *measure = &spec->measure[m];
		const struct weir_vector *vector;

		g->values[m] = g->value[m];
		if (is_constant(measure))
			continue;
		if (!measure->quantity->column) {
			compute(measure, columns, rows, count, g, g->value[m]);
			continue;
		}
		vector = weir_columns_get(columns, measure->quantity->column);
		if (vector->form == WEIR_VECTOR_NUMBERS && vector->width == 8) {
			g->values[m] = vector->values;
			continue;
		}
		if (count == vector->count) {
			weir_vector_numbers(vector, 0, count, g->value[m]);
			continue;
		}
		for (uint32_t i = 0; i < count; i++)
			g->value[m][rows[i]] = weir_vector_number(vector, rows[i]);
	}
}

/* Record after record. @code: the values are those summed up for the record's code. */
static int add_rows(struct weir_worker *worker, unsigned level, const struct weir_keys_ends *ends,
		    const uint16_t *rows, const uint16_t *code, uint32_t count)
{
	struct weir_groups *groups = worker->engine->state;
	const struct weir_level *l = &groups->level[level];
	struct weir_gather *g = groups->gather[worker->index];
	unsigned numbers = l->form.values;
	int ret = 0;

	for (uint32_t first = 0; first < count && !ret; first += WEIR_TABLE_BATCH) {
		uint32_t n = count - first;

		if (n > WEIR_TABLE_BATCH)
			n = WEIR_TABLE_BATCH;
		weir_keys_build(&l->keys, ends, worker->columns, rows + first, n, g->flow, g->key);
		for (uint32_t i = 0; i < n; i++) {
			uint64_t *to = &g->batch[i * numbers];
			uint16_t row = rows[first + i];

			if (code)
				memcpy(to, &g->sum[code[row] * (numbers + 1) + 1],
				       numbers * sizeof(*to));
			for (unsigned m = 0; m < numbers && !code; m++)
				to[m] = g->values[m][row];
		}
		ret = weir_gather_add(worker, level, g->key, l->keys.words, g->batch, numbers, n);
	}
	return ret;
}

static void clear_codes(const struct weir_table_form *form, struct weir_gather *g, uint32_t codes)
{
	uint64_t nothing[1 + WEIR_TABLE_VALUES] = {0};
	unsigned words = 1 + form->values;
	uint64_t any = 0;

	weir_join_nothing(form, nothing + 1);
	for (unsigned i = 0; i < words; i++)
		any |= nothing[i];
	if (!any) {
		memset(g->sum, 0, codes * words * sizeof(*nothing));
		return;
	}
	for (uint32_t code = 0; code < codes; code++)
		memcpy(g->sum + code * words, nothing, words * sizeof(*nothing));
}

static inline void add_one(uint64_t *sum, uint64_t value)
{
	if (__builtin_add_overflow(*sum, value, sum))
		*sum = UINT64_MAX;
}

/* @values, at most 4, is a constant to each caller. */
static inline __attribute__((always_inline)) uint32_t
add_up(struct weir_gather *g, unsigned end, const uint16_t *rows, uint32_t count, unsigned values)
{
	const uint16_t *code = g->code[end];
	uint16_t *one_of = g->one_of[end];
	uint32_t different = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint16_t row = rows[i];
		uint64_t *sum = &g->sum[code[row] * (values + 1)];

		one_of[different] = row;
		different += !*sum;
		*sum++ = 1;
		if (values > 0)
			add_one(&sum[0], g->values[0][row]);
		if (values > 1)
			add_one(&sum[1], g->values[1][row]);
		if (values > 2)
			add_one(&sum[2], g->values[2][row]);
		if (values > 3)
			add_one(&sum[3], g->values[3][row]);
	}
	return different;
}

static uint32_t join_up(const struct weir_table_form *form, struct weir_gather *g, unsigned end,
			const uint16_t *rows, uint32_t count)
{
	uint64_t value[WEIR_TABLE_VALUES];
	uint32_t different = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t *sum = &g->sum[g->code[end][rows[i]] * (form->values + 1)];

		for (unsigned m = 0; m < form->values; m++)
			value[m] = g->values[m][rows[i]];
		g->one_of[end][different] = rows[i];
		different += !*sum;
		*sum = 1;
		weir_join_values(form, sum + 1, value);
	}
	return different;
}

/* Sum up the records of one end by code. Those that stand for a code that was not seen
 * before go into ->one_of[]; returns how many. */
static uint32_t sum_end(const struct weir_table_form *form, struct weir_gather *g, unsigned end,
			const uint16_t *rows, uint32_t count)
{
	bool adds = true;

	for (unsigned m = 0; m < form->values; m++)
		adds = adds && form->join[m] == WEIR_JOIN_ADD;
	switch (adds ? form->values : WEIR_TABLE_VALUES) {
	case 0:
		return add_up(g, end, rows, count, 0);
	case 1:
		return add_up(g, end, rows, count, 1);
	case 2:
		return add_up(g, end, rows, count, 2);
	case 3:
		return add_up(g, end, rows, count, 3);
	case 4:
		return add_up(g, end, rows, count, 4);
	}
	return join_up(form, g, end, rows, count);
}

static uint32_t most_codes(uint32_t count)
{
	return 2 * count < WEIR_STORE_BLOCK_RECORDS ? 2 * count : WEIR_STORE_BLOCK_RECORDS;
}

static int add_level(struct weir_worker *worker, unsigned level, const struct weir_keys_ends *ends,
		     const uint16_t *rows, uint32_t count)
{
	struct weir_groups *groups = worker->engine->state;
	const struct weir_level *l = &groups->level[level];
	struct weir_gather *g = groups->gather[worker->index];
	uint32_t codes;

	if (!count)
		return 0;
	codes = weir_keys_codes(&l->keys, ends, worker->columns, rows, count, false,
				most_codes(count), g->code[0]);
	if (!codes)
		return add_rows(worker, level, ends, rows, NULL, count);
	clear_codes(&l->form, g, codes);
	count = sum_end(&l->form, g, 0, rows, count);
	return add_rows(worker, level, ends, g->one_of[0], g->code[0], count);
}

/* Whether equal numbers of a host are all there is to equal keys: no address is masked. */
static bool is_exact(const struct weir_fields *fields)
{
	for (unsigned k = 0; k < fields->count; k++) {
		const struct weir_field_use *use = &fields->use[k];

		if (use->field->form == WEIR_FIELD_HOST && (use->bits4 != 32 || use->bits6 != 128))
			return false;
	}
	return true;
}

/* The records whose second end counts, into ->row[0]. Returns how many. @codes: those of both
 * ends are in ->code[]. */
static uint32_t find_others(struct weir_worker *worker, const uint16_t *rows, uint32_t count,
			    uint32_t codes)
{
	struct weir_groups *groups = worker->engine->state;
	struct weir_gather *g = groups->gather[worker->index];
	uint32_t others = 0;

	if (!codes || !is_exact(&groups->spec.fields))
		return weir_keys_differ(&groups->spec.fields, worker->columns, rows, count,
					g->row[0]);
	for (uint32_t i = 0; i < count; i++) {
		g->row[0][others] = rows[i];
		others += g->code[0][rows[i]] != g->code[1][rows[i]];
	}
	return others;
}

/*
 * Groups with hosts, for both ends: most hosts are seen at both, so they are summed up together if
 * both ends' addresses can be numbered as one. *@others: how many records' second ends count; they
 * are in ->row[0].
 */
static int add_hosts(struct weir_worker *worker, const uint16_t *rows, uint32_t count,
		     uint32_t *others)
{
	static const struct weir_keys_ends src = {{0, 0}}, dst = {{1, 0}};
	struct weir_groups *groups = worker->engine->state;
	const struct weir_level *l = &groups->level[0];
	struct weir_gather *g = groups->gather[worker->index];
	uint32_t codes = weir_keys_codes(&l->keys, &src, worker->columns, rows, count, true,
					 most_codes(2 * count), g->code[0]);
	int ret;

	if (codes)
		weir_keys_codes(&l->keys, &dst, worker->columns, rows, count, true, codes,
				g->code[1]);
	*others = find_others(worker, rows, count, codes);
	if (!codes) {
		ret = add_level(worker, 0, &src, rows, count);
		return ret ? ret : add_level(worker, 0, &dst, g->row[0], *others);
	}
	clear_codes(&l->form, g, codes);
	count = sum_end(&l->form, g, 0, rows, count);
	codes = sum_end(&l->form, g, 1, g->row[0], *others);
	ret = add_rows(worker, 0, &src, g->one_of[0], g->code[0], count);
	return ret ? ret : add_rows(worker, 0, &dst, g->one_of[1], g->code[1], codes);
}

/* A level of pairs of group and value, for one end of the group. */
static int add_distinct(struct weir_worker *worker, unsigned level, uint8_t end,
			const uint16_t *rows, uint32_t count)
{
	struct weir_groups *groups = worker->engine->state;
	const struct weir_fields *distinct = groups->level[level].keys.list[1];
	struct weir_gather *g = groups->gather[worker->index];
	int ret = add_level(worker, level, &(struct weir_keys_ends){{end, 0}}, rows, count);

	if (ret || !distinct->has_host)
		return ret;
	count = weir_keys_differ(distinct, worker->columns, rows, count, g->row[2]);
	return add_level(worker, level, &(struct weir_keys_ends){{end, 1}}, g->row[2], count);
}

/* The levels of distinct counts, for one end of the groups. */
static int add_end(struct weir_worker *worker, uint8_t end, const uint16_t *rows, uint32_t count)
{
	struct weir_groups *groups = worker->engine->state;
	int ret = 0;

	for (unsigned i = 1; i < groups->levels && !ret; i++)
		ret = add_distinct(worker, i, end, rows, count);
	return ret;
}

int weir_gather_block(struct weir_worker *worker, size_t index)
{
	static const struct weir_keys_ends src = {{0, 0}};
	struct weir_groups *groups = worker->engine->state;
	struct weir_gather *g = groups->gather[worker->index];
	const struct weir_select *select = worker->select;
	const uint16_t *rows = select->row;
	uint32_t count = select->count, others;
	int ret;

	get_values(&groups->spec, worker->columns, rows, count, g);
	if (!groups->spec.fields.has_host) {
		ret = add_level(worker, 0, &src, rows, count);
		return ret ? ret : add_end(worker, 0, rows, count);
	}
	ret = add_hosts(worker, rows, count, &others);
	if (!ret)
		ret = add_end(worker, 0, rows, count);
	return ret ? ret : add_end(worker, 1, g->row[0], others);
}
