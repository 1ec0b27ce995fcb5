// SPDX-License-Identifier: GPL-2.0
/*
 * lmdb.c - LMDB behind negative errnos and transactions that keep their error.
 *
 * Readers use MDB_NOTLS, so a read transaction belongs to its object and not to
 * a thread. Commits are synchronous (no MDB_NOSYNC of any kind): what the
 * kernel is told to forget must be on the disk. The map is far larger than any
 * partition, as a map that is too small stops the writer, and a file mapping
 * costs address space only.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/store/lmdb.h"

enum {
	FILE_MODE = 0600,
	/* One slot for each read transaction open at a time, over all processes;
	 * ours last milliseconds. A slot is 64 bytes. */
	READERS_MAX = 512,
	/* Of lock.mdb: the slots and some state before them. LMDB takes a larger
	 * file as it is, with more slots. */
	LOCK_BYTES = (READERS_MAX + 16) * 64,
};

struct weir_lmdb {
	MDB_env *env;
	MDB_dbi dbi[WEIR_LMDB_DBS_MAX];
};

static int to_errno(int rc)
{
	if (rc == MDB_SUCCESS)
		return 0;
	switch (rc) {
	case MDB_NOTFOUND:
		return -ENOENT;
	case MDB_KEYEXIST:
		return -EEXIST;
	case MDB_MAP_FULL:
	case MDB_TXN_FULL:
		return -ENOSPC;
	case MDB_READERS_FULL:
		return -EAGAIN;
	case MDB_PANIC:
		return -ENOTRECOVERABLE;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
	case MDB_INCOMPATIBLE:
		return -EBADMSG;
	case MDB_BAD_TXN:
	case MDB_BAD_RSLOT:
	case MDB_BAD_VALSIZE:
	case MDB_BAD_DBI:
	case MDB_CURSOR_FULL:
	case MDB_PAGE_FULL:
	case MDB_DBS_FULL:
	case MDB_TLS_FULL:
		return -EINVAL;
	default:
		return rc > 0 ? -rc : -EIO;
	}
}

/* Keep the first error; "no such key" is an answer. */
static int note(struct weir_lmdb_txn *txn, int rc)
{
	int ret = to_errno(rc);

	if (ret && ret != -ENOENT && !txn->error)
		txn->error = ret;
	return ret;
}

static int open_dbs(struct weir_lmdb *lmdb, const struct weir_lmdb_options *options)
{
	bool create = options->create && !options->read_only;
	MDB_txn *txn;
	int rc = mdb_txn_begin(lmdb->env, NULL, create ? 0 : MDB_RDONLY, &txn);

	if (rc)
		return to_errno(rc);
	for (unsigned i = 0; options->dbs[i] && !rc; i++)
		rc = mdb_dbi_open(txn, options->dbs[i], create ? MDB_CREATE : 0, &lmdb->dbi[i]);
	if (rc) {
		mdb_txn_abort(txn);
		return rc == MDB_NOTFOUND ? -EBADMSG : to_errno(rc);
	}
	return to_errno(mdb_txn_commit(txn));
}

/* LMDB writes lock.mdb through a map. Were it sparse, a full disk would be a SIGBUS
 * instead of an error, so give it its blocks before. (Closing a descriptor of it
 * while LMDB has it open would drop LMDB's locks; this comes first.) */
static int fill_lock_file(const char *path)
{
	char *name;
	int fd, ret;

	if (asprintf(&name, "%s/lock.mdb", path) < 0)
		return -ENOMEM;
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
	free(name);
	if (fd < 0)
		return -errno;
	ret = -posix_fallocate(fd, 0, LOCK_BYTES);
	close(fd);
	return ret;
}

int weir_lmdb_open(const char *path, const struct weir_lmdb_options *options,
		   struct weir_lmdb **lmdb)
{
	struct weir_lmdb *new = calloc(1, sizeof(*new));
	int ret;

