// SPDX-License-Identifier: GPL-2.0
/* language_number.c - random tests of numbers and ports. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/language.h"

static bool compare(uint64_t a, const char *op, uint64_t b)
{
	if (!strcmp(op, "<") || !strcmp(op, "lt"))
		return a < b;
	if (!strcmp(op, "<=") || !strcmp(op, "le"))
		return a <= b;
	if (!strcmp(op, ">") || !strcmp(op, "gt"))
		return a > b;
	if (!strcmp(op, ">=") || !strcmp(op, "ge"))
		return a >= b;
	if (!strcmp(op, "!=") || !strcmp(op, "ne"))
		return a != b;
	return a == b;
}

static const char *random_op(void)
{
	return ONE_OF("<", "<=", ">", ">=", "=", "==", "!=", "lt", "le", "gt", "ge", "eq", "ne",
		      "");
}

enum kind { COUNT, TIME, SMALL };

/* @n in one of its spellings. */
static void say_number(struct expression *e, enum kind kind, uint64_t n)
{
	static const struct {
		enum kind kind;
		uint64_t times;
		const char *unit;
	} units[] = {
		{COUNT, 1000, "k"},	   {COUNT, 1000000, "M"},    {COUNT, 1000000000, "g"},
		{COUNT, 1024, "Ki"},	   {COUNT, 1048576, "miB"},  {COUNT, 1, "B"},
		{TIME, 1, "ns"},	   {TIME, 1000, "us"},	     {TIME, 1000000, "ms"},
		{TIME, 1000000000, "s"},   {TIME, 60000000000, "m"}, {TIME, 3600000000000, "h"},
		{TIME, 60000000000, "min"}};
	unsigned u = language_up_to(sizeof(units) / sizeof(units[0]));

	if (kind == COUNT && language_up_to(8) == 0)
		language_say(e, "0x%" PRIx64, n);
	else if (units[u].kind == kind && n % units[u].times == 0)
		language_say(e, "%" PRIu64 "%s", n / units[u].times, units[u].unit);
	else if (units[u].kind == kind && units[u].times > 1 && n % (units[u].times / 4) == 0 &&
		 units[u].times % 4 == 0)
		language_say(e, "%" PRIu64 ".%02u%s", n / units[u].times,
			     (unsigned)(n % units[u].times / (units[u].times / 4) * 25),
			     units[u].unit);
	else
		language_say(e, "%" PRIu64 "%s", n, kind == TIME ? "ns" : "");
}

static uint64_t duration(const struct weir_flow *f)
{
	return f->end_ns >= f->start_ns ? f->end_ns - f->start_ns : 0;
}

static bool handshake(const struct weir_flow *f)
{
	return f->protocol == 6 && f->tcp_flags & 2 && f->tcp_flags & 16;
}

/* The number behind a word, and whether it is known. */
static bool number_of(const char *word, const struct weir_flow *f, uint64_t *n)
{
	unsigned __int128 rate =
		!strcmp(word, "bps") ? (unsigned __int128)f->bytes * 8 : f->packets;

	if (!strcmp(word, "bytes"))
		*n = f->bytes;
	else if (!strcmp(word, "packets"))
		*n = f->packets;
	else if (!strcmp(word, "duration"))
		*n = duration(f);
	else if (!strcmp(word, "retransmitted"))
		*n = f->retransmitted;
	else if (!strcmp(word, "out-of-order") || !strcmp(word, "out_of_order"))
		*n = f->out_of_order;
	else if (!strcmp(word, "fragments"))
		*n = f->fragments;
	else if (!strcmp(word, "ttl") || !strcmp(word, "min-ttl"))
		*n = f->min_ttl;
	else if (!strcmp(word, "tos"))
		*n = f->tos;
	else if (!strcmp(word, "dscp"))
		*n = f->tos / 4;
	else if (!strcmp(word, "ecn"))
		*n = f->tos % 4;
	else if (!strcmp(word, "mark"))
		*n = f->mark;
	else if (!strcmp(word, "vlan"))
		*n = f->vlan_id;
	else if (!strcmp(word, "netns"))
		*n = f->netns;
	else if (!strcmp(word, "sampling"))
		*n = f->sampling;
	else if (!strcmp(word, "tunnel id") || !strcmp(word, "tunnel-id"))
		*n = f->tunnel_id;
	else if (!strcmp(word, "inner vlan") || !strcmp(word, "inner-vlan"))
		*n = f->inner_vlan_id;
	else if (!strcmp(word, "mpls label") || !strcmp(word, "mpls"))
		*n = f->mpls_label;
	else if (!strcmp(word, "pppoe session") || !strcmp(word, "PPPoE"))
		*n = f->pppoe_session;
	else if (!strcmp(word, "icmp-type"))
		*n = f->dst_port / 256;
	else if (!strcmp(word, "icmp-code"))
		*n = f->dst_port % 256;
	else if (!strcmp(word, "bpp"))
		*n = f->packets ? f->bytes / f->packets : 0;
	else if (!strcmp(word, "rtt"))
		*n = f->second_ns - f->start_ns;
	else if (!strcmp(word, "response"))
		*n = f->payload_ns - f->start_ns;
	else if (duration(f)) /* bps, pps */
		*n = rate * 1000000000 / duration(f) > UINT64_MAX
			     ? UINT64_MAX
			     : (uint64_t)(rate * 1000000000 / duration(f));
	if (!strncmp(word, "icmp", 4))
		return f->protocol == 1 || f->protocol == 58;
	if (!strcmp(word, "bpp"))
		return f->packets;
	if (!strcmp(word, "bps") || !strcmp(word, "pps"))
		return duration(f);
	if (!strcmp(word, "rtt"))
		return handshake(f) && f->src_port > f->dst_port && f->second_ns &&
		       (*n < 1000000000 || !f->retransmitted);
	if (!strcmp(word, "response"))
		return handshake(f) && f->src_port < f->dst_port && f->payload_ns;
	return true;
}

