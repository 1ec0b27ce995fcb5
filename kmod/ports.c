// SPDX-License-Identifier: GPL-2.0
/*
 * ports - which interfaces netdev mode meters
 *
 * An interface whose name matches is metered by hooks of its own, from when it appears or
 * gets that name until it goes, unless the same packets are metered below it already: at the
 * device of a VLAN, the ports of a bridge or a bond, the device of a macvlan. Then it is
 * covered, if all that are below it are metered or covered. A VRF is never metered itself:
 * what it takes over came by a port, and what is sent through it goes out by one.
 *
 * weir_plan.ports has, by ifindex, a struct weir_port for what is metered and a value for what is
 * covered, or passed through a VRF. Written under RTNL; the packet path reads it under RCU, to
 * tell whether what it sees is counted at an interface.
 */

#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/notifier.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/net_namespace.h>
#include <net/rtnetlink.h>

#include "hooks.h"
#include "pattern.h"
#include "ports.h"

enum {
	/* Interfaces can be stacked this deep; see MAX_NEST_DEV in the kernel. */
	DEPTH_MAX = 8,
};

static LIST_HEAD(plans);	/* under RTNL */

/* Are packets of @dev packets of what is below it as well, but for a tag? */
static bool is_transparent(const struct net_device *dev)
{
	return is_vlan_dev(dev) || netif_is_lag_master(dev) || netif_is_bridge_master(dev) ||
	       netif_is_macvlan(dev) ||
	       (dev->rtnl_link_ops && !strcmp(dev->rtnl_link_ops->kind, "ipvlan"));
}

static bool is_attached(const void *entry)
{
	return entry && !xa_is_value(entry);
}

bool weir_ports_has(struct weir_plan *plan, const struct net_device *dev)
{
	return is_attached(xa_load(&plan->ports, dev->ifindex));
}

static void hook_init(struct nf_hook_ops *ops, struct weir_port *port, struct net_device *dev,
		      unsigned int number, nf_hookfn *function)
{
	ops->hook = function;
	ops->priv = port;
	ops->dev = dev;
	ops->pf = NFPROTO_NETDEV;
	ops->hooknum = number;
	ops->priority = INT_MIN + 1;	/* a flowtable takes packets out behind us */
}

static int attach(struct weir_plan *plan, struct net_device *dev)
{
	struct weir_port *port = kzalloc(sizeof(*port), GFP_KERNEL);
	struct net *net = dev_net(dev);
	int err;

	if (!port)
		return -ENOMEM;
	port->plan = plan;
	hook_init(&port->ingress, port, dev, NF_NETDEV_INGRESS, weir_netdev_ingress);
	err = nf_register_net_hook(net, &port->ingress);
	if (err)
		goto free_port;
#ifdef WEIR_HAVE_NETDEV_EGRESS
	hook_init(&port->egress, port, dev, NF_NETDEV_EGRESS, weir_netdev_egress);
	err = nf_register_net_hook(net, &port->egress);
	if (err)
		goto unregister_ingress;
#endif
	err = xa_err(xa_store(&plan->ports, dev->ifindex, port, GFP_KERNEL));
	if (err)
		goto unregister_egress;
	return 0;

unregister_egress:
#ifdef WEIR_HAVE_NETDEV_EGRESS
	nf_unregister_net_hook(net, &port->egress);
unregister_ingress:
#endif
	nf_unregister_net_hook(net, &port->ingress);
free_port:
	kfree_rcu(port, rcu);
	return err;
}

/* Forget @ifindex, whatever it was. */
static void detach(struct weir_plan *plan, unsigned long ifindex)
{
	struct weir_port *port = xa_erase(&plan->ports, ifindex);
	struct net *net = plan->watch->net;

	if (!is_attached(port))
		return;
	nf_unregister_net_hook(net, &port->ingress);
#ifdef WEIR_HAVE_NETDEV_EGRESS
	nf_unregister_net_hook(net, &port->egress);
#endif
	kfree_rcu(port, rcu);
}

enum state { NOTHING, COVERED, PASSED = WEIR_PORT_PASSED, ATTACHED };

static enum state state_of(const void *entry)
{
	if (!entry)
		return NOTHING;
	return xa_is_value(entry) ? (enum state)xa_to_value(entry) : ATTACHED;
}

/*
 * What @dev should be. Where some of the interfaces below are metered and some are not it is
 * nothing: it would count packets of the former again.
 */
static enum state wanted(struct weir_plan *plan, struct net_device *dev)
{
	unsigned int below = 0, known = 0;
	struct net_device *lower;
	struct list_head *iter;

