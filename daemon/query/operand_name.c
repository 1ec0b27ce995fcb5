// SPDX-License-Identifier: GPL-2.0
/* operand_name.c - the tests with names that only the machine asked can resolve; see names.h. */
#include <errno.h>
#include <string.h>

#include "daemon/query/filter.h"
#include "daemon/query/names.h"

static int add_name(struct weir_parser *p, size_t longest, const char *what)
{
	struct weir_filter_name *name;
	size_t length = strlen(p->token.word);

	if (!weir_parser_at_word(p) || !length || weir_parser_sees(p, "and") ||
	    weir_parser_sees(p, "or") || weir_parser_sees(p, "not"))
		return weir_parser_expect(p, what);
	if (length > longest)
		return weir_parser_fail(p, p->token.at, "a name has at most %zu characters here",
					longest);
	if (p->name_count == WEIR_FILTER_NAMES_MAX)
		return weir_parser_fail(p, p->token.at, "the filter has more than %u names",
					(unsigned)WEIR_FILTER_NAMES_MAX);
	name = &p->names[p->name_count++];
	memset(name, 0, sizeof(*name));
	name->at = p->token.at;
	strcpy(name->text, p->token.word);
	weir_parser_step(p);
	return 0;
}

/* The names from @first_name on belong to the test @node. */
static int own_names(struct weir_parser *p, unsigned first_name, int node)
{
	for (unsigned i = first_name; i < p->name_count && node >= 0; i++)
		p->names[i].node = (uint16_t)node;
	return node;
}

/* An index, a range of them, or a name. */
static int add_interface(struct weir_parser *p, const void *arg)
{
	const char *word = p->token.word, *end = word + strlen(word), *dash = strchr(word, '-');
	uint64_t low, high;
	int ret;

	if (!weir_parser_at_word(p) || p->token.quoted)
		return add_name(p, WEIR_FIELDS_INTERFACE_BYTES - 1, "an interface's name or index");
	if (weir_number_digits(word, end, &low))
		high = low;
	else if (!dash || !weir_number_digits(word, dash, &low) ||
		 !weir_number_digits(dash + 1, end, &high))
		return add_name(p, WEIR_FIELDS_INTERFACE_BYTES - 1, "an interface's name or index");
	if (low > high)
		return weir_parser_fail(p, p->token.at, "the range \"%s\" is upside down", word);
	if (high > UINT32_MAX)
		return weir_parser_expect(p, "an interface's name or index");
	ret = weir_parser_add_range(p, low, high);
	weir_parser_step(p);
	return ret;
}

static int add_interface_test(struct weir_parser *p, enum weir_direction direction)
{
	unsigned first = p->value_count, first_name = p->name_count;
	int ret = weir_parser_set(p, add_interface, NULL);

	if (ret)
		return ret;
	return own_names(p, first_name,
			 weir_parser_add_test(p, WEIR_TEST_INTERFACE, direction, first));
}

/* "in if > 3", "in if != eth0". Of either, one that is not it is enough, as with ports. */
static int compared_interface_test(struct weir_parser *p, enum weir_direction direction,
				   enum weir_token_kind op)
{
	unsigned first = p->value_count;
	uint64_t index;
	int ret;

	weir_parser_step(p);
	if (weir_parser_at_word(p) && !p->token.quoted &&
	    weir_number_digits(p->token.word, p->token.word + strlen(p->token.word), &index)) {
		ret = weir_number_add_compared(p, op, index);
		weir_parser_step(p);
		return ret ? ret : weir_parser_add_test(p, WEIR_TEST_INTERFACE, direction, first);
	}
	if (op == WEIR_TOKEN_EQUAL)
		return add_interface_test(p, direction);
	if (op != WEIR_TOKEN_UNEQUAL)
		return weir_parser_expect(p, "an interface's index");
	ret = add_interface_test(p, direction == WEIR_EITHER ? WEIR_BOTH : direction);
	return ret < 0 ? ret : weir_parser_add_not(p, (unsigned)ret);
}

int weir_name_interface_test(struct weir_parser *p, enum weir_direction direction)
{
	enum weir_token_kind op = weir_number_operator(p, NULL);

	return op == WEIR_TOKEN_END ? add_interface_test(p, direction)
				    : compared_interface_test(p, direction, op);
}

static int add_place(struct weir_parser *p, const void *arg)
{
	return add_name(p, WEIR_FIELDS_NAME_BYTES - 1, arg);
}

int weir_name_place_test(struct weir_parser *p, enum weir_test test)
{
	unsigned first_name = p->name_count;
	int ret = weir_parser_set(p, add_place,
				  test == WEIR_TEST_NODE ? "a node's name" : "a site's name");

	if (ret)
		return ret;
	return own_names(p, first_name, weir_parser_add_test(p, test, WEIR_EITHER, p->value_count));
}
