// SPDX-License-Identifier: GPL-2.0
/* naive_pairs.c - conversations of an array of flows, in the simplest way. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/naive.h"

enum {
	TCP_SYN = 0x02,
};

/* A record and the key it is joined by. */
struct half {
	struct weir_flow flow;
	uint8_t key[47]; /* version, protocol, lower end, higher end, tunnel, its id, namespace */
	bool backwards; /* src is the higher end */
	bool same_ends;
};

static void swap_bytes(uint8_t *a, uint8_t *b, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint8_t byte = a[i];

		a[i] = b[i];
		b[i] = byte;
	}
}

static struct weir_flow swapped(const struct weir_flow *flow)
{
	struct weir_flow f = *flow;

	swap_bytes(f.src_addr, f.dst_addr, sizeof(f.src_addr));
	swap_bytes(f.src_mac, f.dst_mac, sizeof(f.src_mac));
	f.src_port = flow->dst_port;
	f.dst_port = flow->src_port;
	f.in_ifindex = flow->out_ifindex;
	f.out_ifindex = flow->in_ifindex;
	return f;
}

static bool selects(const struct weir_query *query, const struct weir_flow *flow)
{
	struct weir_flow other = swapped(flow);

	return flow->end_ns >= query->from_ns &&
	       (!query->to_ns || query->to_ns == UINT64_MAX || flow->start_ns < query->to_ns) &&
	       (weir_filter_match(query->filter, flow) ||
		weir_filter_match(query->filter, &other));
}

/* Both ends of an ICMP record get the same "port": the request's type and code. */
static uint16_t request_of(uint8_t protocol, uint16_t type_code)
{
	if (protocol == IPPROTO_ICMP && type_code >> 8 == 0)
		return 8 << 8 | (type_code & 255);
	if (protocol == IPPROTO_ICMP && type_code >> 8 == 14)
		return 13 << 8 | (type_code & 255);
	if (protocol == IPPROTO_ICMPV6 && type_code >> 8 == 129)
		return 128 << 8 | (type_code & 255);
	return type_code;
}

static void make_half(const struct weir_flow *flow, struct half *half)
{
	bool icmp = flow->protocol == IPPROTO_ICMP || flow->protocol == IPPROTO_ICMPV6;
	uint16_t src = flow->src_port, dst = flow->dst_port;
	uint8_t a[18], b[18];

	if (icmp)
		src = dst = request_of(flow->protocol, dst);
	memcpy(a, flow->src_addr, 16);
	memcpy(b, flow->dst_addr, 16);
	a[16] = (uint8_t)(src >> 8);
	a[17] = (uint8_t)src;
	b[16] = (uint8_t)(dst >> 8);
	b[17] = (uint8_t)dst;
	half->flow = *flow;
	half->key[0] = flow->ip_version;
	half->key[1] = flow->protocol;
	half->backwards = memcmp(a, b, sizeof(a)) > 0;
	half->same_ends = !memcmp(a, b, sizeof(a));
	memcpy(half->key + 2, half->backwards ? b : a, sizeof(a));
	memcpy(half->key + 20, half->backwards ? a : b, sizeof(a));
	half->key[38] = flow->tunnel;
	if (flow->tunnel != WEIR_TUNNEL_GTPU) /* there each direction has its own */
		memcpy(half->key + 39, &flow->tunnel_id, 4);
	memcpy(half->key + 43, &flow->netns, 4);
}

