/* SPDX-License-Identifier: GPL-2.0 */
/*
 * merge.h - segments or roll-ups that follow each other, as one.
 *
 * Totals add up exactly. Of each dimension the largest keys are kept with what they are at least
 * and at most (daemon/query/bounds.h), and of the rest the exact sum and the largest that one of
 * them may be. Not thread-safe.
 */
#ifndef WEIR_NODE_MERGE_H
#define WEIR_NODE_MERGE_H

#include "daemon/query/bounds.h"
#include "daemon/store/rollup.h"
#include "weir.pb-c.h"

struct weir_merge;

enum {
	WEIR_MERGE_DIMENSIONS = 6,
};

/* What a roll-up can be asked for. */
extern const char *const weir_merge_words[WEIR_MERGE_DIMENSIONS];
/* The dimension that has these @fields, or -1. */
int weir_merge_find(const char *fields);

/* All dimensions, or only that one when @only is not negative. */
int weir_merge_new(int only, struct weir_merge **merge);
void weir_merge_free(struct weir_merge *merge);
/* -EBADMSG: cannot be decoded, nothing was added. After -ENOMEM the merge is useless. */
int weir_merge_add_segment(struct weir_merge *merge, const void *body, size_t body_bytes);
int weir_merge_add_rollup(struct weir_merge *merge, const struct weir_rollup_head *head,
			  const void *body, size_t body_bytes);
/* Of all that was added; all zero before. */
const struct weir_rollup_head *weir_merge_head(const struct weir_merge *merge);
struct weir_bounds *weir_merge_bounds(struct weir_merge *merge, int dimension);
/* As it is stored, with the @top largest of each dimension; *@body is malloc'ed. */
int weir_merge_encode(const struct weir_merge *merge, size_t top, void **body, size_t *body_bytes);

#endif
