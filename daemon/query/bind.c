// SPDX-License-Identifier: GPL-2.0
/* bind.c - the names in a filter become what they mean on this machine. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/query/filter.h"
#include "daemon/query/names.h"

struct bind {
	struct weir_filter *filter;
	const struct weir_names *names;
	union weir_value *values; /* the old ones, then those of tests with names */
	size_t count, room;
	char *error;
	size_t error_bytes;
	size_t *at;
};

__attribute__((format(printf, 3, 4))) static int
fail(struct bind *b, const struct weir_filter_name *name, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(b->error, b->error_bytes, format, args);
	va_end(args);
	if (b->at)
		*b->at = name->at;
	return -EINVAL;
}

static int add_value(struct bind *b, const struct weir_filter_name *name,
		     const union weir_value *value)
{
	if (b->count == UINT16_MAX)
		return fail(b, name, "the filter names too many interfaces");
	if (b->count == b->room) {
		size_t room = b->room + 64;
		union weir_value *values = realloc(b->values, room * sizeof(*values));

		if (!values)
			return -ENOMEM;
		b->values = values;
		b->room = room;
	}
	b->values[b->count++] = *value;
	return 0;
}

/* The indexes of the interfaces that @name describes. */
static int add_interfaces(struct bind *b, const struct weir_filter_name *name)
{
	bool found = strpbrk(name->text, "*?") != NULL;
	int ret = 0;

	for (size_t i = 0; i < b->names->count && !ret; i++) {
		const struct weir_names_interface *one = &b->names->interfaces[i];
		union weir_value value = {.range = {one->index, one->index}};

		if (!weir_names_match(name->text, one->name))
			continue;
		found = true;
		ret = add_value(b, name, &value);
	}
	if (!ret && !found)
		ret = fail(b, name, "there is no interface \"%s\" here now", name->text);
	return ret;
}

/* All names of a test of interfaces are added behind its numbers. */
static int bind_interfaces(struct bind *b, unsigned node)
{
	struct weir_step *step = &b->filter->nodes[node].step;
	const struct weir_filter_name *names = b->filter->names;
	size_t first = b->count;
	int ret = 0;

	for (unsigned i = 0; i < step->count && !ret; i++) {
		union weir_value value = b->values[step->first + i];

		ret = add_value(b, &names[0], &value);
	}
	for (unsigned i = 0; i < b->filter->name_count && !ret; i++) {
		if (names[i].node == node)
			ret = add_interfaces(b, &names[i]);
	}
	step->own = true;
	step->first = (uint16_t)first;
	step->count = (uint16_t)(b->count - first);
	return ret;
}

/* A test of nodes or sites is the same for all flows here. */
static int bind_place(struct bind *b, unsigned node)
{
	struct weir_step *step = &b->filter->nodes[node].step;
	bool is_node = step->test == WEIR_TEST_NODE, found = false;

	for (unsigned i = 0; i < b->filter->name_count; i++) {
		const struct weir_filter_name *name = &b->filter->names[i];

		if (name->node != node)
			continue;
		if (!b->names->node[0])
			return fail(b, name, "\"%s\" can be asked of nodes only, not here",
				    is_node ? "node" : "site");
		found = found ||
			weir_names_match(name->text, is_node ? b->names->node : b->names->site);
	}
	step->test = found ? WEIR_TEST_ANY : WEIR_TEST_NONE;
	return 0;
}

static bool has_names(const struct weir_filter *f, unsigned node)
{
	for (unsigned i = 0; i < f->name_count; i++) {
		if (f->names[i].node == node)
			return true;
	}
	return false;
}

static int bind_all(struct bind *b)
{
	struct weir_filter *f = b->filter;
	int ret = 0;

	for (unsigned i = 0; i < f->node_count && !ret; i++) {
		if (f->nodes[i].kind != WEIR_NODE_TEST || !has_names(f, i))
			continue;
		if (f->nodes[i].step.test == WEIR_TEST_INTERFACE)
			ret = bind_interfaces(b, i);
		else
			ret = bind_place(b, i);
	}
	return ret;
}

int weir_filter_bind(struct weir_filter *filter, const struct weir_names *names, char *error,
		     size_t error_bytes, size_t *at)
{
	struct bind b = {.filter = filter,
			 .names = names,
			 .error = error,
			 .error_bytes = error_bytes,
			 .at = at};
	int ret;

	if (!filter || !filter->name_count)
		return 0;
	b.values = filter->values;
	b.count = filter->value_count;
	b.room = filter->value_count + 1; /* as it was allocated */
	ret = bind_all(&b);
	filter->values = b.values;
	filter->value_count = (uint16_t)b.count;
	filter->name_count = 0;
	weir_filter_emit(filter);
	return ret;
}
