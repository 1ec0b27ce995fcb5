// SPDX-License-Identifier: GPL-2.0
#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/language.h"

struct weir_flow language_flows[LANGUAGE_FLOWS];

unsigned language_up_to(unsigned n)
{
	return (unsigned)random() % n;
}

const char *language_any_of(const char *const *words)
{
	unsigned count = 0;

	while (words[count])
		count++;
	return words[language_up_to(count)];
}

void language_say(struct expression *e, const char *format, ...)
{
	size_t used = strlen(e->text);
	va_list args;

	va_start(args, format);
	vsnprintf(e->text + used, sizeof(e->text) - used, format, args);
	va_end(args);
}

/* Flows. Few different values, so that tests hold for some. */

void language_random_address(uint8_t address[16], uint8_t version)
{
	static const uint8_t four[16] = {[10] = 0xff, [11] = 0xff, [12] = 10};
	static const uint8_t six[16] = {0x20, 0x01, 0x0d, 0xb8};

	memcpy(address, version == 4 ? four : six, 16);
	if (version == 4)
		address[13] = (uint8_t)language_up_to(3);
	else
		address[7] = (uint8_t)language_up_to(3);
	address[14] = (uint8_t)(language_up_to(2) * 200);
	address[15] = (uint8_t)language_up_to(4);
}

static uint64_t random_number(void)
{
	switch (language_up_to(5)) {
	case 0:
		return language_up_to(10);
	case 1:
		return 1000 * (uint64_t)language_up_to(3000);
	case 2:
		return 1024 * (uint64_t)language_up_to(3000);
	case 3:
		return 1000000 * (uint64_t)language_up_to(5000);
	}
	return language_up_to(20) ? (uint64_t)random() : UINT64_MAX - language_up_to(2);
}

static void random_beyond(uint8_t version, uint64_t *high, uint64_t *low)
{
	uint8_t address[16];
	uint64_t half[2];

	language_random_address(address, version);
	memcpy(half, address, sizeof(half));
	*high = be64toh(half[0]);
	*low = be64toh(half[1]);
}

static void random_tail(struct weir_flow *f)
{
	f->sampling = language_up_to(3) ? 0 : 100;
	if (language_up_to(2)) {
		random_beyond(language_up_to(5) ? f->ip_version : 6, &f->nat_src_high, &f->nat_src_low);
		f->nat_src_port = (uint16_t)(language_up_to(3) * 443);
	}
	if (!language_up_to(3)) {
		random_beyond(f->ip_version, &f->nat_dst_high, &f->nat_dst_low);
		f->nat_dst_port = (uint16_t)(language_up_to(3) * 443);
	}
	f->tunnel = (uint8_t)language_up_to(6);
	f->tunnel_id = f->tunnel ? language_up_to(4) : 0;
	f->netns = language_up_to(2) * (4026532000u + language_up_to(3));
	f->inner_vlan_id = (uint16_t)language_up_to(3);
	f->mpls_label = language_up_to(2) ? 0 : 1048575 - language_up_to(2);
	f->pppoe_session = language_up_to(2) ? 0 : (uint16_t)(65535 - language_up_to(2));
}

static struct weir_flow random_flow(void)
{
	static const uint8_t protocols[] = {1, 6, 6, 6, 6, 17, 17, 47, 58, 132, 200};
	static const uint16_t ports[] = {0, 22, 53, 80, 443, 1024, 32768, 40000, 65535};
	static const uint64_t times[] = {0,	    1,		1000,	     1000000,	   25000000,
					 999999999, 1000000000, 60000000000, 7200000000000};
	struct weir_flow f = {.ip_version = language_up_to(3) ? 4 : 6,
			      .protocol = protocols[language_up_to(11)]};

	language_random_address(f.src_addr, f.ip_version);
	language_random_address(f.dst_addr, f.ip_version);
	f.src_port = ports[language_up_to(9)];
	f.dst_port = f.protocol == 1 || f.protocol == 58
			     ? (uint16_t)(language_up_to(4) * 256 + language_up_to(3))
			     : ports[language_up_to(9)];
	f.bytes = random_number();
	f.packets = random_number();
	f.start_ns = 1795446245000000000;
	f.end_ns = f.start_ns + times[language_up_to(9)] - (language_up_to(20) ? 0 : 5);
	f.second_ns = language_up_to(4) ? f.start_ns + times[language_up_to(9)] : 0;
	f.payload_ns = language_up_to(4) ? f.start_ns + times[language_up_to(9)] : 0;
	f.in_ifindex = language_up_to(6);
	f.out_ifindex = language_up_to(6);
	f.mark = language_up_to(3) ? language_up_to(3) : UINT32_MAX;
	f.fragments = language_up_to(3) ? 0 : language_up_to(5);
	f.retransmitted = language_up_to(3) ? 0 : language_up_to(2000);
	f.out_of_order = language_up_to(3) ? 0 : language_up_to(5);
	f.vlan_id = language_up_to(2) ? 0 : (uint16_t)(99 + language_up_to(3));
	f.tcp_flags = f.protocol == 6 ? (uint16_t)language_up_to(512) : 0;
	f.flags = (uint16_t)language_up_to(32);
	f.tos = (uint8_t)random();
	f.end_reason = (uint8_t)language_up_to(6);
	f.observed = (uint8_t)(1 + language_up_to(7));
	f.min_ttl = (uint8_t)language_up_to(256);
	f.src_mac[5] = (uint8_t)language_up_to(3);
	f.dst_mac[5] = (uint8_t)language_up_to(3);
	if (language_up_to(3))
		random_tail(&f);
	return f;
}

