// SPDX-License-Identifier: GPL-2.0
/*
 * parse.c - the grammar of filter expressions, and their compilation.
 *
 *   either  = both { ("or" | "||") both }
 *   both    = factor { ("and" | "&&") factor }
 *   factor  = ("not" | "!") factor | "(" either ")" | test     (operand.c)
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/query/filter.h"

void weir_parser_step(struct weir_parser *p)
{
	weir_lexer_next(p->text, &p->at, &p->token);
}

bool weir_parser_at_word(const struct weir_parser *p)
{
	return p->token.kind == WEIR_TOKEN_WORD && !p->token.cut;
}

bool weir_parser_sees(const struct weir_parser *p, const char *word)
{
	return weir_parser_at_word(p) && !p->token.quoted &&
	       weir_quantity_same_word(p->token.word, p->token.length, word);
}

int weir_parser_fail(struct weir_parser *p, size_t at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(p->error, p->error_bytes, format, args);
	va_end(args);
	if (p->error_at)
		*p->error_at = at;
	return -EINVAL;
}

int weir_parser_expect(struct weir_parser *p, const char *what)
{
	const struct weir_token *t = &p->token;
	unsigned char c = (unsigned char)p->text[t->at];

	if (t->kind == WEIR_TOKEN_END)
		return weir_parser_fail(p, t->at, "the filter ends where %s should follow", what);
	if (t->kind == WEIR_TOKEN_BAD && c == '"')
		return weir_parser_fail(p, t->at, "the quote is not closed");
	if (t->kind == WEIR_TOKEN_BAD && (c < ' ' || c > '~'))
		return weir_parser_fail(p, t->at, "expected %s, not the character 0x%02x", what, c);
	return weir_parser_fail(p, t->at, "expected %s, not \"%.*s\"", what,
				(int)(t->length < 40 ? t->length : 40), p->text + t->at);
}

static int add_node(struct weir_parser *p, enum weir_node_kind kind, unsigned left, unsigned right)
{
	struct weir_filter_node *node;

	if (p->node_count == WEIR_FILTER_NODES_MAX)
		return weir_parser_fail(p, p->token.at,
					"the filter has more than %u tests and operators",
					(unsigned)WEIR_FILTER_NODES_MAX);
	node = &p->nodes[p->node_count];
	memset(node, 0, sizeof(*node));
	node->kind = (uint8_t)kind;
	node->left = (uint16_t)left;
	node->right = (uint16_t)right;
	return (int)p->node_count++;
}

int weir_parser_add_test(struct weir_parser *p, enum weir_test test, enum weir_direction direction,
			 unsigned first_value)
{
	int node = add_node(p, WEIR_NODE_TEST, 0, 0);

	if (node >= 0) {
		struct weir_step *step = &p->nodes[node].step;

		step->test = (uint8_t)test;
		step->direction = (uint8_t)direction;
		step->first = (uint16_t)first_value;
		step->count = (uint16_t)(p->value_count - first_value);
	}
	return node;
}

int weir_parser_add_number(struct weir_parser *p, enum weir_test test, const char *quantity,
			   unsigned first_value)
{
	const struct weir_quantity *q = weir_quantity_find(quantity, strlen(quantity));
	int node = weir_parser_add_test(p, test, WEIR_EITHER, first_value);

	if (node >= 0)
		p->nodes[node].step.quantity = (uint8_t)weir_quantity_index(q);
	return node;
}

int weir_parser_add_and(struct weir_parser *p, unsigned left, unsigned right)
{
	return add_node(p, WEIR_NODE_AND, left, right);
}

int weir_parser_add_not(struct weir_parser *p, unsigned node)
{
	return add_node(p, WEIR_NODE_NOT, node, 0);
}

int weir_parser_add_value(struct weir_parser *p, const union weir_value *value)
{
	if (p->value_count == WEIR_FILTER_VALUES_MAX)
		return weir_parser_fail(p, p->token.at, "the filter has more than %u values",
					(unsigned)WEIR_FILTER_VALUES_MAX);
	p->values[p->value_count++] = *value;
	return 0;
}

int weir_parser_add_range(struct weir_parser *p, uint64_t low, uint64_t high)
{
	union weir_value value = {.range = {low, high}};

	return weir_parser_add_value(p, &value);
}

int weir_parser_set(struct weir_parser *p, int (*add)(struct weir_parser *p, const void *arg),
		    const void *arg)
{
	bool in = weir_parser_sees(p, "in");
	int ret;

	if (in)
		weir_parser_step(p);
	if (p->token.kind != WEIR_TOKEN_SET_OPEN)
		return in ? weir_parser_expect(p, "\"{\" and a list") : add(p, arg);
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

static int parse_either(struct weir_parser *p);

static int enter(struct weir_parser *p)
{
	if (p->depth == WEIR_FILTER_DEPTH_MAX)
		return weir_parser_fail(p, p->token.at, "the filter is nested more than %u deep",
					(unsigned)WEIR_FILTER_DEPTH_MAX);
	p->depth++;
	weir_parser_step(p);
	return 0;
}

static int parse_factor(struct weir_parser *p)
{
	int node, ret;

	if (p->token.kind == WEIR_TOKEN_NOT || weir_parser_sees(p, "not")) {
		ret = enter(p);
		if (ret)
			return ret;
		p->negated = true;
		node = parse_factor(p);
		p->depth--;
		return node < 0 ? node : add_node(p, WEIR_NODE_NOT, (unsigned)node, 0);
	}
	if (p->token.kind == WEIR_TOKEN_OPEN) {
		ret = enter(p);
		if (ret)
			return ret;
		p->negated = false;
		p->last.kind = WEIR_LAST_NONE;
		node = parse_either(p);
		if (node < 0)
			return node;
		if (p->token.kind != WEIR_TOKEN_CLOSE)
			return weir_parser_expect(p, "\"and\", \"or\" or \")\"");
		p->depth--;
		p->last.kind = WEIR_LAST_NONE;
		weir_parser_step(p);
		return node;
	}
	return weir_parser_primitive(p);
}

static int parse_both(struct weir_parser *p)
{
	int left = parse_factor(p);

	while (left >= 0 && (p->token.kind == WEIR_TOKEN_AND || weir_parser_sees(p, "and"))) {
		int right;

		weir_parser_step(p);
		right = parse_factor(p);
		if (right < 0)
			return right;
		left = add_node(p, WEIR_NODE_AND, (unsigned)left, (unsigned)right);
	}
	return left;
}

static int parse_either(struct weir_parser *p)
{
	int left = parse_both(p);

	while (left >= 0 && (p->token.kind == WEIR_TOKEN_OR || weir_parser_sees(p, "or"))) {
		int right;

		weir_parser_step(p);
		right = parse_both(p);
		if (right < 0)
			return right;
		left = add_node(p, WEIR_NODE_OR, (unsigned)left, (unsigned)right);
	}
	return left;
}

/*
 * Emit the steps of @node so that matching goes on at @if_true or @if_false;
 * returns where it begins. What follows is emitted first, so every jump goes to a
 * lower number and matching ends. As deep as the tree, which NODES_MAX bounds.
 */
