// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "daemon/common/clock.h"
#include "daemon/store/internal.h"

static const uint64_t hour_ns = 3600 * WEIR_NS_PER_SECOND;

static unsigned read_hours(struct weir_lmdb_txn *txn, uint64_t hours[WEIR_HOURS_MAX])
{
	struct weir_lmdb_value value;

	if (weir_lmdb_get(txn, WEIR_DB_META, "hours", &value) ||
	    value.bytes > WEIR_HOURS_MAX * sizeof(*hours))
		return 0;
	weir_meta_decode(value.data, value.bytes, hours, value.bytes / 8 * 8);
	return (unsigned)(value.bytes / 8);
}

void weir_hours_note(struct weir_lmdb_txn *txn, const struct weir_store_summed *summed)
{
	uint64_t hours[WEIR_HOURS_MAX];
	unsigned count;

	/* The next segment begins where this one ends. */
	if (summed->start_ns / hour_ns == summed->end_ns / hour_ns)
		return;
	count = read_hours(txn, hours);
	if (count && hours[count - 1] >= summed->block)
		return;
	if (count == WEIR_HOURS_MAX)
		memmove(hours, hours + 1, --count * sizeof(*hours));
	hours[count++] = summed->block;
	weir_meta_put(txn, WEIR_DB_META, "hours", hours, count * sizeof(*hours));
}

bool weir_hours_between(struct weir_lmdb_txn *txn, uint64_t before, uint64_t after)
{
	uint64_t hours[WEIR_HOURS_MAX];
	unsigned count = read_hours(txn, hours);

	for (unsigned i = 0; i < count; i++)
		if (before <= hours[i] && hours[i] < after)
			return true;
	return false;
}
