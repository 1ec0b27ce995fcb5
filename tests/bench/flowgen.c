// SPDX-License-Identifier: GPL-2.0
/* flowgen.c - see flowgen.h. Tuples and hosts are made once; a flow is a tuple and some dice. */
#include "tests/bench/flowgen.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum {
	NETWORKS = 16,
	CURVE_BITS = 12,
	CURVE = 1 << CURVE_BITS, /* entries of a log-normal table */
	HOSTS_MAX = 65536,
	AHEAD = 8,		 /* tuples drawn before they are used, so that memory is in time */
	IPV6_OF_100 = 12,
	WAN = 10,		 /* ifindex towards the world; the networks have 2 to 5 */
};

#define MS 1000000ULL
#define SECOND 1000000000ULL

/* One connection; either direction of it is a tuple. */
struct connection {
	uint16_t inside, outside; /* rank of the host */
	uint16_t client_port, server_port;
	uint8_t protocol;
	uint8_t tos;
	uint8_t ipv6;	/* 0 or 1 */
	uint8_t inward; /* the client is outside */
};

struct host {
	uint8_t address[2][16]; /* IPv4-mapped, IPv6 */
	uint8_t mac[6];
	uint8_t ttl;
	uint8_t network;
};

struct weir_flowgen {
	uint64_t random[4];
	uint64_t end_ns, step_fp; /* of the next record, and 1/rate in 1/256 ns */
	uint64_t fraction;
	uint32_t connections, hosts;
	bool milliseconds;
	bool answer; /* the next flow is the other direction of the last one */
	struct weir_flow last;
	const struct connection *last_connection;
	unsigned next;
	uint32_t ahead[AHEAD];
	uint32_t packets[CURVE];  /* log-normal, median 6 */
	uint32_t duration[CURVE]; /* ms, log-normal, median 250 */
	uint32_t delay[CURVE];	  /* us from packet to packet, log-normal, median 12 ms */
	struct host *inside, *outside;
	struct connection *connection;
};

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static inline uint64_t rotate(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

/* xoshiro256++ (Blackman and Vigna, public domain as an algorithm). */
static inline uint64_t draw(struct weir_flowgen *gen)
{
	uint64_t *s = gen->random;
	uint64_t result = rotate(s[0] + s[3], 23) + s[0], t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return result;
}

/* @bits of a drawn number to one of @n, without a division. */
static inline uint32_t scale(uint32_t bits, uint32_t n)
{
	return (uint32_t)(((uint64_t)bits * n) >> 32);
}

/* 2^(@x / 65536), the mantissa taken as a straight line: 6 % off at most. */
static uint32_t power_of_two(int64_t x)
{
	uint64_t whole, fraction;

	if (x < 0)
		return 1;
	whole = (uint64_t)x >> 16;
	fraction = (uint64_t)x & 0xffff;
	if (whole > 26)
		return 1U << 26;
	return (uint32_t)(((65536 + fraction) << whole) >> 16);
}

/* log2 of the values is normal with this mean and deviation, both in 1/65536: twelve dice make a bell. */
static void make_curve(struct weir_flowgen *gen, uint32_t *curve, int64_t mean, int64_t deviation)
{
	for (unsigned i = 0; i < CURVE; i++) {
		int64_t sum = -6 * 65536;

		for (unsigned j = 0; j < 12; j++)
			sum += (int64_t)(draw(gen) >> 48);
		curve[i] = power_of_two(mean + sum * deviation / 65536);
	}
}

static void mapped(uint8_t address[16], uint32_t ipv4)
{
	memset(address, 0, 10);
	address[10] = address[11] = 0xff;
	ipv4 = htonl(ipv4);
	memcpy(address + 12, &ipv4, 4);
}

/* An identifier as privacy extensions make it: 8 bytes that look like chance. */
static void identifier(uint8_t address[16], uint64_t hash)
{
	memcpy(address + 8, &hash, 8);
	address[8] |= 1; /* never the short ones, WEIR_FLOWGEN_ABSENT6 is one */
}

static void make_inside(struct host *host, uint32_t rank)
{
	uint32_t network = rank % NETWORKS, number = rank / NETWORKS + 1;
	uint64_t hash = mix(rank + 0x1000000ULL);
	uint8_t *ipv6 = host->address[1];

	mapped(host->address[0], (10U << 24) | (network << 16) | number);
	memcpy(ipv6, "\x20\x01\x0d\xb8\x00", 5);
	ipv6[5] = (uint8_t)network;
	identifier(ipv6, htobe64(hash));
	memcpy(host->mac, "\x02\x00\x5e", 3);
	memcpy(host->mac + 3, &hash, 3);
	host->ttl = hash >> 62 ? 63 : 127;
	host->network = (uint8_t)network;
}

static void make_outside(struct host *host, uint32_t rank)
{
	uint64_t hash = mix(rank + 0x2000000ULL);
	uint32_t ipv4 = (uint32_t)hash;

	/* 16.0.0.0 to 223.255.255.255, so never one of those inside. */
	ipv4 = 0x10000000 + scale(ipv4, 0xd0000000);
	mapped(host->address[0], ipv4);
	memset(host->address[1], 0, 16);
	memcpy(host->address[1], "\x2a\x00", 2);
	memcpy(host->address[1] + 2, &hash, 6);
	identifier(host->address[1], mix(hash));
	memcpy(host->mac, "\x02\x00\x5f\x00\x00\x01", 6); /* the router of the provider */
	host->ttl = (uint8_t)((hash >> 61 ? 64 : 128) - 6 - (hash >> 40) % 20);
	host->network = 0;
}

/* cumulated[i]: weight of ranks 0..i, one over rank each. */
static uint64_t *weights(uint32_t hosts)
{
	uint64_t *cumulated = malloc(hosts * sizeof(*cumulated)), sum = 0;

	for (uint32_t i = 0; cumulated && i < hosts; i++)
		cumulated[i] = sum += (1ULL << 40) / (i + 1);
	return cumulated;
}

static uint16_t zipf(struct weir_flowgen *gen, const uint64_t *cumulated, uint32_t hosts)
{
	uint64_t at = (uint64_t)(((unsigned __int128)draw(gen) * cumulated[hosts - 1]) >> 64);
	uint32_t low = 0, high = hosts - 1;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (cumulated[middle] > at)
			high = middle;
		else
			low = middle + 1;
	}
	return (uint16_t)low;
}

