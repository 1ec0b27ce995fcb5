// SPDX-License-Identifier: GPL-2.0
/*
 * hooks - which hooks are in, and changing that while packets come in
 *
 * What is in force is a plan. Each CPU has a pointer to it, which every hook reads first. A change makes a
 * new plan, registers what hooks it needs in addition, has every CPU change its
 * pointer in a work of its own, unregisters what is not needed any more, and
 * frees the old plan a grace period later.
 *
 * A packet that is received goes through all its hooks in one softirq, or with
 * softirqs off, on one CPU. A work runs between two of those and never inside, so
 * each packet sees the old plan at all of its hooks or the new one at all of
 * them: none is missed, none counted twice. (But for one that waits in
 * between: queued to user space, or for IPsec's hardware.) What a process sends is seen at
 * LOCAL_OUT, which is there in both of the modes.
 */

#include <linux/bottom_half.h>
#include <linux/cpu.h>
#include <linux/netlink.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <net/net_namespace.h>

#include "hooks.h"
#include "meter.h"
#include "net.h"

#define BOTH	(1 << WEIR_MODE_ROUTED | 1 << WEIR_MODE_INGRESS)
#define KNOWN	BOTH

static u32 wanted_by(unsigned int i)
{
	return weir_hooks_ip.modes[i];
}

static int register_for(struct weir_watch *w, u32 modes)
{
	unsigned int i;
	int err;

	for (i = 0; i < WEIR_HOOKS_MAX; i++) {
		if (!(wanted_by(i) & modes) || w->registered & BIT(i))
			continue;
		err = nf_register_net_hook(w->net, &w->ops[i]);
		if (err)
			return err;
		w->registered |= BIT(i);
	}
	return 0;
}

/* Unregister what none of @modes wants. */
static void unregister_but(struct weir_watch *w, u32 modes)
{
	unsigned int i;

	for (i = 0; i < WEIR_HOOKS_MAX; i++) {
		if (wanted_by(i) & modes || !(w->registered & BIT(i)))
			continue;
		nf_unregister_net_hook(w->net, &w->ops[i]);
		w->registered &= ~BIT(i);
	}
}

static struct weir_plan *plan_new(const struct weir_config *config)
{
	struct weir_plan *plan = kzalloc(sizeof(*plan), GFP_KERNEL);

	if (!plan)
		return NULL;
	plan->modes = config->modes;
	plan->look_inside = config->look_inside;
	return plan;
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
	if (!config->modes || config->modes & ~KNOWN) {
		NL_SET_ERR_MSG_MOD(extack, "MODES has a bit that this version does not know, or none");
		return -EINVAL;
	}
	if ((config->modes & BOTH) == BOTH) {
		NL_SET_ERR_MSG_MOD(extack,
				   "routed and ingress see the same packets: one of them only");
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
		w->ops[i] = weir_hooks_ip.ops[i];
		w->ops[i].priv = w;
	}
	w->here = alloc_percpu(struct weir_here);
	w->plan = plan_new(config);
	if (!w->here || !w->plan)
		goto free_watch;
	for_each_possible_cpu(cpu)
		per_cpu_ptr(w->here, cpu)->plan = w->plan;
	err = register_for(w, w->plan->modes);
	if (err) {
		NL_SET_ERR_MSG_MOD(extack, "netfilter did not take the hooks");
		goto stop_watch;
	}
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

	if (config->modes == old->modes && config->look_inside == old->look_inside)
		return 0;
	plan = plan_new(config);
	if (!plan)
		return -ENOMEM;
	err = register_for(w, plan->modes);
	if (err) {
		NL_SET_ERR_MSG_MOD(extack, "netfilter did not take the hooks");
		unregister_but(w, old->modes);
		kfree(plan);
		return err;
	}
	w->plan = plan;
	change_over_everywhere(w);
	unregister_but(w, plan->modes);
	kfree_rcu(old, rcu);
	return 0;
}

void weir_hooks_stop(struct weir_watch *w)
{
	unregister_but(w, 0);
}

void weir_hooks_free(struct weir_watch *w)
{
	if (!w)
		return;
	free_percpu(w->here);
	kfree(w->plan);
	kfree(w);
}
