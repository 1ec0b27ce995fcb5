/* SPDX-License-Identifier: GPL-2.0 */
/* segment.h - the inside of a summary, for summary.c (fills it) and segment.c (encodes it). */
#ifndef WEIR_NODE_SEGMENT_H
#define WEIR_NODE_SEGMENT_H

#include "daemon/node/summary.h"
#include "daemon/query/aggregate.h"
#include "daemon/query/fields.h"

enum {
	WEIR_SUMMARY_DIMENSIONS = 4,
};

struct weir_summary_dimension {
	const char *words;
	struct weir_fields fields;
	struct weir_aggregate *groups;
};

struct weir_summary {
	size_t max_groups;
	struct weir_summary_dimension dimension[WEIR_SUMMARY_DIMENSIONS];
	struct weir_aggregate *in, *out; /* by interface index, network order */
	struct weir_totals totals;
	uint64_t last_block; /* 0: none added */
};

#endif