/* Of 1000 connections, cumulated. What is not here is GRE or ESP. */
static const struct {
	uint16_t up_to, port;
	uint8_t protocol, tos;
} mix_of_services[] = {
	{460, 443, IPPROTO_TCP, 0},    {540, 80, IPPROTO_TCP, 0},     {555, 22, IPPROTO_TCP, 0x10},
	{570, 25, IPPROTO_TCP, 0},     {590, 993, IPPROTO_TCP, 0},    {600, 8080, IPPROTO_TCP, 0},
	{610, 445, IPPROTO_TCP, 0},    {700, 0, IPPROTO_TCP, 0},      {850, 53, IPPROTO_UDP, 0},
	{910, 443, IPPROTO_UDP, 0},    {930, 123, IPPROTO_UDP, 0xb8}, {940, 5060, IPPROTO_UDP, 0x68},
	{965, 0, IPPROTO_UDP, 0x2e * 4}, {990, 8, IPPROTO_ICMP, 0},	{995, 0, IPPROTO_GRE, 0},
	{1000, 0, IPPROTO_ESP, 0},
};

static void make_connection(struct weir_flowgen *gen, struct connection *c, const uint64_t *cumulated)
{
	uint64_t dice = draw(gen);
	uint32_t service = scale((uint32_t)dice, 1000);
	unsigned i = 0;

	while (mix_of_services[i].up_to <= service)
		i++;
	c->inside = zipf(gen, cumulated, gen->hosts);
	c->outside = zipf(gen, cumulated, gen->hosts);
	c->protocol = mix_of_services[i].protocol;
	c->tos = mix_of_services[i].tos;
	dice >>= 32;
	c->inward = (dice & 0xf) == 0;
	c->client_port = (uint16_t)(32768 + ((dice >> 4) & 0x7fff) % 28232);
	c->server_port = mix_of_services[i].port;
	if (!c->server_port)
		c->server_port = (uint16_t)(1024 + mix(dice) % 60000);
	dice = draw(gen);
	c->ipv6 = scale((uint32_t)dice, 100) < IPV6_OF_100;
	if (c->protocol == IPPROTO_ICMP && c->ipv6)
		c->protocol = IPPROTO_ICMPV6;
}

