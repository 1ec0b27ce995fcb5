// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_block.c - decode anything as a block. The checksum would stop all but
 * whole blocks at the door, so the input is tried as it is and sealed anew.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/store/block.h"
#include "tests/fuzz/replay.h"

enum { FLOWS_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct weir_flow flows[FLOWS_MAX];
	uint8_t *block = malloc(bytes + 1);
	size_t count;

	weir_block_decode(1, data, bytes, flows, FLOWS_MAX, &count);
	if (block && bytes >= 8) {
		memcpy(block, data, bytes);
		weir_block_seal(1, block, bytes);
		if (!weir_block_decode(1, block, bytes, flows, FLOWS_MAX, &count) &&
		    count > FLOWS_MAX)
			abort();
	}
	free(block);
	return 0;
}