void language_make_number(struct expression *e)
{
	static const char *const counts[] = {"bytes",	     "packets",	  "bps",
					     "pps",	     "bpp",	  "retransmitted",
					     "out-of-order", "fragments", NULL};
	static const char *const times[] = {"duration", "rtt", "response", NULL};
	static const char *const smalls[] = {"ttl",  "min-ttl", "tos",	     "dscp",	  "ecn",
					     "mark", "vlan",	"icmp-type", "icmp-code", "netns",
					     "sampling", "tunnel id", "tunnel-id", "inner vlan",
					     "inner-vlan", "mpls label", "mpls", "pppoe session",
					     "PPPoE", NULL};
	enum kind kind = language_up_to(3);
	const char *word = language_any_of(kind == COUNT ? counts : kind == TIME ? times : smalls);
	const char *op = random_op(), *start = language_list_start();
	uint64_t n[3] = {0}, found;
	unsigned count = !*op && language_up_to(3) == 0 ? 1 + language_up_to(3) : 1;
	bool range = !*op && count == 1 && language_up_to(2);

	for (unsigned k = 0; k < 3; k++)
		number_of(word, &language_flows[language_up_to(LANGUAGE_FLOWS)],
			  &n[k]); /* whatever it is */
	/* What cannot be written: the words of small numbers have bounds. */
	for (unsigned k = 0; k < 3; k++)
		n[k] = !strcmp(word, "ecn")	   ? n[k] % 4
		       : !strncmp(word, "icmp", 4) ? n[k] % 256
						   : n[k];
	if (range && n[0] > n[1]) {
		found = n[0];
		n[0] = n[1];
		n[1] = found;
	}
	language_say(e, "%s %s%s", word, op, *op ? ONE_OF(" ", "") : "");
	if (*op && strchr("lgen", *op))
		language_say(e, " ");
	if (count > 1)
		language_say(e, "%s", start);
	for (unsigned k = 0; k < count; k++) {
		language_say(e, "%s", k ? ONE_OF(" ", ", ") : "");
		say_number(e, kind, n[k]);
	}
	if (range) {
		language_say(e, "-");
		say_number(e, kind, n[1]);
	}
	if (count > 1)
		language_say(e, "%s", language_list_end(start));
	for (unsigned i = 0; i < LANGUAGE_FLOWS; i++) {
		bool holds = false;

		if (!number_of(word, &language_flows[i], &found))
			continue;
		for (unsigned k = 0; k < count; k++)
			holds = holds ||
				(range ? found >= n[0] && found <= n[1] : compare(found, op, n[k]));
		e->holds |= (uint64_t)holds << i;
	}
}

static bool port_passes(const struct weir_flow *f, uint16_t port, const char *op, unsigned low,
			unsigned high)
{
	bool has = f->protocol == 6 || f->protocol == 17 || f->protocol == 132;

	return has && (high != low ? port >= low && port <= high : compare(port, op, low));
}

void language_make_port(struct expression *e)
{
	static const struct {
		const char *name;
		unsigned port;
	} named[] = {{"ssh", 22}, {"domain", 53}, {"dns", 53}, {"http", 80}, {"https", 443}};
	unsigned low = language_flows[language_up_to(LANGUAGE_FLOWS)].src_port, high = low,
		 name = language_up_to(5);
	enum end end = language_say_end(e);
	const char *op = "";

	if (language_up_to(3) == 0) {
		low = high = named[name].port;
		language_say(e, "port %s", named[name].name);
	} else if (language_up_to(2)) {
		high = low + language_up_to(65536 - low);
		language_say(e, "%s %u-%u", ONE_OF("port", "portrange"), low, high);
	} else {
		op = random_op();
		language_say(e, "port %s %u", op, low);
	}
	for (unsigned i = 0; i < LANGUAGE_FLOWS; i++)
		e->holds |= (uint64_t)language_combine(
				    end,
				    port_passes(&language_flows[i], language_flows[i].src_port, op,
						low, high),
				    port_passes(&language_flows[i], language_flows[i].dst_port, op,
						low, high))
			    << i;
}

/* tcpdump's "(udp dst port A or B)". */
void language_make_repeated_port(struct expression *e)
{
	unsigned a = language_flows[language_up_to(LANGUAGE_FLOWS)].src_port;
	unsigned b = language_flows[language_up_to(LANGUAGE_FLOWS)].dst_port;
	bool udp = language_up_to(2), either = language_up_to(2);
	enum end end;

	language_say(e, "(%s", udp ? "udp " : "");
	end = language_say_end(e);
	language_say(e, "port %u %s %u)", a, either ? "or" : "and", b);
	for (unsigned i = 0; i < LANGUAGE_FLOWS; i++) {
		const struct weir_flow *f = &language_flows[i];
		bool first = language_combine(end, port_passes(f, f->src_port, "", a, a),
					      port_passes(f, f->dst_port, "", a, a));
		bool second = language_combine(end, port_passes(f, f->src_port, "", b, b),
					       port_passes(f, f->dst_port, "", b, b));
		bool holds = either ? first || second : first && second;

		e->holds |= (uint64_t)(holds && (!udp || f->protocol == 17)) << i;
	}
}
