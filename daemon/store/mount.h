/* SPDX-License-Identifier: GPL-2.0 */
/*
 * mount.h - backups that are read beside the store's own partitions.
 *
 * restored/NAME holds a manifest and the partitions of a backup. They are opened without locks,
 * as nobody ever writes to them; retention, ingest and the ledger do not know them. A plan for a query
 * takes in their blocks, but none that the store has itself, or another backup that was taken in before:
 * by the range of numbers that a partition says it has, of the same node.
 *
 * What is mounted is found out for each plan, by the time at which the folder "restored" last changed.
 */
#ifndef WEIR_STORE_MOUNT_H
#define WEIR_STORE_MOUNT_H

#include "daemon/store/internal.h"

#define WEIR_MOUNT_FOLDER "restored"

/* Ids of partitions with this bit are of mounted ones. */
#define WEIR_MOUNT_BIT 0x80000000u

/* A range of block numbers of a node. */
struct weir_mount_range {
	uint8_t node_id[WEIR_STORE_ID_BYTES];
	uint64_t first, last;
};

struct weir_mounted {
	uint32_t id;
	char name[WEIR_STORE_PARTITION_NAME];
	struct weir_mount_range range;
};

/* Letters, digits, '-' and '_'. */
bool weir_mount_is_name(const char *name);
/* See what changed; whether anything is mounted. Errors are logged, and leave out what they concern. */
bool weir_mount_refresh(struct weir_store *store);
/* All partitions that are mounted, in the order in which they count; malloc'ed (never NULL). */
int weir_mount_list(struct weir_store *store, struct weir_mounted **mounted, unsigned *count);
bool weir_mount_overlap(const struct weir_mount_range *a, const struct weir_mount_range *b);
void weir_mount_unload(struct weir_store *store);
/* Under lock. */
struct weir_partition *weir_mount_find(struct weir_store *store, uint32_t id);
int weir_mount_open(struct weir_store *store, struct weir_partition *partition);

#endif