static bool make_tables(struct weir_flowgen *gen)
{
	uint64_t *cumulated = weights(gen->hosts);

	gen->inside = calloc(gen->hosts, sizeof(*gen->inside));
	gen->outside = calloc(gen->hosts, sizeof(*gen->outside));
	gen->connection = calloc(gen->connections, sizeof(*gen->connection));
	if (!cumulated || !gen->inside || !gen->outside || !gen->connection) {
		free(cumulated);
		return false;
	}
	for (uint32_t i = 0; i < gen->hosts; i++) {
		make_inside(&gen->inside[i], i);
		make_outside(&gen->outside[i], i);
	}
	for (uint32_t i = 0; i < gen->connections; i++)
		make_connection(gen, &gen->connection[i], cumulated);
	free(cumulated);
	return true;
}

struct weir_flowgen *weir_flowgen_new(const struct weir_flowgen_options *options)
{
	struct weir_flowgen_options none = {0};
	const struct weir_flowgen_options *o = options ? options : &none;
	struct weir_flowgen *gen = calloc(1, sizeof(*gen));
	uint32_t rate = o->records_per_second ? o->records_per_second : 50000;
	uint32_t tuples = o->tuples ? o->tuples : 1000000;

	if (!gen)
		return NULL;
	for (unsigned i = 0; i < 4; i++)
		gen->random[i] = mix(o->seed * 4 + i + 0x9e3779b97f4a7c15ULL);
	gen->end_ns = o->start_ns ? o->start_ns : 1767225600 * SECOND;
	gen->step_fp = 256 * SECOND / rate;
	gen->connections = tuples > 1 ? tuples / 2 : 1;
	gen->hosts = o->hosts ? o->hosts : 50000;
	if (gen->hosts > HOSTS_MAX)
		gen->hosts = HOSTS_MAX;
	gen->milliseconds = o->milliseconds;
	make_curve(gen, gen->packets, 170000, 120000);
	make_curve(gen, gen->duration, 520000, 180000);
	make_curve(gen, gen->delay, 890000, 90000);
	if (!make_tables(gen)) {
		weir_flowgen_free(gen);
		return NULL;
	}
	for (unsigned i = 0; i < AHEAD; i++)
		gen->ahead[i] = scale((uint32_t)draw(gen), gen->connections);
	return gen;
}

void weir_flowgen_free(struct weir_flowgen *gen)
{
	if (!gen)
		return;
	free(gen->inside);
	free(gen->outside);
	free(gen->connection);
	free(gen);
}

static const struct connection *next_connection(struct weir_flowgen *gen)
{
	uint32_t *slot = &gen->ahead[gen->next++ % AHEAD], index = *slot;

	*slot = scale((uint32_t)draw(gen), gen->connections);
	__builtin_prefetch(&gen->connection[*slot]);
	return &gen->connection[index];
}

/* Who is asked and who answers, and what of the flow follows from that alone. */
static void put_ends(struct weir_flowgen *gen, const struct connection *c, bool answer,
		     struct weir_flow *f)
{
	const struct host *inside = &gen->inside[c->inside], *outside = &gen->outside[c->outside];
	bool out = c->inward == answer; /* this packet leaves the network */
	const struct host *src = out ? inside : outside, *dst = out ? outside : inside;
	uint32_t lan = 2 + inside->network % 4;

