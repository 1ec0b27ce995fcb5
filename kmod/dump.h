/* SPDX-License-Identifier: GPL-2.0 */
/* dump - statistics per CPU, and the flows in the tables now */
#ifndef _WEIR_DUMP_H
#define _WEIR_DUMP_H

#include <net/netlink.h>
#include <uapi/weir.h>

struct weir_ledger;

/* netlink_callback operations of DUMP_FLOWS and of GET_STATS as a dump. */
extern const struct nla_policy weir_dump_policy[WEIR_A_MAX + 1];
int weir_dump_start(struct netlink_callback *cb);
int weir_dump_flows(struct sk_buff *skb, struct netlink_callback *cb);
int weir_dump_stats(struct sk_buff *skb, struct netlink_callback *cb);
int weir_dump_done(struct netlink_callback *cb);

/* GET_INTERFACES, interfaces.c */
int weir_interfaces_dump(struct sk_buff *skb, struct netlink_callback *cb);

/* Of netlink.c, which alone knows the family. */
void *weir_netlink_put_header(struct sk_buff *skb, struct netlink_callback *cb, u8 cmd);
int weir_netlink_put_ledger(struct sk_buff *skb, const struct weir_ledger *l);
int weir_netlink_parse(struct netlink_callback *cb, struct nlattr **attrs,
		       const struct nla_policy *policy);

#endif /* _WEIR_DUMP_H */
