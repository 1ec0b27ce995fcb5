// SPDX-License-Identifier: GPL-2.0
/* naive.c - lists and sums of an array of flows, in the simplest way. naive_pairs.c has the rest. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/naive.h"

static bool selects(const struct weir_query *query, const struct weir_flow *flow)
{
	return flow->end_ns >= query->from_ns &&
	       (!query->to_ns || query->to_ns == UINT64_MAX || flow->start_ns < query->to_ns) &&
	       weir_filter_match(query->filter, flow);
}

static int order_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

#define BY_BYTES(member)                                                                           \
	do {                                                                                       \
		int order_ = memcmp(a->member, b->member, sizeof(a->member));                      \
		if (order_)                                                                        \
			return order_ < 0 ? -1 : 1;                                                \
	} while (0)
#define BY_NUMBER(member)                                                                          \
	do {                                                                                       \
		if (a->member != b->member)                                                        \
			return order_numbers(a->member, b->member);                                \
	} while (0)

/* In the order of daemon/store/column.c. */
static int order_members(const struct weir_flow *a, const struct weir_flow *b)
{
	BY_BYTES(src_addr);
	BY_BYTES(dst_addr);
	BY_NUMBER(src_port);
	BY_NUMBER(dst_port);
	BY_NUMBER(protocol);
	BY_NUMBER(ip_version);
	BY_NUMBER(tos);
	BY_NUMBER(vlan_id);
	BY_NUMBER(in_ifindex);
	BY_NUMBER(out_ifindex);
	BY_NUMBER(packets);
	BY_NUMBER(bytes);
	BY_NUMBER(start_ns);
	BY_NUMBER(end_ns);
	BY_NUMBER(second_ns);
	BY_NUMBER(payload_ns);
	BY_NUMBER(mark);
	BY_NUMBER(fragments);
	BY_NUMBER(retransmitted);
	BY_NUMBER(out_of_order);
	BY_NUMBER(tcp_flags);
	BY_NUMBER(flags);
	BY_NUMBER(end_reason);
	BY_NUMBER(observed);
	BY_NUMBER(min_ttl);
	BY_BYTES(src_mac);
	BY_BYTES(dst_mac);
	BY_NUMBER(sampling);
	BY_NUMBER(nat_src_high);
	BY_NUMBER(nat_src_low);
	BY_NUMBER(nat_dst_high);
	BY_NUMBER(nat_dst_low);
	BY_NUMBER(nat_src_port);
	BY_NUMBER(nat_dst_port);
	BY_NUMBER(tunnel);
	BY_NUMBER(tunnel_id);
	BY_NUMBER(netns);
	BY_NUMBER(inner_vlan_id);
	BY_NUMBER(mpls_label);
	BY_NUMBER(pppoe_session);
	BY_NUMBER(sampling_method);
	return 0;
}

static int order_flows(const void *x, const void *y, void *arg)
{
	const struct weir_flow *a = x, *b = y;
	const struct weir_list *list = arg;
	bool by_end = list->order != WEIR_LIST_BY_QUANTITY;
	int sign = list->ascending ? 1 : -1, order = 0;

	if (!by_end)
		order = sign * order_numbers(weir_quantity_of(list->quantity, a),
					     weir_quantity_of(list->quantity, b));
	if (!by_end)
		sign = -1;
	if (!order)
		order = sign * order_numbers(a->end_ns, b->end_ns);
	if (!order)
		order = sign * order_numbers(a->start_ns, b->start_ns);
	return order ? order : order_members(a, b);
}

int naive_list(const struct naive_rows *rows, const struct weir_query *query,
	       const struct weir_list *list, weir_query_emit *emit, void *arg,
	       struct weir_query_result *result)
{
	struct weir_flow *kept = malloc((rows->count + 1) * sizeof(*kept));
	size_t count = 0, limit = list->limit ? list->limit : SIZE_MAX;
	int ret = 0;

