/* SPDX-License-Identifier: GPL-2.0 */
/*
 * rollup.h - sums of minutes, hours and days that outlive the records.
 *
 * They are in an environment of their own, "rollups". A level is a list without gaps: each entry
 * covers the segments behind those of the one before, so its key is its last segment, and
 * what a level has taken in is one number, moved in the transaction that adds the
 * entry: whatever is killed when, no segment is in a level twice, or left out. Entries are
 * never changed. If the clock is set back, two entries may be of the same minute.
 *
 * What an entry says is the caller's (daemon/node/rollup.c); its head is read without that.
 * One thread of the writer's process writes; any number read.
 */
#ifndef WEIR_STORE_ROLLUP_H
#define WEIR_STORE_ROLLUP_H

#include "daemon/store/store.h"

enum weir_rollup_level {
	WEIR_ROLLUP_MINUTE,
	WEIR_ROLLUP_HOUR,
	WEIR_ROLLUP_DAY,
	WEIR_ROLLUP_LEVELS,
};

/* On disk as u64s in this order; grows at the end. */
struct weir_rollup_head {
	uint64_t start_ns, end_ns; /* [start, end): when the records reached the store */
	uint64_t first_segment, last_segment;
	uint64_t first_block, last_block; /* covered; last < first: none */
	struct weir_totals totals;
	struct weir_totals cumulative; /* of segments 1..last_segment */
};

/* Of one level. On disk as u64s in this order; grows at the end.
 * held + expired + skipped = cumulative of segment `segment`. */
struct weir_rollup_sums {
	uint64_t segment, block; /* the last ones taken in */
	uint64_t entries, bytes; /* held */
	struct weir_totals held;
	struct weir_totals expired; /* removed by retention */
	struct weir_totals skipped; /* segments that were gone before they could be taken in */
	uint64_t expired_ns; /* end of the latest entry removed; 0: none was */
};

/* "minute", "hour", "day" */
extern const char *const weir_rollup_words[WEIR_ROLLUP_LEVELS];
/* How long it is. */
extern const uint64_t weir_rollup_ns[WEIR_ROLLUP_LEVELS];

/* False: they could not be opened (logged), nothing else works. */
bool weir_rollup_is_open(const struct weir_store *store);
int weir_rollup_sums(struct weir_store *store, enum weir_rollup_level level,
		     struct weir_rollup_sums *sums);
/* Add an entry. -EEXIST: it covers a segment that was taken in before. */
int weir_rollup_put(struct weir_store *store, enum weir_rollup_level level,
		    const struct weir_rollup_head *head, const void *body, size_t body_bytes);
/* Heads of all entries that end with a segment above @after, oldest first, malloc'ed (never NULL).
 * A damaged one is named in the log and left out. */
int weir_rollup_heads(struct weir_store *store, enum weir_rollup_level level, uint64_t after,
		      struct weir_rollup_head **heads, size_t *count);
/* The entry that ends with segment @segment; *@body is malloc'ed. -ENOENT: none, or it is expired.
 * -EBADMSG: damaged (logged). */
int weir_rollup_get(struct weir_store *store, enum weir_rollup_level level, uint64_t segment,
		    struct weir_rollup_head *head, void **body, size_t *body_bytes);
/* Remove the oldest entries while they are older than @keep_ns, or all take more than @keep_bytes
 * (0: no bound), but the newest, and those that the next level has not taken in. */
int weir_rollup_retain(struct weir_store *store, enum weir_rollup_level level, uint64_t keep_ns,
		       uint64_t keep_bytes, uint64_t now_ns, unsigned *removed);

#endif
