// SPDX-License-Identifier: GPL-2.0
/*
 * hooks_ip - routed and ingress mode: IPv4 and IPv6
 *
 * routed: every IP packet of a namespace passes exactly one of FORWARD, LOCAL_IN and
 * LOCAL_OUT. ingress: exactly one of PRE_ROUTING and LOCAL_OUT, also what routing will
 * drop. With these exceptions, which are counted as skipped:
 *
 *   loopback	sent through LOCAL_OUT, comes back through PRE_ROUTING and LOCAL_IN
 *   looped	our own multicast or broadcast, handed back to us by the output path
 *   VRF	PRE_ROUTING runs for the port and again for the VRF device above, LOCAL_OUT for the
 *		VRF device and again for the port; a route into another VRF is FORWARD to that
 *		device and then LOCAL_OUT of it
 *   bridged	br_netfilter pushes frames that are not routed through PRE_ROUTING and FORWARD
 *   IPVS	what came to a virtual server at LOCAL_IN or LOCAL_OUT goes on through
 *		LOCAL_OUT with another address
 *
 * Traffic inside one VRF from this host to itself shows the VRF device at
 * LOCAL_OUT both times, and is counted when it comes in.
 *
 * A datagram that multicast routing sends out of several interfaces passes FORWARD for each, and
 * LOCAL_IN if we are listening too: routed counts each, ingress one.
 *
 * The priority is just after conntrack's defragmentation: before any table that
 * may drop, so what a firewall drops there is metered. In routed mode it is after destination
 * NAT of PRE_ROUTING and before source NAT of POST_ROUTING, so both directions of a
 * translated connection have the inside addresses.
 */

#include <linux/if_vlan.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/skbuff.h>
#include <net/ip.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/xfrm.h>

#include "hooks.h"
#include "ports.h"
#include "sight.h"

#define ROUTED	BIT(WEIR_MODE_ROUTED)
#define INGRESS	BIT(WEIR_MODE_INGRESS)
#define BRIDGE	BIT(WEIR_MODE_BRIDGE)
#define NETDEV	BIT(WEIR_MODE_NETDEV)

/* Was this pushed into FORWARD by a bridge? Routed in from one, it was not. */
static bool is_bridged(const struct sk_buff *skb)
{
#if IS_ENABLED(CONFIG_BRIDGE_NETFILTER)
	return nf_bridge_info_exists(skb) && nf_bridge_get_physoutdev(skb);
#else
	return false;
#endif
}

/*
 * The same at PRE_ROUTING, before it is decided. br_netfilter shows each frame here with the
 * bridge as its device, and has it skip PRE_ROUTING when it comes to be routed:
 * this is the only sight of what is for the host. That is what has its
 * address or is for many. In a VRF it comes here again all the same.
 */
static bool is_being_bridged(const struct sk_buff *skb)
{
#if IS_ENABLED(CONFIG_BRIDGE_NETFILTER)
	const struct nf_bridge_info *info = nf_bridge_info_get(skb);

	return info && (info->pkt_otherhost || !info->in_prerouting);
#else
	return false;
#endif
}

/* Sent by a socket, and handed back to us. */
static unsigned int skip_returned(const struct sk_buff *skb, const struct nf_hook_state *state)
{
	if (state->in && (state->in->flags & IFF_LOOPBACK))
		return WEIR_SKIP_LOOPBACK;
	if (skb->pkt_type == PACKET_LOOPBACK)
		return WEIR_SKIP_LOOPED;
	return WEIR_NOT_SKIPPED;
}

/* Not ours to count? An enum weir_skip, or WEIR_NOT_SKIPPED. */
static unsigned int skip_received(const struct sk_buff *skb, const struct nf_hook_state *state)
{
	unsigned int reason = skip_returned(skb, state);

	if (reason != WEIR_NOT_SKIPPED || state->hook != NF_INET_FORWARD)
		return reason;
	if (is_bridged(skb))
		return WEIR_SKIP_BRIDGED;
	if (state->out && netif_is_l3_master(state->out))
		return WEIR_SKIP_L3MASTER;
	return WEIR_NOT_SKIPPED;
}

static unsigned int skip_arriving(const struct sk_buff *skb, const struct nf_hook_state *state)
{
	/* looped inside a VRF: LOCAL_OUT has left it to us */
	if (state->in && netif_is_l3_master(state->in))
		return skb->pkt_type == PACKET_LOOPBACK ? WEIR_NOT_SKIPPED : WEIR_SKIP_L3MASTER;
	if (is_being_bridged(skb))
		return WEIR_SKIP_BRIDGED;
	return skip_returned(skb, state);
}

