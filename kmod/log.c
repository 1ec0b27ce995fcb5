// SPDX-License-Identifier: GPL-2.0
/* log - one CPU's ring of batches */

#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/ktime.h>
#include <linux/vmalloc.h>

#include "cache.h"
#include "log.h"
#include "meter.h"

u64 weir_log_memory(u32 batches)
{
	return (u64)batches * (sizeof(struct weir_slot) + WEIR_BATCH_BYTES);
}

int weir_log_init(struct weir_log *log, u32 batches, int node)
{
	u32 i;

	BUILD_BUG_ON(sizeof(struct weir_record) != 192);
	BUILD_BUG_ON(offsetof(struct weir_record, tunnel_id) != WEIR_RECORD_CORE);
	BUILD_BUG_ON(WEIR_RECORD_CORE % 8 || WEIR_BATCH_BYTES % 8);

	log->slots = vzalloc_node(array_size(batches, sizeof(*log->slots)), node);
	log->records = vzalloc_node(array_size(batches, WEIR_BATCH_BYTES), node);
	if (!log->slots || !log->records) {
		weir_log_destroy(log);
		return -ENOMEM;
	}
	for (i = 0; i < batches; i++)
		log->slots[i].records = log->records + (size_t)i * WEIR_BATCH_BYTES;
	log->size = batches;
	log->reserve = max(batches / 8, 1U);
	return 0;
}

void weir_log_destroy(struct weir_log *log)
{
	vfree(log->records);
	vfree(log->slots);
	log->records = NULL;
	log->slots = NULL;
}

void weir_log_seal(struct weir_cpu *c)
{
	struct weir_slot *slot = weir_log_slot(&c->log, c->log.open);

	if (c->log.open - c->log.tail == c->log.size || !slot->count)
		return;
	slot->clock_offset_ns = ktime_to_ns(ktime_mono_to_real(0));
	c->log.tails = slot->tails;
	c->log.open++;
	c->sealed = true;
	c->ledger.counters[WEIR_COUNTER_BATCHES]++;
}

void weir_log_seal_old(struct weir_cpu *c, u64 now, u64 age_ns)
{
	const struct weir_slot *slot = weir_log_slot(&c->log, c->log.open);

	if (c->log.open - c->log.tail == c->log.size || !slot->count)
		return;
	if (now - slot->opened_ns >= age_ns)
		weir_log_seal(c);
}

static void count_end(struct weir_ledger *ledger, enum weir_end_reason reason)
{
	static const u8 counter_of[] = {
		[WEIR_END_IDLE] = WEIR_COUNTER_END_IDLE,
		[WEIR_END_ACTIVE] = WEIR_COUNTER_END_ACTIVE,
		[WEIR_END_DETECTED] = WEIR_COUNTER_END_DETECTED,
		[WEIR_END_FORCED] = WEIR_COUNTER_END_FORCED,
		[WEIR_END_NO_RESOURCES] = WEIR_COUNTER_EVICTED,
	};

	ledger->counters[counter_of[reason]]++;
}

/* The open slot, with room for one record that may be long, or NULL. */
static struct weir_slot *open_slot(struct weir_cpu *c, bool is_long, bool last_resort, u64 now)
{
	struct weir_log *log = &c->log;
	const u32 free = log->size - (last_resort ? 0 : log->reserve) - (log->open - log->tail);
	struct weir_slot *slot = weir_log_slot(log, log->open);

	if ((s32)free <= 0)
		return NULL;
	if (is_long && slot->count && slot->stride == WEIR_RECORD_CORE) {
		if (free == 1)
			return NULL;
		weir_log_seal(c);
		slot = weir_log_slot(log, log->open);
	}
	if (!slot->count) {
		slot->opened_ns = now;
		slot->stride = is_long || log->tails ? sizeof(struct weir_record)
						     : WEIR_RECORD_CORE;
		slot->tails = false;
		memset(&slot->totals, 0, sizeof(slot->totals));
	}
	return slot;
}

bool weir_log_put(struct weir_cpu *c, const struct weir_flow *flow, enum weir_end_reason reason,
		  bool last_resort, u64 now)
{
	const bool is_long = weir_flow_is_long(flow);
	struct weir_slot *slot = open_slot(c, is_long, last_resort, now);
	const struct weir_totals what = {
		.flows = 1, .packets = flow->packets, .bytes = flow->bytes,
	};

	if (!slot)
		return false;
	weir_flow_record(flow, reason, slot->stride,
			 (struct weir_record *)(slot->records + slot->count++ * slot->stride));
	slot->tails |= is_long;
	weir_totals_add(&slot->totals, &what);
	weir_totals_move(&c->ledger.table, &c->ledger.pending, &what);
	count_end(&c->ledger, reason);
	if (slot->count == weir_slot_room(slot))
		weir_log_seal(c);
	return true;
}
