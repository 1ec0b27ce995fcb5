// SPDX-License-Identifier: GPL-2.0
/*
 * interfaces - which modes see the traffic of each interface, and what passes all of them by
 *
 * Nothing here is on the packet path: it looks at interfaces when asked, under RTNL.
 */

#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#include "dump.h"
#include "flowtable.h"
#include "hooks.h"
#include "meter.h"
#include "net.h"
#include "ports.h"

/* Is what comes in by @dev handed to a device above it, all of it? */
static bool is_taken(const struct net_device *dev)
{
	return netif_is_bridge_port(dev) || netif_is_ovs_port(dev) || netif_is_lag_port(dev) ||
	       netif_is_l3_master(dev);
}

static bool has_xdp(const struct net_device *dev)
{
	unsigned int mode;

	for (mode = 0; mode < __MAX_XDP_MODE; mode++)
		if (dev->xdp_state[mode].prog || dev->xdp_state[mode].link)
			return true;
	return false;
}

static u32 seen_by(struct weir_plan *plan, struct net_device *dev)
{
	const bool covered = weir_ports_cover(plan, dev->ifindex);
	u32 modes = covered ? BIT(WEIR_MODE_NETDEV) : 0;

	/* a kernel without egress hooks leaves what is sent to the others */
	if (covered && WEIR_PORT_EGRESS)
		return modes;
	if (netif_is_bridge_port(dev))
		modes |= plan->modes & BIT(WEIR_MODE_BRIDGE);
	if (!is_taken(dev))
		modes |= plan->modes & WEIR_MODES_IP;
	return modes;
}

static u32 bypass(struct weir_plan *plan, struct net_device *dev)
{
	u32 ways = has_xdp(dev) ? BIT(WEIR_BYPASS_XDP) : 0;

	if (weir_ports_cover(plan, dev->ifindex))
		return ways;
	if (rtnl_dereference(dev->rx_handler) && !netif_is_lag_port(dev) &&
	    !(netif_is_bridge_port(dev) && plan->modes & BIT(WEIR_MODE_BRIDGE)))
		ways |= BIT(WEIR_BYPASS_RX_HANDLER);
	if (weir_flowtable_at(dev))
		ways |= BIT(WEIR_BYPASS_FLOWTABLE);
	return ways;
}

static int put_interface(struct sk_buff *skb, struct netlink_callback *cb, struct weir_plan *plan,
			 struct net_device *dev)
{
	void *hdr = weir_netlink_put_header(skb, cb, WEIR_CMD_GET_INTERFACES);

	if (!hdr)
		return -EMSGSIZE;
	if (nla_put_u32(skb, WEIR_A_IFINDEX, dev->ifindex) ||
	    nla_put_string(skb, WEIR_A_IFNAME, dev->name) ||
	    nla_put_u32(skb, WEIR_A_SEEN_BY, seen_by(plan, dev)) ||
	    nla_put_u32(skb, WEIR_A_BYPASS, bypass(plan, dev))) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

/* Goes on where the message before ended, by position; as rtnetlink does. */
static void put_interfaces(struct sk_buff *skb, struct netlink_callback *cb, struct weir_net *wn,
			   struct weir_meter *m)
{
	struct net_device *dev;
	long position = 0;

	rtnl_lock();
	for_each_netdev(weir_net_of(wn), dev) {
		if (position++ < cb->args[0])
			continue;
		if (put_interface(skb, cb, m->watch->plan, dev))
			break;
		cb->args[0] = position;
	}
	rtnl_unlock();
}

int weir_interfaces_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct weir_net *wn = weir_net_get(sock_net(cb->skb->sk));
	struct weir_meter *m;

	/* the lock keeps the plan and the watch */
	mutex_lock(&wn->lock);
	m = rcu_dereference_protected(wn->meter, lockdep_is_held(&wn->lock));
	if (m)
		put_interfaces(skb, cb, wn, m);
	mutex_unlock(&wn->lock);
	if (!m) {
		NL_SET_ERR_MSG_MOD(cb->extack, "metering is off in this network namespace");
		return -ENETDOWN;
	}
	return skb->len;
}
