// SPDX-License-Identifier: GPL-2.0
/*
 * expire - the cursors that end flows in time
 *
 * A tick per instance queues one work item on each CPU that has flows. It
 * moves that CPU's cursor over as many sets as time has passed for, so that it
 * goes round once a second at an even pace however large the table is, and
 * takes the CPU's lock for a few sets at a time. It runs on the CPU whose table it
 * is for the sake of its cache; being under the lock it is right anywhere,
 * and the workqueue runs it elsewhere when that CPU is offline.
 *
 * A flow that is due while the log is full stays where it is and keeps
 * counting. The cursor waits there for an acknowledgment.
 */

#include <linux/jiffies.h>
#include <linux/math64.h>
#include <linux/sched.h>
#include <linux/ktime.h>

#include "cache.h"
#include "expire.h"
#include "export.h"
#include "log.h"
#include "meter.h"
#include "net.h"
#include "resize.h"

enum {
	TICK_MS = 100,
	TICK_QUIET_MS = 1000,	/* nothing in any table or open batch */
	SEAL_MS = 250,		/* a record waits no longer in an open batch */

	/* A hold of the lock: either ends it. 32 records are about 4 KiB to copy. */
	SETS_PER_HOLD = 64,
	RECORDS_PER_HOLD = 32,
};

/* Sets whose time has come since the cursor last moved. */
static u32 sets_due(struct weir_cpu *c, u64 now)
{
	struct weir_cursor *cur = &c->expire;
	u64 elapsed = min_t(u64, now - cur->last_ns, NSEC_PER_SEC);
	u32 sets, nsets;

	spin_lock_bh(&c->lock);
	nsets = weir_cache_sets(c);
	spin_unlock_bh(&c->lock);
	cur->last_ns = now;
	elapsed = min_t(u64, elapsed + cur->credit_ns, NSEC_PER_SEC);
	/* nsets <= 2^22, in two tables, and elapsed < 2^30: no overflow */
	sets = (u32)div_u64(elapsed * nsets, NSEC_PER_SEC);
	cur->credit_ns = elapsed - div_u64((u64)sets * NSEC_PER_SEC, nsets);
	return sets;
}

/* One hold of the lock. Return: sets looked at; 0 when the log is full. */
static u32 expire_some(struct weir_cpu *c, u32 sets)
{
	struct weir_cursor *cur = &c->expire;
	unsigned int moved = 0;
	bool room = true;
	u32 done = 0;
	u64 now;

	spin_lock_bh(&c->lock);
	now = ktime_get_ns();
	while (done < min_t(u32, sets, SETS_PER_HOLD) && moved < RECORDS_PER_HOLD) {
		if (cur->next >= weir_cache_sets(c)) {	/* a table may be gone, too */
			cur->next = 0;
			cur->pass++;
		}
		room = weir_cache_expire(c, cur->next, now, &moved);
		if (!room)
			break;
		done++;
		cur->next++;
	}
	if (!room && !cur->log_full)
		c->ledger.counters[WEIR_COUNTER_LOG_FULL]++;
	spin_unlock_bh(&c->lock);

	if (!room && !cur->log_full)
		weir_net_notice(c->meter->wn, WEIR_NOTICE_LOG_FULL, c->meter->instance);
	cur->log_full = !room;
	return room ? done : 0;
}

/* Return: whether a batch was sealed since last asked. */
static bool seal_old(struct weir_cpu *c, u64 age_ns)
{
	bool sealed;

	spin_lock_bh(&c->lock);
	weir_log_seal_old(c, ktime_get_ns(), age_ns);
	sealed = c->sealed;
	c->sealed = false;
	spin_unlock_bh(&c->lock);
	return sealed;
}

static void expire_work(struct work_struct *work)
{
	struct weir_cpu *c = container_of(work, struct weir_cpu, expire.work);
	u32 sets = sets_due(c, ktime_get_ns());

	while (sets) {
		u32 done = expire_some(c, sets);

		if (!done)
			break;
		sets -= done;
		cond_resched();
	}
	/* With nobody to take it, a batch had better be full before it is sealed. */
	if (seal_old(c, weir_export_hungry(c->meter) ? (u64)SEAL_MS * NSEC_PER_MSEC : U64_MAX))
		weir_export_kick(c->meter);
}

/* On the packet path's behalf: from here a shared lock may be taken. */
static void kick_work(struct work_struct *work)
{
	struct weir_cpu *c = container_of(work, struct weir_cpu, kick);

	weir_export_kick(c->meter);
}

