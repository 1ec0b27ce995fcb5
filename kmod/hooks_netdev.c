// SPDX-License-Identifier: GPL-2.0
/*
 * hooks_netdev - netdev mode: what comes in and goes out by an interface
 *
 * Each packet is counted once: when it comes in by an interface that is metered, else when it
 * goes out by one. What the IP hooks have counted, because they could not know that it would
 * go out here, is skipped; they skip what they know is counted here (hooks_ip.c). skb_iif says by
 * which interface a packet came into this namespace; tunnels and other namespaces clear it.
 *
 * Skipped are, with another reason:
 *
 *   loopback	sent through egress of the loopback device, comes back through its ingress
 *   looped	our own multicast or broadcast, handed back to us by the output path
 *   not IP	ARP, spanning tree, ...
 *
 * A PPPoE session that ends here has an interface of its own, which the IP hooks see. In
 * those modes it is left to them.
 */

#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/skbuff.h>
#include <net/dst_metadata.h>
#include <net/ip.h>
#include <net/xfrm.h>

#include "hooks.h"
#include "ports.h"
#include "sight.h"

#define INGRESS	BIT(WEIR_MODE_INGRESS)

static bool is_in_force(struct weir_plan *plan)
{
	return this_cpu_read(plan->watch->here->plan) == plan;
}

static void skip(struct weir_plan *plan, const struct sk_buff *skb, unsigned int reason)
{
	weir_sight_skip(plan->watch, skb, reason);
}

unsigned int weir_netdev_ingress(void *priv, struct sk_buff *skb,
				 const struct nf_hook_state *state)
{
	struct weir_plan *plan = ((struct weir_port *)priv)->plan;
	const struct weir_seen seen = {
		.observed = WEIR_OBSERVED_INGRESS,
		.in_ifindex = state->in->ifindex,
		.mac = weir_sight_mac(skb),
	};
	enum weir_dissected result;
	struct weir_packet p;
	struct weir_frame f;

	if (unlikely(!is_in_force(plan)))
		return NF_ACCEPT;
	if (WEIR_PORT_EGRESS && state->in->flags & IFF_LOOPBACK) {
		skip(plan, skb, WEIR_SKIP_LOOPBACK);
		return NF_ACCEPT;
	}
	if (skb->pkt_type == PACKET_LOOPBACK) {
		skip(plan, skb, WEIR_SKIP_LOOPED);
		return NF_ACCEPT;
	}
	weir_sight_frame(skb, state->in, &f);
	result = weir_dissect_frame(&f, ntohs(skb->protocol), plan->look_inside, &p);
	if (unlikely(result)) {
		skip(plan, skb, weir_dissected_skip(result));
		return NF_ACCEPT;
	}
	if (p.pppoe_session && plan->modes & WEIR_MODES_IP && skb->pkt_type == PACKET_HOST) {
		skip(plan, skb, WEIR_SKIP_OTHER_MODE);
		return NF_ACCEPT;
	}
	if (secpath_exists(skb))
		p.flags |= WEIR_FLOW_SECPATH;
	weir_sight_count(plan->watch, skb, &p, &seen);
	return NF_ACCEPT;
}

#ifdef WEIR_HAVE_NETDEV_EGRESS
/* IPsec made it out of one that came in, in the same buffer. Straight from the IP layer only. */
static bool is_wrapped(const struct sk_buff *skb, const struct net_device *dev)
{
	if (!skb_dst(skb) || skb_dst(skb)->dev != dev)
		return false;
	if (skb->protocol == htons(ETH_P_IP))
		return IPCB(skb)->flags & IPSKB_XFRM_TRANSFORMED;
	return skb->protocol == htons(ETH_P_IPV6) && IP6CB(skb)->flags & IP6SKB_XFRM_TRANSFORMED;
}

/* The interface it came into this namespace by, 0 if it was made here. */
static u32 came_by(const struct sk_buff *skb, const struct net_device *dev)
{
	return skb->skb_iif && !is_wrapped(skb, dev) ? skb->skb_iif : 0;
}

static bool is_from(const struct sk_buff *skb, const struct net_device *dev)
{
	return dev->type == ARPHRD_ETHER && skb_headlen(skb) >= ETH_HLEN &&
	       ether_addr_equal(((const struct ethhdr *)skb->data)->h_source, dev->dev_addr);
}

/*
 * Has an IP hook counted it? Those count what goes out by an interface that is not covered; in
 * ingress mode also what came in to be routed: that has a route, or had one and now the
 * address of this interface.
 */
static bool is_counted_by_ip(struct weir_plan *plan, const struct sk_buff *skb,
			     const struct net_device *dev, const struct weir_packet *p, u32 in)
{
	const struct dst_entry *dst = skb_valid_dst(skb) ? skb_dst(skb) : NULL;

	if (!(plan->modes & WEIR_MODES_IP))
		return false;
	if (p->pppoe_session)
		return is_from(skb, dev);
	if (dst && !weir_ports_cover(plan, dst->dev->ifindex))
		return true;
	return plan->modes & INGRESS && in &&
	       (dst || dev->type != ARPHRD_ETHER || is_from(skb, dev));
}

static u16 ethertype_of(const struct sk_buff *skb, const struct net_device *dev)
{
	const struct ethhdr *eth = (const struct ethhdr *)skb->data;

	if (dev->type != ARPHRD_ETHER || skb_headlen(skb) < ETH_HLEN)
		return ntohs(skb->protocol);
	return ntohs(eth->h_proto);
}

unsigned int weir_netdev_egress(void *priv, struct sk_buff *skb,
				const struct nf_hook_state *state)
{
	struct weir_plan *plan = ((struct weir_port *)priv)->plan;
	const struct weir_seen seen = {
		.observed = WEIR_OBSERVED_EGRESS,
		.in_ifindex = came_by(skb, state->out),
		.out_ifindex = state->out->ifindex,
		.mac = weir_sight_mac(skb),
	};
	enum weir_dissected result;
	struct weir_packet p;
	struct weir_frame f;

	if (unlikely(!is_in_force(plan)))
		return NF_ACCEPT;
	if (seen.in_ifindex && weir_ports_passed(plan, seen.in_ifindex)) {
		skip(plan, skb, WEIR_SKIP_OTHER_MODE);
		return NF_ACCEPT;
	}
	weir_sight_frame_sent(skb, state->out, &f);
	result = weir_dissect_frame(&f, ethertype_of(skb, state->out), plan->look_inside, &p);
	if (unlikely(result)) {
		skip(plan, skb, weir_dissected_skip(result));
		return NF_ACCEPT;
	}
	if (is_counted_by_ip(plan, skb, state->out, &p, seen.in_ifindex))
		skip(plan, skb, WEIR_SKIP_OTHER_MODE);
	else
		weir_sight_count(plan->watch, skb, &p, &seen);
	return NF_ACCEPT;
}
#endif
