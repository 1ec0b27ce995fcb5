// SPDX-License-Identifier: GPL-2.0
/* gather.c - sums by key, first stage: each worker sums up what it reads. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/query/groups.h"

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
		g->sum[m] = malloc(WEIR_STORE_BLOCK_RECORDS * sizeof(uint64_t));
		ret = g->value[m] && g->sum[m] ? 0 : -ENOMEM;
	}
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
	for (unsigned m = 0; m < WEIR_QUERY_MEASURES_MAX; m++) {
		free(gather->value[m]);
		free(gather->sum[m]);
	}
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
		if (measure->kind == WEIR_MEASURE_DISTINCT) {
			memset(g->value[m], 0, columns->count * sizeof(uint64_t));
			continue;
		}
		if (!measure->quantity->column) {
			compute(measure, columns, rows, count, g, g->value[m]);
			continue;
		}
		vector = weir_columns_get(columns, measure->quantity->column);
		if (vector->form == WEIR_VECTOR_NUMBERS && vector->width == 8) {
			g->values[m] = vector->values;
			continue;
		}
		for (uint32_t i = 0; i < count; i++)
			g->value[m][rows[i]] = weir_vector_number(vector, rows[i]);
	}
}

/* Record after record. @values: of each measure, by record, or by @code if that is given. */
static int add_rows(struct weir_worker *worker, unsigned level, const struct weir_keys_ends *ends,
		    const uint16_t *rows, const uint16_t *code, uint32_t count,
		    const uint64_t *const *values)
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
		for (unsigned m = 0; m < numbers; m++) {
			for (uint32_t i = 0; i < n; i++) {
				uint16_t row = rows[first + i];

				g->batch[i * numbers + m] = values[m][code ? code[row] : row];
			}
		}
		ret = weir_gather_add(worker, level, g->key, l->keys.words, g->batch, numbers, n);
	}
	return ret;
}

static void sum_codes(enum weir_join join, const uint16_t *rows, const uint16_t *code,
		      uint32_t count, const uint64_t *value, uint64_t *sum, uint32_t codes)
{
	if (join == WEIR_JOIN_MIN)
		memset(sum, 0xff, codes * sizeof(*sum));
	else
		memset(sum, 0, codes * sizeof(*sum));
	for (uint32_t i = 0; i < count; i++) {
		uint64_t one = value[rows[i]], *to = &sum[code[rows[i]]];

		if (join == WEIR_JOIN_ADD) {
			if (__builtin_add_overflow(*to, one, to))
				*to = UINT64_MAX;
		} else if (join == WEIR_JOIN_MIN) {
			*to = one < *to ? one : *to;
		} else {
			*to = one > *to ? one : *to;
		}
	}
}

/* Sum up the records of each code first; one record stands for all of its code. */
static int add_codes(struct weir_worker *worker, unsigned level, const struct weir_keys_ends *ends,
		     const uint16_t *rows, uint32_t count, uint32_t codes)
{
	struct weir_groups *groups = worker->engine->state;
	const struct weir_table_form *form = &groups->level[level].form;
	struct weir_gather *g = groups->gather[worker->index];
	uint32_t different = 0;

	memset(g->seen, 0, codes * sizeof(*g->seen));
	for (uint32_t i = 0; i < count; i++) {
		uint32_t *seen = &g->seen[g->code[rows[i]]];

		g->one_of[different] = rows[i];
		different += !*seen;
		*seen = 1;
	}
	for (unsigned m = 0; m < form->values; m++)
		sum_codes((enum weir_join)form->join[m], rows, g->code, count, g->values[m],
			  g->sum[m], codes);
	return add_rows(worker, level, ends, g->one_of, g->code, different,
			(const uint64_t *const *)g->sum);
}

static int add_level(struct weir_worker *worker, unsigned level, const struct weir_keys_ends *ends,
		     const uint16_t *rows, uint32_t count)
{
	struct weir_groups *groups = worker->engine->state;
	struct weir_gather *g = groups->gather[worker->index];
	uint32_t most = 2 * count < WEIR_STORE_BLOCK_RECORDS ? 2 * count : WEIR_STORE_BLOCK_RECORDS;
	uint32_t codes;

	if (!count)
		return 0;
	codes = weir_keys_codes(&groups->level[level].keys, ends, worker->columns, rows, count,
				most, g->code);
	if (codes)
		return add_codes(worker, level, ends, rows, count, codes);
	return add_rows(worker, level, ends, rows, NULL, count, g->values);
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

static int add_end(struct weir_worker *worker, uint8_t end, const uint16_t *rows, uint32_t count)
{
	struct weir_groups *groups = worker->engine->state;
	int ret = add_level(worker, 0, &(struct weir_keys_ends){{end, 0}}, rows, count);

	for (unsigned i = 1; i < groups->levels && !ret; i++)
		ret = add_distinct(worker, i, end, rows, count);
	return ret;
}

int weir_gather_block(struct weir_worker *worker, size_t index)
{
	struct weir_groups *groups = worker->engine->state;
	struct weir_gather *g = groups->gather[worker->index];
	const struct weir_select *select = worker->select;
	const uint16_t *rows = select->row;
	uint32_t count = select->count;
	int ret;

	get_values(&groups->spec, worker->columns, rows, count, g);
	ret = add_end(worker, 0, rows, count);
	if (ret || !groups->spec.fields.has_host)
		return ret;
	count = weir_keys_differ(&groups->spec.fields, worker->columns, rows, count, g->row[0]);
	return add_end(worker, 1, g->row[0], count);
}