	memcpy(f->src_addr, src->address[c->ipv6], 16);
	memcpy(f->dst_addr, dst->address[c->ipv6], 16);
	memcpy(f->src_mac, src->mac, 6);
	memcpy(f->dst_mac, "\x02\x00\x60\x00\x00", 5);
	f->in_ifindex = out ? lan : WAN;
	f->out_ifindex = out ? WAN : lan;
	f->dst_mac[5] = (uint8_t)f->in_ifindex;
	f->vlan_id = out && inside->network >= 4 ? 100 + inside->network : 0;
	f->min_ttl = src->ttl;
	f->observed = WEIR_OBSERVED_FORWARD;
	f->ip_version = c->ipv6 ? 6 : 4;
	f->protocol = c->protocol;
	f->tos = c->tos;
	switch (c->protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		f->src_port = answer ? c->server_port : c->client_port;
		f->dst_port = answer ? c->client_port : c->server_port;
		break;
	case IPPROTO_ICMP:
		f->dst_port = answer ? 0 : 8 * 256;
		break;
	case IPPROTO_ICMPV6:
		f->dst_port = (answer ? 129 : 128) * 256;
		break;
	}
}

/* A few of each thing that seldom happens. */
static void put_oddities(uint32_t dice, struct weir_flow *f)
{
	if (dice < 40) {
		f->observed = WEIR_OBSERVED_LOCAL_IN;
		f->out_ifindex = 0;
	} else if (dice < 80) {
		f->observed = WEIR_OBSERVED_LOCAL_OUT;
		f->in_ifindex = 0;
		f->vlan_id = 0;
		memset(f->src_mac, 0, 6);
		memset(f->dst_mac, 0, 6);
	} else if (dice < 120) {
		f->mark = 0x10 + (dice & 3);
	} else if (dice < 128 && f->protocol == IPPROTO_UDP && f->packets < 0x7fffffff) {
		f->flags |= WEIR_FLOW_FRAGMENTS;
		f->fragments = (uint32_t)f->packets;
	} else if (dice < 136) {
		f->end_reason = WEIR_END_NO_RESOURCES;
	}
}

static void put_tcp(uint64_t dice, struct weir_flow *f)
{
	f->end_reason = WEIR_END_DETECTED;
	if (f->packets == 1) {
		f->tcp_flags = dice & 1 ? 0x02 : 0x14;
	} else if ((dice & 0x3f) < 3) {
		f->tcp_flags = 0x1e;
	} else {
		f->tcp_flags = 0x1b;
	}
	if ((dice & 0x3f) >= 54) { /* still open */
		f->tcp_flags &= 0x1a;
		f->end_reason = WEIR_END_ACTIVE;
	}
	if (((dice >> 6) & 0xff) < 16 && f->packets > 3)
		f->retransmitted = 1 + ((dice >> 14) & 3);
	if (((dice >> 16) & 0xff) < 8 && f->packets > 3)
		f->out_of_order = 1 + ((dice >> 24) & 1);
	if (f->packets > 8 && (dice & 0x80000000))
		f->flags |= WEIR_FLOW_GSO;
}

static void put_sizes(struct weir_flowgen *gen, uint64_t dice, struct weir_flow *f)
{
	uint32_t least = f->ip_version == 6 ? 48 : 28, size;

	f->packets = gen->packets[dice & (CURVE - 1)];
	if (f->protocol == IPPROTO_UDP && f->packets > 4 && (dice & 0x1000))
		f->packets = 1;
	/* Small packets, and big ones: requests and acknowledgements, and what they are for. */
	size = (dice >> 13) & 1 ? 12 + ((dice >> 14) & 0x3f) : 400 + ((dice >> 14) & 0x3ff);
	f->bytes = f->packets * (least + size) + ((dice >> 24) & 0xff) % f->packets;
}

