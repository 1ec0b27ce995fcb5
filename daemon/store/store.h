/* SPDX-License-Identifier: GPL-2.0 */
/*
 * store.h - what a node keeps: flow records, its place in the kernel's stream,
 * and the segments (interval summaries) that masters still need.
 *
 * A store is a folder. It holds one LMDB environment per partition (a span of
 * time) and one, "state", for what outlives partitions and may lag behind them
 * (identity, cursors of the masters). One transaction on the current partition
 * carries everything that must be true together: blocks of records, the
 * position in the stream, the ledger, segments. So after a crash the store
 * is as of some commit, and the position says which.
 *
 * One process writes (a lock file sees to that); any number of threads
 * and processes read. A txn belongs to the thread that began it. A
 * transaction object carries its first error: later calls on it do nothing and
 * return that error, so callers write straight-line code and check
 * weir_store_commit().
 *
 * All functions return 0 or a negative errno; -EBADMSG is a damaged or foreign file,
 * -ENOSPC a full disk or quota.
 */
#ifndef WEIR_STORE_STORE_H
#define WEIR_STORE_STORE_H

#include "daemon/common/flow.h"

struct weir_store;
struct weir_store_txn;

enum {
	WEIR_STORE_ID_BYTES = 16,
};

/* A file that tells a store of records from elsewhere from one of this machine's: daemon/exchange/import.h. */
#define WEIR_STORE_IMPORTS "imports"

struct weir_store_options {
	bool read_only; /* do not lock, do not create */
	bool imported; /* to write where WEIR_STORE_IMPORTS is; nobody else may */
	uint64_t max_bytes; /* address space of one partition; 0: 1 TiB, it is sparse */
	uint64_t min_free_bytes; /* weir_store_commit() refuses with -ENOSPC below that free space */
};

/* The node as this store knows it. Made at creation, never changed: a store
 * that was wiped gets another epoch, so that masters see a new stream. */
struct weir_store_identity {
	uint8_t node_id[WEIR_STORE_ID_BYTES];
	uint8_t epoch[WEIR_STORE_ID_BYTES];
};

/* How far the kernel's stream was read, and what was read since creation. */
struct weir_store_position {
	uint64_t instance; /* of the kernel module; 0: never attached */
	uint64_t seq; /* last batch committed of that instance */
	struct weir_totals numbered; /* what the kernel says batches 1..seq of it hold */
	struct weir_totals received; /* what was stored of that instance */
	struct weir_totals before; /* what was stored of all earlier instances */
	uint64_t missing_batches; /* known to be lost between kernel and store, ever */
	struct weir_totals missing; /* of this instance: what they held, as far as NUMBERED told */
	uint64_t instances; /* how many instances were seen */
	struct weir_totals refused; /* of this instance: summed up but not stored, for lack of room */
	struct weir_totals missing_before; /* of all earlier instances */
	uint64_t ended; /* 1: the instance said that it is over, and what it had numbered */
	uint64_t instances_unfinished; /* gave way to another without that word: nobody knows */
	struct weir_totals lost; /* what got no number, of all instances that ended */
	struct weir_totals refused_before; /* of all earlier instances */
	uint64_t refused_first_ns, refused_last_ns; /* when that was, first and last; 0: never */
};
enum {
	WEIR_STORE_BLOCK_RECORDS = 65536, /* in one block, at most */
};

/* How far the records were summed up into segments. */
struct weir_store_summed {
	uint64_t seq; /* last segment written; the first is 1 */
	uint64_t block; /* last block that a segment covers */
	uint64_t end_ns; /* end of the last segment's interval */
	struct weir_totals totals; /* sum of all segments 1..seq */
	uint8_t hash[32]; /* SHA-256 of segment seq; zero for seq 0 */
	uint64_t start_ns; /* of the last segment's interval; 0: not known */
};

/**
 * weir_store_open - open or create the store in folder @dir.
 * Open a store once in a process and share it between threads; LMDB forbids more.
 * Creates the folder (mode 0700) and a random identity when absent. -EBUSY:
 * another process has it open for writing. An explanation is logged.
 */
