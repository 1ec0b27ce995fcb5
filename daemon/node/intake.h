/* SPDX-License-Identifier: GPL-2.0 */
/*
 * intake.h - from batches to commits: the block being filled, the position it
 * leads to, and the interval it belongs to. Used by the ingest thread only.
 */
#ifndef WEIR_NODE_INTAKE_H
#define WEIR_NODE_INTAKE_H

#include "daemon/node/kernel.h"
#include "daemon/node/node.h"
#include "daemon/node/summary.h"

enum {
	/* No message holds more records than this: 128 KB of them. */
	WEIR_INTAKE_BATCH_MAX = 1024,
};

struct weir_intake {
	struct weir_node *node;
	struct weir_flow *flows; /* WEIR_STORE_BLOCK_RECORDS: the next block */
	size_t count;
	unsigned batches; /* taken since the last commit */
	bool dirty; /* position differs from the store's */
	uint64_t since_ns; /* monotonic: when it became dirty */
	struct weir_store_position position; /* with all that was taken */
	bool unsure; /* the last commit failed: it may be on the disk nevertheless */
	bool refuses; /* when the disk is full: records are summed up and not stored */
	uint64_t last_block; /* committed, as far as we know */
	struct weir_summary *summary;
	bool rebuilding; /* the summary lags behind the store */
	bool summary_stale; /* out of memory once: rebuild before use */
	uint64_t last_segment; /* committed, as far as we know */
	uint64_t start_ns; /* of the interval, since the epoch */
	uint64_t close_ns; /* monotonic: when the interval ends */
	/* When the last interval was closed, the module said that our instance is no more. */
	bool kernel_gone;
	bool sums_differ; /* reported */
};

/* Read where the store is, and rebuild the summary of what no segment covers. */
int weir_intake_open(struct weir_intake *intake, struct weir_node *node);
void weir_intake_close(struct weir_intake *intake);
/* Whether one more batch, however large, fits into the block. */
bool weir_intake_has_room(const struct weir_intake *intake);
/**
 * weir_intake_take - add the records of @batch and move the position behind it.
 * -EBADMSG: it makes no sense, nothing was taken. -EPROTO: taken, but the
 * kernel's sums differ from what came.
 */
int weir_intake_take(struct weir_intake *intake, const struct weir_kernel_event *batch);
/* The position was changed other than by a batch. */
void weir_intake_touch(struct weir_intake *intake);
/* Block and position in one transaction; or, if the disk is full and the configuration wants it, position
 * and a segment that sums up the records in the place of the block. After an error all is kept for
 * another try. */
int weir_intake_commit(struct weir_intake *intake);
/* When the interval is over and everything is committed: write its segment. */
int weir_intake_close_interval(struct weir_intake *intake);
/* Monotonic time by which to commit (UINT64_MAX: nothing to), or to close the interval. */
uint64_t weir_intake_commit_due(const struct weir_intake *intake);

#endif
