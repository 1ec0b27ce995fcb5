// SPDX-License-Identifier: GPL-2.0
/* query.c - ask one store: for now by loading what matches by time into memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/clock.h"
#include "daemon/query/naive.h"

struct load {
	const struct weir_query *query;
	struct weir_query_result *result;
	struct weir_flow *flow;
	size_t count, room;
	uint64_t bound_bytes;
};

static int load_block(void *arg, uint64_t block, const struct weir_flow *flows, size_t count)
{
	struct load *l = arg;

	if (l->query->cancel && atomic_load_explicit(l->query->cancel, memory_order_relaxed))
		return -ECANCELED;
	if (block <= l->query->after_block)
		return 0;
	l->result->blocks_read++;
	l->result->records_read += count;
	if ((l->count + count) * sizeof(*flows) > l->bound_bytes) {
		l->result->bound = "flows";
		l->result->bound_bytes = l->bound_bytes;
		return -E2BIG;
	}
	if (l->count + count > l->room) {
		size_t room = 2 * (l->count + count);
		struct weir_flow *grown = realloc(l->flow, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		l->flow = grown;
		l->room = room;
	}
	memcpy(l->flow + l->count, flows, count * sizeof(*flows));
	l->count += count;
	return 0;
}

static int load(struct weir_store *store, const struct weir_query *query,
		struct weir_query_result *result, struct load *l)
{
	uint64_t to_ns = query->to_ns ? query->to_ns : UINT64_MAX;

	memset(result, 0, sizeof(*result));
	result->threads = 1;
	*l = (struct load){.query = query, .result = result};
	l->bound_bytes = query->memory_bytes ? query->memory_bytes : 8ULL * WEIR_QUERY_MEMORY_BYTES;
	return weir_store_scan(store, query->from_ns, to_ns, false, load_block, l,
			       &result->blocks_damaged);
}

int weir_query_list(struct weir_store *store, const struct weir_query *query,
		    const struct weir_list *list, weir_query_emit *emit, void *arg,
		    struct weir_query_result *result)
{
	static const struct weir_list newest_first;
	struct weir_query_result ignored;
	struct load l;
	int ret;

	result = result ? result : &ignored;
	ret = load(store, query, result, &l);
	if (!ret)
		ret = naive_list(&(struct naive_rows){l.flow, l.count}, query,
				 list ? list : &newest_first, emit, arg, result);
	free(l.flow);
	return ret;
}

int weir_query_groups(struct weir_store *store, const struct weir_query *query,
		      const struct weir_query_spec *spec, weir_query_emit_group *emit, void *arg,
		      struct weir_query_rest *rest, struct weir_query_result *result)
{
	struct weir_query_result ignored;
	struct weir_query_rest no_rest;
	struct load l;
	int ret;

	result = result ? result : &ignored;
	rest = rest ? rest : &no_rest;
	memset(rest, 0, sizeof(*rest));
	ret = load(store, query, result, &l);
	if (!ret)
		ret = naive_groups(&(struct naive_rows){l.flow, l.count}, query, spec, emit, arg,
				   rest, result);
	free(l.flow);
	return ret;
}

int weir_query_pairs(struct weir_store *store, const struct weir_query *query,
		     const struct weir_pairs *pairs, weir_query_emit_pair *emit, void *arg,
		     uint64_t *count, struct weir_query_result *result)
{
	struct weir_query_result ignored;
	struct load l;
	uint64_t none;
	int ret;

	result = result ? result : &ignored;
	ret = load(store, query, result, &l);
	if (!ret)
		ret = naive_pairs(&(struct naive_rows){l.flow, l.count}, query, pairs, emit, arg,
				  count ? count : &none, result);
	free(l.flow);
	return ret;
}
