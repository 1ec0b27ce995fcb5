/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kernel.h - the module's netlink family, as seen by the node (the only place
 * of the node that speaks libmnl). uapi/weir.h is the protocol.
 */
#ifndef WEIR_NODE_KERNEL_H
#define WEIR_NODE_KERNEL_H

#include "daemon/common/flow.h"

struct weir_kernel_stats {
	uint64_t instance;
	struct weir_totals seen, table, pending, acked, numbered;
	struct weir_totals lost[__WEIR_LOST_COUNT];
	struct weir_totals skipped[__WEIR_SKIP_COUNT];
	uint64_t counters[__WEIR_COUNTER_COUNT];
	uint64_t seq, acked_seq;
	uint32_t owner;
	uint64_t memory_bytes;
};

/* GET_STATS on a socket of its own; any thread. -ENOENT: the module is not loaded; -ENETDOWN: metering is off here. */
int weir_kernel_get_stats(struct weir_kernel_stats *stats);

#endif
