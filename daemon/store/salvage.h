/* SPDX-License-Identifier: GPL-2.0 */
/*
 * salvage.h - what can still be read of a partition whose pages are damaged.
 *
 * Everything that the damaged trees lead to, and what lies on whole pages that nothing leads to any more.
 * A block is taken only if it passes for itself under its number; a segment if it can be read as
 * the one of its number.
 */
#ifndef WEIR_STORE_SALVAGE_H
#define WEIR_STORE_SALVAGE_H

#include "daemon/store/check.h"
#include "daemon/store/pages.h"

enum weir_salvage_meta {
	WEIR_SALVAGE_NO_META,
	/* A copy from an earlier commit, probably the last but one: a page that was replaced. */
	WEIR_SALVAGE_OLD_META,
	WEIR_SALVAGE_META,
};

struct weir_salvage {
	/* Where good things go; return non-zero to stop. May be NULL. */
	int (*block)(void *arg, uint64_t number, const struct weir_pages_entry *entry,
		     const struct weir_meta_times *times);
	int (*segment)(void *arg, uint64_t seq, const struct weir_pages_entry *entry);
	void *arg;
	weir_check_segment *check_segment; /* NULL: all are good */
	void *check_arg;
	const volatile bool *cancel; /* may be NULL */
	uint64_t block_limit, segment_limit; /* take none above; 0: no limit */

	/* Found. */
	enum weir_salvage_meta has_meta;
	struct weir_survey_meta meta;
	struct weir_meta_held held;
	struct weir_totals totals;
	uint64_t last_block; /* 0: none */
	uint64_t segments, last_segment;
	uint64_t lost_blocks, lost_records; /* that the index still names */
	uint64_t lost_segments;
	uint64_t highest_block; /* any trace of, taken or not */
	uint64_t highest_segment;
	bool segments_known; /* the tree of segments is whole: highest_segment was the last one */
};

/* @path: of the partition's folder. 0 also when nothing could be read. */
int weir_salvage_partition(const char *path, struct weir_salvage *salvage);

#endif
