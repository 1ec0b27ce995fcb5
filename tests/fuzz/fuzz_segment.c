// SPDX-License-Identifier: GPL-2.0
/* A segment as a node may send it: decoded and merged into bounds, which stay in order. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/flow.h"
#include "daemon/query/bounds.h"
#include "daemon/wire/dimension.h"
#include "daemon/wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void merge(const Weir__Wire__Segment *segment, const char *fields, unsigned key_bytes)
{
	struct weir_bounds_result result;
	struct weir_bounds *bounds;

	if (weir_bounds_new(key_bytes, 1000, &bounds))
		return;
	if (weir_dimension_add_segment(bounds, fields, key_bytes, segment) >= 0 &&
	    weir_bounds_result(bounds, WEIR_BY_BYTES, 10, &result) == 0) {
		for (size_t i = 1; i < result.count; i++)
			if (result.lines[i].low.bytes > result.lines[i - 1].low.bytes)
				abort();
		free(result.lines);
	}
	weir_bounds_free(bounds);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Weir__Wire__Segment *segment =
		weir_frame_unpack(&weir__wire__segment__descriptor, data, size);

	if (!segment)
		return 0;
	merge(segment, "host", 17);
	merge(segment, "src,dst", 34);
	merge(segment, "service", 3);
	merge(segment, "proto", 1);
	weir__wire__segment__free_unpacked(segment, NULL);
	return 0;
}

#include "tests/fuzz/replay.h"
