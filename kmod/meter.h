/* SPDX-License-Identifier: GPL-2.0 */
/*
 * meter - a running instance: everything metering in one namespace owns
 *
 * Made by weir_net_start(), freed by weir_net_stop(), reached by the packet
 * path through its hooks' private pointer and by everyone else through
 * weir_meter_get().
 */
#ifndef _WEIR_METER_H
#define _WEIR_METER_H

#include <linux/completion.h>
#include <linux/refcount.h>
#include <linux/siphash.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "cache.h"
#include "export.h"
#include "ledger.h"
#include "log.h"
#include "nat.h"
#include "sampling.h"

struct weir_fragments;
struct weir_meter;
struct weir_net;
struct weir_watch;

/* Where the expiry cursor is. Owned by the CPU's expire work, but for pass. */
struct weir_cursor {
	struct work_struct work;
	u32 next;		/* set to look at */
	u32 pass;		/* times round; under the CPU's lock */
	u64 last_ns;		/* when it last moved */
	u64 credit_ns;		/* time not yet spent on sets */
	bool log_full;		/* stopped for want of room in the log */
};

/*
 * One CPU's share. The packet path takes this lock and no other, and only its
 * own CPU's. The first line is what it reads of it, the second what it writes, and it
 * touches no other unless a flow starts or ends, or one of the rarer things is on.
 */
struct weir_cpu {
	spinlock_t lock;	/* tables, log (see there), fragments, ledger, sampler, sealed */
	bool sealed;		/* a batch was sealed since someone looked */
	bool moving;		/* flows move from old to table */
	u32 cpu;
	u32 moved;		/* sets of old that are empty for good */
	struct weir_meter *meter;
	struct weir_table table;
	struct weir_sampler sampler;

	struct weir_ledger ledger ____cacheline_aligned_in_smp;

	struct weir_late late[WEIR_NAT_LATE];
	struct weir_log log;
	struct weir_fragments *fragments;
	struct weir_table old;	/* its flows move to table; no sets when none do */
	u32 moves;		/* holds of the lock in which flows moved */
	struct weir_cursor expire;
	struct work_struct kick; /* queued by the packet path when it seals */
} ____cacheline_aligned_in_smp;

struct weir_meter {
	/* read by the packet path, not written while it runs */
	hsiphash_key_t hash_key;
	u64 active_ns;		/* timeouts: written under weir_net's lock, */
	u64 idle_ns;		/* read with READ_ONCE() */
	u64 fin_ns;
	u32 ncpus;
	struct weir_cpu **cpus;	/* those with a table, ncpus of them */
	struct weir_cpu **by_cpu; /* by CPU number, all possible; see meter_map() */

	struct weir_net *wn;
	u64 instance;		/* random, not 0 */
	u64 started_ns;
	u64 memory;		/* bytes, but for the tables: see weir_meter_memory() */
	u32 table_flows;	/* per CPU; written under weir_net's lock */
	u32 log_batches;	/* per CPU */
	struct weir_watch *watch; /* the hooks in its namespace; weir_net's lock */
	struct delayed_work tick;
	struct mutex resize_lock; /* taken by who moves flows between tables; outside stream.lock */
	struct weir_stream stream;

	refcount_t refs;
	struct completion unused; /* last reference is gone */
};

#endif /* _WEIR_METER_H */
