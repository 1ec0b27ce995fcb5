/* SPDX-License-Identifier: GPL-2.0 */
/* cover.h - which roll-ups stand for the records of a time that are gone. */
#ifndef WEIR_NODE_COVER_H
#define WEIR_NODE_COVER_H

#include "daemon/store/rollup.h"

struct weir_cover_piece {
	enum weir_rollup_level level;
	struct weir_rollup_head head;
};

/* Follow each other, none covers what another does. */
struct weir_cover {
	struct weir_cover_piece *pieces;
	size_t count;
	uint64_t start_ns, end_ns; /* from the earliest to the latest; 0: none */
	uint64_t last_block; /* what they cover ends with */
	bool more_before; /* there was something before the first, in the time asked for, which is gone */
};

/**
 * weir_cover_find - roll-ups for all blocks 1..@through of which records may be in [@from_ns, @to_ns).
 * Few and large ones in the middle; small ones where the time begins and ends, or the
 * records that are still there begin. What is held decides how small: so they may reach
 * beyond the time, and beyond @through (then last_block says to where). Free cover->pieces.
 */
int weir_cover_find(struct weir_store *store, uint64_t from_ns, uint64_t to_ns, uint64_t through,
		    struct weir_cover *cover);

#endif
