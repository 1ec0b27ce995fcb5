// SPDX-License-Identifier: GPL-2.0
/*
 * ages.c - what the clock says, and what was stored when it said so.
 *
 * A clock that jumps ahead by more than a day begins a partition, and that one and the one before
 * it tell when it jumped and how far: also after a restart. One that was set back leaves
 * records of a time to come; they are as old as what was stored next.
 */
#include <errno.h>
#include <stdlib.h>

#include "daemon/common/clock.h"
#include "daemon/store/internal.h"

static const uint64_t believed_ns = 86400 * WEIR_NS_PER_SECOND, jump_ns = 86400 * WEIR_NS_PER_SECOND;

/* When a partition was begun, 0: it does not tell, and what the clock was at its last segment. */
static int read_times(struct weir_store *store, uint32_t id, uint64_t *begun_ns, uint64_t *ended_ns)
{
	struct weir_partition *partition;
	struct weir_store_state state;
	struct weir_meta_base base;
	struct weir_lmdb_txn txn;
	int ret = weir_partition_hold(store, id, &partition);

	*begun_ns = *ended_ns = 0;
	if (ret)
		return ret;
	ret = weir_lmdb_begin(partition->lmdb, false, &txn);
	if (!ret)
		ret = weir_meta_get_state(&txn, &state);
	if (!ret && !weir_meta_get(&txn, WEIR_DB_META, "base", &base, sizeof(base)))
		*begun_ns = base.begun_ns;
	if (!ret)
		*ended_ns = state.summed.end_ns;
	weir_lmdb_abort(&txn);
	weir_partition_release(store, partition);
	return ret;
}

/* From the newest on, as far back as jumps are not believed. */
static uint64_t sum_jumps(struct weir_store *store, const uint32_t *ids, unsigned count, uint64_t now_ns)
{
	uint64_t sum_ns = 0, begun_ns, ended_ns, next_ns = 0;

	while (count--) {
		/* What cannot be read tells nothing. */
		if (read_times(store, ids[count], &begun_ns, &ended_ns)) {
			next_ns = 0;
			continue;
		}
		/* @next_ns: the one behind this one began. */
		if (next_ns && next_ns <= now_ns && ended_ns && next_ns > ended_ns &&
		    next_ns - ended_ns > jump_ns)
			sum_ns += next_ns - ended_ns;
		if (begun_ns <= now_ns && now_ns - begun_ns >= believed_ns)
			break;
		next_ns = begun_ns;
	}
	return sum_ns;
}

uint64_t weir_store_age_clock(struct weir_store *store, uint64_t now_ns)
{
	unsigned count;
	uint32_t *ids;
	uint64_t sum_ns;

	if (weir_partition_ids(store, &ids, &count))
		return now_ns;
	sum_ns = sum_jumps(store, ids, count, now_ns);
	free(ids);
	return sum_ns < now_ns ? now_ns - sum_ns : now_ns;
}

uint64_t weir_ages_end(struct weir_store *store, uint32_t id, uint64_t end_ns, uint64_t now_ns)
{
	uint64_t begun_ns, ended_ns;
	unsigned count;
	uint32_t *ids;

	if (end_ns <= now_ns || weir_partition_ids(store, &ids, &count))
		return end_ns;
	for (unsigned i = 0; i < count; i++) {
		if (ids[i] <= id || read_times(store, ids[i], &begun_ns, &ended_ns))
			continue;
		if (begun_ns && begun_ns <= now_ns) {
			end_ns = begun_ns;
			break;
		}
	}
	free(ids);
	return end_ns;
}
