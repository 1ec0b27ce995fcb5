// SPDX-License-Identifier: GPL-2.0
/* operand_number.c - the tests of numbers: a word, an operator, and a number in its unit. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "daemon/common/clock.h"
#include "daemon/common/text.h"
#include "daemon/query/filter.h"
#include "daemon/query/words.h"

/* How the numbers of a test are written. */
enum unit { PLAIN, SCALED, TIME, PROTOCOL, WORDS, PORT };

struct weir_number_word {
	const char *word;
	const char *quantity; /* NULL: of the port test */
	enum unit unit;
	uint64_t max;
	const char *what;		/* expected, for the error sentence */
	const struct weir_words *words; /* that may stand for numbers */
};

static const char bytes_wanted[] = "a number of bytes (such as 1500, 64k, 1m)";
static const char time_wanted[] = "a duration (such as 500ms, 10s, 5m)";
static const char rate_wanted[] = "a rate (such as 9600, 64k, 1.5m)";
static const char count_wanted[] = "a number (such as 10, 5k)";
static const char byte_wanted[] = "a number, 0 to 255";
static const char word_wanted[] = "a number, 0 to 4294967295";
static const char protocol_wanted[] = "a protocol (tcp, udp, icmp, ... or 0 to 255)";
static const char reason_wanted[] = "a reason (idle, active, end, forced, resources or none)";
static const char observed_wanted[] =
	"forwarded, local-in, local-out, pre-routing, bridge, ingress or egress";
static const char port_wanted[] = "a port, 0 to 65535";

static const struct weir_number_word table[] = {
	{"bytes", "bytes", SCALED, UINT64_MAX, bytes_wanted, NULL},
	{"packets", "packets", SCALED, UINT64_MAX, "a number of packets (such as 10, 5k)", NULL},
	{"duration", "duration", TIME, UINT64_MAX, time_wanted, NULL},
	{"bps", "bps", SCALED, UINT64_MAX, rate_wanted, NULL},
	{"pps", "pps", SCALED, UINT64_MAX, rate_wanted, NULL},
	{"bpp", "bpp", SCALED, UINT64_MAX, bytes_wanted, NULL},
	{"rtt", "rtt", TIME, UINT64_MAX, time_wanted, NULL},
	{"response", "response", TIME, UINT64_MAX, time_wanted, NULL},
	{"retransmitted", "retransmitted", SCALED, UINT64_MAX, count_wanted, NULL},
	{"out-of-order", "out_of_order", SCALED, UINT64_MAX, count_wanted, NULL},
	{"fragments", "fragments", SCALED, UINT64_MAX, count_wanted, NULL},
	{"vlan", "vlan", PLAIN, 4095, "a VLAN number, 0 to 4095", NULL},
	{"tos", "tos", PLAIN, 255, byte_wanted, NULL},
	{"dscp", "dscp", PLAIN, 63, "a DSCP (0 to 63, ef, af11 to af43, cs0 to cs7)",
	 weir_words_dscp},
	{"ecn", "ecn", PLAIN, 3, "a number, 0 to 3", NULL},
	{"ttl", "ttl", PLAIN, 255, byte_wanted, NULL},
	{"min-ttl", "ttl", PLAIN, 255, byte_wanted, NULL},
	{"mark", "mark", PLAIN, UINT32_MAX, word_wanted, NULL},
	{"icmp-type", "icmp_type", PLAIN, 255, "an ICMP type, 0 to 255", NULL},
	{"icmp-code", "icmp_code", PLAIN, 255, "an ICMP code, 0 to 255", NULL},
	{"proto", "proto", PROTOCOL, 255, protocol_wanted, NULL},
	{"protocol", "proto", PROTOCOL, 255, protocol_wanted, NULL},
	{"end-reason", "end_reason", WORDS, 5, reason_wanted, weir_words_end_reason},
	{"observed", "observed", WORDS, 7, observed_wanted, weir_words_observed},
	{"tunnel", "tunnel", WORDS, 255, "a tunnel (ipip, gre, vxlan, geneve, gtpu or none)",
	 weir_words_tunnel},
	{"tunnel-id", "tunnel_id", PLAIN, UINT32_MAX, word_wanted, NULL},
	{"netns", "netns", PLAIN, UINT32_MAX, "the number of a namespace", NULL},
	{"inner-vlan", "inner_vlan", PLAIN, 4095, "a VLAN number, 0 to 4095", NULL},
	{"mpls", "mpls", PLAIN, 1048575, "a label, 0 to 1048575", NULL},
	{"pppoe", "pppoe", PLAIN, 65535, "a session, 0 to 65535", NULL},
	{"sampling", "sampling", PLAIN, UINT32_MAX, word_wanted, NULL},
	{"port", NULL, PORT, 65535, port_wanted, weir_words_port},
	{"portrange", NULL, PORT, 65535, port_wanted, weir_words_port},
};

