/* SPDX-License-Identifier: GPL-2.0 */
/* disk_log.h - the calls that disk.c records and disk_build.c replays. */
#ifndef WEIR_TESTS_DISK_LOG_H
#define WEIR_TESTS_DISK_LOG_H

#include <pthread.h>
#include <stdbool.h>

#include "tests/unit/disk.h"

enum {
	FDS_MAX = 1024,
	INODES_MAX = 20000,
};

enum kind { WRITE, SIZE, SYNC, NAME, RENAME, EXCHANGE, UNNAME, MARK };

struct call {
	enum kind kind;
	int inode;  /* of the file; NAME, UNNAME: of the folder */
	int child;  /* NAME: what gets the name */
	int to_dir; /* RENAME */
	char *name, *to_name;
	uint64_t offset, bytes; /* WRITE; SIZE: bytes; MARK: bytes is the value */
	uint8_t *data;
	bool durable; /* WRITE through a descriptor with O_DSYNC */
};

struct entry {
	int dir, inode;
	char *name;
};

struct disk {
	pthread_mutex_t lock;
	bool on;
	char *root;
	struct call *calls;
	size_t count, room;
	int inodes; /* 0 is the root */
	bool *is_dir;
	struct entry *entries; /* the names as they are now */
	size_t entry_count, entry_room;
	struct {
		int inode; /* -1: not ours */
		bool durable;
	} fds[FDS_MAX];
	size_t kill_at;
	bool kill, kill_after;
};

extern struct disk disk;

struct entry *disk_find_entry(struct entry *entries, size_t count, int dir, const char *name);
void disk_put_entry(struct entry **entries, size_t *count, size_t *room, int dir, const char *name,
		    int inode);
void disk_drop_entry(struct entry *entries, size_t *count, int dir, const char *name);

#endif
