/* SPDX-License-Identifier: GPL-2.0 */
/* net - metering in one network namespace: switched on, configured, switched off */
#ifndef _WEIR_NET_H
#define _WEIR_NET_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>

#include <uapi/weir.h>
#include "cover.h"
#include "hooks.h"
#include "ledger.h"

struct net;
struct netlink_ext_ack;
struct weir_meter;
struct weir_table;
struct workqueue_struct;

enum {
	WEIR_TIMEOUT_MS_MIN = 100,
	WEIR_TIMEOUT_MS_MAX = 24 * 60 * 60 * 1000,	/* a day */
	WEIR_LOG_BATCHES_MIN = 2,
	WEIR_LOG_BATCHES_MAX = 65536,
};

struct weir_config {
	u32 modes;		/* bits 1 << enum weir_mode */
	u32 look_inside;	/* bits 1 << enum weir_tunnel */
	char interfaces[WEIR_INTERFACES_MAX];	/* patterns */
	u32 active_timeout_ms;
	u32 idle_timeout_ms;
	u32 fin_timeout_ms;
	u32 table_flows;	/* per CPU, a power of two */
	u32 log_batches;	/* per CPU, a power of two */
	u32 sampling;		/* one packet of so many; 0 or 1: all */
	u32 sampling_method;	/* enum weir_sampling */
	bool cover;		/* other namespaces too */
};

struct weir_net {
	struct mutex lock;	/* config, start and stop */
	struct weir_config config;
	struct weir_meter __rcu *meter;	/* NULL: off. Written under lock */
	struct weir_ledger last_ledger;	/* of the instance that ended; lock */
	u64 last_instance;		/* lock */
	u64 noticed_ns[WEIR_NOTICE_LOG_FULL + 1]; /* under notice_lock */
	spinlock_t notice_lock;
	struct net *net;
	struct weir_cover cover; /* by the initial namespace's instance; see there */
	struct list_head list;		/* all of them; under nets_lock */
};

/* Defaults of new namespaces, from the module's parameters. */
struct weir_defaults {
	unsigned int table_flows;	/* 0: by the size of the machine */
	unsigned int log_batches;
	unsigned int active_timeout_ms;
	unsigned int idle_timeout_ms;
	unsigned int fin_timeout_ms;
};

/* Unbound: ticks, numbering and sending. */
extern struct workqueue_struct *weir_wq;
/* Bound: what has to run where its table is. */
extern struct workqueue_struct *weir_percpu_wq;

/* Check @defaults, fill in what is 0, then take part in every namespace. */
int weir_net_register(const struct weir_defaults *defaults);
void weir_net_unregister(void);

/* Switch metering off everywhere, for good; the netlink family still answers. */
void weir_net_stop_all(void);

struct weir_net *weir_net_get(struct net *net);
struct net *weir_net_of(const struct weir_net *wn);

/* Switch metering on or off. @wn is locked. Off twice is no error. */
int weir_net_start(struct weir_net *wn, struct netlink_ext_ack *extack);
void weir_net_stop(struct weir_net *wn);

/* Have the running instance follow @wn's timeouts. @wn is locked. */
void weir_net_apply_timeouts(struct weir_net *wn);

/*
 * The same for what is metered where; @before is what it follows now. Return: 0, or
 * an error with a sentence and all is as before.
 */
int weir_net_apply_modes(struct weir_net *wn, const struct weir_config *before,
			 struct netlink_ext_ack *extack);

/* The same for sampling: each CPU changes between two packets. */
void weir_net_apply_sampling(struct weir_net *wn);

/*
 * Tables of another size for the running instance: what may fail first, then, with
 * @use or not, the rest. @wn is locked from one to the other.
 */
struct weir_table *weir_net_prepare_tables(struct weir_net *wn, u32 flows,
					   struct netlink_ext_ack *extack);
void weir_net_apply_tables(struct weir_net *wn, struct weir_table *tables, bool use);

/* Every tick, unless somebody changes @wn: adapt to what others changed in the namespace. */
void weir_net_follow(struct weir_net *wn);

/* The running instance, NULL when off; to be put back. */
struct weir_meter *weir_meter_get(struct weir_net *wn);
void weir_meter_put(struct weir_meter *m);

/* Bytes that @m holds now. */
u64 weir_meter_memory(struct weir_meter *m);

/* Tell the group, unless the same was told less than a second ago. Process context. */
void weir_net_notice(struct weir_net *wn, enum weir_notice notice, u64 instance);

#endif /* _WEIR_NET_H */