int weir_store_open(const char *dir, const struct weir_store_options *options,
		    struct weir_store **store);
void weir_store_close(struct weir_store *store);

const struct weir_store_identity *weir_store_identity(const struct weir_store *store);

/* The state as of the last commit (thread-safe). */
int weir_store_position(struct weir_store *store, struct weir_store_position *position);
int weir_store_summed(struct weir_store *store, struct weir_store_summed *summed);
/* Sum over every block stored, kept in the same transaction as the blocks, and
 * not reduced by retention: the store's side of the ledger. */
int weir_store_stored(struct weir_store *store, struct weir_totals *stored);

/* All of the above as of one commit: what an audit compares, so that a commit
 * between two calls does not look like a difference. */
struct weir_store_state {
	struct weir_store_position position;
	struct weir_store_summed summed;
	struct weir_totals stored;
	uint64_t last_block; /* number of the newest block, 0: none yet */
};
int weir_store_state(struct weir_store *store, struct weir_store_state *state);

/* Starts in the partition of the UTC day of @now_ns, or in the newest one there
 * is if that is later (the clock was set back). */
int weir_store_begin(struct weir_store *store, uint64_t now_ns, struct weir_store_txn **txn);
/* The same for what is written although less than min_free_bytes is free: that is the reserve for it. */
int weir_store_begin_reserved(struct weir_store *store, uint64_t now_ns,
			      struct weir_store_txn **txn);
/* Whether @bytes are free above min_free_bytes. */
bool weir_store_has_room(const struct weir_store *store, uint64_t bytes);
/* Append @count records as one block (1 .. 65536). They come back in another order. */
int weir_store_put_block(struct weir_store_txn *txn, const struct weir_flow *flows, size_t count);
int weir_store_put_position(struct weir_store_txn *txn, const struct weir_store_position *position);
/* Append segment @summed->seq with its encoded @body, and @summed itself. */
int weir_store_put_segment(struct weir_store_txn *txn, const struct weir_store_summed *summed,
			   const void *body, size_t body_bytes);
/* The number the next block of this transaction gets (blocks count from 1 for ever). */
uint64_t weir_store_next_block(const struct weir_store_txn *txn);
/* Durable when it returns 0. Frees @txn in any case. */
int weir_store_commit(struct weir_store_txn *txn);
void weir_store_abort(struct weir_store_txn *txn);

/**
 * weir_store_merge - rewrite adjacent small blocks that a segment covers as one larger block.
 *
 * By the writer, between its own transactions; bounded: it takes no longer than
 * storing a full block. The merged block has the highest of the numbers it replaces. Sums and positions
 * stay as they are, and plans made before go on to see what they name (docs/store.md).
 * Returns 1: there may be more to do; 0: not now; or a negative errno, with nothing changed.
 */
int weir_store_merge(struct weir_store *store, uint64_t now_ns);
/* Between these no block is merged: for who compares numbers of blocks read at two moments. */
void weir_store_merge_pause(struct weir_store *store);
void weir_store_merge_resume(struct weir_store *store);

/* Segment @seq, malloc'ed into *@body. -ENOENT: not written yet, or dropped. */
int weir_store_get_segment(struct weir_store *store, uint64_t seq, void **body, size_t *body_bytes);
/* Segments 1..@through are beyond what is kept: gone at once for
 * every reader, their space is reused by later commits. */
int weir_store_drop_segments(struct weir_store *store, uint64_t through);
/* The first segment held from @from on, 0 when none is. */
int weir_store_next_segment(struct weir_store *store, uint64_t from, uint64_t *seq);
/* Oldest segment held, 0 when none is. */
int weir_store_oldest_segment(struct weir_store *store, uint64_t *seq);

/* What is kept of the raw records. Whole partitions go, the oldest first; the newest stays. */
struct weir_store_quota {
	uint64_t keep_ns; /* no record younger than this goes for its age; 0: age does not matter */
	uint64_t keep_bytes; /* of all partitions on the disk; 0: no bound */
	/* What else must be so before records and segments go: they are summed up elsewhere, and
	 * nobody waits for them. */
	uint64_t release_block, release_segment;
};
/* In force with the next commit: partitions are ended often enough for @quota to work in
 * small steps. Any thread. */
