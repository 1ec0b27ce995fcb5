// SPDX-License-Identifier: GPL-2.0
/* fuzz_batch.c - read anything as a netlink message of the module. */
#include <libmnl/libmnl.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/node/batch.h"
#include "daemon/node/message.h"
#include "tests/fuzz/replay.h"

enum { FLOWS_MAX = 1024 };

static void read_family(const struct nlmsghdr *nlh)
{
	static struct weir_flow flows[FLOWS_MAX];
	struct weir_kernel_stats stats;
	struct weir_kernel_start start;
	struct weir_kernel_event event;
	struct weir_totals totals = {0};
	struct weir_message message;
	size_t count;

	if (weir_message_parse(nlh, &message))
		return;
	weir_message_stats(&message, &stats);
	weir_message_start(&message, &start);
	if (weir_message_event(&message, &event) || event.kind != WEIR_KERNEL_BATCH)
		return;
	if (!weir_batch_count(event.record_bytes, event.record_size, &count) && count <= FLOWS_MAX)
		weir_batch_convert(event.records, count, event.record_size, event.clock_offset_ns,
				   flows, &totals);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	/* As in the socket's buffer: aligned, and nothing of ours behind it. */
	struct nlmsghdr *nlh = malloc(bytes ? bytes : 1);
	char why[WEIR_KERNEL_WHY];

	if (!nlh)
		return 0;
	memcpy(nlh, data, bytes);
	if (mnl_nlmsg_ok(nlh, bytes)) {
		weir_message_error(nlh, why);
		read_family(nlh);
	}
	free(nlh);
	return 0;
}
