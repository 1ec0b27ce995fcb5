/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ledger - where every packet went
 *
 * One per CPU, under that CPU's lock, so that at any moment and exactly
 *	seen = table + pending + acked + sum of lost[]
 * Every function that moves a flow moves its totals under the same hold.
 */
#ifndef _WEIR_LEDGER_H
#define _WEIR_LEDGER_H

#include <uapi/weir.h>

struct weir_ledger {
	/* written for every packet: one cache line */
	struct weir_totals seen;
	struct weir_totals table;

	struct weir_totals pending;	/* in the log, not acknowledged */
	struct weir_totals acked;
	struct weir_totals lost[__WEIR_LOST_COUNT];
	struct weir_totals skipped[__WEIR_SKIP_COUNT];
	u64 counters[__WEIR_COUNTER_COUNT];
};

static inline void weir_totals_add(struct weir_totals *to, const struct weir_totals *what)
{
	to->flows += what->flows;
	to->packets += what->packets;
	to->bytes += what->bytes;
}

static inline void weir_totals_move(struct weir_totals *from, struct weir_totals *to,
				    const struct weir_totals *what)
{
	from->flows -= what->flows;
	from->packets -= what->packets;
	from->bytes -= what->bytes;
	weir_totals_add(to, what);
}

/* Add all of @what to @sum. */
void weir_ledger_add(struct weir_ledger *sum, const struct weir_ledger *what);

#endif /* _WEIR_LEDGER_H */
