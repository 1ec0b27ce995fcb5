// SPDX-License-Identifier: GPL-2.0
/* random_query.c - random flows, and random questions about them. */
#include "tests/unit/random_query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/clock.h"
#include "daemon/query/quantity.h"

unsigned random_below(unsigned n)
{
	return (unsigned)random() % n;
}

static bool chance(unsigned percent)
{
	return random_below(100) < percent;
}

static void random_address(const struct random_flows *kind, uint8_t version, uint8_t address[16])
{
	unsigned host = random_below(kind->hosts);

	memset(address, 0, 16);
	if (version == 6) {
		address[0] = 0x20;
		address[1] = 0x01;
		address[7] = (uint8_t)(host % 3);
		address[15] = (uint8_t)(host / 3);
		/* IPv4 in IPv6, which must not be taken for IPv4. */
		if (chance(10))
			memcpy(address, "\0\0\0\0\0\0\0\0\0\0\377\377\12\0\0\1", 16);
	} else {
		address[10] = address[11] = 0xff;
		address[12] = 10;
		address[13] = (uint8_t)(host % 2);
		address[14] = (uint8_t)(host % 5);
		address[15] = (uint8_t)(host / 5);
	}
	if (chance(kind->rare_percent)) {
		for (unsigned i = 13; i < 16; i++)
			address[i] = (uint8_t)random();
	}
}

static void reverse(const struct weir_flow *before, struct weir_flow *flow)
{
	*flow = *before;
	memcpy(flow->src_addr, before->dst_addr, 16);
	memcpy(flow->dst_addr, before->src_addr, 16);
	memcpy(flow->src_mac, before->dst_mac, 6);
	memcpy(flow->dst_mac, before->src_mac, 6);
	flow->src_port = before->dst_port;
	flow->dst_port = before->src_port;
	if (before->protocol == 1 && before->dst_port == 8 << 8) {
		flow->src_port = 0;
		flow->dst_port = 0;
	}
	flow->in_ifindex = before->out_ifindex;
	flow->out_ifindex = before->in_ifindex;
	flow->nat_src_high = before->nat_dst_high;
	flow->nat_src_low = before->nat_dst_low;
	flow->nat_src_port = before->nat_dst_port;
	flow->nat_dst_high = before->nat_src_high;
	flow->nat_dst_low = before->nat_src_low;
	flow->nat_dst_port = before->nat_src_port;
	/* Seen elsewhere, now and then; GTP-U has other ids on the way back. */
	if (before->tunnel && (before->tunnel == WEIR_TUNNEL_GTPU || chance(10)))
		flow->tunnel_id = random_below(500);
	if (before->netns && chance(10))
		flow->netns = 4026532000u + random_below(5);
	flow->packets = 1 + random_below(9);
	flow->bytes = flow->packets * (40 + random_below(1400));
	flow->start_ns += random_below(3) * 1000000 * random_below(30);
	if (flow->end_ns < flow->start_ns)
		flow->end_ns = flow->start_ns;
}

static void random_times(const struct random_flows *kind, struct weir_flow *flow)
{
	flow->start_ns = kind->base_ns + random_below(400) * (WEIR_NS_PER_SECOND / 2) +
			 random_below(5) * 1000003;
	flow->end_ns = flow->start_ns;
	if (!chance(30))
		flow->end_ns += random_below(20) * WEIR_NS_PER_SECOND + random_below(3);
	if (chance(60))
		flow->second_ns = flow->start_ns + random_below(200) * 1000000;
	if (flow->protocol == 6 && chance(60))
		flow->payload_ns = flow->start_ns + random_below(500) * 1000000;
	/* A clock that was set back. */
	if (chance(1))
		flow->end_ns = flow->start_ns - random_below(1000);
}

