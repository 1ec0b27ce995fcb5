// SPDX-License-Identifier: GPL-2.0
#include "daemon/store/seam.h"

#include <stdlib.h>
#include <string.h>

/* Which minute, hour or day it is of: told by its start, as in daemon/node/rollup.c. */
static uint64_t span_of(unsigned level, const struct weir_rollup_head *head)
{
	return head->start_ns / weir_rollup_ns[level];
}

/* The last block of the entries that the first one of @heads is joined with at @level. */
static uint64_t last_block(unsigned level, const struct weir_rollup_head *heads, size_t count)
{
	uint64_t last = 0;

	for (size_t i = 0; i < count && span_of(level, &heads[i]) == span_of(level, heads); i++)
		if (heads[i].last_block > last)
			last = heads[i].last_block;
	return last;
}

int weir_seams_find(struct weir_store *store, uint64_t before, struct weir_seams *seams)
{
	struct weir_rollup_head *heads;
	struct weir_rollup_sums sums;
	size_t count;
	int ret;

	memset(seams, 0, sizeof(*seams));
	if (!weir_rollup_is_open(store))
		return 0;
	ret = weir_rollup_sums(store, WEIR_ROLLUP_MINUTE, &sums);
	if (!ret)
		ret = weir_rollup_heads(store, WEIR_ROLLUP_MINUTE, before, &heads, &count);
	if (ret)
		return ret;
	/* An entry made since the sums were read is for the next time. */
	while (count && heads[count - 1].last_segment > sums.segment)
		count--;
	for (unsigned level = 0; level < WEIR_ROLLUP_LEVELS && count; level++)
		seams->last[level] = last_block(level, heads, count);
	if (count)
		seams->through = sums.block;
	/* Where small entries have expired, nobody can tell any more. */
	if (count && heads[0].first_segment > before + 1)
		seams->from = heads[0].first_block;
	free(heads);
	return 0;
}

bool weir_seams_part(const struct weir_seams *seams, uint64_t a, uint64_t b)
{
	for (unsigned level = 0; level < WEIR_ROLLUP_LEVELS; level++)
		if (a <= seams->last[level] && seams->last[level] < b)
			return true;
	return false;
}
