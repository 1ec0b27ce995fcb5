// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_block.c - read anything as a block. The checksums would stop all but
 * whole blocks at the door, so the input is tried as it is and sealed anew.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/store/block.h"
#include "tests/fuzz/replay.h"

/* What was decoded must be there to its last byte, and within what the index says. */
static void check_column(struct weir_block_reader *reader, enum weir_column_id id)
{
	struct weir_vector vector;
	uint64_t min, max, sum = 0;
	bool number = weir_column_find(id)->number;
	bool range = weir_block_range(reader, id, &min, &max);

	if (weir_block_column(reader, id, &vector))
		return;
	if (vector.count != weir_block_count(reader))
		abort();
	for (uint32_t row = 0; row < vector.count; row++) {
		const uint8_t *at = weir_vector_at(&vector, row);

		if (!number)
			sum += at[0] + at[vector.width - 1];
		else if (range)
			sum += weir_vector_number(&vector, row) < min;
	}
	if (sum == UINT64_MAX)
		abort();
}

/* Records found without decoding must be among those that there are. */
static void check_rows(struct weir_block_reader *reader, enum weir_column_id id,
		       const uint8_t address[16])
{
	uint32_t first, end, from, to;

	if (weir_block_prefix(reader, id, address, 16, &first, &end) ||
	    weir_block_run_rows(reader, id, first, end, &from, &to))
		return;
	if (first > end || from > to || to > weir_block_count(reader))
		abort();
}

static void read_block(const uint8_t *data, size_t bytes)
{
	static struct weir_flow *flows;
	static const uint8_t address[16] = {0x20, 0x01};
	struct weir_block_section sections[WEIR_BLOCK_SECTIONS_MAX];
	struct weir_block_reader *reader;

	/* The most that a block may say it has. */
	if (!flows)
		flows = malloc(65536 * sizeof(*flows));
	if (!flows || weir_block_reader_new(&reader))
		abort();
	if (!weir_block_open(reader, 1, data, bytes)) {
		weir_block_sections(reader, sections);
		for (unsigned id = 1; id < WEIR_COLUMN_END; id++) {
			weir_block_may_hold_number(reader, id, 80, 443);
			weir_block_may_hold_prefix(reader, id, address, 16);
			check_rows(reader, id, address);
			check_column(reader, id);
		}
		weir_block_rows(reader, WEIR_COLUMN_ALL, flows);
	}
	weir_block_reader_free(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	uint8_t *block = malloc(bytes + 1);

	read_block(data, bytes);
	if (block && bytes >= 8) {
		memcpy(block, data, bytes);
		weir_block_reseal(1, block, bytes);
		read_block(block, bytes);
	}
	free(block);
	return 0;
}
