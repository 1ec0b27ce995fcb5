/* SPDX-License-Identifier: GPL-2.0 */
/*
 * internal.h - what the files of the store share.
 *
 * Concurrency: `lock` guards the list of partitions and each partition's map. A
 * reader holds it shared for one short read transaction; whoever adds a partition
 * or shrinks a map (the writer, or a read-only process that finds a new one) holds
 * it alone. Older partitions are opened when they are read and closed when
 * descriptors run short, by whoever holds the lock alone. The write transaction
 * itself needs no lock: only the writer changes the list. Writers are preferred,
 * or endless queries would keep the day from changing.
 */
#ifndef WEIR_STORE_INTERNAL_H
#define WEIR_STORE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "daemon/store/lmdb.h"
#include "daemon/store/store.h"

enum {
	/* Of folders and what is in them; a block has its own. docs/store.md */
	WEIR_STORE_FORMAT = 1,
	WEIR_STORE_PARTITION_NAME = 9, /* "20261123" */
};

struct weir_block_writer;

enum weir_partition_db {
	WEIR_DB_META,
	WEIR_DB_BLOCKS, /* number -> block */
	WEIR_DB_TIMES, /* number -> struct weir_meta_times */
	WEIR_DB_SEGMENTS, /* seq -> body */
};

struct weir_partition {
	char name[WEIR_STORE_PARTITION_NAME];
	struct weir_lmdb *lmdb; /* NULL: damaged, or not open now */
	bool damaged; /* passed over */
};

struct weir_store {
	char *dir;
	struct weir_store_options options;
	struct weir_store_identity identity;
	int lock_fd; /* flock'ed; -1: read only */
	struct weir_lmdb *state;
	struct weir_block_writer *block_writer; /* of the writing thread; NULL: not needed yet */
	_Atomic uint64_t dropped; /* segments 1..dropped are gone */
	pthread_rwlock_t lock;
	struct weir_partition *partitions; /* oldest first; under lock */
	unsigned partition_count;
	unsigned open_count, open_max; /* partitions that are open, and may be */
	unsigned victim; /* where to look for the next one to close */
};

/* What one partition holds, kept by its transactions. On disk as u64s in this order. */
struct weir_meta_held {
	uint64_t blocks, records, min_ns, max_ns;
};

/* Where the partition began: the end of the one before. On disk as u64s in this order; absent in
 * partitions that older versions made. */
struct weir_meta_base {
	uint64_t begun_ns; /* by the clock */
	uint64_t last_block, segment; /* the last ones before it */
	struct weir_totals stored; /* before it */
};

/* What was stored in the partition and could not be read any more when it was repaired. On disk as
 * u64s in this order; absent: nothing. */
struct weir_meta_damaged {
	uint64_t blocks; /* that its index still named */
	struct weir_totals totals;
};

/* Of one block. On disk as u64s in this order. */
struct weir_meta_times {
	uint64_t min_ns, max_ns, records;
};

/* meta.c: structs made of u64s, little endian on disk, may grow at the end. */
int weir_meta_put(struct weir_lmdb_txn *txn, unsigned db, const char *key, const void *u64s,
		  size_t bytes);
int weir_meta_get(struct weir_lmdb_txn *txn, unsigned db, const char *key, void *u64s,
		  size_t bytes);
void weir_meta_encode(const void *u64s, size_t bytes, void *to);
void weir_meta_decode(const void *from, size_t from_bytes, void *u64s, size_t bytes);
int weir_meta_put_state(struct weir_lmdb_txn *txn, const struct weir_store_state *state);
int weir_meta_get_state(struct weir_lmdb_txn *txn, struct weir_store_state *state);
int weir_meta_put_format(struct weir_lmdb_txn *txn, unsigned db);
/* -ENOTSUP: @path was written by a later version (logged). */
int weir_meta_check_format(struct weir_lmdb_txn *txn, unsigned db, const char *path);

/* state.c: the environment "state". */
int weir_state_open(struct weir_store *store);

/* folder.c */
char *weir_folder_path(const char *dir, const char *name); /* malloc'ed */
int weir_folder_sync(const char *path);
/* Make folder @dir/@name complete or not at all: @fill works in "@name.new". */
typedef int weir_folder_fill(struct weir_store *store, const char *path);
int weir_folder_create(struct weir_store *store, const char *name, weir_folder_fill *fill);
/* Remove what a crash left of folders being made. */
void weir_folder_clean(const char *dir);

bool weir_newest_is_name(const char *name);
extern const char *const weir_partition_dbs[];
/* partition.c */
int weir_partition_load(struct weir_store *store); /* at open */
void weir_partition_unload(struct weir_store *store);
/* Take the lock shared, with partition @index open. -EBADMSG: it is damaged. After an
 * error the lock is not held. */
int weir_partition_hold(struct weir_store *store, unsigned index, struct weir_lmdb **lmdb);
/* In a read-only process: take in partitions that the writer made since. */
int weir_partition_refresh(struct weir_store *store);
/* The newest partition, made first if @now_ns is on a later day. Writer only. */
int weir_partition_current(struct weir_store *store, uint64_t now_ns,
			   struct weir_partition **partition);
/* Close and open again after LMDB gave up on an environment. */
int weir_partition_reopen(struct weir_store *store, struct weir_partition *partition);

#endif
