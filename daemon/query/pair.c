// SPDX-License-Identifier: GPL-2.0
/* pair.c - how records of one key, in order of time, become conversations. */
#include "daemon/query/pair.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

enum {
	TCP_SYN = 0x02,
	END_BYTES = 18, /* address and port */
	LOWER = 2, /* where the ends are in the key */
	HIGHER = LOWER + END_BYTES,
	TUNNEL = HIGHER + END_BYTES,
	NETNS = TUNNEL + 2,
	TUNNEL_ID = NETNS + 4,
};

int weir_pair_order_parse(const char *word, enum weir_pair_order *order)
{
	static const char *const words[] = {
		[WEIR_PAIR_BY_END] = "end",
		[WEIR_PAIR_BY_BYTES] = "bytes",
		[WEIR_PAIR_BY_PACKETS] = "packets",
		[WEIR_PAIR_BY_DURATION] = "duration",
		[WEIR_PAIR_BY_RTT] = "rtt",
		[WEIR_PAIR_BY_RESPONSE] = "response",
		[WEIR_PAIR_BY_RETRANSMITTED] = "retransmitted",
	};

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!strcasecmp(words[i], word)) {
			*order = (enum weir_pair_order)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* At the end it stays there, as sums of groups do. */
static uint64_t sum(uint64_t a, uint64_t b)
{
	return __builtin_add_overflow(a, b, &a) ? UINT64_MAX : a;
}

uint64_t weir_pair_value(const struct weir_pair *pair, enum weir_pair_order order)
{
	switch (order) {
	case WEIR_PAIR_BY_END:
		return pair->end_ns;
	case WEIR_PAIR_BY_BYTES:
		return sum(pair->forward.bytes, pair->reverse.bytes);
	case WEIR_PAIR_BY_PACKETS:
		return sum(pair->forward.packets, pair->reverse.packets);
	case WEIR_PAIR_BY_DURATION:
		return pair->end_ns > pair->start_ns ? pair->end_ns - pair->start_ns : 0;
	case WEIR_PAIR_BY_RTT:
		return pair->rtt_ns;
	case WEIR_PAIR_BY_RESPONSE:
		return pair->response_ns;
	case WEIR_PAIR_BY_RETRANSMITTED:
		return sum(pair->forward.retransmitted, pair->reverse.retransmitted);
	}
	return 0;
}

/* Both ends of an ICMP record get the same "port": type and code of the request. */
static uint16_t request_of(uint8_t protocol, uint16_t type_code)
{
	unsigned type = type_code >> 8, code = type_code & 255;

	if (protocol == IPPROTO_ICMP && type == 0)
		type = 8; /* echo reply */
	else if (protocol == IPPROTO_ICMP && type == 14)
		type = 13; /* timestamp reply */
	else if (protocol == IPPROTO_ICMPV6 && type == 129)
		type = 128; /* echo reply */
	return (uint16_t)(type << 8 | code);
}

static void put_end(uint8_t *to, const uint8_t address[16], uint16_t port)
{
	memcpy(to, address, 16);
	to[16] = (uint8_t)(port >> 8);
	to[17] = (uint8_t)port;
}

/* Of GTP-U each direction has an id of its own, which whoever receives has chosen. */
static uint32_t tunnel_id_of(const struct weir_flow *flow)
{
	return flow->tunnel == WEIR_TUNNEL_GTPU ? 0 : flow->tunnel_id;
}

void weir_half_make(const struct weir_flow *flow, struct weir_half *half)
{
	uint32_t tunnel_id = tunnel_id_of(flow);
	uint16_t src_port = flow->src_port, dst_port = flow->dst_port;
	uint8_t *key = (uint8_t *)half->key;
	uint8_t src[END_BYTES], dst[END_BYTES];
	int order;

	if (flow->protocol == IPPROTO_ICMP || flow->protocol == IPPROTO_ICMPV6)
		src_port = dst_port = request_of(flow->protocol, dst_port);
	put_end(src, flow->src_addr, src_port);
	put_end(dst, flow->dst_addr, dst_port);
	order = memcmp(src, dst, END_BYTES);
	memset(half, 0, sizeof(*half));
	key[0] = flow->ip_version;
	key[1] = flow->protocol;
	memcpy(key + LOWER, order > 0 ? dst : src, END_BYTES);
	memcpy(key + HIGHER, order > 0 ? src : dst, END_BYTES);
	key[TUNNEL] = flow->tunnel;
	memcpy(key + NETNS, &flow->netns, 4);
	memcpy(key + TUNNEL_ID, &tunnel_id, 4);
	half->backwards = order > 0;
	half->same_ends = order == 0;
	half->packets = flow->packets;
	half->bytes = flow->bytes;
	half->start_ns = flow->start_ns;
	half->end_ns = flow->end_ns;
	half->second_ns = flow->second_ns;
	half->payload_ns = flow->payload_ns;
	half->retransmitted = flow->retransmitted;
	half->out_of_order = flow->out_of_order;
	half->fragments = flow->fragments;
	half->src_port = flow->src_port;
	half->dst_port = flow->dst_port;
	half->tcp_flags = flow->tcp_flags;
	half->min_ttl = flow->min_ttl;
	half->end_reason = flow->end_reason;
}

static const uint8_t *src_of(const struct weir_half *half)
{
	return (const uint8_t *)half->key + (half->backwards ? HIGHER : LOWER);
}

static const uint8_t *dst_of(const struct weir_half *half)
{
	return (const uint8_t *)half->key + (half->backwards ? LOWER : HIGHER);
}

static int order_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

int weir_half_order(const void *arg, const void *x, const void *y)
{
	const struct weir_half *a = x, *b = y;
	int order = memcmp(a->key, b->key, sizeof(a->key));

	/* Who started at the same time: towards the lower port first, then the lower address. */
	if (!order)
		order = order_numbers(a->dst_port, b->dst_port);
	if (!order)
		order = memcmp(dst_of(a), dst_of(b), 16);
	/* What the conversation takes from one record rather than all. */
	if (!order)
		order = order_numbers(a->end_ns, b->end_ns);
	if (!order)
		order = order_numbers(a->second_ns, b->second_ns);
	if (!order)
		order = order_numbers(a->payload_ns, b->payload_ns);
	if (!order)
		order = order_numbers(a->tcp_flags, b->tcp_flags);
	if (!order)
		order = order_numbers(a->end_reason, b->end_reason);
	return order ? order : order_numbers(a->src_port, b->src_port);
}

static void add_side(struct weir_pair_side *side, const struct weir_half *half)
{
	if (!side->records++) {
		side->start_ns = half->start_ns;
		side->min_ttl = half->min_ttl;
	}
	side->packets = sum(side->packets, half->packets);
	side->bytes = sum(side->bytes, half->bytes);
	side->retransmitted += half->retransmitted;
	side->out_of_order += half->out_of_order;
	side->fragments += half->fragments;
	side->tcp_flags |= half->tcp_flags;
	if (half->min_ttl < side->min_ttl)
		side->min_ttl = half->min_ttl;
	if (half->end_ns >= side->end_ns) {
		side->end_ns = half->end_ns;
		side->end_reason = half->end_reason;
	}
}

static void begin(struct weir_pairer *pairer, const struct weir_half *half)
{
	struct weir_pair *pair = &pairer->pair;
	const uint8_t *key = (const uint8_t *)half->key;

	memset(pairer, 0, sizeof(*pairer));
	pairer->first = *half;
	memcpy(pair->src_addr, src_of(half), 16);
	memcpy(pair->dst_addr, dst_of(half), 16);
	pair->src_port = half->src_port;
	pair->dst_port = half->dst_port;
	pair->ip_version = key[0];
	pair->protocol = key[1];
	pair->tunnel = key[TUNNEL];
	memcpy(&pair->netns, key + NETNS, 4);
	memcpy(&pair->tunnel_id, key + TUNNEL_ID, 4);
	pair->start_ns = half->start_ns;
}

bool weir_pairer_fits(const struct weir_pairer *pairer, const struct weir_half *half)
{
	return !memcmp(pairer->first.key, half->key, sizeof(half->key));
}

/*
 * A further record of a direction. Packets that several CPUs saw by turns are in several records at
 * once: the second packet may be the first of another record, and so may be the first with payload.
 */
static void note_times(struct weir_half *known, const struct weir_half *half)
{
	if (!known->second_ns || half->start_ns < known->second_ns)
		known->second_ns = half->start_ns;
	if (half->payload_ns && (!known->payload_ns || half->payload_ns < known->payload_ns))
		known->payload_ns = half->payload_ns;
}

bool weir_pairer_add(struct weir_pairer *pairer, const struct weir_half *half, uint64_t gap_ns)
{
	bool back;

	if (!pairer->count)
		begin(pairer, half);
	else if (half->start_ns > pairer->end_ns && half->start_ns - pairer->end_ns > gap_ns)
		return false;
	back = half->backwards != pairer->first.backwards && !half->same_ends;
	if (back && !pairer->pair.reverse.records)
		pairer->reverse = *half;
	else if (pairer->count)
		note_times(back ? &pairer->reverse : &pairer->first, half);
	add_side(back ? &pairer->pair.reverse : &pairer->pair.forward, half);
	if (half->end_ns > pairer->end_ns)
		pairer->end_ns = half->end_ns;
	pairer->count++;
	return true;
}

static void find_times(struct weir_pair *pair, const struct weir_half *forward,
		       const struct weir_half *reverse)
{
	uint64_t syn_ns = forward->start_ns, syn_ack_ns = reverse->start_ns;
	uint64_t ack_ns = forward->second_ns;

	if (forward->payload_ns && reverse->payload_ns > forward->payload_ns)
		pair->response_ns = reverse->payload_ns - forward->payload_ns;
	if (!(forward->tcp_flags & TCP_SYN) || !(reverse->tcp_flags & TCP_SYN))
		return;
	/* SYN was sent again: nobody knows which one was answered. */
	if (ack_ns && ack_ns < syn_ack_ns)
		return;
	pair->server_rtt_ns = syn_ack_ns - syn_ns;
	if (ack_ns)
		pair->client_rtt_ns = ack_ns - syn_ack_ns;
	if (pair->server_rtt_ns && pair->client_rtt_ns)
		pair->rtt_ns = pair->server_rtt_ns + pair->client_rtt_ns;
}

void weir_pairer_finish(struct weir_pairer *pairer, struct weir_pair *pair)
{
	bool answered = pairer->pair.reverse.records != 0;

	memcpy(pair, &pairer->pair, sizeof(*pair));
	pair->end_ns = pairer->end_ns;
	if (pair->protocol == IPPROTO_TCP)
		pair->initiator_seen = pairer->first.tcp_flags & TCP_SYN;
	else
		pair->initiator_seen = !answered ||
				       pairer->reverse.start_ns > pairer->first.start_ns;
	if (answered && pair->protocol == IPPROTO_TCP)
		find_times(pair, &pairer->first, &pairer->reverse);
	pairer->count = 0;
}

int weir_pair_order_rest(const void *arg, const void *x, const void *y)
{
	const struct weir_pair *a = x, *b = y;
	int order = order_numbers(b->end_ns, a->end_ns);

	if (!order)
		order = order_numbers(b->start_ns, a->start_ns);
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
