/* SPDX-License-Identifier: GPL-2.0 */
/*
 * survey.h - the folders of a store, looked at one by one.
 *
 * For what must work on a store that weir_store_open() refuses: statistics, check,
 * repair, backup. It takes no lock and changes nothing, so a node may be writing meanwhile: then
 * the newest partition is as of the moment it was looked at.
 *
 * Never open an environment this way in a process that has the store open: LMDB forbids it.
 */
#ifndef WEIR_STORE_SURVEY_H
#define WEIR_STORE_SURVEY_H

#include "daemon/store/internal.h"

enum {
	WEIR_SURVEY_NAME = 32,
};

enum weir_survey_kind {
	WEIR_SURVEY_STATE,
	WEIR_SURVEY_PARTITION,
	WEIR_SURVEY_ROLLUPS,
};

/* What the meta of a partition says. */
struct weir_survey_meta {
	struct weir_store_state state; /* at its last commit */
	struct weir_meta_held held;
	struct weir_meta_base base; /* where it began; without has_base only last_block, as its first block tells */
	struct weir_meta_damaged damaged; /* lost from it, as an earlier repair found */
	bool has_base;
};

struct weir_survey_part {
	char name[WEIR_SURVEY_NAME];
	enum weir_survey_kind kind;
	char *path;
	uint64_t disk_bytes; /* that the file takes on the disk */
	uint64_t file_bytes; /* its size */
};

struct weir_survey {
	char *dir;
	struct weir_survey_part *parts; /* state first, then partitions, oldest first, then roll-ups */
	unsigned count;
};

/* -ENOENT: there is no store in @dir; explained in the log, as all errors are. */
int weir_survey_make(const char *dir, struct weir_survey **survey);
void weir_survey_free(struct weir_survey *survey);
/* Open the environment of a partition for reading. @path is its folder. */
int weir_survey_open(const char *path, struct weir_lmdb **lmdb);
/* Open, read, close. */
int weir_survey_peek(const char *path, struct weir_survey_meta *meta);
/* The same of one that nobody writes to, as in a backup: needs no lock file. */
int weir_survey_open_copy(const char *path, struct weir_lmdb **lmdb);
/* What a folder "state" says. @expired is zero if it says nothing. */
int weir_survey_state(const char *path, struct weir_store_identity *identity,
		      struct weir_store_expired *expired);
/* -EBADMSG: something that must be there is not. -ENOTSUP: of a later weir (logged). */
int weir_survey_read(struct weir_lmdb_txn *txn, const char *path, struct weir_survey_meta *meta);
/* Be the writer until *@fd is closed. -EBUSY: another process is (logged with its pid). */
int weir_survey_lock(const char *dir, int *fd);
/* The process that has the store open for writing, 0: none. */
int weir_survey_writer(const char *dir, int *pid);

#endif
