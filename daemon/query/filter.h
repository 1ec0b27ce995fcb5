/* SPDX-License-Identifier: GPL-2.0 */
/*
 * filter.h - what lexer, parser and matcher of the filter language share.
 *
 * An expression becomes a tree while it is read and then a list of tests, each
 * naming the test that follows when it holds and when it does not. So matching is a
 * loop, needs no stack, and skips what cannot change the answer. Expressions
 * come over the network: length, nesting, tests and set sizes are bounded.
 * docs/weir-filter.7.scd is the language's manual.
 */
#ifndef WEIR_QUERY_FILTER_H
#define WEIR_QUERY_FILTER_H

#include "daemon/query/quantity.h"
#include "daemon/query/query.h"

enum {
	WEIR_FILTER_TEXT_MAX = 4096, /* characters */
	WEIR_FILTER_DEPTH_MAX = 64,  /* of parentheses and negations */
	WEIR_FILTER_NODES_MAX = 1024,
	WEIR_FILTER_VALUES_MAX = 1024, /* in all sets together */
	WEIR_FILTER_NAMES_MAX = 64,
	WEIR_FILTER_WORD_MAX = 63,
};

/* Where matching ends. */
enum {
	WEIR_FILTER_FALSE = 0xfffe,
	WEIR_FILTER_TRUE = 0xffff,
};

enum weir_token_kind {
	WEIR_TOKEN_END,
	WEIR_TOKEN_WORD,
	WEIR_TOKEN_OPEN, /* ( */
	WEIR_TOKEN_CLOSE,
	WEIR_TOKEN_SET_OPEN, /* { or [ */
	WEIR_TOKEN_SET_CLOSE,
	WEIR_TOKEN_COMMA,
	WEIR_TOKEN_LESS,
	WEIR_TOKEN_LESS_EQUAL,
	WEIR_TOKEN_MORE,
	WEIR_TOKEN_MORE_EQUAL,
	WEIR_TOKEN_EQUAL,
	WEIR_TOKEN_UNEQUAL,
	WEIR_TOKEN_AND, /* && */
	WEIR_TOKEN_OR,	/* || */
	WEIR_TOKEN_NOT, /* ! */
	WEIR_TOKEN_BAD, /* a character that means nothing */
};

struct weir_token {
	enum weir_token_kind kind;
	bool quoted;			     /* a WORD in quotes, which are not part of it */
	bool cut;			     /* a WORD longer than any that means something */
	size_t at, length;		     /* in the text */
	char word[WEIR_FILTER_WORD_MAX + 1]; /* of a WORD */
};

/* The token at *@at, which moves behind it. */
void weir_lexer_next(const char *text, size_t *at, struct weir_token *token);

enum weir_test {
	WEIR_TEST_ANY,
	WEIR_TEST_NONE,
	WEIR_TEST_ADDRESS,   /* in set of prefixes */
	WEIR_TEST_MAC,	     /* in set of MAC addresses */
	WEIR_TEST_PORT,	     /* in set of ranges, of a protocol with ports */
	WEIR_TEST_INTERFACE, /* in set of ranges; SRC is the one the packets came in by */
	WEIR_TEST_NUMBER,    /* the step's quantity is known and in set of ranges */
	WEIR_TEST_BITS,	     /* the step's quantity is known and has all bits of range.low */
	WEIR_TEST_ANY_BITS,  /* the step's quantity is known and has some bit of range.low */
	WEIR_TEST_NODE,	     /* names, until bound; then ANY or NONE */
	WEIR_TEST_SITE,
	WEIR_TEST_NAT_ADDRESS, /* beyond NAT, if there is any: in set of prefixes */
	WEIR_TEST_NAT_PORT,    /* the same: in set of ranges */
};

/* Which end of a flow an address, MAC, port or interface test looks at. */
enum weir_direction { WEIR_EITHER, WEIR_SRC, WEIR_DST, WEIR_BOTH };

