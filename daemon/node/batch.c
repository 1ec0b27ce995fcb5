// SPDX-License-Identifier: GPL-2.0
#include <errno.h>

#include "daemon/common/record.h"
#include "daemon/node/batch.h"

enum {
	/* What the first version of the module sends. Records never get shorter. */
	RECORD_BYTES_MIN = offsetof(struct weir_record, sampling),
};

int weir_batch_count(size_t bytes, uint32_t record_size, size_t *count)
{
	if (record_size < RECORD_BYTES_MIN || bytes % record_size)
		return -EBADMSG;
	*count = bytes / record_size;
	return 0;
}

void weir_batch_convert(const void *records, size_t count, uint32_t record_size,
			int64_t clock_offset_ns, struct weir_flow *flows,
			struct weir_totals *totals)
{
	weir_record_read_all(records, count, record_size, clock_offset_ns, flows);
	for (size_t i = 0; i < count; i++)
		weir_flow_count(totals, &flows[i]);
}