static unsigned int skip_sent(const struct sk_buff *skb, const struct nf_hook_state *state,
			      u32 modes)
{
	if (state->out && netif_is_l3_master(state->out))
		return WEIR_SKIP_L3MASTER;
	/* came in, and was routed into another VRF: PRE_ROUTING has counted it */
	if (modes & INGRESS && skb->skb_iif && skb->dev && netif_is_l3_master(skb->dev))
		return WEIR_SKIP_L3MASTER;
	return WEIR_NOT_SKIPPED;
}

/*
 * Did IPVS send this on? What it wraps in a tunnel is a flow of its own and
 * inherits the mark: only a transport protocol without a tunnel around it counts.
 */
static bool is_ipvs(const struct sk_buff *skb, const struct nf_hook_state *state,
		    const struct weir_packet *p)
{
#if IS_ENABLED(CONFIG_IP_VS)
	if (likely(!skb->ipvs_property) || state->hook != NF_INET_LOCAL_OUT || skb->encapsulation)
		return false;
	switch (p->key.protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return true;
	}
#endif
	return false;
}

/* The port a packet came in by: the one below when a VRF took it over. */
static const struct net_device *ingress_device(const struct sk_buff *skb,
					       const struct nf_hook_state *state)
{
	const struct net_device *port = NULL;

	if (!state->in || likely(!netif_is_l3_master(state->in)))
		return state->in;
	if (state->hook != NF_INET_PRE_ROUTING)
		port = dev_get_by_index_rcu(state->net, state->pf == NFPROTO_IPV4 ?
					    IPCB(skb)->iif : IP6CB(skb)->iif);
	return port ? port : state->in;
}

/*
 * Transport mode IPsec: what came in by the interface was something else. (A packet in
 * tunnel mode is received again, by the same interface.)
 */
static bool was_wrapped(const struct sk_buff *skb)
{
#ifdef CONFIG_XFRM
	const struct sec_path *sp = skb_sec_path(skb);

	return sp && sp->len && sp->xvec[sp->len - 1]->props.mode == XFRM_MODE_TRANSPORT;
#else
	return false;
#endif
}

static bool will_be_wrapped(const struct sk_buff *skb)
{
	return skb_dst(skb) && dst_xfrm(skb_dst(skb));
}

/* Is it counted in another of the modes in force? */
static bool is_counted_elsewhere(const struct weir_watch *w, struct weir_plan *plan,
				 const struct sk_buff *skb, const struct nf_hook_state *state)
{
	const struct net_device *in = ingress_device(skb, state);
	const struct weir_here *here = raw_cpu_ptr(w->here);
	u32 port = in ? in->ifindex : 0;

	if (in && netif_is_bridge_master(in) && here->bridge_head == skb->head) {
		if (plan->modes & BRIDGE && here->bridge_counted)
			return true;
		port = here->bridge_port;
	}
	if (!(plan->modes & NETDEV))
		return false;
	if (port && weir_ports_cover(plan, port) && !was_wrapped(skb))
		return true;
	return state->out && weir_ports_cover_sent(plan, state->out->ifindex) &&
	       !will_be_wrapped(skb);
}

/* br_netfilter shows PRE_ROUTING what is for many, and then the bridge forwards it. */
static void note_counted(struct weir_watch *w, const struct sk_buff *skb)
{
	struct weir_here *here = raw_cpu_ptr(w->here);

	if (here->bridge_head == skb->head)
		here->bridge_counted = true;
}

/* Read @skb. Return: WEIR_NOT_SKIPPED, or the reason why it is skipped. */
static unsigned int packet_of(struct weir_plan *plan, const struct sk_buff *skb,
			      const struct nf_hook_state *state, struct weir_seen *seen,
			      struct weir_packet *p)
{
	const struct net_device *in = ingress_device(skb, state);
	enum weir_dissected result;
	struct weir_frame f UNINITIALIZED;

	seen->in_ifindex = in ? in->ifindex : 0;
	seen->out_ifindex = state->out ? state->out->ifindex : 0;
	seen->mac = in ? weir_sight_mac(skb) : NULL;
	weir_sight_frame(skb, in, &f);
	result = weir_dissect(&f, plan->look_inside, p);
	if (unlikely(result))
		return weir_dissected_skip(result);
	if (is_ipvs(skb, state, p))
		return WEIR_SKIP_IPVS;
	if (in && secpath_exists(skb))
		p->flags |= WEIR_FLOW_SECPATH;
	return WEIR_NOT_SKIPPED;
}

static void meter(struct weir_watch *w, struct weir_plan *plan, const struct sk_buff *skb,
		  const struct nf_hook_state *state, enum weir_observed observed)
{
	struct weir_seen seen = { .observed = observed };
	struct weir_packet p UNINITIALIZED;
	unsigned int reason = packet_of(plan, skb, state, &seen, &p);

	if (likely(reason == WEIR_NOT_SKIPPED))
		weir_sight_count(w, skb, &p, &seen);
	else
		weir_sight_skip(w, skb, reason);
}

