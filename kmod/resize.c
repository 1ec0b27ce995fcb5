// SPDX-License-Identifier: GPL-2.0
/*
 * resize - tables of another size, while packets come in
 *
 * Both tables are in use until the old one is empty. Its sets are moved in order, a few
 * to a hold of the CPU's lock. The number of sets is a power of two in both, so the low bits
 * of a packet's hash say whether the set it would have been in was moved already: that
 * decides in which of the two it is looked for, and in which it is put. So no packet
 * looks twice, no flow is ever in both, and memory is that of both tables until the move
 * ends.
 *
 * A larger table has room for all. In a smaller one sets are joined; what does not fit is
 * evicted by the rules of any full set and becomes a record. If the log is full the
 * move stops there, and goes on with the ticks as batches are acknowledged.
 *
 * resize_lock keeps whoever walks the tables in several holds from missing a flow or
 * seeing it twice: it is held while flows move.
 */

#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/topology.h>

#include "cache.h"
#include "export.h"
#include "meter.h"
#include "resize.h"

enum {
	/* A hold of the lock: 4 sets are 32 flows, 6 KiB to copy. */
	SETS_PER_HOLD = 4,
};

static void free_tables(struct weir_table *tables, u32 n)
{
	while (n--)
		weir_cache_destroy(&tables[n]);
	kvfree(tables);
}

static bool is_moving(struct weir_meter *m)
{
	bool moving = false;
	u32 i;

	for (i = 0; i < m->ncpus && !moving; i++) {
		spin_lock_bh(&m->cpus[i]->lock);
		moving = m->cpus[i]->old.nsets;
		spin_unlock_bh(&m->cpus[i]->lock);
	}
	return moving;
}

struct weir_table *weir_resize_prepare(struct weir_meter *m, u32 flows,
				       struct netlink_ext_ack *extack)
{
	struct weir_table *tables;
	u32 i;

	if (is_moving(m)) {
		NL_SET_ERR_MSG_MOD(extack,
				   "flows still move from the change before, for want of room in the log");
		return ERR_PTR(-EBUSY);
	}
	if (m->ncpus * weir_cache_memory(flows) >> PAGE_SHIFT >= si_mem_available() / 2) {
		NL_SET_ERR_MSG_MOD(extack,
				   "tables of this size, beside those in use, need over half of the free memory");
		return ERR_PTR(-ENOMEM);
	}
	tables = kvcalloc(m->ncpus, sizeof(*tables), GFP_KERNEL);
	for (i = 0; tables && i < m->ncpus; i++) {
		if (weir_cache_init(&tables[i], flows, cpu_to_node(m->cpus[i]->cpu))) {
			free_tables(tables, i);
			tables = NULL;
		}
		cond_resched();
	}
	if (!tables) {
		NL_SET_ERR_MSG_MOD(extack, "no memory for tables of this size");
		return ERR_PTR(-ENOMEM);
	}
	return tables;
}

void weir_resize_abort(struct weir_meter *m, struct weir_table *tables)
{
	free_tables(tables, m->ncpus);
}

static void begin(struct weir_cpu *c, struct weir_table *table)
{
	spin_lock_bh(&c->lock);
	c->old = c->table;
	c->table = *table;
	c->moved = 0;
	c->moving = true;
	c->moves++;
	weir_nat_forget(c);
	spin_unlock_bh(&c->lock);
	memset(table, 0, sizeof(*table));
}

/* Move sets until the old table is empty or the log is full. resize_lock is held. */
static void move_all(struct weir_cpu *c)
{
	struct weir_table gone = { };
	bool room = true, sealed;
	u32 before, n;

	do {
		spin_lock_bh(&c->lock);
		before = c->moved;
		for (n = 0; room && n < SETS_PER_HOLD && c->moved < c->old.nsets; n++)
			room = weir_cache_move(c, ktime_get_ns());
		if (c->moved != before)
			c->moves++;
		weir_nat_forget(c);
		if (c->moved == c->old.nsets) {
			swap(gone, c->old);
			c->moving = false;
		}
		sealed = c->sealed;
		c->sealed = false;
		spin_unlock_bh(&c->lock);
		if (sealed)
			weir_export_kick(c->meter);
		cond_resched();
	} while (room && !gone.nsets);
	weir_cache_destroy(&gone);
}

void weir_resize_commit(struct weir_meter *m, struct weir_table *tables, u32 flows)
{
	u32 i;

	mutex_lock(&m->resize_lock);
	for (i = 0; i < m->ncpus; i++)
		begin(m->cpus[i], &tables[i]);
	WRITE_ONCE(m->table_flows, flows);
	for (i = 0; i < m->ncpus; i++)
		move_all(m->cpus[i]);
	mutex_unlock(&m->resize_lock);
	kvfree(tables);
}

void weir_resize_continue(struct weir_meter *m)
{
	u32 i;

	if (!is_moving(m) || !mutex_trylock(&m->resize_lock))
		return;
	for (i = 0; i < m->ncpus; i++)
		if (m->cpus[i]->old.nsets)	/* only changes under resize_lock */
			move_all(m->cpus[i]);
	mutex_unlock(&m->resize_lock);
}