	if (!kept)
		return -ENOMEM;
	for (size_t i = 0; i < rows->count; i++) {
		if (!selects(query, &rows->flow[i]))
			continue;
		naive_count(&result->matched, &rows->flow[i]);
		kept[count++] = rows->flow[i];
	}
	qsort_r(kept, count, sizeof(*kept), order_flows, (void *)list);
	for (size_t i = 0; i < count && i < limit && !ret; i++)
		ret = emit(arg, &kept[i]);
	free(kept);
	return ret;
}

/* One flow as one group sees it; sorted by key they become groups. */
struct piece {
	uint8_t key[WEIR_FIELDS_KEY_MAX];
	uint64_t value[WEIR_QUERY_MEASURES_MAX];
};

struct pieces {
	const struct weir_query_spec *spec;
	struct piece *piece;
	size_t count;
	const uint8_t *distinct_group; /* of the count() that runs */
};

static void measure_flow(const struct weir_query_spec *spec, const struct weir_flow *flow,
			 uint64_t *value)
{
	for (unsigned m = 0; m < spec->measures; m++) {
		const struct weir_measure *measure = &spec->measure[m];
		uint64_t number;

		value[m] = measure->kind == WEIR_MEASURE_MIN ? UINT64_MAX : 0;
		if (measure->kind != WEIR_MEASURE_DISTINCT && measure->quantity->get(flow, &number))
			value[m] = number;
	}
}

static void join(const struct weir_query_spec *spec, uint64_t *sum, const uint64_t *value)
{
	for (unsigned m = 0; m < spec->measures; m++) {
		switch (spec->measure[m].kind) {
		case WEIR_MEASURE_SUM:
			sum[m] = value[m] > UINT64_MAX - sum[m] ? UINT64_MAX : sum[m] + value[m];
			break;
		case WEIR_MEASURE_MIN:
			sum[m] = value[m] < sum[m] ? value[m] : sum[m];
			break;
		case WEIR_MEASURE_MAX:
			sum[m] = value[m] > sum[m] ? value[m] : sum[m];
			break;
		case WEIR_MEASURE_DISTINCT:
			break;
		}
	}
}

static int order_keys(const void *x, const void *y, void *arg)
{
	const struct weir_query_spec *spec = arg;

	return memcmp(x, y, spec->fields.key_bytes);
}

static int order_groups(const void *x, const void *y, void *arg)
{
	const struct piece *a = x, *b = y;
	const struct weir_query_spec *spec = arg;
	int sign = spec->reverse ? -1 : 1, order = 0;

	if (spec->order == WEIR_ORDER_KEY)
		return sign * memcmp(a->key, b->key, spec->fields.key_bytes);
	order = -sign * order_numbers(a->value[spec->order], b->value[spec->order]);
	return order ? order : memcmp(a->key, b->key, spec->fields.key_bytes);
}

static bool has_key(const struct weir_fields *fields, const struct weir_flow *flow,
		    const uint8_t *key)
{
	uint8_t keys[2][WEIR_FIELDS_KEY_MAX];
	unsigned count = weir_fields_keys(fields, flow, keys);

	return !memcmp(keys[0], key, fields->key_bytes) ||
	       (count == 2 && !memcmp(keys[1], key, fields->key_bytes));
}

struct values {
	uint8_t (*key)[WEIR_FIELDS_KEY_MAX];
	size_t bytes;
};

static int order_values(const void *x, const void *y, void *arg)
{
	return memcmp(x, y, ((struct values *)arg)->bytes);
}

/* Collect, sort, count where they change. */
static uint64_t count_distinct(const struct naive_rows *rows, const struct weir_query *query,
			       const struct weir_query_spec *spec, const uint8_t *key,
			       const struct weir_fields *distinct)
{
	struct values values = {calloc(2 * rows->count + 1, WEIR_FIELDS_KEY_MAX),
				distinct->key_bytes};
	size_t count = 0;
	uint64_t different = 0;

	if (!values.key)
		abort();
	for (size_t i = 0; i < rows->count; i++) {
		uint8_t keys[2][WEIR_FIELDS_KEY_MAX];
		unsigned n;

		if (!selects(query, &rows->flow[i]) ||
		    !has_key(&spec->fields, &rows->flow[i], key))
			continue;
		n = weir_fields_keys(distinct, &rows->flow[i], keys);
		for (unsigned k = 0; k < n; k++)
			memcpy(values.key[count++], keys[k], distinct->key_bytes);
	}
	qsort_r(values.key, count, WEIR_FIELDS_KEY_MAX, order_values, &values);
	for (size_t i = 0; i < count; i++)
		different += !i || memcmp(values.key[i - 1], values.key[i], values.bytes);
	free(values.key);
	return different;
}

