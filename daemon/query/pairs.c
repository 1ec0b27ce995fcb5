// SPDX-License-Identifier: GPL-2.0
/*
 * pairs.c - conversations: both directions of one exchange, joined.
 *
 * Each worker puts the records it chose into sorters, by the hash of the key and time; one for
 * each of a few parts of the hash. Then each part is read through in order, all workers' sorters at
 * once: the records of a conversation come one after the other, with those of another key
 * between them only if it has the same hash. Conversations go through
 * sorters of their own into the order asked for. Sorters spill, so memory is bounded.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/query/engine.h"
#include "daemon/query/pair.h"
#include "daemon/query/table.h"

enum {
	PARTS_MAX = 8,
	KEY_WORDS = WEIR_HALF_KEY_BYTES / 8,
};

struct pairing {
	struct weir_pairs pairs;
	uint64_t gap_ns;
	struct weir_table_form form; /* for the hash of keys */
	unsigned parts;
	struct joiner *joiner; /* one a worker */
	const struct weir_engine *engine;
	weir_query_emit_pair *emit;
	void *arg;
	uint64_t emitted;
};

struct joiner {
	struct weir_budget in[PARTS_MAX], out;
	struct weir_sorter half[PARTS_MAX]; /* records */
	struct weir_sorter done; /* conversations */
	/* Conversations at hand: one for each key of the hash at hand, so nearly always one. */
	struct weir_pairer *pairer;
	size_t pairers, room;
	struct weir_flow flow[WEIR_COLUMNS_GATHER];
};

static const uint64_t columns =
	WEIR_COLUMN_BIT(WEIR_COLUMN_SRC_ADDR) | WEIR_COLUMN_BIT(WEIR_COLUMN_DST_ADDR) |
	WEIR_COLUMN_BIT(WEIR_COLUMN_SRC_PORT) | WEIR_COLUMN_BIT(WEIR_COLUMN_DST_PORT) |
	WEIR_COLUMN_BIT(WEIR_COLUMN_PROTOCOL) | WEIR_COLUMN_BIT(WEIR_COLUMN_IP_VERSION) |
	WEIR_COLUMN_BIT(WEIR_COLUMN_NETNS) | WEIR_COLUMN_BIT(WEIR_COLUMN_TUNNEL) |
	WEIR_COLUMN_BIT(WEIR_COLUMN_TUNNEL_ID) | WEIR_COLUMN_BIT(WEIR_COLUMN_PACKETS) |
	WEIR_COLUMN_BIT(WEIR_COLUMN_BYTES) | WEIR_COLUMN_BIT(WEIR_COLUMN_START_NS) |
	WEIR_COLUMN_BIT(WEIR_COLUMN_END_NS) | WEIR_COLUMN_BIT(WEIR_COLUMN_SECOND_NS) |
	WEIR_COLUMN_BIT(WEIR_COLUMN_PAYLOAD_NS) | WEIR_COLUMN_BIT(WEIR_COLUMN_FRAGMENTS) |
	WEIR_COLUMN_BIT(WEIR_COLUMN_RETRANSMITTED) | WEIR_COLUMN_BIT(WEIR_COLUMN_OUT_OF_ORDER) |
	WEIR_COLUMN_BIT(WEIR_COLUMN_TCP_FLAGS) | WEIR_COLUMN_BIT(WEIR_COLUMN_END_REASON) |
	WEIR_COLUMN_BIT(WEIR_COLUMN_MIN_TTL);

static int take_flow(struct weir_worker *worker, struct pairing *p, const struct weir_flow *flow)
{
	struct joiner *joiner = &p->joiner[worker->index];
	struct weir_half half;
	uint64_t hash;
	int ret;

	weir_half_make(flow, &half);
	hash = half.hash = weir_table_hash(&p->form, half.key);
	ret = weir_sorter_add(&joiner->half[(uint32_t)hash % p->parts],
			      (struct weir_rank){hash, half.start_ns}, &half);
	if (ret == -E2BIG)
		weir_engine_bound(worker->engine, "flows to be joined");
	return ret;
}

