/* SPDX-License-Identifier: GPL-2.0 */
/*
 * keep.h - what a master keeps: for each stream (the segments of one store of one
 * node, named by node id and epoch) its place and sums, and the segments themselves.
 *
 * The place, the sums and the segment move in one transaction, so after a crash a
 * segment is either applied and counted or neither. The loop's thread writes;
 * query threads read.
 */
#ifndef WEIR_MASTER_KEEP_H
#define WEIR_MASTER_KEEP_H

#include <stdatomic.h>

#include "daemon/common/flow.h"

struct weir_keep;
struct weir_keep_txn;

enum {
	WEIR_KEEP_ID_BYTES = 16,
	WEIR_KEEP_HASH_BYTES = 32,
	WEIR_KEEP_NAME_BYTES = 64,
};

/* Also the form on disk, in host order like all of LMDB; it grows at the end. */
struct weir_keep_stream {
	uint32_t size;  /* of this struct, when it was written */
	uint32_t index; /* from 1 */
	uint8_t node_id[WEIR_KEEP_ID_BYTES];
	uint8_t epoch[WEIR_KEEP_ID_BYTES];
	uint8_t last_hash[WEIR_KEEP_HASH_BYTES];
	uint64_t last_seq;
	uint64_t segments; /* applied */
	uint64_t gaps;
	uint64_t missing_segments;
	struct weir_totals applied;    /* of the segments applied */
	struct weir_totals missing;    /* of those that were never here: exact, from cumulative */
	struct weir_totals cumulative; /* applied + missing: what the node claims at last_seq */
	uint64_t first_end_ns;
	uint64_t last_end_ns;
	uint64_t created_ns; /* our clock */
	uint64_t applied_ns; /* our clock, the last segment */
	char name[WEIR_KEEP_NAME_BYTES];
	char software[WEIR_KEEP_NAME_BYTES];
};

/* Opens or makes the folder. -EBUSY: another process has it. The reason is logged. */
int weir_keep_open(const char *dir, uint64_t min_free_bytes, struct weir_keep **keep);
void weir_keep_close(struct weir_keep *keep);
const uint8_t *weir_keep_master_id(const struct weir_keep *keep);

/* -ENOSPC: less than min_free_bytes are free. */
int weir_keep_begin(struct weir_keep *keep, struct weir_keep_txn **txn);
/* The stream as this transaction has it, to be changed in place. NULL: none. */
struct weir_keep_stream *weir_keep_find(struct weir_keep_txn *txn, const uint8_t *node_id,
					const uint8_t *epoch);
/* One that is not there yet. -EUSERS: there are as many as may be. */
int weir_keep_make(struct weir_keep_txn *txn, const uint8_t *node_id, const uint8_t *epoch,
		   struct weir_keep_stream **stream);
/* For tests: so many streams may be. */
void weir_keep_limit(struct weir_keep *keep, size_t streams_max);
/* Write @stream with its segment @stream->last_seq, covering [@start_ns, @end_ns). */
int weir_keep_put(struct weir_keep_txn *txn, struct weir_keep_stream *stream, uint64_t start_ns,
		  uint64_t end_ns, const void *body, size_t body_bytes);
/* Segment @seq as this transaction has it; *@body is valid until the next put. -ENOENT. */
int weir_keep_peek(struct weir_keep_txn *txn, uint32_t index, uint64_t seq, const void **body,
		   size_t *body_bytes);
/* Durable when it returns 0. Frees @txn in any case. */
int weir_keep_commit(struct weir_keep_txn *txn);
void weir_keep_abort(struct weir_keep_txn *txn);

/* The streams as of the last commit, in order of their index; *@streams is malloc'ed. Any thread. */
int weir_keep_streams(struct weir_keep *keep, struct weir_keep_stream **streams, size_t *count);
/* One of them. -ENOENT. */
int weir_keep_stream(struct weir_keep *keep, const uint8_t *node_id, const uint8_t *epoch,
		     struct weir_keep_stream *stream);
/* Segment @seq, malloc'ed. Any thread. -ENOENT. */
int weir_keep_segment(struct weir_keep *keep, uint32_t index, uint64_t seq, void **body,
		      size_t *body_bytes);
/**
 * weir_keep_scan - call @visit for the segments of stream @index whose interval overlaps
 * [@from_ns, @to_ns), in order. Non-zero from @visit stops and is the result.
 * @body is valid during the call. Any thread. -ECANCELED.
 */
typedef int weir_keep_visit(void *arg, uint64_t seq, const void *body, size_t body_bytes);
int weir_keep_scan(struct weir_keep *keep, uint32_t index, uint64_t from_ns, uint64_t to_ns,
		   const atomic_bool *cancel, weir_keep_visit *visit, void *arg);

#endif
