/* SPDX-License-Identifier: GPL-2.0 */
/*
 * position.h - the arithmetic of the place in the kernel's stream: what is
 * next, what is missing, whether the kernel's sums agree with ours. Pure.
 */
#ifndef WEIR_NODE_POSITION_H
#define WEIR_NODE_POSITION_H

#include "daemon/node/kernel.h"
#include "daemon/store/store.h"

enum weir_position_verdict {
	WEIR_POSITION_NEXT, /* the batch that was expected */
	WEIR_POSITION_AGAIN, /* one we have already: pass over */
	WEIR_POSITION_GAP, /* one was skipped without a word: subscribe again, the kernel has it */
	WEIR_POSITION_FOREIGN, /* of another instance */
};

/* The subscription starts as @start says. Returns whether it is a new instance; if
 * the one before did not end with a word, it is counted as unfinished. */
bool weir_position_start(struct weir_store_position *position,
			 const struct weir_kernel_start *start);
/* @expected is start->seq, then one more for every batch accepted. */
enum weir_position_verdict weir_position_check(const struct weir_store_position *position,
					       uint64_t expected,
					       const struct weir_kernel_event *batch);
/**
 * weir_position_accept - @batch, with records that sum up to @totals, was taken.
 * Batches between the position and this one are counted as missing; only
 * weir_position_start() can have announced them. -EPROTO: the kernel's
 * sums differ from ours though nothing is missing; the difference is
 * counted as missing as far as it is positive.
 */
int weir_position_accept(struct weir_store_position *position,
			 const struct weir_kernel_event *batch,
			 const struct weir_totals *totals);
/* Records that sum up to @totals, of those accepted last, are not stored for lack of room. */
void weir_position_refuse(struct weir_store_position *position, const struct weir_totals *totals,
			  uint64_t now_ns);
/* All of them, of every instance. */
struct weir_totals weir_position_refused(const struct weir_store_position *position);
/* The instance is over: what it numbered beyond the position is missing. Returns how many batches. */
uint64_t weir_position_end(struct weir_store_position *position,
			   const struct weir_kernel_event *end);

#endif
