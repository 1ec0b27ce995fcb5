/* SPDX-License-Identifier: GPL-2.0 */
/* nat - what conntrack knows of a flow's other side */
#ifndef _WEIR_NAT_H
#define _WEIR_NAT_H

#include <linux/netfilter.h>

struct sk_buff;
struct weir_cpu;
struct weir_flow;
struct weir_watch;

enum {
	WEIR_NAT_HOOKS = 4,	/* POST_ROUTING, LOCAL_IN of IPv4 and IPv6 */
	WEIR_NAT_LATE = 4,
};

/* A packet that may yet be translated on its way, and the flow it was counted in. */
struct weir_late {
	const struct sk_buff *skb;	/* to recognise it by, and for nothing else */
	struct weir_flow *flow;		/* may be another by then */
};

/* Hooks that see packets after they were translated; the lock of the watch they are part of. */
struct weir_nat {
	struct nf_hook_ops ops[WEIR_NAT_HOOKS];
	bool registered;
	bool stopped;
};

/*
 * Packet path: @skb is the first packet that was counted in @flow, or the second. Take what
 * is known of its translation now, and have the rest taken later. @c is locked.
 */
void weir_nat_look(struct weir_cpu *c, struct weir_flow *flow, const struct sk_buff *skb);

/* The flows of @c are about to move in memory. @c is locked. */
void weir_nat_forget(struct weir_cpu *c);

/*
 * Now and then: have the hooks of @w while there is NAT in its namespace, and only then. The
 * caller holds what protects @w.
 */
void weir_nat_follow(struct weir_watch *w);

/* For good; a grace period before @w goes. */
void weir_nat_stop(struct weir_watch *w);

#endif /* _WEIR_NAT_H */