enum { ROWS = sizeof(table) / sizeof(table[0]) };

const struct weir_number_word *weir_number_word(const struct weir_parser *p)
{
	for (unsigned i = 0; i < ROWS; i++) {
		if (table[i].quantity && weir_parser_sees(p, table[i].word))
			return &table[i];
	}
	return NULL;
}

const struct weir_number_word *weir_number_pair(struct weir_parser *p)
{
	static const struct {
		const char *first, *second, *word;
	} pairs[] = {{"tunnel", "id", "tunnel-id"},
		     {"inner", "vlan", "inner-vlan"},
		     {"mpls", "label", "mpls"},
		     {"pppoe", "session", "pppoe"}};
	struct weir_token next;
	size_t at = p->at;

	weir_lexer_next(p->text, &at, &next);
	if (next.kind != WEIR_TOKEN_WORD || next.quoted || next.cut)
		return NULL;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (!weir_parser_sees(p, pairs[i].first) ||
		    !weir_quantity_same_word(next.word, next.length, pairs[i].second))
			continue;
		weir_parser_step(p);
		for (unsigned k = 0; k < ROWS; k++)
			if (!strcmp(table[k].word, pairs[i].word))
				return &table[k];
	}
	return NULL;
}

const struct weir_number_word *weir_number_word_at(unsigned index)
{
	return index < ROWS ? &table[index] : NULL;
}

const char *weir_number_word_text(const struct weir_number_word *word)
{
	return word->word;
}

bool weir_number_word_is_protocol(const struct weir_number_word *word)
{
	return word->unit == PROTOCOL;
}

static const struct weir_number_word *port_word(void)
{
	const struct weir_number_word *w = table;

	while (w->unit != PORT)
		w++;
	return w;
}

bool weir_number_digits(const char *text, const char *end, uint64_t *value)
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

struct scale {
	const char *suffix;
	uint64_t times;
};

/* Decimal multiples, as the output shows them, and binary ones. */
static const struct scale count_scales[] = {
	{"k", 1000},	      {"m", 1000000},	  {"g", 1000000000},
	{"t", 1000000000000}, {"ki", 1ULL << 10}, {"mi", 1ULL << 20},
	{"gi", 1ULL << 30},   {"ti", 1ULL << 40}, {NULL, 0},
};

static const struct scale time_scales[] = {
	{"ns", 1},
	{"us", 1000},
	{"ms", 1000000},
	{"s", WEIR_NS_PER_SECOND},
	{"m", 60 * WEIR_NS_PER_SECOND},
	{"min", 60 * WEIR_NS_PER_SECOND},
	{"h", 3600 * WEIR_NS_PER_SECOND},
	{"d", 86400 * WEIR_NS_PER_SECOND},
	{NULL, 0},
};

/* 1, 1.5, .5 up to @end, times @times. Digits behind the point that are finer than 1 are cut. */
static bool parse_decimal(const char *text, const char *end, uint64_t times, uint64_t *value)
{
	const char *point = memchr(text, '.', (size_t)(end - text));
	unsigned __int128 part = 0, whole_scaled;
	uint64_t whole = 0, digits = 1;

	if (!weir_number_digits(text, point ? point : end, &whole))
		return false;
	whole_scaled = (unsigned __int128)whole * times;
	if (point) {
		if (point + 1 == end || times == 1)
			return false;
		for (const char *c = point + 1; c < end; c++) {
			if (*c < '0' || *c > '9' || digits > 100000000)
				return false;
			digits *= 10;
			part = part * 10 + (unsigned)(*c - '0');
		}
	}
	whole_scaled += part * times / digits;
	if (whole_scaled > UINT64_MAX)
		return false;
	*value = (uint64_t)whole_scaled;
	return true;
}

