// SPDX-License-Identifier: GPL-2.0
/*
 * repair_state.c - the environment "state": who this node is, and what masters have.
 *
 * Its values are few and small. What can be read is kept; the identity is in every segment as
 * well. Without any of it the node is a new one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/store/repair_part.h"

enum state_db { DB_META, DB_CURSORS };

enum {
	MAP_BYTES = 64 << 20,
	KEY_BYTES = 256,
};

struct copy {
	struct weir_lmdb_txn *txn; /* NULL: only look */
	unsigned db;
	bool has_identity;
	struct weir_store_identity identity;
};

static int copy_entry(void *arg, const struct weir_pages_entry *entry)
{
	struct copy *copy = arg;
	char key[KEY_BYTES] = "";

	if (!entry->value || !entry->key_bytes || entry->key_bytes >= sizeof(key))
		return 0;
	memcpy(key, entry->key, entry->key_bytes);
	if (copy->db == DB_META && !strcmp(key, "identity") &&
	    entry->value_bytes >= sizeof(copy->identity)) {
		memcpy(&copy->identity, entry->value, sizeof(copy->identity));
		copy->has_identity = true;
	}
	if (copy->txn)
		weir_lmdb_put(copy->txn, copy->db, key, entry->value, entry->value_bytes);
	return copy->txn ? copy->txn->error : 0;
}

static int copy_all(const char *path, struct copy *copy)
{
	static const char *const names[] = {"meta", "cursors"};
	char *file = weir_folder_path(path, "data.mdb");
	struct weir_pages *pages = NULL;
	int ret = file ? weir_pages_open(file, &pages) : -ENOMEM;

	free(file);
	if (ret == -EBADMSG || ret == -ENOENT)
		ret = 0;
	for (unsigned i = 0; i < 2 && !ret && pages; i++) {
		copy->db = i;
		ret = weir_pages_each(pages, names[i], true, copy_entry, copy, NULL);
		if (ret == -ENOENT)
			ret = 0;
	}
	weir_pages_close(pages);
	return ret;
}

static int take_identity(void *arg, const struct weir_pages_entry *entry)
{
	struct weir_repair *repair = arg;

	if (!entry->value || !repair->options->identity)
		return 0;
	repair->has_identity = repair->options->identity(repair->options->arg, entry->value,
							 entry->value_bytes, &repair->identity);
	return repair->has_identity;
}

/* The newest segment that can be read names the node. */
static void find_identity(struct weir_repair *repair)
{
	for (unsigned i = repair->check->survey->count; i-- && !repair->has_identity;) {
		const struct weir_survey_part *part = &repair->check->survey->parts[i];
		struct weir_pages *pages = NULL;
		char *file;

		if (part->kind != WEIR_SURVEY_PARTITION)
			continue;
		file = weir_folder_path(part->path, "data.mdb");
		if (file && !weir_pages_open(file, &pages))
			weir_pages_each(pages, "segments", true, take_identity, repair, NULL);
		weir_pages_close(pages);
		free(file);
	}
}

static int choose_identity(struct weir_repair *repair, struct copy *copy)
{
	if (copy->has_identity)
		return 0;
	find_identity(repair);
	if (repair->has_identity) {
		copy->identity = repair->identity;
		weir_repair_tell(repair, "state", "the node's identity is taken from its segments");
		return 0;
	}
	weir_repair_tell(repair, "state", "the node's identity is lost: masters see a new node");
	return getrandom(&copy->identity, sizeof(copy->identity), 0) == sizeof(copy->identity) ?
		       0 : -EIO;
}

static int put_epoch(struct weir_repair *repair, struct copy *copy)
{
	uint64_t dropped = repair->last_segment;

	if (!repair->new_epoch)
		return 0;
	if (getrandom(copy->identity.epoch, sizeof(copy->identity.epoch), 0) !=
	    sizeof(copy->identity.epoch))
		return -EIO;
	/* Segments of the old epoch are nobody's any more. */
	weir_meta_put(copy->txn, DB_META, "dropped", &dropped, sizeof(dropped));
	return copy->txn->error;
}

static int fill(struct weir_repair *repair, const char *from, struct weir_lmdb *lmdb)
{
	struct weir_lmdb_txn txn;
	struct copy copy = {.txn = &txn};
	int ret = weir_lmdb_begin(lmdb, true, &txn);

	if (!ret)
		ret = copy_all(from, &copy);
	if (!ret)
		ret = choose_identity(repair, &copy);
	if (!ret)
		ret = put_epoch(repair, &copy);
	if (!ret) {
		weir_lmdb_put(&txn, DB_META, "identity", &copy.identity, sizeof(copy.identity));
		weir_meta_put_format(&txn, DB_META);
		ret = weir_lmdb_commit(&txn);
	}
	weir_lmdb_abort(&txn);
	return ret;
}

static int make_anew(struct weir_repair *repair, const char *from)
{
	static const char *const dbs[] = {"meta", "cursors", NULL};
	struct weir_lmdb_options options = {.dbs = dbs, .create = true, .map_bytes = MAP_BYTES};
	struct weir_lmdb *lmdb;
	int ret;
	char *path = weir_repair_workplace(repair, "state", &ret);

	if (!path)
		return ret;
	ret = weir_lmdb_open(path, &options, &lmdb);
	if (!ret) {
		ret = fill(repair, from, lmdb);
		weir_lmdb_close(lmdb);
	}
	if (!ret)
		ret = weir_folder_sync(path);
	free(path);
	return ret;
}

/* There was none: only its own name in the way. */
static int move_in(struct weir_repair *repair)
{
	char *place = weir_folder_path(repair->dir, "repair");
	char *new = place ? weir_folder_path(place, "state") : NULL;
	char *to = weir_folder_path(repair->dir, "state");
	int ret = -ENOMEM;

	if (new && to)
		ret = rename(new, to) ? -errno : weir_folder_sync(repair->dir);
	free(to);
	free(new);
	free(place);
	return ret;
}

int weir_repair_state(struct weir_repair *repair, struct weir_check_part *part)
{
	const char *from = part ? part->survey->path : "/nonexistent";
	int ret;

	if (part && !part->faults && !repair->new_epoch)
		return 0;
	repair->result->parts += !part || part->faults;
	repair->result->new_epoch = repair->new_epoch;
	if (repair->new_epoch)
		weir_repair_tell(repair, "state",
				 "the store %s a new epoch: masters see a new stream, and count "
				 "what was before it as missing from that",
				 repair->options->dry_run ? "would get" : "gets");
	if (repair->options->dry_run) {
		weir_repair_tell(repair, "state", "would be made anew");
		return 0;
	}
	ret = make_anew(repair, from);
	if (ret)
		return ret;
	return part ? weir_repair_exchange(repair, "state") : move_in(repair);
}
