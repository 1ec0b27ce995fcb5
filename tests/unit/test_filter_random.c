// SPDX-License-Identifier: GPL-2.0
/*
 * Random filters against a second definition of the language, which follows weir-filter(7) and
 * shares no code with daemon/query.
 *
 * A round has 64 random flows. An expression is made together with the set of those flows for which
 * it holds, bit i for flow i: tests set their bits one flow at a time, operators are operators on
 * the sets. Its text is then parsed, bound, and matched with each flow. What is written is one of
 * several spellings at random. WEIR_SEED=N repeats a run.
 */
#include <arpa/inet.h>
#include <check.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/query/filter.h"
#include "daemon/query/names.h"

enum { FLOWS = 64, ROUNDS = 40, EXPRESSIONS = 250 };

static struct weir_flow flows[FLOWS];

struct expression {
	char text[4000];
	uint64_t holds;
};

static unsigned up_to(unsigned n)
{
	return (unsigned)random() % n;
}

static const char *any_of(const char *const *words)
{
	unsigned count = 0;

	while (words[count])
		count++;
	return words[up_to(count)];
}

#define ONE_OF(...) any_of((const char *const[]){__VA_ARGS__, NULL})

__attribute__((format(printf, 2, 3))) static void say(struct expression *e, const char *format, ...)
{
	size_t used = strlen(e->text);
	va_list args;

	va_start(args, format);
	vsnprintf(e->text + used, sizeof(e->text) - used, format, args);
	va_end(args);
}

/* Flows. Few different values, so that tests hold for some. */

static void random_address(uint8_t address[16], uint8_t version)
{
	static const uint8_t four[16] = {[10] = 0xff, [11] = 0xff, [12] = 10};
	static const uint8_t six[16] = {0x20, 0x01, 0x0d, 0xb8};

	memcpy(address, version == 4 ? four : six, 16);
	if (version == 4)
		address[13] = (uint8_t)up_to(3);
	else
		address[7] = (uint8_t)up_to(3);
	address[14] = (uint8_t)(up_to(2) * 200);
	address[15] = (uint8_t)up_to(4);
}

static uint64_t random_number(void)
{
	switch (up_to(5)) {
	case 0:
		return up_to(10);
	case 1:
		return 1000 * (uint64_t)up_to(3000);
	case 2:
		return 1024 * (uint64_t)up_to(3000);
	case 3:
		return 1000000 * (uint64_t)up_to(5000);
	}
	return up_to(20) ? (uint64_t)random() : UINT64_MAX - up_to(2);
}

static struct weir_flow random_flow(void)
{
	static const uint8_t protocols[] = {1, 6, 6, 6, 6, 17, 17, 47, 58, 132, 200};
	static const uint16_t ports[] = {0, 22, 53, 80, 443, 1024, 32768, 40000, 65535};
	static const uint64_t times[] = {0,	    1,		1000,	     1000000,	   25000000,
					 999999999, 1000000000, 60000000000, 7200000000000};
	struct weir_flow f = {.ip_version = up_to(3) ? 4 : 6, .protocol = protocols[up_to(11)]};

	random_address(f.src_addr, f.ip_version);
	random_address(f.dst_addr, f.ip_version);
	f.src_port = ports[up_to(9)];
	f.dst_port = f.protocol == 1 || f.protocol == 58 ? (uint16_t)(up_to(4) * 256 + up_to(3))
							 : ports[up_to(9)];
	f.bytes = random_number();
	f.packets = random_number();
	f.start_ns = 1795446245000000000;
	f.end_ns = f.start_ns + times[up_to(9)] - (up_to(20) ? 0 : 5);
	f.second_ns = up_to(4) ? f.start_ns + times[up_to(9)] : 0;
	f.payload_ns = up_to(4) ? f.start_ns + times[up_to(9)] : 0;
	f.in_ifindex = up_to(6);
	f.out_ifindex = up_to(6);
	f.mark = up_to(3) ? up_to(3) : UINT32_MAX;
	f.fragments = up_to(3) ? 0 : up_to(5);
	f.retransmitted = up_to(3) ? 0 : up_to(2000);
	f.out_of_order = up_to(3) ? 0 : up_to(5);
	f.vlan_id = up_to(2) ? 0 : (uint16_t)(99 + up_to(3));
	f.tcp_flags = f.protocol == 6 ? (uint16_t)up_to(512) : 0;
	f.flags = (uint16_t)up_to(16);
	f.tos = (uint8_t)random();
	f.end_reason = (uint8_t)up_to(6);
	f.observed = (uint8_t)(1 + up_to(3));
	f.min_ttl = (uint8_t)up_to(256);
	f.src_mac[5] = (uint8_t)up_to(3);
	f.dst_mac[5] = (uint8_t)up_to(3);
	return f;
}