static void random_tail(struct weir_flow *flow)
{
	flow->sampling = chance(50) ? 0 : 10;
	if (chance(50)) {
		flow->nat_src_low = 0xffffc6336400 + random_below(5);
		flow->nat_src_port = (uint16_t)(1024 + random_below(9));
	}
	if (chance(20)) {
		flow->nat_dst_high = 0x20010db800000000 + random_below(2);
		flow->nat_dst_low = random_below(300);
		flow->nat_dst_port = 443;
	}
	flow->tunnel = (uint8_t)(chance(70) ? 0 : random_below(6));
	flow->tunnel_id = flow->tunnel ? random_below(500) : 0;
	flow->netns = chance(70) ? 0 : 4026532000u + random_below(5);
	flow->inner_vlan_id = (uint16_t)random_below(3);
	flow->mpls_label = chance(80) ? 0 : random_below(1048576);
	flow->pppoe_session = chance(80) ? 0 : (uint16_t)random_below(9);
}

static void random_details(const struct random_flows *kind, struct weir_flow *flow)
{
	static const uint8_t toses[] = {0, 0, 0, 0xb8, 0x28, 1};

	flow->tos = toses[random_below(sizeof(toses))];
	flow->vlan_id = chance(70) ? 0 : (uint16_t)random_below(4096);
	flow->in_ifindex = random_below(5);
	flow->out_ifindex = random_below(70000);
	flow->mark = chance(80) ? 0 : random_below(3) * 0x10000001u;
	flow->fragments = chance(95) ? 0 : random_below(5);
	flow->min_ttl = (uint8_t)(chance(80) ? 64 : random());
	flow->end_reason = (uint8_t)random_below(6);
	flow->observed = (uint8_t)random_below(8);
	flow->flags = (uint16_t)random_below(16);
	for (unsigned i = 0; i < 6; i++) {
		flow->src_mac[i] = (uint8_t)(i == 5 ? random_below(5) : 2);
		flow->dst_mac[i] = (uint8_t)(i == 5 ? random_below(200) : 4);
	}
	if (chance(kind->ipv6_percent))
		random_tail(flow);
	if (flow->protocol == 6) {
		flow->retransmitted = chance(80) ? 0 : random_below(4);
		flow->out_of_order = chance(90) ? 0 : random_below(4);
		flow->tcp_flags = (uint16_t)random_below(512);
	}
}

void random_flow(const struct random_flows *kind, const struct weir_flow *before,
		 struct weir_flow *flow)
{
	static const uint8_t protocols[] = {6, 6, 6, 17, 17, 1, 58, 47, 132};
	static const uint16_t ports[] = {22, 53, 80, 443, 443, 8080};

	if (kind->paired && before && chance(45)) {
		reverse(before, flow);
		return;
	}
	memset(flow, 0, sizeof(*flow));
	flow->ip_version = chance(kind->ipv6_percent) ? 6 : 4;
	random_address(kind, flow->ip_version, flow->src_addr);
	random_address(kind, flow->ip_version, flow->dst_addr);
	flow->protocol = protocols[random_below(sizeof(protocols))];
	if (flow->protocol == 1 || flow->protocol == 58) {
		flow->dst_port = (uint16_t)(chance(50) ? 8 << 8 : random_below(150) << 8);
	} else if (flow->protocol != 47) {
		flow->src_port = (uint16_t)(32768 + random_below(kind->rare_percent + 30));
		flow->dst_port = ports[random_below(6)];
		if (chance(20))
			flow->dst_port = (uint16_t)random();
	}
	flow->packets = 1 + (chance(20) ? random_below(100000) : random_below(10));
	flow->bytes = flow->packets * (40 + random_below(1400));
	if (chance(2))
		flow->bytes = flow->packets = 0;
	if (chance(1))
		flow->bytes = UINT64_MAX - random_below(10);
	random_times(kind, flow);
	if (!kind->constant)
		random_details(kind, flow);
}

static const char *random_host(char *text, size_t bytes)
{
	if (chance(25))
		snprintf(text, bytes, "2001::%x:0:0:0:%x", random_below(3), random_below(4));
	else if (chance(5))
		snprintf(text, bytes, "::ffff:10.0.0.1");
	else
		snprintf(text, bytes, "10.%u.%u.%u", random_below(2), random_below(5),
			 random_below(5));
	return text;
}