/* A number of digits and a point, with one of @scales behind it. */
static bool parse_scaled(const char *text, size_t length, const struct scale *scales,
			 uint64_t *value)
{
	size_t number = strspn(text, "0123456789.");

	if (number > length)
		number = length;
	for (; scales->suffix; scales++) {
		if (weir_quantity_same_word(text + number, length - number, scales->suffix))
			return parse_decimal(text, text + number, scales->times, value);
	}
	return false;
}

/* 1500, 64k, 1.5m, 2Gi, 10kB. */
static bool parse_count(const char *text, size_t length, uint64_t *value)
{
	if (weir_number_digits(text, text + length, value))
		return true;
	if (length > 1 && (text[length - 1] == 'b' || text[length - 1] == 'B'))
		length--;
	return weir_number_digits(text, text + length, value) ||
	       parse_scaled(text, length, count_scales, value);
}

static bool parse_time(const char *text, size_t length, uint64_t *value)
{
	if (weir_number_digits(text, text + length, value))
		return *value == 0; /* 0 needs no unit */
	return parse_scaled(text, length, time_scales, value);
}

static bool parse_number(const struct weir_number_word *w, const char *text, size_t length,
			 uint64_t *value)
{
	char word[WEIR_FILTER_WORD_MAX + 1];
	uint8_t protocol;

	memcpy(word, text, length);
	word[length] = '\0';
	if (w->words && weir_words_find(w->words, word, value))
		return true;
	switch (w->unit) {
	case SCALED:
		return parse_count(text, length, value);
	case TIME:
		return parse_time(text, length, value);
	case PROTOCOL:
		if (weir_text_parse_protocol(word, &protocol))
			return false;
		*value = protocol;
		return true;
	default:
		return weir_number_digits(text, text + length, value) && *value <= w->max;
	}
}

/* The sentence for a token that is no number of this kind. */
static int refuse(struct weir_parser *p, const struct weir_number_word *w)
{
	const char *word = p->token.word, *best = NULL;
	unsigned least = 2;
	uint64_t ignored;

	if (!weir_parser_at_word(p))
		return weir_parser_expect(p, w->what);
	/* Seconds here, milliseconds in nfdump: guessing would be wrong for somebody. */
	if (w->unit == TIME && weir_number_digits(word, word + strlen(word), &ignored))
		return weir_parser_fail(p, p->token.at, "\"%s\" of what? Write %sms or %ss", word,
					word, word);
	for (const struct weir_words *one = w->words; one && one->word; one++) {
		unsigned distance = weir_text_distance(word, one->word, 1);

		if (strlen(word) > 1 && distance < least) {
			least = distance;
			best = one->word;
		}
	}
	if (best)
		return weir_parser_fail(p, p->token.at,
					"expected %s, not \"%s\"; did you mean \"%s\"?", w->what,
					word, best);
	return weir_parser_expect(p, w->what);
}

/* The token looked at as "N" or "N-M". */
static int add_number(struct weir_parser *p, const void *arg)
{
	const struct weir_number_word *w = arg;
	const char *word = p->token.word, *dash;
	uint64_t low, high;
	int ret;

	if (!weir_parser_at_word(p))
		return weir_parser_expect(p, w->what);
	if (parse_number(w, word, strlen(word), &low)) {
		high = low;
	} else {
		dash = strchr(word, '-');
		if (!dash || w->unit == PROTOCOL || w->unit == WORDS ||
		    !parse_number(w, word, (size_t)(dash - word), &low) ||
		    !parse_number(w, dash + 1, strlen(dash + 1), &high))
			return refuse(p, w);
	}
	if (low > high)
		return weir_parser_fail(p, p->token.at, "the range \"%s\" is upside down", word);
	ret = weir_parser_add_range(p, low, high);
	weir_parser_step(p);
	return ret;
}

int weir_number_add_compared(struct weir_parser *p, enum weir_token_kind op, uint64_t n)
{
	switch (op) {
	case WEIR_TOKEN_LESS:
		return n ? weir_parser_add_range(p, 0, n - 1) : 0;
	case WEIR_TOKEN_LESS_EQUAL:
		return weir_parser_add_range(p, 0, n);
	case WEIR_TOKEN_MORE:
		return n < UINT64_MAX ? weir_parser_add_range(p, n + 1, UINT64_MAX) : 0;
	case WEIR_TOKEN_MORE_EQUAL:
		return weir_parser_add_range(p, n, UINT64_MAX);
	case WEIR_TOKEN_UNEQUAL: {
		int ret = weir_number_add_compared(p, WEIR_TOKEN_LESS, n);

		return ret ? ret : weir_number_add_compared(p, WEIR_TOKEN_MORE, n);
	}
	default:
		return weir_parser_add_range(p, n, n);
	}
}

