// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <string.h>

#include "daemon/node/position.h"

bool weir_position_start(struct weir_store_position *position,
			 const struct weir_kernel_start *start)
{
	if (start->instance == position->instance)
		return false;
	weir_totals_add(&position->before, &position->received);
	weir_totals_add(&position->missing_before, &position->missing);
	weir_totals_add(&position->refused_before, &position->refused);
	memset(&position->received, 0, sizeof(position->received));
	memset(&position->missing, 0, sizeof(position->missing));
	memset(&position->refused, 0, sizeof(position->refused));
	memset(&position->numbered, 0, sizeof(position->numbered));
	if (position->instance && !position->ended)
		position->instances_unfinished++;
	position->ended = 0;
	position->instance = start->instance;
	position->seq = 0;
	position->instances++;
	return true;
}

enum weir_position_verdict weir_position_check(const struct weir_store_position *position,
					       uint64_t expected,
					       const struct weir_kernel_event *batch)
{
	if (batch->instance != position->instance)
		return WEIR_POSITION_FOREIGN;
	if (batch->seq < expected)
		return WEIR_POSITION_AGAIN;
	return batch->seq == expected ? WEIR_POSITION_NEXT : WEIR_POSITION_GAP;
}

/* *@sum += @now - @before - @got where that is positive. Returns whether it is zero. */
static bool add_difference(__u64 *sum, __u64 now, __u64 before, __u64 got)
{
	int64_t difference = (int64_t)(now - before - got);

	if (difference > 0)
		*sum += difference;
	return !difference;
}

static bool move_numbered(struct weir_store_position *position, const struct weir_totals *numbered,
			  const struct weir_totals *got)
{
	const struct weir_totals *was = &position->numbered;
	bool equal = true;

	equal &= add_difference(&position->missing.flows, numbered->flows, was->flows, got->flows);
	equal &= add_difference(&position->missing.packets, numbered->packets, was->packets,
				got->packets);
	equal &= add_difference(&position->missing.bytes, numbered->bytes, was->bytes, got->bytes);
	position->numbered = *numbered;
	return equal;
}

int weir_position_accept(struct weir_store_position *position,
			 const struct weir_kernel_event *batch, const struct weir_totals *totals)
{
	uint64_t gap = batch->seq - position->seq - 1;
	bool equal = move_numbered(position, &batch->numbered, totals);

	weir_totals_add(&position->received, totals);
	position->missing_batches += gap;
	position->seq = batch->seq;
	return equal || gap ? 0 : -EPROTO;
}

void weir_position_refuse(struct weir_store_position *position, const struct weir_totals *totals,
			  uint64_t now_ns)
{
	weir_totals_subtract(&position->received, totals);
	weir_totals_add(&position->refused, totals);
	if (!position->refused_first_ns)
		position->refused_first_ns = now_ns;
	position->refused_last_ns = now_ns;
}

struct weir_totals weir_position_refused(const struct weir_store_position *position)
{
	struct weir_totals refused = position->refused;

	weir_totals_add(&refused, &position->refused_before);
	return refused;
}

uint64_t weir_position_end(struct weir_store_position *position,
			   const struct weir_kernel_event *end)
{
	struct weir_totals nothing = {0};
	uint64_t gap = end->seq > position->seq ? end->seq - position->seq : 0;

	if (!position->ended)
		weir_totals_add(&position->lost, &end->lost);
	position->ended = 1;
	if (!gap)
		return 0;
	move_numbered(position, &end->numbered, &nothing);
	position->missing_batches += gap;
	position->seq = end->seq;
	return gap;
}
