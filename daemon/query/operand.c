// SPDX-License-Identifier: GPL-2.0
/* operand.c - the tests of the filter language: one word each, with what follows it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/common/clock.h"
#include "daemon/common/text.h"
#include "daemon/query/filter.h"

/* How the numbers of a test are written. */
enum unit { PLAIN, SCALED, DURATION, PROTOCOL };

struct number_word {
	const char *word;
	enum weir_test test; /* NUMBER: of the quantity of that word */
	enum unit unit;
	uint64_t max;
	const char *what; /* expected, for the error sentence */
};

static const struct number_word number_words[] = {
	{"bytes", WEIR_TEST_NUMBER, SCALED, UINT64_MAX, "a number of bytes (such as 1500, 64k, 1m)"},
	{"packets", WEIR_TEST_NUMBER, SCALED, UINT64_MAX, "a number of packets (such as 10, 5k)"},
	{"duration", WEIR_TEST_NUMBER, DURATION, UINT64_MAX,
	 "a duration (such as 500ms, 10s, 5m)"},
	{"vlan", WEIR_TEST_NUMBER, PLAIN, 4095, "a VLAN number, 0 to 4095"},
	{"tos", WEIR_TEST_NUMBER, PLAIN, 255, "a number, 0 to 255"},
	{"dscp", WEIR_TEST_NUMBER, PLAIN, 63, "a DSCP number, 0 to 63"},
	{"ttl", WEIR_TEST_NUMBER, PLAIN, 255, "a number, 0 to 255"},
	{"mark", WEIR_TEST_NUMBER, PLAIN, UINT32_MAX, "a number, 0 to 4294967295"},
	{"icmp-type", WEIR_TEST_NUMBER, PLAIN, 255, "an ICMP type, 0 to 255"},
	{"icmp-code", WEIR_TEST_NUMBER, PLAIN, 255, "an ICMP code, 0 to 255"},
	{"proto", WEIR_TEST_NUMBER, PROTOCOL, 255,
	 "a protocol (tcp, udp, icmp, ... or 0 to 255)"},
	{"port", WEIR_TEST_PORT, PLAIN, 65535, "a port, 0 to 65535"},
	{"if", WEIR_TEST_INTERFACE, PLAIN, UINT32_MAX, "an interface index (see ip link)"},
};

static int too_many_values(struct weir_parser *p)
{
	return weir_parser_fail(p, p->token.at, "the filter has more than %u values",
				(unsigned)WEIR_FILTER_VALUES_MAX);
}

/* Decimal or 0x hexadecimal digits from @text to @end. */
static bool parse_digits(const char *text, const char *end, uint64_t *value)
{
	unsigned base = 10;
	uint64_t v = 0;

	if (end - text > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		text += 2;
	}
	if (text >= end)
		return false;
	for (; text < end; text++) {
		unsigned digit;

		if (*text >= '0' && *text <= '9')
			digit = (unsigned)(*text - '0');
		else if (base == 16 && strchr("abcdef", *text | 0x20))
			digit = (unsigned)((*text | 0x20) - 'a') + 10;
		else
			return false;
		if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, digit, &v))
			return false;
	}
	*value = v;
	return true;
}

/* 1500, 64k, 1m, 2g: decimal multiples, as the output shows them. */
static bool parse_scaled(const char *text, uint64_t *value)
{
	const char *end = text + strlen(text);
	uint64_t scale = 1;

	if (end == text)
		return false;
	switch (end[-1] | 0x20) {
	case 'k':
		scale = 1000;
		break;
	case 'm':
		scale = 1000000;
		break;
	case 'g':
		scale = 1000000000;
		break;
	case 't':
		scale = 1000000000000;
		break;
	}
	if (scale > 1)
		end--;
	return parse_digits(text, end, value) && !__builtin_mul_overflow(*value, scale, value);
}