unsigned int weir_hooks_ip_handed_over(void *priv, struct sk_buff *skb,
				       const struct nf_hook_state *state)
{
#if IS_ENABLED(CONFIG_NF_FLOW_TABLE)
	struct weir_watch *w = priv;
	struct weir_plan *plan = this_cpu_read(w->here->plan);
	struct weir_seen seen = { .observed = WEIR_OBSERVED_FORWARD };
	enum ip_conntrack_info info;
	struct nf_conn *ct = nf_ct_get(skb, &info);
	struct weir_packet p;

	if (likely(!ct || !test_bit(IPS_OFFLOAD_BIT, &ct->status)) || !(plan->modes & ROUTED) ||
	    skip_received(skb, state) != WEIR_NOT_SKIPPED)
		return NF_ACCEPT;
	if (packet_of(plan, skb, state, &seen, &p) == WEIR_NOT_SKIPPED)
		weir_sight_mark(w, &p, &seen, WEIR_FLOW_PARTIAL);
#endif
	return NF_ACCEPT;
}

static unsigned int hook(void *priv, const struct sk_buff *skb, const struct nf_hook_state *state,
			 enum weir_observed observed)
{
	struct weir_watch *w = priv;
	struct weir_plan *plan = this_cpu_read(w->here->plan);
	unsigned int reason;

	switch (state->hook) {
	case NF_INET_PRE_ROUTING:
		if (unlikely(!(plan->modes & INGRESS)))
			return NF_ACCEPT;
		reason = skip_arriving(skb, state);
		break;
	case NF_INET_LOCAL_OUT:
		if (unlikely(!(plan->modes & WEIR_MODES_IP)))
			return NF_ACCEPT;
		reason = skip_sent(skb, state, plan->modes);
		break;
	default:
		if (unlikely(!(plan->modes & ROUTED)))
			return NF_ACCEPT;
		reason = skip_received(skb, state);
	}
	if (unlikely(plan->modes & (BRIDGE | NETDEV))) {
		if (reason == WEIR_NOT_SKIPPED && is_counted_elsewhere(w, plan, skb, state))
			reason = WEIR_SKIP_OTHER_MODE;
		if (reason == WEIR_SKIP_BRIDGED && plan->modes & BRIDGE)
			reason = WEIR_SKIP_OTHER_MODE;
	}
	if (likely(reason == WEIR_NOT_SKIPPED)) {
		if (unlikely(plan->modes & BRIDGE && state->hook == NF_INET_PRE_ROUTING))
			note_counted(w, skb);
		meter(w, plan, skb, state, observed);
	} else {
		weir_sight_skip(w, skb, reason);
	}
	return NF_ACCEPT;
}

#define HOOK_FUNCTION(name, observed)							\
static unsigned int hook_##name(void *priv, struct sk_buff *skb,			\
				const struct nf_hook_state *state)			\
{											\
	return hook(priv, skb, state, observed);					\
}

HOOK_FUNCTION(pre_routing, WEIR_OBSERVED_PRE_ROUTING)
HOOK_FUNCTION(forward, WEIR_OBSERVED_FORWARD)
HOOK_FUNCTION(local_in, WEIR_OBSERVED_LOCAL_IN)
HOOK_FUNCTION(local_out, WEIR_OBSERVED_LOCAL_OUT)

#define HOOK(function, family, number, defrag, wanted)	\
	{						\
		.ops = {				\
			.hook = (function),		\
			.pf = (family),			\
			.hooknum = (number),		\
			.priority = (defrag) + 1,	\
		},					\
		.modes = (wanted),			\
	}
#define HOOK4(function, number, wanted)	\
	HOOK(function, NFPROTO_IPV4, number, NF_IP_PRI_CONNTRACK_DEFRAG, wanted)
#define HOOK6(function, number, wanted)	\
	HOOK(function, NFPROTO_IPV6, number, NF_IP6_PRI_CONNTRACK_DEFRAG, wanted)

const struct weir_hook weir_hooks_ip[WEIR_HOOKS_IP] = {
	HOOK4(hook_pre_routing, NF_INET_PRE_ROUTING, INGRESS),
	HOOK4(hook_forward, NF_INET_FORWARD, ROUTED),
	HOOK4(hook_local_in, NF_INET_LOCAL_IN, ROUTED),
	HOOK4(hook_local_out, NF_INET_LOCAL_OUT, ROUTED | INGRESS),
	HOOK6(hook_pre_routing, NF_INET_PRE_ROUTING, INGRESS),
	HOOK6(hook_forward, NF_INET_FORWARD, ROUTED),
	HOOK6(hook_local_in, NF_INET_LOCAL_IN, ROUTED),
	HOOK6(hook_local_out, NF_INET_LOCAL_OUT, ROUTED | INGRESS),
};
