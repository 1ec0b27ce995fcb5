/* SPDX-License-Identifier: GPL-2.0 */
/* sight - from a packet at a hook to the cache */
#ifndef _WEIR_SIGHT_H
#define _WEIR_SIGHT_H

#include <linux/types.h>

#include <uapi/weir.h>
#include "dissect.h"

struct net_device;
struct sk_buff;
struct weir_watch;

/* Not an enum weir_skip: the packet counts. */
#define WEIR_NOT_SKIPPED	__WEIR_SKIP_COUNT

/* What a hook knows of a packet. */
struct weir_seen {
	enum weir_observed observed;
	u32 in_ifindex;
	u32 out_ifindex;
	const u8 *mac;		/* Ethernet header or NULL */
};

/* Describe @skb from its network header on, as seen at @dev (may be NULL). */
void weir_sight_frame(const struct sk_buff *skb, const struct net_device *dev,
		      struct weir_frame *f);

/*
 * The same for one that @dev is about to send: its data begins with its link layer header, and
 * where the network header is said to be cannot be relied on.
 */
void weir_sight_frame_sent(const struct sk_buff *skb, const struct net_device *dev,
			   struct weir_frame *f);

/* The Ethernet header of a packet that came in, NULL without. */
const u8 *weir_sight_mac(const struct sk_buff *skb);

/* Count @skb as @p in the flow it belongs to. */
void weir_sight_count(struct weir_watch *w, const struct sk_buff *skb, struct weir_packet *p,
		      const struct weir_seen *seen);

/* The flow that @p, seen so, is of: set WEIR_FLOW_* bits in it, if it is in the table. */
void weir_sight_mark(struct weir_watch *w, struct weir_packet *p, const struct weir_seen *seen,
		     u16 flags);

/* Count it as skipped for @reason. */
void weir_sight_skip(struct weir_watch *w, const struct sk_buff *skb, unsigned int reason);

#endif /* _WEIR_SIGHT_H */
