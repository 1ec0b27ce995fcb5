// SPDX-License-Identifier: GPL-2.0
/*
 * hooks - which hooks are in, and changing that while packets come in
 *
 * What is in force is a plan. Each CPU has a pointer to it, which every hook reads first. A
 * change makes a new plan, registers what hooks it needs in addition, has every CPU change its
 * pointer in a work of its own, unregisters what is not needed any more, and frees the old
 * plan a grace period later. Hooks at interfaces belong to one plan; those of the old one and
 * of the new one are both there for a while, and each counts where its plan is in force.
 *
 * A packet that is received goes through all its hooks in one softirq, or with softirqs off,
 * on one CPU. A work runs between two of those and never inside, so each packet sees the old
 * plan at all of its hooks or the new one at all of them: none is missed, none counted twice.
 * (But for one that waits in between: queued to user space, or for IPsec's hardware.) What a
 * process sends is seen at LOCAL_OUT in routed mode and in ingress mode; at an interface it is
 * counted a moment later, so that one packet of a process on each CPU may be missed or counted
 * twice when netdev mode is switched.
 */

#include <linux/bottom_half.h>
#include <linux/cpu.h>
#include <linux/netlink.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>
#include <net/net_namespace.h>

#include "hooks.h"
#include "meter.h"
#include "net.h"
#include "ports.h"

#define NETDEV	BIT(WEIR_MODE_NETDEV)
#define BRIDGE	BIT(WEIR_MODE_BRIDGE)

static const struct weir_hook *hook_of(unsigned int i)
{
	BUILD_BUG_ON(WEIR_HOOKS_IP + WEIR_HOOKS_BRIDGE != WEIR_HOOKS_MAX);

	return i < WEIR_HOOKS_IP ? &weir_hooks_ip[i] : &weir_hooks_bridge[i - WEIR_HOOKS_IP];
}

static bool is_wanted(unsigned int i, u32 modes)
{
	if (hook_of(i)->ops.pf == NFPROTO_BRIDGE && !IS_ENABLED(CONFIG_NETFILTER_FAMILY_BRIDGE))
		return false;
	return hook_of(i)->modes & modes;
}

/* Register what @modes want in addition to what is there. */
static int register_for(struct weir_watch *w, u32 modes, struct netlink_ext_ack *extack)
{
	unsigned int i;
	int err;

	for (i = 0; i < WEIR_HOOKS_MAX; i++) {
		if (!is_wanted(i, modes) || w->registered & BIT(i))
			continue;
		err = nf_register_net_hook(w->net, &w->ops[i]);
		if (err) {
			NL_SET_ERR_MSG_MOD(extack, "netfilter did not take the hooks");
			return err;
		}
		w->registered |= BIT(i);
	}
	return 0;
}

/* Unregister what @modes do not want. */
static void unregister_but(struct weir_watch *w, u32 modes)
{
	unsigned int i;

	for (i = 0; i < WEIR_HOOKS_MAX; i++) {
		if (is_wanted(i, modes) || !(w->registered & BIT(i)))
			continue;
		nf_unregister_net_hook(w->net, &w->ops[i]);
		w->registered &= ~BIT(i);
	}
}

static struct weir_plan *plan_new(struct weir_watch *w, const struct weir_config *config)
{
	struct weir_plan *plan = kzalloc(sizeof(*plan), GFP_KERNEL);

	if (!plan)
		return NULL;
	plan->modes = config->modes;
	plan->look_inside = config->look_inside;
	strscpy(plan->interfaces, config->interfaces, sizeof(plan->interfaces));
	xa_init(&plan->ports);
	INIT_LIST_HEAD(&plan->list);
	plan->watch = w;
	return plan;
}

/* Its ports are closed, and a grace period is over. */
static void plan_free(struct weir_plan *plan)
{
	if (!plan)
		return;
	xa_destroy(&plan->ports);
	kfree(plan);
}

static void plan_free_rcu(struct rcu_head *rcu)
{
	plan_free(container_of(rcu, struct weir_plan, rcu));
}

static bool is_same(struct weir_plan *plan, const struct weir_config *config)
{
	return plan->modes == config->modes && plan->look_inside == config->look_inside &&
	       (!(plan->modes & NETDEV) || !strcmp(plan->interfaces, config->interfaces));
}

/* On the CPU that changes over. RT kernels' softirqs are threads: they are kept out, too. */
static long change_over(void *arg)
{
	struct weir_watch *w = arg;

	local_bh_disable();
	this_cpu_write(w->here->plan, w->plan);
	local_bh_enable();
	return 0;
}

