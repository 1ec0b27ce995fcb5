// SPDX-License-Identifier: GPL-2.0
/*
 * operand.c - the tests of the filter language: which word begins which test, and what
 * may stand before it.
 *
 *   primitive  = qualifier [ primitive ] | [ direction ] ended | test
 *   qualifier  = "tcp" and other protocols | "proto" N | "ipv4" | "ip" | "ipv6" | ...
 *   nat        = "nat" [ [ direction ] ended ]                 (operand_nat.c)
 *   direction  = "src" | "dst" | "src or dst" | "src and dst"
 *   ended      = "host" A | "ip" A | "net" N | "port" P | "mac" M | A
 */
#include <errno.h>
#include <string.h>

#include "daemon/common/text.h"
#include "daemon/query/filter.h"
#include "daemon/query/words.h"

static const char test_wanted[] = "a test (such as host 10.0.0.1, port 53, tcp)";

/* Words with a test of their own below; with equal distances of a misspelling the earlier
 * wins: "prot" means "proto", not "port". */
static const char *const known[] = {
	"src",	"dst", "host",	    "net",	  "proto", "port",  "portrange", "ipv4",
	"ipv6", "ip",  "ip6",	    "inet",	  "inet6", "flags", "any",	 "in",
	"out",	"if",  "not",	    "tcp",	  "udp",   "icmp",  "icmp6",	 "sctp",
	"gre",	"esp", "ether",	    "mac",	  "node",  "site",  "syn",	 "ack",
	"fin",	"rst", "multicast", "fragmented", "ipsec", "nat",
};

/* Words of nfdump and tcpdump for what a flow record of weir does not have, and what to do. */
static const struct {
	const char *word, *sentence;
} foreign[] = {
	{"as", "weir records no AS numbers"},
	{"nexthop", "weir records no next hop; \"out if\" is the interface the packets left by"},
	{"next", "weir records no next hop; \"out if\" is the interface the packets left by"},
	{"bgpnext", "weir records no BGP next hop"},
	{"router", "the exporter is a node here: write \"node NAME\""},
	{"exporter", "the exporter is a node here: write \"node NAME\""},
	{"ident", "a source of flows is a node here: write \"node NAME\""},
	{"mask", "weir records no masks of routes; a network is \"net ADDRESS/LENGTH\""},
	{"arp", "weir counts IP packets only"},
	{"rarp", "weir counts IP packets only"},
	{"greater", "a flow has no packet length; its mean is \"bpp\" (such as bpp >= 1000)"},
	{"less", "a flow has no packet length; its mean is \"bpp\" (such as bpp <= 100)"},
	{"len", "a flow has no packet length; its mean is \"bpp\" (such as bpp >= 1000)"},
	{"broadcast", "weir knows no broadcast addresses; write \"dst host ADDRESS\""},
	{"flows", "a record is one flow; give \"flows\" to --order"},
};

/* For "did you mean": the word of the language nearest to the one looked at. */
static const char *nearest(const char *word)
{
	const struct weir_number_word *number;
	const char *best = NULL;
	unsigned least = 3;

	for (unsigned i = 0;; i++) {
		const char *one = NULL;
		unsigned distance;

		if (i < sizeof(known) / sizeof(known[0]))
			one = known[i];
		else if ((number = weir_number_word_at(
				  i - (unsigned)(sizeof(known) / sizeof(known[0])))))
			one = weir_number_word_text(number);
		if (!one)
			return best;
		distance = weir_text_distance(word, one, 2);
		if (distance < least && distance < strlen(one)) {
			least = distance;
			best = one;
		}
	}
}

static int fail_word(struct weir_parser *p)
{
	const char *best;

	if (!weir_parser_at_word(p) || p->token.quoted || weir_parser_sees(p, "and") ||
	    weir_parser_sees(p, "or"))
		return weir_parser_expect(p, test_wanted);
	if (strspn(p->token.word, "0123456789") == p->token.length)
		return weir_parser_fail(p, p->token.at,
					"a number alone is not a test; write \"port %s\"",
					p->token.word);
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		if (weir_parser_sees(p, foreign[i].word))
			return weir_parser_fail(p, p->token.at, "%s", foreign[i].sentence);
	}
	best = nearest(p->token.word);
	if (best)
		return weir_parser_fail(p, p->token.at,
					"\"%s\" is not a test; did you mean \"%s\"?", p->token.word,
					best);
	return weir_parser_expect(p, test_wanted);
}

