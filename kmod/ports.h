/* SPDX-License-Identifier: GPL-2.0 */
/* ports - which interfaces netdev mode meters */
#ifndef _WEIR_PORTS_H
#define _WEIR_PORTS_H

#include <linux/netfilter.h>
#include <linux/rcupdate.h>
#include <linux/xarray.h>

#include "hooks.h"

struct net_device;
struct netlink_ext_ack;
struct weir_plan;

#ifdef WEIR_HAVE_NETDEV_EGRESS
#define WEIR_PORT_EGRESS true
#else
#define WEIR_PORT_EGRESS false
#endif

/* An interface that is metered. */
struct weir_port {
	struct nf_hook_ops ingress;
	struct nf_hook_ops egress;
	struct weir_plan *plan;
	struct rcu_head rcu;
};

/* The functions of the hooks, hooks_netdev.c */
unsigned int weir_netdev_ingress(void *priv, struct sk_buff *skb,
				 const struct nf_hook_state *state);
unsigned int weir_netdev_egress(void *priv, struct sk_buff *skb,
				const struct nf_hook_state *state);

/* In plan->ports for a VRF all of whose ports are metered or covered. */
#define WEIR_PORT_PASSED	2

/* Is what comes in by this interface metered there or below? */
static inline bool weir_ports_cover(struct weir_plan *plan, u32 ifindex)
{
	void *entry = plan->modes & BIT(WEIR_MODE_NETDEV) ? xa_load(&plan->ports, ifindex) : NULL;

	return entry && entry != xa_mk_value(WEIR_PORT_PASSED);
}

/* The same for skb_iif of what goes out: a VRF puts its own number in place of the port's. */
static inline bool weir_ports_passed(struct weir_plan *plan, u32 ifindex)
{
	return plan->modes & BIT(WEIR_MODE_NETDEV) && xa_load(&plan->ports, ifindex);
}

/* The same for what goes out by it. */
static inline bool weir_ports_cover_sent(struct weir_plan *plan, u32 ifindex)
{
	return WEIR_PORT_EGRESS && weir_ports_cover(plan, ifindex);
}

/* Is it metered at @dev itself? Under RTNL or RCU. */
bool weir_ports_has(struct weir_plan *plan, const struct net_device *dev);

/* Meter all that @plan->interfaces means, also what appears later. Takes RTNL. */
int weir_ports_open(struct weir_plan *plan, struct netlink_ext_ack *extack);

/* Take all hooks out; packets may be inside until a grace period is over. Takes RTNL. */
void weir_ports_close(struct weir_plan *plan);

int weir_ports_register(void);
void weir_ports_unregister(void);

#endif /* _WEIR_PORTS_H */