	if (is_transparent(dev) || netif_is_l3_master(dev)) {
		netdev_for_each_lower_dev(dev, lower, iter) {
			below++;
			known += net_eq(dev_net(lower), plan->watch->net) &&
				 xa_load(&plan->ports, lower->ifindex);
		}
	}
	if (netif_is_l3_master(dev))
		return known && known == below ? PASSED : NOTHING;
	if (known)
		return known == below ? COVERED : NOTHING;
	return weir_pattern_match(plan->interfaces, dev->name) ? ATTACHED : NOTHING;
}

static bool is_there(struct weir_plan *plan, struct net_device *dev)
{
	return dev->reg_state == NETREG_REGISTERED &&
	       __dev_get_by_index(plan->watch->net, dev->ifindex) == dev;
}

/* Make of @dev what it should be. Return: 1 if that is something else, 0, or an error. */
static int refresh(struct weir_plan *plan, struct net_device *dev)
{
	enum state want;
	int err = 0;

	if (!is_there(plan, dev))
		return 0;
	want = wanted(plan, dev);
	if (want == state_of(xa_load(&plan->ports, dev->ifindex)))
		return 0;
	detach(plan, dev->ifindex);
	if (want == ATTACHED)
		err = attach(plan, dev);
	else if (want != NOTHING)
		err = xa_err(xa_store(&plan->ports, dev->ifindex, xa_mk_value(want), GFP_KERNEL));
	return err ? err : 1;
}

/* All of them, until what is above follows what is below. */
static int refresh_all(struct weir_plan *plan)
{
	bool changed = true;
	unsigned int depth;
	int err = 0;

	for (depth = 0; changed && depth < DEPTH_MAX; depth++) {
		struct net_device *dev;

		changed = false;
		for_each_netdev(plan->watch->net, dev) {
			int result = refresh(plan, dev);

			changed |= result > 0;
			if (result < 0)
				err = result;
		}
	}
	return err;
}

/* An interface that is new mostly has nothing above it, and then nothing else changes. */
static int follow(struct weir_plan *plan, struct net_device *dev)
{
	int result = refresh(plan, dev);

	if (result > 0 && netdev_has_any_upper_dev(dev))
		result = refresh_all(plan);
	return result;
}

static void leave(struct weir_plan *plan, struct net_device *dev)
{
	detach(plan, dev->ifindex);
	if (netdev_has_any_upper_dev(dev))
		refresh_all(plan);
}

static struct net_device *upper_of(void *info)
{
	return ((struct netdev_notifier_changeupper_info *)info)->upper_dev;
}

static int device_event(struct notifier_block *nb, unsigned long event, void *info)
{
	struct net_device *dev = netdev_notifier_info_to_dev(info);
	struct weir_plan *plan;
	int err = 0;

	list_for_each_entry(plan, &plans, list) {
		if (!net_eq(plan->watch->net, dev_net(dev)))
			continue;
		switch (event) {
		case NETDEV_REGISTER:
		case NETDEV_CHANGENAME:
			err = follow(plan, dev);
			break;
		case NETDEV_CHANGEUPPER:
			err = follow(plan, upper_of(info));
			break;
		case NETDEV_UNREGISTER:
			leave(plan, dev);
			break;
		}
		if (err < 0)
			pr_warn_ratelimited("%s: not metered: error %d\n", dev->name, err);
	}
	return NOTIFY_DONE;
}

static struct notifier_block notifier = { .notifier_call = device_event };

int weir_ports_open(struct weir_plan *plan, struct netlink_ext_ack *extack)
{
	int err;

	if (!(plan->modes & BIT(WEIR_MODE_NETDEV)))
		return 0;
	rtnl_lock();
	list_add(&plan->list, &plans);
	err = refresh_all(plan);
	rtnl_unlock();
	if (err) {
		NL_SET_ERR_MSG_MOD(extack, "an interface did not take the hooks");
		weir_ports_close(plan);
	}
	return err;
}

void weir_ports_close(struct weir_plan *plan)
{
	unsigned long ifindex;
	void *entry;

	if (!(plan->modes & BIT(WEIR_MODE_NETDEV)))
		return;
	rtnl_lock();
	list_del_init(&plan->list);
	xa_for_each(&plan->ports, ifindex, entry)
		detach(plan, ifindex);
	rtnl_unlock();
}

int weir_ports_register(void)
{
	return register_netdevice_notifier(&notifier);
}

void weir_ports_unregister(void)
{
	unregister_netdevice_notifier(&notifier);
}
