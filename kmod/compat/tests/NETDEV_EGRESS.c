// SPDX-License-Identifier: GPL-2.0
/* netfilter has an egress hook, and this kernel was built with it */
#include <linux/netfilter_netdev.h>

#ifndef CONFIG_NETFILTER_EGRESS
#error CONFIG_NETFILTER_EGRESS
#endif
unsigned int number = NF_NETDEV_EGRESS;
