/* SPDX-License-Identifier: GPL-2.0 */
/* batch.h - records of the kernel as flows. The only place that converts them. */
#ifndef WEIR_NODE_BATCH_H
#define WEIR_NODE_BATCH_H

#include "daemon/common/flow.h"

/**
 * weir_batch_count - how many records @bytes bytes are, @record_size apart.
 * -EBADMSG: the size is less than any version had, or does not divide the bytes.
 */
int weir_batch_count(size_t bytes, uint32_t record_size, size_t *count);
/* Convert @count records to @flows, and add them to @totals. Times become
 * nanoseconds since the epoch by adding @clock_offset_ns; "never" stays 0. */
void weir_batch_convert(const void *records, size_t count, uint32_t record_size,
			int64_t clock_offset_ns, struct weir_flow *flows,
			struct weir_totals *totals);

#endif