static void change_over_everywhere(struct weir_watch *w)
{
	unsigned int cpu;

	cpus_read_lock();
	for_each_possible_cpu(cpu) {
		if (cpu_online(cpu))
			work_on_cpu(cpu, change_over, w);
		else
			per_cpu_ptr(w->here, cpu)->plan = w->plan;
	}
	cpus_read_unlock();
}

int weir_hooks_check(const struct weir_config *config, struct netlink_ext_ack *extack)
{
	if (!config->modes || config->modes >> __WEIR_MODE_COUNT) {
		NL_SET_ERR_MSG_MOD(extack,
				   "MODES has a bit that this version does not know, or none");
		return -EINVAL;
	}
	if ((config->modes & WEIR_MODES_IP) == WEIR_MODES_IP) {
		NL_SET_ERR_MSG_MOD(extack,
				   "routed and ingress see the same packets: one of them only");
		return -EINVAL;
	}
	if (config->modes & BRIDGE && !IS_ENABLED(CONFIG_NETFILTER_FAMILY_BRIDGE)) {
		NL_SET_ERR_MSG_MOD(extack, "this kernel has no netfilter hooks in bridges");
		return -EOPNOTSUPP;
	}
	if (config->modes & NETDEV && !IS_ENABLED(CONFIG_NETFILTER_INGRESS)) {
		NL_SET_ERR_MSG_MOD(extack, "this kernel has no netfilter hooks at interfaces");
		return -EOPNOTSUPP;
	}
	if (config->modes & NETDEV && !*config->interfaces) {
		NL_SET_ERR_MSG_MOD(extack, "netdev needs INTERFACES: which ones");
		return -EINVAL;
	}
	return 0;
}

struct weir_watch *weir_hooks_start(struct net *net, struct weir_meter *m, u32 netns,
				    const struct weir_config *config,
				    struct netlink_ext_ack *extack)
{
	struct weir_watch *w = kzalloc(sizeof(*w), GFP_KERNEL);
	unsigned int cpu, i;
	int err = -ENOMEM;

	if (!w)
		return ERR_PTR(-ENOMEM);
	w->net = net;
	w->meter = m;
	w->netns = netns;
	for (i = 0; i < WEIR_HOOKS_MAX; i++) {
		w->ops[i] = hook_of(i)->ops;
		w->ops[i].priv = w;
	}
	w->here = alloc_percpu(struct weir_here);
	w->plan = plan_new(w, config);
	if (!w->here || !w->plan)
		goto free_watch;
	for_each_possible_cpu(cpu)
		per_cpu_ptr(w->here, cpu)->plan = w->plan;
	err = weir_ports_open(w->plan, extack);
	if (!err)
		err = register_for(w, w->plan->modes, extack);
	if (err)
		goto stop_watch;
	weir_flowtable_start(w);
	weir_nat_follow(w);
	return w;

stop_watch:
	weir_hooks_stop(w);
	synchronize_rcu();	/* packets inside the hooks */
free_watch:
	weir_hooks_free(w);
	return ERR_PTR(err);
}

int weir_hooks_change(struct weir_watch *w, const struct weir_config *config,
		      struct netlink_ext_ack *extack)
{
	struct weir_plan *old = w->plan;
	struct weir_plan *plan;
	int err;

	if (is_same(old, config))
		return 0;
	plan = plan_new(w, config);
	if (!plan)
		return -ENOMEM;
	err = weir_ports_open(plan, extack);
	if (err)
		goto free_plan;
	err = register_for(w, plan->modes, extack);
	if (err)
		goto close_ports;
	w->plan = plan;
	change_over_everywhere(w);
	unregister_but(w, plan->modes);
	weir_ports_close(old);
	call_rcu(&old->rcu, plan_free_rcu);	/* packets that still look at the old plan */
	return 0;

close_ports:
	unregister_but(w, old->modes);
	weir_ports_close(plan);
free_plan:
	call_rcu(&plan->rcu, plan_free_rcu);	/* packets that found it was not theirs */
	return err;
}

void weir_hooks_stop(struct weir_watch *w)
{
	weir_flowtable_stop(w);
	weir_nat_stop(w);
	unregister_but(w, 0);
	weir_ports_close(w->plan);
}

void weir_hooks_free(struct weir_watch *w)
{
	if (!w)
		return;
	free_percpu(w->here);
	plan_free(w->plan);
	kfree(w);
}
