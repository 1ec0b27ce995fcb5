/* SPDX-License-Identifier: GPL-2.0 */
/* netlink - the generic netlink family "weir" (see uapi/weir.h) */
#ifndef _WEIR_NETLINK_H
#define _WEIR_NETLINK_H

#include <linux/types.h>
#include <uapi/weir.h>

struct net;
struct sk_buff;
struct weir_slot;

int weir_netlink_register(void);
void weir_netlink_unregister(void);

/* A BATCH message of @slot, NULL without memory. Process context. */
struct sk_buff *weir_netlink_batch(u64 instance, u64 seq, u32 cpu, const struct weir_slot *slot);

/* An END message. @lost: __WEIR_LOST_COUNT of them. */
struct sk_buff *weir_netlink_end(u64 instance, u64 last_seq, const struct weir_totals *numbered,
				 const struct weir_totals *lost);

/* Multicast a NOTICE; who is not listening misses it. */
void weir_netlink_notice(struct net *net, enum weir_notice notice, u64 instance);

#endif /* _WEIR_NETLINK_H */
