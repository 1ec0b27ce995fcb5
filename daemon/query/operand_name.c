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

int weir_name_interface_test(struct weir_parser *p, enum weir_direction direction)
{
	unsigned first = p->value_count, first_name = p->name_count;
	int ret;

	if (p->token.kind == WEIR_TOKEN_EQUAL)
		weir_parser_step(p);
	ret = weir_parser_set(p, add_interface, NULL);
	if (ret)
		return ret;
	return own_names(p, first_name,
			 weir_parser_add_test(p, WEIR_TEST_INTERFACE, direction, first));
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
