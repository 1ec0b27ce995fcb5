/* SPDX-License-Identifier: GPL-2.0 */
/* random_query.h - random flows, and random questions about them that now and then have an answer. */
#ifndef WEIR_TESTS_RANDOM_QUERY_H
#define WEIR_TESTS_RANDOM_QUERY_H

#include "daemon/query/query.h"

enum {
	RANDOM_FILTER_MAX = 1024, /* characters */
};

/* Of one kind of store. */
struct random_flows {
	uint64_t base_ns;
	unsigned hosts;	      /* common ones */
	unsigned rare_percent; /* flows with a host that is nowhere else */
	unsigned ipv6_percent;
	bool constant;	      /* columns that few networks use are the same everywhere */
	bool paired;	      /* some flows are the other direction of the one before */
};

/* 0 to below @n, from random(). */
unsigned random_below(unsigned n);
/* @before: the flow made before this one, for its other direction; NULL: none. */
void random_flow(const struct random_flows *kind, const struct weir_flow *before,
		 struct weir_flow *flow);
/* A filter expression; "" now and then. */
void random_filter(char text[RANDOM_FILTER_MAX]);
/* One to @most different fields. */
void random_fields(struct weir_fields *fields, unsigned most);
void random_spec(struct weir_query_spec *spec);
void random_list(struct weir_list *list);
void random_pairs(struct weir_pairs *pairs);

#endif
