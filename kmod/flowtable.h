/* SPDX-License-Identifier: GPL-2.0 */
/*
 * flowtable - flows whose packets an nftables flowtable forwards unseen
 *
 * A flowtable takes packets out at the ingress of an interface, before the IP hooks. What is
 * known is when a connection is handed over to one: by a rule in FORWARD, behind our hook.
 * So where there are flowtables we look once more at the end of FORWARD, and mark the flow.
 */
#ifndef _WEIR_FLOWTABLE_H
#define _WEIR_FLOWTABLE_H

#include <linux/netfilter.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct net_device;
struct weir_watch;

/* A watch's part in it. */
struct weir_flowtable {
	struct delayed_work look;	/* whether there are flowtables now */
	struct nf_hook_ops ops[2];	/* IPv4, IPv6 */
	bool registered;		/* look's own */
};

/* Does one forward what comes in by @dev? */
bool weir_flowtable_at(const struct net_device *dev);

/* Begin and end looking for flowtables. The latter sleeps; a grace period is due after it. */
void weir_flowtable_start(struct weir_watch *w);
void weir_flowtable_stop(struct weir_watch *w);

#endif /* _WEIR_FLOWTABLE_H */
