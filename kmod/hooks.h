/* SPDX-License-Identifier: GPL-2.0 */
/*
 * hooks - where packets are seen, each once
 *
 *	hooks.c		which hooks are in, and changing that while packets come in
 *	hooks_ip.c	routed and ingress mode: IPv4 and IPv6
 *	hooks_bridge.c	bridge mode
 *	hooks_netdev.c	netdev mode: what a packet at an interface is
 *	ports.c		netdev mode: which interfaces
 *	flowtable.c	what nftables flowtables forward
 *	sight.c		from a packet at a hook to the cache
 */
#ifndef _WEIR_HOOKS_H
#define _WEIR_HOOKS_H

#include <linux/list.h>
#include <linux/netfilter.h>
#include <linux/percpu.h>
#include <linux/xarray.h>

#include <uapi/weir.h>
#include "flowtable.h"
#include "nat.h"

struct net;
struct netlink_ext_ack;
struct weir_config;
struct weir_meter;
struct weir_watch;

#define WEIR_MODES_IP	(BIT(WEIR_MODE_ROUTED) | BIT(WEIR_MODE_INGRESS))

enum {
	WEIR_HOOKS_MAX = 10,
	WEIR_INTERFACES_MAX = 256,	/* bytes of patterns, with the 0 behind them */
};

/*
 * What is metered where. Once in force it is replaced and not changed, see hooks.c; but for
 * ports, since interfaces come and go.
 */
struct weir_plan {
	u32 modes;			/* bits 1 << enum weir_mode */
	u32 look_inside;		/* bits 1 << enum weir_tunnel */
	struct xarray ports;		/* see ports.c */
	struct weir_watch *watch;
	struct list_head list;		/* of plans with ports; under RTNL */
	struct rcu_head rcu;
	char interfaces[WEIR_INTERFACES_MAX];
};

/* One CPU's part of a watch; its own, softirqs off. */
struct weir_here {
	struct weir_plan *plan;	/* in force on this CPU */
	/* the frame that a bridge has taken last, see hooks_bridge.c */
	const void *bridge_head;	/* of its data: recognises it */
	u32 bridge_port;		/* that it came in by */
	bool bridge_counted;
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
	struct weir_flowtable flowtable;
	struct weir_nat nat;
};

/* A hook, and which modes want it (bits 1 << enum weir_mode). */
struct weir_hook {
	struct nf_hook_ops ops;
	u32 modes;
};

enum {
	WEIR_HOOKS_IP = 8,
	WEIR_HOOKS_BRIDGE = 2,
};

extern const struct weir_hook weir_hooks_ip[WEIR_HOOKS_IP];
extern const struct weir_hook weir_hooks_bridge[WEIR_HOOKS_BRIDGE];

/* The end of FORWARD: was the connection handed over to a flowtable? See flowtable.h */
unsigned int weir_hooks_ip_handed_over(void *priv, struct sk_buff *skb,
				       const struct nf_hook_state *state);

/**
 * weir_hooks_start - begin metering
 * @net: namespace to meter
 * @m: the instance that counts
 * @netns: what flows of @net have in their key
 * @config: modes and interfaces
 * @extack: for what went wrong
 *
 * Takes RTNL.
 *
 * Return: the watch, packets come in; or an error pointer.
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
 * Calls on one watch are serialised by the caller. Sleeps, takes RTNL.
 *
 * Return: 0, or an error and all is as before.
 */
int weir_hooks_change(struct weir_watch *w, const struct weir_config *config,
		      struct netlink_ext_ack *extack);

/* End metering. Packets already inside may stay until the next grace period. Takes RTNL. */
void weir_hooks_stop(struct weir_watch *w);

/* A grace period after weir_hooks_stop(). @w may be NULL. */
void weir_hooks_free(struct weir_watch *w);

/* Why this cannot be, as an error with a sentence; 0 if it can. */
int weir_hooks_check(const struct weir_config *config, struct netlink_ext_ack *extack);

#endif /* _WEIR_HOOKS_H */
