/* SPDX-License-Identifier: GPL-2.0 */
/*
 * query.h - ask one store. Runs in the calling thread, reads the store, touches nothing else.
 */
#ifndef WEIR_QUERY_QUERY_H
#define WEIR_QUERY_QUERY_H

#include <stdatomic.h>

#include "daemon/query/aggregate.h"
#include "daemon/query/fields.h"
#include "daemon/store/store.h"

struct weir_filter;

/**
 * weir_filter_parse - compile a filter expression; NULL or "" matches all.
 * -EINVAL: @error gets a sentence, *@at (may be NULL) the offset in @text of the word at fault, so that
 * the caller can draw a caret.
 */
int weir_filter_parse(const char *text, struct weir_filter **filter, char *error,
		      size_t error_bytes, size_t *at);
bool weir_filter_match(const struct weir_filter *filter, const struct weir_flow *flow);
void weir_filter_free(struct weir_filter *filter);

struct weir_query {
	uint64_t from_ns, to_ns; /* flows alive in [from, to); 0 and UINT64_MAX: all; to 0: no end */
	const struct weir_filter *filter; /* NULL: all */
	uint64_t limit; /* of the list; 0: no limit */
	const atomic_bool *cancel; /* NULL, or checked at every block: -ECANCELED */
};

struct weir_query_result {
	struct weir_totals matched; /* all that matched, shown or not */
	uint64_t blocks_read, blocks_damaged;
};

enum {
	WEIR_QUERY_LIMIT_MAX = 250000, /* flows a list sorts, about 40 MB of them */
};

/**
 * weir_query_list - the newest @query->limit matching flows, newest end first, one call each.
 * Without a limit they come as they are found, newest block first and sorted within each
 * block: sorting all of them would take memory for all of them. Non-zero from @emit stops and is
 * the result. -E2BIG: the limit is above WEIR_QUERY_LIMIT_MAX. -ECANCELED. *@result (may be NULL)
 * is right after 0 and says how far it came otherwise.
 */
typedef int weir_query_emit(void *arg, const struct weir_flow *flow);
int weir_query_list(struct weir_store *store, const struct weir_query *query, weir_query_emit *emit,
		    void *arg, struct weir_query_result *result);
/* Sum all matching flows by @fields into @aggregate (made by the caller with fields->key_bytes).
 * -E2BIG: more groups than it holds; -ECANCELED. */
int weir_query_aggregate(struct weir_store *store, const struct weir_query *query,
			 const struct weir_fields *fields, struct weir_aggregate *aggregate,
			 struct weir_query_result *result);

#endif