static int order_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* By key, then start; equal starts: who goes to the lower port first, then to the lower address. */
static int order_halves(const void *x, const void *y)
{
	const struct half *a = x, *b = y;
	int order = memcmp(a->key, b->key, sizeof(a->key));

	if (!order)
		order = order_numbers(a->flow.start_ns, b->flow.start_ns);
	if (!order)
		order = order_numbers(a->flow.dst_port, b->flow.dst_port);
	if (!order)
		order = memcmp(a->flow.dst_addr, b->flow.dst_addr, 16);
	if (!order)
		order = order_numbers(a->flow.end_ns, b->flow.end_ns);
	if (!order)
		order = order_numbers(a->flow.second_ns, b->flow.second_ns);
	if (!order)
		order = order_numbers(a->flow.payload_ns, b->flow.payload_ns);
	if (!order)
		order = order_numbers(a->flow.tcp_flags, b->flow.tcp_flags);
	if (!order)
		order = order_numbers(a->flow.end_reason, b->flow.end_reason);
	return order ? order : order_numbers(a->flow.src_port, b->flow.src_port);
}

static void add(struct weir_pair_side *side, const struct weir_flow *flow)
{
	if (!side->records++) {
		side->start_ns = flow->start_ns;
		side->min_ttl = flow->min_ttl;
	}
	side->packets = naive_sum(side->packets, flow->packets);
	side->bytes = naive_sum(side->bytes, flow->bytes);
	side->retransmitted += flow->retransmitted;
	side->out_of_order += flow->out_of_order;
	side->fragments += flow->fragments;
	side->tcp_flags |= flow->tcp_flags;
	if (flow->min_ttl < side->min_ttl)
		side->min_ttl = flow->min_ttl;
	if (flow->end_ns >= side->end_ns) {
		side->end_ns = flow->end_ns;
		side->end_reason = flow->end_reason;
	}
}

/* Of one direction's records, which may be of packets that went by turns: by several CPUs. */
struct times {
	uint64_t first, second, payload;
	uint16_t tcp_flags; /* of the record with the first packet */
};

static void note(struct times *t, const struct weir_flow *flow)
{
	const uint64_t starts[] = {flow->start_ns, flow->second_ns};

	if (!t->first)
		t->tcp_flags = flow->tcp_flags;
	for (int i = 0; i < 2; i++) {
		if (!starts[i])
			continue;
		if (!t->first)
			t->first = starts[i];
		else if (!t->second || starts[i] < t->second)
			t->second = starts[i];
	}
	if (flow->payload_ns && (!t->payload || flow->payload_ns < t->payload))
		t->payload = flow->payload_ns;
}

static void find_times(struct weir_pair *pair, const struct times *forward,
		       const struct times *reverse)
{
	uint64_t t0 = forward->first, t1 = reverse->first, t2 = forward->second;

	if (!pair->reverse.records || pair->protocol != IPPROTO_TCP)
		return;
	if (forward->payload && reverse->payload > forward->payload)
		pair->response_ns = reverse->payload - forward->payload;
	if (!(forward->tcp_flags & TCP_SYN) || !(reverse->tcp_flags & TCP_SYN))
		return;
	if (t2 && t2 < t1)
		return; /* SYN was sent again: t1 may answer either */
	pair->server_rtt_ns = t1 - t0;
	if (t2)
		pair->client_rtt_ns = t2 - t1;
	if (pair->server_rtt_ns && pair->client_rtt_ns)
		pair->rtt_ns = pair->server_rtt_ns + pair->client_rtt_ns;
}

/* Join @count halves, which are one conversation in order of time. */
static struct weir_pair join(const struct half *half, size_t count)
{
	const struct weir_flow *first = &half[0].flow;
	struct times forward = {0}, reverse = {0};
	struct weir_pair pair = {.src_port = first->src_port,
				 .dst_port = first->dst_port,
				 .protocol = first->protocol,
				 .ip_version = first->ip_version,
				 .tunnel = first->tunnel,
				 .netns = first->netns,
				 .start_ns = first->start_ns};

