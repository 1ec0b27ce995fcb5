// SPDX-License-Identifier: GPL-2.0
/* drain.c - sums by key, second stage: what the workers have is joined, partition by partition. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/query/groups.h"

/* The lower half of the hash; the table uses the upper half. */
unsigned weir_drain_part(const struct weir_table_form *form, const uint64_t *key, unsigned depth)
{
	uint32_t hash = (uint32_t)weir_table_hash(form, key);

	if (!depth)
		return hash % WEIR_GROUPS_PARTITIONS;
	return hash >> (WEIR_GROUPS_PARTITION_BITS + (depth - 1) * WEIR_GROUPS_SPLIT_BITS) &
	       (WEIR_GROUPS_SPLIT - 1);
}

static int part_rows(struct weir_worker *worker, struct weir_gather *g,
		     const struct weir_table_form *form, const struct weir_table *table,
		     struct weir_parted *parted)
{
	size_t count = weir_table_count(table);
	uint32_t next[WEIR_GROUPS_PARTITIONS];
	uint8_t *part;

	memset(parted->first, 0, sizeof(parted->first));
	if (!count)
		return 0;
	part = malloc(count);
	parted->row = malloc(count * sizeof(*parted->row));
	if (!part || !parted->row) {
		free(part);
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++) {
		part[i] = (uint8_t)weir_drain_part(form, weir_table_row(table, i), 0);
		parted->first[part[i] + 1]++;
	}
	for (unsigned p = 0; p < WEIR_GROUPS_PARTITIONS; p++) {
		next[p] = parted->first[p];
		parted->first[p + 1] += parted->first[p];
	}
	for (size_t i = 0; i < count; i++)
		parted->row[next[part[i]]++] = (uint32_t)i;
	free(part);
	return 0;
}

int weir_drain_prepare(struct weir_worker *worker, size_t index)
{
	struct weir_groups *groups = worker->engine->state;
	struct weir_gather *g = groups->gather[index];
	unsigned level = groups->drained;
	int ret = 0;

	for (unsigned p = 0; p < WEIR_GROUPS_PARTITIONS && !ret; p++)
		ret = weir_stream_flush(&g->stream[level][p]);
	if (!ret)
		ret = part_rows(worker, g, &groups->level[level].form, g->table[level],
				&g->parted[level]);
	return ret;
}

/* One partition, or a part of one that was split. */
struct drain {
	struct weir_worker *worker;
	struct weir_gather *gather; /* of the worker that drains */
	const struct weir_table_form *form;
	unsigned level, depth;
	struct weir_table *table; /* NULL: it was split */
	struct weir_stream *part; /* WEIR_GROUPS_SPLIT of them, then */
	uint64_t *batch;
	size_t batched;
	weir_drain_visit *visit;
};

static int write_part(struct drain *d, const uint64_t *row)
{
	return weir_stream_write(&d->part[weir_drain_part(d->form, row, d->depth + 1)],
				 &d->worker->spill, row, weir_table_row_bytes(d->form));
}

/* It does not fit: what is in the table goes to parts, and so will all that follows. */
static int split(struct drain *d)
{
	size_t count = weir_table_count(d->table);
	int ret = 0;

	if (!d->worker->spill.dir || d->depth == WEIR_GROUPS_SPLITS_MAX) {
		weir_engine_bound(d->worker->engine, "groups");
		return -E2BIG;
	}
	d->part = calloc(WEIR_GROUPS_SPLIT, sizeof(*d->part));
	if (!d->part)
		return -ENOMEM;
	for (size_t i = 0; i < count && !ret; i++)
		ret = write_part(d, weir_table_row(d->table, i));
	weir_table_free(d->table);
	d->table = NULL;
	return ret;
}

static int add_batch(struct drain *d)
{
	unsigned words = d->form->key_words + d->form->values;
	size_t done = 0, count = d->batched;
	int ret = 0;

	d->batched = 0;
	if (weir_engine_stops(d->worker->engine))
		return -ECANCELED;
	if (d->table)
		ret = weir_table_add(d->table, d->batch, words, d->batch + d->form->key_words,
				     words, count, &done);
	if (ret == -EDQUOT)
		ret = split(d);
	for (; done < count && !ret; done++)
		ret = write_part(d, d->batch + done * words);
	return ret;
}