static int take_block(struct weir_worker *worker, size_t index)
{
	struct pairing *p = worker->engine->state;
	struct joiner *joiner = &p->joiner[worker->index];
	const struct weir_select *s = worker->select;
	int ret = 0;

	for (uint32_t first = 0; first < s->count && !ret; first += WEIR_COLUMNS_GATHER) {
		uint32_t count = s->count - first;

		if (count > WEIR_COLUMNS_GATHER)
			count = WEIR_COLUMNS_GATHER;
		weir_columns_gather(worker->columns, columns, s->all ? NULL : s->row, first, count,
				    joiner->flow);
		for (uint32_t i = 0; i < count && !ret; i++)
			ret = take_flow(worker, p, &joiner->flow[i]);
	}
	return ret;
}

/* Sort what worker @index has in memory. */
static int finish_halves(struct weir_worker *worker, size_t index)
{
	struct pairing *p = worker->engine->state;
	uint64_t began_ns = weir_engine_ns();
	int ret = 0;

	for (unsigned i = 0; i < p->parts && !ret; i++)
		ret = weir_sorter_finish(&p->joiner[index].half[i]);
	worker->figures.sort_ns += weir_engine_ns() - began_ns;
	return ret;
}

static int put_pair(struct weir_worker *worker, struct weir_pairer *pairer)
{
	struct pairing *p = worker->engine->state;
	struct joiner *joiner = &p->joiner[worker->index];
	struct weir_pair pair;
	struct weir_rank rank;
	uint64_t value;
	int ret;

	weir_pairer_finish(pairer, &pair);
	value = weir_pair_value(&pair, p->pairs.order);
	rank = (struct weir_rank){p->pairs.ascending ? value : ~value, ~pair.end_ns};
	ret = weir_sorter_add(&joiner->done, rank, &pair);
	if (ret == -E2BIG)
		weir_engine_bound(worker->engine, "sorted conversations");
	return ret;
}

static int put_all(struct weir_worker *worker, struct joiner *joiner)
{
	int ret = 0;

	for (size_t i = 0; i < joiner->pairers && !ret; i++)
		ret = put_pair(worker, &joiner->pairer[i]);
	joiner->pairers = 0;
	return ret;
}

/* The conversation of this key; a new one if there is none. NULL: no memory. */
static struct weir_pairer *find_pairer(struct joiner *joiner, const struct weir_half *half)
{
	for (size_t i = 0; i < joiner->pairers; i++) {
		if (weir_pairer_fits(&joiner->pairer[i], half))
			return &joiner->pairer[i];
	}
	if (joiner->pairers == joiner->room) {
		size_t room = joiner->room + 2;
		struct weir_pairer *grown = realloc(joiner->pairer, room * sizeof(*grown));

		if (!grown)
			return NULL;
		joiner->pairer = grown;
		joiner->room = room;
	}
	memset(&joiner->pairer[joiner->pairers], 0, sizeof(*joiner->pairer));
	return &joiner->pairer[joiner->pairers++];
}

static int join_half(void *arg, const void *row)
{
	struct weir_worker *worker = arg;
	const struct pairing *p = worker->engine->state;
	struct joiner *joiner = &p->joiner[worker->index];
	const struct weir_half *half = row;
	struct weir_pairer *pairer;
	int ret = 0;

	if (weir_engine_stops(worker->engine))
		return -ECANCELED;
	if (joiner->pairers && joiner->pairer[0].first.hash != half->hash)
		ret = put_all(worker, joiner);
	if (ret)
		return ret;
	pairer = find_pairer(joiner, half);
	if (!pairer)
		return -ENOMEM;
	if (!weir_pairer_add(pairer, half, p->gap_ns)) {
		ret = put_pair(worker, pairer);
		weir_pairer_add(pairer, half, p->gap_ns);
	}
	return ret;
}

static int join_part(struct weir_worker *worker, size_t part)
{
	struct pairing *p = worker->engine->state;
	struct weir_sorter *sorters[WEIR_QUERY_THREADS_MAX];
	uint64_t began_ns = weir_engine_ns();
	int ret;

	for (unsigned i = 0; i < worker->engine->threads; i++)
		sorters[i] = &p->joiner[i].half[part];
	ret = weir_sorter_read(sorters, worker->engine->threads, join_half, NULL, worker);
	if (!ret)
		ret = put_all(worker, &p->joiner[worker->index]);
	for (unsigned i = 0; i < worker->engine->threads; i++)
		weir_sorter_free(sorters[i]);
	worker->figures.aggregate_ns += weir_engine_ns() - began_ns;
	return ret;
}