/* Times behind the start follow from the dice; none is after the end. */
static void put_times(struct weir_flowgen *gen, uint64_t dice, struct weir_flow *f)
{
	uint64_t length_ns = 0, delay_ns = gen->delay[dice & (CURVE - 1)] * 1000ULL + ((dice >> 48) & 0x3ff);

	if (f->packets > 1)
		length_ns = delay_ns + gen->duration[(dice >> 12) & (CURVE - 1)] * MS + ((dice >> 32) & 0xfffff);
	f->start_ns = f->end_ns - length_ns;
	if (f->packets > 1)
		f->second_ns = f->start_ns + delay_ns;
	if (f->protocol == IPPROTO_TCP && f->packets > 3)
		f->payload_ns = f->second_ns + (length_ns - delay_ns) / 4;
	if (!gen->milliseconds)
		return;
	f->start_ns -= f->start_ns % MS;
	f->end_ns -= f->end_ns % MS;
	f->second_ns -= f->second_ns % MS;
	f->payload_ns -= f->payload_ns % MS;
}

static void make_flow(struct weir_flowgen *gen, struct weir_flow *f)
{
	uint64_t dice = draw(gen);
	bool answer = gen->answer;
	const struct connection *c = answer ? gen->last_connection : next_connection(gen);

	memset(f, 0, sizeof(*f));
	put_ends(gen, c, answer, f);
	put_sizes(gen, dice, f);
	f->end_reason = WEIR_END_IDLE;
	if (f->protocol == IPPROTO_TCP)
		put_tcp(dice >> 32, f);
	dice = draw(gen);
	put_oddities((uint32_t)(dice >> 52), f);
	gen->fraction += gen->step_fp;
	gen->end_ns += gen->fraction >> 8;
	gen->fraction &= 0xff;
	/* A record is exported up to a second after the flow's last packet. */
	f->end_ns = gen->end_ns - ((dice >> 20) & 0x3fffffff);
	put_times(gen, draw(gen), f);
	gen->last_connection = c;
	gen->answer = !answer && (dice & 0xf) > 1;
}

void weir_flowgen_fill(struct weir_flowgen *gen, struct weir_flow *flows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		make_flow(gen, &flows[i]);
}

static uint64_t monotonic(uint64_t real_ns, int64_t offset_ns)
{
	return real_ns ? real_ns - (uint64_t)offset_ns : 0;
}

void weir_flowgen_record(const struct weir_flow *f, int64_t clock_offset_ns, struct weir_record *r)
{
	memset(r, 0, sizeof(*r));
	memcpy(r->src_addr, f->src_addr, sizeof(r->src_addr));
	memcpy(r->dst_addr, f->dst_addr, sizeof(r->dst_addr));
	memcpy(r->src_mac, f->src_mac, sizeof(r->src_mac));
	memcpy(r->dst_mac, f->dst_mac, sizeof(r->dst_mac));
	r->src_port = htons(f->src_port);
	r->dst_port = htons(f->dst_port);
	r->in_ifindex = f->in_ifindex;
	r->out_ifindex = f->out_ifindex;
	r->vlan_id = f->vlan_id;
	r->protocol = f->protocol;
	r->tos = f->tos;
	r->ip_version = f->ip_version;
	r->end_reason = f->end_reason;
	r->observed = f->observed;
	r->min_ttl = f->min_ttl;
	r->tcp_flags = f->tcp_flags;
	r->flags = f->flags;
	r->mark = f->mark;
	r->fragments = f->fragments;
	r->packets = f->packets;
	r->bytes = f->bytes;
	r->retransmitted = f->retransmitted;
	r->out_of_order = f->out_of_order;
	r->start_ns = monotonic(f->start_ns, clock_offset_ns);
	r->end_ns = monotonic(f->end_ns, clock_offset_ns);
	r->second_ns = monotonic(f->second_ns, clock_offset_ns);
	r->payload_ns = monotonic(f->payload_ns, clock_offset_ns);
}