	if (pair.tunnel != WEIR_TUNNEL_GTPU)
		pair.tunnel_id = first->tunnel_id;
	memcpy(pair.src_addr, first->src_addr, 16);
	memcpy(pair.dst_addr, first->dst_addr, 16);
	for (size_t i = 0; i < count; i++) {
		bool back = half[i].backwards != half[0].backwards && !half[0].same_ends;

		note(back ? &reverse : &forward, &half[i].flow);
		add(back ? &pair.reverse : &pair.forward, &half[i].flow);
		if (half[i].flow.end_ns > pair.end_ns)
			pair.end_ns = half[i].flow.end_ns;
	}
	pair.initiator_seen = pair.protocol == IPPROTO_TCP ?
				      (first->tcp_flags & TCP_SYN) != 0 :
				      !pair.reverse.records || reverse.first > first->start_ns;
	find_times(&pair, &forward, &reverse);
	return pair;
}

static int order_pairs(const void *x, const void *y, void *arg)
{
	const struct weir_pair *a = x, *b = y;
	const struct weir_pairs *pairs = arg;
	int order = order_numbers(weir_pair_value(a, pairs->order),
				  weir_pair_value(b, pairs->order));

	if (!pairs->ascending)
		order = -order;
	if (!order)
		order = -order_numbers(a->end_ns, b->end_ns);
	if (!order)
		order = -order_numbers(a->start_ns, b->start_ns);
	if (!order)
		order = memcmp(a->src_addr, b->src_addr, 16);
	if (!order)
		order = memcmp(a->dst_addr, b->dst_addr, 16);
	if (!order)
		order = order_numbers(a->src_port, b->src_port);
	if (!order)
		order = order_numbers(a->dst_port, b->dst_port);
	if (!order)
		order = order_numbers(a->protocol, b->protocol);
	if (!order)
		order = order_numbers(a->ip_version, b->ip_version);
	if (!order)
		order = order_numbers(a->netns, b->netns);
	if (!order)
		order = order_numbers(a->tunnel, b->tunnel);
	return order ? order : order_numbers(a->tunnel_id, b->tunnel_id);
}

/* Cut the sorted halves into conversations. Returns how many. */
static size_t cut(const struct half *half, size_t count, uint64_t gap_ns, struct weir_pair *pair)
{
	size_t first = 0, pairs = 0;
	uint64_t end_ns = 0;

	for (size_t i = 0; i < count; i++) {
		bool same = i > first && !memcmp(half[i].key, half[first].key, sizeof(half->key));

		if (i > first && (!same || (half[i].flow.start_ns > end_ns &&
					    half[i].flow.start_ns - end_ns > gap_ns))) {
			pair[pairs++] = join(half + first, i - first);
			first = i;
		}
		if (i == first || half[i].flow.end_ns > end_ns)
			end_ns = half[i].flow.end_ns;
	}
	if (count)
		pair[pairs++] = join(half + first, count - first);
	return pairs;
}

int naive_pairs(const struct naive_rows *rows, const struct weir_query *query,
		const struct weir_pairs *pairs, weir_query_emit_pair *emit, void *arg,
		uint64_t *count, struct weir_query_result *result)
{
	struct half *half = calloc(rows->count + 1, sizeof(*half));
	struct weir_pair *pair = calloc(rows->count + 1, sizeof(*pair));
	size_t halves = 0, limit = pairs->limit ? pairs->limit : SIZE_MAX;
	int ret = 0;

	if (!half || !pair)
		abort();
	for (size_t i = 0; i < rows->count; i++) {
		if (!selects(query, &rows->flow[i]))
			continue;
		naive_count(&result->matched, &rows->flow[i]);
		make_half(&rows->flow[i], &half[halves++]);
	}
	qsort(half, halves, sizeof(*half), order_halves);
	*count = cut(half, halves, pairs->gap_ns ? pairs->gap_ns : WEIR_PAIR_GAP_NS, pair);
	qsort_r(pair, *count, sizeof(*pair), order_pairs, (void *)pairs);
	for (size_t i = 0; i < *count && i < limit && !ret; i++)
		ret = emit(arg, &pair[i]);
	free(half);
	free(pair);
	return ret;
}
