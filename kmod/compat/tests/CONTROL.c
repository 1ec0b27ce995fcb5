// SPDX-License-Identifier: GPL-2.0
/* Must compile everywhere: if not, the tests beside it say nothing. */
#include <linux/workqueue.h>
#include <net/genetlink.h>

struct genl_family family = { .name = "control", .module = NULL };
unsigned int flags = WQ_UNBOUND;
