/* SPDX-License-Identifier: GPL-2.0 */
/*
 * repair.h - make a store open again, and its ledger say exactly what was lost.
 *
 * Good data is never changed. A damaged block is copied to damaged/ and taken out of its partition.
 * A partition whose pages are damaged is made anew in repair/ from what can still be read of it
 * (salvage.h), and then the two change places in one step, so that it is one of them
 * at every moment; the damaged one ends up in damaged/. What was stored in a
 * partition and is not there any more is noted in it: stored = expired + held + damaged.
 *
 * If the newest partition does not say how far the store was, the most recent trace of that counts:
 * a page that was replaced by a later commit, else the end of the partition before. What came
 * behind it the kernel still has, or it is counted as missing. Numbers of blocks go on above every
 * trace of one. Where a segment may have been sent to masters that is not there any more, the store
 * gets a new epoch, so that no number is given twice in one stream.
 */
#ifndef WEIR_STORE_REPAIR_H
#define WEIR_STORE_REPAIR_H

#include "daemon/store/check.h"
#include "daemon/store/salvage.h"

typedef void weir_repair_say(void *arg, const char *part, const char *sentence);

struct weir_repair_options {
	bool dry_run; /* only say what would be done */
	weir_repair_say *say;
	weir_check_segment *segment; /* may be NULL */
	/* Node id and epoch that a segment names. May be NULL. */
	bool (*identity)(void *arg, const void *body, size_t body_bytes,
			 struct weir_store_identity *identity);
	void *arg;
	const volatile bool *cancel; /* may be NULL */
};

struct weir_repair_result {
	unsigned parts; /* that were damaged and are repaired, or would be */
	unsigned beyond; /* that cannot be */
	uint64_t lost_blocks, lost_records, lost_segments;
	struct weir_totals damaged; /* that the ledger counts anew */
	bool new_epoch;
};

/* -EBUSY: a process writes to the store (logged with its pid). */
int weir_repair_store(const char *dir, const struct weir_repair_options *options,
		      struct weir_repair_result *result);

#endif