/* Ends: which of the two have to pass. */

enum end { EITHER, SOURCE, DESTINATION, BOTH };

static bool combine(enum end end, bool src, bool dst)
{
	return end == SOURCE	    ? src
	       : end == DESTINATION ? dst
	       : end == BOTH	    ? src && dst
				    : src || dst;
}

static enum end say_end(struct expression *e)
{
	switch (up_to(6)) {
	case 0:
	case 1:
		say(e, "src ");
		return SOURCE;
	case 2:
	case 3:
		say(e, "dst ");
		return DESTINATION;
	case 4:
		say(e, "%s ", ONE_OF("src and dst", "dst and src"));
		return BOTH;
	}
	say(e, "%s", ONE_OF("", "", "src or dst ", "dst or src "));
	return EITHER;
}

/* Addresses and networks. */

struct net {
	uint8_t version, address[16];
	unsigned bits; /* of 32 or 128 */
};

static bool in_net(const struct net *net, const struct weir_flow *f, const uint8_t *address)
{
	unsigned skip = net->version == 4 ? 96 : 0;

	if (f->ip_version != net->version)
		return false;
	for (unsigned i = skip; i < skip + net->bits; i++) {
		if ((net->address[i / 8] ^ address[i / 8]) & 0x80 >> i % 8)
			return false;
	}
	return true;
}

static struct net random_net(bool whole)
{
	struct net net = {.version = up_to(3) ? 4 : 6};
	unsigned most = net.version == 4 ? 32 : 128;

	random_address(net.address, net.version);
	net.bits = whole ? most : up_to(most + 1);
	return net;
}

static void say_address(struct expression *e, const struct net *net)
{
	char text[INET6_ADDRSTRLEN];

	if (net->version == 4)
		inet_ntop(AF_INET, net->address + 12, text, sizeof(text));
	else
		inet_ntop(AF_INET6, net->address, text, sizeof(text));
	say(e, "%s", text);
}

/* In one of the ways to write it; @alone: not in a list. */
static void say_net(struct expression *e, const struct net *net, bool alone)
{
	uint32_t mask = 0;
	char text[INET_ADDRSTRLEN];

	if (net->version == 4 && net->bits == 16 && up_to(2)) {
		say(e, "%u.%u%s", net->address[12], net->address[13], ONE_OF("", "/16"));
		return;
	}
	say_address(e, net);
	if (alone && net->version == 4 && up_to(2)) {
		mask = htonl(net->bits ? ~0u << (32 - net->bits) : 0);
		inet_ntop(AF_INET, &mask, text, sizeof(text));
		say(e, " %s%s", ONE_OF("", "mask "), text);
	} else {
		say(e, "/%u", net->bits);
	}
}

static void mark_addresses(struct expression *e, enum end end, const struct net *nets,
			   unsigned count)
{
	for (unsigned i = 0; i < FLOWS; i++) {
		bool src = false, dst = false;

		for (unsigned k = 0; k < count; k++) {
			src = src || in_net(&nets[k], &flows[i], flows[i].src_addr);
			dst = dst || in_net(&nets[k], &flows[i], flows[i].dst_addr);
		}
		e->holds |= (uint64_t)combine(end, src, dst) << i;
	}
}