void language_make_flows(void)
{
	for (unsigned i = 0; i < LANGUAGE_FLOWS; i++)
		language_flows[i] = random_flow();
}

/* Ends: which of the two have to pass. */

bool language_combine(enum end end, bool src, bool dst)
{
	return end == SOURCE	    ? src
	       : end == DESTINATION ? dst
	       : end == BOTH	    ? src && dst
				    : src || dst;
}

enum end language_say_end(struct expression *e)
{
	switch (language_up_to(6)) {
	case 0:
	case 1:
		language_say(e, "src ");
		return SOURCE;
	case 2:
	case 3:
		language_say(e, "dst ");
		return DESTINATION;
	case 4:
		language_say(e, "%s ", ONE_OF("src and dst", "dst and src"));
		return BOTH;
	}
	language_say(e, "%s", ONE_OF("", "", "src or dst ", "dst or src "));
	return EITHER;
}

const char *language_list_start(void)
{
	return ONE_OF("in {", "in [", "{", "[ ");
}

const char *language_list_end(const char *start)
{
	return strchr(start, '{') ? "}" : "]";
}

/* Interfaces: 3 is eth0, 4 eth1, 5 wan0. */
static void make_interface(struct expression *e)
{
	static const struct {
		const char *text;
		unsigned bits; /* by index */
		enum { NUMBER, NAME, NO_NAME } kind; /* names are of the meter's own namespace */
	} rows[] = {{"3", 1 << 3, NUMBER},
		    {"eth0", 1 << 3, NAME},
		    {"ETH1", 1 << 4, NAME},
		    {"eth*", 3 << 3, NAME},
		    {"*0", 5 << 3, NAME},
		    {"\"wan0\"", 1 << 5, NAME},
		    {"?an*", 1 << 5, NAME},
		    {"0-3", 0xf, NUMBER},
		    {"{eth0 wan*}", 5 << 3, NAME},
		    {"in [1, eth0]", 5 << 1, NAME},
		    {"lan*", 0, NAME},
		    {"*", 7 << 3, NAME},
		    {"0", 1, NUMBER},
		    {"!= 0", 0x3e, NUMBER},
		    {"ge 4", 0x30, NUMBER},
		    {"< 3", 7, NUMBER},
		    {"= eth0", 1 << 3, NAME},
		    {"!= eth0", 0x3f & ~(1 << 3), NO_NAME},
		    {"ne eth*", 0x3f & ~(3 << 3), NO_NAME},
		    {"!= {eth0 4 wan*}", 0x3f & ~(7 << 3), NO_NAME}};
	unsigned row = language_up_to(sizeof(rows) / sizeof(rows[0])), which = language_up_to(3);

	language_say(e, "%s%s %s",
		     which == 2 ? ""
		     : which	? "out "
				: "in ",
		     ONE_OF("if", "iface", "interface", "on"), rows[row].text);
	for (unsigned i = 0; i < LANGUAGE_FLOWS; i++) {
		bool in = rows[row].bits >> language_flows[i].in_ifindex & 1;
		bool out = rows[row].bits >> language_flows[i].out_ifindex & 1;
		bool holds = which == 0 ? in : which == 1 ? out : in || out;

		if (language_flows[i].netns && rows[row].kind != NUMBER)
			holds = rows[row].kind == NO_NAME;
		e->holds |= (uint64_t)holds << i;
	}
}