static bool parse_number(const struct number_word *w, const char *text, uint64_t *value)
{
	uint8_t protocol;

	switch (w->unit) {
	case SCALED:
		return parse_scaled(text, value);
	case DURATION:
		return weir_clock_parse_duration(text, value) == 0;
	case PROTOCOL:
		if (weir_text_parse_protocol(text, &protocol))
			return false;
		*value = protocol;
		return true;
	default:
		return parse_digits(text, text + strlen(text), value) && *value <= w->max;
	}
}

/* The token looked at as "N" or "N-M". */
static int parse_range(struct weir_parser *p, const struct number_word *w, struct weir_range *range)
{
	const char *dash;
	char low[WEIR_FILTER_WORD_MAX + 1];

	if (p->token.kind != WEIR_TOKEN_WORD || p->token.length > WEIR_FILTER_WORD_MAX)
		return weir_parser_expect(p, w->what);
	if (parse_number(w, p->token.word, &range->low)) {
		range->high = range->low;
		weir_parser_step(p);
		return 0;
	}
	dash = strchr(p->token.word, '-');
	if (!dash || w->unit == PROTOCOL)
		return weir_parser_expect(p, w->what);
	memcpy(low, p->token.word, (size_t)(dash - p->token.word));
	low[dash - p->token.word] = '\0';
	if (!parse_number(w, low, &range->low) || !parse_number(w, dash + 1, &range->high))
		return weir_parser_expect(p, w->what);
	if (range->low > range->high)
		return weir_parser_fail(p, p->token.at, "the range \"%s\" is upside down",
					p->token.word);
	weir_parser_step(p);
	return 0;
}

/* The values that OP N allows; false: none. */
static bool compare_range(enum weir_token_kind op, uint64_t n, struct weir_range *range)
{
	range->low = 0;
	range->high = UINT64_MAX;
	switch (op) {
	case WEIR_TOKEN_LESS:
		range->high = n - 1;
		return n > 0;
	case WEIR_TOKEN_LESS_EQUAL:
		range->high = n;
		return true;
	case WEIR_TOKEN_MORE:
		range->low = n + 1;
		return n < UINT64_MAX;
	case WEIR_TOKEN_MORE_EQUAL:
		range->low = n;
		return true;
	default:
		range->low = n;
		range->high = n;
		return true;
	}
}

static int add_range(struct weir_parser *p, const struct weir_range *range)
{
	if (p->value_count == WEIR_FILTER_VALUES_MAX)
		return too_many_values(p);
	p->values[p->value_count++].range = *range;
	return 0;
}

static int add_compared(struct weir_parser *p, const struct number_word *w)
{
	enum weir_token_kind op = p->token.kind;
	struct weir_range range;
	uint64_t n;
	int ret;

	weir_parser_step(p);
	if (p->token.kind != WEIR_TOKEN_WORD || p->token.length > WEIR_FILTER_WORD_MAX ||
	    !parse_number(w, p->token.word, &n))
		return weir_parser_expect(p, w->what);
	weir_parser_step(p);
	if (op == WEIR_TOKEN_UNEQUAL) {
		/* Two ranges around n; no value at all is left out of neither. */
		ret = compare_range(WEIR_TOKEN_LESS, n, &range) ? add_range(p, &range) : 0;
		if (ret)
			return ret;
		return compare_range(WEIR_TOKEN_MORE, n, &range) ? add_range(p, &range) : 0;
	}
	return compare_range(op, n, &range) ? add_range(p, &range) : 0;
}

static bool sees_operator(const struct weir_parser *p)
{
	return p->token.kind >= WEIR_TOKEN_LESS && p->token.kind <= WEIR_TOKEN_UNEQUAL;
}

