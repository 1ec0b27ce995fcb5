// SPDX-License-Identifier: GPL-2.0
/*
 * hooks - where packets are seen, each once
 *
 * Every IP packet of a namespace passes exactly one of FORWARD, LOCAL_IN and
 * LOCAL_OUT, with these exceptions, which are counted as skipped:
 *
 *   loopback	sent through LOCAL_OUT, comes back through LOCAL_IN
 *   looped	our own multicast or broadcast, handed back to us by the output path
 *   VRF	LOCAL_OUT runs for the VRF device and again for the port below; a route
 *		into another VRF is FORWARD to that device and then LOCAL_OUT of it
 *   bridged	br_netfilter pushes frames that are not routed through FORWARD
 *   IPVS	what came to a virtual server at LOCAL_IN or LOCAL_OUT goes on through
 *		LOCAL_OUT with another address
 *
 * Traffic inside one VRF from this host to itself shows the VRF device at
 * LOCAL_OUT both times, and is counted at LOCAL_IN.
 *
 * The priority is just after conntrack's defragmentation: before any table that
 * may drop, so what a firewall drops in FORWARD, LOCAL_IN or LOCAL_OUT is
 * metered; after destination NAT of PRE_ROUTING, before source NAT of
 * POST_ROUTING, so both directions of a translated connection have the inside
 * addresses.
 *
 * LOCAL_OUT runs in process context with softirqs on; a softirq on the same CPU
 * would wait for our lock for ever, hence local_bh_disable().
 */

#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_vlan.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <linux/ktime.h>
#include <linux/udp.h>
#include <net/ip.h>

#include "cache.h"
#include "dissect.h"
#include "expire.h"
#include "hooks.h"
#include "meter.h"

#define NOT_SKIPPED	__WEIR_SKIP_COUNT

static bool pull(const void *ctx, u32 offset, void *to, u32 n)
{
	const struct sk_buff *skb = ctx;

	return !skb_copy_bits(skb, skb_network_offset(skb) + offset, to, n);
}

/* Was this pushed into FORWARD by a bridge? Routed in from one, it was not. */
static bool is_bridged(const struct sk_buff *skb)
{
#if IS_ENABLED(CONFIG_BRIDGE_NETFILTER)
	return nf_bridge_info_exists(skb) && nf_bridge_get_physoutdev(skb);
#else
	return false;
#endif
}

