/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kernel.h - the module's netlink family, as seen by the node (kernel.c and
 * message.c are the only places of the node that speak libmnl). uapi/weir.h is
 * the protocol.
 *
 * Functions that can be refused take a text of WEIR_KERNEL_WHY bytes and write
 * a sentence there: the kernel's own (extack) where it gave one.
 */
#ifndef WEIR_NODE_KERNEL_H
#define WEIR_NODE_KERNEL_H

#include "daemon/common/flow.h"

struct weir_node_config;

enum {
	WEIR_KERNEL_WHY = 256,
	/* Batches the kernel may have sent without an acknowledgement. 236 records
	 * each: twice what fills a block is taken while one is written. 64 MB of
	 * socket buffer, if ever so many wait in it; a kernel has no more than its logs hold. */
	WEIR_KERNEL_WINDOW = 1024,
};

struct weir_kernel_stats {
	uint64_t instance;
	bool stopped; /* it is over, and no other has begun */
	struct weir_totals seen, table, pending, acked, numbered;
	struct weir_totals lost[__WEIR_LOST_COUNT];
	struct weir_totals skipped[__WEIR_SKIP_COUNT];
	uint64_t counters[__WEIR_COUNTER_COUNT];
	uint64_t seq, acked_seq;
	uint32_t owner;
	uint64_t memory_bytes;
	uint32_t table_flows, log_batches; /* over all CPUs */
	uint32_t cpus;
};

/* GET_STATS on a socket of its own; any thread. -ENOENT: the module is not loaded; -ENETDOWN: metering is off here. */
int weir_kernel_get_stats(struct weir_kernel_stats *stats);

struct weir_kernel; /* the socket that owns the stream */

struct weir_kernel_start { /* the answer to SUBSCRIBE */
	uint64_t instance;
	uint64_t seq; /* first batch that will come */
	uint64_t missing;
};

enum weir_kernel_kind {
	WEIR_KERNEL_BATCH,
	WEIR_KERNEL_END,
	WEIR_KERNEL_REFUSED, /* an ACK was */
};

struct weir_kernel_event {
	enum weir_kernel_kind kind;
	uint64_t instance, seq;
	struct weir_totals numbered; /* of batches 1..seq */
	/* BATCH */
	uint32_t cpu, record_size;
	int64_t clock_offset_ns;
	const void *records; /* valid until the next receive */
	size_t record_bytes;
	/* END: summed over reasons */
	struct weir_totals lost;
	/* REFUSED */
	int error;
	char why[WEIR_KERNEL_WHY];
};

/* What ingest needs of a kernel; tests have one of their own. */
struct weir_kernel_ops {
	/* -ENOENT: the module is not loaded. */
	int (*open)(struct weir_kernel **kernel, char *why);
	void (*close)(struct weir_kernel *kernel);
	/* Set timeouts, and switch metering on if it is off. */
	int (*configure)(const struct weir_node_config *config, char *why);
	/* -EBUSY: somebody else owns the stream. -ENETDOWN: metering is off. */
	int (*subscribe)(struct weir_kernel *kernel, uint64_t instance, uint64_t seq,
			 struct weir_kernel_start *start, char *why);
	int (*fd)(const struct weir_kernel *kernel); /* readable: receive has something */
	/* -EAGAIN: nothing there now. -EBADMSG: a message that makes no sense. */
	int (*receive)(struct weir_kernel *kernel, struct weir_kernel_event *event);
	int (*ack)(struct weir_kernel *kernel, uint64_t instance, uint64_t seq);
	int (*get_stats)(struct weir_kernel_stats *stats);
};

extern const struct weir_kernel_ops weir_kernel_netlink;

#endif