void weir_expire_kick(struct weir_cpu *c)
{
	/* This CPU's own worker pool: no line shared with another CPU. */
	queue_work_on(smp_processor_id(), weir_percpu_wq, &c->kick);
}

/* Unlocked: a packet seen too late is seen by the next tick. */
static bool is_quiet(const struct weir_cpu *c)
{
	return !READ_ONCE(c->ledger.table.flows) &&
	       !READ_ONCE(weir_log_slot(&c->log, READ_ONCE(c->log.open))->count);
}

static void tick_work(struct work_struct *work)
{
	struct weir_meter *m = container_of(to_delayed_work(work), struct weir_meter, tick);
	unsigned int delay_ms = TICK_QUIET_MS;
	u32 i;

	for (i = 0; i < m->ncpus; i++) {
		struct weir_cpu *c = m->cpus[i];

		if (is_quiet(c))
			continue;
		delay_ms = TICK_MS;
		queue_work_on(c->cpu, weir_percpu_wq, &c->expire.work);
	}
	weir_net_follow(m->wn);
	weir_resize_continue(m);
	if (weir_export_waiting(m)) {	/* for room in the owner's socket buffer */
		delay_ms = TICK_MS;
		weir_export_kick(m);
	}
	queue_delayed_work(weir_wq, &m->tick, msecs_to_jiffies(delay_ms));
}

void weir_expire_init(struct weir_meter *m)
{
	INIT_DELAYED_WORK(&m->tick, tick_work);
}

void weir_expire_init_cpu(struct weir_cpu *c)
{
	INIT_WORK(&c->expire.work, expire_work);
	INIT_WORK(&c->kick, kick_work);
	c->expire.last_ns = ktime_get_ns();
}

void weir_expire_start(struct weir_meter *m)
{
	queue_delayed_work(weir_wq, &m->tick, msecs_to_jiffies(TICK_MS));
}

void weir_expire_stop(struct weir_meter *m)
{
	u32 i;

	cancel_delayed_work_sync(&m->tick);	/* it queues those below */
	for (i = 0; i < m->ncpus; i++) {
		cancel_work_sync(&m->cpus[i]->expire.work);
		cancel_work_sync(&m->cpus[i]->kick);
		m->cpus[i]->expire.next = 0;	/* for weir_expire_drain() */
	}
}

/* resize_lock is held: the tables stay what they are. */
static void flush_cpu(struct weir_cpu *c, u64 *moved, u64 *left)
{
	u32 set = 0;

	while (set < weir_cache_sets(c)) {
		unsigned int now_moved = 0;
		u32 n;

		spin_lock_bh(&c->lock);
		for (n = 0; n < SETS_PER_HOLD && set < weir_cache_sets(c) &&
		     now_moved < RECORDS_PER_HOLD; n++)
			*left += weir_cache_flush(c, set++, ktime_get_ns(), false, &now_moved);
		spin_unlock_bh(&c->lock);
		*moved += now_moved;
		cond_resched();
	}
}

void weir_expire_flush(struct weir_meter *m, u64 *moved, u64 *left)
{
	u32 i;

	*moved = 0;
	*left = 0;
	for (i = 0; i < m->ncpus; i++)
		flush_cpu(m->cpus[i], moved, left);
}

/* Nobody changes the tables any more: the hooks, the ticks and SET_CONFIG are shut out. */
static bool drain_cpu(struct weir_cpu *c, u64 *moved)
{
	u32 *set = &c->expire.next;
	bool room = true;

	while (room && *set < weir_cache_sets(c)) {
		unsigned int now_moved = 0;
		u32 n;

		spin_lock_bh(&c->lock);
		for (n = 0; n < SETS_PER_HOLD && *set < weir_cache_sets(c) &&
		     now_moved < RECORDS_PER_HOLD; n++) {
			room = !weir_cache_flush(c, *set, ktime_get_ns(), true, &now_moved);
			if (!room)
				break;
			(*set)++;
		}
		spin_unlock_bh(&c->lock);
		*moved += now_moved;
		cond_resched();
	}
	return room;
}

bool weir_expire_drain(struct weir_meter *m, u64 *moved)
{
	bool empty = true;
	u32 i;

	for (i = 0; i < m->ncpus; i++)
		empty &= drain_cpu(m->cpus[i], moved);
	return empty;
}

void weir_expire_seal(struct weir_meter *m)
{
	u32 i;

	for (i = 0; i < m->ncpus; i++)
		seal_old(m->cpus[i], 0);
}