static void leave_out(const struct weir_query_spec *spec, struct weir_query_rest *rest,
		      const uint64_t *value)
{
	if (!rest->groups++) {
		for (unsigned m = 0; m < spec->measures; m++)
			rest->value[m] = spec->measure[m].kind == WEIR_MEASURE_MIN ? UINT64_MAX : 0;
	}
	join(spec, rest->value, value);
	for (unsigned m = 0; m < spec->measures; m++) {
		if (value[m] > rest->largest[m])
			rest->largest[m] = value[m];
	}
}

/* One piece for each key of each flow, those of one key together. */
static void collect(const struct naive_rows *rows, const struct weir_query *query,
		    struct pieces *p, struct weir_query_result *result)
{
	for (size_t i = 0; i < rows->count; i++) {
		const struct weir_flow *flow = &rows->flow[i];
		uint8_t keys[2][WEIR_FIELDS_KEY_MAX];
		unsigned n;

		if (!selects(query, flow))
			continue;
		naive_count(&result->matched, flow);
		n = weir_fields_keys(&p->spec->fields, flow, keys);
		for (unsigned k = 0; k < n; k++) {
			struct piece *piece = &p->piece[p->count++];

			memcpy(piece->key, keys[k], p->spec->fields.key_bytes);
			measure_flow(p->spec, flow, piece->value);
		}
	}
	qsort_r(p->piece, p->count, sizeof(*p->piece), order_keys, (void *)p->spec);
}

static void make_groups(const struct naive_rows *rows, const struct weir_query *query,
			struct pieces *p)
{
	const struct weir_query_spec *spec = p->spec;
	size_t groups = 0;

	for (size_t i = 0; i < p->count; i++) {
		if (groups && !order_keys(&p->piece[groups - 1], &p->piece[i], (void *)spec))
			join(spec, p->piece[groups - 1].value, p->piece[i].value);
		else
			p->piece[groups++] = p->piece[i];
	}
	p->count = groups;
	for (size_t i = 0; i < groups; i++) {
		for (unsigned m = 0; m < spec->measures; m++) {
			const struct weir_measure *measure = &spec->measure[m];
			uint64_t *value = &p->piece[i].value[m];

			if (measure->kind == WEIR_MEASURE_DISTINCT)
				*value = count_distinct(rows, query, spec, p->piece[i].key,
							&measure->distinct);
			else if (measure->kind == WEIR_MEASURE_MIN && *value == UINT64_MAX)
				*value = 0;
		}
	}
}

int naive_groups(const struct naive_rows *rows, const struct weir_query *query,
		 const struct weir_query_spec *spec, weir_query_emit_group *emit, void *arg,
		 struct weir_query_rest *rest, struct weir_query_result *result)
{
	struct pieces p = {.spec = spec,
			   .piece = calloc(2 * rows->count + 1, sizeof(struct piece))};
	size_t limit = spec->limit ? spec->limit : SIZE_MAX;
	int ret = 0;

	if (!p.piece)
		return -ENOMEM;
	collect(rows, query, &p, result);
	make_groups(rows, query, &p);
	qsort_r(p.piece, p.count, sizeof(*p.piece), order_groups, (void *)spec);
	for (size_t i = limit; i < p.count; i++)
		leave_out(spec, rest, p.piece[i].value);
	for (unsigned m = 0; m < spec->measures; m++) {
		if (spec->measure[m].kind == WEIR_MEASURE_DISTINCT)
			rest->value[m] = 0;
	}
	for (size_t i = 0; i < p.count && i < limit && !ret; i++)
		ret = emit(arg, p.piece[i].key, p.piece[i].value);
	free(p.piece);
	return ret;
}