static uint16_t emit(struct weir_filter *f, unsigned node, uint16_t if_true, uint16_t if_false)
{
	const struct weir_filter_node *n = &f->nodes[node];
	uint16_t next;

	switch (n->kind) {
	case WEIR_NODE_NOT:
		return emit(f, n->left, if_false, if_true);
	case WEIR_NODE_AND:
		next = emit(f, n->right, if_true, if_false);
		return emit(f, n->left, next, if_false);
	case WEIR_NODE_OR:
		next = emit(f, n->right, if_true, if_false);
		return emit(f, n->left, if_true, next);
	}
	f->steps[f->step_count] = n->step;
	f->steps[f->step_count].if_true = if_true;
	f->steps[f->step_count].if_false = if_false;
	return f->step_count++;
}

void weir_filter_emit(struct weir_filter *f)
{
	f->step_count = 0;
	f->entry = emit(f, f->root, WEIR_FILTER_TRUE, WEIR_FILTER_FALSE);
}

static void *copy(const void *from, size_t count, size_t bytes)
{
	void *to = calloc(count + 1, bytes); /* one more, as none would be NULL */

	if (to && count)
		memcpy(to, from, count * bytes);
	return to;
}

static int compile(const struct weir_parser *p, unsigned root, struct weir_filter **filter)
{
	struct weir_filter *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->steps = calloc(p->node_count, sizeof(*f->steps));
	f->nodes = copy(p->nodes, p->node_count, sizeof(*f->nodes));
	f->values = copy(p->values, p->value_count, sizeof(*f->values));
	f->names = copy(p->names, p->name_count, sizeof(*f->names));
	if (!f->steps || !f->nodes || !f->values || !f->names) {
		weir_filter_free(f);
		return -ENOMEM;
	}
	f->node_count = (uint16_t)p->node_count;
	f->value_count = (uint16_t)p->value_count;
	f->name_count = (uint16_t)p->name_count;
	f->root = (uint16_t)root;
	weir_filter_emit(f);
	*filter = f;
	return 0;
}

static int parse(struct weir_parser *p, struct weir_filter **filter)
{
	int root;

	if (strlen(p->text) > WEIR_FILTER_TEXT_MAX)
		return weir_parser_fail(p, WEIR_FILTER_TEXT_MAX,
					"the filter is longer than %u characters",
					(unsigned)WEIR_FILTER_TEXT_MAX);
	weir_parser_step(p);
	if (p->token.kind == WEIR_TOKEN_END)
		root = weir_parser_add_test(p, WEIR_TEST_ANY, WEIR_EITHER, 0);
	else
		root = parse_either(p);
	if (root < 0)
		return root;
	if (p->token.kind == WEIR_TOKEN_CLOSE)
		return weir_parser_fail(p, p->token.at, "\")\" without \"(\"");
	if (p->token.kind == WEIR_TOKEN_COMMA)
		return weir_parser_fail(p, p->token.at, "a list goes in braces, such as {80 443}");
	if (p->token.kind != WEIR_TOKEN_END)
		return weir_parser_expect(p, "\"and\" or \"or\"");
	return compile(p, (unsigned)root, filter);
}

int weir_filter_parse(const char *text, struct weir_filter **filter, char *error,
		      size_t error_bytes, size_t *at)
{
	struct weir_parser *p = calloc(1, sizeof(*p)); /* large for a thread's stack */
	int ret;

	if (error_bytes)
		error[0] = '\0';
	if (at)
		*at = 0;
	if (!p)
		return -ENOMEM;
	p->text = text ? text : "";
	p->error = error;
	p->error_bytes = error_bytes;
	p->error_at = at;
	ret = parse(p, filter);
	free(p);
	return ret;
}

void weir_filter_free(struct weir_filter *filter)
{
	if (!filter)
		return;
	free(filter->steps);
	free(filter->values);
	free(filter->nodes);
	free(filter->names);
	free(filter);
}
