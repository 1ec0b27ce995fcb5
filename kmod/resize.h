/* SPDX-License-Identifier: GPL-2.0 */
/* resize - tables of another size, while packets come in */
#ifndef _WEIR_RESIZE_H
#define _WEIR_RESIZE_H

#include <linux/types.h>

struct netlink_ext_ack;
struct weir_meter;
struct weir_table;

/**
 * weir_resize_prepare - allocate all that weir_resize_commit() needs
 * @m: the instance
 * @flows: wanted per CPU, a power of two
 * @extack: for the sentence
 *
 * Return: new tables, to be committed or aborted, or an error; then nothing changed.
 */
struct weir_table *weir_resize_prepare(struct weir_meter *m, u32 flows,
				       struct netlink_ext_ack *extack);

/* Use @tables from now on. Sleeps while flows move; what finds no room goes on later. */
void weir_resize_commit(struct weir_meter *m, struct weir_table *tables, u32 flows);
void weir_resize_abort(struct weir_meter *m, struct weir_table *tables);

/* Every tick: go on with what found no room in the log. */
void weir_resize_continue(struct weir_meter *m);

#endif /* _WEIR_RESIZE_H */
