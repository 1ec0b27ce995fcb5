// SPDX-License-Identifier: GPL-2.0
/* flowtable - flows whose packets an nftables flowtable forwards unseen */

#include <linux/kallsyms.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/string.h>
#include <net/net_namespace.h>

#include "flowtable.h"
#include "hooks.h"
#include "net.h"
#include "ports.h"

enum {
	/*
	 * Nobody tells us of a new flowtable. Connections that are handed over before we look
	 * are not marked.
	 */
	LOOK_MS = 1000,
};

/*
 * A flowtable's hook is known by its name alone: a reference to the function would
 * make this module depend on flowtables.
 */
static bool is_flowtable(nf_hookfn *function)
{
	char name[KSYM_SYMBOL_LEN];

	if (function == weir_netdev_ingress)
		return false;
	sprint_symbol(name, (unsigned long)function);
	return strstarts(name, "nf_flow_offload_");
}

bool weir_flowtable_at(const struct net_device *dev)
{
	bool found = false;
#ifdef CONFIG_NETFILTER_INGRESS
	const struct nf_hook_entries *hooks;
	unsigned int i;

	rcu_read_lock();
	hooks = rcu_dereference(dev->nf_hooks_ingress);
	for (i = 0; hooks && i < hooks->num_hook_entries && !found; i++)
		found = is_flowtable(READ_ONCE(hooks->hooks[i].hook));
	rcu_read_unlock();
#endif
	return found;
}

#if IS_ENABLED(CONFIG_NF_FLOW_TABLE)
static bool is_anywhere(struct net *net)
{
	const struct net_device *dev;
	bool found = false;

	rcu_read_lock();
	for_each_netdev_rcu(net, dev) {
		found = weir_flowtable_at(dev);
		if (found)
			break;
	}
	rcu_read_unlock();
	return found;
}

static void look(struct work_struct *work)
{
	struct weir_flowtable *ft = container_of(to_delayed_work(work), struct weir_flowtable,
						 look);
	struct weir_watch *w = container_of(ft, struct weir_watch, flowtable);
	const bool wanted = is_anywhere(w->net);

	if (wanted && !ft->registered)
		ft->registered = !nf_register_net_hooks(w->net, ft->ops, ARRAY_SIZE(ft->ops));
	/* and stays: connections of a flowtable that is gone are seen again anyway */
	if (!ft->registered)
		queue_delayed_work(weir_wq, &ft->look, msecs_to_jiffies(LOOK_MS));
}

void weir_flowtable_start(struct weir_watch *w)
{
	static const u8 families[] = { NFPROTO_IPV4, NFPROTO_IPV6 };
	struct weir_flowtable *ft = &w->flowtable;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(families); i++) {
		ft->ops[i].hook = weir_hooks_ip_handed_over;
		ft->ops[i].priv = w;
		ft->ops[i].pf = families[i];
		ft->ops[i].hooknum = NF_INET_FORWARD;
		ft->ops[i].priority = INT_MAX - 1;	/* behind every rule */
	}
	INIT_DEFERRABLE_WORK(&ft->look, look);
	queue_delayed_work(weir_wq, &ft->look, 0);
}

void weir_flowtable_stop(struct weir_watch *w)
{
	struct weir_flowtable *ft = &w->flowtable;

	if (!ft->look.work.func)	/* never started */
		return;
	cancel_delayed_work_sync(&ft->look);
	if (ft->registered)
		nf_unregister_net_hooks(w->net, ft->ops, ARRAY_SIZE(ft->ops));
	ft->registered = false;
}
#else
void weir_flowtable_start(struct weir_watch *w)
{
}

void weir_flowtable_stop(struct weir_watch *w)
{
}
#endif
