/* SPDX-License-Identifier: GPL-2.0 */
/* message.h - netlink messages of the family as structs: pure, so it can be tested and fuzzed. */
#ifndef WEIR_NODE_MESSAGE_H
#define WEIR_NODE_MESSAGE_H

#include <linux/netlink.h>

#include "daemon/node/kernel.h"

struct nlattr;

struct weir_message {
	uint8_t cmd;
	const struct nlattr *attr[__WEIR_A_MAX]; /* by enum weir_attr, length checked; NULL: absent */
};

/* @message must be whole (mnl_nlmsg_ok()). -EBADMSG: a known attribute has a wrong length. */
int weir_message_parse(const struct nlmsghdr *nlh, struct weir_message *message);
uint64_t weir_message_u64(const struct weir_message *message, enum weir_attr attr); /* 0: absent */
uint32_t weir_message_u32(const struct weir_message *message, enum weir_attr attr);
/* -EBADMSG: not a BATCH or END, or an attribute it needs is absent. */
int weir_message_event(const struct weir_message *message, struct weir_kernel_event *event);
int weir_message_start(const struct weir_message *message, struct weir_kernel_start *start);
int weir_message_stats(const struct weir_message *message, struct weir_kernel_stats *stats);
/* The negative errno of an NLMSG_ERROR, and its sentence: the kernel's, or strerror's. */
int weir_message_error(const struct nlmsghdr *nlh, char *why);

#endif