struct weir_prefix {
	uint8_t address[16];
	uint8_t bits;
	uint8_t ip_version;
};

struct weir_range {
	uint64_t low, high;
};

/* An element of a set, or the only operand of a test. */
union weir_value {
	struct weir_prefix prefix;
	struct weir_range range;
	uint8_t mac[6];
};

struct weir_step {
	uint8_t test;
	uint8_t direction;
	uint8_t own;		    /* of INTERFACE: by name, so of the meter's own namespace */
	uint8_t quantity;	    /* of NUMBER, BITS, ANY_BITS, for weir_quantity_at() */
	uint16_t first, count;	    /* values; none of them: the test never holds */
	uint16_t if_true, if_false; /* the next step, or WEIR_FILTER_TRUE/FALSE */
};

/* A leaf of the tree, or an operator. */
enum weir_node_kind { WEIR_NODE_TEST, WEIR_NODE_AND, WEIR_NODE_OR, WEIR_NODE_NOT };

/* A node of the tree; operators have children (NOT: only the left), tests a step
 * whose jumps mean nothing. */
struct weir_filter_node {
	uint8_t kind;
	uint16_t left, right;
	struct weir_step step;
};

/* A name in a set, of an interface, a node or a site, until it is bound. */
struct weir_filter_name {
	uint16_t node; /* the test it belongs to */
	size_t at;     /* in the text */
	char text[WEIR_FILTER_WORD_MAX + 1];
};

/* The same expression twice: as steps, for matching one flow after another, and as a tree. */
struct weir_filter {
	uint16_t entry;
	uint16_t step_count, value_count, node_count, name_count;
	uint16_t root; /* of nodes */
	struct weir_step *steps;
	union weir_value *values;
	struct weir_filter_node *nodes;
	struct weir_filter_name *names;
};

/* The columns a test reads, as WEIR_COLUMN_BIT()s, and those of the whole filter (NULL: none). */
uint64_t weir_filter_step_columns(const struct weir_step *step);
uint64_t weir_filter_columns(const struct weir_filter *filter);
/* Make the steps anew from the tree. */
void weir_filter_emit(struct weir_filter *filter);
/* Whether the one test holds. */
bool weir_filter_step_holds(const struct weir_filter *filter, const struct weir_step *step,
			    const struct weir_flow *flow);

/* What an address or port that follows without words of its own means: tcpdump's "src host a
 * or b" is "src host a or src host b", "tcp port 80 or 443" is TCP's port 443, too. */
struct weir_parser_last {
	enum { WEIR_LAST_NONE, WEIR_LAST_ADDRESS, WEIR_LAST_PORT } kind;
	bool nat; /* beyond NAT */
	enum weir_direction direction;
	uint16_t qualifiers[3]; /* tests before it, "tcp", "ip" */
	unsigned qualifier_count;
};

struct weir_parser {
	const char *text;
	size_t at;		 /* behind token */
	struct weir_token token; /* looked at, not used up */
	bool negated;		 /* "not" was right before it */
	struct weir_parser_last last;
	struct weir_filter_node nodes[WEIR_FILTER_NODES_MAX];
	unsigned node_count;
	union weir_value values[WEIR_FILTER_VALUES_MAX];
	unsigned value_count;
	struct weir_filter_name names[WEIR_FILTER_NAMES_MAX];
	unsigned name_count;
	unsigned depth;
	char *error;
	size_t error_bytes;
	size_t *error_at;
};

/* Everything that returns int gives a negative errno on failure, the sentence being in the
 * parser; what makes a test returns its node. */