static int finish_pairs(struct weir_worker *worker, size_t index)
{
	struct pairing *p = worker->engine->state;
	uint64_t began_ns = weir_engine_ns();
	int ret = weir_sorter_finish(&p->joiner[index].done);

	worker->figures.sort_ns += weir_engine_ns() - began_ns;
	return ret;
}

static int emit_pair(void *arg, const void *row)
{
	struct pairing *p = arg;

	if (p->emitted++ % 256 == 0 && weir_engine_cancelled(p->engine))
		return -ECANCELED;
	return p->emit(p->arg, row);
}

static void start(struct weir_engine *e, struct pairing *p)
{
	const struct weir_sorter_order halves = {.row_bytes = sizeof(struct weir_half),
						 .compare = weir_half_order};
	const struct weir_sorter_order order = {.row_bytes = sizeof(struct weir_pair),
						.compare = weir_pair_order_rest,
						.limit = p->pairs.limit};

	for (unsigned i = 0; i < e->threads; i++) {
		struct joiner *joiner = &p->joiner[i];
		uint64_t share = e->workers[i].budget.bound_bytes;

		for (unsigned part = 0; part < p->parts; part++) {
			joiner->in[part].bound_bytes = share / 4 * 3 / p->parts;
			weir_sorter_init(&joiner->half[part], &halves, &joiner->in[part],
					 &e->workers[i].spill);
		}
		joiner->out.bound_bytes = share / 4;
		weir_sorter_init(&joiner->done, &order, &joiner->out, &e->workers[i].spill);
	}
}

static int run(struct weir_engine *e, struct pairing *p, uint64_t *count)
{
	struct weir_sorter *sorters[WEIR_QUERY_THREADS_MAX];
	uint64_t dropped;
	int ret;

	start(e, p);
	e->columns = columns;
	e->block = take_block;
	ret = weir_engine_blocks(e);
	if (!ret)
		ret = weir_engine_each(e, e->threads, finish_halves);
	if (!ret)
		ret = weir_engine_each(e, p->parts, join_part);
	if (!ret)
		ret = weir_engine_each(e, e->threads, finish_pairs);
	for (unsigned i = 0; i < e->threads; i++)
		sorters[i] = &p->joiner[i].done;
	*count = weir_sorter_rows(sorters, e->threads, &dropped);
	*count += dropped;
	weir_engine_rest(e);
	if (!ret)
		ret = weir_sorter_read(sorters, e->threads, emit_pair, NULL, p);
	for (unsigned i = 0; i < e->threads; i++) {
		free(p->joiner[i].pairer);
		weir_sorter_free(&p->joiner[i].done);
		for (unsigned part = 0; part < p->parts; part++)
			weir_sorter_free(&p->joiner[i].half[part]);
	}
	return ret;
}

int weir_query_pairs(struct weir_store *store, const struct weir_query *query,
		     const struct weir_pairs *pairs, weir_query_emit_pair *emit, void *arg,
		     uint64_t *count, struct weir_query_result *result)
{
	struct weir_query_result ignored;
	struct pairing p = {.emit = emit, .arg = arg, .form = {.key_words = KEY_WORDS}};
	struct weir_engine engine;
	uint64_t nobody;
	int ret;

	if (pairs)
		p.pairs = *pairs;
	p.gap_ns = p.pairs.gap_ns ? p.pairs.gap_ns : WEIR_PAIR_GAP_NS;
	p.engine = &engine;
	ret = weir_engine_open(&engine, store, query, true, result ? result : &ignored);
	engine.state = &p;
	p.parts = engine.threads < PARTS_MAX ? engine.threads : PARTS_MAX;
	if (!ret)
		ret = weir_table_secrets(&p.form);
	if (!ret) {
		p.joiner = calloc(engine.threads, sizeof(*p.joiner));
		ret = p.joiner ? run(&engine, &p, count ? count : &nobody) : -ENOMEM;
		free(p.joiner);
	}
	weir_engine_close(&engine);
	return ret;
}
