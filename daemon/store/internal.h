/* SPDX-License-Identifier: GPL-2.0 */
/*
 * internal.h - what the files of the store share.
 *
 * Concurrency
 *
 * `lock` is a mutex held for moments: it guards the list of partitions and, in each,
 * everything but what LMDB guards itself. A reader takes a partition with
 * weir_partition_hold(), which opens it if need be, begins and ends its transactions, and lets
 * go with weir_partition_release(). From hold to release the environment is neither closed nor
 * remapped; removal takes the partition out of the list (a later hold of its id gives
 * -ESTALE) and its folder from the disk, and the last release closes it: until then
 * readers have all of it.
 *
 * - A thread holds one partition at a time, and calls nothing else of the store between hold and
 *   release: who ends a day or repairs an environment waits for the readers of that partition,
 *   with new ones waiting behind (weir_partition_drain()). So hold it for a block, not for a query.
 * - Ids are of this process, grow along the list, and are never given twice.
 * - Only the writer's thread adds partitions, and the newest is never removed: so that thread
 *   needs the lock to find the newest, and none for its write transaction. Any one thread at a time of
 *   the same process removes (`changes` sees to that), the oldest first.
 * - A read-only process follows what it finds in the folder (weir_partition_refresh()).
 */
#ifndef WEIR_STORE_INTERNAL_H
#define WEIR_STORE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "daemon/store/lmdb.h"
#include "daemon/store/replaced.h"
#include "daemon/store/store.h"

enum {
	/* Of folders and what is in them; a block has its own. docs/store.md */
	WEIR_STORE_FORMAT = 2,
	WEIR_STORE_PARTITION_NAME = 14, /* "20261123", "20261123.0001" */
	WEIR_PARTITION_MOUNT = 48,
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
	uint32_t id;
	struct weir_lmdb *lmdb; /* NULL: damaged, or not open now */
	unsigned refs; /* how many hold it */
	bool damaged; /* passed over */
	bool draining; /* about to be closed or remapped: wait with holding it */
	bool gone; /* not in the list any more: the last one to release it frees it */
	/* Of one of a backup, mount.h. */
	char mount[WEIR_PARTITION_MOUNT]; /* "": it is the store's own */
	bool seen;
	uint64_t first_block, last_block;
	uint8_t node_id[WEIR_STORE_ID_BYTES];
};