static const char *list_start(void)
{
	return ONE_OF("in {", "in [", "{", "[ ");
}

static const char *list_end(const char *start)
{
	return strchr(start, '{') ? "}" : "]";
}

static void make_address(struct expression *e)
{
	enum end end = say_end(e);
	bool is_net = up_to(2);
	unsigned count = up_to(3) ? 1 : 1 + up_to(4);
	const char *start = list_start();
	struct net nets[4];

	say(e, "%s", is_net ? "net " : ONE_OF("host ", "ip ", "addr "));
	if (count > 1)
		say(e, "%s", start);
	for (unsigned k = 0; k < count; k++) {
		nets[k] = random_net(!is_net);
		say(e, "%s", k ? ONE_OF(" ", ", ", ",") : "");
		if (is_net)
			say_net(e, &nets[k], count == 1);
		else
			say_address(e, &nets[k]);
	}
	if (count > 1)
		say(e, "%s", list_end(start));
	mark_addresses(e, end, nets, count);
}

/* tcpdump's "(src host A or B)". */
static void make_repeated(struct expression *e)
{
	struct expression second = {0};
	struct net nets[2] = {random_net(true), random_net(true)};
	bool tcp = up_to(2), either = up_to(2);
	enum end end;

	say(e, "(%s", tcp ? "tcp " : "");
	end = say_end(e);
	say(e, "%s", ONE_OF("host ", "ip ", ""));
	say_address(e, &nets[0]);
	say(e, " %s ", either ? ONE_OF("or", "||") : ONE_OF("and", "&&"));
	say_address(e, &nets[1]);
	say(e, ")");
	mark_addresses(e, end, &nets[0], 1);
	mark_addresses(&second, end, &nets[1], 1);
	e->holds = either ? e->holds | second.holds : e->holds & second.holds;
	for (unsigned i = 0; i < FLOWS && tcp; i++) {
		if (flows[i].protocol != 6)
			e->holds &= ~(1ULL << i);
	}
}

static void make_mac(struct expression *e)
{
	unsigned last = up_to(4);
	enum end end;

	if (up_to(2)) {
		end = say_end(e);
		say(e, "mac ");
	} else {
		say(e, "ether ");
		end = say_end(e);
		say(e, "%s", end == EITHER ? "host " : ONE_OF("", "host "));
	}
	say(e, ONE_OF("00:00:00:00:00:%02x", "0:0:0:0:0:%x", "00-00-00-00-00-%02X"), last);
	for (unsigned i = 0; i < FLOWS; i++)
		e->holds |= (uint64_t)combine(end, flows[i].src_mac[5] == last,
					      flows[i].dst_mac[5] == last)
			    << i;
}

/* Numbers. */

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
	unsigned u = up_to(sizeof(units) / sizeof(units[0]));

	if (kind == COUNT && up_to(8) == 0)
		say(e, "0x%" PRIx64, n);
	else if (units[u].kind == kind && n % units[u].times == 0)
		say(e, "%" PRIu64 "%s", n / units[u].times, units[u].unit);
	else if (units[u].kind == kind && units[u].times > 1 && n % (units[u].times / 4) == 0 &&
		 units[u].times % 4 == 0)
		say(e, "%" PRIu64 ".%02u%s", n / units[u].times,
		    (unsigned)(n % units[u].times / (units[u].times / 4) * 25), units[u].unit);
	else
		say(e, "%" PRIu64 "%s", n, kind == TIME ? "ns" : "");
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

