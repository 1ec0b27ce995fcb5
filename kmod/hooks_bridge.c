// SPDX-License-Identifier: GPL-2.0
/*
 * hooks_bridge - bridge mode: what a bridge forwards
 *
 * A frame is counted at NF_BR_FORWARD, where both of its ports are known, before br_netfilter
 * shows it to the IP hooks as well. What the host itself receives from or sends to a bridge
 * is for the IP hooks to count.
 *
 * A frame for many is copied to each port and passes FORWARD for every copy, one after the other
 * on this CPU; before that it passes PRE_ROUTING, once. There we note which one it is, and
 * count the first copy. The copies share their data, so that its address tells them; a frame
 * that came another way (queued to user space and back) finds no note of it, and all of its
 * copies are counted.
 *
 * The IP hooks read the note, too: whether this frame was counted when it was forwarded, and
 * by which port it came in.
 */

#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>
#include <linux/skbuff.h>

#include "hooks.h"
#include "ports.h"
#include "sight.h"

#define BRIDGE	BIT(WEIR_MODE_BRIDGE)
#define NETDEV	BIT(WEIR_MODE_NETDEV)

/* Bridges run with softirqs off, so what is this CPU's stays ours. */
static unsigned int note_frame(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct weir_watch *w = priv;
	struct weir_here *here = raw_cpu_ptr(w->here);

	here->bridge_head = skb->head;
	here->bridge_port = state->in->ifindex;
	here->bridge_counted = false;
	return NF_ACCEPT;
}

static void meter(struct weir_watch *w, struct weir_plan *plan, const struct sk_buff *skb,
		  const struct nf_hook_state *state)
{
	const struct weir_seen seen = {
		.observed = WEIR_OBSERVED_BRIDGE,
		.in_ifindex = state->in->ifindex,
		.out_ifindex = state->out->ifindex,
		.mac = weir_sight_mac(skb),
	};
	enum weir_dissected result;
	struct weir_packet p;
	struct weir_frame f;

	weir_sight_frame(skb, NULL, &f);
	result = weir_dissect_frame(&f, ntohs(skb->protocol), plan->look_inside, &p);
	if (unlikely(result))
		weir_sight_skip(w, skb, weir_dissected_skip(result));
	else
		weir_sight_count(w, skb, &p, &seen);
}

static unsigned int hook_forward(void *priv, struct sk_buff *skb,
				 const struct nf_hook_state *state)
{
	struct weir_watch *w = priv;
	struct weir_here *here = raw_cpu_ptr(w->here);
	struct weir_plan *plan = here->plan;
	const bool is_noted = here->bridge_head == skb->head;

	if (unlikely(!(plan->modes & BRIDGE)))
		return NF_ACCEPT;
	if (is_noted && here->bridge_counted) {
		weir_sight_skip(w, skb, WEIR_SKIP_FLOODED);
		return NF_ACCEPT;
	}
	if (weir_ports_cover(plan, state->in->ifindex) ||
	    weir_ports_cover_sent(plan, state->out->ifindex)) {
		weir_sight_skip(w, skb, WEIR_SKIP_OTHER_MODE);
		return NF_ACCEPT;
	}
	if (is_noted)
		here->bridge_counted = true;
	meter(w, plan, skb, state);
	return NF_ACCEPT;
}

#define HOOK(function, number, wanted)			\
	{						\
		.ops = {				\
			.hook = (function),		\
			.pf = NFPROTO_BRIDGE,		\
			.hooknum = (number),		\
			.priority = NF_BR_PRI_FIRST + 1, \
		},					\
		.modes = (wanted),			\
	}

const struct weir_hook weir_hooks_bridge[WEIR_HOOKS_BRIDGE] = {
	HOOK(note_frame, NF_BR_PRE_ROUTING, BRIDGE | NETDEV),
	HOOK(hook_forward, NF_BR_FORWARD, BRIDGE),
};