enum weir_token_kind weir_number_operator(const struct weir_parser *p,
					  const struct weir_number_word *w)
{
	static const struct {
		const char *word;
		enum weir_token_kind kind;
	} words[] = {{"lt", WEIR_TOKEN_LESS},  {"le", WEIR_TOKEN_LESS_EQUAL},
		     {"gt", WEIR_TOKEN_MORE},  {"ge", WEIR_TOKEN_MORE_EQUAL},
		     {"eq", WEIR_TOKEN_EQUAL}, {"ne", WEIR_TOKEN_UNEQUAL}};
	size_t at = p->at;
	struct weir_token next;

	if (p->token.kind >= WEIR_TOKEN_LESS && p->token.kind <= WEIR_TOKEN_UNEQUAL)
		return p->token.kind;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!weir_parser_sees(p, words[i].word))
			continue;
		/* "dscp le" is Lower Effort, "dscp le 10" is not. */
		weir_lexer_next(p->text, &at, &next);
		if (w && w->words == weir_words_dscp &&
		    (next.kind != WEIR_TOKEN_WORD || !strcasecmp(next.word, "and") ||
		     !strcasecmp(next.word, "or")))
			break;
		return words[i].kind;
	}
	return WEIR_TOKEN_END;
}

static int add_compared(struct weir_parser *p, const struct weir_number_word *w,
			enum weir_token_kind op)
{
	uint64_t n;
	int ret;

	if ((w->unit == PROTOCOL || w->unit == WORDS) && op != WEIR_TOKEN_EQUAL &&
	    op != WEIR_TOKEN_UNEQUAL)
		return weir_parser_fail(p, p->token.at,
					"\"%s\" has no order; use = or !=", w->word);
	weir_parser_step(p);
	if (!weir_parser_at_word(p) || !parse_number(w, p->token.word, strlen(p->token.word), &n))
		return refuse(p, w);
	ret = weir_number_add_compared(p, op, n);
	weir_parser_step(p);
	return ret;
}

static int parse_values(struct weir_parser *p, const struct weir_number_word *w)
{
	enum weir_token_kind op = weir_number_operator(p, w);

	return op == WEIR_TOKEN_END ? weir_parser_set(p, add_number, w) : add_compared(p, w, op);
}

/* tcpdump's "vlan" without a number: any. */
static bool is_bare(const struct weir_parser *p, const struct weir_number_word *w)
{
	static const char *const words[] = {"vlan", "tunnel", "inner-vlan", "mpls", "pppoe"};
	bool may_be = false;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		may_be = may_be || !strcmp(w->word, words[i]);
	if (!may_be || weir_number_operator(p, w) != WEIR_TOKEN_END ||
	    p->token.kind == WEIR_TOKEN_SET_OPEN || weir_parser_sees(p, "in"))
		return false;
	if (p->token.kind != WEIR_TOKEN_WORD)
		return true;
	if (w->unit == WORDS)
		return weir_parser_sees(p, "and") || weir_parser_sees(p, "or");
	return p->token.word[0] < '0' || p->token.word[0] > '9';
}

int weir_number_test(struct weir_parser *p, const struct weir_number_word *w)
{
	unsigned first = p->value_count;
	int ret;

	weir_parser_step(p);
	ret = is_bare(p, w) ? weir_parser_add_range(p, 1, w->max) : parse_values(p, w);
	return ret ? ret : weir_parser_add_number(p, WEIR_TEST_NUMBER, w->quantity, first);
}

int weir_number_port_test(struct weir_parser *p, enum weir_direction direction)
{
	unsigned first = p->value_count;
	int ret = parse_values(p, port_word());

	return ret ? ret : weir_parser_add_test(p, WEIR_TEST_PORT, direction, first);
}

bool weir_number_sees_port(const struct weir_parser *p)
{
	uint64_t port;

	return weir_parser_at_word(p) && !p->token.quoted &&
	       (parse_number(port_word(), p->token.word, strlen(p->token.word), &port) ||
		(p->token.word[0] >= '0' && p->token.word[0] <= '9' && !weir_address_sees(p)));
}
