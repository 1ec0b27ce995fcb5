// SPDX-License-Identifier: GPL-2.0
/* gather.c - groups of many nodes become one table. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/master/gather.h"

static int make_room(struct weir_gather_rows *rows, unsigned key_bytes, unsigned columns)
{
	size_t room = rows->room ? 2 * rows->room : 256;
	uint8_t *keys = realloc(rows->keys, room * key_bytes);
	uint64_t *values;

	if (keys)
		rows->keys = keys;
	values = realloc(rows->values, room * columns * sizeof(*values));
	if (values)
		rows->values = values;
	if (!keys || !values)
		return -ENOMEM;
	rows->room = room;
	return 0;
}

int weir_gather_add(struct weir_gather_rows *rows, unsigned key_bytes, unsigned columns,
		    const uint8_t *key, const uint64_t *values)
{
	if (rows->count == rows->room && make_room(rows, key_bytes, columns))
		return -ENOMEM;
	memcpy(rows->keys + rows->count * key_bytes, key, key_bytes);
	memcpy(rows->values + rows->count * columns, values, columns * sizeof(*values));
	rows->count++;
	return 0;
}

static void free_rows(struct weir_gather_rows *rows)
{
	free(rows->keys);
	free(rows->values);
	memset(rows, 0, sizeof(*rows));
}

static int make_leg(struct weir_gather *g, size_t leg)
{
	struct weir_gather_rows *rows;
	bool *faulty;

	if (leg < g->legs)
		return 0;
	rows = realloc(g->leg, (leg + 1) * sizeof(*rows));
	if (rows)
		g->leg = rows;
	faulty = realloc(g->faulty, (leg + 1) * sizeof(*faulty));
	if (faulty)
		g->faulty = faulty;
	if (!rows || !faulty)
		return -ENOMEM;
	memset(rows + g->legs, 0, (leg + 1 - g->legs) * sizeof(*rows));
	memset(faulty + g->legs, 0, (leg + 1 - g->legs) * sizeof(*faulty));
	g->legs = leg + 1;
	return 0;
}

/* What one node gets wrong is its own fault, the others' answers stand. */
static int take_part(void *arg, size_t leg, const char *name, Weir__Wire__Part *part)
{
	struct weir_gather *g = arg;
	const Weir__Wire__Groups *groups = part->groups;
	int result;

	if (weir_reply_progress_take(g->progress, leg, part))
		return 0;
	result = make_leg(g, leg);
	if (result || !groups || g->faulty[leg])
		return result;
	if (groups->keys.len != (size_t)groups->count * g->key_bytes ||
	    groups->n_values != (size_t)groups->count * g->columns) {
		g->faulty[leg] = true;
		return 0;
	}
	g->rows += groups->count;
	if (g->rows > WEIR_REPLY_GROUPS_MAX)
		return -E2BIG;
	for (size_t i = 0; i < groups->count && !result; i++)
		result = weir_gather_add(&g->leg[leg], g->key_bytes, g->columns,
					 groups->keys.data + i * g->key_bytes,
					 groups->values + i * g->columns);
	return result;
}

static void drop_faulty(const struct weir_gather *g, struct weir_legs *legs)
{
	for (size_t i = 0; i < legs->count && i < g->legs; i++) {
		if (!g->faulty[i] || !legs->leg[i].answered)
			continue;
		legs->leg[i].answered = false;
		snprintf(legs->leg[i].reason, sizeof(legs->leg[i].reason),
			 "its answer is not one to this question");
	}
}

struct place {
	const uint8_t *key;
	const uint64_t *values;
};

static int by_key(const void *a, const void *b, void *arg)
{
	const struct place *x = a, *y = b;
	const struct weir_gather *g = arg;

	return memcmp(x->key, y->key, g->key_bytes);
}

static size_t find_places(const struct weir_gather *g, const struct weir_legs *legs,
			  struct place *place)
{
	size_t count = 0;

	for (size_t i = 0; i < g->legs && i < legs->count; i++) {
		const struct weir_gather_rows *rows = &g->leg[i];

		for (size_t row = 0; legs->leg[i].answered && row < rows->count; row++)
			place[count++] = (struct place){rows->keys + row * g->key_bytes,
							rows->values + row * g->columns};
	}
	return count;
}

static int add_merged(struct weir_gather *g, const struct place *place)
{
	struct weir_gather_rows *merged = &g->merged;
	uint64_t *into;

	if (!merged->count ||
	    memcmp(merged->keys + (merged->count - 1) * g->key_bytes, place->key, g->key_bytes))
		return weir_gather_add(merged, g->key_bytes, g->columns, place->key,
				       place->values);
	into = merged->values + (merged->count - 1) * g->columns;
	for (unsigned i = 0; i < g->columns; i++)
		into[i] = weir_measure_merge(&g->measure[i], into[i], place->values[i]);
	return 0;
}

static int merge(struct weir_gather *g, const struct weir_legs *legs)
{
	struct place *place = malloc((g->rows + 1) * sizeof(*place));
	size_t count;
	int result = 0;

	if (!place)
		return -ENOMEM;
	count = find_places(g, legs, place);
	qsort_r(place, count, sizeof(*place), by_key, g);
	for (size_t i = 0; i < count && !result; i++)
		result = add_merged(g, &place[i]);
	free(place);
	return result;
}

int weir_gather_run(struct weir_gather *g, struct weir_master *master, struct weir_job *job,
		    const Weir__Wire__Ask *ask, struct weir_legs *legs)
{
	Weir__Wire__Ask to_nodes = *ask;
	int result;

	to_nodes.limit = 0;
	result = weir_fanout_ask(master->fanout, &to_nodes, weir_job_cancelled(job), take_part, g,
				 legs);
	if (result)
		return result;
	drop_faulty(g, legs);
	result = merge(g, legs);
	if (result)
		weir_legs_free(legs);
	return result;
}

void weir_gather_free(struct weir_gather *g)
{
	for (size_t i = 0; i < g->legs; i++)
		free_rows(&g->leg[i]);
	free(g->leg);
	free(g->faulty);
	free_rows(&g->merged);
}
