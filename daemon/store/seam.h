/* SPDX-License-Identifier: GPL-2.0 */
/*
 * seam.h - numbers of blocks that a merged block must not reach across.
 *
 * When retention has removed partitions, an answer counts their part of the time from roll-ups, and
 * the rest from blocks numbered above the last one these stand for. Roll-ups are taken whole: the
 * one that reaches across the beginning of the oldest partition, of whatever level is
 * still held, says where the blocks begin to count. Were a block merged across that number, part of
 * it would count twice. So there are three such numbers in a partition: the ends of the
 * minute, the hour and the day that its first segment is of. What no roll-up stands for yet is
 * not to be merged either.
 */
#ifndef WEIR_STORE_SEAM_H
#define WEIR_STORE_SEAM_H

#include "daemon/store/rollup.h"

struct weir_seams {
	uint64_t from, through; /* blocks that may be merged */
	/* No block up to one of these may be merged with one behind it. As far as is known: while
	 * the hour goes on, it is `through`. */
	uint64_t last[WEIR_ROLLUP_LEVELS];
};

/* Of the partition that begins behind segment @before. Without roll-ups nothing is to be merged. */
int weir_seams_find(struct weir_store *store, uint64_t before, struct weir_seams *seams);
/* Whether one is between blocks @a and @b, @a the smaller number. */
bool weir_seams_part(const struct weir_seams *seams, uint64_t a, uint64_t b);

#endif
