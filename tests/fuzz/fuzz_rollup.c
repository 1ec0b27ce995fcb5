// SPDX-License-Identifier: GPL-2.0
/* A roll-up as it may lie on a damaged disk: merged, encoded again and merged once more. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/node/merge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(struct weir_merge *merge)
{
	for (int i = 0; i < WEIR_MERGE_DIMENSIONS; i++) {
		struct weir_bounds_result result;

		if (weir_bounds_result(weir_merge_bounds(merge, i), WEIR_BY_BYTES, 10, &result))
			continue;
		for (size_t k = 1; k < result.count; k++)
			if (result.lines[k].low.bytes > result.lines[k - 1].low.bytes)
				abort();
		free(result.lines);
	}
}

static int add(const void *body, size_t bytes, void **again, size_t *again_bytes)
{
	struct weir_rollup_head head = {.start_ns = 1, .end_ns = 2, .first_segment = 1, .last_segment = 1};
	struct weir_merge *merge;
	int ret;

	if (weir_merge_new(-1, &merge))
		return -1;
	ret = weir_merge_add_rollup(merge, &head, body, bytes);
	if (!ret)
		ret = weir_merge_add_rollup(merge, &head, body, bytes);
	if (!ret)
		look(merge);
	if (!ret && again)
		ret = weir_merge_encode(merge, 3, again, again_bytes);
	weir_merge_free(merge);
	return ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t bytes;
	void *body;

	if (add(data, size, &body, &bytes))
		return 0;
	/* What we wrote ourselves can be read. */
	if (add(body, bytes, NULL, NULL))
		abort();
	free(body);
	return 0;
}

#include "tests/fuzz/replay.h"
