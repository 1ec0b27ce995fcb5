// SPDX-License-Identifier: GPL-2.0
/*
 * cover - the initial namespace's instance metering the others, too
 *
 * Locks, outermost first: a namespace's weir_net lock, cover_lock, what the
 * hooks take. The initial namespace's instance outlives every watch that counts into
 * it: weir_cover_end() takes them all out, and those whose namespace is going away were
 * taken out under cover_lock before, so the grace period it waits for is also theirs.
 */

#include <linux/err.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <net/net_namespace.h>

#include "cover.h"
#include "hooks.h"
#include "net.h"

static DEFINE_MUTEX(cover_lock);
static LIST_HEAD(covers);		/* under cover_lock */
static struct weir_meter *covering;	/* NULL: nobody. Under cover_lock */
static struct weir_config covering_as;	/* under cover_lock */

/* Return: 0 or an error. cover_lock is held, and someone covers. */
static int cover(struct weir_cover *c, struct netlink_ext_ack *extack)
{
	struct weir_watch *w;

	if (c->own || c->watch)
		return 0;
	w = weir_hooks_start(c->net, covering, c->net->ns.inum, &covering_as, extack);
	if (IS_ERR(w))
		return PTR_ERR(w);
	c->watch = w;
	return 0;
}

/* The same where nobody is there to be told. */
static void cover_or_warn(struct weir_cover *c)
{
	if (covering && cover(c, NULL))
		pr_warn("network namespace %u is not metered: out of memory\n", c->net->ns.inum);
}

void weir_cover_init(struct weir_cover *c, struct net *net)
{
	c->net = net;
	INIT_LIST_HEAD(&c->list);
	if (net_eq(net, &init_net))	/* the one that covers */
		return;
	mutex_lock(&cover_lock);
	list_add_tail(&c->list, &covers);
	cover_or_warn(c);
	mutex_unlock(&cover_lock);
}

void weir_cover_exit(struct weir_cover *c)
{
	mutex_lock(&cover_lock);
	list_del_init(&c->list);
	if (c->watch)
		weir_hooks_stop(c->watch);
	mutex_unlock(&cover_lock);
}

void weir_cover_free(struct weir_cover *c)
{
	weir_hooks_free(c->watch);
	c->watch = NULL;
}

void weir_cover_end(void)
{
	struct weir_cover *c;

	if (!covering)
		return;
	mutex_lock(&cover_lock);
	covering = NULL;
	list_for_each_entry(c, &covers, list)
		if (c->watch)
			weir_hooks_stop(c->watch);
	synchronize_rcu();	/* packets inside the hooks, also of what left before */
	list_for_each_entry(c, &covers, list)
		weir_cover_free(c);
	mutex_unlock(&cover_lock);
}

static int begin(struct weir_meter *m, const struct weir_config *config,
		 struct netlink_ext_ack *extack)
{
	struct weir_cover *c;
	int err = 0;

	mutex_lock(&cover_lock);
	covering = m;
	covering_as = *config;
	list_for_each_entry(c, &covers, list) {
		err = cover(c, extack);
		if (err)
			break;
	}
	mutex_unlock(&cover_lock);
	if (err)
		weir_cover_end();
	return err;
}

static int follow(const struct weir_config *config, struct netlink_ext_ack *extack)
{
	struct weir_cover *c;
	int err = 0;

	mutex_lock(&cover_lock);
	list_for_each_entry(c, &covers, list) {
		if (c->watch)
			err = weir_hooks_change(c->watch, config, extack);
		if (err)
			break;
	}
	if (!err)
		covering_as = *config;
	else
		list_for_each_entry_continue_reverse(c, &covers, list)
			if (c->watch && weir_hooks_change(c->watch, &covering_as, NULL))
				pr_warn("network namespace %u has other modes: out of memory\n",
					c->net->ns.inum);
	mutex_unlock(&cover_lock);
	return err;
}

int weir_cover_apply(struct weir_meter *m, const struct weir_config *config,
		     struct netlink_ext_ack *extack)
{
	/* covering is written by callers of this alone, who are serialised */
	if (covering && config->cover)
		return follow(config, extack);
	if (config->cover)
		return begin(m, config, extack);
	weir_cover_end();
	return 0;
}

void weir_cover_follow_nat(void)
{
	struct weir_cover *c;

	mutex_lock(&cover_lock);
	list_for_each_entry(c, &covers, list)
		if (c->watch)
			weir_nat_follow(c->watch);
	mutex_unlock(&cover_lock);
}

void weir_cover_leave(struct weir_cover *c)
{
	struct weir_watch *w;

	mutex_lock(&cover_lock);
	c->own = true;
	w = c->watch;
	c->watch = NULL;
	if (w)
		weir_hooks_stop(w);
	mutex_unlock(&cover_lock);
	if (!w)
		return;
	synchronize_rcu();	/* packets inside the hooks */
	weir_hooks_free(w);
}

void weir_cover_return(struct weir_cover *c)
{
	mutex_lock(&cover_lock);
	c->own = false;
	if (!list_empty(&c->list))	/* else it is going away */
		cover_or_warn(c);
	mutex_unlock(&cover_lock);
}