	if (!new)
		return -ENOMEM;
	ret = to_errno(mdb_env_create(&new->env));
	if (ret) {
		free(new);
		return ret;
	}
	ret = options->read_only ? 0 : fill_lock_file(path);
	if (!ret)
		ret = to_errno(mdb_env_set_maxdbs(new->env, WEIR_LMDB_DBS_MAX));
	if (!ret)
		ret = to_errno(mdb_env_set_maxreaders(new->env, READERS_MAX));
	if (!ret && options->map_bytes)
		ret = to_errno(mdb_env_set_mapsize(new->env, options->map_bytes));
	if (!ret)
		ret = to_errno(mdb_env_open(new->env, path,
					    MDB_NOTLS | (options->read_only ? MDB_RDONLY : 0) |
						    (options->immutable ? MDB_NOLOCK : 0),
					    FILE_MODE));
	if (!ret)
		ret = open_dbs(new, options);
	if (ret) {
		weir_lmdb_close(new);
		return ret;
	}
	/* Slots of readers that were killed pin old pages and let the file grow. */
	if (!options->read_only)
		mdb_reader_check(new->env, NULL);
	*lmdb = new;
	return 0;
}

void weir_lmdb_close(struct weir_lmdb *lmdb)
{
	if (!lmdb)
		return;
	mdb_env_close(lmdb->env);
	free(lmdb);
}

int weir_lmdb_shrink(struct weir_lmdb *lmdb)
{
	/* LMDB raises this to what the file uses. */
	return to_errno(mdb_env_set_mapsize(lmdb->env, 1));
}

uint64_t weir_lmdb_bytes(struct weir_lmdb *lmdb)
{
	MDB_envinfo info;
	MDB_stat stat;

	if (mdb_env_info(lmdb->env, &info) || mdb_env_stat(lmdb->env, &stat))
		return 0;
	return (info.me_last_pgno + 1) * (uint64_t)stat.ms_psize;
}

int weir_lmdb_copy(struct weir_lmdb *lmdb, const char *path)
{
	return to_errno(mdb_env_copy2(lmdb->env, path, MDB_CP_COMPACT));
}

int weir_lmdb_begin(struct weir_lmdb *lmdb, bool write, struct weir_lmdb_txn *txn)
{
	unsigned flags = write ? 0 : MDB_RDONLY;
	int rc;

	*txn = (struct weir_lmdb_txn){.lmdb = lmdb};
	rc = mdb_txn_begin(lmdb->env, NULL, flags, &txn->txn);
	if (rc == MDB_READERS_FULL) {
		mdb_reader_check(lmdb->env, NULL);
		rc = mdb_txn_begin(lmdb->env, NULL, flags, &txn->txn);
	} else if (rc == MDB_MAP_RESIZED) {
		/* The writer is another process and has a larger map than the file
		 * told when this one opened it. */
		rc = mdb_env_set_mapsize(lmdb->env, 0);
		if (!rc)
			rc = mdb_txn_begin(lmdb->env, NULL, flags, &txn->txn);
	}
	if (rc)
		txn->txn = NULL;
	return note(txn, rc);
}

int weir_lmdb_commit(struct weir_lmdb_txn *txn)
{
	if (!txn->txn)
		return txn->error ? txn->error : -EINVAL;
	if (txn->error) {
		weir_lmdb_abort(txn);
		return txn->error;
	}
	note(txn, mdb_txn_commit(txn->txn));
	txn->txn = NULL;
	return txn->error;
}

void weir_lmdb_abort(struct weir_lmdb_txn *txn)
{
	if (txn->txn)
		mdb_txn_abort(txn->txn);
	txn->txn = NULL;
}

uint64_t weir_lmdb_transaction(struct weir_lmdb_txn *txn)
{
	return mdb_txn_id(txn->txn);
}

static int get(struct weir_lmdb_txn *txn, unsigned db, MDB_val key, struct weir_lmdb_value *value)
{
	MDB_val data;
	int ret;

	if (txn->error)
		return txn->error;
	ret = note(txn, mdb_get(txn->txn, txn->lmdb->dbi[db], &key, &data));
	if (!ret)
		*value = (struct weir_lmdb_value){data.mv_data, data.mv_size};
	return ret;
}

