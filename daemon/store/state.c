// SPDX-License-Identifier: GPL-2.0
/*
 * state.c - the environment "state": what outlives partitions. The identity is
 * written once. Cursors and the mark up to which segments were dropped may lag behind:
 * too low a mark only means that a segment is sent or kept once more.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/common/log.h"
#include "daemon/store/internal.h"

enum state_db { DB_META, DB_CURSORS };

static const char *const state_dbs[] = {"meta", "cursors", NULL};

enum {
	STATE_MAP_BYTES = 64 << 20, /* some cursors of 8 bytes */
};

static int write_identity(struct weir_store *store, struct weir_lmdb *lmdb)
{
	struct weir_store_identity identity;
	struct weir_lmdb_txn txn;

	if (getrandom(&identity, sizeof(identity), 0) != sizeof(identity))
		return -EIO;
	if (weir_lmdb_begin(lmdb, true, &txn))
		return txn.error;
	weir_meta_put_format(&txn, DB_META);
	weir_lmdb_put(&txn, DB_META, "identity", &identity, sizeof(identity));
	return weir_lmdb_commit(&txn);
}

static int fill(struct weir_store *store, const char *path)
{
	struct weir_lmdb_options options = {
		.dbs = state_dbs, .create = true, .map_bytes = STATE_MAP_BYTES};
	struct weir_lmdb *lmdb;
	int ret = weir_lmdb_open(path, &options, &lmdb);

	if (ret)
		return ret;
	ret = write_identity(store, lmdb);
	weir_lmdb_close(lmdb);
	return ret;
}

static int read_identity(struct weir_store *store, const char *path)
{
	struct weir_lmdb_value value;
	struct weir_lmdb_txn txn;
	uint64_t dropped = 0;
	int ret = weir_lmdb_begin(store->state, false, &txn);

	if (!ret)
		ret = weir_meta_check_format(&txn, DB_META, path);
	if (!ret)
		ret = weir_lmdb_get(&txn, DB_META, "identity", &value);
	if (!ret && value.bytes >= sizeof(store->identity)) {
		memcpy(&store->identity, value.data, sizeof(store->identity));
		weir_meta_get(&txn, DB_META, "dropped", &dropped, sizeof(dropped));
		atomic_store(&store->dropped, dropped);
	} else if (!ret) {
		ret = -EBADMSG;
	}
	weir_lmdb_abort(&txn);
	return ret == -ENOENT ? -EBADMSG : ret;
}

/* Programs that read an earlier format must not take this for one. */
static int raise_format(struct weir_store *store)
{
	struct weir_lmdb_txn txn;

	if (weir_lmdb_begin(store->state, true, &txn))
		return txn.error;
	weir_meta_raise_format(&txn, DB_META);
	return weir_lmdb_commit(&txn);
}

int weir_state_open(struct weir_store *store)
{
	struct weir_lmdb_options options = {.dbs = state_dbs,
					    .read_only = store->options.read_only,
					    .map_bytes = STATE_MAP_BYTES};
	char *path = weir_folder_path(store->dir, "state");
	int ret = 0;

	if (!path)
		return -ENOMEM;
	if (!store->options.read_only && access(path, F_OK)) {
		/* First of all the store's own folder: what is in it cannot outlive it. */
		ret = weir_folder_sync_parent(store->dir);
		if (!ret)
			ret = weir_folder_create(store, "state", fill);
	}
	if (!ret)
		ret = weir_trust(path);
	if (!ret)
		ret = weir_lmdb_open(path, &options, &store->state);
	if (!ret)
		ret = read_identity(store, path);
	if (!ret && !store->options.read_only)
		ret = raise_format(store);
	if (ret == -ENOENT)
		weir_log_error("%s: there is no weir store here", store->dir);
	else if (ret && ret != -ENOTSUP)
		weir_log_error("%s: cannot be opened: %s", path, strerror(-ret));
	free(path);
	return ret;
}

