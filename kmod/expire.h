/* SPDX-License-Identifier: GPL-2.0 */
/* expire - the cursors that end flows in time */
#ifndef _WEIR_EXPIRE_H
#define _WEIR_EXPIRE_H

#include <linux/types.h>

struct weir_cpu;
struct weir_meter;

/* Prepare the works of @m and of @c; nothing runs yet. */
void weir_expire_init(struct weir_meter *m);
void weir_expire_init_cpu(struct weir_cpu *c);

/* Begin ticking. */
void weir_expire_start(struct weir_meter *m);

/* Stop for good; sleeps until no work of expiry runs. */
void weir_expire_stop(struct weir_meter *m);

/* Packet path, BH off: @c has sealed a batch, see that it is exported. */
void weir_expire_kick(struct weir_cpu *c);

/*
 * Move every flow of every table to the log, but for the room kept for evictions.
 * resize_lock is held.
 */
void weir_expire_flush(struct weir_meter *m, u64 *moved, u64 *left);

/*
 * Hooks and expiry are stopped: empty the tables into the logs, continuing where the
 * call before found no room. Return: whether they are empty now.
 */
bool weir_expire_drain(struct weir_meter *m, u64 *moved);

/* Seal all open batches, however small. */
void weir_expire_seal(struct weir_meter *m);

#endif /* _WEIR_EXPIRE_H */
