/* SPDX-License-Identifier: GPL-2.0 */
/*
 * backup.h - copies of a store that may be in use.
 *
 * A backup is a folder:
 *
 *   manifest               what belongs to it: text, sealed by a checksum
 *   20261125-0123456789abcdef/data.mdb   a part, named for what is in it; compact
 *
 * A part that did not change since has its name already and is not copied again. It is
 * copied under another name, made durable, and renamed; then the manifest is
 * replaced, and at last what no manifest names is removed. So a backup that is interrupted at any
 * moment leaves the one before as it was, and the next try goes on with what is there.
 *
 * The parts are copied one after the other, the newest partition last but for "state", while the node
 * goes on: what the backup holds is the store as of the commit at which its newest partition was
 * copied.
 */
#ifndef WEIR_STORE_BACKUP_H
#define WEIR_STORE_BACKUP_H

#include "daemon/store/survey.h"

enum {
	WEIR_BACKUP_SHA256 = 32,
};

struct weir_backup_part {
	char name[WEIR_SURVEY_NAME];
	char folder[WEIR_SURVEY_NAME + 20]; /* in the backup */
	enum weir_survey_kind kind;
	uint64_t bytes;
	uint8_t sha256[WEIR_BACKUP_SHA256];
	/* Of a partition. */
	uint64_t blocks, records, first_block, last_block, min_ns, max_ns;
};

struct weir_backup_manifest {
	struct weir_store_identity identity;
	uint64_t taken_ns;
	struct weir_store_state state; /* position and summed as far as they are written: seq, block */
	struct weir_backup_part *parts; /* as a survey has them */
	unsigned count;
};

struct weir_backup_options {
	/* What is done, and what is wrong. */
	void (*say)(void *arg, const char *part, const char *sentence);
	void (*progress)(void *arg, uint64_t bytes, uint64_t bytes_total); /* may be NULL */
	void *arg;
	const volatile bool *cancel; /* may be NULL */
};

struct weir_backup_result {
	unsigned parts, copied, removed, damaged;
	uint64_t bytes, copied_bytes;
	uint64_t records;
	uint64_t oldest_ns, newest_ns;
};

/* backup_manifest.c. -ENOENT: there is none. -EBADMSG: damaged, or not ours (logged). */
int weir_backup_read(const char *backup, struct weir_backup_manifest *manifest);
int weir_backup_write(const char *backup, const struct weir_backup_manifest *manifest);
void weir_backup_free(struct weir_backup_manifest *manifest);
/* SHA-256 of a file, and its size. */
int weir_backup_digest(const char *path, uint8_t sha256[WEIR_BACKUP_SHA256], uint64_t *bytes);

/* backup.c. A part of the store that is damaged is named and left out: the copy that an
 * earlier backup has of it stays. */
int weir_backup_make(const char *dir, const char *backup, const struct weir_backup_options *options,
		     struct weir_backup_result *result);

/* backup_verify.c: read everything back. result->damaged: parts that are not what was copied. */
int weir_backup_verify(const char *backup, const struct weir_backup_options *options,
		       struct weir_backup_result *result);

/* restore.c: @backup as a new store in @dir, which must not exist or be empty. It has a
 * new epoch: masters may have seen more than was copied. */
int weir_restore_new(const char *backup, const char *dir, const struct weir_backup_options *options,
		     struct weir_backup_result *result);
/* As restored/@name in store @dir, to be read beside what is there. Parts that the store has itself
 * are left out, and said. Works while a node runs. */
int weir_restore_mount(const char *dir, const char *backup, const char *name,
		       const struct weir_backup_options *options,
		       struct weir_backup_result *result);
/* -ENOENT: nothing of that name is mounted (logged). */
int weir_restore_unmount(const char *dir, const char *name);

#endif
