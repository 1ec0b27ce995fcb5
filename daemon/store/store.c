// SPDX-License-Identifier: GPL-2.0
/*
 * store.c - open and close. The other files, from the bottom up:
 *
 * A block: records as columns, compressed, with an index of what is in them
 *   column.c, vector.c           the members of a record as columns, and back
 *   block.c, block_*.c           header, directory, index; reading and writing
 *   address.c, address_read.c    the dictionary of addresses, which is its own index
 *   codec*.c, decode.c           columns in bytes; choose.c says how, and why
 *   pack.c, unpack.c             numbers of few bits
 *
 * A partition: blocks, segments and the state as of the last commit, in one LMDB environment
 *   lmdb.c                       the only file that speaks LMDB; trust.c looks before it does
 *   meta.c, folder.c             the small values; folders that are made whole or not at all
 *   partition.c, newest.c        which ones there are and who reads them; the one that is written
 *   txn.c, merge.c, seam.c       write; make large blocks of small ones, and where not
 *   plan.c, view.c, replaced.c   read columns block by block; scan.c: rows; read.c: small things
 *
 * Over time
 *   retention.c                  which partitions go
 *   rollup.c                     minutes, hours and days
 *   state.c                      what outlives partitions: identity, cursors, what is expired
 *
 * Care
 *   pages*.c, survey.c           LMDB's pages read without LMDB
 *   check*.c                     is all that it holds what was put into it?
 *   repair*.c, mend.c, rebuild.c, salvage.c
 *                                what is damaged goes, and is counted
 *   backup*.c, restore.c, mount.c
 *                                copies, and copies shown beside the rest
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/common/log.h"
#include "daemon/store/block.h"
#include "daemon/store/internal.h"

static const uint64_t map_bytes_default = 1ULL << 40;

static void name_holder(int fd, const char *dir)
{
	char pid[16];
	ssize_t got = pread(fd, pid, sizeof(pid) - 1, 0);

	pid[got > 0 ? got : 0] = '\0';
	weir_log_error("%s: another process is writing to this store%s%s", dir,
		       *pid ? ", pid " : "", pid);
}

/* The lock goes with the open file: it is released however the process ends. */
static int lock(struct weir_store *store)
{
	char *path = weir_folder_path(store->dir, "lock"), pid[16];
	int length = snprintf(pid, sizeof(pid), "%d", (int)getpid()), ret = 0;

	if (!path)
		return -ENOMEM;
	store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (store->lock_fd < 0) {
		ret = -errno;
		weir_log_error("%s: %s", path, strerror(errno));
	} else if (flock(store->lock_fd, LOCK_EX | LOCK_NB)) {
		ret = errno == EWOULDBLOCK ? -EBUSY : -errno;
		name_holder(store->lock_fd, store->dir);
	} else if (ftruncate(store->lock_fd, 0) ||
		   pwrite(store->lock_fd, pid, length, 0) != length) {
		/* For the message above only; a full disk is no reason not to start. */
		weir_log_debug("%s: could not note the pid", path);
	}
	free(path);
	return ret;
}

/* Records of elsewhere must not come into the ledger of what this machine has seen. */
static bool is_foreign(const struct weir_store *store)
{
	char *path = weir_folder_path(store->dir, WEIR_STORE_IMPORTS);
	bool foreign = path && access(path, F_OK) == 0 && !store->options.imported;

	free(path);
	if (foreign)
		weir_log_error("%s: holds records imported from elsewhere (see its file \"%s\"); a node "
			       "does not write there", store->dir, WEIR_STORE_IMPORTS);
	return foreign;
}

static int open_for_writing(struct weir_store *store)
{
	int ret;

	if (is_foreign(store))
		return -EPERM;
	if (mkdir(store->dir, 0700) && errno != EEXIST) {
		ret = -errno;
		weir_log_error("%s: cannot be created: %s", store->dir, strerror(errno));
		return ret;
	}
	ret = lock(store);
	if (!ret)
		weir_folder_clean(store->dir);
	if (!ret)
		weir_replaced_share(store->replaced);
	return ret;
}

int weir_store_open(const char *dir, const struct weir_store_options *options,
		    struct weir_store **store)
{
	struct weir_store *new = calloc(1, sizeof(*new));
	int ret;

	if (!new)
		return -ENOMEM;
	new->options = *options;
	new->lock_fd = -1;
	if (!new->options.max_bytes)
		new->options.max_bytes = map_bytes_default;
	pthread_mutex_init(&new->lock, NULL);
	pthread_mutex_init(&new->changes, NULL);
	pthread_cond_init(&new->released, NULL);
	new->dir = strdup(dir);
	ret = new->dir ? weir_replaced_new(dir, options->read_only, &new->replaced) : -ENOMEM;
	if (!ret && !options->read_only)
		ret = weir_store_merge_new(&new->merge);
	if (!ret && !options->read_only)
		ret = open_for_writing(new);
	if (!ret)
		ret = weir_state_open(new);
	if (!ret)
		ret = weir_rollup_open(new);
	if (!ret && !options->read_only)
		ret = weir_retention_finish(new);
	if (!ret)
		ret = weir_partition_load(new);
	if (ret) {
		weir_store_close(new);
		return ret;
	}
	*store = new;
	return 0;
}

void weir_store_close(struct weir_store *store)
{
	if (!store)
		return;
	weir_partition_unload(store);
	weir_lmdb_close(store->rollups);
	weir_lmdb_close(store->state);
	weir_store_merge_free(store->merge);
	weir_replaced_free(store->replaced);
	weir_block_writer_free(store->block_writer);
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	pthread_cond_destroy(&store->released);
	pthread_mutex_destroy(&store->changes);
	pthread_mutex_destroy(&store->lock);
	free(store->dir);
	free(store);
}

const struct weir_store_identity *weir_store_identity(const struct weir_store *store)
{
	return &store->identity;
}