/* Not ours to count? An enum weir_skip, or NOT_SKIPPED. */
static unsigned int skip_reason(const struct sk_buff *skb, const struct nf_hook_state *state)
{
	if (state->hook == NF_INET_LOCAL_OUT)
		return state->out && netif_is_l3_master(state->out) ? WEIR_SKIP_L3MASTER
								   : NOT_SKIPPED;
	if (state->in && (state->in->flags & IFF_LOOPBACK))
		return WEIR_SKIP_LOOPBACK;
	if (skb->pkt_type == PACKET_LOOPBACK)
		return WEIR_SKIP_LOOPED;
	if (state->hook == NF_INET_FORWARD && is_bridged(skb))
		return WEIR_SKIP_BRIDGED;
	if (state->hook == NF_INET_FORWARD && state->out && netif_is_l3_master(state->out))
		return WEIR_SKIP_L3MASTER;
	return NOT_SKIPPED;
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
static u32 ingress_ifindex(const struct sk_buff *skb, const struct nf_hook_state *state)
{
	if (!state->in)
		return 0;
	if (netif_is_l3_master(state->in)) {
		int port = state->pf == NFPROTO_IPV4 ? IPCB(skb)->iif : IP6CB(skb)->iif;

		if (port > 0)
			return port;
	}
	return state->in->ifindex;
}

static u16 vlan_of(const struct sk_buff *skb, const struct nf_hook_state *state)
{
	if (state->in && is_vlan_dev(state->in))
		return vlan_dev_vlan_id(state->in);
	if (skb_vlan_tag_present(skb))
		return skb_vlan_tag_get_id(skb);
	return 0;
}

static const u8 *mac_of(const struct sk_buff *skb, const struct nf_hook_state *state)
{
	const u8 *mac;

	if (!state->in || !skb->dev || skb->dev->type != ARPHRD_ETHER ||
	    !skb_mac_header_was_set(skb))
		return NULL;
	mac = skb_mac_header(skb);
	if (mac < skb->head || mac + ETH_HLEN > skb->data)
		return NULL;
	return mac;
}

/* A super-packet inside a tunnel repeats the headers down to the inner transport. */
static u32 inner_headers(const struct sk_buff *skb)
{
	u32 offset = skb_inner_transport_header(skb) - skb_network_header(skb);
	u32 at = skb_inner_transport_offset(skb);

	if (!(skb_shinfo(skb)->gso_type & (SKB_GSO_TCPV4 | SKB_GSO_TCPV6)))
		return offset + sizeof(struct udphdr);
	if (skb_inner_transport_offset(skb) < 0 ||
	    at + sizeof(struct tcphdr) > skb_headlen(skb))
		return 0;
	return offset + inner_tcp_hdrlen(skb);
}

static void frame_of(const struct sk_buff *skb, const struct nf_hook_state *state,
		     struct weir_frame *f)
{
	const struct skb_shared_info *info = skb_shinfo(skb);

	f->linear = skb_network_header(skb);
	f->linear_len = skb_headlen(skb) - skb_network_offset(skb);
	f->len = skb->len - skb_network_offset(skb);
	f->pull = pull;
	f->ctx = skb;
	f->vlan_id = vlan_of(skb, state);
	f->inner_vlan_id = 0;
	f->gso_segs = 0;
	f->gso_recount = false;
	if (likely(!info->gso_size))
		return;
	f->gso_segs = info->gso_segs;
	f->gso_size = info->gso_size;
	f->gso_headers = 0;
	/* a guest says what it likes; SCTP counts its chunks itself */
	f->gso_recount = (info->gso_type & SKB_GSO_DODGY) && info->gso_size != GSO_BY_FRAGS;
	f->gso_udp = info->gso_type & SKB_GSO_UDP_L4;
	if (skb->encapsulation && skb->inner_transport_header)
		f->gso_headers = inner_headers(skb);
	else if (info->gso_type & SKB_GSO_UDP)	/* fragments repeat the IP header alone */
		f->gso_headers = skb_network_header_len(skb);
}

static void skip(struct weir_cpu *c, unsigned int reason, const struct sk_buff *skb)
{
	c->ledger.skipped[reason].packets += max_t(u32, skb_shinfo(skb)->gso_segs, 1);
	c->ledger.skipped[reason].bytes += skb->len;
}

static void count(struct weir_cpu *c, struct sk_buff *skb, const struct nf_hook_state *state,
		  struct weir_packet *p, enum weir_observed observed)
{
	const struct weir_sight sight = {
		.out_ifindex = state->out ? state->out->ifindex : 0,
		.mark = skb->mark,
		.mac = mac_of(skb, state),
	};

	p->key.in_ifindex = ingress_ifindex(skb, state);
	p->key.where |= observed << WEIR_WHERE_OBSERVED_SHIFT;
	if (state->in && secpath_exists(skb))
		p->flags |= WEIR_FLOW_SECPATH;
	if (p->short_l4)
		c->ledger.counters[WEIR_COUNTER_SHORT_L4]++;
	weir_cache_meter(c, p, &sight, ktime_get_ns());
}

static unsigned int meter(void *priv, struct sk_buff *skb, const struct nf_hook_state *state,
			  enum weir_observed observed)
{
	unsigned int reason = skip_reason(skb, state);
	struct weir_meter *m = priv;
	struct weir_packet p;
	struct weir_frame f;
	struct weir_cpu *c;
	bool sealed;

	if (likely(reason == NOT_SKIPPED)) {
		enum weir_dissected result;

		frame_of(skb, state, &f);
		result = weir_dissect(&f, 0, &p);
		if (unlikely(result))
			reason = weir_dissected_skip(result);
		else if (is_ipvs(skb, state, &p))
			reason = WEIR_SKIP_IPVS;
	}

	local_bh_disable();
	c = m->by_cpu[smp_processor_id()];
	spin_lock(&c->lock);
	if (likely(reason == NOT_SKIPPED))
		count(c, skb, state, &p, observed);
	else
		skip(c, reason, skb);
	sealed = c->sealed;
	c->sealed = false;
	spin_unlock(&c->lock);
	if (unlikely(sealed))
		weir_expire_kick(c);
	local_bh_enable();
	return NF_ACCEPT;
}

static unsigned int hook_forward(void *priv, struct sk_buff *skb,
				 const struct nf_hook_state *state)
{
	return meter(priv, skb, state, WEIR_OBSERVED_FORWARD);
}

static unsigned int hook_local_in(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state)
{
	return meter(priv, skb, state, WEIR_OBSERVED_LOCAL_IN);
}

static unsigned int hook_local_out(void *priv, struct sk_buff *skb,
				   const struct nf_hook_state *state)
{
	return meter(priv, skb, state, WEIR_OBSERVED_LOCAL_OUT);
}

#define HOOK(function, family, number, defrag)	\
	{					\
		.hook = (function),		\
		.pf = (family),			\
		.hooknum = (number),		\
		.priority = (defrag) + 1,	\
	}

static const struct nf_hook_ops routed[WEIR_HOOKS] = {
	HOOK(hook_forward, NFPROTO_IPV4, NF_INET_FORWARD, NF_IP_PRI_CONNTRACK_DEFRAG),
	HOOK(hook_local_in, NFPROTO_IPV4, NF_INET_LOCAL_IN, NF_IP_PRI_CONNTRACK_DEFRAG),
	HOOK(hook_local_out, NFPROTO_IPV4, NF_INET_LOCAL_OUT, NF_IP_PRI_CONNTRACK_DEFRAG),
	HOOK(hook_forward, NFPROTO_IPV6, NF_INET_FORWARD, NF_IP6_PRI_CONNTRACK_DEFRAG),
	HOOK(hook_local_in, NFPROTO_IPV6, NF_INET_LOCAL_IN, NF_IP6_PRI_CONNTRACK_DEFRAG),
	HOOK(hook_local_out, NFPROTO_IPV6, NF_INET_LOCAL_OUT, NF_IP6_PRI_CONNTRACK_DEFRAG),
};

int weir_hooks_register(struct net *net, struct weir_meter *m)
{
	unsigned int i;

	/* a copy of its own: the instance is the hooks' private pointer */
	memcpy(m->hooks, routed, sizeof(routed));
	for (i = 0; i < WEIR_HOOKS; i++)
		m->hooks[i].priv = m;
	return nf_register_net_hooks(net, m->hooks, WEIR_HOOKS);
}

void weir_hooks_unregister(struct net *net, struct weir_meter *m)
{
	nf_unregister_net_hooks(net, m->hooks, WEIR_HOOKS);
}
