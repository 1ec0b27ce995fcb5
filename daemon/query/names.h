/* SPDX-License-Identifier: GPL-2.0 */
/*
 * names.h - names in filters and fields that only the machine asked can resolve.
 *
 * "in if eth0", "node a", field "in_name" are parsed anywhere (the command line draws
 * carets, a master passes on), and bound where the flows are, before the first of
 * them is looked at. Interfaces are what they are called when the names are read: a flow
 * record has an index only.
 */
#ifndef WEIR_QUERY_NAMES_H
#define WEIR_QUERY_NAMES_H

#include "daemon/query/fields.h"

struct weir_filter;

struct weir_names_interface {
	uint32_t index;
	char name[WEIR_FIELDS_INTERFACE_BYTES];
};

struct weir_names {
	char node[WEIR_FIELDS_NAME_BYTES]; /* "": not a node, tests of nodes and sites are refused
					    */
	char site[WEIR_FIELDS_NAME_BYTES]; /* "": none */
	struct weir_names_interface *interfaces; /* ascending by index */
	size_t count;
};

/* @node and @site may be NULL. No interfaces are known yet. -ENOMEM. */
int weir_names_new(const char *node, const char *site, struct weir_names **names);
void weir_names_free(struct weir_names *names);
/* Add an interface, or all that this network namespace has now. Negative errno. */
int weir_names_add(struct weir_names *names, uint32_t index, const char *name);
int weir_names_read(struct weir_names *names);
/* The interface's name; NULL: there is none of this index. */
const char *weir_names_interface(const struct weir_names *names, uint32_t index);
/* Whether @text is what @pattern describes: "*" is any characters, "?" one, case counts not. */
bool weir_names_match(const char *pattern, const char *text);

/**
 * weir_filter_bind - resolve the names in @filter (NULL: none), once, before it is used.
 * -EINVAL: @error gets a sentence, *@at (may be NULL) the offset of the name in the text that was
 * parsed: an interface of this name is not there, or the question is not for a node.
 * Patterns may describe nothing. -ENOMEM.
 */
int weir_filter_bind(struct weir_filter *filter, const struct weir_names *names, char *error,
		     size_t error_bytes, size_t *at);
/* Let node, site, in_name and out_name be taken from @names, which must outlive @fields. */
void weir_fields_bind(struct weir_fields *fields, const struct weir_names *names);

#endif