static const char *random_net(char *text, size_t bytes)
{
	char host[64];

	switch (random_below(4)) {
	case 0:
		snprintf(text, bytes, "10.%u.0.0/16", random_below(3));
		break;
	case 1:
		snprintf(text, bytes, "2001::%x:0:0:0:0/64", random_below(4));
		break;
	case 2:
		snprintf(text, bytes, "0.0.0.0/0");
		break;
	default:
		random_host(host, sizeof(host));
		snprintf(text, bytes, "%s/%u", host, strchr(host, '.') ? 8 * random_below(5) : 64);
		break;
	}
	return text;
}

static const char *random_direction(void)
{
	static const char *const words[] = {"", "", "src ", "dst ", "src and dst "};

	return words[random_below(5)];
}

static const char *random_operator(void)
{
	static const char *const words[] = {"<", "<=", ">", ">=", "=", "!="};

	return words[random_below(6)];
}

static void random_number_test(char *text, size_t bytes)
{
	static const struct {
		const char *word;
		unsigned most;
	} tests[] = {{"bytes", 20000},	 {"packets", 20},    {"duration", 20}, {"bps", 100000},
		     {"pps", 10},	 {"bpp", 1500},	     {"vlan", 4095},   {"ttl", 255},
		     {"tos", 255},	 {"dscp", 63},	     {"mark", 3},      {"retransmitted", 3},
		     {"fragments", 3},	 {"icmp-type", 150}, {"icmp-code", 2}, {"in if", 6},
		     {"out if", 100000}, {"rtt", 1}};
	unsigned i = random_below(sizeof(tests) / sizeof(tests[0]));

	if (chance(20))
		snprintf(text, bytes, "%s in {%u %u}", tests[i].word,
			 random_below(tests[i].most + 1), random_below(tests[i].most + 1));
	else
		snprintf(text, bytes, "%s %s %u", tests[i].word, random_operator(),
			 random_below(tests[i].most + 1));
}

static void random_port_test(char *text, size_t bytes)
{
	static const unsigned ports[] = {22, 53, 80, 443, 8080, 32770, 40000};
	const char *direction = random_direction();
	unsigned port = ports[random_below(7)];

	switch (random_below(4)) {
	case 0:
		snprintf(text, bytes, "%sport %s %u", direction, random_operator(), port);
		break;
	case 1:
		snprintf(text, bytes, "%sport in {%u %u-%u %u}", direction, port, port + 1,
			 port + 100, ports[random_below(7)]);
		break;
	default:
		snprintf(text, bytes, "%sport %u", direction, port);
		break;
	}
}

static void random_test(char *text, size_t bytes)
{
	static const char *const words[] = {"tcp",  "udp",   "icmp",	"icmp6",   "ipv4",
					    "ipv6", "any",   "flags S", "flags SA", "flags = S",
					    "gre",  "proto 132"};
	char one[64], two[64];

	switch (random_below(6)) {
	case 0:
		snprintf(text, bytes, "%shost %s", random_direction(),
			 random_host(one, sizeof(one)));
		break;
	case 1:
		if (chance(50))
			snprintf(text, bytes, "%snet %s", random_direction(),
				 random_net(one, sizeof(one)));
		else
			snprintf(text, bytes, "%snet in {%s %s}", random_direction(),
				 random_net(one, sizeof(one)), random_net(two, sizeof(two)));
		break;
	case 2:
		random_port_test(text, bytes);
		break;
	case 3:
		random_number_test(text, bytes);
		break;
	default:
		snprintf(text, bytes, "%s", words[random_below(12)]);
		break;
	}
}

static void random_expression(char *text, size_t bytes, unsigned depth)
{
	char left[RANDOM_FILTER_MAX / 2 - 16], right[RANDOM_FILTER_MAX / 2 - 16];

	if (!depth || chance(40)) {
		random_test(text, bytes);
		return;
	}
	random_expression(left, bytes / 2 - 16, depth - 1);
	random_expression(right, bytes / 2 - 16, depth - 1);
	if (chance(20))
		snprintf(text, bytes, "not (%s)", left);
	else
		snprintf(text, bytes, "(%s) %s (%s)", left, chance(60) ? "and" : "or", right);
}