/* "in {80 443}", "in [80, 443]", "{80 443}", or one element. @add reads one element. */
static int parse_set(struct weir_parser *p, int (*add)(struct weir_parser *p, const void *arg),
		     const void *arg)
{
	int ret;

	if (weir_parser_sees(p, "in")) {
		weir_parser_step(p);
		if (p->token.kind != WEIR_TOKEN_SET_OPEN)
			return weir_parser_expect(p, "\"{\" and a list");
	}
	if (p->token.kind != WEIR_TOKEN_SET_OPEN)
		return add(p, arg);
	weir_parser_step(p);
	do {
		ret = add(p, arg);
		if (ret)
			return ret;
		if (p->token.kind == WEIR_TOKEN_COMMA)
			weir_parser_step(p);
	} while (p->token.kind != WEIR_TOKEN_SET_CLOSE);
	weir_parser_step(p);
	return 0;
}

static int add_number(struct weir_parser *p, const void *arg)
{
	struct weir_range range;
	int ret = parse_range(p, arg, &range);

	return ret ? ret : add_range(p, &range);
}

static int parse_number_test(struct weir_parser *p, const struct number_word *w,
			     enum weir_direction direction)
{
	unsigned first = p->value_count;
	int ret;

	if (sees_operator(p) && w->unit != PROTOCOL)
		ret = add_compared(p, w);
	else
		ret = parse_set(p, add_number, w);
	if (ret)
		return ret;
	if (w->test == WEIR_TEST_NUMBER)
		return weir_parser_add_number(p, w->test, w->word, first);
	return weir_parser_add_test(p, w->test, direction, first);
}

enum address_form { HOST, NET, ADDRESS };

static int add_prefix(struct weir_parser *p, const void *arg)
{
	enum address_form form = *(const enum address_form *)arg;
	struct weir_prefix *prefix;
	bool slash;

	if (p->value_count == WEIR_FILTER_VALUES_MAX)
		return too_many_values(p);
	prefix = &p->values[p->value_count].prefix;
	if (p->token.kind != WEIR_TOKEN_WORD || p->token.length > WEIR_FILTER_WORD_MAX ||
	    weir_text_parse_prefix(p->token.word, prefix->address, &prefix->bits,
				   &prefix->ip_version))
		return weir_parser_expect(
			p, form == NET ? "a network (such as 10.0.0.0/8, 2001:db8::/32)"
				       : "an address (such as 10.0.0.1, 2001:db8::1)");
	slash = strchr(p->token.word, '/') != NULL;
	if (form == HOST && slash)
		return weir_parser_fail(p, p->token.at,
					"\"host\" takes one address; write \"net %s\"",
					p->token.word);
	if (form == NET && !slash)
		return weir_parser_fail(
			p, p->token.at,
			"\"net\" takes ADDRESS/LENGTH; write \"host %s\" for one address",
			p->token.word);
	p->value_count++;
	weir_parser_step(p);
	return 0;
}

static int parse_address_test(struct weir_parser *p, enum address_form form,
			      enum weir_direction direction)
{
	unsigned first = p->value_count;
	int ret = parse_set(p, add_prefix, &form);

	return ret ? ret : weir_parser_add_test(p, WEIR_TEST_ADDRESS, direction, first);
}

static const struct number_word *find_number_word(const struct weir_parser *p)
{
	for (size_t i = 0; i < sizeof(number_words) / sizeof(number_words[0]); i++) {
		if (weir_parser_sees(p, number_words[i].word))
			return &number_words[i];
	}
	return NULL;
}

/* The row of a word that is in the table. */
static const struct number_word *number_word(const char *word)
{
	const struct number_word *w = number_words;

	while (strcmp(w->word, word))
		w++;
	return w;
}