static int add_row(struct drain *d, const uint64_t *row)
{
	unsigned words = d->form->key_words + d->form->values;

	memcpy(d->batch + d->batched * words, row, words * sizeof(*row));
	if (++d->batched < WEIR_TABLE_BATCH)
		return 0;
	return add_batch(d);
}

static int add_table(struct drain *d, const struct weir_gather *from, size_t partition)
{
	const struct weir_parted *parted = &from->parted[d->level];
	int ret = 0;

	for (uint32_t i = parted->first[partition]; i < parted->first[partition + 1] && !ret; i++)
		ret = add_row(d, weir_table_row(from->table[d->level], parted->row[i]));
	return ret;
}

static int add_stream(struct drain *d, const struct weir_stream *stream)
{
	struct weir_reader reader;
	const void *row;
	int ret;

	if (!stream->extents)
		return 0;
	ret = weir_reader_init(&reader, stream, weir_table_row_bytes(d->form));
	while (!ret) {
		ret = weir_reader_next(&reader, &row);
		if (ret || !row)
			break;
		ret = add_row(d, row);
	}
	weir_reader_free(&reader);
	return ret;
}

static int start(struct drain *d)
{
	unsigned words = d->form->key_words + d->form->values;

	d->batch = malloc(WEIR_TABLE_BATCH * (words + 1) * sizeof(uint64_t));
	if (!d->batch)
		return -ENOMEM;
	return weir_table_new(d->form, &d->gather->drain, &d->table);
}

static void free_drain(struct drain *d)
{
	weir_table_free(d->table);
	free(d->batch);
	for (unsigned i = 0; d->part && i < WEIR_GROUPS_SPLIT; i++)
		weir_stream_free(&d->part[i]);
	free(d->part);
}

static int drain_part(const struct drain *whole, const struct weir_stream *stream);

/* All has been added: hand out the rows, or go on with the parts. */
static int finish(struct drain *d)
{
	int ret = d->batched ? add_batch(d) : 0;
	size_t count = d->table && !ret ? weir_table_count(d->table) : 0;

	for (size_t i = 0; i < count && !ret; i++)
		ret = d->visit(d->worker, weir_table_row(d->table, i));
	weir_table_free(d->table);
	d->table = NULL;
	for (unsigned i = 0; d->part && i < WEIR_GROUPS_SPLIT && !ret; i++) {
		ret = weir_stream_flush(&d->part[i]);
		if (!ret)
			ret = drain_part(d, &d->part[i]);
		weir_stream_free(&d->part[i]);
	}
	return ret;
}

static int drain_part(const struct drain *whole, const struct weir_stream *stream)
{
	struct drain d = {.worker = whole->worker,
			  .gather = whole->gather,
			  .form = whole->form,
			  .level = whole->level,
			  .depth = whole->depth + 1,
			  .visit = whole->visit};
	int ret = start(&d);

	if (!ret)
		ret = add_stream(&d, stream);
	if (!ret)
		ret = finish(&d);
	free_drain(&d);
	return ret;
}

int weir_drain(struct weir_worker *worker, unsigned level, size_t partition,
	       weir_drain_visit *visit)
{
	struct weir_groups *groups = worker->engine->state;
	struct drain d = {.worker = worker,
			  .gather = groups->gather[worker->index],
			  .form = &groups->level[level].form,
			  .level = level,
			  .visit = visit};
	int ret = start(&d);

	for (unsigned i = 0; i < worker->engine->threads && !ret; i++) {
		ret = add_table(&d, groups->gather[i], partition);
		if (!ret)
			ret = add_stream(&d, &groups->gather[i]->stream[level][partition]);
	}
	if (!ret)
		ret = finish(&d);
	free_drain(&d);
	return ret;
}
