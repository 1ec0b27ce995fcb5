/* SPDX-License-Identifier: GPL-2.0 */
/*
 * log - one CPU's ring of batches
 *
 * A slot holds one batch and goes round: open (being filled), sealed (its
 * content will not change any more), numbered (it has its place in the
 * stream), free again once acknowledged.
 *
 *	tail ...... numbered ...... open ...... tail + size
 *	 numbered,      sealed,       being     free
 *	 may be sent    no number     filled
 *
 * The three indices run freely and are taken modulo size, a power of two.
 *
 * All records of a batch are of one size, chosen when it is opened: core unless
 * the batch before needed more. A flow with a tail that meets an open batch of
 * core records seals it. So where nothing has a tail none is ever written, and
 * where there is a mixture all are long: neither makes short batches, and a
 * sender who alternates on purpose gets at most every third batch sealed early.
 */
#ifndef _WEIR_LOG_H
#define _WEIR_LOG_H

#include <uapi/weir.h>

struct weir_cpu;
struct weir_flow;

enum {
	/*
	 * The most records with which a batch, its netlink and skb overhead fit
	 * 32 KiB: one more page would make the allocator take 64 KiB and charge
	 * all of it to the reader's receive buffer.
	 */
	WEIR_BATCH_BYTES = 32 * 1024 - 640,
	WEIR_BATCH_CORE = WEIR_BATCH_BYTES / WEIR_RECORD_CORE,
	WEIR_BATCH_LONG = WEIR_BATCH_BYTES / sizeof(struct weir_record),
};

struct weir_slot {
	u8 *records;			/* WEIR_BATCH_BYTES */
	u32 count;
	u16 stride;			/* bytes from record to record; set when opened */
	bool tails;			/* a record has something beyond the core */
	u64 opened_ns;			/* when the first record came */
	s64 clock_offset_ns;		/* set when sealed */
	struct weir_totals totals;	/* of this batch */
	struct weir_totals numbered;	/* of all up to this one; stream's lock */
};

struct weir_log {
	struct weir_slot *slots;
	u8 *records;			/* all slots' */
	u32 size;			/* slots, a power of two */
	u32 reserve;			/* free slots that only evictions may use */
	u32 open;			/* under the CPU's lock */
	bool tails;			/* the last batch sealed had some; the CPU's lock */
	u32 tail;			/* written under the stream's lock and the CPU's */
	u32 numbered;			/* under the stream's lock */
};

/* Allocate @batches slots, a power of two, near @node. */
int weir_log_init(struct weir_log *log, u32 batches, int node);
void weir_log_destroy(struct weir_log *log);

/* Bytes weir_log_init() will take for @batches. */
u64 weir_log_memory(u32 batches);

static inline struct weir_slot *weir_log_slot(const struct weir_log *log, u32 index)
{
	return &log->slots[index & (log->size - 1)];
}

/* Records that fit @slot, which was opened. */
static inline u32 weir_slot_room(const struct weir_slot *slot)
{
	return slot->stride == WEIR_RECORD_CORE ? WEIR_BATCH_CORE : WEIR_BATCH_LONG;
}

/**
 * weir_log_put - move a flow's counts from the table to the open batch
 * @c: the CPU, locked
 * @flow: stays as it is; the caller removes or restarts it
 * @reason: why it ends
 * @last_resort: may use the slots kept for evictions
 * @now: monotonic ns
 *
 * Return: false when the log has no room; then nothing happened.
 */
bool weir_log_put(struct weir_cpu *c, const struct weir_flow *flow, enum weir_end_reason reason,
		  bool last_resort, u64 now);

/* Seal the open batch unless it is empty. @c is locked. */
void weir_log_seal(struct weir_cpu *c);

/* Seal the open batch if its first record came more than @age_ns ago. @c is locked. */
void weir_log_seal_old(struct weir_cpu *c, u64 now, u64 age_ns);

#endif /* _WEIR_LOG_H */