/* "S", "SA", "0x12", with "=" before it: exactly these. */
static int parse_flags(struct weir_parser *p)
{
	static const char letters[] = "FSRPAUECN"; /* bit 0 .. bit 8 */
	enum weir_test test = WEIR_TEST_BITS;
	struct weir_range range = {0, 0};
	unsigned first = p->value_count;
	int ret;

	if (p->token.kind == WEIR_TOKEN_EQUAL) {
		test = WEIR_TEST_NUMBER;
		weir_parser_step(p);
	}
	if (p->token.kind != WEIR_TOKEN_WORD || p->token.length > WEIR_FILTER_WORD_MAX)
		return weir_parser_expect(p, "TCP flags (letters of FSRPAUECN)");
	if (!parse_digits(p->token.word, p->token.word + p->token.length, &range.low)) {
		for (const char *c = p->token.word; *c; c++) {
			const char *letter = strchr(letters, *c & ~0x20);

			if (!letter || !*letter)
				return weir_parser_expect(p, "TCP flags (letters of FSRPAUECN)");
			range.low |= 1u << (letter - letters);
		}
	}
	if (range.low > 0x1ff || (range.low == 0 && test == WEIR_TEST_BITS))
		return weir_parser_expect(p, "TCP flags (letters of FSRPAUECN)");
	range.high = range.low;
	weir_parser_step(p);
	ret = add_range(p, &range);
	return ret ? ret : weir_parser_add_number(p, test, "tcp_flags", first);
}

static bool is_address(const struct weir_parser *p)
{
	struct weir_prefix prefix;

	return p->token.kind == WEIR_TOKEN_WORD && p->token.length <= WEIR_FILTER_WORD_MAX &&
	       !weir_text_parse_prefix(p->token.word, prefix.address, &prefix.bits,
				       &prefix.ip_version);
}

/* What may stand behind "src" or "dst", or without them. */
static int parse_ended(struct weir_parser *p, enum weir_direction direction)
{
	if (weir_parser_sees(p, "host") || weir_parser_sees(p, "ip")) {
		weir_parser_step(p);
		return parse_address_test(p, HOST, direction);
	}
	if (weir_parser_sees(p, "net")) {
		weir_parser_step(p);
		return parse_address_test(p, NET, direction);
	}
	if (weir_parser_sees(p, "port")) {
		weir_parser_step(p);
		return parse_number_test(p, number_word("port"), direction);
	}
	if (is_address(p))
		return parse_address_test(p, ADDRESS, direction);
	return weir_parser_expect(p, "host, net, port or an address");
}

/* "src", "dst", "src or dst", "src and dst". */
static int parse_direction(struct weir_parser *p)
{
	enum weir_direction direction = weir_parser_sees(p, "src") ? WEIR_SRC : WEIR_DST;
	const char *other = direction == WEIR_SRC ? "dst" : "src";
	bool both;

	weir_parser_step(p);
	both = weir_parser_sees(p, "and");
	if (both || weir_parser_sees(p, "or")) {
		weir_parser_step(p);
		if (!weir_parser_sees(p, other))
			return weir_parser_expect(p, direction == WEIR_SRC ? "\"dst\"" : "\"src\"");
		weir_parser_step(p);
		direction = both ? WEIR_BOTH : WEIR_EITHER;
	}
	return parse_ended(p, direction);
}

static int parse_interface(struct weir_parser *p, enum weir_direction direction)
{
	weir_parser_step(p);
	if (!weir_parser_sees(p, "if"))
		return weir_parser_expect(p, "\"if\" and an interface index");
	weir_parser_step(p);
	return parse_number_test(p, number_word("if"), direction);
}

static int add_fixed(struct weir_parser *p, const char *quantity, uint64_t value)
{
	struct weir_range range = {value, value};
	unsigned first = p->value_count;
	int ret = add_range(p, &range);

	return ret ? ret : weir_parser_add_number(p, WEIR_TEST_NUMBER, quantity, first);
}

static unsigned version_word(const struct weir_parser *p)
{
	if (weir_parser_sees(p, "ipv4") || weir_parser_sees(p, "inet"))
		return 4;
	if (weir_parser_sees(p, "ipv6") || weir_parser_sees(p, "inet6"))
		return 6;
	return 0;
}