static int remember(struct weir_parser *p, int kind, enum weir_direction direction, int node)
{
	memset(&p->last, 0, sizeof(p->last));
	p->last.kind = kind;
	p->last.direction = direction;
	return node;
}

static int parse_address(struct weir_parser *p, enum weir_address_form form,
			 enum weir_direction direction)
{
	return remember(p, WEIR_LAST_ADDRESS, direction, weir_address_test(p, form, direction));
}

static int parse_port(struct weir_parser *p, enum weir_direction direction)
{
	return remember(p, WEIR_LAST_PORT, direction, weir_number_port_test(p, direction));
}

static bool sees_list(const struct weir_parser *p)
{
	return p->token.kind == WEIR_TOKEN_SET_OPEN || weir_parser_sees(p, "in");
}

/* What may stand behind "src" or "dst", or without them. */
static int parse_ended(struct weir_parser *p, enum weir_direction direction)
{
	static const struct {
		const char *word;
		enum weir_address_form form;
	} addresses[] = {{"host", WEIR_ADDRESS_HOST},
			 {"ip", WEIR_ADDRESS_ANY},
			 {"addr", WEIR_ADDRESS_ANY},
			 {"net", WEIR_ADDRESS_NET}};

	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		if (!weir_parser_sees(p, addresses[i].word))
			continue;
		weir_parser_step(p);
		return parse_address(p, addresses[i].form, direction);
	}
	if (weir_parser_sees(p, "port") || weir_parser_sees(p, "portrange")) {
		weir_parser_step(p);
		return parse_port(p, direction);
	}
	if (weir_parser_sees(p, "mac")) {
		weir_parser_step(p);
		return weir_address_mac_test(p, direction);
	}
	if (weir_nat_sees_short(p))
		return weir_nat_short_test(p, direction);
	if (weir_address_sees(p) || sees_list(p))
		return parse_address(p, WEIR_ADDRESS_ANY, direction);
	return weir_parser_expect(p, "host, net, port, mac or an address");
}

int weir_parser_direction(struct weir_parser *p, enum weir_direction *direction)
{
	const char *other;
	bool both;

	*direction = weir_parser_sees(p, "src") ? WEIR_SRC : WEIR_DST;
	other = *direction == WEIR_SRC ? "dst" : "src";
	weir_parser_step(p);
	both = weir_parser_sees(p, "and");
	if (!both && !weir_parser_sees(p, "or"))
		return 0;
	weir_parser_step(p);
	if (!weir_parser_sees(p, other))
		return weir_parser_expect(p, *direction == WEIR_SRC ? "\"dst\"" : "\"src\"");
	weir_parser_step(p);
	*direction = both ? WEIR_BOTH : WEIR_EITHER;
	return 0;
}

static bool sees_direction(const struct weir_parser *p)
{
	return weir_parser_sees(p, "src") || weir_parser_sees(p, "dst");
}

/* tcpdump's "ether host M", "ether src M". */
static int parse_ether(struct weir_parser *p)
{
	enum weir_direction direction = WEIR_EITHER;
	int ret = 0;

	weir_parser_step(p);
	if (sees_direction(p))
		ret = weir_parser_direction(p, &direction);
	if (ret)
		return ret;
	if (weir_parser_sees(p, "proto"))
		return weir_parser_fail(p, p->token.at, "weir counts IP packets only");
	if (weir_parser_sees(p, "host"))
		weir_parser_step(p);
	return weir_address_mac_test(p, direction);
}

static bool sees_interface(const struct weir_parser *p)
{
	static const char *const words[] = {"if", "iface", "interface", "ifname", "on"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (weir_parser_sees(p, words[i]))
			return true;
	}
	return false;
}