struct weir_store {
	char *dir;
	struct weir_store_options options;
	struct weir_store_identity identity;
	int lock_fd; /* flock'ed; -1: read only */
	struct weir_lmdb *state;
	struct weir_block_writer *block_writer; /* of the writing thread; NULL: not needed yet */
	struct weir_lmdb *rollups; /* NULL: not there, or damaged */
	_Atomic uint64_t dropped; /* segments 1..dropped are gone */
	struct weir_replaced *replaced; /* what plans that are alive may still ask for */
	struct weir_store_merge *merge; /* the writer's; NULL: read only */
	pthread_mutex_t lock;
	pthread_cond_t released; /* a partition that drains has no reader left, or is done */
	struct weir_partition **partitions; /* oldest first; under lock */
	unsigned partition_count;
	uint32_t last_id;
	struct weir_partition **mounted; /* of backups; under lock */
	unsigned mounted_count;
	uint32_t last_mount; /* id given last */
	uint64_t mounts_changed_ns; /* the folder, when it was looked at; under lock */
	unsigned open_count, open_max; /* partitions that are open, and may be */
	unsigned victim; /* where to look for the next one to close */
	uint64_t begun_ns; /* of the partition being made; the writer's */
	pthread_mutex_t changes; /* to the list, other than the writer's; taken before lock */
	_Atomic uint64_t cut_bytes, cut_ns; /* end a partition this large, this old; 0: never */
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

/* txn.c: the one write transaction. */
struct weir_store_txn {
	struct weir_store *store;
	struct weir_lmdb_txn lmdb;
	struct weir_store_state state;
	struct weir_meta_held held;
	uint64_t bytes; /* what the commit will write, roughly */
	bool reserved; /* may take what is kept free */
};

/* meta.c: structs made of u64s, little endian on disk, may grow at the end. */
int weir_meta_put(struct weir_lmdb_txn *txn, unsigned db, const char *key, const void *u64s,
		  size_t bytes);
int weir_meta_get(struct weir_lmdb_txn *txn, unsigned db, const char *key, void *u64s,
		  size_t bytes);
void weir_meta_encode(const void *u64s, size_t bytes, void *to);
void weir_meta_decode(const void *from, size_t from_bytes, void *u64s, size_t bytes);
int weir_meta_put_state(struct weir_lmdb_txn *txn, const struct weir_store_state *state);
/* -EBADMSG: something is missing, or not what was written. */
int weir_meta_get_state(struct weir_lmdb_txn *txn, struct weir_store_state *state);
/* Of one of its keys. -ENOENT: @key is none of them. */
int weir_meta_decode_state(const char *key, const void *data, size_t bytes,
			   struct weir_store_state *state);
/* The sum of a state, value after value: position (@before is 0), stored, summed. Nothing else tells a wrong position
 * from a right one. It is over what is on the disk, which an earlier or a later version wrote. */
uint64_t weir_meta_sum_value(uint64_t before, const void *value, size_t bytes);
int weir_meta_put_format(struct weir_lmdb_txn *txn, unsigned db);
/* If what is there says an earlier one. */
int weir_meta_raise_format(struct weir_lmdb_txn *txn, unsigned db);
/* -ENOTSUP: @path was written by a later version (logged). */
int weir_meta_check_format(struct weir_lmdb_txn *txn, unsigned db, const char *path);

/* trust.c: whether LMDB may read the environment in folder @path. -EBADMSG: no (logged). */
int weir_trust(const char *path);

/* state.c: the environment "state". */
int weir_state_open(struct weir_store *store);

/* merge.c */
int weir_store_merge_new(struct weir_store_merge **merge);
void weir_store_merge_free(struct weir_store_merge *merge);

/* What retention took away, ever, and the name of the partition of which it did so last: the
 * same transaction says both, and after a crash the folder of that name still goes. */
int weir_state_get_expired(struct weir_store *store, struct weir_store_expired *expired);
int weir_state_put_expired(struct weir_store *store, const struct weir_store_expired *expired,
			   const char *name);
int weir_state_removed(struct weir_store *store); /* that folder is gone */
/* malloc'ed into *@name; NULL: none */
int weir_state_get_removing(struct weir_store *store, char **name);

/* retention.c: at open, before partitions are taken in. */
int weir_retention_finish(struct weir_store *store);

/* ages.c: @end_ns, the end of the records of partition @id, or if that is to come, when what was stored
 * behind it began. */
uint64_t weir_ages_end(struct weir_store *store, uint32_t id, uint64_t end_ns, uint64_t now_ns);

/* rollup.c: make or open its environment. */
int weir_rollup_open(struct weir_store *store);

/* folder.c */
char *weir_folder_path(const char *dir, const char *name); /* malloc'ed */
int weir_folder_sync(const char *path);
/* That @path itself is there is durable when this returns 0. */
int weir_folder_sync_parent(const char *path);
/* Remove a flat folder, as far as that goes. */
void weir_folder_discard(const char *path);
/* Make folder @dir/@name complete or not at all: @fill works in "@name.new". */
typedef int weir_folder_fill(struct weir_store *store, const char *path);
int weir_folder_create(struct weir_store *store, const char *name, weir_folder_fill *fill);
/* Take folder @dir/@name away at once, and then its files: a crash in between is finished by
 * weir_folder_clean(). -ENOENT: it is not there. */
int weir_folder_remove(const char *dir, const char *name);
/* Remove what a crash left of folders being made or removed. */
void weir_folder_clean(const char *dir);

/* partition.c */
extern const char *const weir_partition_dbs[];
int weir_partition_load(struct weir_store *store); /* at open */
void weir_partition_unload(struct weir_store *store);
/* Ids of all partitions, oldest first, malloc'ed (never NULL). */
int weir_partition_ids(struct weir_store *store, uint32_t **ids, unsigned *count);
/* Partition @id, open until it is released. -ESTALE: it was removed. -EBADMSG: it is damaged.
 * The rules are above. */
int weir_partition_hold(struct weir_store *store, uint32_t id, struct weir_partition **partition);
/* -ENOENT: there is none yet. */
int weir_partition_hold_newest(struct weir_store *store, struct weir_partition **partition);
void weir_partition_release(struct weir_store *store, struct weir_partition *partition);
/* Close and open again after LMDB gave up on an environment. The caller does not hold it. */
int weir_partition_reopen(struct weir_store *store, struct weir_partition *partition);
int weir_partition_open(struct weir_store *store, const char *name, bool newest,
			struct weir_lmdb **lmdb);
/* What follows is under lock. */
int weir_partition_append(struct weir_store *store, const char *name, struct weir_lmdb *lmdb);
/* It is in no list: freed when nobody holds it. */
void weir_partition_drop(struct weir_store *store, struct weir_partition *partition);
/* Out of the list; freed when nobody holds it. */
void weir_partition_forget(struct weir_store *store, unsigned index);
/* Wait until nobody holds it, and let nobody take it until drained. The lock is given up meanwhile. */
void weir_partition_drain(struct weir_store *store, struct weir_partition *partition);
void weir_partition_drained(struct weir_store *store, struct weir_partition *partition);
void weir_partition_make_room(struct weir_store *store);
void weir_partition_open_older(struct weir_store *store);

/* read.c: what its files take on the disk. */
uint64_t weir_partition_disk_bytes(const struct weir_store *store, const char *name);

/* rollup.c, for what looks at stores that are not open. */
extern const char *const weir_rollup_dbs[]; /* meta, then one for each level */
struct weir_rollup_head;
struct weir_rollup_sums;
int weir_rollup_sums_in(struct weir_lmdb_txn *txn, unsigned level, struct weir_rollup_sums *sums);
/* The first entry behind segment @after, and whether it is what was put: -EBADMSG, with *@segment. */
int weir_rollup_next_in(struct weir_lmdb_txn *txn, unsigned level, uint64_t after,
			uint64_t *segment, struct weir_rollup_head *head);

/* newest.c */
bool weir_newest_is_name(const char *name);
/* Take in every folder later than the newest known; in a read-only process, forget those that the
 * writer removed. Under lock. */
int weir_newest_take_in(struct weir_store *store);
/* In a read-only process: follow what the writer made and removed since. */
int weir_partition_refresh(struct weir_store *store);
/* The newest partition, made first if @now_ns is on a later day, or retention wants the next
 * piece. Writer only. */
int weir_partition_current(struct weir_store *store, uint64_t now_ns,
			   struct weir_partition **partition);

#endif