void random_filter(char text[RANDOM_FILTER_MAX])
{
	text[0] = '\0';
	if (!chance(15))
		random_expression(text, RANDOM_FILTER_MAX, random_below(4));
}

void random_fields(struct weir_fields *fields, unsigned most)
{
	static const char *const words[] = {
		"src",	   "dst",    "host",	 "sport",  "dport",   "proto",	 "service",
		"in_if",   "out_if", "tos",	 "vlan",   "version", "dscp",	 "flags",
		"ttl",	   "mark",   "sclass",	 "dclass", "src_mac", "dst_mac", "end_reason",
		"time/5s", "src/16", "dst/24/64", "host/24", "time/1m", "observed",
		"nat_src", "nat_dst",    "nat_dport", "tunnel", "tunnel_id", "netns",	 "sampling"};
	unsigned count = 1 + random_below(most);
	char text[256] = "";

	for (unsigned i = 0; i < count; i++) {
		/* The common ones half of the time. */
		unsigned word = random_below(chance(50) ? 6 : sizeof(words) / sizeof(words[0]));

		/* Not one twice: fields are parsed as strictly as users need it. */
		if (strstr(text, words[word]))
			continue;
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? "," : "",
			 words[word]);
	}
	if (weir_fields_parse(text, fields, NULL)) {
		fprintf(stderr, "fields \"%s\" are refused\n", text);
		abort();
	}
}

/* Of those that a list may be ordered by. */
static const struct weir_quantity *random_quantity(void)
{
	const struct weir_quantity *quantity;
	unsigned count = 0;

	while (weir_quantity_at(count))
		count++;
	do
		quantity = weir_quantity_at(random_below(count));
	while (!quantity->listed);
	return quantity;
}

static void random_measure(struct weir_measure *measure)
{
	static const enum weir_measure_kind kinds[] = {WEIR_MEASURE_SUM, WEIR_MEASURE_SUM,
						       WEIR_MEASURE_SUM, WEIR_MEASURE_MIN,
						       WEIR_MEASURE_MAX, WEIR_MEASURE_DISTINCT};

	memset(measure, 0, sizeof(*measure));
	measure->kind = kinds[random_below(6)];
	if (measure->kind == WEIR_MEASURE_DISTINCT)
		random_fields(&measure->distinct, 2);
	else
		measure->quantity = random_quantity();
}

static uint64_t random_limit(void)
{
	static const uint64_t limits[] = {0, 0, 1, 2, 10, 100, 100000};

	return limits[random_below(7)];
}

void random_spec(struct weir_query_spec *spec)
{
	memset(spec, 0, sizeof(*spec));
	if (!chance(5))
		random_fields(&spec->fields, 4);
	spec->measures = random_below(5);
	for (unsigned m = 0; m < spec->measures; m++)
		random_measure(&spec->measure[m]);
	spec->order = (int)random_below(spec->measures + 1) - 1;
	spec->reverse = chance(25);
	spec->limit = random_limit();
}

void random_list(struct weir_list *list)
{
	memset(list, 0, sizeof(*list));
	list->order = chance(50) ? WEIR_LIST_BY_END : WEIR_LIST_BY_QUANTITY;
	list->quantity = random_quantity();
	list->ascending = chance(30);
	list->limit = random_limit();
}

void random_pairs(struct weir_pairs *pairs)
{
	memset(pairs, 0, sizeof(*pairs));
	pairs->order = (enum weir_pair_order)random_below(WEIR_PAIR_BY_RETRANSMITTED + 1);
	pairs->ascending = chance(30);
	pairs->limit = random_limit();
	pairs->gap_ns = chance(50) ? 0 : random_below(10) * WEIR_NS_PER_SECOND;
}