/* parse.c: use up the token looked at. */
void weir_parser_step(struct weir_parser *p);
/* Whether the token looked at is a word at all, not too long; and whether it is this one. */
bool weir_parser_at_word(const struct weir_parser *p);
bool weir_parser_sees(const struct weir_parser *p, const char *word);
/* Put a sentence about the token looked at into the error: "..., not "WORD"" is added. -EINVAL. */
int weir_parser_expect(struct weir_parser *p, const char *what);
/* Put this sentence, at offset @at. -EINVAL. */
int weir_parser_fail(struct weir_parser *p, size_t at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Add a test of the values from @first_value on. */
int weir_parser_add_test(struct weir_parser *p, enum weir_test test, enum weir_direction direction,
			 unsigned first_value);
/* The same for NUMBER and the BITS, of the quantity of this word. */
int weir_parser_add_number(struct weir_parser *p, enum weir_test test, const char *quantity,
			   unsigned first_value);
int weir_parser_add_and(struct weir_parser *p, unsigned left, unsigned right);
int weir_parser_add_not(struct weir_parser *p, unsigned node);
int weir_parser_add_value(struct weir_parser *p, const union weir_value *value);
int weir_parser_add_range(struct weir_parser *p, uint64_t low, uint64_t high);
/* "in {80 443}", "in [80, 443]", "{80 443}", or one element. @add reads one element. */
int weir_parser_set(struct weir_parser *p, int (*add)(struct weir_parser *p, const void *arg),
		    const void *arg);

/* operand.c: one test with its operands ("src port in {80 443}"). */
int weir_parser_primitive(struct weir_parser *p);
/* "src", "dst", "src or dst", "src and dst", used up. */
int weir_parser_direction(struct weir_parser *p, enum weir_direction *direction);

/* operand_number.c: a word that takes a number, such as "bytes"; NULL: the token is none. */
struct weir_number_word;
const struct weir_number_word *weir_number_word(const struct weir_parser *p);
/* The same of two words, such as "tunnel id"; the first of them is used up then. */
const struct weir_number_word *weir_number_pair(struct weir_parser *p);
const struct weir_number_word *weir_number_word_at(unsigned index); /* NULL past the last */
const char *weir_number_word_text(const struct weir_number_word *word);
bool weir_number_word_is_protocol(const struct weir_number_word *word);
/* The test behind the word. */
int weir_number_test(struct weir_parser *p, const struct weir_number_word *word);
int weir_number_port_test(struct weir_parser *p, enum weir_direction direction);
/* Whether the token is a port by number or name. */
bool weir_number_sees_port(const struct weir_parser *p);
/* The operator looked at, nfdump's words for them included; END: it is none. @word: before it, or
 * NULL. */
enum weir_token_kind weir_number_operator(const struct weir_parser *p,
					  const struct weir_number_word *word);
/* Add the values that OP N allows; none if there are none. */
int weir_number_add_compared(struct weir_parser *p, enum weir_token_kind op, uint64_t n);
/* Decimal or 0x hexadecimal digits from @text to @end. */
bool weir_number_digits(const char *text, const char *end, uint64_t *value);

/* operand_address.c */
enum weir_address_form {
	WEIR_ADDRESS_HOST, /* one address */
	WEIR_ADDRESS_NET,  /* a network */
	WEIR_ADDRESS_ANY,  /* either */
};
bool weir_address_sees(const struct weir_parser *p);
int weir_address_test(struct weir_parser *p, enum weir_address_form form,
		      enum weir_direction direction);
int weir_address_mac_test(struct weir_parser *p, enum weir_direction direction);
/* "multicast": either family's. */
int weir_address_multicast_test(struct weir_parser *p);

/* operand_nat.c: behind "nat"; and nfdump's words, looked at. */
int weir_nat_test(struct weir_parser *p);
bool weir_nat_sees_short(const struct weir_parser *p);
int weir_nat_short_test(struct weir_parser *p, enum weir_direction direction);

/* operand_name.c: interfaces by index or name; nodes or sites. */
int weir_name_interface_test(struct weir_parser *p, enum weir_direction direction);
int weir_name_place_test(struct weir_parser *p, enum weir_test test);

/* operand_flags.c: behind "flags"; and words such as "syn", "fragmented" alone. */
int weir_flags_test(struct weir_parser *p, bool negated);
bool weir_flags_word(const struct weir_parser *p, const char **quantity, uint64_t *bits);

#endif