/* Behind "tcp", "proto 6" or "ipv6" a test may follow without "and": "tcp dst port 80". */
static bool begins_ended(const struct weir_parser *p)
{
	static const char *const words[] = {"src", "dst",   "port",	 "host",     "net",
					    "ip",  "flags", "icmp-type", "icmp-code"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (weir_parser_sees(p, words[i]))
			return true;
	}
	return is_address(p);
}

/* @left, and what follows it if that needs no "and". */
static int parse_rest(struct weir_parser *p, int left)
{
	int right;

	if (left < 0 || !begins_ended(p))
		return left;
	right = weir_parser_primitive(p);
	if (right < 0)
		return right;
	return weir_parser_add_and(p, (unsigned)left, (unsigned)right);
}

static int parse_qualified(struct weir_parser *p, const char *quantity, uint64_t value)
{
	weir_parser_step(p);
	return parse_rest(p, add_fixed(p, quantity, value));
}

static int fail_word(struct weir_parser *p)
{
	/* With equal distances the earlier wins: "prot" means "proto", not "port". */
	static const char *const words[] = {
		"src",	"dst",	   "host",     "net",	"proto", "port",      "ipv4",
		"ipv6", "inet",	   "inet6",    "flags", "any",	 "in",	      "out",
		"not",	"tcp",	   "udp",      "icmp",	"icmp6", "sctp",      "bytes",
		"vlan", "packets", "duration", "tos",	"dscp",	 "icmp-type", "icmp-code",
	};
	const char *best = NULL;
	unsigned least = 3;

	if (p->token.kind != WEIR_TOKEN_WORD || p->token.length > WEIR_FILTER_WORD_MAX)
		return weir_parser_expect(p, "a test (such as host 10.0.0.1, port 53, tcp)");
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		unsigned distance = weir_text_distance(p->token.word, words[i], 2);

		if (distance < least && distance < strlen(words[i])) {
			least = distance;
			best = words[i];
		}
	}
	if (best)
		return weir_parser_fail(p, p->token.at,
					"\"%s\" is not a test; did you mean \"%s\"?", p->token.word,
					best);
	return weir_parser_expect(p, "a test (such as host 10.0.0.1, port 53, tcp)");
}

int weir_parser_primitive(struct weir_parser *p)
{
	const struct number_word *w;
	uint8_t protocol;

	if (weir_parser_sees(p, "any")) {
		weir_parser_step(p);
		return weir_parser_add_test(p, WEIR_TEST_ANY, WEIR_EITHER, p->value_count);
	}
	if (weir_parser_sees(p, "src") || weir_parser_sees(p, "dst"))
		return parse_direction(p);
	if (weir_parser_sees(p, "host") || weir_parser_sees(p, "net") ||
	    weir_parser_sees(p, "ip") || weir_parser_sees(p, "port"))
		return parse_ended(p, WEIR_EITHER);
	if (weir_parser_sees(p, "flags")) {
		weir_parser_step(p);
		return parse_flags(p);
	}
	if (weir_parser_sees(p, "in") || weir_parser_sees(p, "out"))
		return parse_interface(p, weir_parser_sees(p, "in") ? WEIR_SRC : WEIR_DST);
	if (version_word(p))
		return parse_qualified(p, "version", version_word(p));
	w = find_number_word(p);
	if (w && strcmp(w->word, "if")) {
		int left;

		weir_parser_step(p);
		left = parse_number_test(p, w, WEIR_EITHER);
		return w->unit == PROTOCOL ? parse_rest(p, left) : left;
	}
	if (is_address(p))
		return parse_address_test(p, ADDRESS, WEIR_EITHER);
	/* A protocol's name stands alone, its number needs "proto". */
	if (p->token.kind == WEIR_TOKEN_WORD &&
	    (p->token.word[0] < '0' || p->token.word[0] > '9') &&
	    p->token.length <= WEIR_FILTER_WORD_MAX &&
	    !weir_text_parse_protocol(p->token.word, &protocol))
		return parse_qualified(p, "proto", protocol);
	return fail_word(p);
}
