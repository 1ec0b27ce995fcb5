// SPDX-License-Identifier: GPL-2.0
/*
 * nat - what conntrack knows of a flow's other side
 *
 * A flow's key has addresses as our hook saw them: between destination NAT and source
 * NAT where packets are forwarded, before both at LOCAL_OUT and PRE_ROUTING. The
 * connection that conntrack attached to the packet has what they were and what they
 * will be, and whichever of the two the key does not have is the other side.
 *
 * Most of the time it is there when we see the second packet. The first one of a
 * connection meets source NAT at POST_ROUTING, and where it was not even looked up yet,
 * destination NAT too; and for many flows there is no second. So a CPU remembers
 * the last few packets that started a flow, and hooks behind NAT's own complete it. These
 * exist only while NAT has hooks in the namespace: other hosts do not pay for them.
 *
 * Nothing here calls into conntrack or takes a reference: a flow copies what it needs while
 * the packet is in our hands.
 */

#include <linux/hash.h>
#include <linux/kallsyms.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/skbuff.h>
#include <linux/string.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>
#if IS_ENABLED(CONFIG_NF_CONNTRACK)
#include <net/netfilter/nf_conntrack.h>
#endif

#include "cache.h"
#include "hooks.h"
#include "meter.h"
#include "nat.h"

static struct weir_late *late_of(struct weir_cpu *c, const struct sk_buff *skb)
{
	return &c->late[hash_ptr(skb, ilog2(WEIR_NAT_LATE))];
}

#if IS_ENABLED(CONFIG_NF_CONNTRACK)

static void endpoint(const union nf_inet_addr *addr, __be16 port, u16 family, bool ports,
		     struct weir_endpoint *e)
{
	if (family == NFPROTO_IPV4)
		ipv6_addr_set_v4mapped(addr->ip, (struct in6_addr *)e->addr);
	else
		memcpy(e->addr, &addr->in6, sizeof(e->addr));
	e->port = ports ? port : 0;
}

/* Does this protocol have ports, in conntrack and in our key? */
static bool has_ports(u8 protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
		return true;
	}
	return false;
}

/* Fill in what is known of the translation of @skb. */
static void translate(struct weir_flow *flow, const struct sk_buff *skb)
{
	enum ip_conntrack_info info;
	const struct nf_conn *ct = nf_ct_get(skb, &info);
	const struct nf_conntrack_tuple *there, *back;
	struct weir_translation t;
	u16 family;
	bool ports;

	if (!ct || !(READ_ONCE(ct->status) & IPS_NAT_MASK))
		return;
	there = &ct->tuplehash[CTINFO2DIR(info)].tuple;
	back = &ct->tuplehash[!CTINFO2DIR(info)].tuple;
	/* an error about a connection is not of it; what is inside a tunnel neither */
	if (there->dst.protonum != flow->key.protocol)
		return;
	family = there->src.l3num;
	ports = has_ports(flow->key.protocol);
	endpoint(&there->src.u3, there->src.u.all, family, ports, &t.came[0]);
	endpoint(&there->dst.u3, there->dst.u.all, family, ports, &t.came[1]);
	endpoint(&back->dst.u3, back->dst.u.all, family, ports, &t.leaves[0]);
	endpoint(&back->src.u3, back->src.u.all, family, ports, &t.leaves[1]);
	weir_flow_translate(flow, &t);
}

#else

static void translate(struct weir_flow *flow, const struct sk_buff *skb)
{
}

#endif

void weir_nat_look(struct weir_cpu *c, struct weir_flow *flow, const struct sk_buff *skb)
{
	struct weir_late *late = late_of(c, skb);

	translate(flow, skb);
	late->flow = flow;
	/* pairs with the READ_ONCE() without the lock in hook_late() */
	WRITE_ONCE(late->skb, skb);
}

void weir_nat_forget(struct weir_cpu *c)
{
	unsigned int i;

	for (i = 0; i < WEIR_NAT_LATE; i++)
		WRITE_ONCE(c->late[i].skb, NULL);
}

/*
 * The packet may be another in the same memory, the flow another in the same place, or gone
 * from the table: weir_flow_translate() compares addresses, so nothing wrong comes of it.
 */
static unsigned int hook_late(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct weir_watch *w = priv;
	struct weir_late *late;
	struct weir_cpu *c;

	local_bh_disable();
	c = w->meter->by_cpu[smp_processor_id()];
	late = late_of(c, skb);
	if (unlikely(READ_ONCE(late->skb) == skb)) {
		spin_lock(&c->lock);
		if (late->skb == skb) {
			WRITE_ONCE(late->skb, NULL);
			translate(late->flow, skb);
		}
		spin_unlock(&c->lock);
	}
	local_bh_enable();
	return NF_ACCEPT;
}

#define HOOK(family, number, nat)	\
	{				\
		.hook = hook_late,	\
		.pf = (family),		\
		.hooknum = (number),	\
		.priority = (nat) + 1,	\
	}

static const struct nf_hook_ops ops[WEIR_NAT_HOOKS] = {
	HOOK(NFPROTO_IPV4, NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC),
	HOOK(NFPROTO_IPV4, NF_INET_LOCAL_IN, NF_IP_PRI_NAT_SRC),
	HOOK(NFPROTO_IPV6, NF_INET_POST_ROUTING, NF_IP6_PRI_NAT_SRC),
	HOOK(NFPROTO_IPV6, NF_INET_LOCAL_IN, NF_IP6_PRI_NAT_SRC),
};

/*
 * NAT's own hook is known by its name: a reference to the function would make this module
 * depend on NAT. Its nf_hook_ops say more, but are freed without a grace period in
 * many kernels. RCU.
 */
static bool has_nat(const struct nf_hook_entries *e)
{
	char name[KSYM_SYMBOL_LEN];
	unsigned int i;

	for (i = 0; e && i < e->num_hook_entries; i++) {
		sprint_symbol(name, (unsigned long)READ_ONCE(e->hooks[i].hook));
		if (strstarts(name, "nf_nat_ipv"))
			return true;
	}
	return false;
}

static bool is_nat_used(const struct net *net)
{
	bool used = false;

#if IS_ENABLED(CONFIG_NF_NAT)
	if (!rcu_access_pointer(nf_nat_hook))	/* NAT is not even loaded */
		return false;
	rcu_read_lock();
	used = has_nat(rcu_dereference(net->nf.hooks_ipv4[NF_INET_POST_ROUTING])) ||
	       has_nat(rcu_dereference(net->nf.hooks_ipv6[NF_INET_POST_ROUTING]));
	rcu_read_unlock();
#endif
	return used;
}

void weir_nat_follow(struct weir_watch *w)
{
	struct weir_nat *nat = &w->nat;
	const bool used = !nat->stopped && is_nat_used(w->net);
	unsigned int i;

	if (used == nat->registered)
		return;
	if (!used) {
		nf_unregister_net_hooks(w->net, nat->ops, WEIR_NAT_HOOKS);
		nat->registered = false;
		return;
	}
	memcpy(nat->ops, ops, sizeof(ops));
	for (i = 0; i < WEIR_NAT_HOOKS; i++)
		nat->ops[i].priv = w;
	/* without: flows of a single packet lack it; the next tick tries again */
	nat->registered = !nf_register_net_hooks(w->net, nat->ops, WEIR_NAT_HOOKS);
}

void weir_nat_stop(struct weir_watch *w)
{
	w->nat.stopped = true;
	weir_nat_follow(w);
}
