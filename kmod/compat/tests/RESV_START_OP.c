// SPDX-License-Identifier: GPL-2.0
/* struct genl_family has resv_start_op (strict headers from that command on) */
#include <net/genetlink.h>

struct genl_family family = { .resv_start_op = 1 };