static void make_number(struct expression *e)
{
	static const char *const counts[] = {"bytes",	     "packets",	  "bps",
					     "pps",	     "bpp",	  "retransmitted",
					     "out-of-order", "fragments", NULL};
	static const char *const times[] = {"duration", "rtt", "response", NULL};
	static const char *const smalls[] = {"ttl",  "min-ttl", "tos",	     "dscp",	  "ecn",
					     "mark", "vlan",	"icmp-type", "icmp-code", NULL};
	enum kind kind = up_to(3);
	const char *word = any_of(kind == COUNT ? counts : kind == TIME ? times : smalls);
	const char *op = random_op(), *start = list_start();
	uint64_t n[3] = {0}, found;
	unsigned count = !*op && up_to(3) == 0 ? 1 + up_to(3) : 1;
	bool range = !*op && count == 1 && up_to(2);

	for (unsigned k = 0; k < 3; k++)
		number_of(word, &flows[up_to(FLOWS)], &n[k]); /* whatever it is */
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
	say(e, "%s %s%s", word, op, *op ? ONE_OF(" ", "") : "");
	if (*op && strchr("lgen", *op))
		say(e, " ");
	if (count > 1)
		say(e, "%s", start);
	for (unsigned k = 0; k < count; k++) {
		say(e, "%s", k ? ONE_OF(" ", ", ") : "");
		say_number(e, kind, n[k]);
	}
	if (range) {
		say(e, "-");
		say_number(e, kind, n[1]);
	}
	if (count > 1)
		say(e, "%s", list_end(start));
	for (unsigned i = 0; i < FLOWS; i++) {
		bool holds = false;

		if (!number_of(word, &flows[i], &found))
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

static void make_port(struct expression *e)
{
	static const struct {
		const char *name;
		unsigned port;
	} named[] = {{"ssh", 22}, {"domain", 53}, {"dns", 53}, {"http", 80}, {"https", 443}};
	unsigned low = flows[up_to(FLOWS)].src_port, high = low, name = up_to(5);
	enum end end = say_end(e);
	const char *op = "";

	if (up_to(3) == 0) {
		low = high = named[name].port;
		say(e, "port %s", named[name].name);
	} else if (up_to(2)) {
		high = low + up_to(65536 - low);
		say(e, "%s %u-%u", ONE_OF("port", "portrange"), low, high);
	} else {
		op = random_op();
		say(e, "port %s %u", op, low);
	}
	for (unsigned i = 0; i < FLOWS; i++)
		e->holds |= (uint64_t)combine(
				    end, port_passes(&flows[i], flows[i].src_port, op, low, high),
				    port_passes(&flows[i], flows[i].dst_port, op, low, high))
			    << i;
}

/* Interfaces: 3 is eth0, 4 eth1, 5 wan0. */
static void make_interface(struct expression *e)
{
	static const struct {
		const char *text;
		unsigned bits; /* by index */
	} rows[] = {{"3", 1 << 3},
		    {"eth0", 1 << 3},
		    {"ETH1", 1 << 4},
		    {"eth*", 3 << 3},
		    {"*0", 5 << 3},
		    {"\"wan0\"", 1 << 5},
		    {"?an*", 1 << 5},
		    {"0-3", 0xf},
		    {"{eth0 wan*}", 5 << 3},
		    {"in [1, eth0]", 5 << 1},
		    {"lan*", 0},
		    {"*", 7 << 3},
		    {"0", 1}};
	unsigned row = up_to(sizeof(rows) / sizeof(rows[0])), which = up_to(3);

	say(e, "%s%s %s",
	    which == 0	 ? "in "
	    : which == 1 ? "out "
			 : "",
	    ONE_OF("if", "iface", "interface", "on"), rows[row].text);
	for (unsigned i = 0; i < FLOWS; i++) {
		bool in = rows[row].bits >> flows[i].in_ifindex & 1;
		bool out = rows[row].bits >> flows[i].out_ifindex & 1;

		e->holds |= (uint64_t)(which == 0 ? in : which == 1 ? out : in || out) << i;
	}
}

static void make_flags(struct expression *e)
{
	static const char letters[] = "FSRPAUECN";
	unsigned wanted, form = up_to(4);

	if (form == 3) {
		static const char *const words[] = {"fin", "syn", "rst", "psh", "ack", "urg", NULL};
		unsigned bit = up_to(6);

		say(e, "%s%s", ONE_OF("", "flags ", "tcp flags "), words[bit]);
		wanted = 1u << bit;
	} else {
		wanted = form == 2 ? flows[up_to(FLOWS)].tcp_flags | 1 : 1 + up_to(511) % (1u << up_to(10));
		say(e, "%s",
		    form == 0	? "flags "
		    : form == 1 ? ONE_OF("not flags ", "! flags ")
				: "flags = ");
		for (unsigned i = 0; i < 9; i++) {
			if (wanted >> i & 1)
				say(e, "%c", up_to(2) ? letters[i] : letters[i] | 0x20);
		}
	}
	for (unsigned i = 0; i < FLOWS; i++) {
		unsigned seen = flows[i].tcp_flags;
		bool tcp = flows[i].protocol == 6, holds;

		if (form == 1)
			holds = !tcp || !(seen & wanted);
		else if (form == 2)
			holds = tcp && seen == wanted;
		else
			holds = tcp && (seen & wanted) == wanted;
		e->holds |= (uint64_t)holds << i;
	}
}

static void make_word(struct expression *e)
{
	static const struct {
		const char *text;
		size_t offset; /* of a byte in a flow */
		unsigned mask, value;
	} rows[] = {
#define AT(member) offsetof(struct weir_flow, member)
		{"tcp", AT(protocol), 255, 6},
		{"proto udp", AT(protocol), 255, 17},
		{"proto = 47", AT(protocol), 255, 47},
		{"protocol in {gre}", AT(protocol), 255, 47},
		{"icmp6", AT(protocol), 255, 58},
		{"sctp", AT(protocol), 255, 132},
		{"ip proto icmp", AT(protocol), 255, 1}, /* IPv6 is put right below */
		{"ipv4", AT(ip_version), 255, 4},
		{"ip", AT(ip_version), 255, 4},
		{"inet6", AT(ip_version), 255, 6},
		{"ip6", AT(ip_version), 255, 6},
		{"dscp ef", AT(tos), 0xfc, 46 << 2},
		{"dscp = af41", AT(tos), 0xfc, 34 << 2},
		{"dscp in {cs1}", AT(tos), 0xfc, 8 << 2},
		{"forwarded", AT(observed), 255, 1},
		{"observed local-in", AT(observed), 255, 2},
		{"local-out", AT(observed), 255, 3},
		{"end-reason idle", AT(end_reason), 255, 1},
		{"end-reason = active", AT(end_reason), 255, 2},
		{"end_reason in [end]", AT(end_reason), 255, 3},
		{"end-reason resources", AT(end_reason), 255, 5},
		{"fragmented", AT(flags), 1, 1},
		{"later-fragment", AT(flags), 2, 2},
		{"ipsec", AT(flags), 4, 4},
		{"gso", AT(flags), 8, 8},
		{"any", AT(flags), 0, 0},
		{"node here", AT(flags), 0, 0},
		{"node in {there, h*}", AT(flags), 0, 0},
		{"site \"some where\"", AT(flags), 0, 0},
		{"node there", AT(flags), 0, 1},
		{"site some", AT(flags), 0, 1},
#undef AT
	};
	unsigned row = up_to(sizeof(rows) / sizeof(rows[0]));

	say(e, "%s", rows[row].text);
	for (unsigned i = 0; i < FLOWS; i++) {
		unsigned byte = ((const uint8_t *)&flows[i])[rows[row].offset];
		bool holds = (byte & rows[row].mask) == rows[row].value;

		if (!strncmp(rows[row].text, "ip proto", 8))
			holds = holds && flows[i].ip_version == 4;
		e->holds |= (uint64_t)holds << i;
	}
}

static void make(struct expression *e, unsigned depth);

static void make_test(struct expression *e)
{
	static void (*const makers[])(struct expression * e) = {
		make_address, make_repeated,  make_mac,	  make_number, make_number,
		make_port,    make_interface, make_flags, make_word};

	makers[up_to(sizeof(makers) / sizeof(makers[0]))](e);
}

static void make_joined(struct expression *e, unsigned depth)
{
	struct expression *left = calloc(1, sizeof(*left)), *right = calloc(1, sizeof(*right));
	bool both = up_to(2);

	make(left, depth - 1);
	make(right, depth - 1);
	say(e, "(%s) %s (%s)", left->text, both ? ONE_OF("and", "&&", "AND") : ONE_OF("or", "||"),
	    right->text);
	e->holds = both ? left->holds & right->holds : left->holds | right->holds;
	free(left);
	free(right);
}

/* Without parentheses: not before and before or. */
static void make_mixed(struct expression *e)
{
	uint64_t sum = 0, product = ~0ULL;
	unsigned count = 2 + up_to(4);

	for (unsigned k = 0; k < count; k++) {
		struct expression *one = calloc(1, sizeof(*one));
		bool not = up_to(3) == 0, either = up_to(2);

		make_test(one);
		/* A bare "not" before the word is a "not flags"; that has a form of its own. */
		not = not &&strncmp(one->text, "flags", 5);
		say(e, "%s%s", not ? ONE_OF("not ", "!", "! ") : "", one->text);
		product &= not ? ~one->holds : one->holds;
		if (k + 1 < count)
			say(e, " %s ", either ? ONE_OF("or", "||", "Or") : ONE_OF("and", "&&"));
		if (k + 1 == count || either) {
			sum |= product;
			product = ~0ULL;
		}
		free(one);
	}
	e->holds = sum;
}

static void make(struct expression *e, unsigned depth)
{
	struct expression *inner;

	switch (depth ? up_to(5) : 4) {
	case 0:
	case 1:
		make_joined(e, depth);
		break;
	case 2:
		inner = calloc(1, sizeof(*inner));
		make(inner, depth - 1);
		say(e, "%s(%s)", ONE_OF("not ", "!"), inner->text);
		e->holds = ~inner->holds;
		free(inner);
		break;
	case 3:
		make_mixed(e);
		break;
	default:
		make_test(e);
	}
}

static void check_expression(const struct expression *e, const struct weir_names *names)
{
	struct weir_filter *filter;
	char error[256] = "";
	size_t at = 0;

	ck_assert_msg(weir_filter_parse(e->text, &filter, error, sizeof(error), &at) == 0,
		      "%s: %s at %zu", e->text, error, at);
	ck_assert_msg(weir_filter_bind(filter, names, error, sizeof(error), &at) == 0, "%s: %s",
		      e->text, error);
	for (unsigned i = 0; i < FLOWS; i++)
		ck_assert_msg(weir_filter_match(filter, &flows[i]) == (e->holds >> i & 1),
			      "%s: flow %u should%s match", e->text, i,
			      e->holds >> i & 1 ? "" : " not");
	weir_filter_free(filter);
}

START_TEST(random_filters)
{
	const char *wanted = getenv("WEIR_SEED");
	unsigned seed = wanted ? (unsigned)atoi(wanted) : 20261125, mixed = 0;
	struct expression *e = malloc(sizeof(*e));
	struct weir_names *names;

	srandom(seed);
	ck_assert_int_eq(weir_names_new("here", "some where", &names), 0);
	ck_assert_int_eq(weir_names_add(names, 3, "eth0"), 0);
	ck_assert_int_eq(weir_names_add(names, 4, "eth1"), 0);
	ck_assert_int_eq(weir_names_add(names, 5, "wan0"), 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < FLOWS; i++)
			flows[i] = random_flow();
		for (unsigned i = 0; i < EXPRESSIONS; i++) {
			memset(e, 0, sizeof(*e));
			make(e, 3);
			if (strlen(e->text) + 1 == sizeof(e->text))
				continue; /* cut */
			check_expression(e, names);
			mixed += e->holds && e->holds != ~0ULL;
		}
	}
	/* Most tell some flows from others: a test of tests. */
	ck_assert_uint_gt(mixed, ROUNDS * EXPRESSIONS / 2);
	weir_names_free(names);
	free(e);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("filter_random");
	TCase *tcase = tcase_create("filter_random");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 240);
	tcase_add_test(tcase, random_filters);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
