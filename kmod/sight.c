// SPDX-License-Identifier: GPL-2.0
/*
 * sight - from a packet at a hook to the cache
 *
 * LOCAL_OUT runs in process context with softirqs on; a softirq on the same CPU
 * would wait for our lock for ever, hence local_bh_disable().
 */

#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_vlan.h>
#include <linux/ktime.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/ip.h>

#include "cache.h"
#include "expire.h"
#include "fragments.h"
#include "hooks.h"
#include "meter.h"
#include "sight.h"

static bool pull(const void *ctx, u32 offset, void *to, u32 n)
{
	const struct sk_buff *skb = ctx;

	return !skb_copy_bits(skb, skb_network_offset(skb) + offset, to, n);
}

/* The same behind an Ethernet header that is still there. */
static bool pull_sent(const void *ctx, u32 offset, void *to, u32 n)
{
	const struct sk_buff *skb = ctx;

	return !skb_copy_bits(skb, ETH_HLEN + offset, to, n);
}

/* A packet is at the innermost device of a stack; the key has the two outermost tags. */
static void vlans_of(const struct sk_buff *skb, const struct net_device *dev, struct weir_frame *f)
{
	f->vlan_id = 0;
	f->inner_vlan_id = 0;
#if IS_ENABLED(CONFIG_VLAN_8021Q)
	for (; dev && is_vlan_dev(dev); dev = vlan_dev_priv(dev)->real_dev) {
		f->inner_vlan_id = f->vlan_id;
		f->vlan_id = vlan_dev_priv(dev)->vlan_id;
	}
#endif
	if (!f->vlan_id && skb_vlan_tag_present(skb))
		f->vlan_id = skb_vlan_tag_get_id(skb);
}

const u8 *weir_sight_mac(const struct sk_buff *skb)
{
	const u8 *mac;

	if (!skb->dev || skb->dev->type != ARPHRD_ETHER || !skb_mac_header_was_set(skb))
		return NULL;
	mac = skb_mac_header(skb);
	if (mac < skb->head || mac + ETH_HLEN > skb_tail_pointer(skb))
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

/* Describe @skb from @base on, an offset from its data that @pull knows too. */
static void describe(const struct sk_buff *skb, int base, const struct net_device *dev,
		     struct weir_frame *f)
{
	const struct skb_shared_info *info = skb_shinfo(skb);

	f->linear = skb->data + base;
	f->linear_len = (int)skb_headlen(skb) > base ? skb_headlen(skb) - base : 0;
	f->len = (int)skb->len > base ? skb->len - base : 0;
	f->ctx = skb;
	vlans_of(skb, dev, f);
	f->gso_segs = 0;
	f->gso_recount = false;
	if (likely(!info->gso_size))
		return;
	f->gso_segs = info->gso_segs;
	f->gso_size = info->gso_size;
	f->gso_headers = 0;
	f->gso_udp = info->gso_type & SKB_GSO_UDP_L4;
	/* a guest says what it likes; SCTP counts its chunks itself */
	f->gso_recount = (info->gso_type & SKB_GSO_DODGY) && info->gso_size != GSO_BY_FRAGS;
	if (skb->encapsulation && skb->inner_transport_header)
		f->gso_headers = inner_headers(skb);
	else if (info->gso_type & SKB_GSO_UDP)	/* fragments repeat the IP header alone */
		f->gso_headers = skb_network_header_len(skb);
	if (f->gso_headers)
		f->gso_headers += skb_network_offset(skb) - base;
}

void weir_sight_frame(const struct sk_buff *skb, const struct net_device *dev,
		      struct weir_frame *f)
{
	f->pull = pull;
	describe(skb, skb_network_offset(skb), dev, f);
}

void weir_sight_frame_sent(const struct sk_buff *skb, const struct net_device *dev,
			   struct weir_frame *f)
{
	if (dev->type != ARPHRD_ETHER) {
		weir_sight_frame(skb, dev, f);
		return;
	}
	f->pull = pull_sent;
	describe(skb, ETH_HLEN, dev, f);
}

void weir_sight_skip(struct weir_watch *w, const struct sk_buff *skb, unsigned int reason)
{
	struct weir_cpu *c;

	local_bh_disable();
	c = w->meter->by_cpu[smp_processor_id()];
	spin_lock(&c->lock);
	c->ledger.skipped[reason].packets += max_t(u32, skb_shinfo(skb)->gso_segs, 1);
	c->ledger.skipped[reason].bytes += skb->len;
	spin_unlock(&c->lock);
	local_bh_enable();
}

static void complete_key(const struct weir_watch *w, const struct weir_seen *seen,
			 struct weir_key *key)
{
	key->in_ifindex = seen->in_ifindex;
	key->netns = w->netns;
	key->where |= seen->observed << WEIR_WHERE_OBSERVED_SHIFT;
}

void weir_sight_mark(struct weir_watch *w, struct weir_packet *p, const struct weir_seen *seen,
		     u16 flags)
{
	struct weir_cpu *c;

	complete_key(w, seen, &p->key);
	local_bh_disable();
	c = w->meter->by_cpu[smp_processor_id()];
	spin_lock(&c->lock);
	weir_cache_mark(c, &p->key, flags);
	spin_unlock(&c->lock);
	local_bh_enable();
}

void weir_sight_count(struct weir_watch *w, const struct sk_buff *skb, struct weir_packet *p,
		      const struct weir_seen *seen)
{
	struct weir_sight sight;
	struct weir_flow *flow;
	struct weir_cpu *c;
	bool sealed;
	u32 hash;
	u64 now;

	complete_key(w, seen, &p->key);

	local_bh_disable();
	c = w->meter->by_cpu[smp_processor_id()];
	spin_lock(&c->lock);
	if (unlikely(p->flags & WEIR_FLOW_FRAGMENTS))
		weir_fragments_ports(c, p, ktime_get_ns());
	hash = weir_cache_hash(c, p);
	now = ktime_get_ns();	/* and the rest, while memory answers */
	if (unlikely(p->short_l4))
		c->ledger.counters[WEIR_COUNTER_SHORT_L4]++;
	sight.out_ifindex = seen->out_ifindex;
	sight.mark = skb->mark;
	sight.mac = seen->mac;
	flow = weir_cache_count(c, p, &sight, hash, now);
	if (unlikely(flow))
		weir_nat_look(c, flow, skb);
	sealed = c->sealed;
	c->sealed = false;
	spin_unlock(&c->lock);
	if (unlikely(sealed))
		weir_expire_kick(c);
	local_bh_enable();
}