static int put(struct weir_lmdb_txn *txn, unsigned db, MDB_val key, const void *bytes, size_t count)
{
	MDB_val data = {.mv_size = count, .mv_data = (void *)bytes};

	if (txn->error)
		return txn->error;
	return note(txn, mdb_put(txn->txn, txn->lmdb->dbi[db], &key, &data, 0));
}

int weir_lmdb_get(struct weir_lmdb_txn *txn, unsigned db, const char *key,
		  struct weir_lmdb_value *value)
{
	return get(txn, db, (MDB_val){strlen(key), (void *)key}, value);
}

int weir_lmdb_put(struct weir_lmdb_txn *txn, unsigned db, const char *key, const void *data,
		  size_t bytes)
{
	return put(txn, db, (MDB_val){strlen(key), (void *)key}, data, bytes);
}

int weir_lmdb_get_number(struct weir_lmdb_txn *txn, unsigned db, uint64_t key,
			 struct weir_lmdb_value *value)
{
	uint64_t big = htobe64(key);

	return get(txn, db, (MDB_val){sizeof(big), &big}, value);
}

int weir_lmdb_put_number(struct weir_lmdb_txn *txn, unsigned db, uint64_t key, const void *data,
			 size_t bytes)
{
	uint64_t big = htobe64(key);

	return put(txn, db, (MDB_val){sizeof(big), &big}, data, bytes);
}

void *weir_lmdb_append_number(struct weir_lmdb_txn *txn, unsigned db, uint64_t key, size_t bytes)
{
	uint64_t big = htobe64(key);
	MDB_val name = {sizeof(big), &big}, data = {bytes, NULL};

	/* MDB_APPEND refuses a key that is not the largest: numbers never repeat. */
	if (txn->error || note(txn, mdb_put(txn->txn, txn->lmdb->dbi[db], &name, &data,
					    MDB_RESERVE | MDB_APPEND)))
		return NULL;
	return data.mv_data;
}

int weir_lmdb_delete_number(struct weir_lmdb_txn *txn, unsigned db, uint64_t key)
{
	uint64_t big = htobe64(key);
	MDB_val name = {sizeof(big), &big};

	if (txn->error)
		return txn->error;
	return note(txn, mdb_del(txn->txn, txn->lmdb->dbi[db], &name, NULL));
}

static int seek(MDB_cursor *cursor, uint64_t from, bool backward, MDB_val *key, MDB_val *data)
{
	uint64_t big = htobe64(from);
	int rc;

	*key = (MDB_val){sizeof(big), &big};
	rc = mdb_cursor_get(cursor, key, data, MDB_SET_RANGE);
	if (!backward)
		return rc;
	if (rc == MDB_NOTFOUND)
		return mdb_cursor_get(cursor, key, data, MDB_LAST);
	if (!rc && key->mv_size == sizeof(big) && memcmp(key->mv_data, &big, sizeof(big)))
		rc = mdb_cursor_get(cursor, key, data, MDB_PREV);
	return rc;
}

int weir_lmdb_seek_number(struct weir_lmdb_txn *txn, unsigned db, uint64_t from, bool backward,
			  uint64_t *key, struct weir_lmdb_value *value)
{
	MDB_cursor *cursor;
	MDB_val name, data;
	uint64_t big;
	int ret;

	if (txn->error)
		return txn->error;
	ret = note(txn, mdb_cursor_open(txn->txn, txn->lmdb->dbi[db], &cursor));
	if (ret)
		return ret;
	ret = note(txn, seek(cursor, from, backward, &name, &data));
	mdb_cursor_close(cursor);
	if (ret)
		return ret;
	if (name.mv_size != sizeof(big))
		return txn->error = -EBADMSG;
	memcpy(&big, name.mv_data, sizeof(big));
	*key = be64toh(big);
	if (value)
		*value = (struct weir_lmdb_value){data.mv_data, data.mv_size};
	return 0;
}

int weir_lmdb_entries(struct weir_lmdb_txn *txn, unsigned db, uint64_t *count)
{
	MDB_stat stat;
	int ret;

	if (txn->error)
		return txn->error;
	ret = note(txn, mdb_stat(txn->txn, txn->lmdb->dbi[db], &stat));
	if (!ret)
		*count = stat.ms_entries;
	return ret;
}
