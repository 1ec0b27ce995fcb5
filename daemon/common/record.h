/* SPDX-License-Identifier: GPL-2.0 */
/* record.h - from the kernel's flow record (uapi/weir.h) to user space's (flow.h). */
#ifndef WEIR_COMMON_RECORD_H
#define WEIR_COMMON_RECORD_H

#include "daemon/common/flow.h"

/**
 * weir_record_read - read one record of @record_bytes at @record, aligned or not.
 * @clock_offset_ns: real time minus the record's monotonic time. A record longer than
 * we know is read as far as known, of a shorter one the rest is zero.
 */
void weir_record_read(const void *record, size_t record_bytes, int64_t clock_offset_ns,
		      struct weir_flow *flow);
/* The same for @count records, @record_bytes apart. */
void weir_record_read_all(const void *records, size_t count, size_t record_bytes,
			  int64_t clock_offset_ns, struct weir_flow *flows);

#endif
