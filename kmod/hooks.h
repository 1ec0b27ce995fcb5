/* SPDX-License-Identifier: GPL-2.0 */
/*
 * hooks - where packets are seen, each once
 *
 *	hooks.c		which hooks are in, and changing that while packets come in
 *	hooks_ip.c	routed and ingress mode: IPv4 and IPv6
 *	sight.c		from a packet at a hook to the cache
 */
#ifndef _WEIR_HOOKS_H
#define _WEIR_HOOKS_H

#include <linux/netfilter.h>
#include <linux/percpu.h>

#include <uapi/weir.h>

struct net;
struct netlink_ext_ack;
struct weir_config;
struct weir_meter;

enum {
	WEIR_HOOKS_IP = 8,
	WEIR_HOOKS_MAX = WEIR_HOOKS_IP,
};

/* What is metered where. Not changed after it is in force but replaced, see hooks.c. */
struct weir_plan {
	u32 modes;		/* bits 1 << enum weir_mode */
	u32 look_inside;	/* bits 1 << enum weir_tunnel */
	struct rcu_head rcu;
};

/* One CPU's part of a watch. */
struct weir_here {
	const struct weir_plan *plan;	/* in force here; written by this CPU, between packets */
};

/* The hooks of one instance in one namespace. */
struct weir_watch {
	/* read by the packet path */
	struct weir_here __percpu *here;
	struct weir_meter *meter;
	u32 netns;			/* for the key; 0: the instance's own namespace */

	struct net *net;
	struct weir_plan *plan;		/* the newest; the caller's lock */
	u32 registered;			/* bits of ops[]; the caller's lock */
	struct nf_hook_ops ops[WEIR_HOOKS_MAX];
};

/* Hooks of one family: which of the modes want each of them. */
struct weir_hooks_set {
	const struct nf_hook_ops *ops;
	const u32 *modes;		/* bits 1 << enum weir_mode */
	unsigned int count;
};

extern const struct weir_hooks_set weir_hooks_ip;

/**
 * weir_hooks_start - begin metering
 * @net: namespace to meter
 * @m: the instance that counts
 * @netns: what flows of @net have in their key
 * @config: modes and interfaces
 * @extack: for what went wrong
 *
 * Return: the watch, packets come in; or an error pointer, and packets
 *	may have come in: a grace period is due before @m goes.
 */
struct weir_watch *weir_hooks_start(struct net *net, struct weir_meter *m, u32 netns,
				    const struct weir_config *config,
				    struct netlink_ext_ack *extack);

/**
 * weir_hooks_change - have a watch follow @config, without missing a packet or counting one twice
 * @w: the watch
 * @config: modes and interfaces
 * @extack: for what went wrong
 *
 * Calls on one watch are serialised by the caller. Sleeps.
 *
 * Return: 0, or an error and all is as before.
 */
int weir_hooks_change(struct weir_watch *w, const struct weir_config *config,
		      struct netlink_ext_ack *extack);

/* End metering. Packets already inside may stay until the next grace period. */
void weir_hooks_stop(struct weir_watch *w);

/* A grace period after weir_hooks_stop(). @w may be NULL. */
void weir_hooks_free(struct weir_watch *w);

/* Why these modes cannot be, as an error with a sentence; 0 if they can. */
int weir_hooks_check(const struct weir_config *config, struct netlink_ext_ack *extack);

#endif /* _WEIR_HOOKS_H */
