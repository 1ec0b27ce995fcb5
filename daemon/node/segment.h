/* SPDX-License-Identifier: GPL-2.0 */
/* segment.h - the inside of a summary, for summary.c (fills it), ranking.c (ranks it) and segment.c
 * (encodes it). */
#ifndef WEIR_NODE_SEGMENT_H
#define WEIR_NODE_SEGMENT_H

#include "daemon/node/groups.h"
#include "daemon/node/summary.h"
#include "daemon/query/aggregate.h"

enum {
	WEIR_SUMMARY_KEY_MAX = 34,
};

/* Masters merge by the words of these, daemon/query/fields.h: a change here changes what they
 * can be asked. */
enum weir_summary_dimension {
	WEIR_SUMMARY_HOST,
	WEIR_SUMMARY_PAIR,
	WEIR_SUMMARY_SERVICE,
	WEIR_SUMMARY_PROTO,
	WEIR_SUMMARY_DIMENSIONS,
};

struct weir_summary {
	struct weir_groups host;    /* address (2 words), IP version */
	struct weir_groups pair;    /* numbers of two hosts: source << 32 | destination */
	struct weir_groups service; /* protocol << 16 | port; protocols are sums of these */
	struct weir_groups in, out; /* interface index */
	struct weir_totals totals;
	uint64_t last_block; /* 0: none added */
};

/* One of the largest groups of a dimension, its key as daemon/query/fields.h has it. */
struct weir_summary_row {
	struct weir_totals totals;
	uint8_t key[WEIR_SUMMARY_KEY_MAX];
};

const char *weir_summary_words(enum weir_summary_dimension dimension);
unsigned weir_summary_key_bytes(enum weir_summary_dimension dimension);
/**
 * weir_summary_top - the @limit groups of @dimension with most bytes, largest first; ties go
 * to the smaller key, so every machine has the same answer. *@rows is malloc'ed, *@count its
 * length;
 * *@rest is what is not in it.
 */
int weir_summary_top(const struct weir_summary *summary, enum weir_summary_dimension dimension,
		     uint64_t limit, struct weir_summary_row **rows, size_t *count,
		     struct weir_rest *rest);

#endif