/* "in if X", "out if X", "if X". */
static int parse_interface(struct weir_parser *p)
{
	enum weir_direction direction = WEIR_EITHER;

	if (!sees_interface(p)) {
		direction = weir_parser_sees(p, "in") ? WEIR_SRC : WEIR_DST;
		weir_parser_step(p);
		if (!sees_interface(p))
			return weir_parser_expect(p, "\"if\" and an interface");
	}
	weir_parser_step(p);
	return weir_name_interface_test(p, direction);
}

static int add_fixed(struct weir_parser *p, enum weir_test test, const char *quantity,
		     uint64_t value)
{
	unsigned first = p->value_count;
	int ret = weir_parser_add_range(p, value, value);

	return ret ? ret : weir_parser_add_number(p, test, quantity, first);
}

static unsigned version_word(const struct weir_parser *p)
{
	if (weir_parser_sees(p, "ipv4") || weir_parser_sees(p, "inet"))
		return 4;
	if (weir_parser_sees(p, "ipv6") || weir_parser_sees(p, "inet6") ||
	    weir_parser_sees(p, "ip6"))
		return 6;
	return 0;
}

/* "tcp", "gre": a protocol's name stands alone, its number needs "proto". */
static bool sees_protocol(const struct weir_parser *p, uint8_t *protocol)
{
	return weir_parser_at_word(p) && !p->token.quoted &&
	       (p->token.word[0] < '0' || p->token.word[0] > '9') &&
	       !weir_text_parse_protocol(p->token.word, protocol);
}

/* Behind "tcp", "proto 6" or "ipv6" these tests may follow without "and": "tcp dst port 80". */
static bool begins_ended(const struct weir_parser *p)
{
	static const char *const words[] = {
		"src",	"dst",	 "port",  "portrange", "host",	    "net",	 "ip",
		"addr", "proto", "flags", "icmp-type", "icmp-code", "multicast", "mac"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (weir_parser_sees(p, words[i]))
			return true;
	}
	return weir_address_sees(p);
}

/* @left, and what follows it if that needs no "and"; behind an IP version also a protocol. */
static int parse_rest(struct weir_parser *p, int left, bool version)
{
	struct weir_parser_last *last = &p->last;
	uint8_t protocol;
	int right;

	if (left < 0)
		return left;
	if (p->token.kind == WEIR_TOKEN_SET_OPEN)
		return weir_parser_fail(p, p->token.at,
					"a flow has no bytes of packets to look at; TCP flags are "
					"\"flags SA\", ICMP's type is \"icmp-type 8\"");
	if (!begins_ended(p) && !(version && !version_word(p) && sees_protocol(p, &protocol)))
		return left;
	right = weir_parser_primitive(p);
	if (right < 0)
		return right;
	if (last->kind != WEIR_LAST_NONE &&
	    last->qualifier_count < sizeof(last->qualifiers) / sizeof(last->qualifiers[0]))
		last->qualifiers[last->qualifier_count++] = (uint16_t)left;
	return weir_parser_add_and(p, (unsigned)left, (unsigned)right);
}

static int parse_qualified(struct weir_parser *p, const char *quantity, uint64_t value)
{
	weir_parser_step(p);
	return parse_rest(p, add_fixed(p, WEIR_TEST_NUMBER, quantity, value),
			  !strcmp(quantity, "version"));
}

/* "ip" is IPv4 as in tcpdump ("ip host A", "ip and tcp"), or the word for an address as
 * in nfdump ("ip A", "ip in [...]"). */
static int parse_ip(struct weir_parser *p)
{
	weir_parser_step(p);
	if (weir_address_sees(p) || sees_list(p))
		return parse_address(p, WEIR_ADDRESS_ANY, WEIR_EITHER);
	return parse_rest(p, add_fixed(p, WEIR_TEST_NUMBER, "version", 4), true);
}