void weir_store_set_quota(struct weir_store *store, const struct weir_store_quota *quota);

struct weir_store_retained {
	unsigned removed; /* partitions */
	bool waiting; /* one more is due, but is not released */
};
/* Remove what is beyond @quota now. Any thread of the writer's process. Readers of what goes are not
 * disturbed: they read to the end of the block, and are then told -ESTALE. */
int weir_store_retain(struct weir_store *store, const struct weir_store_quota *quota,
		      uint64_t now_ns, struct weir_store_retained *retained);

/* What @now_ns is when ages are told. A clock that jumps ahead by more than a day, while the node
 * runs or was off, is believed a day later: until then time goes on from before the jump, so that a wrong
 * clock does not make everything old. */
uint64_t weir_store_age_clock(struct weir_store *store, uint64_t now_ns);

/* What retention took away since creation: stored = held + expired, and blocks 1..last_block
 * are those that are gone. u64s, on disk in this order. */
struct weir_store_expired {
	struct weir_totals totals;
	uint64_t last_block;
	uint64_t max_ns; /* latest end of a record that is gone */
	uint64_t last_segment;
	uint64_t partitions;
};
int weir_store_expired(struct weir_store *store, struct weir_store_expired *expired);
/* What weir store repair found lost of partitions that end behind block @after: stored = held + expired
 * + damaged. */
int weir_store_damaged(struct weir_store *store, uint64_t after, struct weir_totals *damaged);
/* The number of the last block up to the end of each partition, oldest first, malloc'ed (never NULL).
 * A partition that is damaged ends where the one before it does. */
int weir_store_ends(struct weir_store *store, uint64_t **blocks, unsigned *count);
/* Whether no block that is held has records of blocks up to @block and of later ones (merging makes
 * such). While merging is paused. */
int weir_store_is_block_end(struct weir_store *store, uint64_t block, bool *is_end);

/* The names of mounted backups, as "a, b"; "" without any. Returns @text. */
const char *weir_store_mounts(struct weir_store *store, char *text, size_t text_bytes);

/* The last segment that master @name acknowledged; 0 for an unknown one. */
int weir_store_get_cursor(struct weir_store *store, const char *name, uint64_t *seq);
int weir_store_put_cursor(struct weir_store *store, const char *name, uint64_t seq);

/**
 * weir_store_scan - call @visit for every block that may hold a flow which was
 * alive in [@from_ns, @to_ns), oldest first, or newest first with @backward.
 *
 * @visit gets the records decoded, valid during the call; what is outside the
 * time is not filtered out. It stops the scan by returning non-zero, which
 * becomes the result. A damaged block is skipped and counted in *@damaged
 * (may be NULL), and named in the log. @from_ns 0 and @to_ns UINT64_MAX mean everything.
 * The scan sees the store as of the moment it reaches each partition.
 */
typedef int weir_store_visit(void *arg, uint64_t block, const struct weir_flow *flows, size_t count);
int weir_store_scan(struct weir_store *store, uint64_t from_ns, uint64_t to_ns, bool backward,
		    weir_store_visit *visit, void *arg, uint64_t *damaged);
/* The same for blocks numbered above @after, by number, regardless of time. */
int weir_store_scan_after(struct weir_store *store, uint64_t after, weir_store_visit *visit,
			  void *arg);

struct weir_store_figures {
	uint64_t blocks;
	uint64_t records;
	uint64_t disk_bytes; /* of partitions */
	uint64_t rollup_bytes; /* on the disk; what is in use of it is in weir_rollup_sums */
	uint64_t free_bytes; /* of the file system */
	uint64_t oldest_ns, newest_ns; /* of the records held */
	uint64_t segments; /* held for masters */
	unsigned partitions;
};
int weir_store_figures(struct weir_store *store, struct weir_store_figures *figures);

#endif
