/* SPDX-License-Identifier: GPL-2.0 */
/*
 * lmdb.h - the part of LMDB the store uses (lmdb.c is the only file that speaks it).
 *
 * An environment has a fixed list of named databases, addressed by their place
 * in that list. A transaction keeps its first error: later calls on it do
 * nothing and return it again, so straight-line code needs one check, at commit.
 * -ENOENT (no such key) is an answer, not an error, and does not stick.
 */
#ifndef WEIR_STORE_LMDB_H
#define WEIR_STORE_LMDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct weir_lmdb;
typedef struct MDB_txn MDB_txn;

enum {
	WEIR_LMDB_DBS_MAX = 4,
};

struct weir_lmdb_options {
	const char *const *dbs; /* names, ends with NULL */
	bool read_only;
	bool create; /* the databases, if they are not there */
	bool immutable; /* with read_only: nobody writes to it, ever; no lock file is needed */
	uint64_t map_bytes; /* 0: what the file says; 1: no more than it uses */
};

struct weir_lmdb_txn {
	struct weir_lmdb *lmdb;
	MDB_txn *txn; /* NULL: not begun, or ended */
	int error; /* the first one, 0: none */
};

/* Valid until the transaction ends; not aligned. */
struct weir_lmdb_value {
	const void *data;
	size_t bytes;
};

/* @path is a folder that exists. -EBADMSG: not an LMDB environment, or damaged. */
int weir_lmdb_open(const char *path, const struct weir_lmdb_options *options,
		   struct weir_lmdb **lmdb);
void weir_lmdb_close(struct weir_lmdb *lmdb);
/* Give back address space a partition no longer needs. No transaction of this
 * process may be open on @lmdb. After an error it is not mapped: close it. */
int weir_lmdb_shrink(struct weir_lmdb *lmdb);

/* Write a compact copy to folder @path, which is empty. Not durable. */
int weir_lmdb_copy(struct weir_lmdb *lmdb, const char *path);

/* Bytes of the file that are or were in use, as of the last commit. */
uint64_t weir_lmdb_bytes(struct weir_lmdb *lmdb);

/* Also returns the error kept in @txn, if it fails. -ENOTRECOVERABLE: an
 * earlier commit failed while it wrote LMDB's own root; close and open again. */
int weir_lmdb_begin(struct weir_lmdb *lmdb, bool write, struct weir_lmdb_txn *txn);
/* Durable when it returns 0; ended in any case. */
int weir_lmdb_commit(struct weir_lmdb_txn *txn);
void weir_lmdb_abort(struct weir_lmdb_txn *txn);

/* Number of the transaction that a reader sees. */
uint64_t weir_lmdb_transaction(struct weir_lmdb_txn *txn);

int weir_lmdb_get(struct weir_lmdb_txn *txn, unsigned db, const char *key,
		  struct weir_lmdb_value *value);
int weir_lmdb_put(struct weir_lmdb_txn *txn, unsigned db, const char *key, const void *data,
		  size_t bytes);

/* Keys that are numbers: big endian, so LMDB keeps them in order. */
int weir_lmdb_get_number(struct weir_lmdb_txn *txn, unsigned db, uint64_t key,
			 struct weir_lmdb_value *value);
int weir_lmdb_put_number(struct weir_lmdb_txn *txn, unsigned db, uint64_t key, const void *data,
			 size_t bytes);
/* Make room for a value above all others and return it to be filled in before
 * the next call; NULL with the error kept. */
void *weir_lmdb_append_number(struct weir_lmdb_txn *txn, unsigned db, uint64_t key, size_t bytes);
int weir_lmdb_delete_number(struct weir_lmdb_txn *txn, unsigned db, uint64_t key);
/* The first key >= @from, or with @backward the last one <= @from. @value may be NULL. */
int weir_lmdb_seek_number(struct weir_lmdb_txn *txn, unsigned db, uint64_t from, bool backward,
			  uint64_t *key, struct weir_lmdb_value *value);
int weir_lmdb_entries(struct weir_lmdb_txn *txn, unsigned db, uint64_t *count);

#endif