/* An address or a port like the one before; the words before that one count again. */
static int parse_repeated(struct weir_parser *p, const struct weir_parser_last *last)
{
	int node = last->kind == WEIR_LAST_PORT
			   ? parse_port(p, last->direction)
			   : parse_address(p, WEIR_ADDRESS_ANY, last->direction);

	if (node >= 0 && last->nat)
		p->nodes[node].step.test = last->kind == WEIR_LAST_PORT ? WEIR_TEST_NAT_PORT
									 : WEIR_TEST_NAT_ADDRESS;
	for (unsigned i = 0; i < last->qualifier_count && node >= 0; i++) {
		const struct weir_step step = p->nodes[last->qualifiers[i]].step;
		int qualifier = weir_parser_add_test(p, step.test, step.direction, p->value_count);

		if (qualifier < 0)
			return qualifier;
		p->nodes[qualifier].step = step;
		node = weir_parser_add_and(p, (unsigned)qualifier, (unsigned)node);
	}
	p->last = *last;
	return node;
}

static bool repeats(const struct weir_parser *p, const struct weir_parser_last *last)
{
	if (last->kind == WEIR_LAST_ADDRESS)
		return weir_address_sees(p);
	return last->kind == WEIR_LAST_PORT && weir_number_sees_port(p);
}

/* Words that are a test by themselves. */
static int parse_word(struct weir_parser *p)
{
	const char *quantity;
	uint64_t bits, observed;
	uint8_t protocol;

	if (weir_flags_word(p, &quantity, &bits)) {
		weir_parser_step(p);
		return add_fixed(p, WEIR_TEST_BITS, quantity, bits);
	}
	if (weir_parser_at_word(p) && !p->token.quoted &&
	    weir_words_find(weir_words_observed, p->token.word, &observed)) {
		weir_parser_step(p);
		return add_fixed(p, WEIR_TEST_NUMBER, "observed", observed);
	}
	if (weir_address_sees(p))
		return parse_address(p, WEIR_ADDRESS_ANY, WEIR_EITHER);
	if (sees_protocol(p, &protocol))
		return parse_qualified(p, "proto", protocol);
	return fail_word(p);
}

int weir_parser_primitive(struct weir_parser *p)
{
	const struct weir_parser_last last = p->last;
	const struct weir_number_word *number;
	enum weir_direction direction;
	bool negated = p->negated;
	int ret;

	p->negated = false;
	p->last.kind = WEIR_LAST_NONE;
	if (repeats(p, &last))
		return parse_repeated(p, &last);
	if (weir_parser_sees(p, "any")) {
		weir_parser_step(p);
		return weir_parser_add_test(p, WEIR_TEST_ANY, WEIR_EITHER, p->value_count);
	}
	if (sees_direction(p)) {
		ret = weir_parser_direction(p, &direction);
		return ret ? ret : parse_ended(p, direction);
	}
	if (weir_parser_sees(p, "ip"))
		return parse_ip(p);
	if (weir_parser_sees(p, "host") || weir_parser_sees(p, "net") ||
	    weir_parser_sees(p, "addr") || weir_parser_sees(p, "port") ||
	    weir_parser_sees(p, "portrange") || weir_parser_sees(p, "mac") ||
	    weir_nat_sees_short(p))
		return parse_ended(p, WEIR_EITHER);
	if (weir_parser_sees(p, "nat"))
		return weir_nat_test(p);
	if (weir_parser_sees(p, "ether"))
		return parse_ether(p);
	if (weir_parser_sees(p, "multicast")) {
		weir_parser_step(p);
		return weir_address_multicast_test(p);
	}
	if (weir_parser_sees(p, "flags")) {
		weir_parser_step(p);
		return weir_flags_test(p, negated);
	}
	if (weir_parser_sees(p, "in") || weir_parser_sees(p, "out") || sees_interface(p))
		return parse_interface(p);
	if (weir_parser_sees(p, "node") || weir_parser_sees(p, "site")) {
		enum weir_test test = weir_parser_sees(p, "node") ? WEIR_TEST_NODE : WEIR_TEST_SITE;

		weir_parser_step(p);
		return weir_name_place_test(p, test);
	}
	if (version_word(p))
		return parse_qualified(p, "version", version_word(p));
	number = weir_number_pair(p);
	if (!number)
		number = weir_number_word(p);
	if (number) {
		ret = weir_number_test(p, number);
		return weir_number_word_is_protocol(number) ? parse_rest(p, ret, false) : ret;
	}
	return parse_word(p);
}
