/* SPDX-License-Identifier: GPL-2.0 */
/*
 * summary.h - exact sums of what was stored since the last segment.
 *
 * It follows the store: a block is added after its commit, and a segment covers
 * the blocks added since the one before. So a commit that fails needs nothing undone,
 * and after a crash the blocks behind the last segment rebuild it.
 */
#ifndef WEIR_NODE_SUMMARY_H
#define WEIR_NODE_SUMMARY_H

#include "daemon/node/kernel.h"
#include "daemon/store/store.h"

struct weir_summary;

enum {
	/* Groups in one dimension before the interval is closed early: an empty
	 * summary has room for a block of flows with two hosts each, four times over.
	 * Costs 42 MB for the widest dimension when full. */
	WEIR_SUMMARY_GROUPS = 8 * WEIR_STORE_BLOCK_RECORDS,
};

int weir_summary_new(size_t max_groups, struct weir_summary **summary);
void weir_summary_free(struct weir_summary *summary);
/* Whether @count more flows are sure to find room. */
bool weir_summary_fits(const struct weir_summary *summary, size_t count);
/* Add block @block, or records that are in none (0); the caller knows that it fits. -ENOMEM leaves the summary
 * inexact: clear it and rebuild. */
int weir_summary_add(struct weir_summary *summary, uint64_t block, const struct weir_flow *flows,
		     size_t count);
/* Totals of the blocks added. */
const struct weir_totals *weir_summary_totals(const struct weir_summary *summary);
/* Start over, with nothing in it. */
void weir_summary_clear(struct weir_summary *summary);

/* What goes into a segment besides the sums. */
struct weir_summary_frame {
	const struct weir_store_identity *identity;
	const char *name; /* of the node */
	const struct weir_store_state *state; /* as of the last commit */
	const struct weir_kernel_stats *kernel; /* NULL: it did not answer */
	uint64_t start_ns, end_ns;
	uint64_t top; /* keys per dimension */
};

/**
 * weir_summary_encode - the next segment, in the form it has on the wire.
 * *@body is malloc'ed; *@next is what to store with it: the sequence number, what it
 * covers, the sum of all, and its SHA-256, which the one after will carry.
 */
int weir_summary_encode(const struct weir_summary *summary,
			const struct weir_summary_frame *frame, uint8_t **body, size_t *body_bytes,
			struct weir_store_summed *next);

#endif