static void make_flags(struct expression *e)
{
	static const char letters[] = "FSRPAUECN";
	unsigned wanted, form = language_up_to(4);

	if (form == 3) {
		static const char *const words[] = {"fin", "syn", "rst", "psh", "ack", "urg", NULL};
		unsigned bit = language_up_to(6);

		language_say(e, "%s%s", ONE_OF("", "flags ", "tcp flags "), words[bit]);
		wanted = 1u << bit;
	} else {
		wanted = form == 2 ? language_flows[language_up_to(LANGUAGE_FLOWS)].tcp_flags | 1
				   : 1 + language_up_to(511) % (1u << language_up_to(10));
		language_say(e, "%s",
			     form == 0	 ? "flags "
			     : form == 1 ? ONE_OF("not flags ", "! flags ")
					 : "flags = ");
		for (unsigned i = 0; i < 9; i++) {
			if (wanted >> i & 1)
				language_say(e, "%c",
					     language_up_to(2) ? letters[i] : letters[i] | 0x20);
		}
	}
	for (unsigned i = 0; i < LANGUAGE_FLOWS; i++) {
		unsigned seen = language_flows[i].tcp_flags;
		bool tcp = language_flows[i].protocol == 6, holds;

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
		{"partial", AT(flags), 16, 16},
		{"pre-routing", AT(observed), 255, 4},
		{"observed bridge", AT(observed), 255, 5},
		{"ingress", AT(observed), 255, 6},
		{"observed = egress", AT(observed), 255, 7},
		{"tunnel none", AT(tunnel), 255, 0},
		{"tunnel ipip", AT(tunnel), 255, 1},
		{"tunnel = gre", AT(tunnel), 255, 2},
		{"tunnel in {vxlan}", AT(tunnel), 255, 3},
		{"tunnel geneve", AT(tunnel), 255, 4},
		{"tunnel GTP-U", AT(tunnel), 255, 5},
		{"any", AT(flags), 0, 0},
		{"node here", AT(flags), 0, 0},
		{"node in {there, h*}", AT(flags), 0, 0},
		{"site \"some where\"", AT(flags), 0, 0},
		{"node there", AT(flags), 0, 1},
		{"site some", AT(flags), 0, 1},
#undef AT
	};
	unsigned row = language_up_to(sizeof(rows) / sizeof(rows[0]));

	language_say(e, "%s", rows[row].text);
	for (unsigned i = 0; i < LANGUAGE_FLOWS; i++) {
		unsigned byte = ((const uint8_t *)&language_flows[i])[rows[row].offset];
		bool holds = (byte & rows[row].mask) == rows[row].value;

		if (!strncmp(rows[row].text, "ip proto", 8))
			holds = holds && language_flows[i].ip_version == 4;
		e->holds |= (uint64_t)holds << i;
	}
}

static void make_test(struct expression *e)
{
	static void (*const makers[])(struct expression * e) = {language_make_address,
								language_make_repeated,
								language_make_mac,
								language_make_number,
								language_make_number,
								language_make_port,
								language_make_repeated_port,
								make_interface,
								make_flags,
								language_make_nat,
								make_word};

	makers[language_up_to(sizeof(makers) / sizeof(makers[0]))](e);
}

static void make_joined(struct expression *e, unsigned depth)
{
	struct expression *left = calloc(1, sizeof(*left)), *right = calloc(1, sizeof(*right));
	bool both = language_up_to(2);

	language_make(left, depth - 1);
	language_make(right, depth - 1);
	language_say(e, "(%s) %s (%s)", left->text,
		     both ? ONE_OF("and", "&&", "AND") : ONE_OF("or", "||"), right->text);
	e->holds = both ? left->holds & right->holds : left->holds | right->holds;
	free(left);
	free(right);
}

/* Without parentheses: not before and before or. */
static void make_mixed(struct expression *e)
{
	uint64_t sum = 0, product = ~0ULL;
	unsigned count = 2 + language_up_to(4);

	for (unsigned k = 0; k < count; k++) {
		struct expression *one = calloc(1, sizeof(*one));
		bool not = language_up_to(3) == 0, either = language_up_to(2);

		make_test(one);
		/* A bare "not" before the word is a "not flags"; that has a form of its own. */
		not = not &&strncmp(one->text, "flags", 5);
		language_say(e, "%s%s", not ? ONE_OF("not ", "!", "! ") : "", one->text);
		product &= not ? ~one->holds : one->holds;
		if (k + 1 < count)
			language_say(e, " %s ",
				     either ? ONE_OF("or", "||", "Or") : ONE_OF("and", "&&"));
		if (k + 1 == count || either) {
			sum |= product;
			product = ~0ULL;
		}
		free(one);
	}
	e->holds = sum;
}

void language_make(struct expression *e, unsigned depth)
{
	struct expression *inner;

	switch (depth ? language_up_to(5) : 4) {
	case 0:
	case 1:
		make_joined(e, depth);
		break;
	case 2:
		inner = calloc(1, sizeof(*inner));
		language_make(inner, depth - 1);
		language_say(e, "%s(%s)", ONE_OF("not ", "!"), inner->text);
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