int weir_state_get_expired(struct weir_store *store, struct weir_store_expired *expired)
{
	struct weir_lmdb_txn txn;
	int ret = weir_lmdb_begin(store->state, false, &txn);

	memset(expired, 0, sizeof(*expired));
	if (!ret)
		ret = weir_meta_get(&txn, DB_META, "expired", expired, sizeof(*expired));
	weir_lmdb_abort(&txn);
	return ret == -ENOENT ? 0 : ret;
}

int weir_state_put_expired(struct weir_store *store, const struct weir_store_expired *expired,
			   const char *name)
{
	struct weir_lmdb_txn txn;

	if (weir_lmdb_begin(store->state, true, &txn))
		return txn.error;
	weir_meta_put(&txn, DB_META, "expired", expired, sizeof(*expired));
	weir_lmdb_put(&txn, DB_META, "removing", name, strlen(name));
	return weir_lmdb_commit(&txn);
}

int weir_state_removed(struct weir_store *store)
{
	struct weir_lmdb_txn txn;

	if (weir_lmdb_begin(store->state, true, &txn))
		return txn.error;
	weir_lmdb_put(&txn, DB_META, "removing", "", 0);
	return weir_lmdb_commit(&txn);
}

int weir_state_get_removing(struct weir_store *store, char **name)
{
	struct weir_lmdb_value value;
	struct weir_lmdb_txn txn;
	int ret = weir_lmdb_begin(store->state, false, &txn);

	*name = NULL;
	if (!ret)
		ret = weir_lmdb_get(&txn, DB_META, "removing", &value);
	if (!ret && value.bytes) {
		*name = strndup(value.data, value.bytes);
		ret = *name ? 0 : -ENOMEM;
	}
	weir_lmdb_abort(&txn);
	return ret == -ENOENT ? 0 : ret;
}

int weir_store_get_cursor(struct weir_store *store, const char *name, uint64_t *seq)
{
	struct weir_lmdb_txn txn;
	int ret = weir_lmdb_begin(store->state, false, &txn);

	*seq = 0;
	if (!ret)
		ret = weir_meta_get(&txn, DB_CURSORS, name, seq, sizeof(*seq));
	weir_lmdb_abort(&txn);
	return ret == -ENOENT ? 0 : ret;
}

static int put(struct weir_store *store, unsigned db, const char *key, uint64_t value)
{
	struct weir_lmdb_txn txn;

	if (store->options.read_only)
		return -EROFS;
	if (weir_lmdb_begin(store->state, true, &txn))
		return txn.error;
	weir_meta_put(&txn, db, key, &value, sizeof(value));
	return weir_lmdb_commit(&txn);
}

int weir_store_put_cursor(struct weir_store *store, const char *name, uint64_t seq)
{
	return put(store, DB_CURSORS, name, seq);
}

static void raise_mark(struct weir_store *store, uint64_t through)
{
	uint64_t was = atomic_load(&store->dropped);

	while (was < through && !atomic_compare_exchange_weak(&store->dropped, &was, through))
		;
}

/* Only a mark: the writer's next transaction deletes, so that the caller does
 * not wait for it and partitions have a single writer. It never goes back, whichever of two
 * callers comes last. */
int weir_store_drop_segments(struct weir_store *store, uint64_t through)
{
	struct weir_lmdb_txn txn;
	uint64_t was = 0;
	int ret;

	if (through <= atomic_load(&store->dropped))
		return 0;
	if (store->options.read_only)
		return -EROFS;
	if (weir_lmdb_begin(store->state, true, &txn))
		return txn.error;
	weir_meta_get(&txn, DB_META, "dropped", &was, sizeof(was));
	if (through > was)
		weir_meta_put(&txn, DB_META, "dropped", &through, sizeof(through));
	ret = weir_lmdb_commit(&txn);
	if (!ret)
		raise_mark(store, through);
	return ret;
}
