// SPDX-License-Identifier: GPL-2.0
/* operand_flags.c - the tests of TCP flags, and words for flags that stand alone. */
#include <errno.h>
#include <string.h>

#include "daemon/query/filter.h"
#include "daemon/query/words.h"

enum { ALL_SIX = 0x3f, MOST = 0x1ff };

static const char wanted[] = "TCP flags (letters of FSRPAUECN)";

/* "SA", "syn", "0x12"; nfdump's X is all six of old. */
static bool parse_flags(const char *word, uint64_t *flags)
{
	static const char letters[] = "FSRPAUECN"; /* bit 0 .. bit 8 */

	if (weir_number_digits(word, word + strlen(word), flags))
		return *flags <= MOST;
	if (weir_words_find(weir_words_tcp_flags, word, flags))
		return true;
	*flags = 0;
	for (; *word; word++) {
		const char *letter = strchr(letters, *word & ~0x20);

		if ((*word & ~0x20) == 'X')
			*flags |= ALL_SIX;
		else if (letter && *letter)
			*flags |= 1u << (letter - letters);
		else
			return false;
	}
	return true;
}

/*
 * "flags SA": both were seen; "flags = SA": these and no others. "not flags SA" is
 * neither was seen, not "not both", as in nfdump, where "flags S and not flags AFRPU" is
 * how to ask for a SYN alone; the "not" is around what is made here.
 */
int weir_flags_test(struct weir_parser *p, bool negated)
{
	enum weir_test test = negated ? WEIR_TEST_ANY_BITS : WEIR_TEST_BITS;
	unsigned first = p->value_count;
	uint64_t flags;
	int ret;

	if (p->token.kind == WEIR_TOKEN_EQUAL || weir_parser_sees(p, "eq")) {
		test = WEIR_TEST_NUMBER;
		weir_parser_step(p);
	}
	if (!weir_parser_at_word(p) || !parse_flags(p->token.word, &flags) ||
	    (!flags && test != WEIR_TEST_NUMBER))
		return weir_parser_expect(p, wanted);
	ret = weir_parser_add_range(p, flags, flags);
	weir_parser_step(p);
	return ret ? ret : weir_parser_add_number(p, test, "tcp_flags", first);
}

bool weir_flags_word(const struct weir_parser *p, const char **quantity, uint64_t *bits)
{
	if (!weir_parser_at_word(p) || p->token.quoted)
		return false;
	*quantity = "tcp_flags";
	if (weir_words_find(weir_words_tcp_flags, p->token.word, bits))
		return true;
	*quantity = "flow_flags";
	return weir_words_find(weir_words_flow_flags, p->token.word, bits);
}
